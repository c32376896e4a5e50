/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ends of data connections.
 */
#include "harness/sim/tcp_end.h"

#include "base/error.h"
#include "harness/sim/watch.h"

#define PIECE       3000
#define BREAK_EVERY 20000 /* --break: so many bytes go well in between */
/* On its way to the relay, in its hands, and what a relay that has just gone is told in vain. */
#define HELD_MAX (65536 + 32768 + 65536)

static uint8_t byte_at(uint32_t salt, uint64_t i)
{
	return (uint8_t)(salt + i * 7 + i / 251);
}

/* Its ledger, as long as it is the same start of the node. */
static struct watch_tcp *ledger_of(const struct tcp_end *e)
{
	return e->node->turn && e->node->start == e->start ? watch_node_tcp(e->node->watch) : NULL;
}

static void fill(const struct tcp_end *e, uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		data[i] = byte_at(e->salt, e->put + i);
		if (e->sim->conf.broken == BREAK_DATA_BYTE && (e->put + i) % BREAK_EVERY == 99)
			data[i] ^= 1;
	}
}

static void note_put(struct tcp_end *e, size_t n)
{
	struct watch_tcp *w = ledger_of(e);

	e->put += n;
	if (w)
		watch_tcp_put(w, e->direction, n);
}

size_t tcp_end_give(struct tcp_end *e, uint8_t *data, size_t len)
{
	if (len > e->goal - e->put)
		len = (size_t)(e->goal - e->put);
	fill(e, data, len);
	note_put(e, len);
	return len;
}

void tcp_end_take(struct tcp_end *e, const uint8_t *data, size_t len)
{
	struct watch_tcp *w = ledger_of(e);
	size_t same = 0;

	while (same < len && data[same] == byte_at(e->other->salt, e->got + same))
		same++;
	sim_check(e->sim, SIM_DATA, same == len && e->got + len <= e->other->put, e->call,
	          "byte %u of a data connection is not what was sent",
	          (unsigned int)(e->got + same));
	e->got += len;
	e->sim->counts.tcp_bytes += len;
	if (w)
		watch_tcp_got(w, e->other->direction, len);
}

void tcp_end_close(struct tcp_end *e)
{
	env_stream_close(e->s);
	e->s = NULL;
}

static void read_some(struct tcp_end *e)
{
	uint8_t data[PIECE];
	ssize_t n = env_stream_read(e->s, data, sizeof(data));

	if (n == -E_LATER)
		return;
	if (n < 0) {
		tcp_end_close(e);
		return;
	}
	if (n) {
		tcp_end_take(e, data, (size_t)n);
		return;
	}
	e->ended = true;
	env_stream_want_read(e->s, false);
}

/* The relay bounds what it holds for an end that does not read: it leaves the rest unread. */
static void check_held(const struct tcp_end *e)
{
	uint64_t came;

	if (!e->other->s || !e->other->deaf)
		return;
	came = env_virtual_stream_came(e->other->s);
	sim_check(e->sim, SIM_BACKLOG, e->put <= came + HELD_MAX, e->call,
	          "%u bytes wait for an end that does not read", (unsigned int)(e->put - came));
}

static void write_some(struct tcp_end *e)
{
	uint8_t data[PIECE];

	while (e->put < e->goal) {
		size_t len = e->goal - e->put < PIECE ? (size_t)(e->goal - e->put) : PIECE;
		ssize_t n;

		fill(e, data, len);
		n = env_stream_write(e->s, data, len, false);
		if (n == -E_LATER)
			return;
		if (n < 0) {
			tcp_end_close(e);
			return;
		}
		note_put(e, (size_t)n);
		check_held(e);
	}
	if (!e->shut && !e->keeps_open)
		env_stream_shut(e->s);
	e->shut = !e->keeps_open;
}

static void on_ready(void *arg)
{
	struct tcp_end *e = arg;

	if (!e->deaf && !e->ended)
		read_some(e);
	if (e->s && !e->shut)
		write_some(e);
	if (e->ended && (e->shut || e->keeps_open)) /* as programs do that have heard the end */
		tcp_end_close(e);
}

int tcp_end_open(struct tcp_end *e, int fd, struct ep local, struct ep remote)
{
	struct env_stream_params p = {
	    .fd = fd, .local = ep_addr(local), .remote = ep_addr(remote), .fn = on_ready, .arg = e};
	int r = env_stream_open(e->sim->env, &p, &e->s);

	if (r)
		return r;
	if (e->deaf)
		env_stream_want_read(e->s, false);
	env_stream_kick(e->s);
	return 0;
}

void tcp_end_reset(struct tcp_end *e)
{
	if (e->s)
		env_virtual_stream_reset(e->s);
}

void tcp_end_set_deaf(struct tcp_end *e, bool deaf)
{
	e->deaf = deaf;
	if (e->s && !e->ended)
		env_stream_want_read(e->s, !deaf);
}
