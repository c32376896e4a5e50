/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The watch: sees every datagram that reaches or leaves a server, keeps its own
 * ledger of what the RFCs make of it, and says what must come of each. It shares no
 * code with the servers.
 */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "harness/sim/sim.h"

#define WATCH_PACKET_MAX 1600

struct watch_hub;
struct watch_node;
struct watch_tcp;

/* A server's output. --break changes it. */
struct watch_sent {
	const uint8_t *data;
	size_t len;
	struct ep to;
	unsigned int times;
	uint32_t delay_ms;
};

/* copy: WATCH_PACKET_MAX bytes that sent->data may point into afterwards. Senders that are no
 * servers are ignored. */
void watch_sent(struct sim *s, struct ep from, struct watch_sent *sent, uint8_t *copy);
void watch_arrives(struct sim *s, struct ep from, struct ep to, const uint8_t *data, size_t len);
void watch_handled(struct sim *s);

/* For a node that has just started; it ends with the node. NULL when out of memory. */
struct watch_node *watch_node_new(struct sim *s, struct node *node);
void watch_node_free(struct watch_node *w);
/* Its ledger of TCP allocations. */
struct watch_tcp *watch_node_tcp(struct watch_node *w);
/* Each second: do its counts agree with the ledger? */
void watch_node_tick(struct watch_node *w);
/* The server has ended the client's stream, and the allocation with it. */
void watch_node_closed(struct watch_node *w, struct ep client);

/* watch_turn.c */
void watch_turn_arrives(struct watch_node *w, struct ep from, struct ep to, const uint8_t *data,
                        size_t len);
void watch_turn_sent(struct watch_node *w, struct ep from, struct watch_sent *sent, uint8_t *copy);
void watch_turn_handled(struct watch_node *w);

/* watch_hub.c */
struct watch_hub *watch_hub_new(struct sim *s);
void watch_hub_free(struct watch_hub *w);
void watch_hub_arrives(struct watch_hub *w, struct ep from, const uint8_t *data, size_t len);
void watch_hub_sent(struct watch_hub *w, struct watch_sent *sent);
void watch_hub_handled(struct watch_hub *w);

#endif
