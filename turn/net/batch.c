/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One buffer for all connections of a worker. Each message keeps its own TLS record: a receiver on
 * a slow line need not wait for the messages behind it.
 */
#include "turn/net/batch.h"

#include "base/error.h"
#include "turn/framing.h"

#include <string.h>

/* All but the last with the kernel's promise of more, so that it makes one of them. */
static ssize_t write_records(struct net_io *io, const uint8_t *data, size_t len)
{
	size_t at = 0, frame;

	while (at < len) {
		ssize_t n;

		if (turn_frame_len(data + at, len - at, &frame) || frame > len - at)
			frame = len - at;
		io->more = at + frame < len;
		n = net_io_write(io, data + at, frame);
		io->more = false;
		if (n < 0)
			return n;
		at += (size_t)n;
		if ((size_t)n < frame)
			break;
	}
	return (ssize_t)at;
}

static void flush(struct net_batch *b)
{
	struct net_io *io = b->io;
	ssize_t n;

	if (!io)
		return;
	b->io = NULL;
	n = io->ssl ? write_records(io, b->data, b->len) : net_io_write(io, b->data, b->len);
	if (n >= 0 && !net_queue_add(b->queue, b->data + n, b->len - (size_t)n))
		return;
	io->failed = true;
	net_io_kick(io);
}

static void on_turn_end(void *arg)
{
	flush(arg);
}

int net_batch_init(struct net_batch *b, struct env *env)
{
	b->io = NULL;
	b->turn_end = env_timer_new(env, on_turn_end, b);
	return b->turn_end ? 0 : -E_NOMEM;
}

void net_batch_free(struct net_batch *b)
{
	env_timer_free(b->turn_end);
	b->turn_end = NULL;
}

bool net_batch_add(struct net_batch *b, struct net_io *io, struct net_queue *queue,
                   const uint8_t *message, size_t len, size_t max)
{
	size_t room = max < sizeof(b->data) ? max : sizeof(b->data);

	if (b->io && (b->io != io || b->len + len > room))
		flush(b);
	if (len > room || queue->len || io->failed)
		return false;
	if (!b->io) {
		b->io = io;
		b->queue = queue;
		b->len = 0;
		env_timer_soon(b->turn_end);
	}
	memcpy(b->data + b->len, message, len);
	b->len += len;
	return true;
}

void net_batch_flush(struct net_batch *b, const struct net_io *io)
{
	if (b->io == io)
		flush(b);
}
