/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Both environments behind the same checks: one on real sockets, one on
 * virtual time.
 */
#include "base/env_libevent.h"
#include "base/env_virtual.h"
#include "base/tests/test.h"

#include <event2/event.h>
#include <stdlib.h>

struct world {
	struct env *env;
	struct event_base *base; /* NULL: virtual */
	struct env_udp *a, *b;
	unsigned int got_a, got_b, fired;
	size_t got_len;
	uint8_t last;
	int close_on_receive;
};

static void run(struct world *w, uint64_t ms)
{
	uint64_t until = env_now_ms(w->env) + ms;

	if (!w->base) {
		env_virtual_run(w->env, ms);
		return;
	}
	while (env_now_ms(w->env) < until) {
		struct timeval tick = {.tv_usec = 1000};

		event_base_loopexit(w->base, &tick);
		event_base_loop(w->base, EVLOOP_ONCE);
		env_libevent_flush(w->env);
	}
}

/* Echoes in place, with a byte put in front, as a relay does with its header. */
static void on_a(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	struct world *w = arg;

	for (size_t i = 0; i < n; i++) {
		w->got_a++;
		assert_int_equal((uintptr_t)d[i].data % 8, 0);
		if (d[i].len < 60000) {
			d[i].data--;
			d[i].data[0] = 0x42;
			d[i].len++;
		}
		env_udp_send(u, &d[i].peer, d[i].data, d[i].len);
	}
	if (w->close_on_receive) {
		env_udp_close(u);
		w->a = NULL;
	}
}

static void on_b(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	struct world *w = arg;

	(void)u;
	for (size_t i = 0; i < n; i++) {
		w->got_b++;
		w->got_len = d[i].len;
		w->last = d[i].data[0];
	}
}

static void on_timer(void *arg)
{
	((struct world *)arg)->fired++;
}

static void open_sockets(struct world *w, const char *ip)
{
	struct env_udp_params p = {.fd = -1, .on_batch = on_a, .arg = w};

	assert_int_equal(addr_parse_ip(&p.local, ip, 0), 0);
	assert_int_equal(env_udp_open(w->env, &p, &w->a), 0);
	p.on_batch = on_b;
	assert_int_equal(env_udp_open(w->env, &p, &w->b), 0);
	assert_int_not_equal(addr_port(&w->a->local), 0);
	p.local = w->a->local;
	struct env_udp *c;
	assert_int_equal(env_udp_open(w->env, &p, &c), -E_IN_USE);
}

static void exercise(struct world *w, const char *ip)
{
	uint8_t *big = calloc(1, 65507), small[100] = {7};
	struct env_timer *t;

	open_sockets(w, ip);
	/* More than one batch, more than the queue holds, mixed with the longest datagram. */
	for (int i = 0; i < 300; i++)
		env_udp_send(w->b, &w->a->local, small, sizeof(small));
	run(w, 60);
	assert_int_equal(w->got_a, 300);
	assert_int_equal(w->got_b, 300);
	assert_int_equal(w->got_len, sizeof(small) + 1);
	assert_int_equal(w->last, 0x42);
	env_udp_send(w->b, &w->a->local, big, 65507);
	run(w, 60);
	assert_int_equal(w->got_len, 65507);
	env_udp_send(w->b, &w->a->local, small, 0); /* an empty datagram is one, too */
	run(w, 30);
	assert_int_equal(w->got_len, 1);
	assert_int_equal(w->got_b, 302);

	t = env_timer_new(w->env, on_timer, w);
	run(w, 20);
	assert_int_equal(w->fired, 0);
	env_timer_set(t, 5000);
	env_timer_set(t, 10);
	run(w, 40);
	assert_int_equal(w->fired, 1);
	run(w, 20);
	assert_int_equal(w->fired, 1);
	env_timer_free(t);

	/* A socket may close itself while its batch is delivered: what it sent still leaves. */
	w->close_on_receive = 1;
	w->got_b = 0;
	env_udp_send(w->b, &w->a->local, small, sizeof(small));
	run(w, 30);
	assert_null(w->a);
	assert_int_equal(w->got_b, 1);
	env_udp_close(w->b);
	env_udp_close(NULL);
	free(big);
}

static void real(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "::1"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world w = {.base = event_base_new()};

		w.env = env_libevent_new(w.base);
		exercise(&w, ips[i]);
		env_libevent_free(w.env);
		event_base_free(w.base);
	}
}

static void on_virtual_time(void **state)
{
	static const char *const ips[] = {"198.51.100.7", "2001:db8::7"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world w = {.env = env_virtual_new(1)};

		exercise(&w, ips[i]);
		assert_int_equal(env_virtual_sockets(w.env), 0);
		env_virtual_free(w.env);
	}
}

static void virtual_runs_repeat(void **state)
{
	struct env *a = env_virtual_new(7), *b = env_virtual_new(7), *c = env_virtual_new(8);
	uint8_t x[32], y[32], z[32];

	(void)state;
	env_random(a, x, sizeof(x));
	env_random(b, y, sizeof(y));
	env_random(c, z, sizeof(z));
	assert_memory_equal(x, y, sizeof(x));
	assert_memory_not_equal(x, z, sizeof(x));
	env_virtual_step_wall(a, -100000);
	assert_int_equal(env_now_ms(a), env_now_ms(b)); /* the monotonic clock stands */
	assert_int_equal(env_wall_s(a), env_wall_s(b) - 100000);
	env_virtual_free(a);
	env_virtual_free(b);
	env_virtual_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(real),
	    cmocka_unit_test(on_virtual_time),
	    cmocka_unit_test(virtual_runs_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
