/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients' TCP connections.
 */
#include "harness/sim/stream.h"

#include "base/error.h"
#include "harness/sim/net.h"
#include "harness/sim/node.h"
#include "harness/sim/tap.h"

#include <stdlib.h>

#define PORT_MIN 32768

struct sim_stream {
	struct sim *sim;
	struct env_stream *stream;
	struct tap *tap;
	const struct sim_stream_user *user;
	void *arg;
	struct ep local;
	uint8_t *out; /* that the stream has not taken yet */
	size_t out_len, in_len;
	bool deaf;  /* it does not read */
	bool *gone; /* set for a caller that goes on with it after a call that may close it */
	_Alignas(8) uint8_t in[SIM_STREAM_IN];
};

static void free_stream(struct sim_stream *st)
{
	if (st->gone)
		*st->gone = true;
	free(st->out);
	free(st);
}

void sim_stream_close(struct sim_stream *st)
{
	if (!st)
		return;
	tap_set_stream(st->tap, NULL);
	if (st->sim->conf.broken == BREAK_LOST_STREAM_END)
		env_stream_release(st->stream);
	else
		env_stream_close(st->stream);
	free_stream(st);
}

int sim_stream_release(struct sim_stream *st, uint8_t *ahead, size_t *ahead_len)
{
	int fd;

	tap_set_stream(st->tap, NULL);
	fd = env_stream_release(st->stream);
	memcpy(ahead, st->in, st->in_len);
	*ahead_len = st->in_len;
	free_stream(st);
	return fd;
}

/* Hands over what is whole. False: st is gone. */
static bool cut(struct sim_stream *st)
{
	_Alignas(8) uint8_t message[SIM_STREAM_IN];
	bool gone = false;

	for (;;) {
		size_t len = wire_frame_len(st->in, st->in_len);

		if (!len || len > st->in_len)
			return true;
		memcpy(message, st->in, len);
		st->in_len -= len;
		memmove(st->in, st->in + len, st->in_len);
		tap_got(st->tap, message, len);
		st->gone = &gone;
		st->user->message(st->arg, message, len);
		if (gone)
			return false;
		st->gone = NULL;
	}
}

static bool flush(struct sim_stream *st)
{
	while (st->out_len) {
		ssize_t n = env_stream_write(st->stream, st->out, st->out_len, false);

		if (n == -E_LATER)
			break;
		if (n < 0)
			return false;
		st->out_len -= (size_t)n;
		memmove(st->out, st->out + n, st->out_len);
	}
	return true;
}

static void on_ready(void *arg)
{
	struct sim_stream *st = arg;
	ssize_t n = -E_IO;

	if (flush(st))
		n = st->deaf ? -E_LATER
		             : env_stream_read(st->stream, st->in + st->in_len,
		                               SIM_STREAM_IN - st->in_len);
	if (n == -E_LATER)
		return;
	if (n <= 0) {
		st->user->ended(st->arg, n < 0);
		return;
	}
	st->in_len += (size_t)n;
	cut(st);
}

struct sim_stream *sim_stream_new(struct sim *s, const struct sim_stream_options *o,
                                  const struct sim_stream_user *user, void *arg)
{
	struct sim_stream *st = calloc(1, sizeof(*st));
	struct env_stream_params p = {.fd = -1, .fn = on_ready, .arg = st};

	if (!st)
		return NULL;
	if (++s->stream_port < PORT_MIN)
		s->stream_port = PORT_MIN;
	s->counts.streams++;
	st->sim = s;
	st->user = user;
	st->arg = arg;
	st->local = sim_net_stream_client(o->agent);
	st->local.port = s->stream_port;
	p.local = ep_addr(st->local);
	p.remote = ep_addr(node_stream_end(&s->node[o->node]));
	st->tap = tap_new(s, st->local, o->call);
	if (!st->tap || env_stream_open(s->env, &p, &st->stream)) {
		if (st->tap)
			tap_set_stream(st->tap, NULL);
		free(st);
		return NULL;
	}
	tap_set_stream(st->tap, st->stream);
	return st;
}

void sim_stream_append(struct sim_stream *st, const uint8_t *data, size_t len)
{
	uint8_t *grown = realloc(st->out, st->out_len + len);

	if (!grown)
		abort(); /* it would look like a fault of the server */
	st->out = grown;
	memcpy(grown + st->out_len, data, len);
	st->out_len += len;
	env_stream_kick(st->stream);
}

void sim_stream_send(struct sim_stream *st, const uint8_t *message, size_t len)
{
	tap_put(st->tap, message, len);
	sim_stream_append(st, message, len);
}

void sim_stream_set_reads(struct sim_stream *st, bool reads)
{
	if (!reads)
		tap_set_slow(st->tap);
	st->deaf = !reads;
	env_stream_want_read(st->stream, reads);
}
