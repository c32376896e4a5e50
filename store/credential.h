/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Time-limited TURN credentials: username "expiry:name", password base64(HMAC-SHA1(secret,
 * username)) (draft-uberti-behave-turn-rest-00, section 2.2), compatible with coturn's
 * use-auth-secret.
 */
#ifndef STORE_CREDENTIAL_H
#define STORE_CREDENTIAL_H

#include <stddef.h>
#include <stdint.h>

#define CREDENTIAL_NAME_MAX 255      /* bytes of the name after the colon */
#define CREDENTIAL_GUEST    "guest-" /* the prefix of names made up for callers without one */

struct credential {
	char username[CREDENTIAL_NAME_MAX + 24]; /* "1795326215:alice" */
	char password[32];                       /* 28 characters of base64 */
	int64_t expires_at_s;                    /* Unix time */
};

/* secret: any bytes. name may be empty: then the username is the bare expiry. 0, or -E_INVAL for a
 * name that is too long. */
int credential_make(const void *secret, size_t secret_len, const char *name, int64_t expires_at_s,
                    struct credential *out);

/* The password of a time-limited username (of len bytes, any bytes). */
void credential_password(const void *secret, size_t secret_len, const char *username, size_t len,
                         char out[32]);

/* Reads the expiry from "expiry:name" or "expiry": a plain decimal, without sign, blanks or leading
 * zeros. 0 is an expiry that has always been past. 0, or -E_PARSE for a name of another form: that
 * can only be a static user's, because name_check() forbids this form for them. *name points into
 * username (maybe at its end). */
int credential_parse(const char *username, size_t len, int64_t *expires_at_s, const char **name);

#endif
