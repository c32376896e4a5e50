/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Issuing relay credentials to callers of the web side.
 */
#include "daemon/issue/grant.h"

#include "base/clock.h"
#include "base/env_libevent.h"
#include "base/error.h"
#include "base/host.h"
#include "base/text.h"
#include "base/wall.h"
#include "daemon/issue/endpoint.h"
#include "daemon/issue/guest_link.h"
#include "daemon/issue/issue_rate.h"
#include "daemon/issue/refusals.h"
#include "daemon/records/books.h"
#include "store/name.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ANONYMOUS_BYTES 6
#define GUEST_STRLEN    32
#define TRIES_MAX       60

/* The caller's API token, if it has the scope. An admin token has every scope. 0, -E_DENIED: none,
 * or unknown; -E_SCOPE. */
static int get_token(const struct grant *g, const struct caller *caller, unsigned scope,
                     struct store_snapshot_token *token)
{
	if (!caller->api_token)
		return -E_DENIED;
	if (!store_snapshot_token(g->users, caller->api_token, strlen(caller->api_token),
	                          wall_now_s(g->wall), token)) {
		refusals_log(g->refusals, &caller->client, "api-token", "unknown", NULL, 0);
		return -E_DENIED;
	}
	if (!(token->scopes & (scope | STORE_SCOPE_ADMIN)))
		return -E_SCOPE;
	if (g->books)
		books_token_used(g->books, token->id);
	return 0;
}

/* The page that asks is ours, or one that the operator has named; or it is no page's request. */
static bool is_of_our_page(const struct caller *caller)
{
	return caller->page == CALLER_PAGE_NONE || caller->page == CALLER_PAGE_OWN ||
	       caller->page == CALLER_PAGE_NAMED;
}

/* A caller is local when it has proven it: its browser has used a link. A request's source, its
 * Host and missing headers prove nothing: any proxy may stand in between. */
bool grant_is_local(const struct grant *g, const struct caller *caller)
{
	return g->conf->guests != GUESTS_NO && is_of_our_page(caller) &&
	       guest_link_holds(g->links, clock_mono_ms() / 1000, caller->guest);
}

int grant_trust(const struct grant *g, const struct caller *caller, unsigned scope)
{
	struct store_snapshot_token token;

	if (caller->api_token)
		return get_token(g, caller, scope, &token);
	return grant_is_local(g, caller) ? 0 : -E_DENIED;
}

int grant_actor(const struct grant *g, const struct caller *caller, unsigned scope,
                char actor[STORE_ACTOR_MAX])
{
	struct store_snapshot_token token;
	int r = get_token(g, caller, scope, &token);

	if (r)
		return r;
	snprintf(actor, STORE_ACTOR_MAX, "token %lld %s", (long long)token.id, token.label);
	return 0;
}

/* A wrong key opens nothing, also where none is needed. 0, -E_DENIED, -E_SCOPE; *token_id 0: a
 * guest. */
static int may_have(const struct grant *g, const struct caller *caller, int64_t *token_id)
{
	struct store_snapshot_token token;
	bool may = false;
	int r;

	*token_id = 0;
	if (caller->api_token) {
		r = get_token(g, caller, STORE_SCOPE_ISSUE, &token);
		if (!r)
			*token_id = token.id;
		return r;
	}
	switch (g->conf->guests) {
	case GUESTS_PUBLIC:
		may = is_of_our_page(caller);
		break;
	case GUESTS_YES:
		/* A page's GET to its own host has no Origin: under a name made to lead here (DNS
		 * rebinding), a stranger's page could send the request for the user. */
		may = is_of_our_page(caller) &&
		      (caller->page != CALLER_PAGE_NONE || !caller->host_unknown);
		break;
	case GUESTS_LOCAL:
		may = grant_is_local(g, caller);
		break;
	case GUESTS_NO:
		break;
	}
	return may ? 0 : -E_DENIED;
}

/* An application that issues to others, with its API token, knows whom it lets in again. A revoked
 * user does not get around that by asking without one. */
static bool is_shut_out(const struct grant *g, const struct caller *caller, int64_t token_id,
                        const char *name)
{
	return (caller->own || !token_id) && store_snapshot_user_revoked(g->users, name);
}

/* Gives each caller without a name its own quota. */
static void make_name(char out[GUEST_STRLEN])
{
	uint8_t id[ANONYMOUS_BYTES];
	size_t at = (size_t)snprintf(out, GUEST_STRLEN, CREDENTIAL_GUEST);

	env_libevent_random(id, sizeof(id));
	text_hex(out + at, id, sizeof(id));
}

#define LOCK_WITHOUT_PEERS 0

/* An application that has an API token vouches for its users; everybody else's credentials could be
 * anybody's after a while, and are a way into the Internet. */
static int find_lock(struct grant *g, const struct caller *caller, int64_t token_id,
                     struct ice_grant *out)
{
	out->locked = g->conf->relay_lock == LOCK_CALL && (caller->member_id || !token_id);
	out->lock = LOCK_WITHOUT_PEERS;
	return out->locked && caller->member_id && g->lock
	           ? g->lock(g->lock_ctx, caller->member_id, &out->lock)
	           : 0;
}

/* Made with the newest secret. Never issues a revoked credential again: that would be one that
 * another caller got within the same second, and a different one will do. */
static int make_credential(struct grant *g, const char *name, struct ice_grant *out)
{
	struct credential *c = &out->credential;
	int64_t expires_at_s = wall_now_s(g->wall) + out->ttl_s;
	const char *secret;
	size_t len;
	int r;

	secret = store_snapshot_secret(g->users, 0, &len);
	for (int tries = 0;; tries++) {
		bool all = store_snapshot_user_revoked(g->users, name);

		r = out->locked ? credential_make_locked(secret, len, name, out->lock,
		                                         expires_at_s - tries, c)
		                : credential_make(secret, len, name, expires_at_s - tries, c);
		if (r || !store_snapshot_revoked(g->users, c->username, strlen(c->username)))
			return r;
		/* All of the user's credentials were revoked: this one is new, and the workers must
		 * know it. */
		if (all && !store_snapshot_credential_revoked(g->users, c->username))
			return g->reissue ? g->reissue(g->reissue_ctx, c->username)
			                  : -E_UNSUPPORTED;
		if (tries == TRIES_MAX)
			return -E_LIMIT;
	}
}

/* On this host is a browser that shows so: by our page that it got from "localhost", or by a link.
 * Any other request from here may be one that a proxy passes on, or a program's that asks for
 * others. */
static int find_host(const struct grant *g, const struct caller *caller, char host[ICE_HOST_STRLEN])
{
	const struct endpoint_for c = {
	    .asked = caller->host,
	    .here = addr_is_loopback(&caller->client) && !caller->forwarded &&
	            (caller->page == CALLER_PAGE_OWN || grant_is_local(g, caller)),
	    .forwarded = caller->forwarded};

	return endpoint_host(g->conf, &c, host);
}

int grant_for_caller(void *ctx, const struct caller *caller, const char *name, int64_t ttl_s,
                     struct ice_grant *out)
{
	struct grant *g = ctx;
	const struct conf *conf = g->conf;
	struct ice_endpoint ep[ENDPOINT_MAX];
	char guest[GUEST_STRLEN], public[ICE_HOST_STRLEN];
	unsigned wait_s = 0;
	int64_t token_id, asked_s = ttl_s;
	size_t n;
	int r;

	r = may_have(g, caller, &token_id);
	if (r) {
		g->denied++;
		return r;
	}
	if (!store_snapshot_secret_n(g->users))
		return -E_NOTFOUND; /* all retired: nothing that we issued would be accepted */
	if (ttl_s < 0 || shown_check(name, 0, CREDENTIAL_NAME_MAX, "", NULL))
		return -E_INVAL;
	if (is_shut_out(g, caller, token_id, name)) {
		g->denied++;
		return -E_REVOKED;
	}
	r = find_host(g, caller, public);
	if (r)
		return r;
	if (g->rate)
		wait_s = issue_rate_take(g->rate, token_id, &caller->client, clock_mono_ms());
	if (wait_s) {
		g->limited++;
		out->retry_after_s = wait_s;
		return -E_LIMIT;
	}
	if (!ttl_s)
		ttl_s = conf->credential_ttl;
	if (ttl_s > conf->max_credential_ttl)
		ttl_s = conf->max_credential_ttl;
	if (!*name) {
		make_name(guest);
		name = guest;
	}
	memset(out, 0, sizeof(*out));
	out->ttl_asked_s = asked_s;
	out->ttl_s = ttl_s;
	out->strict = conf->strict_expiry;
	r = find_lock(g, caller, token_id, out);
	if (!r)
		r = make_credential(g, name, out);
	if (r)
		return r;
	n = endpoints(conf, ep);
	r = ice_grant_add_uris(out, public, ep, n);
	g->issued += !r;
	return r;
}

int grant_ticket(struct grant *g, const struct tickets *t, const struct caller *caller,
                 const struct ticket_ask *ask, struct ticket_made *out, unsigned *retry_after_s,
                 struct why *why)
{
	struct store_snapshot_token token;
	int r = get_token(g, caller, STORE_SCOPE_TICKET, &token);

	*retry_after_s = 0;
	if (r) {
		g->denied++;
		return r;
	}
	if (g->rate)
		*retry_after_s =
		    issue_rate_take(g->rate, token.id, &caller->client, clock_mono_ms());
	if (*retry_after_s) {
		g->limited++;
		return -E_LIMIT;
	}
	return ticket_make(t, ask, out, why);
}

int grant_enter(struct grant *g, const char *token, char secret[CALLER_GUEST_STRLEN])
{
	return g->conf->guests == GUESTS_NO
	           ? -E_DENIED
	           : guest_link_use(g->links, clock_mono_ms() / 1000, token, secret);
}

int grant_make_link(struct grant *g, char token[GUEST_LINK_STRLEN], struct why *why)
{
	if (g->conf->guests == GUESTS_NO)
		return why_set(why, -E_DENIED,
		               "guests = no: a link would not let anybody in: set guests = local, "
		               "or make an API token with turnpike token add");
	guest_link_make(g->links, clock_mono_ms() / 1000, token);
	return 0;
}

bool grant_owns(const struct grant *g, const char *host)
{
	return *g->conf->public_host && host_equal(g->conf->public_host, host);
}

enum caller_cors grant_cors(const struct grant *g, const char *origin)
{
	const struct conf_texts *allowed = &g->conf->cors_origin;
	enum caller_cors cors = CALLER_CORS_NO;

	for (size_t i = 0; i < allowed->n; i++) {
		if (!strcmp(allowed->v[i], origin))
			return CALLER_CORS_NAMED;
		if (!strcmp(allowed->v[i], "*"))
			cors = CALLER_CORS_ANY;
	}
	return cors;
}
