/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Issuing relay credentials to callers of the web side.
 */
#include "daemon/grant.h"

#include "base/env_libevent.h"
#include "base/error.h"
#include "daemon/endpoint.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ANONYMOUS_BYTES 6

/* A key opens always, a wrong one never. Without one: a caller on this machine that is neither a
 * proxy's client nor a page from elsewhere. */
bool grant_is_trusted(const struct grant *g, const struct web_caller *caller)
{
	struct store_snapshot_token token;

	if (caller->key)
		return store_snapshot_token(g->users, caller->key, strlen(caller->key), time(NULL),
		                            &token);
	return addr_is_loopback(&caller->peer) && !caller->forwarded && !caller->foreign_origin;
}

static bool may_have(const struct grant *g, const struct web_caller *caller)
{
	if (caller->key)
		return grant_is_trusted(g, caller);
	switch (g->conf->guests) {
	case GUESTS_YES:
	case GUESTS_PUBLIC:
		return !caller->foreign_origin;
	case GUESTS_LOCAL:
		return grant_is_trusted(g, caller);
	case GUESTS_NO:
		break;
	}
	return false;
}

int grant_for_caller(void *ctx, const struct web_caller *caller, const char *name, int64_t ttl_s,
                     const char *host, struct ice_grant *out)
{
	const struct grant *g = ctx;
	const struct conf *conf = g->conf;
	struct ice_endpoint ep[ENDPOINT_MAX];
	char anonymous[2 * ANONYMOUS_BYTES + 1];
	const char *secret;
	size_t len, n;
	int r;

	if (!may_have(g, caller))
		return -E_DENIED;
	if (!store_snapshot_secret_n(g->users))
		return -E_NOTFOUND; /* all retired: nothing that we issued would be accepted */
	if (ttl_s < 0)
		return -E_INVAL;
	if (!ttl_s)
		ttl_s = conf->credential_ttl;
	if (ttl_s > conf->max_credential_ttl)
		ttl_s = conf->max_credential_ttl;
	if (!*name) { /* a quota of its own for each */
		uint8_t id[ANONYMOUS_BYTES];

		env_libevent_random(id, sizeof(id));
		for (size_t i = 0; i < sizeof(id); i++)
			snprintf(anonymous + 2 * i, 3, "%02x", id[i]);
		name = anonymous;
	}
	memset(out, 0, sizeof(*out));
	out->ttl_s = ttl_s;
	secret = store_snapshot_secret(g->users, 0, &len);
	r = credential_make(secret, len, name, time(NULL) + ttl_s, &out->credential);
	if (r)
		return r;
	n = endpoints(conf, ep);
	return ice_grant_add_uris(out, *conf->public_host ? conf->public_host : host, ep, n);
}
