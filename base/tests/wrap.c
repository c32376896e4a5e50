/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Counted memory.
 */
#include "base/tests/wrap.h"

#include <malloc.h>
#include <stdint.h>
#include <string.h>

void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);

static size_t bytes, countdown;
static bool failed;

void wrap_fail(size_t n)
{
	countdown = n;
	failed = false;
}

bool wrap_failed(void)
{
	return failed;
}

size_t wrap_bytes(void)
{
	return bytes;
}

static bool fails(void)
{
	if (!countdown || --countdown)
		return false;
	failed = true;
	return true;
}

static void *count(void *p)
{
	if (p)
		bytes += malloc_usable_size(p);
	return p;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : count(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	size_t before = p ? malloc_usable_size(p) : 0;
	void *q;

	if (fails())
		return NULL;
	q = __real_realloc(p, size);
	if (q)
		bytes -= before;
	return count(q);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return size && n > SIZE_MAX / size ? NULL : __wrap_realloc(p, n * size);
}

char *__wrap_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = __wrap_malloc(len + 1);

	if (copy) {
		memcpy(copy, s, len);
		copy[len] = 0;
	}
	return copy;
}

char *__wrap_strdup(const char *s)
{
	return __wrap_strndup(s, strlen(s));
}

void __wrap_free(void *p)
{
	if (p)
		bytes -= malloc_usable_size(p);
	__real_free(p);
}
