/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Messages that are sent on one connection during one turn of the loop leave together, because each
 * send() costs more than each byte. No message waits longer than a datagram, which also leaves at
 * the turn's end.
 */
#ifndef TURN_NET_BATCH_H
#define TURN_NET_BATCH_H

#include "turn/net/io.h"

#define NET_BATCH_BYTES 16384

struct net_batch {
	struct env_timer *turn_end;
	struct net_io *io;       /* the messages' connection; NULL: no messages */
	struct net_queue *queue; /* its queue, empty: takes what the socket refuses */
	size_t len;
	uint8_t data[NET_BATCH_BYTES];
};

/* 0 or -E_NOMEM. */
int net_batch_init(struct net_batch *b, struct env *env);
void net_batch_free(struct net_batch *b);

/* Takes a whole message, for io with an empty queue. First sends the messages of other connections,
 * and io's own when there is no room left: read the queue's state again. False: not taken, because
 * one connection would hold more than max bytes. io->failed reports an error; fn is called soon
 * after it. */
bool net_batch_add(struct net_batch *b, struct net_io *io, struct net_queue *queue,
                   const uint8_t *message, size_t len, size_t max);

/* Sends io's messages. Call it before io or its queue move, and before other writes to io. */
void net_batch_flush(struct net_batch *b, const struct net_io *io);

#endif
