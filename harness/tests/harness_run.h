/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For tests: running the built harness and reading what it said.
 */
#ifndef HARNESS_TESTS_HARNESS_RUN_H
#define HARNESS_TESTS_HARNESS_RUN_H

#include "harness/tests/processes.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct harness_run {
	pid_t pid;
	int out_fd;
	char tmp[64]; /* its TMPDIR: must be empty afterwards */
	char said[8192];
};

/* Starts `turnpike-harness ARGS...` (NULL-terminated; without the program). 0 or -1. */
int harness_start(struct harness_run *h, const char *const args[]);

/* Waits for its end and reads its output (standard output and error). The wait status, or -1 when
 * it did not end in time: it is killed then. */
int harness_end(struct harness_run *h, int64_t limit_ms);

/* Removes the TMPDIR; -1 if anything was left in it. */
int harness_clear(struct harness_run *h);

#endif
