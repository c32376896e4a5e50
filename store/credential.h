/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Time-limited TURN credentials: username "expiry:name", password base64(HMAC-SHA1(secret,
 * username)) (draft-uberti-behave-turn-rest-00, section 2.2), compatible with coturn's
 * use-auth-secret.
 */
#ifndef STORE_CREDENTIAL_H
#define STORE_CREDENTIAL_H

#include "base/username.h"

#include <stddef.h>
#include <stdint.h>

#define CREDENTIAL_NAME_MAX 255      /* bytes of the name */
#define CREDENTIAL_GUEST    "guest-" /* the prefix of names made up for callers without one */

struct credential {
	char username[USERNAME_EXTRA + CREDENTIAL_NAME_MAX + 1]; /* "1795326215:alice" */
	char password[32];                                       /* 28 characters of base64 */
	int64_t expires_at_s;                                    /* Unix time */
};

/* secret: any bytes. name may be empty: then the username is the bare expiry. 0, or -E_INVAL for a
 * name that is too long, or that would be read as the mark of a lock. */
int credential_make(const void *secret, size_t secret_len, const char *name, int64_t expires_at_s,
                    struct credential *out);

/* The same for a credential that relays only towards the lock's peers (turn/lock.h), and may have
 * any name. */
int credential_make_locked(const void *secret, size_t secret_len, const char *name, uint64_t lock,
                           int64_t expires_at_s, struct credential *out);

/* The password of a time-limited username (of len bytes, any bytes). */
void credential_password(const void *secret, size_t secret_len, const char *username, size_t len,
                         char out[32]);

#endif
