/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The lock is fcntl's, which names its holder and ends with him. The text:
 *
 *   reload 3 ok
 *   changed user_quota
 *   .
 */
#include "daemon/process/lockfile.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lockfile {
	int fd;
};

static void path_of(const char *dir, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/turnpike.lock", dir);
}

int lockfile_take(const char *dir, struct lockfile **out, pid_t *other, struct why *why)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct lockfile_report none = {.serial = 0, .ok = true};
	struct lockfile *l = calloc(1, sizeof(*l));
	char path[PATH_MAX];
	int r;

	if (!l)
		return why_set(why, -E_NOMEM, "out of memory");
	path_of(dir, path);
	l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->fd < 0) {
		r = why_set(why, error_from_errno(errno),
		            "cannot make %s: %s: let this user write to the data directory", path,
		            strerror(errno));
		free(l);
		return r;
	}
	if (fcntl(l->fd, F_SETLK, &lock)) {
		if (fcntl(l->fd, F_GETLK, &lock) || lock.l_type == F_UNLCK)
			lock.l_pid = 0;
		*other = lock.l_pid;
		lockfile_free(l);
		return why_set(why, -E_EXISTS, "%s is locked by process %d", path, (int)*other);
	}
	lockfile_put_report(l, &none);
	*out = l;
	return 0;
}

void lockfile_put_report(struct lockfile *l, const struct lockfile_report *report)
{
	char text[LOCKFILE_TEXT_MAX + 64];
	int len;

	if (!l)
		return;
	len = snprintf(text, sizeof(text), "reload %lu %s\n%s.\n", report->serial,
	               report->ok ? "ok" : "refused", report->text);
	/* A reader in between finds the end of the new text, or none. */
	if (ftruncate(l->fd, 0) || pwrite(l->fd, text, (size_t)len, 0) != len)
		log_warn(NULL, "lock-file", LOG_STR("error", strerror(errno)));
}

void lockfile_free(struct lockfile *l)
{
	if (!l)
		return;
	close(l->fd);
	free(l);
}

int lockfile_find(const char *dir, pid_t *pid, struct why *why)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_MAX];
	int fd, r = 0;

	path_of(dir, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno != ENOENT)
		return why_set(why, error_from_errno(errno),
		               "cannot read %s: %s: run this as root or as the server's user", path,
		               strerror(errno));
	if (fd < 0 || fcntl(fd, F_GETLK, &lock) || lock.l_type == F_UNLCK)
		r = why_set(
		    why, -E_NOTFOUND,
		    "no server runs on %s: start it, or name its data directory with --data", dir);
	else if (lock.l_pid <= 0)
		r = why_set(why, -E_NOTFOUND,
		            "the server on %s runs in another container: run this inside of it "
		            "(docker exec NAME turnpike reload)",
		            dir);
	else
		*pid = lock.l_pid;
	if (fd >= 0)
		close(fd);
	return r;
}

int lockfile_get_report(const char *dir, struct lockfile_report *out)
{
	char path[PATH_MAX], text[LOCKFILE_TEXT_MAX + 64], word[16];
	unsigned long serial;
	size_t len;
	FILE *file;
	int at = 0, fd;

	path_of(dir, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	file = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!file) {
		at = error_from_errno(errno);
		if (fd >= 0)
			close(fd);
		return at;
	}
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = 0;
	if (sscanf(text, "reload %lu %15s%n", &serial, word, &at) != 2 || text[at] != '\n' ||
	    len < (size_t)at + 3 || strcmp(text + len - 3, "\n.\n") != 0)
		return -E_PARSE;
	text[len - 2] = 0;
	out->serial = serial;
	out->ok = !strcmp(word, "ok");
	snprintf(out->text, sizeof(out->text), "%s", text + at + 1);
	return 0;
}
