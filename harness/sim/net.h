/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The virtual network: homes with their NATs, carriers in front of some, links
 * that lose, delay, duplicate and reorder. It is the wire of the environment.
 *
 *   host 10.H.H.k ── NAT 20.h ──────────── internet ── node 5.0.0.n
 *   host 10.H.H.k ── NAT 100.64.h ── carrier 21.0.0.c ──┘
 *   host 30.h (an address of its own)
 *   127.x: reliable streams (TURN over TCP, WebSocket): in order, with delay; those of TCP are cut
 *   anywhere
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "harness/sim/nat.h"
#include "harness/sim/sim.h"

struct carrier;

struct home_kind {
	const char *name;
	struct nat_behaviour behaviour;
	enum { NO_CARRIER, CARRIER_HAIRPIN, CARRIER_PLAIN, CARRIER_FEW_PORTS } carrier;
	unsigned int weight;
};

struct home {
	const struct home_kind *kind;
	struct nat_behaviour behaviour; /* of what is between it and the internet, all together */
	struct sim_nat nat;
	struct carrier *carrier; /* or NULL */
	uint32_t index;
	uint32_t hosts;
	uint32_t delay_ms;
};

/* With homes for that many agents. NULL when out of memory. Sets itself as the environment's
 * wire. */
struct sim_net *sim_net_new(struct sim *s, uint32_t agents);
void sim_net_free(struct sim_net *n); /* NULL is legal */

/* The home of an agent, and the address that the agent has in it. */
struct home *sim_net_place(struct sim_net *n, uint32_t agent, uint32_t *ip);

/* Between agents in these two homes, by theory. */
bool sim_net_direct(const struct home *a, const struct home *b);

/* The routers of the home forget their mappings. */
void sim_net_rebind(struct home *h);

/* Did a NAT on the home's way lack a port since then? */
bool sim_net_exhausted(const struct home *h, uint64_t since_ms);

/* Addresses of streams: the ends at agents and nodes. */
struct ep sim_net_stream_client(uint32_t agent);
struct ep sim_net_stream_node(unsigned int node);
struct ep sim_net_web_client(uint32_t agent);
struct ep sim_net_web_hub(void);
bool sim_net_is_stream(struct ep e);
uint32_t sim_net_node_ip(unsigned int node);

/* A host in the internet that listens on TCP at ports from SIM_PEER_PORT. Lower ports are closed;
 * at SIM_PEER_SILENT, nothing answers. */
#define SIM_PEER_SILENT 1
#define SIM_PEER_CLOSED 2
#define SIM_PEER_PORT   4000
struct ep sim_net_tcp_peer(uint32_t number, uint16_t port);
bool sim_net_is_deaf_peer(struct ep e);

/* A host in the internet that only sends. */
struct ep sim_net_flooder(void);

#endif
