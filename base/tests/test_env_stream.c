/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams of both environments behind the same checks; and what only virtual
 * time can show: cuts, delays, resets.
 */
#include "base/error.h"
#include "base/tests/either.h"
#include "base/tests/test.h"

#include <stdlib.h>
#include <sys/socket.h>

#define MANY (w->base ? 16000000u : 300000u) /* more than a connection holds */

struct side {
	struct world *w;
	struct env_stream *s;
	uint64_t wrote, goal, got;
	unsigned int calls, pieces;
	bool reads, ended, broken, shuts;
};

struct world {
	struct env *env;
	struct event_base *base; /* NULL: virtual */
	struct env_listener *listener;
	struct addr at, from;
	struct side a, b; /* a connects */
	int fd;           /* of what was accepted and not opened */
	int result;       /* of the connect */
	struct env_virtual_path path;
	bool lost;
};

static bool joins(void *ctx, const struct addr *from, const struct addr *to,
                  struct env_virtual_path *path)
{
	struct world *w = ctx;

	(void)from;
	(void)to;
	*path = w->path;
	return !w->lost;
}

static const struct env_virtual_wire wire = {.joins = joins};

static void run(struct world *w, uint64_t ms)
{
	either_run(w->env, w->base, ms);
}

/* Until it is so, with time to spare. */
#define UNTIL(w, is)                                                                               \
	do {                                                                                       \
		for (int i_ = 0; i_ < SOON_MS / 10 && !(is); i_++)                                 \
			run(w, 10);                                                                \
		assert_true(is);                                                                   \
	} while (0)

/* Byte i of a direction is one that tells where it belongs. */
static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static void read_some(struct side *d)
{
	static uint8_t buf[5000];
	ssize_t n = env_stream_read(d->s, buf, sizeof(buf));

	if (n == -E_LATER)
		return;
	d->broken |= n < 0;
	d->ended |= n == 0;
	if (n <= 0) {
		env_stream_want_read(d->s, false);
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (buf[i] != byte_at(d->got + (uint64_t)i))
			fail_msg("byte %u came as %d", (unsigned)(d->got + (uint64_t)i), buf[i]);
	d->got += (uint64_t)n;
	d->pieces++;
}

static void write_some(struct side *d)
{
	static uint8_t buf[9000];

	while (d->wrote < d->goal) {
		size_t len = d->goal - d->wrote < sizeof(buf) ? d->goal - d->wrote : sizeof(buf);
		ssize_t n;

		for (size_t i = 0; i < len; i++)
			buf[i] = byte_at(d->wrote + i);
		n = env_stream_write(d->s, buf, len, false);
		if (n == -E_LATER)
			return;
		if (n < 0) {
			d->broken = true;
			return;
		}
		d->wrote += (uint64_t)n;
	}
	if (d->shuts)
		env_stream_shut(d->s);
	d->shuts = false;
}

static void on_ready(void *arg)
{
	struct side *d = arg;

	d->calls++;
	if (d->reads)
		read_some(d);
	write_some(d);
}

static void on_connected(void *arg)
{
	struct side *d = arg;
	int fd = env_stream_release(d->s);
	struct env_stream_params p = {.fd = fd, .fn = on_ready, .arg = d};

	d->s = NULL;
	d->w->result = fd < 0 ? fd : 0;
	if (fd >= 0)
		assert_int_equal(env_stream_open(d->w->env, &p, &d->s), 0);
}

static void on_accept(void *arg, int fd, const struct addr *from)
{
	struct world *w = arg;

	w->fd = fd;
	w->from = *from;
}

static void take_b(struct world *w)
{
	struct env_stream_params p = {.fd = w->fd, .fn = on_ready, .arg = &w->b};

	assert_int_equal(env_stream_open(w->env, &p, &w->b.s), 0);
	w->fd = -1;
}

/* Somebody listens; a connects from where somebody listens, too. */
static void begin(struct world *w, struct env *env, struct event_base *base)
{
	struct env_listener_params l = {.on_accept = on_accept, .arg = w};
	uint16_t port = base ? 20000 : 3478;

	w->env = env;
	w->base = base;
	w->fd = -1;
	w->result = 1;
	w->a = w->b = (struct side){.w = w, .reads = true};
	if (!base)
		env_virtual_set_wire(env, &wire, w);
	do
		assert_int_equal(addr_parse_ip(&l.local, "127.0.0.1", ++port), 0);
	while (env_listen(env, &l, &w->listener));
	w->at = l.local;
	assert_int_equal(env_listen(env, &l, &w->listener), -E_IN_USE);
}

static void connect_a(struct world *w, const struct addr *to)
{
	struct env_stream_params p = {.fd = -1, .remote = *to, .fn = on_connected, .arg = &w->a};

	assert_int_equal(addr_parse_ip(&p.local, "127.0.0.1", 0), 0);
	assert_int_equal(env_stream_open(w->env, &p, &w->a.s), 0);
}

static void join(struct world *w)
{
	connect_a(w, &w->at);
	UNTIL(w, w->result <= 0 && w->fd >= 0);
	assert_int_equal(w->result, 0);
	assert_int_not_equal(addr_port(&w->from), 0);
	take_b(w);
}

static void leave(struct world *w)
{
	env_stream_close(w->a.s);
	env_stream_close(w->b.s);
	w->a = w->b = (struct side){.w = w, .reads = true};
	w->result = 1;
}

/* What every connection does: both ways at once, with one that does not read for a while. */
static void check_flow(struct world *w)
{
	join(w);
	w->a.goal = MANY;
	w->b.goal = 1000;
	w->b.reads = false;
	env_stream_want_read(w->b.s, false);
	w->a.shuts = true;
	env_stream_kick(w->a.s);
	env_stream_kick(w->b.s);
	UNTIL(w, w->a.got == 1000);
	run(w, 50);
	assert_in_range(w->a.wrote, 1, MANY - 1); /* the rest has to wait */
	assert_int_equal(w->b.got, 0);
	w->b.reads = true;
	env_stream_want_read(w->b.s, true);
	UNTIL(w, w->b.ended);
	assert_int_equal(w->b.got, MANY);
	/* half closed: the other half goes on */
	assert_false(w->a.ended);
	w->b.goal = 2000;
	w->b.shuts = true;
	env_stream_kick(w->b.s);
	UNTIL(w, w->a.ended);
	assert_int_equal(w->a.got, 2000);
	assert_false(w->a.broken || w->b.broken);
	leave(w);
}

/* One that is not read any more is broken for who goes on to write. */
static void check_breaks(struct world *w)
{
	join(w);
	w->a.goal = 100;
	env_stream_kick(w->a.s);
	UNTIL(w, w->a.wrote == 100);
	env_stream_close(w->b.s);
	w->b.s = NULL;
	w->a.goal = MANY;
	for (int i = 0; i < SOON_MS / 10 && !w->a.broken; i++) {
		env_stream_kick(w->a.s);
		run(w, 10);
	}
	assert_true(w->a.broken);
	leave(w);
}

static void check_connects(struct world *w)
{
	struct addr nobody = w->at;
	struct env_stream *s;

	addr_put_port(&nobody, 1);
	connect_a(w, &nobody);
	UNTIL(w, w->result <= 0);
	assert_true(w->result < 0);
	assert_null(w->a.s);
	w->result = 1;
	/* given up before it has ended */
	connect_a(w, &nobody);
	s = w->a.s;
	w->a.s = NULL;
	assert_true(env_stream_release(s) < 0);
	run(w, 50);
	assert_int_equal(w->result, 1);
	/* and one that is accepted and not wanted */
	connect_a(w, &w->at);
	UNTIL(w, w->result <= 0 && w->fd >= 0);
	env_stream_discard(w->env, w->fd);
	w->fd = -1;
	UNTIL(w, w->a.ended);
	leave(w);
}

/* From one environment to the other, with what has come meanwhile. */
static void check_release(struct world *w)
{
	join(w);
	w->fd = env_stream_release(w->b.s);
	w->a.goal = 1000;
	env_stream_kick(w->a.s);
	run(w, 50);
	assert_int_equal(w->b.calls, 0);
	take_b(w);
	UNTIL(w, w->b.got == 1000);
	leave(w);
}

static void check_pair(struct world *w)
{
	struct env_stream_params p = {.fn = on_ready, .arg = &w->a};
	int fd[2];

	assert_int_equal(env_stream_pair(w->env, fd), 0);
	p.fd = fd[0];
	assert_int_equal(env_stream_open(w->env, &p, &w->a.s), 0);
	w->fd = fd[1];
	w->a.goal = 1000;
	env_stream_kick(w->a.s);
	run(w, 50);
	take_b(w);
	UNTIL(w, w->b.got == 1000);
	leave(w);
}

static void check_all(struct world *w)
{
	check_flow(w);
	check_breaks(w);
	check_connects(w);
	check_release(w);
	check_pair(w);
	env_unlisten(w->listener);
}

static void real(void **state)
{
	struct event_base *base = event_base_new();
	struct env *env = env_libevent_new(base, NULL);
	static struct world w;

	(void)state;
	begin(&w, env, base);
	check_all(&w);
	env_libevent_free(env);
	event_base_free(base);
}

static void on_virtual_time(void **state)
{
	static const struct env_virtual_path paths[] = {
	    {.buffer = 65536},
	    {.delay_ms = 20, .buffer = 4000},
	    {.delay_ms = 30, .jitter_ms = 10, .segment_max = 1400, .buffer = 65536},
	    {.segment_max = 3, .buffer = 100},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		static struct world w;
		struct env *env = env_virtual_new(i);

		w = (struct world){.path = paths[i]};
		begin(&w, env, NULL);
		check_all(&w);
		run(&w, 1000);
		assert_int_equal(env_virtual_streams(env), 0);
		assert_int_equal(env_virtual_listeners(env), 0);
		env_virtual_free(env);
	}
}

/* The same seed cuts at the same places, and messages come in pieces and several at once. */
static void cuts_repeat(void **state)
{
	unsigned int pieces[3];

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		static struct world w;
		struct env *env = env_virtual_new(i / 2);

		w = (struct world){.path = {.segment_max = 50, .jitter_ms = 5, .buffer = 65536}};
		begin(&w, env, NULL);
		join(&w);
		w.a.goal = 20000;
		env_stream_kick(w.a.s);
		run(&w, 1000);
		assert_int_equal(w.b.got, 20000);
		pieces[i] = w.b.pieces;
		env_unlisten(w.listener);
		env_virtual_free(env); /* with what is open */
	}
	assert_in_range(pieces[0], 20, 20000 / 25);
	assert_int_equal(pieces[0], pieces[1]);
	assert_int_not_equal(pieces[0], pieces[2]);
}

static void delays_and_resets(void **state)
{
	static struct world w;
	struct env *env = env_virtual_new(1);

	(void)state;
	w = (struct world){.path = {.delay_ms = 100, .buffer = 65536}};
	begin(&w, env, NULL);
	connect_a(&w, &w.at);
	run(&w, 99);
	assert_int_equal(w.fd, -1);
	run(&w, 1);
	assert_int_not_equal(w.fd, -1);
	assert_int_equal(w.result, 1);
	run(&w, 100);
	assert_int_equal(w.result, 0);
	take_b(&w);
	w.a.goal = 10;
	env_stream_kick(w.a.s);
	run(&w, 99);
	assert_int_equal(w.b.got, 0);
	assert_int_equal(env_virtual_stream_came(w.b.s), 10);
	run(&w, 1);
	assert_int_equal(w.b.got, 10);
	/* both ends hear of it */
	env_virtual_stream_reset(w.a.s);
	run(&w, 100);
	assert_true(w.a.broken && w.b.broken);
	leave(&w);
	/* what gets lost on the way never ends */
	w.lost = true;
	connect_a(&w, &w.at);
	run(&w, 1000000);
	assert_int_equal(w.result, 1);
	env_stream_close(w.a.s);
	assert_int_equal(env_virtual_streams(env), 0);
	env_unlisten(w.listener);
	env_virtual_free(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(real),
	    cmocka_unit_test(on_virtual_time),
	    cmocka_unit_test(cuts_repeat),
	    cmocka_unit_test(delays_and_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
