/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses find their places, at the start and whenever the host has changed.
 */
#include "daemon/listen/topology.h"

#include "base/log.h"
#include "turn/ports.h"

#include <stdlib.h>
#include <string.h>

struct placing {
	const struct conf *conf;
	struct topology *t;
	uint64_t now_ms;
	bool first;
	struct why *why;
};

/* ---- listeners ---- */

static int add_listener(struct topology *t, const struct addr *a, bool named)
{
	struct listen_addr *grown;

	for (size_t i = 0; i < t->udp_n; i++)
		if (addr_equal(&t->udp[i].addr, a)) {
			t->udp[i].named |= named;
			return 0;
		}
	grown = reallocarray(t->udp, t->udp_n + 1, sizeof(*grown));
	if (!grown)
		return -E_NOMEM;
	t->udp = grown;
	grown[t->udp_n++] = (struct listen_addr){
	    .addr = *a, .loopback = addr_is_loopback(a), .named = named, .presence = TURN_GONE};
	return 0;
}

/* A link-local address needs a scope that clients do not have. */
static bool covers(const struct addr *wildcard, const struct host_addr *h)
{
	return h->usable && addr_family(&h->addr) == addr_family(wildcard) &&
	       !addr_is_link_local(&h->addr);
}

static int add_listeners(struct placing *p)
{
	struct topology *t = p->t;
	int r = 0;

	for (size_t i = 0; !r && i < t->listen_n; i++) {
		const struct addr *l = &t->listen[i];

		if (!addr_is_any(l))
			r = add_listener(t, l, true);
		for (size_t k = 0; !r && addr_is_any(l) && k < t->host_n; k++) {
			struct addr a = t->host[k].addr;

			addr_put_port(&a, addr_port(l));
			if (covers(l, &t->host[k]))
				r = add_listener(t, &a, false);
		}
	}
	return r;
}

/* The next state of a thing whose address is here, or not. */
static enum turn_presence age(const struct placing *p, enum turn_presence was, uint64_t *lost_ms,
                              bool here)
{
	if (here)
		return TURN_HERE;
	if (was == TURN_HERE) {
		*lost_ms = p->now_ms;
		return TURN_AWAY;
	}
	return p->now_ms - *lost_ms >= TOPOLOGY_GRACE_MS ? TURN_GONE : was;
}

static void age_listeners(struct placing *p)
{
	struct topology *t = p->t;
	size_t n = 0;

	for (size_t i = 0; i < t->udp_n; i++) {
		struct listen_addr *l = &t->udp[i];

		enum turn_presence was = l->presence;

		l->presence = age(p, l->presence, &l->lost_ms, topology_has(t, &l->addr));
		if (l->presence != was && l->presence != TURN_HERE)
			log_info(NULL, l->presence == TURN_AWAY ? "address-away" : "address-gone",
			         LOG_ADDR("address", &l->addr));
		if (l->presence != TURN_GONE || l->named)
			t->udp[n++] = *l;
	}
	t->udp_n = n;
}

/* ---- relays ---- */

static bool is_alike(const struct addr *a, const struct addr *b)
{
	return addr_family(a) == addr_family(b) && addr_is_loopback(a) == addr_is_loopback(b);
}

/* Its old place, or that of a relay that has gone (takes over its pool of ports, now empty), or a
 * new one. TURN_RELAYS_MAX: none is left. */
static size_t place_for(const struct topology *t, const struct addr *local)
{
	for (size_t i = 0; i < t->relay_n; i++)
		if (addr_equal_ip(&t->relay[i].local, local))
			return i;
	for (size_t i = 0; i < t->relay_n; i++)
		if (t->relay[i].presence == TURN_GONE && !t->relay_note[i].wanted &&
		    is_alike(&t->relay[i].local, local))
			return i;
	return t->relay_n;
}

static int add_relay(struct placing *p, const struct addr *local, bool named)
{
	struct topology *t = p->t;
	size_t i = place_for(t, local);
	struct turn_relay *r = &t->relay[i];

	if (i == TURN_RELAYS_MAX) {
		if (p->first)
			log_warn(
			    NULL, "relay-address-ignored", LOG_ADDR("address", local),
			    LOG_STR("hint", "there are too many: choose some with relay_address"));
		return 0;
	}
	if (i == t->relay_n) {
		r->ports = turn_ports_new(p->conf->relay_ports.min, p->conf->relay_ports.max);
		if (!r->ports)
			return -E_NOMEM;
		t->relay_n++;
		r->presence = TURN_GONE;
	}
	r->local = *local;
	addr_put_port(&r->local, 0);
	r->external = topology_external(p->conf, local);
	t->relay_note[i].named |= named;
	t->relay_note[i].wanted = true;
	return 0;
}

static int add_relays(struct placing *p)
{
	const struct conf_addrs *named = &p->conf->relay_address;
	int r = 0;

	for (size_t i = 0; i < p->t->relay_n; i++)
		p->t->relay_note[i].wanted = false;
	for (size_t i = 0; !r && i < named->n; i++)
		r = add_relay(p, &named->v[i], true);
	for (size_t i = 0; !r && !named->n && i < p->t->udp_n; i++)
		r = add_relay(p, &p->t->udp[i].addr, p->t->udp[i].named);
	return r;
}

static bool is_passing(const struct topology *t, const struct addr *a)
{
	for (size_t i = 0; i < t->host_n; i++)
		if (t->host[i].usable && addr_equal_ip(&t->host[i].addr, a))
			return t->host[i].passing;
	return false;
}

static void age_relays(struct placing *p)
{
	struct topology *t = p->t;

	for (size_t i = 0; i < t->relay_n; i++) {
		struct turn_relay *r = &t->relay[i];
		enum turn_presence was = r->presence;

		r->presence = age(p, was, &t->relay_note[i].lost_ms, topology_has(t, &r->local));
		t->relay_note[i].passing = is_passing(t, &r->local);
		if (!p->first && was == TURN_GONE && r->presence == TURN_HERE)
			topology_log_relay(t, i);
	}
}

/* ---- together ---- */

/* Relays last: without relay_address they are where it listens. */
static int place(struct placing *p)
{
	int r = add_listeners(p);

	if (!r) {
		age_listeners(p);
		r = add_relays(p);
	}
	if (r)
		return why_set(p->why, r, "out of memory");
	age_relays(p);
	r = topology_find_public(p->t, p->why);
	for (size_t i = 0; !r && p->first && i < p->t->relay_n; i++)
		topology_log_relay(p->t, i);
	return r;
}

/* When the first absent address counts as gone. */
static uint64_t next_look(const struct topology *t, uint64_t now_ms)
{
	uint64_t due_ms = UINT64_MAX;

	for (size_t i = 0; i < t->udp_n; i++)
		if (t->udp[i].presence == TURN_AWAY && t->udp[i].lost_ms < due_ms)
			due_ms = t->udp[i].lost_ms;
	for (size_t i = 0; i < t->relay_n; i++)
		if (t->relay[i].presence == TURN_AWAY && t->relay_note[i].lost_ms < due_ms)
			due_ms = t->relay_note[i].lost_ms;
	if (due_ms == UINT64_MAX)
		return 0;
	due_ms += TOPOLOGY_GRACE_MS;
	return due_ms > now_ms ? due_ms - now_ms : 1;
}

static bool is_same(const struct topology *t, const struct host_addr *host, size_t n,
                    const struct prefix *local, size_t local_n)
{
	if (n != t->host_n || local_n != t->local_n)
		return false;
	for (size_t i = 0; i < local_n; i++)
		if (memcmp(local[i].ip, t->local[i].ip, sizeof(local[i].ip)) != 0 ||
		    local[i].bits != t->local[i].bits || local[i].family != t->local[i].family)
			return false;
	for (size_t i = 0; i < n; i++)
		if (!addr_equal_ip(&host[i].addr, &t->host[i].addr) ||
		    host[i].usable != t->host[i].usable || host[i].passing != t->host[i].passing)
			return false;
	return true;
}

int topology_follow(const struct conf *conf, struct topology *t, uint64_t now_ms, bool *changed,
                    uint64_t *again_ms, struct why *why)
{
	struct placing p = {.conf = conf, .t = t, .now_ms = now_ms, .why = why};
	struct host_addr *host;
	struct prefix *local;
	uint64_t due_ms = next_look(t, now_ms);
	size_t n, local_n;
	int r = host_addresses(&host, &n, why);

	if (r)
		return r;
	r = host_local_ranges(&local, &local_n, why);
	if (r) {
		free(host);
		return r;
	}
	*changed = !is_same(t, host, n, local, local_n) || due_ms == 1;
	free(t->host);
	free(t->local);
	t->host = host;
	t->host_n = n;
	t->local = local;
	t->local_n = local_n;
	if (*changed)
		r = place(&p);
	*again_ms = next_look(t, now_ms);
	return r;
}

int topology_new(const struct conf *conf, struct topology *t, struct why *why)
{
	/* An address that is missing at the start counts as gone. */
	struct placing p = {
	    .conf = conf, .t = t, .now_ms = TOPOLOGY_GRACE_MS, .first = true, .why = why};
	int r;

	memset(t, 0, sizeof(*t));
	t->listen = calloc(conf->listen.n, sizeof(*t->listen));
	if (!t->listen)
		return why_set(why, -E_NOMEM, "out of memory");
	t->listen_n = conf->listen.n;
	memcpy(t->listen, conf->listen.v, t->listen_n * sizeof(*t->listen));
	r = host_addresses(&t->host, &t->host_n, why);
	if (!r)
		r = host_local_ranges(&t->local, &t->local_n, why);
	if (!r)
		r = place(&p);
	if (r) {
		topology_free(t);
		return r;
	}
	topology_warn(t, conf);
	return 0;
}

void topology_free(struct topology *t)
{
	free(t->listen);
	free(t->udp);
	free(t->host);
	free(t->local);
	for (size_t i = 0; i < t->relay_n; i++)
		turn_ports_free(t->relay[i].ports);
	memset(t, 0, sizeof(*t));
}
