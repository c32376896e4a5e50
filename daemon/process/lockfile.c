/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The lock is fcntl's, which names its holder and ends with it.
 */
#include "daemon/process/lockfile.h"

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
	*out = l;
	return 0;
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
		            "(docker exec NAME turnpike ...)",
		            dir);
	else
		*pid = lock.l_pid;
	if (fd >= 0)
		close(fd);
	return r;
}
