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

/* RFC 4787 section 5: who may send in through a mapping. */
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

struct nat_kind {
	const char *name;
	const char *purpose;
	struct nat_behaviour behaviour; /* claimed; lab_verify_nat() proves it in every run */
	bool public_client;             /* the client itself holds a public address */
	bool filtered;                  /* drop what no inside host has asked for */
	const char *nat;                /* inside `table ip nat`; "" translates nothing */
	const char *forward;            /* forward rules before all others */
};

extern const struct nat_kind nat_kinds[];
extern const size_t nat_kinds_n;

/* NULL if there is no such kind. */
const struct nat_kind *nat_find(const char *name);

/* The complete ruleset of a router, as nft -f reads it. 0 or -E_ROOM. */
int nat_ruleset(const struct nat_kind *kind, char *buf, size_t size);

bool nat_behaviour_equal(const struct nat_behaviour *a, const struct nat_behaviour *b);

/* "endpoint-independent mapping, address-dependent filtering"; returns buf. */
const char *nat_behaviour_text(const struct nat_behaviour *b, char *buf, size_t size);

/* The theory: must a call between clients behind these two be relayed? */
bool nat_needs_relay(const struct nat_kind *a, const struct nat_kind *b);

#endif
