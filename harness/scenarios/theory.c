/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of expected outcomes. test_theory holds it against the rule it
 * comes from: a call is relayed if and only if no address family offers both
 * sides UDP without one side's port being unpredictable where the other lets in
 * only the port that it was told (RFC 4787 sections 4.1 and 5).
 */
#include "harness/scenarios/theory.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* Kinds that behave alike towards the other side share a letter. */
static const struct {
	const char *kind;
	char letter;
} letters[] = {
    {"none", 'O'},      /* open */
    {"full-cone", 'F'}, /* lets in any port of who was sent to, or more */
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
    {"nat64", 'N'}, /* V, whose way to IPv4 is translated */
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

/* How a side reaches the relay: the first that passes of udp, tcp, tls. Every port speaks
 * everything, so TURN over plain TCP passes where only port 443 does. */
static const char *relay_protocol(char letter)
{
	return strchr("UTX", letter) ? "tcp" : "udp";
}

static char letter_of(const struct nat_kind *kind)
{
	for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++) {
		if (strcmp(letters[i].kind, kind->name) == 0)
			return letters[i].letter;
	}
	return '\0';
}

int theory_expect(const struct nat_kind *a, const struct nat_kind *b, struct call_expect *out)
{
	char la = letter_of(a), lb = letter_of(b);

	if (!la || !lb)
		return -E_NOTFOUND;
	*out = (struct call_expect){.path = PATH_DIRECT};
	if (path[strchr(order, la) - order][strchr(order, lb) - order] == 'r') {
		out->path = PATH_RELAY;
		out->relay_protocol[0] = relay_protocol(la);
		out->relay_protocol[1] = relay_protocol(lb);
	}
	return 0;
}

const char *theory_text(const struct call_expect *e, char *buf, size_t size)
{
	if (e->path == PATH_DIRECT)
		snprintf(buf, size, "direct");
	else if (e->relay_protocol[0] && e->relay_protocol[1])
		snprintf(buf, size, "relayed, a over %s, b over %s", e->relay_protocol[0],
		         e->relay_protocol[1]);
	else
		snprintf(buf, size, "relayed");
	return buf;
}
