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
	struct load_client client;
	struct link link; /* of the peer, to the relayed address; none: the peer is a client, too */
	struct addr peer;
	bool waits;   /* for flows_take() to send what its client wrote */
	bool watched; /* until its connection takes more */
};

struct flows {
	const struct load *load;
	struct flow *flow;
	size_t n;
	int epoll;
	uint32_t *waiting; /* flows, each once */
	size_t waiting_n;
	bool closed; /* the server has closed a connection */
};

/* Called for each packet that comes out. */
typedef void flow_fn(void *arg, uint64_t sent_ns);

/* Allocations, permissions, channels. Errors as of the client's. */
int flows_open(struct flows *f, const struct load *l, enum link_transport t, struct why *why);
void flows_close(struct flows *f);

/* Sends a payload of so many bytes into flow i, from its client or its peer; over a stream with the
 * next flows_take(). False when the system did not take it, or the connection takes no more. */
bool flows_send(struct flows *f, size_t i, bool from_peer, size_t size, uint64_t now_ns);

/* Takes what has come, waiting up to wait_ms for the first. How many packets. Look at f->closed. */
size_t flows_take(struct flows *f, int wait_ms, flow_fn *fn, void *arg);

#endif
