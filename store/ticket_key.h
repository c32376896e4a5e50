/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keys that sign and verify tickets (JSON Web Tokens that prove a signaling user's name). Several
 * are live at once, so that one can replace another. The store keeps a key as the text of a JWK
 * (RFC 7517) and does not look into it: daemon/conf/ticket_key.h reads and writes that.
 */
#ifndef STORE_TICKET_KEY_H
#define STORE_TICKET_KEY_H

#include "store/store.h"

#define STORE_TICKET_KEYS_MAX 8   /* live at a time: a ticket without kid is tried with each */
#define STORE_KID_MAX         128 /* bytes */
#define STORE_ALG_MAX         8
#define STORE_JWK_MAX         2048

struct store_ticket_key {
	int64_t id, created_at_s;
	int64_t retired_at_s; /* 0 = live; a future time = live until then */
	bool live;
	bool signs; /* false: its private half is elsewhere */
	const char *kid, *alg;
};

/* Adds a key: its kid, alg, signs and the JWK. id may be NULL. -E_EXISTS: a key here has or had
 * that kid. -E_LIMIT past STORE_TICKET_KEYS_MAX. -E_INVAL for a kid that is not allowed. */
int store_ticket_key_add(struct store *s, const struct store_ticket_key *key, const char *jwk,
                         int64_t *id, struct why *why);

/* The key dies in after_s seconds (0: now, and its JWK is wiped). A later call moves the end, as
 * long as it has not come. -E_NOTFOUND, also for a dead key. -E_INVAL for a negative time. */
int store_ticket_key_retire(struct store *s, int64_t id, int64_t after_s, struct why *why);

/* As store_user_list(), oldest first. Never shows a JWK. */
int store_ticket_key_list(struct store *s,
                          int (*each)(void *ctx, const struct store_ticket_key *key), void *ctx,
                          struct why *why);

/* *ever is true when a key was ever added here, even if it is retired since. */
int store_ticket_key_ever_made(struct store *s, bool *ever, struct why *why);

#endif
