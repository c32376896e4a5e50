/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One end of a data connection (RFC 6062), the client's or its peer's. It writes bytes whose values
 * depend on their place, and checks the other end's.
 */
#ifndef SIM_TCP_END_H
#define SIM_TCP_END_H

#include "harness/sim/node.h"
#include "harness/sim/watch_tcp.h"

struct tcp_end {
	struct sim *sim;
	const struct node *node;
	uint32_t start; /* of the node, when it began */
	uint32_t call;
	int direction;         /* of what it writes: TCP_TO_PEER or TCP_TO_CLIENT */
	struct tcp_end *other; /* it reads the bytes of this end */
	struct env_stream *s;  /* NULL: not there yet, or no more */
	uint32_t salt;         /* of what it writes */
	uint64_t put, goal, got;
	bool deaf;        /* does not read for now */
	bool keeps_open;  /* does not shut at its goal */
	bool shut, ended; /* it has said its end; has heard the other's */
};

/* Takes over the connection fd or, where that is -1, makes one. 0 or a code. */
int tcp_end_open(struct tcp_end *e, int fd, struct ep local, struct ep remote);
void tcp_end_close(struct tcp_end *e);
/* It breaks on the way. */
void tcp_end_reset(struct tcp_end *e);
void tcp_end_set_deaf(struct tcp_end *e, bool deaf);

/* Bytes that pass without the stream: read with the last message, written behind it. */
void tcp_end_take(struct tcp_end *e, const uint8_t *data, size_t len);
size_t tcp_end_give(struct tcp_end *e, uint8_t *data, size_t len);

#endif
