/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of NAT kinds. Rules that look arbitrary are explained beside them.
 *
 * Words in a kind's rules, filled in by nat_ruleset():
 *   @WAN@     the router's outside address
 *   @MASK@    differs from one generation of mappings to the next
 *   @CARRIER@ the same for the NAT of a carrier
 *   @PORTS@   a map of consecutive ports, for numgen
 *   @BY_ADDRESS@  a rule for each destination address, each with a mapping of its own
 *   @EIM@     endpoint-independent mapping of UDP, where plain masquerade is not enough
 *   @REST@    masquerade for all else
 */
#include "harness/lab/nat.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EI_EI                                                                                      \
	{                                                                                          \
		true, NAT_MAP_ENDPOINT_INDEPENDENT, NAT_FILTER_ENDPOINT_INDEPENDENT                \
	}
#define EI_AD                                                                                      \
	{                                                                                          \
		true, NAT_MAP_ENDPOINT_INDEPENDENT, NAT_FILTER_ADDRESS_DEPENDENT                   \
	}
#define EI_APD                                                                                     \
	{                                                                                          \
		true, NAT_MAP_ENDPOINT_INDEPENDENT, NAT_FILTER_ADDRESS_PORT_DEPENDENT              \
	}
#define AD_APD                                                                                     \
	{                                                                                          \
		true, NAT_MAP_ADDRESS_DEPENDENT, NAT_FILTER_ADDRESS_PORT_DEPENDENT                 \
	}
#define APD_APD                                                                                    \
	{                                                                                          \
		true, NAT_MAP_ADDRESS_PORT_DEPENDENT, NAT_FILTER_ADDRESS_PORT_DEPENDENT            \
	}
#define NO_EI                                                                                      \
	{                                                                                          \
		true, NAT_MAP_NONE, NAT_FILTER_ENDPOINT_INDEPENDENT                                \
	}
#define NO_APD                                                                                     \
	{                                                                                          \
		true, NAT_MAP_NONE, NAT_FILTER_ADDRESS_PORT_DEPENDENT                              \
	}

/* An external port is remembered together with the inside address that owns it. */
#define CONE_MAP                                                                                   \
	"map fc { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; "           \
	"timeout 60s; size 65535; }\n"
#define CONE_LEARN "update @fc { udp sport : ct original ip saddr . ct original proto-src };"
/* Behind source translation (priority 100), so that udp sport is the external port. */
#define LEARN_HOOK   "type filter hook postrouting priority 300; policy accept;"
#define POST_HOOK    "type nat hook postrouting priority srcnat; policy accept;"
#define PRE_HOOK     "type nat hook prerouting priority dstnat; policy accept;"
#define DNAT_BY_CONE "dnat ip addr . port to udp dport map @fc;"

/* Another port than the client's, and the same for every destination. A mask maps no two ports of a
 * client to one, as a hash may, and nft 1.1 wants an expression of the type of a port. */
#define MASK_EIM "snat to @WAN@ : udp sport ^ @MASK@;"
/* Another than the customer's behind it: the same mask twice is none. */
#define MASK_CARRIER "snat to @WAN@ : udp sport ^ @CARRIER@;"

/* Keeps the client's port where it can: endpoint-independent as long as one client is alone. */
#define POST_EIM "chain post { " POST_HOOK " @EIM@ @REST@ }\n"

const struct nat_kind nat_kinds[] = {
    {
        .name = "none",
        .purpose = "public address, no filter",
        .claim = {.v4 = NO_EI},
        .client = NAT_CLIENT_PUBLIC,
        .nat = "",
        .forward = "",
    },
    {
        .name = "public-firewall",
        .purpose = "public address behind a stateful filter",
        .claim = {.v4 = NO_APD},
        .client = NAT_CLIENT_PUBLIC,
        .filtered = true,
        .nat = "",
        .forward = "",
    },
    {
        .name = "full-cone",
        .purpose = "anybody may send to a mapped port",
        .claim = {.v4 = EI_EI},
        .filtered = true,
        .nat = CONE_MAP "chain pre { " PRE_HOOK " iifname \"wan\" meta l4proto udp " DNAT_BY_CONE
                        " }\n" POST_EIM "chain learn { " LEARN_HOOK
                        " oifname \"wan\" meta l4proto udp " CONE_LEARN " }\n",
        .forward = "",
    },
    {
        .name = "address-restricted",
        .purpose = "any port of an address that was sent to may answer",
        .claim = {.v4 = EI_AD},
        .filtered = true,
        .nat = CONE_MAP
        "set seen { type inet_service . ipv4_addr; flags dynamic,timeout; timeout 60s; "
        "size 65535; }\n"
        "chain pre { " PRE_HOOK " iifname \"wan\" meta l4proto udp "
        "udp dport . ip saddr @seen " DNAT_BY_CONE " }\n" POST_EIM "chain learn { " LEARN_HOOK
        " oifname \"wan\" meta l4proto udp " CONE_LEARN
        " oifname \"wan\" meta l4proto udp update @seen { udp sport . ip daddr }; }\n",
        .forward = "",
    },
    {
        .name = "port-restricted",
        .purpose = "only the very address and port that was sent to may answer",
        .claim = {.v4 = EI_APD},
        .filtered = true,
        .nat = POST_EIM,
        .forward = "",
    },
    {
        .name = "port-restricted-remap",
        .purpose = "port-restricted, and the outside port is never the client's own",
        .claim = {.v4 = EI_APD},
        .filtered = true,
        .nat =
            "chain post { " POST_HOOK " oifname \"wan\" meta l4proto udp " MASK_EIM " @REST@ }\n",
        .forward = "",
    },
    {
        .name = "address-dependent",
        .purpose = "another port for each destination address",
        .claim = {.v4 = AD_APD},
        .filtered = true,
        .nat = "chain post { " POST_HOOK " @BY_ADDRESS@ @REST@ }\n",
        .forward = "",
    },
    {
        .name = "symmetric",
        .purpose = "the next port for each destination",
        .claim = {.v4 = APD_APD},
        .filtered = true,
        .nat = "chain post { " POST_HOOK " oifname \"wan\" meta l4proto udp "
               "snat to @WAN@ : @PORTS@; @REST@ }\n",
        .forward = "",
    },
    {
        .name = "symmetric-random",
        .purpose = "another random port for each destination",
        .claim = {.v4 = APD_APD},
        .filtered = true,
        .nat = "chain post { " POST_HOOK " oifname \"wan\" masquerade random,fully-random; }\n",
        .forward = "",
    },
    {
        .name = "cgnat",
        .purpose = "port-restricted behind a carrier's NAT (100.64.0.0/10)",
        .claim = {.v4 = EI_APD, .twice = true},
        .filtered = true,
        .nat = POST_EIM,
        .forward = "",
    },
    {
        .name = "hairpin",
        .purpose = "full cone that also joins inside hosts by their outside addresses",
        .claim = {.v4 = EI_EI, .hairpin = true},
        .filtered = true,
        /* Plain masquerade would not give a hairpinned packet the port of the outside mapping;
         * the mask does. */
        .nat = CONE_MAP
        "chain pre { " PRE_HOOK " ip daddr @WAN@ meta l4proto udp " DNAT_BY_CONE " }\n"
        "chain post { " POST_HOOK " oifname \"wan\" meta l4proto udp " MASK_EIM
        " iifname \"lan\" oifname \"lan\" ct status dnat meta l4proto udp " MASK_EIM " @REST@ }\n"
        "chain learn { " LEARN_HOOK " oifname \"wan\" meta l4proto udp " CONE_LEARN
        " iifname \"lan\" oifname \"lan\" ct status snat meta l4proto udp " CONE_LEARN " }\n",
        .forward = "",
    },
    {
        .name = "udp-blocked",
        .purpose = "port-restricted for TCP; every UDP packet is dropped",
        .claim = {.v4 = {.udp = false}},
        .filtered = true,
        .nat = POST_EIM,
        .forward = "iifname \"lan\" meta l4proto udp drop;",
    },
    {
        .name = "udp-rejected",
        .purpose = "port-restricted for TCP; every UDP packet is refused by ICMP",
        .claim = {.v4 = {.udp = false}, .rejected = true},
        .filtered = true,
        .nat = POST_EIM,
        .forward = "iifname \"lan\" meta l4proto udp reject;",
    },
    {
        .name = "tcp-only",
        .purpose = "nothing but TCP passes",
        .claim = {.v4 = {.udp = false}, .no_ping = true},
        .filtered = true,
        .nat = POST_EIM,
        .forward = "iifname \"lan\" meta l4proto != tcp drop;",
    },
    {
        .name = "tcp-443-only",
        .purpose = "nothing but TCP to port 443 passes",
        .claim = {.v4 = {.udp = false}, .tcp = NAT_TCP_443, .no_ping = true},
        .filtered = true,
        .nat = POST_EIM,
        .forward = "iifname \"lan\" meta l4proto != tcp drop;"
                   " iifname \"lan\" tcp dport != 443 drop;",
    },
    {
        .name = "http-proxy",
        .purpose = "nothing passes but through an HTTP proxy's CONNECT to port 443",
        .claim = {.v4 = {.udp = false}, .tcp = NAT_TCP_PROXY, .no_ping = true},
        .filtered = true,
        .proxy = true,
        .nat = "",
        .forward = "iifname \"lan\" drop;",
    },
    {
        .name = "ipv6-only",
        .purpose = "IPv6 alone, behind a stateful filter",
        .claim = {.v6 = NO_APD},
        .client = NAT_CLIENT_IPV6,
        .filtered = true,
        .nat = "",
        .forward = "",
    },
    {
        .name = "nat64",
        .purpose = "IPv6 behind a stateful filter; IPv4 by NAT64 and DNS64, port-restricted",
        .claim = {.v4 = EI_APD, .v6 = NO_APD},
        .client = NAT_CLIENT_NAT64,
        .filtered = true,
        .nat = POST_EIM,
        .forward = "",
    },
    {
        .name = "dual-stack",
        .purpose = "port-restricted for IPv4, and IPv6 behind a stateful filter",
        .claim = {.v4 = EI_APD, .v6 = NO_APD},
        .client = NAT_CLIENT_DUAL,
        .filtered = true,
        .nat = POST_EIM,
        .forward = "",
    },
};

const size_t nat_kinds_n = sizeof(nat_kinds) / sizeof(*nat_kinds);

const struct nat_kind nat_carrier = {
    .name = "carrier",
    .purpose = "the outer NAT of cgnat",
    .claim = {.v4 = EI_APD},
    .filtered = true,
    .nat =
        "chain post { " POST_HOOK " oifname \"wan\" meta l4proto udp " MASK_CARRIER " @REST@ }\n",
    .forward = "",
};

const struct nat_kind *nat_find(const char *name)
{
	for (size_t i = 0; i < nat_kinds_n; i++) {
		if (!strcmp(nat_kinds[i].name, name))
			return &nat_kinds[i];
	}
	return NULL;
}

bool nat_has_ipv4(const struct nat_kind *kind)
{
	return kind->client == NAT_CLIENT_PRIVATE || kind->client == NAT_CLIENT_PUBLIC ||
	       kind->client == NAT_CLIENT_DUAL;
}

bool nat_has_ipv6(const struct nat_kind *kind)
{
	return kind->client == NAT_CLIENT_IPV6 || kind->client == NAT_CLIENT_NAT64 ||
	       kind->client == NAT_CLIENT_DUAL;
}

struct text {
	char *buf;
	size_t len, size;
	bool full;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->size - t->len)
		t->full = true;
	else
		t->len += (size_t)n;
}

/* As a value map: numgen as a port expression would count in the wrong byte order. */
#define PORTS_N 2048

static void add_ports(struct text *t, const struct nat_place *place)
{
	unsigned first = 20000 + place->generation % 8 * PORTS_N;

	add(t, "numgen inc mod %u map {", PORTS_N);
	for (unsigned i = 0; i < PORTS_N; i++)
		add(t, "%s %u : %u", i ? "," : "", i, first + i);
	add(t, " }");
}

/* Below 0x8000, so that a port of the dynamic range stays in it, and never 0. Apart from each
 * other, so that a new generation does not give one socket the port that a neighbour had. */
static unsigned mask(const struct nat_place *place)
{
	return 0x4000 | ((0x1555 + place->generation * 0x9e5) & 0x3fff);
}

static unsigned carrier_mask(const struct nat_place *place)
{
	return (0x0aab + place->generation * 0x5c3) & 0x3fff;
}

/* The lab's public network is a /24: 256 rules tell all its addresses apart. */
#define ADDRESS_N 256

static void add_by_address(struct text *t, const struct nat_place *place)
{
	for (unsigned i = 0; i < ADDRESS_N; i++)
		add(t,
		    "oifname \"wan\" meta l4proto udp ip daddr & 0.0.0.255 == 0.0.0.%u "
		    "snat to %s : udp sport ^ 0x%x;",
		    i, place->wan_ip, mask(place) ^ i << 6);
}

static void add_rules(struct text *t, const char *rules, const struct nat_place *place);

/* The word begins behind its first @. Returns what is left behind its second. */
static const char *add_word(struct text *t, const char *word, const struct nat_place *place)
{
	const char *end = strchr(word, '@');
	size_t n = end ? (size_t)(end - word) : 0;

	if (n == 3 && !strncmp(word, "WAN", n))
		add(t, "%s", place->wan_ip);
	else if (n == 4 && !strncmp(word, "MASK", n))
		add(t, "0x%x", mask(place));
	else if (n == 7 && !strncmp(word, "CARRIER", n))
		add(t, "0x%x", carrier_mask(place));
	else if (n == 5 && !strncmp(word, "PORTS", n))
		add_ports(t, place);
	else if (n == 10 && !strncmp(word, "BY_ADDRESS", n))
		add_by_address(t, place);
	else if (n == 3 && !strncmp(word, "EIM", n)) {
		if (place->generation > 0 || place->shared)
			add_rules(t, "oifname \"wan\" meta l4proto udp " MASK_EIM, place);
	} else if (n == 4 && !strncmp(word, "REST", n))
		add(t, "oifname \"wan\" masquerade%s;", place->generation > 0 ? " random" : "");
	else { /* the name of an nft set, as in `map @fc` */
		add(t, "@");
		return word;
	}
	return end + 1;
}

static void add_rules(struct text *t, const char *rules, const struct nat_place *place)
{
	while (*rules) {
		size_t n = strcspn(rules, "@");

		add(t, "%.*s", (int)n, rules);
		rules += n;
		if (*rules)
			rules = add_word(t, rules + 1, place);
	}
}

/* New packets from the WAN are dropped in INPUT as well: otherwise the peer's early check makes a
 * conntrack entry on the router itself, masquerade then has to pick another port for the client,
 * and a port-restricted NAT behaves like a symmetric one. */
#define FILTER                                                                                     \
	"table inet filt {\n"                                                                      \
	"chain input { type filter hook input priority filter; policy accept;"                     \
	" iifname \"wan\" ct state new drop; }\n"                                                  \
	"chain forw { type filter hook forward priority filter; policy accept;\n"                  \
	"%s\n"                                                                                     \
	"ct state established,related accept;\n"                                                   \
	"ct status dnat accept;\n"                                                                 \
	"iifname \"wan\" ct state new drop; }\n"                                                   \
	"}\n"

int nat_ruleset(const struct nat_kind *kind, const struct nat_place *place, char *buf, size_t size)
{
	struct text t = {.buf = buf, .size = size};

	/* Declared first: what is not there cannot be deleted. */
	add(&t, "table inet filt\ndelete table inet filt\ntable ip nat\ndelete table ip nat\n");
	if (kind->filtered)
		add(&t, FILTER, kind->forward);
	if (kind->nat[0]) {
		add(&t, "table ip nat {\n");
		add_rules(&t, kind->nat, place);
		add(&t, "}\n");
	}
	return t.full ? -E_ROOM : 0;
}

bool nat_behaviour_equal(const struct nat_behaviour *a, const struct nat_behaviour *b)
{
	if (!a->udp || !b->udp)
		return a->udp == b->udp;
	return a->mapping == b->mapping && a->filtering == b->filtering;
}

const char *nat_behaviour_text(const struct nat_behaviour *b, char *buf, size_t size)
{
	static const char *const mapping[] = {
	    [NAT_MAP_NONE] = "no translation",
	    [NAT_MAP_ENDPOINT_INDEPENDENT] = "endpoint-independent mapping",
	    [NAT_MAP_ADDRESS_DEPENDENT] = "address-dependent mapping",
	    [NAT_MAP_ADDRESS_PORT_DEPENDENT] = "address- and port-dependent mapping",
	};
	static const char *const filtering[] = {
	    [NAT_FILTER_ENDPOINT_INDEPENDENT] = "endpoint-independent filtering",
	    [NAT_FILTER_ADDRESS_DEPENDENT] = "address-dependent filtering",
	    [NAT_FILTER_ADDRESS_PORT_DEPENDENT] = "address- and port-dependent filtering",
	};

	if (!b->udp)
		snprintf(buf, size, "no UDP");
	else
		snprintf(buf, size, "%s, %s", mapping[b->mapping], filtering[b->filtering]);
	return buf;
}

bool nat_claim_equal(const struct nat_claim *a, const struct nat_claim *b)
{
	return nat_behaviour_equal(&a->v4, &b->v4) && nat_behaviour_equal(&a->v6, &b->v6) &&
	       a->tcp == b->tcp && a->no_ping == b->no_ping && a->rejected == b->rejected &&
	       a->hairpin == b->hairpin && a->twice == b->twice;
}

const char *nat_claim_text(const struct nat_claim *c, char *buf, size_t size)
{
	static const char *const tcp[] = {
	    [NAT_TCP_ALL] = "TCP",
	    [NAT_TCP_443] = "TCP to port 443 only",
	    [NAT_TCP_PROXY] = "TCP through the proxy only",
	    [NAT_TCP_NONE] = "no TCP",
	};
	struct text t = {.buf = buf, .size = size};
	char behaviour[128];

	if (c->v4.udp || !c->v6.udp)
		add(&t, "%s; ", nat_behaviour_text(&c->v4, behaviour, sizeof(behaviour)));
	if (c->v6.udp)
		add(&t, "IPv6: %s; ", nat_behaviour_text(&c->v6, behaviour, sizeof(behaviour)));
	add(&t, "%s%s%s%s%s", tcp[c->tcp], c->no_ping ? ", no ping" : "",
	    c->rejected ? ", UDP refused by ICMP" : "", c->hairpin ? ", hairpinning" : "",
	    c->twice ? ", two NATs" : "");
	return buf;
}

static bool predictable(const struct nat_behaviour *b)
{
	return b->mapping == NAT_MAP_NONE || b->mapping == NAT_MAP_ENDPOINT_INDEPENDENT;
}

/* A hole can be punched unless one side's port cannot be told beforehand and the other side lets
 * in only the port that it was told. */
static bool punchable(const struct nat_behaviour *x, const struct nat_behaviour *y)
{
	if (!x->udp || !y->udp)
		return false;
	return !(!predictable(x) && y->filtering == NAT_FILTER_ADDRESS_PORT_DEPENDENT) &&
	       !(!predictable(y) && x->filtering == NAT_FILTER_ADDRESS_PORT_DEPENDENT);
}

bool nat_needs_relay(const struct nat_kind *a, const struct nat_kind *b)
{
	/* Behind NAT64 a client has an IPv4 address outside, but it cannot send to the peer's:
	 * browsers do not translate a candidate, and its filter waits for it to send first. */
	if (nat_has_ipv4(a) && nat_has_ipv4(b) && punchable(&a->claim.v4, &b->claim.v4))
		return false;
	return !punchable(&a->claim.v6, &b->claim.v6);
}
