/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The admin socket's other end: the command line asks a running server.
 */
#include "daemon/admin/admin_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

static int connect_to(const char *dir, int *out, struct why *why)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval wait = {.tv_sec = WAIT_S};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int len = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" ADMIN_SOCKET_NAME, dir);
	int r = 0;

	if (fd < 0)
		return why_set(why, error_from_errno(errno), "no socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if ((size_t)len >= sizeof(addr.sun_path))
		r = why_set(why, -E_INVAL, "%s is too long a path", dir);
	else if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		*out = fd;
	else if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
		r = why_set(why, -E_NOTFOUND,
		            "no server runs on %s: start it, or name its data directory with "
		            "--data",
		            dir);
	else if (errno == EAGAIN)
		r = silent(why);
	else
		r = why_set(why, error_from_errno(errno),
		            "cannot reach the server through %s: %s: run this as root or as the "
		            "server's user",
		            addr.sun_path, strerror(errno));
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
