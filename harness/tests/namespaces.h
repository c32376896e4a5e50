/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For tests that need namespaces, on machines that give none.
 */
#ifndef HARNESS_TESTS_NAMESPACES_H
#define HARNESS_TESTS_NAMESPACES_H

#include <stdbool.h>

/* 0 where containers can be made. Else says why, and returns the exit status for the test: 77
 * (skipped), or 1 in CI (CI=true), where nothing may be missing. */
int namespaces_missing(void);

/* True, and said aloud, when this why is about a machine whose /dev/net/tun the user may not open.
 * Never in CI. */
bool tun_missing(const char *why);

#endif
