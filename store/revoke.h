/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Revocations: credentials that were issued and are no longer valid. A running server closes their
 * allocations within a second.
 *
 * A time-limited username says when it expires, not when it was issued. So a user's revocation
 * refuses every "expiry:name" up to a horizon by which all credentials issued before have expired;
 * credentials issued here afterwards are recorded as exceptions (store_reissue()). Other issuers
 * that share a secret cannot do that: their credentials work again past the horizon, or once the
 * revocation is lifted.
 */
#ifndef STORE_REVOKE_H
#define STORE_REVOKE_H

#include "store/store.h"

enum store_revoked { STORE_REVOKED_CREDENTIAL, STORE_REVOKED_USER };

struct store_revocation {
	enum store_revoked what;
	const char *name; /* the username "expiry:name", or the user's name */
	int64_t revoked_at_s;
	int64_t until_s; /* everything that it refuses has expired by then */
};

/* Revokes one time-limited credential, by its exact username ("expiry:name" or "expiry"). 0 also
 * when it was already revoked. -E_INVAL for a name of another form, -E_STALE when it has expired.
 */
int store_revoke_credential(struct store *s, const char *username, struct why *why);

/* Revokes everything that a user was issued before now: all issuers' time-limited credentials that
 * expire within horizon_s (the longest validity given out). Disables static users of that name, in
 * all realms (*disabled, which may be NULL, is their number; store_user_enable(), or del and add
 * with a new password, lets them in again). -E_INVAL. */
int store_revoke_user(struct store *s, const char *name, int64_t horizon_s, unsigned *disabled,
                      struct why *why);

/* Lifts either one; static users stay disabled. -E_NOTFOUND. */
int store_unrevoke_credential(struct store *s, const char *username, struct why *why);
int store_unrevoke_user(struct store *s, const char *name, struct why *why);

/* Makes a credential valid that is being issued to a user who was revoked before. No audit row. */
int store_reissue(struct store *s, const char *username, struct why *why);

/* As store_user_list(): users first, by name; only revocations that still refuse something. */
int store_revocation_list(struct store *s, int (*each)(void *ctx, const struct store_revocation *r),
                          void *ctx, struct why *why);

/* Deletes revocations that refuse nothing any more. */
int store_revocations_prune(struct store *s, struct why *why);

#endif
