/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory: what an allocation takes, and what happens when there is none, at
 * every place where some is asked for.
 */
#include "base/env_libevent.h"
#include "base/error.h"
#include "base/tests/test.h"
#include "base/tests/wrap.h"
#include "turn/lock.h"
#include "turn/mobility.h"
#include "turn/net/sources.h"
#include "turn/tests/world.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#define PEER4 "9.9.9.9:4000"
#define PEER6 "[2600::9]:4000"
#define MANY  256

/* As host_ask(), but anything may come back, or nothing: -1. */
static int ask(struct host *h, struct wire *m)
{
	uint8_t key[16];

	if (*h->nonce) {
		wire_key(h->user, REALM, h->password, key);
		wire_add_integrity(m, key);
	}
	if (!host_send(h, SERVER4, m->buf, m->len))
		return -1;
	assert_true(wire_sound(h->in.buf, h->in.len));
	wire_get_str(h->in.buf, h->in.len, ATTR_NONCE, h->nonce, sizeof(h->nonce));
	return host_reply_code(h);
}

/* The answers that a client may get while memory is short: success, silence, 508, or the result of
 * an earlier failure (no nonce yet, no allocation, no half, an empty ticket, a lock without peers).
 */
static void tolerate(int code)
{
	static const int legal[] = {-1, 0, 508, 500, 401, 438, 437, 443, 400, 403};

	for (size_t i = 0; i < sizeof(legal) / sizeof(*legal); i++)
		if (code == legal[i])
			return;
	print_error("code %d\n", code);
	fail();
}

static void allocate(struct host *h, bool dual, bool mobile, bool pair)
{
	struct wire m;

	host_request(h, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	if (dual)
		wire_add_u32(&m, ATTR_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
	if (mobile)
		wire_add(&m, ATTR_MOBILITY_TICKET, NULL, 0);
	if (pair)
		wire_add(&m, ATTR_EVEN_PORT, "\x80", 1);
	tolerate(ask(h, &m));
}

static void to_peer(struct host *h, uint16_t method, const char *peer, uint16_t channel)
{
	struct wire m;

	host_request(h, &m, method);
	if (channel)
		wire_add_channel(&m, channel);
	wire_add_peer(&m, peer);
	tolerate(ask(h, &m));
}

static void refresh(struct host *h, uint32_t lifetime_s, const uint8_t *ticket, size_t len)
{
	struct wire m;

	host_request(h, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, lifetime_s);
	if (ticket)
		wire_add(&m, ATTR_MOBILITY_TICKET, ticket, len);
	tolerate(ask(h, &m));
}

static void drop_stream(void *ctx, const uint8_t *data, size_t len)
{
	(void)ctx;
	(void)data;
	(void)len;
}

/* A session with everything that asks for memory. */
/* All that the session talks to. Without memory, its lock has fewer. */
static void set_lock(struct world *w)
{
	struct addr peers[2 + 7];
	int r;

	assert_int_equal(addr_parse(&peers[0], PEER4), 0);
	assert_int_equal(addr_parse(&peers[1], PEER6), 0);
	for (int i = 0; i < 7; i++) {
		char text[ADDR_STRLEN];

		snprintf(text, sizeof(text), "9.9.8.%d:7", i);
		assert_int_equal(addr_parse(&peers[2 + i], text), 0);
	}
	r = turn_lock_set(w->turn, w->lock, peers, 2 + 7);
	assert_true(r == 0 || r == -E_NOMEM);
}

static void session(struct world *w, struct host *a, struct host *b, struct host *peer)
{
	static const struct turn_link_ops ops = {.send = drop_stream};
	struct turn_link_params params = {.protocol = TURN_TCP, .relay6 = 1, .ops = &ops};
	struct turn_link *link;
	struct wire m;
	uint8_t ticket[64], key[16];
	const uint8_t *v;
	size_t n = 0;

	a->nonce[0] = b->nonce[0] = 0;
	w->alice_locked = true;
	allocate(a, true, true, false);
	allocate(a, true, true, false);
	v = wire_get(a->in.buf, a->in.len, ATTR_MOBILITY_TICKET, &n);
	if (v)
		memcpy(ticket, v, n);
	set_lock(w);
	to_peer(a, W_CREATE_PERMISSION, PEER4, 0);
	for (uint16_t i = 0; i < 6; i++)
		to_peer(a, W_CHANNEL_BIND, i % 2 ? PEER4 : PEER6, (uint16_t)(0x4000 + i % 2));
	for (int i = 0; i < 7; i++) {
		char text[ADDR_STRLEN];

		snprintf(text, sizeof(text), "9.9.8.%d:7", i);
		to_peer(a, W_CHANNEL_BIND, text, (uint16_t)(0x4002 + i));
	}
	host_send(a, SERVER4, "\x40\x00\x00\x01x", 5);
	host_send(peer, "192.0.2.1:50000", "y", 1);
	allocate(b, false, false, true);
	allocate(b, false, false, true);
	refresh(b, 0, NULL, 0);
	if (v) {
		refresh(b, 600, ticket, n);
		host_send(b, SERVER4, "\x40\x00\x00\x01x", 5);
		refresh(b, 600, NULL, 0);
	}
	assert_int_equal(addr_parse(&params.client, "198.51.100.5:9"), 0);
	link = turn_link_new(w->turn, &params);
	if (link) {
		host_request(a, &m, W_ALLOCATE);
		wire_add_transport(&m, IPPROTO_UDP);
		wire_key(a->user, REALM, a->password, key);
		wire_add_integrity(&m, key);
		turn_link_input(link, m.buf, m.len);
		world_run(w, 0);
		turn_link_free(link);
	}
	w->answers_later = true; /* a request that is parked */
	host_request(b, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	tolerate(ask(b, &m));
	w->answers_later = false;
	turn_auth_answered(w->turn, w->ticket);
	world_run(w, 31 * 1000);
	refresh(a, 0, NULL, 0);
	refresh(b, 0, NULL, 0);
	turn_lock_set(w->turn, w->lock, NULL, 0);
	world_run(w, 3700 * 1000);
	assert_int_equal(turn_allocations(w->turn), 0);
}

static void every_allocation_may_fail(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct host *h = calloc(3, sizeof(*h));
	size_t n, held;

	(void)state;
	world_init(w);
	w->conf.mobility = true;
	world_start(w);
	host_open(w, &h[0], "198.51.100.5:1", "alice", "secret");
	host_open(w, &h[1], "198.51.100.6:1", "alice", "secret");
	host_open(w, &h[2], PEER4, "", "");
	session(w, &h[0], &h[1], &h[2]); /* what stays for good, stays now */
	held = wrap_bytes();
	for (n = 1;; n++) {
		wrap_fail(n);
		session(w, &h[0], &h[1], &h[2]);
		if (!wrap_failed())
			break;
		wrap_fail(0);
		assert_int_equal(wrap_bytes(), held);
		assert_int_equal(turn_ports_leased(w->ports4) + turn_ports_leased(w->ports6), 0);
	}
	wrap_fail(0);
	print_message("%zu allocations failed, one at a time\n", n - 1);
	assert_true(n > 50);
	for (int i = 0; i < 3; i++)
		host_close(&h[i]);
	world_stop(w);
	free(h);
	free(w);
}

/* Connections counted by source: the table grows with the sources. */
static void a_source_may_not_fit(void **state)
{
	struct net_sources *s = net_sources_new(0, 0);
	struct net_source *held[MANY];
	unsigned failed = 0;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		char text[ADDR_STRLEN];
		struct addr from;

		snprintf(text, sizeof(text), "198.51.%zu.%zu:1", i / 100, i % 100);
		assert_int_equal(addr_parse(&from, text), 0);
		held[i] = NULL;
		wrap_fail(2); /* behind the source itself: the table */
		if (net_sources_take(s, &from, &held[i])) {
			failed++;
			wrap_fail(0);
			assert_int_equal(net_sources_total(s), i);
			assert_int_equal(net_sources_take(s, &from, &held[i]), 0);
		}
		wrap_fail(0);
		assert_int_equal(net_sources_total(s), i + 1);
	}
	assert_true(failed > 0);
	for (size_t i = 0; i < MANY; i++)
		net_sources_give(s, held[i]);
	net_sources_free(s);
}

static void a_start_may_fail(void **state)
{
	struct world *w = malloc(sizeof(*w));
	size_t held, n;

	(void)state;
	world_init(w);
	world_start(w);
	held = wrap_bytes();
	for (n = 1; n < 100; n++) {
		struct turn_listener_conf l = {.fd = -1};
		struct turn *t;
		bool done;

		assert_int_equal(addr_parse(&l.local, "192.0.2.1:9999"), 0);
		wrap_fail(n);
		t = turn_new(w->env, &w->conf, w->auth, w);
		if (t)
			turn_listen(t, &l);
		done = !wrap_failed();
		wrap_fail(0);
		assert_true(t || !done);
		turn_free(t);
		assert_int_equal(wrap_bytes(), held);
		if (done)
			break;
	}
	assert_in_range(n, 3, 90);
	world_stop(w);
	free(w);
}

/* Bytes of the environment's socket, libevent's share included. */
static size_t real_socket_bytes(void)
{
	struct event_base *base;
	struct env *env;
	struct env_udp *u[MANY];
	struct env_udp_params p = {.fd = -1};
	size_t before, all;

	event_set_mem_functions(__wrap_malloc, __wrap_realloc, __wrap_free);
	base = event_base_new();
	env = env_libevent_new(base, NULL);
	assert_int_equal(addr_parse_ip(&p.local, "127.0.0.1", 0), 0);
	before = wrap_bytes();
	for (int i = 0; i < MANY; i++)
		assert_int_equal(env_udp_open(env, &p, &u[i]), 0);
	all = wrap_bytes() - before;
	for (int i = 0; i < MANY; i++)
		env_udp_close(u[i]);
	env_libevent_free(env);
	event_base_free(base);
	return all / MANY;
}

/* design, section 5: under 2 KB of user space an idle allocation. */
static void an_allocation_is_small(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct host *h = calloc(MANY, sizeof(*h));
	size_t before, each, sock = real_socket_bytes();

	(void)state;
	world_init(w);
	turn_ports_free(w->ports4);
	w->ports4 = turn_ports_new(50000, 51000);
	turn_quota_free(w->quota);
	w->quota = turn_quota_new(0, 0);
	world_start(w);
	for (int i = 0; i < MANY; i++) {
		char text[ADDR_STRLEN];

		snprintf(text, sizeof(text), "198.51.100.%d:1", i);
		host_open(w, &h[i], text, "alice", "secret");
		assert_int_equal(host_login(&h[i]), 401);
	}
	before = wrap_bytes();
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(host_allocate(&h[i], NULL), 0);
		assert_int_equal(host_permit(&h[i], PEER4), 0);
		assert_int_equal(host_bind(&h[i], 0x4000, PEER4), 0);
	}
	each = (wrap_bytes() - before) / MANY;
	print_message("an allocation with a permission and a channel: %zu bytes (with the test's "
	              "socket), its real socket %zu\n",
	              each, sock);
	assert_true(each + sock < 2048);
	for (int i = 0; i < MANY; i++)
		host_close(&h[i]);
	world_stop(w);
	free(h);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_allocation_is_small),
	    cmocka_unit_test(every_allocation_may_fail),
	    cmocka_unit_test(a_source_may_not_fit),
	    cmocka_unit_test(a_start_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
