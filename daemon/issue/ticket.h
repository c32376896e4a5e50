/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tickets: JSON Web Tokens (RFC 7519), signed (RFC 7515), that prove a signaling user's name. They
 * are made here, or by an operator's own program that has a key in common with us. docs/tickets.md
 * lists the claims.
 */
#ifndef DAEMON_TICKET_H
#define DAEMON_TICKET_H

#include "daemon/conf/conf.h"
#include "signal/hub.h"
#include "store/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

#define TICKET_MAX_LEN  4096                /* bytes */
#define TICKET_LEEWAY_S 60                  /* for nbf: the issuer's clock and ours differ */
#define TICKET_ACCOUNT  "turnpike-account:" /* begins the sub of an account's ticket */

#define TICKET_MAY_ALL (HUB_MAY_CALL | HUB_MAY_CHAT | HUB_MAY_LIST | HUB_MAY_OPEN)

struct store;
struct wall;
struct tickets;

/* Borrows all three; wall may be NULL; store, the calling thread's, too: without it, no account's
 * ticket is good. It has no key yet. NULL when out of memory. */
struct tickets *tickets_new(const struct conf *conf, const struct wall *wall, struct store *store);
void tickets_free(struct tickets *t); /* NULL is legal */

/* Takes the live keys of the snapshot (NULL: none) and of the option ticket_key; nothing is
 * borrowed. On an error the earlier ones stay. A key that cannot be read is left out, and logged.
 * -E_NOMEM. */
int tickets_set_keys(struct tickets *t, const struct store_snapshot *snap, struct why *why);

/* hub_ops.identify, with a struct tickets as ctx. 0; -E_STALE: it has expired; -E_DENIED. *why then
 * says the reason (a constant), as much of it as a stranger may know. */
int ticket_identify(void *ctx, const char *text, struct hub_identity *out, const char **why);

/* Whether somebody may stay whom a ticket of that key and sub has signed in. False when the key was
 * retired at once or has left the configuration, or the account was deleted. */
bool ticket_stands(const struct tickets *t, const struct store_snapshot *snap, int64_t key,
                   const char *sub);

/* What is asked for. */
struct ticket_ask {
	const char *name; /* 1 to HUB_NAME_MAX bytes */
	const char *sub;  /* NULL: the name */
	const char *room; /* NULL: any */
	unsigned may;     /* 0: all */
	int64_t ttl_s;    /* 0: ticket_ttl */
	/* An account's own ends with the account or its password; its sub is TICKET_ACCOUNT and the
	 * account's name. */
	bool is_account;
	int64_t
	    password_at_s; /* of the password that was found right; another one now: -E_DENIED */
};

struct ticket_made {
	char text[TICKET_MAX_LEN + 1];
	int64_t expires_at_s, ttl_s;
};

/* "call,chat" to bits. -E_INVAL. */
int ticket_may_parse(const char *text, unsigned *may, struct why *why);
#define TICKET_MAY_STRLEN 24
const char *ticket_may_text(unsigned may, char buf[TICKET_MAY_STRLEN]); /* and back */

/* Signs with the newest key that can. -E_INVAL: a member of ask is not allowed; -E_NOTFOUND: there
 * is no such key; -E_NOMEM. */
int ticket_make(const struct tickets *t, const struct ticket_ask *ask, struct ticket_made *out,
                struct why *why);

#endif
