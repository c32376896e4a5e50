/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The simulator: the TURN core and the hub, as they are, on a virtual network
 * and virtual time, with thousands of clients behind modelled NATs. The same
 * seed gives the same run, event by event. This header is what its files share.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/addr.h"
#include "base/env_virtual.h"
#include "turn/wire/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SIM_REALM      "sim.example"
#define SIM_NODES_MAX  16
#define SIM_USER_QUOTA 10 /* allocations of a user on a node */

/* The checks, and their names in reports. */
#define SIM_INVARIANT_TABLE(X)                                                                     \
	X(PERMISSION, "permission", "packets pass with a permission, and only then")               \
	X(CHANNEL, "channel", "a channel leads to its own peer only, for ten minutes")             \
	X(PAYLOAD, "payload", "relayed data arrive unchanged")                                     \
	X(PEER, "peer", "relayed data arrive once, at the right address")                          \
	X(LIFETIME, "lifetime", "an allocation lives exactly as long as its response says")        \
	X(PORT, "port", "one allocation has a port; EVEN-PORT is even and reserves the next")      \
	X(QUOTA, "quota", "a user has no more and no fewer allocations than the quota allows")     \
	X(LEAK, "leak", "ended allocations release their ports and quota")                         \
	X(MEMORY, "memory", "all memory is free again after the run")                              \
	X(COUNTER, "counter", "packets in = relayed + dropped by a named reason")                  \
	X(REPLY, "reply", "responses are well-formed, signed, and right for the request")          \
	X(CAUSE, "cause", "every request gets a response; every refusal has a cause")              \
	X(HUB_ONCE, "hub-once", "the hub delivers a message once, unchanged, to its target")       \
	X(HUB_ORDER, "hub-order", "messages from one client to another keep their order")          \
	X(HUB_GONE, "hub-gone", "if a client disconnects, the hub tells its partner")              \
	X(FRAMING, "framing", "messages arrive from a stream once, whole and in order")            \
	X(BACKLOG, "backlog", "a client that does not read costs no more than its backlog")        \
	X(DELAY, "delay", "a client that does not read delays no other client")                    \
	X(DATA, "data", "bytes of a data connection arrive once and in order, or it closes")       \
	X(JOINED, "joined", "connections are bound once or closed in time; both ends close")       \
	X(THEORY, "theory", "a direct path exists exactly where RFC 4787 says so")                 \
	X(THROUGH, "through", "every call connects, and recovers after a fault")

enum sim_invariant {
#define X(name, text, what) SIM_##name,
	SIM_INVARIANT_TABLE(X)
#undef X
	    SIM_INVARIANTS
};

/* The faults of --break, so that a test sees each check fire. */
#define SIM_BREAK_TABLE(X)                                                                         \
	X(NONE, "none")                                                                            \
	X(PERMISSION_EXPIRY, "permission-expiry")                                                  \
	X(CHANNEL_EXPIRY, "channel-expiry")                                                        \
	X(PAYLOAD_BIT, "payload-bit")                                                              \
	X(WRONG_PEER, "wrong-peer")                                                                \
	X(RELAYED_TWICE, "relayed-twice")                                                          \
	X(EARLY_DEATH, "early-death")                                                              \
	X(LATE_DEATH, "late-death")                                                                \
	X(SHARED_PORT, "shared-port")                                                              \
	X(ODD_PORT, "odd-port")                                                                    \
	X(QUOTA_OVERRUN, "quota-overrun")                                                          \
	X(LOST_RELEASE, "lost-release")                                                            \
	X(LOST_BYTES, "lost-bytes")                                                                \
	X(UNCOUNTED, "uncounted")                                                                  \
	X(UNSIGNED, "unsigned")                                                                    \
	X(NO_CHANNELS, "no-channels")                                                              \
	X(NO_PERMISSIONS, "no-permissions")                                                        \
	X(STALE_NONCES, "stale-nonces")                                                            \
	X(STRANGERS, "strangers")                                                                  \
	X(FEW_PORTS, "few-ports")                                                                  \
	X(SMALL_QUOTA, "small-quota")                                                              \
	X(SILENCE, "silence")                                                                      \
	X(WARM_UP, "warm-up")                                                                      \
	X(HUB_TWICE, "hub-twice")                                                                  \
	X(HUB_MISROUTE, "hub-misroute")                                                            \
	X(HUB_SWAP, "hub-swap")                                                                    \
	X(HUB_SILENT, "hub-silent")                                                                \
	X(STREAM_LOST, "stream-lost")                                                              \
	X(STREAM_TWICE, "stream-twice")                                                            \
	X(LOST_STREAM_END, "lost-stream-end")                                                      \
	X(UNCOUNTED_STREAM, "uncounted-stream")                                                    \
	X(BACKLOG_OVERRUN, "backlog-overrun")                                                      \
	X(SLOW_UNCOUNTED, "slow-uncounted")                                                        \
	X(SLOW_FOR_ALL, "slow-for-all")                                                            \
	X(DATA_BYTE, "data-byte")                                                                  \
	X(DATA_LOST, "data-lost")                                                                  \
	X(HALF_OPEN, "half-open")                                                                  \
	X(UNBOUND_EARLY, "unbound-early")                                                          \
	X(STRANGER_JOINS, "stranger-joins")                                                        \
	X(CONNECT_UNANSWERED, "connect-unanswered")                                                \
	X(UNCOUNTED_BYTES, "uncounted-bytes")                                                      \
	X(OTHER_NAT, "other-nat")                                                                  \
	X(DEAF, "deaf")

enum sim_break {
#define X(name, text) BREAK_##name,
	SIM_BREAK_TABLE(X)
#undef X
	    BREAKS
};

struct sim_conf {
	uint64_t seed;
	uint32_t allocations; /* to be made */
	uint32_t calls;       /* at most; 0: as many as the allocations need */
	uint32_t hours_milli; /* virtual time in which the calls start */
	uint32_t loss_ppm;    /* of every datagram outside of a home */
	uint32_t rate_mhz;    /* media packets of a call, each way, in a thousand seconds */
	unsigned int nodes;
	uint32_t mishaps; /* times as many as usual */
	enum sim_break broken;
	bool trace;          /* print every event */
	uint32_t trail_call; /* keep the events of this call; 0: none */
};

/* IPv4 only: compact and comparable. */
struct ep {
	uint32_t ip;
	uint16_t port, zero;
};

static inline struct ep ep_of(const struct addr *a)
{
	return (struct ep){ntohl(a->in.sin_addr.s_addr), ntohs(a->in.sin_port), 0};
}

static inline struct addr ep_addr(struct ep e)
{
	uint32_t ip = htonl(e.ip);
	struct addr a;

	addr_from_bytes(&a, &ip, 4, e.port);
	return a;
}

static inline bool ep_equal(struct ep a, struct ep b)
{
	return a.ip == b.ip && a.port == b.port;
}

/* Counts for the summary. */
struct sim_counts {
	uint64_t calls, direct, one_relay, two_relays, restarts;
	uint64_t allocations, packets, lost, duplicated, filtered, exhausted;
	uint64_t relayed, hub_messages, crashes, rebinds, node_restarts;
	uint64_t streams, slow, slow_drops, tcp_calls, tcp_connections, tcp_bytes;
	uint64_t checked[SIM_INVARIANTS], broken[SIM_INVARIANTS];
};

struct sim_trail {
	char (*line)[160];
	size_t n; /* of all; the last SIM_TRAIL_MAX are there */
};

#define SIM_TRAIL_MAX 400

struct agent;
struct call;
struct tc;
struct home;
struct node;
struct sim_hub;
struct sim_net;
struct slow;
struct tcp_call;
struct watch_node;

struct sim {
	struct sim_conf conf;
	struct env *env;
	uint64_t chance;
	uint64_t hash; /* over all events */
	struct sim_counts counts;
	struct sim_net *net;
	struct node *node; /* conf.nodes of them */
	struct sim_hub *hub;
	struct agent *agent;
	uint32_t agents;
	struct call *calls;         /* that go on */
	struct tcp_call *tcp_calls; /* RFC 6062 */
	uint32_t tcp_peers;         /* of them, so far */
	struct slow *slow;          /* clients that do not read */
	struct tc *clients;         /* all TURN clients, those that wait for a last answer too */
	uint32_t last_call;         /* number */
	uint32_t starts;            /* of nodes */
	uint16_t stream_port;       /* the last that a client's stream went out from */
	bool over;                  /* no more calls are started */
	struct wire wire;           /* scratch */
	struct watch_node *at_work; /* its datagram is being handled */
	uint32_t broken_call;       /* of the first broken invariant; 0: of none */
	uint64_t broken_ms;         /* when; 0: none is broken */
	uint64_t begin_ms, virtual_ms;
	uint64_t stop_ms; /* a replay ends here; 0: it does not */
	struct sim_trail trail;
};

static inline uint64_t sim_now(const struct sim *s)
{
	return env_now_ms(s->env);
}

/* A number below sides; chance of the world, not of the programs in it. */
uint32_t sim_dice(struct sim *s, uint32_t sides);
/* True once in a million times ppm. */
bool sim_chance(struct sim *s, uint32_t ppm);

/* An event: goes into the hash, and into the trail when it is wanted. call may be 0. */
void sim_note(struct sim *s, uint32_t call, const char *what, struct ep from, struct ep to,
              uint32_t n);

/* Counts a check of an invariant; when it does not hold, says so with the explanation. Returns
 * holds. */
__attribute__((format(printf, 5, 6))) bool
sim_check(struct sim *s, enum sim_invariant i, bool holds, uint32_t call, const char *fmt, ...);
const char *sim_invariant_name(enum sim_invariant i);
const char *sim_invariant_text(enum sim_invariant i);
const char *sim_break_name(enum sim_break b);

/* sim.c: a whole run. 0, or -E_NOMEM. The trail of conf->trail_call is printed, if any. */
int sim_run(const struct sim_conf *conf, uint64_t stop_ms, struct sim *out);

void sim_print_trail(const struct sim *s);

/* The call that a datagram belongs to, as its sender wrote it into it; 0: not known. */
uint32_t sim_call_of(const uint8_t *data, size_t len);

#endif
