/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The store's content at one instant, in memory: immutable, so that any thread may read it without
 * a lock. It contains no SQLite.
 */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_snapshot;

struct store_keys {
	uint8_t md5[16];      /* MD5(name:realm:password), for MESSAGE-INTEGRITY */
	uint8_t sha256[32];   /* SHA-256(name:realm:password), RFC 8489 section 18.5.1.2 */
	uint8_t userhash[32]; /* SHA-256(name:realm), RFC 8489 section 14.4 */
};

/* Reads everything consistently; the caller owns one reference. Codes as in store.h. */
int store_snapshot_load(struct store *s, struct store_snapshot **out, struct why *why);

/* Safe from every thread. The last unref wipes and frees; NULL is legal. */
struct store_snapshot *store_snapshot_ref(struct store_snapshot *snap);
void store_snapshot_unref(struct store_snapshot *snap);

/* The keys of a static user (name: any bytes), NULL if there is none or it is disabled. They live
 * as long as the snapshot. */
const struct store_keys *store_snapshot_user(const struct store_snapshot *snap, const char *realm,
                                             const void *name, size_t len);

/* The same by userhash (RFC 8489 section 14.4); *name and *len are then the user's name. */
const struct store_keys *store_snapshot_user_by_hash(const struct store_snapshot *snap,
                                                     const char *realm, const uint8_t hash[32],
                                                     const char **name, size_t *len);

/* True when a time-limited username ("expiry:name", any bytes) was revoked, by itself or with its
 * user. */
bool store_snapshot_revoked(const struct store_snapshot *snap, const char *username, size_t len);

/* True when it was revoked by itself. */
bool store_snapshot_credential_revoked(const struct store_snapshot *snap, const char *username);

/* Calls back for those revoked by themselves since an earlier snapshot. username is borrowed. */
void store_snapshot_newly_revoked(const struct store_snapshot *now,
                                  const struct store_snapshot *before,
                                  void (*each)(void *ctx, const char *username), void *ctx);

/* The time until which a user's credentials are refused, so that a new one needs store_reissue().
 * 0: they are not. */
int64_t store_snapshot_user_revoked(const struct store_snapshot *snap, const char *name);

/* Live secrets: index 0 issues, each one verifies. Newest first; retiring ones last. */
size_t store_snapshot_secret_n(const struct store_snapshot *snap);
const char *store_snapshot_secret(const struct store_snapshot *snap, size_t i, size_t *len);
int64_t store_snapshot_secret_id(const struct store_snapshot *snap, size_t i);

/* True when sessions on the secret of that number must end (store_secret_end()); and whether there
 * is such a secret that an earlier snapshot did not have. */
bool store_snapshot_secret_ended(const struct store_snapshot *snap, int64_t id);
bool store_snapshot_newly_ended(const struct store_snapshot *now,
                                const struct store_snapshot *before);

/* Live keys of tickets: newest first; retiring ones last. The texts live as long as the snapshot.
 */
struct store_snapshot_ticket_key {
	int64_t id;
	bool signs;
	const char *kid, *alg, *jwk;
};
size_t store_snapshot_ticket_key_n(const struct store_snapshot *snap);
void store_snapshot_ticket_key(const struct store_snapshot *snap, size_t i,
                               struct store_snapshot_ticket_key *out);

/* True when that key was retired at once: what it signed in ends, too. */
bool store_snapshot_ticket_key_dead(const struct store_snapshot *snap, int64_t id);

struct store_snapshot_token {
	int64_t id, expires_at_s;
	unsigned scopes;
	const char *label; /* lives as long as the snapshot */
};

/* True and its row for a valid token; false if it is unknown or expired. Takes constant time for a
 * given number of tokens. */
bool store_snapshot_token(const struct store_snapshot *snap, const char *token, size_t len,
                          int64_t now_s, struct store_snapshot_token *out);

size_t store_snapshot_user_n(const struct store_snapshot *snap);
size_t store_snapshot_token_n(const struct store_snapshot *snap);

#endif
