/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Decides which callers get a relay credential, and fills it.
 */
#ifndef DAEMON_GRANT_H
#define DAEMON_GRANT_H

#include "daemon/conf/conf.h"
#include "daemon/issue/guest_link.h"
#include "daemon/issue/ice.h"
#include "daemon/issue/ticket.h"
#include "signal/caller.h"
#include "store/snapshot.h"
#include "store/store.h"

struct books;
struct issue_rate;
struct wall;

struct grant {
	const struct conf *conf;
	struct store_snapshot *users; /* borrowed; the owner swaps it for a newer one */
	struct books *books;          /* borrowed; may be NULL: records the use of tokens */
	struct issue_rate *rate;      /* borrowed; may be NULL: no limits */
	struct guest_links *links;    /* borrowed */
	struct refusals *refusals;    /* borrowed; may be NULL: wrong tokens leave no line */
	/* Records a credential for a user whose others were revoked (store_reissue()), and tells
	 * the workers. 0 or the store's codes. */
	int (*reissue)(void *ctx, const char *username);
	void *reissue_ctx;
	/* The lock for a credential of a signaling connection (relay_lock). 0 or -E_NOMEM. NULL: it
	 * gets one that has no peers. */
	int (*lock)(void *ctx, uint64_t member_id, uint64_t *lock);
	void *lock_ctx;
	const struct wall *wall;                   /* borrowed; may be NULL */
	uint64_t issued, denied, limited, revoked; /* since the start */
};

/* True when the caller has proven that it is on this machine: its browser has used a link. */
bool grant_is_local(const struct grant *g, const struct caller *caller);

/* 0 when the caller may see the operator's data: it has a token for them (STORE_SCOPE_...), or none
 * and is local. -E_DENIED (401); -E_SCOPE (403): a token for another scope. */
int grant_trust(const struct grant *g, const struct caller *caller, unsigned scope);

/* The actor that the caller's token names, for the audit. -E_DENIED without a valid one, -E_SCOPE
 * with one for another scope. */
int grant_actor(const struct grant *g, const struct caller *caller, unsigned scope,
                char actor[STORE_ACTOR_MAX]);

/* web_ops.grant, with a struct grant as ctx. */
int grant_for_caller(void *ctx, const struct caller *caller, const char *name, int64_t ttl_s,
                     struct ice_grant *out);

/* Makes a ticket for a caller whose API token has the scope ticket. -E_DENIED, -E_SCOPE, -E_LIMIT
 * (*retry_after_s says when), and the codes of ticket_make(). */
int grant_ticket(struct grant *g, const struct tickets *t, const struct caller *caller,
                 const struct ticket_ask *ask, struct ticket_made *out, unsigned *retry_after_s,
                 struct why *why);

/* web_ops.enter. */
int grant_enter(struct grant *g, const char *token, char secret[CALLER_GUEST_STRLEN]);

/* A new link's token. -E_DENIED: guests = no. */
int grant_make_link(struct grant *g, char token[GUEST_LINK_STRLEN], struct why *why);

/* web_ops.owns, by public_host. */
bool grant_owns(const struct grant *g, const char *host);

/* web_ops.cors, by cors_origin. */
enum caller_cors grant_cors(const struct grant *g, const char *origin);

#endif
