/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The servers of the simulation: TURN nodes, each with a core, ports, quota and
 * policy of its own and nothing in common but the users' secrets; and the host
 * of the hub.
 */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "harness/sim/sim.h"
#include "turn/turn.h"

#define NODE_PORT_MIN         49152
#define NODE_PORT_MAX         65535
#define NODE_LIFETIME_S       600
#define NODE_LIFETIME_MAX_S   3600
#define NODE_NONCE_LIFETIME_S 3600
#define NODE_PERMISSIONS_MAX  64
#define NODE_CHANNELS_MAX     64
#define NODE_CONNECTIONS_MAX  16
#define NODE_BACKLOG_BYTES    16384

struct watch_node;

struct node {
	struct sim *sim;
	unsigned int index;
	struct ep listener;
	struct turn *turn;
	struct turn_ports *ports;
	struct turn_quota *quota;
	struct peer_policy *policy;
	struct net *net;
	struct env_listener *door; /* for TCP */
	size_t links;              /* clients' streams, by the tap's ledger */
	uint32_t start;            /* number of this start among all */
	uint64_t accepted;         /* of all that there were */
	struct watch_node *watch;
};

/* 0 or a code of base/error.h. */
int node_start(struct sim *s, unsigned int index);
void node_stop(struct node *n);
/* The destination of its clients' TCP connections. */
struct ep node_stream_end(const struct node *n);

struct sim_hub *sim_hub_new(struct sim *s);
void sim_hub_free(struct sim_hub *h); /* NULL is legal */
unsigned int sim_hub_members(const struct sim_hub *h);
unsigned int sim_hub_calls(const struct sim_hub *h);
struct watch_hub *sim_hub_watch(const struct sim_hub *h);

#endif
