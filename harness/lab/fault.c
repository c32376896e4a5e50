/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Faults and link conditions: an nft table of their own on the router, so that
 * the NAT's tables and mappings stay as they are; tc for the rate.
 */
#include "harness/lab/inside.h"
#include "harness/lab/proc.h"

#include <stdio.h>
#include <string.h>

/* Neighbour discovery is spared: it is the wire's own affair, as ARP is. */
#define SPARE_ND "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; "

/* iptables' table is removed as well; nft's own `queue` is not in every kernel. */
#define HEAD                                                                                       \
	"table inet fault\ndelete table inet fault\n"                                              \
	"table ip mangle\ndelete table ip mangle\n"                                                \
	"table ip6 mangle\ndelete table ip6 mangle\n"

static int load(struct lab *lab, enum lab_side side, struct why *why)
{
	const struct side *s = &lab->side[side];
	const char *argv[] = {"nft", "-f", "-", NULL};
	char rules[2048], drop[64] = "";
	int n;

	if (s->bent.cut)
		snprintf(drop, sizeof(drop), "drop;");
	else if (s->bent.link.loss_percent > 0)
		snprintf(drop, sizeof(drop), "numgen random mod 100 < %u drop;",
		         s->bent.link.loss_percent);
	n = snprintf(
	    rules, sizeof(rules),
	    HEAD "table inet fault {\n"
	         "chain forw { type filter hook forward priority -10; policy accept; %s }\n"
	         "chain in { type filter hook prerouting priority -310; policy accept; "
	         "%s iifname \"wan\" %s }\n"
	         "chain out { type filter hook postrouting priority 350; policy accept; "
	         "%s oifname \"wan\" %s }\n"
	         "}\n",
	    s->bent.udp_blocked ? "meta l4proto udp drop;" : "", drop[0] ? SPARE_ND : "",
	    drop[0] ? drop : "accept;", drop[0] ? SPARE_ND : "", drop[0] ? drop : "accept;");
	if (n < 0 || (size_t)n >= sizeof(rules))
		return why_set(why, -E_ROOM, "fault rules too long");
	return net_run(argv, s->router_ns, "nftables", rules, why);
}

/* Reloading takes the delay's rules away; they are put back. */
static int load_delay_rules(const struct side *s, struct why *why)
{
	static const char rules[] = "*mangle\n"
	                            "-A POSTROUTING -o wan -j NFQUEUE --queue-num 1\n"
	                            "-A PREROUTING -i wan -j NFQUEUE --queue-num 2\n"
	                            "COMMIT\n";
	const char *v4[] = {"iptables-nft-restore", "--noflush", NULL};
	const char *v6[] = {"ip6tables-nft-restore", "--noflush", NULL};
	int err;

	if (s->helpers.delay <= 0)
		return 0;
	err = net_run(v4, s->router_ns, "iptables", rules, why);
	return err == 0 ? net_run(v6, s->router_ns, "iptables", rules, why) : err;
}

static int reload(struct lab *lab, enum lab_side side, struct why *why)
{
	int err = load(lab, side, why);

	return err == 0 ? load_delay_rules(&lab->side[side], why) : err;
}

int lab_block_udp(struct lab *lab, enum lab_side side, bool on, struct why *why)
{
	side = lab_router_side(lab, side);
	lab->side[side].bent.udp_blocked = on;
	return reload(lab, side, why);
}

int lab_cut_link(struct lab *lab, enum lab_side side, bool on, struct why *why)
{
	side = lab_router_side(lab, side);
	lab->side[side].bent.cut = on;
	return reload(lab, side, why);
}

/* Upstream leaves by "wan", downstream by "lan". */
static int set_rate(const struct side *s, unsigned before_kbit, unsigned kbit, struct why *why)
{
	const char *argv[] = {"tc", "-batch", "-", NULL};
	unsigned burst = kbit * 1000 / 8 / 100; /* 10 ms, and at least two packets */
	char script[256];

	if (before_kbit == kbit)
		return 0;
	if (kbit == 0)
		snprintf(script, sizeof(script),
		         "qdisc del dev wan root\nqdisc del dev lan root\n");
	else
		snprintf(script, sizeof(script),
		         "qdisc replace dev wan root tbf rate %ukbit burst %u latency 300ms\n"
		         "qdisc replace dev lan root tbf rate %ukbit burst %u latency 300ms\n",
		         kbit, burst < 3000 ? 3000 : burst, kbit, burst < 3000 ? 3000 : burst);
	return net_run(argv, s->router_ns, "iproute2", script, why);
}

int lab_set_link(struct lab *lab, enum lab_side side, const struct lab_link *link, struct why *why)
{
	struct side *s = &lab->side[lab_router_side(lab, side)];
	struct lab_link before = s->bent.link;
	pid_t old = s->helpers.delay;
	int err;

	if (link->loss_percent > 100)
		return why_set(why, -E_INVAL, "a link cannot lose %u %% of its packets",
		               link->loss_percent);
	if (!memcmp(&before, link, sizeof(before)))
		return 0;
	s->bent.link = *link;
	s->helpers.delay = 0;
	err = load(lab, lab_router_side(lab, side), why); /* without a queue */
	proc_stop(old, 0);
	if (err == 0)
		err = set_rate(s, before.rate_kbit, link->rate_kbit, why);
	if (err == 0 && link->delay_ms + link->jitter_ms > 0)
		err = delay_start(s->router_ns, link, &s->helpers.delay, why);
	return err == 0 ? load_delay_rules(s, why) : err;
}
