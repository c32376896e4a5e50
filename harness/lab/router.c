/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Turning a side into a kind of NAT: addresses, routes, rules and helpers of
 * its router and its client.
 */
#include "harness/lab/inside.h"
#include "harness/lab/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Addresses are changed within a small ring: the first is never the one just left. */
#define RING 3

static bool public(const struct lab *lab, enum lab_side side)
{
	return lab->side[side].kind->client == NAT_CLIENT_PUBLIC;
}

const char *lab_wan_ip(const struct lab *lab, enum lab_side side, char buf[LAB_IP_MAX])
{
	unsigned n = public(lab, side) ? 0 : lab->side[side].bent.wan_n;

	snprintf(buf, LAB_IP_MAX, "203.0.113.%u", 20 + side_plan[side].host + 40 * (n % RING));
	return buf;
}

/* The client's number on its LAN: .2 and .3, then .12 and .13, ... */
static unsigned client_number(const struct lab *lab, enum lab_side side)
{
	const struct side *s = &lab->side[side];

	return (s->visits ? 3 : 2) + 10 * (s->client_n % RING);
}

const char *lab_client_ip(const struct lab *lab, enum lab_side side, char buf[LAB_IP_MAX])
{
	const struct side *s = &lab->side[side];
	enum lab_side router = lab_router_side(lab, side);
	unsigned n = s->client_n + lab->side[router].bent.wan_n;

	if (public(lab, side))
		snprintf(buf, LAB_IP_MAX, "203.0.113.%u",
		         30 + side_plan[side].host + 40 * (n % RING));
	else
		snprintf(buf, LAB_IP_MAX, "%s.%u", side_plan[router].lan, client_number(lab, side));
	return buf;
}

const char *lab_lan_ip6(const struct lab *lab, enum lab_side router, char buf[LAB_IP_MAX])
{
	snprintf(buf, LAB_IP_MAX, "%s:%x::1", side_plan[router].site,
	         lab->side[router].bent.wan_n % RING + 1);
	return buf;
}

const char *lab_client_ip6(const struct lab *lab, enum lab_side side, char buf[LAB_IP_MAX])
{
	enum lab_side router = lab_router_side(lab, side);

	snprintf(buf, LAB_IP_MAX, "%s:%x::%x", side_plan[router].site,
	         lab->side[router].bent.wan_n % RING + 1, client_number(lab, side));
	return buf;
}

static int load_rules(const struct lab *lab, int netns_fd, const struct nat_kind *kind,
                      enum lab_side side, const char *wan_ip, bool afresh, struct why *why)
{
	static const char flush[] = "flush ruleset\n";
	const char *argv[] = {"nft", "-f", "-", NULL};
	const struct side *s = &lab->side[side];
	struct nat_place place = {wan_ip, s->bent.generation, s->host};
	char *rules = malloc(NAT_RULESET_MAX + sizeof(flush));
	size_t head = afresh ? sizeof(flush) - 1 : 0;
	struct why detail;
	int err;

	if (!rules)
		return why_set(why, -E_NOMEM, "out of memory");
	memcpy(rules, flush, head);
	err = nat_ruleset(kind, &place, rules + head, NAT_RULESET_MAX);
	if (err != 0) {
		why_set(why, err, "NAT kind %s: rules too long", kind->name);
		goto out;
	}
	err = net_run(argv, netns_fd, "nftables", rules, &detail);
	if (err == -E_NOTFOUND)
		why_set(why, err, "%s", detail.text);
	else if (err != 0)
		why_set(why, err, "NAT kind %s: this kernel refuses a rule: %s", kind->name,
		        detail.text);
	/* After the new rules, or a packet in between would bring an old mapping back. */
	else
		err = net_flush_conntrack(netns_fd, why);
out:
	free(rules);
	return err;
}

int router_load(struct lab *lab, enum lab_side side, bool afresh, struct why *why)
{
	struct side *s = &lab->side[side];
	char wan[LAB_IP_MAX];
	int err;

	lab_wan_ip(lab, side, wan);
	err = load_rules(lab, s->router_ns, s->kind, side, s->twice ? "100.64.0.2" : wan, afresh,
	                 why);
	if (err == 0 && s->twice)
		err = load_rules(lab, s->carrier_ns, &nat_carrier, side, wan, afresh, why);
	return err;
}

/* The router answers ARP on both sides for a client that holds a public address. */
static int set_proxy_arp(const struct side *s, bool on, struct why *why)
{
	const char *value = on ? "1" : "0";
	const char *const sysctls[][2] = {
	    {"ipv4/conf/wan/proxy_arp", value},
	    {"ipv4/conf/lan/proxy_arp", value},
	    {"ipv4/neigh/wan/proxy_delay", "0"},
	    {"ipv4/neigh/lan/proxy_delay", "0"},
	};
	int err = 0;

	for (size_t k = 0; k < sizeof(sysctls) / sizeof(*sysctls) && err == 0; k++)
		err = net_sysctl(s->router_ns, sysctls[k][0], sysctls[k][1], false, why);
	return err;
}

static int address_carrier(struct lab *lab, enum lab_side side, struct why *why)
{
	char wan[LAB_IP_MAX];

	if (!lab->side[side].twice)
		return net_ip(side_plan[side].carrier, why,
		              "addr flush dev wan scope global\n"
		              "addr flush dev cust scope global\n");
	return net_ip(side_plan[side].carrier, why,
	              "addr flush dev wan scope global\n"
	              "addr flush dev cust scope global\n"
	              "addr add %s/24 dev wan\n"
	              "addr add 100.64.0.1/10 dev cust\n"
	              "route replace default via 203.0.113.1\n",
	              lab_wan_ip(lab, side, wan));
}

/* Routes to clients with public addresses; there may be two. */
static void public_routes(const struct lab *lab, enum lab_side router, char *buf, size_t size)
{
	size_t len = 0;
	char ip[LAB_IP_MAX];

	buf[0] = '\0';
	for (int i = 0; i < LAB_SIDES && public(lab, router); i++) {
		if (lab->side[i].kind && lab_router_side(lab, i) == router)
			len +=
			    (size_t)snprintf(buf + len, size - len, "route replace %s/32 dev lan\n",
			                     lab_client_ip(lab, i, ip));
	}
}

int router_address(struct lab *lab, enum lab_side side, struct why *why)
{
	const struct side_plan *p = &side_plan[side], *other = &side_plan[!side];
	struct side *s = &lab->side[side];
	char wan[LAB_IP_MAX], lan6[LAB_IP_MAX], routes[160];
	int err = set_proxy_arp(s, public(lab, side), why);

	public_routes(lab, side, routes, sizeof(routes));
	lab_wan_ip(lab, side, wan);
	if (err == 0)
		err = net_ip(p->router, why,
		             "addr flush dev wan scope global\n"
		             "addr flush dev lan scope global\n"
		             "route flush root 203.0.113.0/24 dev lan\n"
		             "addr add %s dev wan\n"
		             "addr add %s/64 dev wan nodad\n"
		             "addr add %s.1/24 dev lan\n"
		             "addr add %s/64 dev lan nodad\n"
		             "route replace default via %s\n"
		             "route replace %s::/48 via %s\n"
		             "neigh flush dev wan\n"
		             "neigh flush dev lan\n"
		             "%s",
		             s->twice ? "100.64.0.2/10" : strcat(wan, "/24"), p->router_ip6, p->lan,
		             lab_lan_ip6(lab, side, lan6), s->twice ? "100.64.0.1" : "203.0.113.1",
		             other->site, other->router_ip6, routes);
	return err;
}

int router_address_client(struct lab *lab, enum lab_side side, struct why *why)
{
	enum lab_side router = lab_router_side(lab, side);
	const struct side *s = &lab->side[side];
	char ip[LAB_IP_MAX], gateway[LAB_IP_MAX], v4[200] = "", v6[200] = "";
	int err;

	if (nat_has_ipv4(s->kind)) {
		snprintf(gateway, sizeof(gateway), "%s.1", side_plan[router].lan);
		snprintf(v4, sizeof(v4), "addr add %s/24 dev eth0\nroute replace default via %s\n",
		         lab_client_ip(lab, side, ip), public(lab, side) ? "203.0.113.1" : gateway);
	}
	if (nat_has_ipv6(s->kind))
		snprintf(v6, sizeof(v6),
		         "addr add %s/64 dev eth0 nodad\nroute replace default via %s\n",
		         lab_client_ip6(lab, side, ip), lab_lan_ip6(lab, router, gateway));
	/* A kind of IPv4 alone: a second, untranslated path would win every call. This also
	 * forgets the former addresses and routes. */
	err = net_sysctl(s->client_ns, "ipv6/conf/eth0/disable_ipv6", "1", true, why);
	if (err == 0 && nat_has_ipv6(s->kind))
		err = net_sysctl(s->client_ns, "ipv6/conf/eth0/disable_ipv6", "0", false, why);
	if (err == 0)
		err = net_ip(side_plan[side].client, why,
		             "addr flush dev eth0 scope global\n"
		             "neigh flush dev eth0\n%s%s",
		             v4, v6);
	return err;
}

/* The wire from the router's "wan" ends at "net", or at the carrier. */
static int wire_carrier(struct lab *lab, enum lab_side side, bool twice, struct why *why)
{
	const char *name = side_plan[side].name;

	if (lab->side[side].twice == twice)
		return 0;
	lab->side[side].twice = twice;
	return net_ip(NULL, why, "link set dev wan-%s master %s%s\n", name, twice ? "cg-" : "net",
	              twice ? name : "");
}

/* Others may still send to where an address used to be. */
static int forget_neighbours(struct lab *lab, struct why *why)
{
	int err = net_ip("srv", why, "neigh flush dev eth0\n");

	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		err = net_ip(side_plan[i].router, why, "neigh flush dev wan\n");
		if (err == 0 && lab->side[i].twice)
			err = net_ip(side_plan[i].carrier, why,
			             "neigh flush dev wan\nneigh flush dev cust\n");
	}
	return err;
}

/* Moves side B's end of the LAN to the router of side A, or home again. */
static int move_visitor(struct lab *lab, bool away, bool isolated, struct why *why)
{
	const char *from = side_plan[away ? LAB_B : LAB_A].router;
	const char *to = side_plan[away ? LAB_A : LAB_B].router;
	const char *visitor = side_plan[LAB_B].name;
	const char *flag = isolated ? "on" : "off";
	int err = 0;

	if (lab->side[LAB_B].visits != away)
		err = net_ip(from, why, "link set dev lan-%s netns %s\n", visitor, to);
	lab->side[LAB_B].visits = lab->side[LAB_A].host = away;
	if (err == 0)
		err = net_ip(to, why,
		             "link set dev lan-%s master lan\n"
		             "link set dev lan-%s up\n"
		             "link set dev lan-%s type bridge_slave isolated %s\n",
		             visitor, visitor, visitor, flag);
	if (err == 0)
		err = net_ip(side_plan[LAB_A].router, why,
		             "link set dev lan-%s type bridge_slave isolated %s\n",
		             side_plan[LAB_A].name, flag);
	return err;
}

/* Makes the router what side->kind says, as if nothing had been before. */
static int turn_router(struct lab *lab, enum lab_side side, struct why *why)
{
	struct side *s = &lab->side[side];
	bool was_twice = s->twice;
	struct lab_link clean = {0};
	int err = lab_set_link(lab, side, &clean, why);

	s->bent = (struct bent){0};
	helper_stop_kind(&s->helpers);
	if (err == 0)
		err = wire_carrier(lab, side, s->kind->claim.twice, why);
	if (err == 0)
		err = router_load(lab, side, true, why);
	if (err == 0 && (was_twice || s->twice))
		err = address_carrier(lab, side, why);
	if (err == 0)
		err = router_address(lab, side, why);
	if (err == 0 && was_twice != s->twice)
		err = forget_neighbours(lab, why);
	if (err == 0 && s->kind->client == NAT_CLIENT_NAT64)
		err = helper_start_nat64(lab, side, why);
	if (err == 0 && s->kind->proxy)
		err = helper_start_proxy(lab, side, why);
	return err;
}

static int turn_client(struct lab *lab, enum lab_side side, struct why *why)
{
	struct side *s = &lab->side[side];
	int err;

	snprintf(s->proxy_url, sizeof(s->proxy_url), "http://%s.1:" LAB_PROXY_PORT,
	         side_plan[lab_router_side(lab, side)].lan);
	err = router_address_client(lab, side, why);
	if (err == 0)
		err = helper_set_names(lab, side, why);
	return err;
}

int lab_set_nat(struct lab *lab, enum lab_side side, const struct nat_kind *kind, struct why *why)
{
	bool shared = lab->side[LAB_B].visits;
	int err = shared ? move_visitor(lab, false, false, why) : 0;

	lab->side[side].kind = kind;
	lab->side[side].client_n = 0;
	if (err == 0)
		err = turn_router(lab, side, why);
	if (err == 0)
		err = turn_client(lab, side, why);
	if (err == 0 && shared)
		err = forget_neighbours(lab, why);
	return err;
}

int lab_share_nat(struct lab *lab, const struct nat_kind *kind, bool isolated, struct why *why)
{
	int err;

	/* Side B's own router is out of the game: it must not answer for the visitor. */
	helper_stop_kind(&lab->side[LAB_B].helpers);
	err = net_ip(side_plan[LAB_B].router, why, "route flush root 203.0.113.0/24 dev lan\n");
	if (err == 0)
		err = move_visitor(lab, true, isolated, why);
	lab->side[LAB_A].kind = lab->side[LAB_B].kind = kind;
	lab->side[LAB_A].client_n = lab->side[LAB_B].client_n = 0;
	if (err == 0)
		err = turn_router(lab, LAB_A, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = turn_client(lab, i, why);
	if (err == 0)
		err = forget_neighbours(lab, why);
	return err;
}

int lab_rebind(struct lab *lab, enum lab_side side, struct why *why)
{
	side = lab_router_side(lab, side);
	lab->side[side].bent.generation++;
	return router_load(lab, side, false, why);
}

int lab_change_client_address(struct lab *lab, enum lab_side side, struct why *why)
{
	enum lab_side router = lab_router_side(lab, side);
	int err = 0;

	lab->side[side].client_n++;
	if (public(lab, side)) /* the router's route to it */
		err = router_address(lab, router, why);
	return err == 0 ? router_address_client(lab, side, why) : err;
}

int lab_change_wan_address(struct lab *lab, enum lab_side side, struct why *why)
{
	enum lab_side router = lab_router_side(lab, side);
	struct side *s = &lab->side[router];
	int err = 0;

	s->bent.wan_n++;
	if (s->twice)
		err = address_carrier(lab, router, why);
	else
		err = router_address(lab, router, why);
	if (err == 0)
		err = router_load(lab, router, false, why);
	/* The addresses of clients that see the change themselves. */
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		const struct nat_kind *kind = lab->side[i].kind;

		if (kind && lab_router_side(lab, i) == router &&
		    (nat_has_ipv6(kind) || public(lab, i)))
			err = router_address_client(lab, i, why);
	}
	return err;
}
