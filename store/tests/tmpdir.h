/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A test's own directory, removed with all that is in it.
 */
#ifndef STORE_TESTS_TMPDIR_H
#define STORE_TESTS_TMPDIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

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

#endif
