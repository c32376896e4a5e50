/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Changes single members of a JSON object in its text, so that everything
 * else of a routed message stays byte for byte what its sender wrote.
 */
#ifndef SIGNAL_SPLICE_H
#define SIGNAL_SPLICE_H

#include <stddef.h>

/* 0, or -E_LIMIT when arrays and objects nest deeper than max_depth. Looks at brackets outside
 * of strings only: whether the text is JSON at all is for the parser. */
int splice_check_depth(const char *text, size_t len, unsigned max_depth);

/* Sets member key of the object in text to value, which is JSON text: in place, or as the last
 * member when there is none. text must be a valid object without duplicate keys; key is plain
 * ASCII. Returns a new NUL-terminated text (free() it) and its length, or NULL when out of
 * memory. */
char *splice_set(const char *text, size_t len, const char *key, const char *value, size_t *out_len);

/* Removes HTML tags ("hi <b>x</b>" becomes "hi x") and parts what could still open one
 * ("a<b" becomes "a< b"). Returns a new string (free() it), or NULL when out of memory. */
char *splice_strip_tags(const char *text);

#endif
