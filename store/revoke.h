/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Revocations: what was issued and must open nothing any more. A running
 * server closes the allocations within a second.
 *
 * A time-limited username says when it expires, not when it was issued. So a
 * user's revocation refuses all of "expiry:name" up to a horizon, by which
 * whatever was issued before has expired; what is issued here afterwards is
 * noted as an exception (store_reissue()). Issuers elsewhere who share a
 * secret cannot do that: theirs work again past the horizon, or once the
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
	int64_t until_s; /* all that it refuses has expired by then */
};

/* One time-limited credential, by its exact username ("expiry:name" or "expiry"). 0 also when it
 * was revoked before. -E_INVAL for a name of another form, -E_STALE when it has expired. */
int store_revoke_credential(struct store *s, const char *username, struct why *why);

/* Everything of a user that was issued before now: time-limited credentials, whoever made them,
 * that expire within horizon_s (the longest validity given out); static users of that name, in
 * all realms, are disabled (*disabled, which may be NULL, says how many: store_user_enable() or a
 * new password by del and add lets them in again). -E_INVAL. */
int store_revoke_user(struct store *s, const char *name, int64_t horizon_s, unsigned *disabled,
                      struct why *why);

/* Undoes either; static users stay disabled. -E_NOTFOUND. */
int store_unrevoke_credential(struct store *s, const char *username, struct why *why);
int store_unrevoke_user(struct store *s, const char *name, struct why *why);

/* A credential that is being issued to a user who was revoked before: it is to open. No audit. */
int store_reissue(struct store *s, const char *username, struct why *why);

/* As store_user_list(): users first, by name; only what is still of use. */
int store_revocation_list(struct store *s, int (*each)(void *ctx, const struct store_revocation *r),
                          void *ctx, struct why *why);

/* Forgets what has outlived its use. */
int store_revocations_prune(struct store *s, struct why *why);

#endif
