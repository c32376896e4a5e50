/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Writes a file beside the old one, then moves it (rename(2) is one step for every reader).
 */
#include "harness/report/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int io_error(struct why *why)
{
	return why_set(why, -E_IO, "%s", strerror(errno));
}

/* A file of its own, or none yet. /dev/stdout leads to one that belongs to others. */
static bool is_ours(const char *path)
{
	struct stat st;

	if (!strncmp(path, "/dev/", 5) || !strncmp(path, "/proc/", 6))
		return false;
	return stat(path, &st) != 0 || S_ISREG(st.st_mode);
}

int output_begin(struct output *o, const char *path, struct why *why)
{
	char real[PATH_MAX];
	int fd;

	*o = (struct output){.f = NULL};
	/* A link stays one. */
	snprintf(o->path, sizeof(o->path), "%s", realpath(path, real) ? real : path);
	if (!is_ours(path)) {
		o->f = fopen(path, "we");
		return o->f ? 0 : io_error(why);
	}
	if (snprintf(o->part, sizeof(o->part), "%s.part-%d", o->path, (int)getpid()) >=
	    (int)sizeof(o->part)) {
		errno = ENAMETOOLONG;
		return io_error(why);
	}
	fd = open(o->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0)
		return io_error(why);
	o->f = fdopen(fd, "w");
	if (o->f)
		return 0;
	io_error(why);
	close(fd);
	unlink(o->part);
	return -E_IO;
}

int output_end(struct output *o, bool good, struct why *why)
{
	int err = 0;

	if (fflush(o->f) != 0 || ferror(o->f))
		err = io_error(why);
	else if (!good)
		err = why_set(why, -E_IO, "it is incomplete");
	if (fclose(o->f) != 0 && err == 0)
		err = io_error(why);
	o->f = NULL;
	if (!o->part[0])
		return err;
	if (err == 0 && rename(o->part, o->path) != 0)
		err = io_error(why);
	if (err != 0)
		unlink(o->part);
	return err;
}

int output_prove(const char *path, struct why *why)
{
	struct output o;
	struct stat st;
	int err;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return io_error(why);
	}
	/* Opening a pipe would wait for its reader. */
	if (!is_ours(path))
		return access(path, W_OK) == 0 ? 0 : io_error(why);
	err = output_begin(&o, path, why);
	if (err != 0)
		return err;
	fclose(o.f);
	unlink(o.part);
	if (unlink(o.path) != 0 && errno != ENOENT)
		return io_error(why);
	return 0;
}
