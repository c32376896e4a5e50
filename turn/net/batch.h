/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Messages for one connection that came up in one turn of the loop leave it
 * together: what is dear is each send(), not each byte. Nothing waits longer
 * than datagrams do, which leave at the turn's end, too.
 */
#ifndef TURN_NET_BATCH_H
#define TURN_NET_BATCH_H

#include "turn/net/io.h"

#define NET_BATCH_BYTES 16384

struct net_batch {
	struct env_timer *turn_end;
	struct net_io *io;       /* whose messages these are; NULL: there are none */
	struct net_queue *queue; /* its queue, which is empty: for what the socket does not take */
	size_t len;
	uint8_t data[NET_BATCH_BYTES];
};

/* 0 or -E_NOMEM. */
int net_batch_init(struct net_batch *b, struct env *env);
void net_batch_free(struct net_batch *b);

/* Takes a whole message, for io whose queue is empty. What others have here is sent first, and what
 * io has where there is no room: look at the queue again. False: it is not taken, since it would be
 * more than max bytes of one connection. io->failed tells an error, soon after which fn is called.
 */
bool net_batch_add(struct net_batch *b, struct net_io *io, struct net_queue *queue,
                   const uint8_t *message, size_t len, size_t max);

/* Sends what io has here. Before it or its queue go elsewhere, or anything else is written to it.
 */
void net_batch_flush(struct net_batch *b, const struct net_io *io);

#endif
