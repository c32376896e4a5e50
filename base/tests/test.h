/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What every cmocka program includes, in the order that cmocka wants.
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

#endif
