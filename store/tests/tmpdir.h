/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A test's own directory, removed with all that is in it, and files there.
 */
#ifndef STORE_TESTS_TMPDIR_H
#define STORE_TESTS_TMPDIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static inline int tmpdir_remove_one(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* path is of at least 64 bytes. */
static inline void tmpdir_make(char *path)
{
	snprintf(path, 64, "/tmp/turnpike-test-XXXXXX");
	if (!mkdtemp(path))
		abort();
}

static inline void tmpdir_remove(const char *path)
{
	nftw(path, tmpdir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file of this text, mode 0600. */
static inline void tmpdir_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f) || chmod(path, 0600))
		abort();
}

#endif
