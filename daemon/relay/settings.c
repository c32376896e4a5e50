/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From the options to what a worker is configured with.
 */
#include "daemon/relay/settings.h"

#include "daemon/conf/oauth_key.h"
#include "turn/peer_policy.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* The configuration has checked them. */
static void fill_oauth(struct settings *s, const struct conf *c)
{
	snprintf(s->oauth.oauth_server, sizeof(s->oauth.oauth_server), "%s", c->oauth_server);
	for (size_t i = 0; i < c->oauth_key.n && i < TURN_OAUTH_KEYS_MAX; i++) {
		struct turn_oauth_key *to = &s->oauth.key[i];
		struct oauth_key from;

		if (oauth_key_parse(c->oauth_key.v[i], &from, NULL))
			continue;
		memcpy(to->kid, from.kid, sizeof(to->kid));
		memcpy(to->key, from.key, sizeof(to->key));
		to->key_len = from.key_len;
		s->oauth.key_n++;
		OPENSSL_cleanse(&from, sizeof(from));
	}
}

static int copy_texts(struct settings *s, const struct conf *c)
{
	for (size_t i = 0; i < c->realm.n; i++) {
		s->realm[i] = strdup(c->realm.v[i]);
		if (!s->realm[i])
			return -E_NOMEM;
	}
	if (*c->alternate_domain && !(s->alternate_domain = strdup(c->alternate_domain)))
		return -E_NOMEM;
	return 0;
}

static void fill_turn(struct settings *s, const struct conf *c, const struct topology *topo,
                      const struct settings_base *base)
{
	struct turn_conf *out = &s->turn;

	out->realm_n = c->realm.n;
	for (size_t i = 0; i < c->realm.n; i++)
		out->realm[i] = s->realm[i];
	out->username_anonymity = c->username_anonymity;
	out->oauth = s->oauth.key_n ? &s->oauth : NULL;
	out->alternate_server_n = c->alternate_server.n;
	for (size_t i = 0; i < out->alternate_server_n; i++)
		out->alternate_server[i] = c->alternate_server.v[i];
	out->alternate_domain = s->alternate_domain;
	out->redirect = c->redirect;
	out->unauth_rate = (uint32_t)c->unauth_rate;
	out->binding_rate = (uint32_t)c->binding_rate;
	memcpy(out->relay, topo->relay, sizeof(out->relay));
	out->relay_n = topo->relay_n;
	out->policy = s->policy;
	out->quota = base->quota;
	out->default_lifetime_s = (uint32_t)c->default_lifetime;
	out->max_lifetime_s = (uint32_t)c->max_lifetime;
	out->nonce_lifetime_s = (uint32_t)c->nonce_lifetime;
	out->permissions_max = (uint32_t)c->permissions_max;
	out->channels_max = (uint32_t)c->channels_max;
	out->session_bandwidth = (uint64_t)c->session_bandwidth;
	out->user_bandwidth = (uint64_t)c->user_bandwidth;
	out->total_bandwidth = (uint64_t)c->total_bandwidth;
	out->peer_connections = (uint32_t)c->peer_connections;
	out->legacy_channels = c->legacy_channels;
	out->mobility = c->mobility;
	memcpy(out->ticket_key, base->ticket_key, sizeof(out->ticket_key));
	out->strict_expiry = c->strict_expiry;
}

int settings_new(const struct conf *conf, const struct topology *topo,
                 const struct settings_base *base, struct settings **out, struct why *why)
{
	struct settings *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return why_set(why, -E_NOMEM, "out of memory");
	atomic_init(&s->refs, 1);
	r = copy_texts(s, conf);
	if (r)
		why_set(why, r, "out of memory");
	else
		r = topology_policy(conf, topo, &s->policy, why);
	if (r) {
		settings_unref(s);
		return r;
	}
	s->gather_time_us = (unsigned)conf->gather_time;
	fill_oauth(s, conf);
	fill_turn(s, conf, topo, base);
	*out = s;
	return 0;
}

struct settings *settings_ref(struct settings *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void settings_unref(struct settings *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	OPENSSL_cleanse(&s->oauth, sizeof(s->oauth));
	peer_policy_free(s->policy);
	for (size_t i = 0; i < TURN_REALMS_MAX; i++)
		free(s->realm[i]);
	free(s->alternate_domain);
	free(s);
}
