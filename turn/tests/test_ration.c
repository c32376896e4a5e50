/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The answers to strangers: how much longer than their requests they are, and how often they come;
 * and that a flood affects its sender and not the neighbours.
 */
#include "base/tests/test.h"
#include "turn/tests/world.h"

#include <stdio.h>

static const uint8_t no_key[32];

/* As long as a realm may be (RFC 8489 section 14.9). */
static const char *longest_realm(void)
{
	static char realm[TURN_REALM_MAX + 1];

	memset(realm, 'r', sizeof(realm) - 1);
	return realm;
}

/* The smallest legal request of each kind, and smaller: what does it draw? */
static double factor_of(struct world *w, const struct wire *m, const char *from, const char *to,
                        bool *challenge)
{
	struct host h;
	double f = 0;

	*challenge = false;
	host_open(w, &h, from, "", "");
	if (host_send(&h, to, m->buf, m->len)) {
		assert_int_equal(h.got, 1);
		f = (double)h.in.len / (double)m->len;
		*challenge = host_reply_code(&h) == 401;
	}
	host_close(&h);
	return f;
}

static void reflection(void **state)
{
	const char *realms[] = {"a", "turn.example.org", longest_realm()};
	static const uint16_t methods[] = {W_BINDING,           W_ALLOCATE,     W_REFRESH,
	                                   W_CREATE_PERMISSION, W_CHANNEL_BIND, W_CONNECT,
	                                   W_CONNECTION_BIND};
	double worst = 0;

	(void)state;
	for (size_t r = 0; r < sizeof(realms) / sizeof(*realms); r++) {
		struct world w;

		world_init(&w);
		w.conf.realm[0] = realms[r];
		w.two_realms = true;
		world_start(&w);
		for (size_t i = 0; i < 7 * 2 * 2 * 4; i++) {
			bool v6 = i & 1, fingerprint = i & 2, challenge;
			uint16_t method = methods[i / 16];
			struct wire m;
			double f;

			wire_start(&m, method, (uint32_t)i);
			if (i / 4 % 4 == 1) {
				wire_add_transport(&m, IPPROTO_UDP);
			} else if (i / 4 % 4 == 2) { /* unknown, comprehension required */
				wire_add(&m, 0x7abc, "", 0);
			} else if (i / 4 % 4 == 3) { /* a signature and nothing else */
				wire_add_integrity(&m, no_key);
			}
			if (fingerprint)
				wire_add_fingerprint(&m);
			f = factor_of(&w, &m, v6 ? "[2001:db8:1::5]:1" : "198.51.100.5:1",
			              v6 ? SERVER6 : SERVER4, &challenge);
			/* a client that asks at the allowed rate always gets an answer */
			assert_true(f > 0 || method > W_CHANNEL_BIND);
			/* a challenge is whole and rationed by its length, the rest is short */
			assert_true(challenge || f <= 3);
			worst = f > worst && !challenge ? f : worst;
		}
		assert_int_equal(turn_get_stats(w.turn)->reflection_drops, 0);
		world_stop(&w);
	}
	assert_true(worst > 2); /* it has measured something */
}

/* How many of n requests are answered, each from another of so many addresses, in turn. */
static int count_answers(struct world *w, const char *from, int addresses, int n, uint16_t method)
{
	int got = 0;

	for (int i = 0; i < n; i++) {
		char addr[64];
		struct host h;
		struct wire m;

		snprintf(addr, sizeof(addr), from, i % addresses + 1);
		host_open(w, &h, addr, "", "");
		wire_start(&m, method, (uint32_t)i);
		wire_add_transport(&m, IPPROTO_UDP);
		got += (int)host_send(&h, *from == '[' ? SERVER6 : SERVER4, m.buf, m.len);
		host_close(&h);
	}
	return got;
}

static void an_address_has_its_ration(void **state)
{
	struct world *w = *state;

	w->conf.unauth_rate = 32;
	w->conf.binding_rate = 16;
	world_start(w);
	/* two seconds' worth at once, then so many a second */
	assert_int_equal(count_answers(w, "198.51.100.1:9", 1, 300, W_ALLOCATE), 64);
	assert_int_equal(count_answers(w, "198.51.100.1:9", 1, 300, W_REFRESH), 0);
	assert_int_equal(turn_get_stats(w->turn)->unauth_drops, 236 + 300);
	/* its neighbours are not concerned; Bindings have a ration of their own */
	assert_int_equal(count_answers(w, "198.51.100.2:9", 1, 300, W_ALLOCATE), 64);
	assert_int_equal(count_answers(w, "198.51.100.1:9", 1, 300, W_BINDING), 32);
	assert_int_equal(turn_get_stats(w->turn)->binding_drops, 268);
	assert_int_equal(count_answers(w, "198.51.100.2:9", 1, 300, W_BINDING), 32);
	assert_int_equal(count_answers(w, "[2001:db8:5::1]:9", 1, 300, W_ALLOCATE), 64);
	assert_int_equal(count_answers(w, "[2001:db8:5::2]:9", 1, 300, W_ALLOCATE), 64);
	world_run(w, 1000);
	assert_int_equal(count_answers(w, "198.51.100.1:9", 1, 300, W_ALLOCATE), 32);
	world_run(w, 60000);
	assert_int_equal(count_answers(w, "198.51.100.1:9", 1, 300, W_ALLOCATE), 64);
}

/* A flood in the name of a whole prefix gets 16 times as much as one address, and over IPv4 besides
 * what each address may have whatever the others do. */
static void a_prefix_has_its_ration(void **state)
{
	struct world *w = *state;
	struct host h;

	w->conf.unauth_rate = 32;
	world_start(w);
	host_open(w, &h, "198.51.101.7:1", "alice", "secret");
	assert_int_equal(host_login(&h), 401);
	assert_in_range(count_answers(w, "198.51.101.%d:9", 100, 6400, W_ALLOCATE),
	                16 * 64 + 100 * 3, 16 * 64 + 100 * 4);
	assert_in_range(count_answers(w, "[2001:db8:6::%d]:9", 100, 6400, W_ALLOCATE), 16 * 64 - 1,
	                16 * 64);
	/* the others of the /24, in whose names nobody spoke, are answered all the same */
	assert_int_equal(count_answers(w, "198.51.101.201:9", 1, 3, W_ALLOCATE), 3);
	/* a client with a nonce is told of its mistakes; with the right key it does not notice at
	 * all */
	assert_int_equal(host_permit(&h, "8.8.8.8:1"), 437);
	h.password = "wrong";
	assert_int_equal(host_allocate(&h, NULL), 401);
	h.password = "secret";
	assert_int_equal(host_allocate(&h, NULL), 0);
	assert_int_equal(host_refresh(&h, 0), 0);
	/* all of the IPv6 prefix is forged: its part is drawn by lot */
	for (int i = 0; i < 10; i++) {
		world_run(w, 10);
		count_answers(w, "[2001:db8:6::%d]:9", 100, 30, W_ALLOCATE);
	}
	world_run(w, 100);
	assert_int_equal(count_answers(w, "[2001:db8:6::ff]:9", 1, 1, W_ALLOCATE), 1);
	host_close(&h);
}

/* Replies to one address are limited in bytes per second: 100 count as one reply. */
static void bytes_are_rationed(void **state)
{
	const char *realms[] = {"a", "turn.example.org", longest_realm()};

	(void)state;
	for (size_t r = 0; r < sizeof(realms) / sizeof(*realms); r++) {
		size_t bytes = 0;
		struct world w;
		struct host h;
		struct wire m;

		world_init(&w);
		w.conf.realm[0] = realms[r];
		w.conf.unauth_rate = 20;
		world_start(&w);
		host_open(&w, &h, "198.51.100.5:1", "", "");
		for (int i = 0; i < 1000; i++) {
			wire_start(&m, W_ALLOCATE, (uint32_t)i);
			if (host_send(&h, SERVER4, m.buf, m.len))
				bytes += h.in.len;
			world_run(&w, 10);
		}
		/* in ten seconds, and two more for a start */
		assert_in_range(bytes, 100 * 20 * 7, 100 * 20 * 12 + 900);
		host_close(&h);
		world_stop(&w);
	}
}

/* However low the rate and long the reply: a client that has not asked lately gets its answer. */
static void the_lowest_rate_answers(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.conf.realm[0] = longest_realm();
	w.conf.unauth_rate = 1;
	world_start(&w);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(count_answers(&w, "198.51.100.5:1", 1, 20, W_ALLOCATE), 1);
		assert_int_equal(count_answers(&w, "198.51.100.6:1", 1, 20, W_ALLOCATE), 1);
		world_run(&w, 200000);
	}
	world_stop(&w);
}

static void classic_bindings_count(void **state)
{
	struct world *w = *state;
	struct wire m;
	struct host h;
	size_t got = 0;

	w->conf.binding_rate = 5;
	world_start(w);
	host_open(w, &h, "198.51.100.77:1", "alice", "secret");
	for (int i = 0; i < 100; i++) {
		wire_start(&m, W_BINDING, 1);
		if (i % 2)
			m.buf[4] ^= 1;
		got += host_send(&h, SERVER4, m.buf, m.len);
	}
	assert_int_equal(got, 10);
	assert_int_equal(turn_get_stats(w->turn)->binding_drops, 90);
	assert_int_equal(host_allocate(&h, NULL), 0);
	host_close(&h);
}

static void count_message(void *ctx, const uint8_t *data, size_t len)
{
	(void)data;
	(void)len;
	++*(int *)ctx;
}

/* A connection reflects nothing: its client is where it says. Only guesses are limited. */
static void connections_are_not_rationed(void **state)
{
	static const struct turn_link_ops ops = {.send = count_message};
	static const enum turn_protocol protocols[] = {TURN_TCP, TURN_TLS, TURN_DTLS};
	struct world *w = *state;

	w->conf.unauth_rate = 10;
	w->conf.binding_rate = 10;
	world_start(w);
	for (int i = 0; i < 3; i++) {
		int answers = 0;
		struct turn_link_params p = {
		    .protocol = protocols[i], .relay6 = 1, .ops = &ops, .ctx = &answers};
		struct turn_link *link;
		struct wire m;

		assert_int_equal(addr_parse(&p.client, "198.51.100.5:9"), 0);
		link = turn_link_new(w->turn, &p);
		for (int k = 0; k < 200; k++) {
			wire_start(&m, k % 2 ? W_BINDING : W_ALLOCATE, (uint32_t)k);
			turn_link_input(link, m.buf, m.len);
		}
		assert_int_equal(answers, 200);
		for (int k = 0; k < 100; k++) {
			wire_start(&m, W_ALLOCATE, (uint32_t)k);
			wire_add_login(&m, "alice", REALM, "a nonce of nobody");
			wire_add_integrity(&m, no_key);
			turn_link_input(link, m.buf, m.len);
		}
		assert_int_equal(answers, 220);
		turn_link_free(link);
		world_run(w, 60000);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reflection),
	    T(an_address_has_its_ration),
	    T(a_prefix_has_its_ration),
	    cmocka_unit_test(bytes_are_rationed),
	    cmocka_unit_test(the_lowest_rate_answers),
	    T(classic_bindings_count),
	    T(connections_are_not_rationed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
