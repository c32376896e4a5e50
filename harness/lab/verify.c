/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The proof, in the same run, that a side is what it claims: a broken lab
 * cannot pass.
 */
#include "harness/lab/inside.h"
#include "harness/lab/probe.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define SHORT_MS 150
#define LONG_MS  1200

static int verify_names(const struct lab *lab, enum lab_side side, struct why *why)
{
	const struct side *s = &lab->side[side];

	for (int v6 = 0; v6 < 2 && lab->names; v6++) {
		int family = v6 ? AF_INET6 : AF_INET;
		const char *want = names_expected(s->kind, family);
		char ip[LAB_IP_MAX] = "no answer";
		struct why ignored;
		int err = names_ask(s->client_ns, LAB_SERVER_NAME, family, LONG_MS, ip, &ignored);

		if (err == -E_NOTFOUND)
			snprintf(ip, sizeof(ip), "none");
		if (strcmp(ip, want ? want : "none") != 0)
			return why_set(why, -E_CORRUPT,
			               "the lab is broken: side %s (NAT kind %s) should find the "
			               "%s address %s for " LAB_SERVER_NAME ", but finds %s",
			               side_plan[side].name, s->kind->name, v6 ? "IPv6" : "IPv4",
			               want ? want : "none", ip);
	}
	return 0;
}

static bool more_silent(const struct nat_behaviour *seen, const struct nat_behaviour *claim)
{
	if (!seen->udp || !claim->udp)
		return claim->udp;
	return seen->filtering > claim->filtering;
}

/* True where what was seen misses something claimed, which may only be late. What was seen too
 * much stays seen. */
static bool may_be_late(const struct nat_claim *seen, const struct nat_claim *claim)
{
	return more_silent(&seen->v4, &claim->v4) || more_silent(&seen->v6, &claim->v6) ||
	       seen->tcp > claim->tcp || (seen->no_ping && !claim->no_ping) ||
	       (claim->rejected && !seen->rejected) || (claim->hairpin && !seen->hairpin) ||
	       (seen->twice && !claim->twice);
}

int lab_verify_nat(struct lab *lab, enum lab_side side, struct why *why)
{
	const struct side *s = &lab->side[side];
	char proxy_ip[LAB_IP_MAX], want[NAT_TEXT_MAX], got[NAT_TEXT_MAX];
	struct probe_target t = {.server_ns = lab->server_ns, .client_ns = s->client_ns};
	struct nat_claim seen;

	if (s->kind->proxy) {
		snprintf(proxy_ip, sizeof(proxy_ip), "%s.1",
		         side_plan[lab_router_side(lab, side)].lan);
		t.proxy_ip = proxy_ip;
	}
	t.nat64 = s->kind->client == NAT_CLIENT_NAT64;
	/* Silence is a verdict here, so it is listened to again with more patience. */
	for (t.patience_ms = SHORT_MS;; t.patience_ms = LONG_MS) {
		int err = probe_nat(&t, &seen, why);

		if (err != 0)
			return err;
		if (nat_claim_equal(&seen, &s->kind->claim))
			return verify_names(lab, side, why);
		if (t.patience_ms == LONG_MS || !may_be_late(&seen, &s->kind->claim))
			break;
	}
	return why_set(why, -E_CORRUPT,
	               "the lab is broken: side %s should be NAT kind %s (%s), but probing found "
	               "%s",
	               side_plan[side].name, s->kind->name,
	               nat_claim_text(&s->kind->claim, want, sizeof(want)),
	               nat_claim_text(&seen, got, sizeof(got)));
}
