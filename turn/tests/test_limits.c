/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bandwidth, permissions and channels have limits; a call that passes them
 * gets worse and goes on.
 */
#include "base/tests/test.h"
#include "turn/quota.h"
#include "turn/tests/world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define PEER   "9.9.9.9:4000"
#define PACKET 1000

struct call {
	struct host client, peer;
	struct addr relayed;
};

static void call_open(struct world *w, struct call *c, const char *client, const char *peer,
                      const char *user, const char *password)
{
	host_open(w, &c->client, client, user, password);
	host_open(w, &c->peer, peer, "", "");
	assert_int_equal(host_allocate(&c->client, &c->relayed), 0);
	assert_int_equal(host_bind(&c->client, 0x4000, peer), 0);
}

static void call_close(struct call *c)
{
	host_close(&c->client);
	host_close(&c->peer);
}

/* So many packets of PACKET bytes at once; returns how many arrive. */
static size_t to_peer(struct call *c, size_t n)
{
	uint8_t m[4 + PACKET] = {0x40, 0, PACKET >> 8, PACKET & 0xff};
	size_t arrived = 0;

	for (size_t i = 0; i < n; i++) {
		c->peer.got = 0;
		host_send(&c->client, SERVER4, m, sizeof(m));
		arrived += c->peer.got;
	}
	return arrived;
}

static size_t to_client(struct call *c, size_t n)
{
	uint8_t m[PACKET] = {0};
	char text[ADDR_STRLEN];
	size_t arrived = 0;

	for (size_t i = 0; i < n; i++) {
		c->client.got = 0;
		host_send(&c->peer, addr_format(&c->relayed, text), m, sizeof(m));
		arrived += c->client.got;
	}
	return arrived;
}

static struct world *new_world(void)
{
	struct world *w = malloc(sizeof(*w));

	world_init(w);
	return w;
}

static void end(struct world *w)
{
	world_stop(w);
	free(w);
}

static void a_session_has_its_bandwidth(void **state)
{
	struct world *w = new_world();
	struct call *c = calloc(2, sizeof(*c));

	(void)state;
	w->conf.session_bandwidth = 100 * PACKET;
	world_start(w);
	call_open(w, &c[0], "198.51.100.5:1", PEER, "alice", "secret");
	call_open(w, &c[1], "198.51.100.5:2", "9.9.9.9:4001", "alice", "secret");
	/* a second's worth at once, each direction by itself, each session by itself */
	assert_int_equal(to_peer(&c[0], 150), 100);
	assert_int_equal(to_client(&c[0], 150), 100);
	assert_int_equal(to_peer(&c[1], 50), 50);
	assert_int_equal(turn_get_stats(w->turn)->session_bandwidth_drops, 100);
	/* and then as much as time goes by */
	world_run(w, 100);
	assert_int_equal(to_peer(&c[0], 150), 10);
	world_run(w, 10000);
	assert_int_equal(to_peer(&c[0], 150), 100);
	assert_int_equal(to_peer(&c[1], 150), 100);
	/* requests are never refused for it */
	assert_int_equal(host_refresh(&c[0].client, 600), 0);
	assert_int_equal(host_permit(&c[0].client, "9.9.9.8:1"), 0);
	call_close(&c[0]);
	call_close(&c[1]);
	free(c);
	end(w);
}

static void a_user_has_its_bandwidth(void **state)
{
	struct world *w = new_world();
	struct call *c = calloc(3, sizeof(*c));
	size_t first, second;

	(void)state;
	w->conf.user_bandwidth = 200 * PACKET;
	world_start(w);
	call_open(w, &c[0], "198.51.100.5:1", PEER, "alice", "secret");
	call_open(w, &c[1], "198.51.100.5:2", "9.9.9.9:4001", "alice", "secret");
	call_open(w, &c[2], "198.51.100.6:2", "9.9.9.9:4002", "bob", "hunter2");
	first = to_peer(&c[0], 120);
	second = to_peer(&c[1], 150);
	assert_int_equal(first, 120);
	assert_in_range(second, 76, 80); /* the first may hold a supply of 1/64 second */
	assert_int_equal(to_peer(&c[2], 150), 150);
	assert_true(turn_get_stats(w->turn)->user_bandwidth_drops >= 70);
	world_run(w, 500);
	first = to_peer(&c[0], 150);
	assert_in_range(first, 97, 104);
	call_close(&c[0]);
	call_close(&c[1]);
	call_close(&c[2]);
	free(c);
	end(w);
}

static void the_server_has_its_bandwidth(void **state)
{
	struct world *w = new_world();
	struct call *c = calloc(2, sizeof(*c));

	(void)state;
	w->conf.total_bandwidth = 200 * PACKET;
	world_start(w);
	call_open(w, &c[0], "198.51.100.5:1", PEER, "alice", "secret");
	call_open(w, &c[1], "198.51.100.6:2", "9.9.9.9:4001", "bob", "hunter2");
	assert_int_equal(to_peer(&c[0], 150) + to_peer(&c[1], 150), 200);
	assert_int_equal(turn_get_stats(w->turn)->total_bandwidth_drops, 100);
	assert_int_equal(to_client(&c[0], 150) + to_client(&c[1], 150), 200);
	call_close(&c[0]);
	call_close(&c[1]);
	free(c);
	end(w);
}

/* Bytes that two threads get out of one rate in a second: never more than it has. */
struct taker {
	struct turn_rate *rate;
	uint64_t got;
};

static void *take(void *arg)
{
	struct taker *t = arg;
	uint32_t credit = 0;

	for (int i = 0; i < 100000; i++)
		if (turn_rate_lease(t->rate, &credit, 10000000, 5000, 100))
			t->got += 100;
	return NULL;
}

static void workers_share_without_a_lock(void **state)
{
	struct turn_rate rate = {0};
	struct taker t[2] = {{&rate, 0}, {&rate, 0}};
	pthread_t thread[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, take, &t[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_in_range(t[0].got + t[1].got, 10000000 - 2 * 65536, 10000000);
}

static void rates(void **state)
{
	struct turn_rate slow = {0}, fast = {0};

	(void)state;
	/* however slow, the longest datagram passes */
	assert_true(turn_rate_take(&slow, 1000, 5000, 65507));
	assert_false(turn_rate_take(&slow, 1000, 5000, 1000));
	assert_true(turn_rate_take(&slow, 1000, 70600, 1000));
	for (int i = 0; i < 1000; i++)
		assert_true(turn_rate_take(&fast, 100000000000, 5000, 65507));
	/* a clock that stands still gives no more than a second's worth */
	uint64_t got = 0;
	struct turn_rate r = {0};
	while (turn_rate_take(&r, 1000000, 5000, 777))
		got += 777;
	assert_in_range(got, 1000000 - 777, 1000000);
}

static void permissions_and_channels_are_counted(void **state)
{
	struct world *w = new_world();
	struct host h;
	char peer[ADDR_STRLEN];

	(void)state;
	w->conf.permissions_max = 3;
	w->conf.channels_max = 2;
	world_start(w);
	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_allocate(&h, NULL), 0);
	for (unsigned int i = 0; i < 5; i++) {
		snprintf(peer, sizeof(peer), "9.9.9.%u:1", i + 1);
		assert_int_equal(host_permit(&h, peer), i < 3 ? 0 : 508);
	}
	for (unsigned int i = 0; i < 4; i++) {
		snprintf(peer, sizeof(peer), "9.9.9.1:%u", i + 1);
		assert_int_equal(host_bind(&h, (uint16_t)(0x4000 + i), peer), i < 2 ? 0 : 508);
	}
	assert_int_equal(turn_get_stats(w->turn)->permissions_refused, 2);
	assert_int_equal(turn_get_stats(w->turn)->channels_refused, 2);
	host_close(&h);
	end(w);
}

/* An Allocate of a pair: the even port, and the one above it kept for the token. */
static int ask_pair(struct host *h, uint8_t token[8])
{
	struct wire m;
	size_t n = 0;
	const uint8_t *v;
	int r;

	assert_int_equal(host_login(h), 401); /* the nonce before was for another allocation */
	host_request(h, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add(&m, ATTR_EVEN_PORT, "\x80", 1);
	r = host_ask(h, &m);
	v = r ? NULL : wire_get(h->in.buf, h->in.len, ATTR_RESERVATION_TOKEN, &n);
	if (v)
		memcpy(token, v, 8);
	return r;
}

static int take_up(struct host *h, const uint8_t token[8])
{
	struct wire m;

	assert_int_equal(host_login(h), 401);
	host_request(h, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add(&m, ATTR_RESERVATION_TOKEN, token, 8);
	return host_ask(h, &m);
}

/* Of so many places (one: of the user, of the realm, of the server). */
static void reserve_within(struct world *w, struct host alice[3], struct host *bob,
                           const uint32_t one[3])
{
	uint8_t token[8], second[8];

	turn_quota_set_limits(w->quota, one[0], one[1], one[2]);
	assert_int_equal(ask_pair(&alice[0], token), 486);
	assert_int_equal(turn_ports_leased(w->ports4), 0);
	assert_int_equal(turn_quota_total(w->quota), 0);
	/* with two places: the pair, and nothing besides, in a loop */
	turn_quota_set_limits(w->quota, 2 * one[0], 2 * one[1], 2 * one[2]);
	assert_int_equal(ask_pair(&alice[0], token), 0);
	assert_int_equal(host_allocate(&alice[1], NULL), 486);
	assert_int_equal(host_refresh(&alice[0], 0), 0);
	assert_int_equal(ask_pair(&alice[0], second), 486);
	/* who takes it up has its place */
	assert_int_equal(take_up(&alice[1], token), 0);
	assert_int_equal(turn_quota_total(w->quota), 1);
	assert_int_equal(ask_pair(&alice[0], second), 486);
	assert_int_equal(host_allocate(&alice[0], NULL), 0);
	assert_int_equal(host_refresh(&alice[0], 0), 0);
	assert_int_equal(host_refresh(&alice[1], 0), 0);
	/* another user claims it: it counts for them */
	turn_quota_set_limits(w->quota, 2 * one[0], 3 * one[1], 3 * one[2]);
	assert_int_equal(ask_pair(&alice[0], token), 0);
	assert_int_equal(take_up(bob, token), 0);
	assert_int_equal(host_allocate(&alice[1], NULL), 0);
	assert_int_equal(host_allocate(&alice[2], NULL), 486);
	assert_int_equal(host_refresh(&alice[0], 0), 0);
	assert_int_equal(host_refresh(&alice[1], 0), 0);
	assert_int_equal(host_refresh(bob, 0), 0);
	/* nobody does */
	assert_int_equal(ask_pair(&alice[0], token), 0);
	assert_int_equal(turn_quota_total(w->quota), 2);
	world_run(w, 32000);
	assert_int_equal(turn_quota_total(w->quota), 1);
	assert_int_equal(host_refresh(&alice[0], 0), 0);
}

/* A reserved port takes a place in the quotas of its user, its realm and the server, until it is an
 * allocation's, whose place it then is, or until the reservation ends. */
static void reservations_take_places(void **state)
{
	static const uint32_t limits[][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
	struct world *w = new_world();
	struct host alice[3], bob;

	(void)state;
	world_start(w);
	for (int i = 0; i < 3; i++) {
		char text[ADDR_STRLEN];

		snprintf(text, sizeof(text), "198.51.100.5:%d", i + 1);
		host_open(w, &alice[i], text, "alice", "secret");
		assert_int_equal(host_login(&alice[i]), 401);
	}
	host_open(w, &bob, "198.51.100.6:1", "bob", "hunter2");
	assert_int_equal(host_login(&bob), 401);
	for (size_t i = 0; i < 3; i++)
		reserve_within(w, alice, &bob, limits[i]);
	for (int i = 0; i < 3; i++)
		host_close(&alice[i]);
	host_close(&bob);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_session_has_its_bandwidth),
	    cmocka_unit_test(a_user_has_its_bandwidth),
	    cmocka_unit_test(the_server_has_its_bandwidth),
	    cmocka_unit_test(workers_share_without_a_lock),
	    cmocka_unit_test(rates),
	    cmocka_unit_test(permissions_and_channels_are_counted),
	    cmocka_unit_test(reservations_take_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
