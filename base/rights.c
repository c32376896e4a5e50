/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The rights of a root command: the effective user and group. The real user stays root, so that the
 * owner of those rights can neither trace nor signal the program.
 */
#include "base/rights.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Finds the first owner other than root of a part of the path, from the top. */
static bool find_other(const char *path, struct stat *st)
{
	char head[PATH_MAX];

	for (size_t i = 1; path[i - 1] && i < sizeof(head); i++) {
		if (path[i] && path[i] != '/')
			continue;
		memcpy(head, path, i);
		head[i] = 0;
		if (!lstat(head, st) && st->st_uid)
			return true;
	}
	return false;
}

static bool find_owner(const char *dir, struct stat *st)
{
	char real[PATH_MAX], here[PATH_MAX];

	if (!stat(dir, st) && st->st_uid)
		return true;
	if (*dir != '/' && getcwd(here, sizeof(here)) && find_other(here, st))
		return true;
	return find_other(dir, st) || (realpath(dir, real) && find_other(real, st));
}

int rights_become_owner(const char *dir, struct why *why)
{
	struct stat st;

	if (geteuid() || !find_owner(dir, &st))
		return 0;
	/* The root of a user namespace may be forbidden to give up its groups; there they give none
	 * of root's rights. */
	if ((setgroups(0, NULL) && errno != EPERM) || setegid(st.st_gid) || seteuid(st.st_uid)) {
		if (errno ==
		    EINVAL) /* a user outside of this namespace: our root has no rights over them */
			return 0;
		return why_set(why, -E_DENIED,
		               "%s belongs to uid %u, and this root cannot become that user (%s): "
		               "run this as that user",
		               dir, (unsigned)st.st_uid, strerror(errno));
	}
	return 0;
}

struct rights rights_raise(void)
{
	struct rights before = {.uid = geteuid(), .gid = getegid()};

	if (before.uid != getuid() && (seteuid(getuid()) || setegid(getgid())))
		abort(); /* they were given up for a while, not for good */
	return before;
}

void rights_lower(struct rights to)
{
	if (to.uid != geteuid() && (setegid(to.gid) || seteuid(to.uid)))
		abort(); /* never go on with more than was meant */
}
