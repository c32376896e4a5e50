/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Loads for servers that this program has started itself, in its own network namespace: it can
 * reach, and load, no other host.
 */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_USER     "load"
#define LOAD_PASSWORD "only-in-here"
#define LOAD_REALM    "load.test"
#define LOAD_IP       "127.0.0.1"
#define LOAD_PORT     3478
#define LOAD_SIGNAL   8080

enum load_kind {
	LOAD_SATURATED,     /* a window of packets is always under way */
	LOAD_PACED,         /* packets leave by a timetable */
	LOAD_BINDING,       /* Binding requests, a window of them */
	LOAD_CHURN,         /* Allocate, 401, Allocate, Refresh of 0 */
	LOAD_SIGNAL_ROUTED, /* messages from one client of the hub to another */
};

/* A row of the table in main.c. */
struct load {
	const char *name, *what;
	enum load_kind kind;
	size_t flows;     /* allocations, or clients of the hub */
	size_t size;      /* of a payload, bytes; 0: WebRTC's mix of 120 and 1,100 */
	unsigned pps;     /* packets a second of all flows together, both directions */
	unsigned burst;   /* packets of a video frame that leave together */
	bool indications; /* Send and Data instead of ChannelData */
	bool hairpin;     /* the peer is another client of the same server */
};

struct measure {
	uint64_t done; /* packets that came through; transactions; messages */
	uint64_t lost; /* of those that were sent in the same time */
	uint64_t held; /* of those lost: never sent, since socket or connection took no more */
	uint64_t late; /* of a timetable: left a millisecond late, or more */
	double seconds;
	double cpu_us;           /* run time of all threads of the server, for each one done */
	double busy;             /* how much of one core the server ran */
	uint32_t p50_us, p99_us; /* of the way through the server */
	char tls[64];            /* version and cipher, as server.h has them */
};

struct server;

/* Each plays the load for so long, against the server on LOAD_IP. -E_TIMEOUT, -E_CLOSED, -E_DENIED
 * (the server refused: why says what), or want of resources. */
int load_relay(const struct load *l, struct server *s, double seconds, struct measure *m,
               struct why *why);
int load_requests(const struct load *l, struct server *s, double seconds, struct measure *m,
                  struct why *why);

/* Nanoseconds, monotonic. */
uint64_t load_now_ns(void);

#endif
