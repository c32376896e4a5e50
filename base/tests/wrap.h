/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory under the test's eyes: counts what the program under test holds and
 * fails an allocation of its choice. A test is made of it by turnpike_memory_test().
 */
#ifndef BASE_TESTS_WRAP_H
#define BASE_TESTS_WRAP_H

#include <stdbool.h>
#include <stddef.h>

/* The n-th allocation from now on fails, once; 0: none does. */
void wrap_fail(size_t n);

/* Did it come to that? */
bool wrap_failed(void);

/* Bytes held now. */
size_t wrap_bytes(void);

/* The counting functions, for libraries that take them. */
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void __wrap_free(void *p);

/* And those behind them, for what is to fail never. */
void *__real_malloc(size_t size);
void __real_free(void *p);

#endif
