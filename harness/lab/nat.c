/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of NAT kinds. Rules that look arbitrary are explained beside them.
 */
#include "harness/lab/nat.h"

#include "base/error.h"

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

const struct nat_kind nat_kinds[] = {
    {
        .name = "none",
        .purpose = "public address, no filter",
        .behaviour = {true, NAT_MAP_NONE, NAT_FILTER_ENDPOINT_INDEPENDENT},
        .public_client = true,
        .nat = "",
        .forward = "",
    },
    {
        .name = "full-cone",
        .purpose = "anybody may send to a mapped port",
        .behaviour = EI_EI,
        .filtered = true,
        .nat = CONE_MAP
        "chain pre { " PRE_HOOK " iifname \"wan\" meta l4proto udp " DNAT_BY_CONE " }\n"
        "chain post { " POST_HOOK " oifname \"wan\" masquerade; }\n"
        "chain learn { " LEARN_HOOK " oifname \"wan\" meta l4proto udp " CONE_LEARN " }\n",
        .forward = "",
    },
    {
        .name = "address-restricted",
        .purpose = "any port of an address that was sent to may answer",
        .behaviour = EI_AD,
        .filtered = true,
        .nat = CONE_MAP
        "set seen { type inet_service . ipv4_addr; flags dynamic,timeout; timeout 60s; "
        "size 65535; }\n"
        "chain pre { " PRE_HOOK " iifname \"wan\" meta l4proto udp "
        "udp dport . ip saddr @seen " DNAT_BY_CONE " }\n"
        "chain post { " POST_HOOK " oifname \"wan\" masquerade; }\n"
        "chain learn { " LEARN_HOOK " oifname \"wan\" meta l4proto udp " CONE_LEARN
        " oifname \"wan\" meta l4proto udp update @seen { udp sport . ip daddr }; }\n",
        .forward = "",
    },
    {
        .name = "port-restricted",
        .purpose = "only the very address and port that was sent to may answer",
        .behaviour = EI_APD,
        .filtered = true,
        .nat = "chain post { " POST_HOOK " oifname \"wan\" masquerade; }\n",
        .forward = "",
    },
    {
        .name = "symmetric",
        .purpose = "another random port for each destination",
        .behaviour = {true, NAT_MAP_ADDRESS_PORT_DEPENDENT, NAT_FILTER_ADDRESS_PORT_DEPENDENT},
        .filtered = true,
        .nat = "chain post { " POST_HOOK " oifname \"wan\" masquerade random,fully-random; }\n",
        .forward = "",
    },
    {
        .name = "udp-blocked",
        .purpose = "port-restricted for TCP; every UDP packet is dropped",
        .behaviour = {.udp = false},
        .filtered = true,
        .nat = "chain post { " POST_HOOK " oifname \"wan\" masquerade; }\n",
        .forward = "iifname \"lan\" meta l4proto udp drop;",
    },
};

const size_t nat_kinds_n = sizeof(nat_kinds) / sizeof(*nat_kinds);

const struct nat_kind *nat_find(const char *name)
{
	for (size_t i = 0; i < nat_kinds_n; i++) {
		if (strcmp(nat_kinds[i].name, name) == 0)
			return &nat_kinds[i];
	}
	return NULL;
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

int nat_ruleset(const struct nat_kind *kind, char *buf, size_t size)
{
	char filter[1024] = "", nat[2048] = "";
	int n;

	if (kind->filtered)
		snprintf(filter, sizeof(filter), FILTER, kind->forward);
	if (kind->nat[0])
		snprintf(nat, sizeof(nat), "table ip nat {\n%s}\n", kind->nat);
	n = snprintf(buf, size, "flush ruleset\n%s%s", filter, nat);
	return n < 0 || (size_t)n >= size ? -E_ROOM : 0;
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

static bool predictable(const struct nat_behaviour *b)
{
	return b->mapping == NAT_MAP_NONE || b->mapping == NAT_MAP_ENDPOINT_INDEPENDENT;
}

/* A hole can be punched unless one side's port cannot be told beforehand and the other side lets
 * in only the port that it was told. */
bool nat_needs_relay(const struct nat_kind *a, const struct nat_kind *b)
{
	const struct nat_behaviour *x = &a->behaviour, *y = &b->behaviour;

	if (!x->udp || !y->udp)
		return true;
	return (!predictable(x) && y->filtering == NAT_FILTER_ADDRESS_PORT_DEPENDENT) ||
	       (!predictable(y) && x->filtering == NAT_FILTER_ADDRESS_PORT_DEPENDENT);
}
