/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of expected outcomes. test_theory holds it against the rule it
 * comes from: a call is relayed if and only if no address family offers both
 * sides UDP without one side's port being unpredictable where the other lets in
 * only the port that it was told (RFC 4787 sections 4.1 and 5).
 */
#include "harness/scenarios/theory.h"

#include "base/error.h"
#include "harness/scenarios/target.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Kinds that behave alike towards the other side share a letter. */
static const struct {
	const char *kind;
	char letter;
} letters[] = {
    {"none", 'O'},      /* open */
    {"full-cone", 'F'}, /* lets in any port of a host that the client sent to, or more */
    {"address-restricted", 'F'},
    {"hairpin", 'F'},
    {"public-firewall", 'P'}, /* lets in the very port; its own is the same to all */
    {"port-restricted", 'P'},
    {"port-restricted-remap", 'P'},
    {"cgnat", 'P'},
    {"address-dependent", 'S'}, /* lets in the very port; its own differs */
    {"symmetric", 'S'},
    {"symmetric-random", 'S'},
    {"udp-blocked", 'U'},
    {"udp-rejected", 'U'},
    {"tcp-only", 'U'},
    {"tcp-443-only", 'T'},
    {"http-proxy", 'X'},
    {"dual-stack", 'D'}, /* P by IPv4, a firewall by IPv6 */
    {"ipv6-only", 'V'},
    {"nat64", 'N'}, /* IPv6 only, with translation to IPv4 */
};

static const char order[] = "OFPSUTXDVN";

/* d direct, r relayed. */
static const char *const path[] = {
    /*       OFPSUTXDVN */
    /* O */ "ddddrrrdrr",
    /* F */ "ddddrrrdrr",
    /* P */ "dddrrrrdrr",
    /* S */ "ddrrrrrrrr",
    /* U */ "rrrrrrrrrr",
    /* T */ "rrrrrrrrrr",
    /* X */ "rrrrrrrrrr",
    /* D */ "dddrrrrddd",
    /* V */ "rrrrrrrddd",
    /* N */ "rrrrrrrddd",
};

/* Does what a server offers there get through to it? */
static bool passes(char letter, const struct offer_entry *e)
{
	if (strchr("VN", letter) && e->family == AF_INET)
		return false; /* NAT64 translates names, not literals */
	if (!strchr("VND", letter) && e->family == AF_INET6)
		return false;
	if (e->transport == OFFER_UDP)
		return !strchr("UTX", letter);
	return !strchr("TX", letter) || e->port == 443;
}

/* How a side reaches the relay: the first that passes of udp, tcp, tls; NULL: not at all. */
static const char *relay_protocol(char letter, const struct offer *o)
{
	enum offer_transport best = OFFER_TRANSPORTS;

	for (size_t i = 0; i < o->n; i++) {
		const struct offer_entry *e = &o->entry[i];

		if (e->turn && e->transport < best && passes(letter, e))
			best = e->transport;
	}
	return best < OFFER_TRANSPORTS ? offer_transport_word(best) : NULL;
}

/* Does the server tell this side how others see it? TURN over UDP does so as STUN does. */
static bool learns_reflexive(char letter, const struct offer *o)
{
	for (size_t i = 0; i < o->n; i++) {
		if (o->entry[i].transport == OFFER_UDP && passes(letter, &o->entry[i]))
			return true;
	}
	return false;
}

/* A direct path, and both (or one that needs no telling) know of it. */
static bool goes_directly(char a, char b, const struct offer *o)
{
	if (path[strchr(order, a) - order][strchr(order, b) - order] == 'r')
		return false;
	if (a == 'O' || b == 'O' || (strchr("DVN", a) && strchr("DVN", b)))
		return true; /* an end with an address that everybody can reach */
	return learns_reflexive(a, o) && learns_reflexive(b, o);
}

/* On one LAN the two connect directly, unless it keeps them apart. Then the router must hairpin
 * packets for its own outside address, and both must know that address. */
static bool meets_on_lan(const struct nat_kind *router, char letter, enum scenario_place place,
                         const struct offer *o)
{
	if (place == PLACE_LAN)
		return true;
	return router->claim.hairpin && learns_reflexive(letter, o);
}

/* The relayed transport address is of IPv4, and a literal: NAT64 does not translate it. */
static bool reaches_relayed(char letter)
{
	return !strchr("UTXVN", letter);
}

/* One leg is enough where the other end can send to the relayed transport address. */
static bool goes_relayed(char a, char b, const char *leg_a, const char *leg_b)
{
	if (leg_a && leg_b)
		return true;
	return (leg_a && reaches_relayed(b)) || (leg_b && reaches_relayed(a));
}

static char letter_of(const struct nat_kind *kind)
{
	for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++) {
		if (!strcmp(letters[i].kind, kind->name))
			return letters[i].letter;
	}
	return '\0';
}

int theory_expect_offer(const struct nat_kind *a, const struct nat_kind *b,
                        enum scenario_place place, const struct offer *offer, bool relay_only,
                        struct call_expect *out)
{
	char la = letter_of(a), lb = letter_of(place == PLACE_APART ? b : a);
	const char *leg[2];
	bool direct;

	if (!la || !lb)
		return -E_NOTFOUND;
	*out = (struct call_expect){.path = PATH_DIRECT};
	direct =
	    place == PLACE_APART ? goes_directly(la, lb, offer) : meets_on_lan(a, la, place, offer);
	if (!relay_only && direct)
		return 0;
	leg[0] = relay_protocol(la, offer);
	leg[1] = relay_protocol(lb, offer);
	out->path = PATH_NONE;
	if (relay_only ? !leg[0] || !leg[1] : !goes_relayed(la, lb, leg[0], leg[1]))
		return 0;
	out->path = PATH_RELAY;
	out->both_legs = relay_only;
	memcpy(out->relay_protocol, leg, sizeof(leg));
	return 0;
}

const char *theory_text(const struct call_expect *e, char *buf, size_t size)
{
	if (e->path == PATH_DIRECT)
		snprintf(buf, size, "direct");
	else if (e->path == PATH_NONE)
		snprintf(buf, size, "no connection possible");
	else if (e->relay_protocol[0] && e->relay_protocol[1])
		snprintf(buf, size, "relayed, a over %s, b over %s", e->relay_protocol[0],
		         e->relay_protocol[1]);
	else
		snprintf(buf, size, "relayed");
	return buf;
}
