/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A bounded byte buffer. It never grows past its capacity: a write without room fails and leaves it
 * unchanged.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

/* Over memory that the caller owns. */
struct buf {
	uint8_t *data;
	size_t len; /* bytes in use */
	size_t cap; /* capacity in bytes */
};

/* Borrows mem for the life of b. */
void buf_init(struct buf *b, void *mem, size_t cap);

/* Bytes that still fit. */
size_t buf_room(const struct buf *b);

/* 0 or -E_ROOM. */
int buf_add(struct buf *b, const void *bytes, size_t len);

/* 0 or -E_ROOM. NUL-terminates the text behind len if there is room. */
__attribute__((format(printf, 2, 3))) int buf_printf(struct buf *b, const char *fmt, ...);

#endif
