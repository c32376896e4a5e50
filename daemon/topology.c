/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses to listen on, to relay from and to refuse.
 */
#include "daemon/topology.h"

#include "base/log.h"
#include "turn/peer_policy.h"
#include "turn/ports.h"

#include <stdlib.h>
#include <string.h>

struct addr topology_external(const struct conf *conf, const struct addr *local)
{
	const struct conf_mappings *m = &conf->external_ip;
	struct addr a = *local;

	addr_put_port(&a, 0);
	for (size_t i = 0; i < m->n; i++) {
		bool all = addr_family(&m->v[i].local) == AF_UNSPEC;

		if (addr_family(&m->v[i].external) != addr_family(local))
			continue;
		if (all ? !addr_is_loopback(local) : addr_equal_ip(&m->v[i].local, local)) {
			a = m->v[i].external;
			addr_put_port(&a, 0);
			if (!all)
				break;
		}
	}
	return a;
}

static int add_relay(const struct conf *conf, struct topology *t, const struct addr *local,
		     struct why *why)
{
	struct turn_relay *r = &t->relay[t->relay_n];

	for (size_t i = 0; i < t->relay_n; i++)
		if (addr_equal_ip(&t->relay[i].local, local))
			return 0;
	if (t->relay_n == TURN_RELAYS_MAX) {
		log_warn(NULL, "relay-address-ignored", LOG_ADDR("address", local),
			 LOG_STR("hint", "too many: name those to use with relay_address"));
		return 0;
	}
	r->local = *local;
	addr_put_port(&r->local, 0);
	r->external = topology_external(conf, local);
	r->ports = turn_ports_new(conf->relay_ports.min, conf->relay_ports.max);
	if (!r->ports)
		return why_set(why, -E_NOMEM, "out of memory");
	t->relay_n++;
	return 0;
}

static bool is_host_address(const struct addr *host, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal_ip(&host[i], a))
			return true;
	return addr_is_loopback(a); /* all of 127/8 is, though only one is listed */
}

static int add_relays(const struct conf *conf, struct topology *t, const struct addr *host,
		      size_t host_n, struct why *why)
{
	char text[ADDR_STRLEN];
	int r = 0;

	for (size_t i = 0; !r && i < conf->relay_address.n; i++) {
		const struct addr *a = &conf->relay_address.v[i];

		if (!is_host_address(host, host_n, a))
			return why_set(why, -E_INVAL,
				       "relay_address: %s is no address of this host; behind NAT, "
				       "name it in external_ip and the local one here",
				       addr_format_ip(a, text));
		r = add_relay(conf, t, a, why);
	}
	if (conf->relay_address.n)
		return r;
	for (size_t i = 0; !r && i < t->udp_n; i++)
		r = add_relay(conf, t, &t->udp[i].addr, why);
	return r;
}

static int make_policy(const struct conf *conf, struct topology *t, const struct addr *host,
		       size_t host_n, struct why *why)
{
	int r = 0;

	t->policy = peer_policy_new();
	if (!t->policy)
		return why_set(why, -E_NOMEM, "out of memory");
	for (size_t i = 0; !r && i < conf->relay_allow.n; i++)
		r = peer_policy_allow(t->policy, &conf->relay_allow.v[i]);
	for (size_t i = 0; !r && i < conf->relay_deny.n; i++)
		r = peer_policy_deny(t->policy, &conf->relay_deny.v[i]);
	for (size_t i = 0; !r && i < host_n; i++)
		r = peer_policy_add_own_ip(t->policy, &host[i]);
	for (size_t i = 0; !r && i < conf->external_ip.n; i++)
		r = peer_policy_add_own_ip(t->policy, &conf->external_ip.v[i].external);
	return r ? why_set(why, r, "out of memory") : 0;
}

/* The operator sees what the guess was. */
static void log_relays(const struct topology *t)
{
	for (size_t i = 0; i < t->relay_n; i++) {
		const struct turn_relay *r = &t->relay[i];
		char local[ADDR_STRLEN], external[ADDR_STRLEN];

		log_info(NULL, "relay-address", LOG_STR("local", addr_format_ip(&r->local, local)),
			 LOG_STR("external", addr_format_ip(&r->external, external)));
	}
}

int topology_new(const struct conf *conf, struct topology *t, struct why *why)
{
	struct addr *host = NULL;
	size_t host_n = 0;
	int r;

	memset(t, 0, sizeof(*t));
	r = listen_expand(conf->listen.v, conf->listen.n, &t->udp, &t->udp_n, why);
	if (!r)
		r = listen_host_addresses(&host, &host_n, why);
	if (!r)
		r = add_relays(conf, t, host, host_n, why);
	if (!r)
		r = make_policy(conf, t, host, host_n, why);
	free(host);
	if (r) {
		topology_free(t);
		return r;
	}
	log_relays(t);
	return 0;
}

int topology_relay_for(const struct topology *t, const struct listen_addr *from, int family)
{
	int fallback = TURN_NO_RELAY, global = TURN_NO_RELAY;

	for (size_t i = 0; i < t->relay_n; i++) {
		const struct addr *a = &t->relay[i].local;

		if (addr_family(a) != family)
			continue;
		/* The address that the client came in on, it can reach. */
		if (addr_equal_ip(a, &from->addr) && !from->loopback)
			return (int)i;
		if (!addr_is_loopback(a)) {
			if (global == TURN_NO_RELAY)
				global = (int)i;
		} else if (addr_equal_ip(a, &from->addr) || fallback == TURN_NO_RELAY) {
			fallback = (int)i;
		}
	}
	/* A loopback relay is of use only to a client on loopback, if there is no better one. */
	if (global != TURN_NO_RELAY)
		return global;
	return from->loopback ? fallback : TURN_NO_RELAY;
}

bool topology_discovers(const struct conf *conf, const struct listen_addr *l)
{
	for (size_t i = 0; conf->nat_discovery && i < conf->listen.n; i++)
		if (addr_equal_ip(&conf->listen.v[i], &l->addr))
			return true;
	return false;
}

int topology_guard_ports(struct topology *t)
{
	int r = 0;

	for (size_t i = 0; !r && i < t->udp_n; i++) {
		r = peer_policy_add_own_port(t->policy, &t->udp[i].addr);
		for (size_t k = 0; !r && k < t->relay_n; k++) {
			struct addr outside = t->relay[k].external;

			if (!addr_equal_ip(&t->relay[k].local, &t->udp[i].addr))
				continue;
			addr_put_port(&outside, addr_port(&t->udp[i].addr));
			r = peer_policy_add_own_port(t->policy, &outside);
		}
	}
	return r;
}

void topology_free(struct topology *t)
{
	free(t->udp);
	for (size_t i = 0; i < t->relay_n; i++)
		turn_ports_free(t->relay[i].ports);
	peer_policy_free(t->policy);
	memset(t, 0, sizeof(*t));
}
