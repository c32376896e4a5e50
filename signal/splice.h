/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Changes single members of a JSON object in its text, so that the rest of a routed message stays
 * byte for byte as its sender wrote it.
 */
#ifndef SIGNAL_SPLICE_H
#define SIGNAL_SPLICE_H

#include <stddef.h>

/* 0, or -E_LIMIT when arrays and objects nest deeper than max_depth. Reads only brackets outside of
 * strings: the parser decides whether the text is JSON at all. */
int splice_check_depth(const char *text, size_t len, unsigned max_depth);

/* Sets member key of the object in text to value, which is JSON text: in place, or as a new last
 * member. text must be a valid object without duplicate keys; key is plain ASCII. Returns a new
 * NUL-terminated text (free() it) and its length, or NULL when out of memory. */
char *splice_set(const char *text, size_t len, const char *key, const char *value, size_t *out_len);

/* Removes HTML tags ("hi <b>x</b>" becomes "hi x") and splits what could still open one ("a<b"
 * becomes "a< b"). Returns a new string (free() it), or NULL when out of memory. */
char *splice_strip_tags(const char *text);

#endif
