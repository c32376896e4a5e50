/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Theory's expectation of a call between two NAT kinds: the class of path (RFC 8445 finds a direct
 * one if there is one), and the transport by which each side reaches the relay.
 */
#ifndef SCENARIOS_THEORY_H
#define SCENARIOS_THEORY_H

#include "harness/lab/nat.h"
#include "harness/scenarios/offer.h"
#include "harness/scenarios/verdict.h"

/* The places of the two clients. */
enum scenario_place {
	PLACE_APART,    /* each behind a router of its own */
	PLACE_LAN,      /* on one LAN behind side A's router */
	PLACE_ISOLATED, /* the same, but they reach each other only by way of the router */
};

/* On one LAN both sides are behind router a. What the server does not offer, or not on a port that
 * the NAT lets out, is no way. relay_only: the pages take no other path (iceTransportPolicy). 0, or
 * -E_NOTFOUND for a kind that has no place in the table. */
int theory_expect_offer(const struct nat_kind *a, const struct nat_kind *b,
                        enum scenario_place place, const struct offer *offer, bool relay_only,
                        struct call_expect *out);

/* "direct", "no connection possible", or "relayed, a over udp, b over tcp"; returns buf. */
const char *theory_text(const struct call_expect *e, char *buf, size_t size);

#endif
