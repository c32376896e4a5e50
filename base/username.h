/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The form of a time-limited credential's username (draft-uberti-behave-turn-rest-00, section 2.2):
 * "EXPIRY:NAME" or "EXPIRY". A credential that is locked to its holder's calls says so between the
 * two: "EXPIRY:lock=0123456789abcdef:NAME". The password is a MAC of the whole username, so that
 * nobody can take the mark away.
 */
#ifndef BASE_USERNAME_H
#define BASE_USERNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USERNAME_EXPIRY_LEN 19 /* digits, at most */
#define USERNAME_MARK_LEN   22 /* "lock=", 16 hexadecimal digits in lower case, ":" */
#define USERNAME_EXTRA      (USERNAME_EXPIRY_LEN + 1 + USERNAME_MARK_LEN) /* before the name */

struct username {
	int64_t expires_at_s; /* Unix time; 0 is an expiry that has always been past */
	bool locked;
	uint64_t lock;
	const char *name; /* points into the username, maybe at its end */
	size_t name_len;
};

/* Reads any bytes, len of them. The expiry is a plain decimal, without sign, blanks or leading
 * zeros. 0, or -E_PARSE for a name of another form: that can only be a static user's, because
 * name_check() forbids this form for them. */
int username_parse(const char *text, size_t len, struct username *out);

/* Writes the mark, and NUL. */
void username_mark(char out[USERNAME_MARK_LEN + 1], uint64_t lock);

/* Whether a name begins as the mark does: as part of a username it would be read as one. */
bool username_is_marked(const char *name, size_t len);

#endif
