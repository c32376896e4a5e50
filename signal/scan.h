/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One pass over the text of a client's message (RFC 8259), in place of a tree: is it JSON, and
 * where are the few members that the server reads? The rest stays bytes.
 *
 * It judges as jansson does with JSON_REJECT_DUPLICATES, but for these: a number may overflow, and
 * an object inside of the message may have two members of one name; it refuses more than
 * SCAN_MEMBERS_MAX members in the message itself, nesting beyond a limit, and a NUL behind a number
 * or a word (which jansson 2.14 overlooks).
 */
#ifndef SIGNAL_SCAN_H
#define SIGNAL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_NAMES_MAX   16  /* members that a caller may ask for */
#define SCAN_MEMBERS_MAX 128 /* members that a message may have */

enum scan_kind {
	SCAN_ABSENT,
	SCAN_NULL,
	SCAN_STRING,
	SCAN_NUMBER,
	SCAN_OTHER, /* true, false, array, object */
};

struct scan_value {
	enum scan_kind kind;
	bool escaped;    /* a string with escapes in it */
	size_t key;      /* where its key begins, in bytes from the start of the text */
	size_t from, to; /* the value, with the quotes of a string; to is behind it */
};

struct scan {
	const char *text; /* borrowed, as long as this is used */
	size_t len;
	const char *const *names;
	unsigned name_n;
	bool is_object;                          /* else an array: then nothing below is set */
	size_t close;                            /* where its closing brace is */
	unsigned member_n;                       /* all of its members */
	struct scan_value value[SCAN_NAMES_MAX]; /* of each name */
};

/* Scans text for the members called names (name_n of them, plain ASCII, borrowed like text). A key
 * may be written with escapes ("n\u0061me").
 * 0; -E_PARSE when it is neither a JSON object nor an array, or not UTF-8, or has U+0000 in a
 * string; -E_EXISTS when it has two members of one name; -E_LIMIT when arrays and objects nest
 * deeper than max_depth (1: only the message itself); -E_ROOM for more than SCAN_MEMBERS_MAX
 * members. On an error *fault is set to the place, in bytes, and *s must not be used. */
int scan_text(struct scan *s, const char *text, size_t len, unsigned max_depth,
              const char *const *names, unsigned name_n, size_t *fault);

/* Whether v is a string with that content (without backslashes). */
bool scan_is(const struct scan *s, const struct scan_value *v, const char *content);

/* Bytes of content that a string has at most. */
size_t scan_string_max(const struct scan_value *v);

/* Writes the content of a string and NUL: at most scan_string_max(v) + 1 bytes. Returns the length.
 * There is no NUL in it. */
size_t scan_string(const struct scan *s, const struct scan_value *v, char *out);

/* 0, or -E_INVAL when v is not a whole number (digits only), or does not fit. */
int scan_integer(const struct scan *s, const struct scan_value *v, int64_t *out);

#endif
