/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What every cmocka program includes, in the order that cmocka wants; and how
 * a test waits for what another thread or process does.
 */
#ifndef BASE_TESTS_TEST_H
#define BASE_TESTS_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
/* clang-format on */
#include <time.h>

/* What comes at once comes much later where a sanitized build shares a machine with others. */
#define SOON_MS 15000

static inline int64_t test_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Fails the test unless the condition comes to hold. */
#define SOON(condition)                                                                            \
	do {                                                                                       \
		int64_t until_ = test_now_ms() + SOON_MS;                                          \
		while (!(condition)) {                                                             \
			if (test_now_ms() > until_)                                                \
				fail_msg("never: %s", #condition);                                 \
			nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);                  \
		}                                                                                  \
	} while (0)

#endif
