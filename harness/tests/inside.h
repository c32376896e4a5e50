/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What happens inside of a container, seen from a test: cmocka cannot assert across processes.
 * Include after cmocka.h.
 */
#ifndef HARNESS_TESTS_INSIDE_H
#define HARNESS_TESTS_INSIDE_H

#include "harness/lab/contain.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Zeroed memory for the inside's report: it and the test see the same. */
static inline void *inside_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

/* Runs fn in a container of its own; it has to end in time. Returns its wait status. */
static inline int inside_run(int (*fn)(void *arg), void *arg, int limit_ms)
{
	struct contain c;
	struct why why;
	int status = 0, err;

	if (contain_start(&c, fn, arg, &why) != 0)
		fail_msg("%s", why.text);
	err = contain_wait(&c, limit_ms, -1, &status);
	contain_kill(&c);
	assert_int_equal(err, 0);
	return status;
}

#endif
