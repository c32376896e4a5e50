/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Many allocations, each with a peer: packets that carry when they left go
 * through the server and come out on the other side.
 */
#ifndef LOAD_FLOWS_H
#define LOAD_FLOWS_H

#include "harness/load/client.h"
#include "harness/load/load.h"

#define FLOW_STAMP 12 /* bytes at the start of a payload: ours, and when it left */

struct flow {
	struct client client;
	int peer_fd; /* connected to the relayed address; -1: the peer is a client, too */
	struct addr peer;
};

struct flows {
	const struct load *load;
	struct flow *flow;
	size_t n;
	int epoll;
};

/* Called for each packet that comes out. */
typedef void flow_fn(void *arg, uint64_t sent_ns);

/* Allocations, permissions, channels. Errors as of the client's. */
int flows_open(struct flows *f, const struct load *l, struct why *why);
void flows_close(struct flows *f);

/* Sends a payload of so many bytes into flow i, from its client or its peer. False when the system
 * did not take it. */
bool flows_send(struct flows *f, size_t i, bool from_peer, size_t size, uint64_t now_ns);

/* Takes what has come, waiting up to wait_ms for the first. How many packets. */
size_t flows_take(struct flows *f, int wait_ms, flow_fn *fn, void *arg);

#endif
