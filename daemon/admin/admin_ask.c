/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The admin socket's other end: the command line asks a running server.
 */
#include "daemon/admin/admin_socket.h"

#include "base/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_S 15

static int silent(struct why *why)
{
	return why_set(why, -E_TIMEOUT,
	               "the server has not answered for %d s: it hangs, or has very much to do: "
	               "see its log",
	               WAIT_S);
}

/* Connects to the socket itself, not through a link, and by a name that nobody can redirect
 * meanwhile. errno on failure. */
static int connect_by_inode(int fd, const char *path, uid_t *owner)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int node = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), r = -1, saved;

	if (node >= 0 && !fstat(node, &st)) {
		*owner = st.st_uid;
		snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", node);
		errno = ECONNREFUSED; /* what a file that is no socket says */
		r = S_ISSOCK(st.st_mode) ? connect(fd, (struct sockaddr *)&addr, sizeof(addr)) : -1;
	}
	saved = errno;
	if (node >= 0)
		close(node);
	errno = saved;
	return r;
}

/* The server is its socket's owner, or root. */
static int check_server(int fd, uid_t owner, const char *path, struct why *why)
{
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t len = sizeof(who);

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) && (!who.uid || who.uid == owner))
		return 0;
	return why_set(why, -E_DENIED,
	               "uid %u answers on %s, which belongs to uid %u: that is not the server",
	               (unsigned)who.uid, path, (unsigned)owner);
}

static int connect_to(const char *dir, int *out, struct why *why)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval wait = {.tv_sec = WAIT_S};
	struct rights before;
	char path[PATH_MAX];
	uid_t owner = 0;
	int r = 0, failed, saved;

	if (fd < 0)
		return why_set(why, error_from_errno(errno), "no socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	snprintf(path, sizeof(path), "%s/" ADMIN_SOCKET_NAME, dir);
	before = rights_raise(); /* so that the audit names the caller */
	failed = connect_by_inode(fd, path, &owner);
	saved = errno;
	rights_lower(before);
	if (!failed && !(r = check_server(fd, owner, path, why)))
		*out = fd;
	else if (failed && (saved == ENOENT || saved == ECONNREFUSED || saved == ENOTDIR))
		r = why_set(why, -E_CLOSED,
		            "no server runs on %s: start it, or name its data directory with "
		            "--data",
		            dir);
	else if (failed && saved == EAGAIN)
		r = silent(why);
	else if (failed)
		r = why_set(why, error_from_errno(saved),
		            "cannot reach the server through %s: %s: run this as root or as the "
		            "server's user",
		            path, strerror(saved));
	if (r)
		close(fd);
	return r;
}

/* One line there, one line back. */
static json_t *exchange(int fd, const char *verb, json_t *args, bool *late)
{
	json_t *request = json_pack("{ss sO*}", "verb", verb, "args", args), *said = NULL;
	FILE *f = request ? fdopen(dup(fd), "r+") : NULL;
	char *line = NULL;
	size_t cap = 0;

	*late = false;
	if (f && !json_dumpf(request, f, JSON_COMPACT) && fputc('\n', f) != EOF && !fflush(f) &&
	    getline(&line, &cap, f) > 0)
		said = json_loads(line, JSON_ALLOW_NUL, NULL);
	else
		*late = f && errno == EAGAIN;
	if (f)
		fclose(f);
	free(line);
	json_decref(request);
	return said;
}

int admin_ask(const char *dir, const char *verb, json_t *args, json_t **result, struct why *why)
{
	const char *message;
	json_t *said, *error;
	int fd = -1, r = connect_to(dir, &fd, why);
	bool late;

	if (r) {
		json_decref(args);
		return r;
	}
	said = exchange(fd, verb, args, &late);
	json_decref(args);
	close(fd);
	if (json_is_true(json_object_get(said, "ok"))) {
		*result = json_incref(json_object_get(said, "result"));
	} else if (late) {
		r = silent(why);
	} else {
		error = json_object_get(said, "error");
		message = json_string_value(json_object_get(error, "message"));
		r = -(int)json_integer_value(json_object_get(error, "number"));
		r = why_set(why, r < 0 ? r : -E_IO, "%s",
		            message ? message
		                    : "the server has closed the admin socket: only root and its "
		                      "own user may use it (see its log)");
	}
	json_decref(said);
	return r;
}
