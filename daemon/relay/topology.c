/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses to listen on, to relay from and to refuse.
 */
#include "daemon/relay/topology.h"

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

static int fill_policy(struct peer_policy *policy, const struct conf *conf, const struct addr *host,
                       size_t host_n, struct why *why)
{
	int r = 0;

	for (size_t i = 0; !r && i < conf->relay_allow.n; i++)
		r = peer_policy_allow(policy, &conf->relay_allow.v[i]);
	for (size_t i = 0; !r && i < conf->relay_deny.n; i++)
		r = peer_policy_deny(policy, &conf->relay_deny.v[i]);
	for (size_t i = 0; !r && i < host_n; i++)
		r = peer_policy_add_own_ip(policy, &host[i]);
	for (size_t i = 0; !r && i < conf->external_ip.n; i++)
		r = peer_policy_add_own_ip(policy, &conf->external_ip.v[i].external);
	return r ? why_set(why, r, "out of memory") : 0;
}

/* "external_ip = 10.0.0.5=..." on a host that is not 10.0.0.5 would be silently without effect. */
static int check_mappings(const struct conf *conf, const struct addr *host, size_t host_n,
                          struct why *why)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < conf->external_ip.n; i++) {
		const struct addr *local = &conf->external_ip.v[i].local;

		if (addr_family(local) == AF_UNSPEC || is_host_address(host, host_n, local))
			continue;
		return why_set(
		    why, -E_INVAL,
		    "external_ip: %s is no address of this host; write LOCAL=PUBLIC with "
		    "an address that `ip address` shows, or PUBLIC alone for all",
		    addr_format_ip(local, text));
	}
	return 0;
}

/* Which relays the Internet can reach: those whose address, inside or as mapped, is global. A host
 * with such an address knows it without being told. */
static int find_public(struct topology *t, struct why *why)
{
	struct peer_policy *world = peer_policy_new();

	if (!world)
		return why_set(why, -E_NOMEM, "out of memory");
	for (size_t i = 0; i < t->relay_n; i++)
		t->relay_public[i] = peer_policy_permits_ip(world, &t->relay[i].external);
	peer_policy_free(world);
	return 0;
}

/* The operator sees what the guess was. */
static void log_relays(const struct topology *t)
{
	for (size_t i = 0; i < t->relay_n; i++) {
		const struct turn_relay *r = &t->relay[i];
		char local[ADDR_STRLEN], external[ADDR_STRLEN];
		bool mapped = !addr_equal_ip(&r->local, &r->external);

		log_info(NULL, "relay-address", LOG_STR("local", addr_format_ip(&r->local, local)),
		         LOG_STR("external", addr_format_ip(&r->external, external)),
		         LOG_STR("from", mapped ? "external_ip" : "this host"),
		         LOG_STR("reach", t->relay_public[i]            ? "internet"
		                          : addr_is_loopback(&r->local) ? "this host"
		                                                        : "this network"));
	}
}

/* A relay on private addresses only works for peers on the same network, and "no relay candidate"
 * is all that others see of it. */
static void warn_if_private(const struct topology *t)
{
	const struct turn_relay *private = NULL;
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < t->relay_n; i++) {
		if (t->relay_public[i])
			return;
		if (!addr_is_loopback(&t->relay[i].local) &&
		    (!private || addr_family(&private->local) == AF_INET6))
		private = &t->relay[i];
	}
	if (private)
		log_warn(NULL, "no-public-address",
		         LOG_STR("address", addr_format_ip(&private->external, text)),
		         LOG_STR("hint",
		                 "peers on the Internet cannot reach this relay: behind one-to-one "
		                 "NAT set external_ip to the public address; for a relay inside a "
		                 "network allow its peers with relay_allow"));
}

/* Where listen holds a wildcard, only the host knows how many ports there are. */
static void warn_if_few(const struct topology *t, const struct conf *conf)
{
	uint64_t ports = (uint64_t)(conf->relay_ports.max - conf->relay_ports.min + 1) * t->relay_n;

	if ((uint64_t)conf->total_quota > ports)
		log_warn(
		    NULL, "few-relay-ports", LOG_INT("ports", ports),
		    LOG_INT("total_quota", (uint64_t)conf->total_quota),
		    LOG_STR("hint", "the quota cannot be reached: widen relay_ports, or lower it"));
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
		r = check_mappings(conf, host, host_n, why);
	if (!r)
		r = add_relays(conf, t, host, host_n, why);
	if (!r)
		r = find_public(t, why);
	free(host);
	if (r) {
		topology_free(t);
		return r;
	}
	log_relays(t);
	warn_if_private(t);
	warn_if_few(t, conf);
	return 0;
}

/* How good a relay is for a client that came in on an address; 0: none. */
static int rank(const struct topology *t, size_t i, const struct listen_addr *from)
{
	const struct addr *a = &t->relay[i].local;
	bool same = addr_equal_ip(a, &from->addr);

	/* A loopback relay is of use only to a client on loopback, if there is no better one. */
	if (addr_is_loopback(a))
		return from->loopback ? 1 + same : 0;
	/* The address that the client came in on, it can reach; but it wants a relay for the sake
	 * of peers elsewhere, and those do not reach a private one. */
	return (t->relay_public[i] ? 5 : 3) + (same && !from->loopback);
}

int topology_relay_for(const struct topology *t, const struct listen_addr *from, int family)
{
	int best = TURN_NO_RELAY, best_rank = 0;

	for (size_t i = 0; i < t->relay_n; i++) {
		int r = addr_family(&t->relay[i].local) == family ? rank(t, i, from) : 0;

		if (r > best_rank) {
			best_rank = r;
			best = (int)i;
		}
	}
	return best;
}

bool topology_discovers(const struct conf *conf, const struct listen_addr *l)
{
	for (size_t i = 0; conf->nat_discovery && i < conf->listen.n; i++)
		if (addr_equal_ip(&conf->listen.v[i], &l->addr))
			return true;
	return false;
}

/* Our own ports are nobody's peers. */
static int guard_ports(struct peer_policy *policy, const struct topology *t)
{
	int r = 0;

	for (size_t i = 0; !r && i < t->udp_n; i++) {
		r = peer_policy_add_own_port(policy, &t->udp[i].addr);
		for (size_t k = 0; !r && k < t->relay_n; k++) {
			struct addr outside = t->relay[k].external;

			if (!addr_equal_ip(&t->relay[k].local, &t->udp[i].addr))
				continue;
			addr_put_port(&outside, addr_port(&t->udp[i].addr));
			r = peer_policy_add_own_port(policy, &outside);
		}
	}
	return r;
}

int topology_policy(const struct conf *conf, const struct topology *t, struct peer_policy **out,
                    struct why *why)
{
	struct peer_policy *policy = peer_policy_new();
	struct addr *host = NULL;
	size_t host_n = 0;
	int r = policy ? 0 : why_set(why, -E_NOMEM, "out of memory");

	if (!r)
		r = listen_host_addresses(&host, &host_n, why);
	if (!r)
		r = fill_policy(policy, conf, host, host_n, why);
	if (!r && guard_ports(policy, t))
		r = why_set(why, -E_NOMEM, "out of memory");
	free(host);
	if (r)
		peer_policy_free(policy);
	else
		*out = policy;
	return r;
}

void topology_free(struct topology *t)
{
	free(t->udp);
	for (size_t i = 0; i < t->relay_n; i++)
		turn_ports_free(t->relay[i].ports);
	memset(t, 0, sizeof(*t));
}
