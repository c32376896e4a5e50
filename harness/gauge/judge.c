/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The limits of a relay, and the sentence for each. A limit of time is relative
 * to the echo of this process, which had the same machine.
 */
#include "harness/gauge/gauge.h"

#include <stdio.h>

#define SENT_LEAST    60    /* fewer tell nothing */
#define LOST_LEAST    3     /* datagrams */
#define LOST_PART     0.005 /* one in two hundred, there and back */
#define DOUBLED_LEAST 2
#define QUICK_MS      60  /* there and back, for three of four */
#define SLOW_MS       200 /* for nine of ten */
#define ECHO_TIMES    4   /* so many threads are woken where the echo wakes one */
#define GAP_MS        450
#define EXPLAINED     3 /* the part of a gap in which the server waited for a core, at least */

static const char *const over[GAUGE_LEGS] = {"UDP", "TCP"};

static double greater(double a, double b)
{
	return a > b ? a : b;
}

static void check_refused(const struct gauge_facts *f, struct result *r)
{
	if (f->refused[0])
		result_fail(r,
		            "The relay should serve the harness's own TURN client, but did not: "
		            "%s; most likely: it is at a limit, or does not answer. Look at: the "
		            "server's log, and its quotas and ports.",
		            f->refused);
	if (f->renewal[0])
		result_fail(
		    r,
		    "The relay should refresh live allocations, but did not: %s; most likely: it "
		    "refuses Refresh requests, so that every call ends with its first "
		    "lifetime, or restarts ICE repeatedly. Look at: the server's log.",
		    f->renewal);
	else if (f->release[0])
		result_fail(r,
		            "The relay should delete an allocation (Refresh with lifetime 0), "
		            "but did not: %s; most likely: allocations and ports stay until they "
		            "expire. Look at: the server's log.",
		            f->release);
}

static void check_deaf(const struct gauge_facts *f, struct result *r)
{
	const char *which = f->deaf_odd == f->deaf ? "odd" : f->deaf_odd == 0 ? "even" : "mixed";

	if (f->deaf == 0)
		return;
	if (f->deaf == f->ports)
		result_fail(r,
		            "Datagrams should pass the relay, but none came back on any of %u "
		            "relayed ports; most likely: it makes allocations, but does not relay "
		            "(permissions, channels, the peer policy, a firewall). Look at: denied "
		            "peers in the server's log.",
		            f->ports);
	else
		result_fail(
		    r,
		    "Each relayed port should pass datagrams, but %u of %u pass none (%s "
		    "port numbers, such as %u); most likely: a firewall closes a part of the "
		    "relay's ports. Look at: the firewall, and the range of relay ports.",
		    f->deaf, f->ports, which, f->deaf_port);
}

static void check_content(const struct gauge_passage *p, const char *leg, struct result *r)
{
	if (p->changed > 0)
		result_fail(
		    r,
		    "The relay should pass datagrams unchanged, but %u of %u arrived changed "
		    "over %s; most likely: the relay corrupts payloads. Look at: its "
		    "buffers, and the network before it.",
		    p->changed, p->sent, leg);
	if (p->doubled >= DOUBLED_LEAST)
		result_fail(
		    r,
		    "The relay should pass each datagram once, but %u of %u arrived twice "
		    "over %s; most likely: the relay, or the network before it, doubles them. "
		    "Look at: a capture on both sides of the server.",
		    p->doubled, p->sent, leg);
}

static void check_loss(const struct gauge_facts *f, const struct gauge_passage *p, const char *leg,
                       struct result *r)
{
	if (p->lost < LOST_LEAST || p->lost < LOST_PART * p->sent)
		return;
	result_fail(r,
	            "The relay should lose nothing on a network that loses nothing, but lost %u "
	            "of %u datagrams (%.1f %%) over %s; most likely: the relay drops packets. "
	            "Look at: its counters of drops, its bandwidth limits, and the sockets of its "
	            "host.",
	            p->lost, p->sent, 100.0 * p->lost / p->sent, leg);
	/* A process without a core does not read its sockets; one that hangs, neither. */
	if (f->overflows * 2 >= p->lost && f->gap_waited_ms * EXPLAINED >= f->gap_ms)
		result_inconclusive(r,
		                    "The machine was too busy to judge: full sockets lost %u "
		                    "datagrams, while the server waited for a core.",
		                    f->overflows);
}

static bool has_paused(const struct gauge_facts *f)
{
	return f->gap_ms - f->gap_echo_ms >= GAP_MS;
}

static void check_delay(const struct gauge_facts *f, const struct gauge_passage *p, const char *leg,
                        struct result *r)
{
	double quick_limit = QUICK_MS + ECHO_TIMES * f->echo_quick_ms;
	double slow_limit = SLOW_MS + ECHO_TIMES * f->echo_slow_ms;

	if (p->quick_ms > quick_limit)
		result_fail(r,
		            "The relay should pass datagrams there and back within %.0f ms, but "
		            "three of four took longer than %.0f ms over %s, while an echo beside "
		            "it took %.1f ms; most likely: the relay delays packets. Look "
		            "at: its queues and bandwidth limits.",
		            quick_limit, p->quick_ms, leg, f->echo_quick_ms);
	else if (p->slow_ms > slow_limit && !has_paused(f)) /* which says it better */
		result_fail(r,
		            "Nine of ten datagrams should pass the relay there and back within "
		            "%.0f ms, but one of ten took longer than %.0f ms over %s, while an "
		            "echo beside it took %.1f ms; most likely: the relay delays some "
		            "packets. Look at: its queues, and the other work of its threads.",
		            slow_limit, p->slow_ms, leg, f->echo_slow_ms);
}

static void check_gap(const struct gauge_facts *f, struct result *r)
{
	if (!has_paused(f))
		return;
	result_fail(r,
	            "The relay should pass datagrams all the time, but none arrived for %.0f ms, "
	            "while an echo beside it never paused for more than %.0f ms; most likely: the "
	            "server hung or restarted. Look at: its log at that time.",
	            f->gap_ms, f->gap_echo_ms);
	if (f->gap_waited_ms * EXPLAINED >= f->gap_ms)
		result_inconclusive(
		    r,
		    "The machine was too busy to judge: the server waited for a core "
		    "for %.0f ms of %.0f ms.",
		    f->gap_waited_ms, f->gap_ms);
}

static void note_measures(const struct gauge_facts *f, struct result *r)
{
	const struct gauge_passage *u = &f->passage[GAUGE_UDP], *t = &f->passage[GAUGE_TCP];
	unsigned sent = u->sent + t->sent;

	if (sent == 0)
		return;
	result_measure(r, "relay_round_trip", greater(u->quick_ms, t->quick_ms), "ms");
	result_measure(r, "relay_gap", f->gap_ms, "ms");
	result_measure(r, "relay_loss", 100.0 * (u->lost + t->lost) / sent, "%");
}

void gauge_judge(const struct gauge_facts *f, struct result *r)
{
	if (!f->ran)
		return;
	note_measures(f, r);
	check_refused(f, r);
	check_deaf(f, r);
	for (int leg = 0; leg < GAUGE_LEGS; leg++) {
		const struct gauge_passage *p = &f->passage[leg];

		check_content(p, over[leg], r);
		if (p->sent < SENT_LEAST)
			continue;
		check_loss(f, p, over[leg], r);
		check_delay(f, p, over[leg], r);
	}
	if (f->passage[GAUGE_UDP].sent + f->passage[GAUGE_TCP].sent >= SENT_LEAST)
		check_gap(f, r);
}
