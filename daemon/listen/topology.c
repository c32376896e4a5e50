/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses to listen on, to relay from and to refuse.
 */
#include "daemon/listen/topology.h"

#include "base/log.h"
#include "turn/peer_policy.h"

#include <stdlib.h>

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

bool topology_has(const struct topology *t, const struct addr *a)
{
	for (size_t i = 0; i < t->host_n; i++)
		if (t->host[i].usable && addr_equal_ip(&t->host[i].addr, a))
			return true;
	/* All of 127/8 is, though only one is listed. */
	return addr_family(a) == AF_INET && addr_is_loopback(a);
}

/* Every address of the host, also one that cannot be bound now: the kernel may hand over what is
 * sent there. */
static int fill_policy(struct peer_policy *policy, const struct conf *conf,
                       const struct topology *t, struct why *why)
{
	int r = 0;

	for (size_t i = 0; !r && i < conf->relay_allow.n; i++)
		r = peer_policy_allow(policy, &conf->relay_allow.v[i]);
	for (size_t i = 0; !r && i < conf->relay_deny.n; i++)
		r = peer_policy_deny(policy, &conf->relay_deny.v[i]);
	for (size_t i = 0; !r && i < t->host_n; i++)
		r = peer_policy_add_own_ip(policy, &t->host[i].addr);
	for (size_t i = 0; !r && i < t->local_n; i++)
		r = peer_policy_add_own_range(policy, &t->local[i]);
	/* An address that was ours a moment ago, or will be soon, is not a stranger's. */
	for (size_t i = 0; !r && i < t->relay_n; i++)
		if (t->relay[i].presence != TURN_GONE || t->relay_note[i].named)
			r = peer_policy_add_own_ip(policy, &t->relay[i].local);
	for (size_t i = 0; !r && i < conf->external_ip.n; i++)
		r = peer_policy_add_own_ip(policy, &conf->external_ip.v[i].external);
	return r ? why_set(why, r, "out of memory") : 0;
}

int topology_find_public(struct topology *t, struct why *why)
{
	struct peer_policy *world = peer_policy_new();

	if (!world)
		return why_set(why, -E_NOMEM, "out of memory");
	for (size_t i = 0; i < t->relay_n; i++)
		t->relay_public[i] = peer_policy_permits_ip(world, &t->relay[i].external);
	peer_policy_free(world);
	return 0;
}

void topology_log_relay(const struct topology *t, size_t i)
{
	const struct turn_relay *r = &t->relay[i];
	char local[ADDR_STRLEN], external[ADDR_STRLEN];
	bool mapped = !addr_equal_ip(&r->local, &r->external);

	if (r->presence != TURN_HERE)
		return;
	log_info(NULL, "relay-address", LOG_STR("local", addr_format_ip(&r->local, local)),
	         LOG_STR("external", addr_format_ip(&r->external, external)),
	         LOG_STR("from", mapped ? "external_ip" : "this host"),
	         LOG_STR("reach", t->relay_public[i]            ? "internet"
	                          : addr_is_loopback(&r->local) ? "this host"
	                                                        : "this network"));
}

/* At a boot an address may come later than we; a mistyped one never comes. */
static void warn_if_absent(const struct topology *t, const char *option, const struct addr *a)
{
	char text[ADDR_STRLEN];

	if (addr_family(a) == AF_UNSPEC || addr_is_any(a) || topology_has(t, a))
		return;
	log_warn(NULL, "address-not-here", LOG_STR("option", option),
	         LOG_STR("address", addr_format_ip(a, text)),
	         LOG_STR("hint", "no interface has this address (see `ip address`). It takes "
	                         "effect when one does. Behind NAT write external_ip = "
	                         "LOCAL=PUBLIC, and use the local address everywhere else"));
}

static void warn_of_absent(const struct topology *t, const struct conf *conf)
{
	for (size_t i = 0; i < conf->listen.n; i++)
		warn_if_absent(t, "listen", &conf->listen.v[i]);
	for (size_t i = 0; i < conf->relay_address.n; i++)
		warn_if_absent(t, "relay_address", &conf->relay_address.v[i]);
	for (size_t i = 0; i < conf->external_ip.n; i++)
		warn_if_absent(t, "external_ip", &conf->external_ip.v[i].local);
}

static bool has_ipv4(const struct topology *t)
{
	for (size_t i = 0; i < t->host_n; i++)
		if (addr_family(&t->host[i].addr) == AF_INET && !addr_is_loopback(&t->host[i].addr))
			return true;
	return false;
}

uint16_t topology_ipv6_only_port(const struct topology *t)
{
	for (size_t i = 0; i < t->listen_n; i++) {
		uint16_t port = addr_port(&t->listen[i]);
		bool four = false;

		for (size_t k = 0; k < t->listen_n; k++)
			four |= addr_family(&t->listen[k]) == AF_INET &&
			        addr_port(&t->listen[k]) == port;
		if (!four && addr_family(&t->listen[i]) == AF_INET6 && addr_is_any(&t->listen[i]) &&
		    has_ipv4(t))
			return port;
	}
	return 0;
}

static void warn_if_ipv6_only(const struct topology *t)
{
	uint16_t port = topology_ipv6_only_port(t);

	if (port)
		log_warn(NULL, "ipv6-only", LOG_INT("port", port),
		         LOG_STR("hint", "[::] means every IPv6 address and no IPv4 address: for "
		                         "IPv4 clients add 0.0.0.0:PORT to listen"));
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
		if (t->relay[i].presence == TURN_HERE && !addr_is_loopback(&t->relay[i].local) &&
		    (!private || addr_family(&private->local) == AF_INET6))
		private = &t->relay[i];
	}
	if (private)
		log_warn(NULL, "no-public-address",
		         LOG_STR("address", addr_format_ip(&private->external, text)),
		         LOG_STR("hint",
		                 "peers on the Internet cannot reach this relay. Behind a "
		                 "one-to-one NAT set external_ip to the public address. For a "
		                 "relay inside a network allow its peers with relay_allow"));
}

/* With a wildcard in listen, only the host knows the number of ports. */
static void warn_if_few(const struct topology *t, const struct conf *conf)
{
	uint64_t ports = (uint64_t)(conf->relay_ports.max - conf->relay_ports.min + 1) * t->relay_n;

	if ((uint64_t)conf->total_quota > ports)
		log_warn(
		    NULL, "few-relay-ports", LOG_INT("ports", ports),
		    LOG_INT("total_quota", (uint64_t)conf->total_quota),
		    LOG_STR("hint", "the quota cannot be reached: widen relay_ports, or lower it"));
}

void topology_warn(const struct topology *t, const struct conf *conf)
{
	warn_of_absent(t, conf);
	warn_if_ipv6_only(t);
	warn_if_private(t);
	warn_if_few(t, conf);
}

/* How good a relay is for a client that came in on an address; 0: none. */
static int rank(const struct topology *t, size_t i, const struct listen_addr *from)
{
	const struct addr *a = &t->relay[i].local;
	bool same = addr_equal_ip(a, &from->addr);

	if (t->relay[i].presence != TURN_HERE)
		return 0;
	/* A loopback relay is of use only to a client on loopback, if there is no better one. */
	if (addr_is_loopback(a))
		return from->loopback ? 1 + same : 0;
	/* The address that the client came in on, it can reach; but it wants a relay for the sake
	 * of peers elsewhere, and those do not reach a private one; and for a call's whole length,
	 * which an address that is renewed every day may not have. */
	return (t->relay_public[i] ? 20 : 10) + (same && !from->loopback ? 2 : 0) -
	       (t->relay_note[i].passing ? 4 : 0);
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

/* Our own ports are never peers. */
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
	int r =
	    policy ? fill_policy(policy, conf, t, why) : why_set(why, -E_NOMEM, "out of memory");

	if (!r && guard_ports(policy, t))
		r = why_set(why, -E_NOMEM, "out of memory");
	if (r)
		peer_policy_free(policy);
	else
		*out = policy;
	return r;
}
