/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bounded byte buffers.
 */
#include "base/buf.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, void *mem, size_t cap)
{
	b->data = mem;
	b->len = 0;
	b->cap = cap;
}

size_t buf_room(const struct buf *b)
{
	return b->cap - b->len;
}

int buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (len > buf_room(b))
		return -E_ROOM;
	memcpy(b->data + b->len, bytes, len);
	b->len += len;
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf((char *)b->data + b->len, buf_room(b), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= buf_room(b)) {
		if (buf_room(b))
			b->data[b->len] = 0;
		return -E_ROOM;
	}
	b->len += (size_t)n;
	return 0;
}
