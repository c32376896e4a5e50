/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Changes single members of a scanned message in its text, so that the rest of what is passed on
 * stays byte for byte as its sender wrote it.
 */
#ifndef SIGNAL_EDIT_H
#define SIGNAL_EDIT_H

#include "signal/scan.h"

/* A change of one member: to a value, which is JSON text, or (NULL) it is taken out. */
struct edit {
	unsigned name; /* which of s->names */
	const char *json;
	size_t json_len;
};

/* Bytes that edit_write() may write, with NUL. */
size_t edit_max(const struct scan *s, const struct edit *edit, unsigned n);

/* Writes the message, which must be an object, with its members changed: each in its place, or as a
 * new last member in the order of edit. One edit a name. Everything else is byte for byte as it
 * was, except for blanks behind the closing brace: that is the last byte. Adds NUL and returns the
 * length. */
size_t edit_write(const struct scan *s, const struct edit *edit, unsigned n, char *out);

#endif
