/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Kinds of NAT (RFC 4787): what each claims to do and the nftables rules that
 * make it so. A new kind is one row of the table in nat.c.
 */
#ifndef LAB_NAT_H
#define LAB_NAT_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 4787 section 4.1: which destinations share one external port. */
enum nat_mapping {
	NAT_MAP_NONE, /* addresses are not translated at all */
	NAT_MAP_ENDPOINT_INDEPENDENT,
	NAT_MAP_ADDRESS_DEPENDENT,
	NAT_MAP_ADDRESS_PORT_DEPENDENT,
};

/* RFC 4787 section 5: the senders that a mapping lets in. */
enum nat_filtering {
	NAT_FILTER_ENDPOINT_INDEPENDENT,
	NAT_FILTER_ADDRESS_DEPENDENT,
	NAT_FILTER_ADDRESS_PORT_DEPENDENT,
};

struct nat_behaviour {
	bool udp; /* UDP passes; if not, the rest means nothing */
	enum nat_mapping mapping;
	enum nat_filtering filtering;
};

/* TCP from the client that gets through. */
enum nat_tcp {
	NAT_TCP_ALL,
	NAT_TCP_443,   /* to port 443 only */
	NAT_TCP_PROXY, /* through an HTTP proxy's CONNECT to port 443 only */
	NAT_TCP_NONE,  /* found by the prober, claimed by no kind */
};

/* The client's addresses. */
enum nat_client {
	NAT_CLIENT_PRIVATE, /* IPv4 behind the router's one */
	NAT_CLIENT_PUBLIC,  /* a public IPv4 address, which the router only passes on */
	NAT_CLIENT_IPV6,
	NAT_CLIENT_NAT64, /* IPv6; a translator gives a way to IPv4 */
	NAT_CLIENT_DUAL,  /* NAT_CLIENT_PRIVATE and IPv6 */
};

/* All that the prober can tell. */
struct nat_claim {
	struct nat_behaviour v4; /* behind NAT64: as IPv4 hosts see the client */
	struct nat_behaviour v6;
	enum nat_tcp tcp;
	bool no_ping;  /* ICMP echo does not pass */
	bool rejected; /* UDP is refused by ICMP, not dropped in silence */
	bool hairpin;  /* inside hosts reach each other by their outside addresses */
	bool twice;    /* two NATs, one behind the other */
};

struct nat_kind {
	const char *name;
	const char *purpose;
	struct nat_claim claim; /* lab_verify_nat() proves it in every run */
	enum nat_client client;
	bool filtered;   /* drop what no inside host has asked for */
	bool proxy;      /* an HTTP proxy runs on the router */
	const char *nat; /* inside `table ip nat`, with @WORDS@ (nat.c); "" translates nothing */
	const char *forward; /* forward rules before all others */
};

/* What a router's rules need besides their kind. */
struct nat_place {
	const char *wan_ip;  /* the outside address */
	unsigned generation; /* another one gives other ports */
	bool shared;         /* several clients: ports are not preserved */
};

extern const struct nat_kind nat_kinds[];
extern const size_t nat_kinds_n;

/* The outer NAT of a kind that claims `twice`. */
extern const struct nat_kind nat_carrier;

/* NULL if there is no such kind. */
const struct nat_kind *nat_find(const char *name);

bool nat_has_ipv4(const struct nat_kind *kind); /* the client holds an IPv4 address */
bool nat_has_ipv6(const struct nat_kind *kind);

#define NAT_RULESET_MAX 65536

/* A router's tables `inet filt` and `ip nat`, as nft -f reads them: they replace the former ones
 * in one step. 0 or -E_ROOM. */
int nat_ruleset(const struct nat_kind *kind, const struct nat_place *place, char *buf, size_t size);

bool nat_behaviour_equal(const struct nat_behaviour *a, const struct nat_behaviour *b);
bool nat_claim_equal(const struct nat_claim *a, const struct nat_claim *b);

#define NAT_TEXT_MAX 256

/* "endpoint-independent mapping, address-dependent filtering"; returns buf. */
const char *nat_behaviour_text(const struct nat_behaviour *b, char *buf, size_t size);

/* The same for all that is claimed, IPv4 and IPv6; returns buf. */
const char *nat_claim_text(const struct nat_claim *c, char *buf, size_t size);

/* The theory: must a call between clients behind these two be relayed? */
bool nat_needs_relay(const struct nat_kind *a, const struct nat_kind *b);

#endif
