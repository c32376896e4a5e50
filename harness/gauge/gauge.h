/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The gauge: a TURN client that measures a relay beside a call. A few
 * allocations of its own carry numbered datagrams to a peer and back (RFC 8656
 * section 12), some over each transport. Far cheaper than a browser, and exact:
 * what is lost, doubled, changed or late is known by number.
 *
 * Beside them runs an echo that never leaves this process: whatever is slow
 * there is the machine, not the relay.
 */
#ifndef GAUGE_GAUGE_H
#define GAUGE_GAUGE_H

#include "base/error.h"
#include "harness/report/result.h"

#include <stdbool.h>
#include <sys/types.h>

enum gauge_leg { GAUGE_UDP, GAUGE_TCP, GAUGE_LEGS };

#define GAUGE_FLOWS 10

struct gauge_options {
	char ip[48];               /* the server's, IPv4 */
	unsigned port[GAUGE_LEGS]; /* 0: it does not serve this transport */
	char user[256], password[256];
	char peer_ip[48]; /* this host's own address, as the server reaches it */
	int server_ns;    /* the server's network namespace (borrowed), or -1 */
	pid_t server_pid; /* 0: unknown */
};

/* The fate of the datagrams of one transport. Each went to the peer and back. */
struct gauge_passage {
	unsigned flows;
	unsigned sent; /* over ports that passed anything at all */
	unsigned lost; /* neither came back nor came back changed */
	unsigned doubled, changed;
	/* There and back, in ms: three of four take longer; one of ten does. */
	double quick_ms, slow_ms;
};

struct gauge_facts {
	bool ran;          /* false: there was nothing to measure */
	char refused[160]; /* what the server refused at the start, "Allocate: error 486"; or "" */
	char renewal[160]; /* the same, of what keeps an allocation alive; or "" */
	char release[160]; /* the same, of the Refresh of 0; or "" */
	struct gauge_passage passage[GAUGE_LEGS];
	double echo_quick_ms, echo_slow_ms; /* as above, of the echo in this process */
	/* The longest time in which nothing came back, as far as the echo does not explain it. */
	double gap_ms;
	double gap_echo_ms;   /* the echo's own longest gap meanwhile */
	double gap_waited_ms; /* meanwhile the server waited for a core; 0: unknown */
	unsigned overflows;   /* datagrams that full sockets of the server's host refused */
	unsigned ports, deaf; /* relayed ports; those that passed nothing */
	unsigned deaf_port;   /* one of them */
	unsigned deaf_odd;    /* how many of them are odd */
};

struct gauge;

/* Starts to measure, in a thread of its own. Copies the options. NULL if out of memory. */
struct gauge *gauge_start(const struct gauge_options *opt);

/* Ends it, gives its allocations back, and tells what it saw. Frees; NULL is legal: *facts then
 * says that nothing ran. */
void gauge_stop(struct gauge *g, struct gauge_facts *facts);

/* Notes measures, and a failure for every limit that the relay breaks; inconclusive where the
 * machine may have been the cause. Pure. */
void gauge_judge(const struct gauge_facts *f, struct result *r);

#endif
