/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A report's file: it is whole, or it is not there. It is written beside its
 * place under another name and moved there once it is done. What is no regular
 * file (a pipe, /dev/stdout) is written as it is.
 */
#ifndef REPORT_OUTPUT_H
#define REPORT_OUTPUT_H

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

struct output {
	FILE *f;
	char path[PATH_MAX];
	char part[PATH_MAX]; /* "" where it is written as it is */
};

/* Proves that a file can be written there, and removes the one of a run before, which must not be
 * taken for this one's. 0 or -E_IO: why says what is in the way. */
int output_prove(const char *path, struct why *why);

/* Begins to write it, to o->f. 0 or -E_IO; output_end() is due in the first case only. */
int output_begin(struct output *o, const char *path, struct why *why);

/* Ends it. It comes to its place only if it is whole: nothing failed in the caller's eyes (good),
 * nor on the disk. 0 or -E_IO. */
int output_end(struct output *o, bool good, struct why *why);

#endif
