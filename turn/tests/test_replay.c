/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Replays of captured requests, byte for byte: from another port or address, to another of ours,
 * over a connection, and from the same 5-tuple, while the allocation lives and after its end.
 */
#include "base/tests/test.h"
#include "turn/tests/world.h"

#include <stdlib.h>

#define PEER "8.8.8.8:1"

/* The requests of one session, as they were on the wire. */
struct capture {
	struct wire allocate, permit, bind, refresh, end;
};

struct scene {
	struct world *w;
	struct host alice;
	struct capture got;
};

static int record(struct host *h, struct wire *m, struct wire *out)
{
	int code = host_ask(h, m);

	*out = *m;
	return code;
}

static void allocate(struct host *h, struct wire *out)
{
	struct wire m;

	host_request(h, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	assert_int_equal(record(h, &m, out), 0);
}

static void use(struct host *h, struct capture *out)
{
	struct wire m;

	host_request(h, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, PEER);
	assert_int_equal(record(h, &m, &out->permit), 0);
	host_request(h, &m, W_CHANNEL_BIND);
	wire_add_channel(&m, 0x4000);
	wire_add_peer(&m, PEER);
	assert_int_equal(record(h, &m, &out->bind), 0);
	host_request(h, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, 3600);
	assert_int_equal(record(h, &m, &out->refresh), 0);
}

static void end(struct host *h, struct wire *out)
{
	struct wire m;

	host_request(h, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, 0);
	assert_int_equal(record(h, &m, out), 0);
}

static struct scene *begin(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	s->w = world_begin(state);
	host_open(s->w, &s->alice, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_login(&s->alice), 401);
	allocate(&s->alice, &s->got.allocate);
	use(&s->alice, &s->got);
	return s;
}

static void over(struct scene *s)
{
	host_close(&s->alice);
	free(s);
}

static int replay(struct host *h, const char *to, const struct wire *m)
{
	if (!host_send(h, to, m->buf, m->len))
		return -1;
	return host_reply_code(h);
}

static void refused_from(struct scene *s, const char *from, const char *to)
{
	const struct wire *all[] = {&s->got.allocate, &s->got.permit, &s->got.bind,
	                            &s->got.refresh};
	struct host thief;

	host_open(s->w, &thief, from, "", "");
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(replay(&thief, to, all[i]), 438);
		assert_int_equal(turn_allocations(s->w->turn), 1);
	}
	host_close(&thief);
}

static void from_elsewhere(void **state)
{
	struct scene *s = begin(state);
	struct host moved;

	/* another port, another address of the network, another network */
	refused_from(s, "198.51.100.5:2", SERVER4);
	refused_from(s, "198.51.100.6:1", SERVER4);
	refused_from(s, "203.0.113.5:1", SERVER4);
	refused_from(s, "[2001:db8:1::5]:1", SERVER6);
	/* a client whose port has changed hears of it once; its allocation was the old port's */
	host_open(s->w, &moved, "198.51.100.5:3", "alice", "secret");
	strcpy(moved.nonce, s->alice.nonce);
	assert_int_equal(host_refresh(&moved, 600), 438);
	assert_int_equal(host_refresh(&moved, 600), 437);
	assert_int_equal(host_allocate(&moved, NULL), 0);
	assert_int_equal(host_permit(&moved, PEER), 0);
	assert_int_equal(turn_get_stats(s->w->turn)->replies_438, 4 * 4 + 1);
	host_close(&moved);
	over(s);
}

/* The same sender, as far as an address tells, to another of our addresses. */
static void to_another_address(void **state)
{
	struct turn_listener_conf l = {.fd = -1, .relay4 = 0, .relay6 = 1};
	struct scene *s = begin(state);

	assert_int_equal(addr_parse(&l.local, SECOND4), 0);
	s->w->more_listeners++;
	assert_int_equal(turn_listen(s->w->turn, &l), 0);
	assert_int_equal(replay(&s->alice, SECOND4, &s->got.allocate), 438);
	assert_int_equal(replay(&s->alice, SECOND4, &s->got.permit), 438);
	assert_int_equal(turn_allocations(s->w->turn), 1);
	over(s);
}

static void keep(void *ctx, const uint8_t *data, size_t len)
{
	struct wire *in = ctx;

	memcpy(in->buf, data, len);
	in->len = len;
}

static int over_link(struct turn_link *link, struct wire *in, const struct wire *m)
{
	struct wire copy = *m;

	in->len = 0;
	turn_link_input(link, copy.buf, copy.len);
	return in->len ? wire_error(in->buf, in->len) : -1;
}

static struct turn_link *open_link(struct scene *s, enum turn_protocol protocol, struct wire *in)
{
	static const struct turn_link_ops ops = {.send = keep};
	struct turn_link_params p = {.protocol = protocol, .relay6 = 1, .ops = &ops, .ctx = in};
	struct turn_link *link;

	assert_int_equal(addr_parse(&p.client, "198.51.100.5:1"), 0);
	link = turn_link_new(s->w->turn, &p);
	assert_non_null(link);
	return link;
}

/* Connections, even when each comes from the port of the one before: a nonce is good for one. */
static void over_connections(void **state)
{
	static const enum turn_protocol protocols[] = {TURN_TCP, TURN_TLS, TURN_DTLS};
	struct scene *s = begin(state);
	static struct wire in, m, allocate;
	uint8_t key[16];

	wire_key("alice", REALM, "secret", key);
	for (int i = 0; i < 3; i++) {
		struct turn_link *link = open_link(s, protocols[i], &in);
		char nonce[64];

		assert_int_equal(over_link(link, &in, &s->got.allocate), 438);
		assert_true(wire_get_str(in.buf, in.len, ATTR_NONCE, nonce, sizeof(nonce)));
		wire_start(&m, W_ALLOCATE, 77);
		wire_add_transport(&m, IPPROTO_UDP);
		wire_add_login(&m, "alice", REALM, nonce);
		wire_add_integrity(&m, key);
		assert_int_equal(over_link(link, &in, &m), 0);
		allocate = m;
		turn_link_free(link);
		world_run(s->w, 0);
		link = open_link(s, protocols[i], &in);
		assert_int_equal(over_link(link, &in, &allocate), 438);
		turn_link_free(link);
	}
	assert_int_equal(turn_allocations(s->w->turn), 1);
	over(s);
}

/* From the same 5-tuple: by an attacker who can forge any sender, or who gets the NAT's port after
 * the client. */
static void a_repeated_allocate_makes_no_second_allocation(void **state)
{
	struct scene *s = begin(state);

	assert_int_equal(replay(&s->alice, SERVER4, &s->got.allocate), 0);
	assert_int_equal(turn_allocations(s->w->turn), 1);
	over(s);
}

static void after_the_end_only_the_last_refresh_is_answered_alike(void **state)
{
	struct scene *s = begin(state);

	end(&s->alice, &s->got.end);
	assert_int_equal(replay(&s->alice, SERVER4, &s->got.end), 0);
	assert_int_equal(replay(&s->alice, SERVER4, &s->got.allocate), 438);
	assert_int_equal(replay(&s->alice, SERVER4, &s->got.permit), 437);
	assert_int_equal(turn_allocations(s->w->turn), 0);
	over(s);
}

/* It is neither ended nor used by what was for the one before. */
static void a_replay_does_not_touch_the_next_allocation(void **state)
{
	struct scene *s = begin(state);
	struct capture next;

	end(&s->alice, &s->got.end);
	assert_int_equal(host_login(&s->alice), 401);
	allocate(&s->alice, &next.allocate);
	assert_int_equal(replay(&s->alice, SERVER4, &s->got.allocate), 438);
	assert_int_equal(replay(&s->alice, SERVER4, &s->got.permit), 438);
	assert_int_equal(replay(&s->alice, SERVER4, &s->got.refresh), 438);
	assert_int_equal(replay(&s->alice, SERVER4, &s->got.end), 438);
	assert_int_equal(turn_allocations(s->w->turn), 1);
	use(&s->alice, &next);
	over(s);
}

/* By the clock, or with its user. */
static void nothing_is_good_after_an_end_without_a_refresh(void **state)
{
	struct scene *s = begin(state);

	s->w->alice_gone = true;
	turn_recheck_users(s->w->turn);
	s->w->alice_gone = false;
	assert_int_equal(replay(&s->alice, SERVER4, &s->got.allocate), 438);
	assert_int_equal(host_login(&s->alice), 401);
	allocate(&s->alice, &s->got.allocate);
	world_run(s->w, 602 * 1000);
	assert_int_equal(replay(&s->alice, SERVER4, &s->got.allocate), 438);
	assert_int_equal(turn_allocations(s->w->turn), 0);
	over(s);
}

/* A client that goes on with the nonce of the allocation before gets 438 once. */
static void honest_clients_try_once_more(void **state)
{
	struct scene *s = begin(state);
	uint64_t before = turn_get_stats(s->w->turn)->replies_438;

	for (int i = 0; i < 10; i++) {
		end(&s->alice, &s->got.end);
		assert_int_equal(host_allocate(&s->alice, NULL), 0); /* and once more at 438 */
		use(&s->alice, &s->got);
	}
	assert_int_equal(turn_get_stats(s->w->turn)->replies_438, before + 10);
	over(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
	    T(from_elsewhere),
	    T(to_another_address),
	    T(over_connections),
	    T(a_repeated_allocate_makes_no_second_allocation),
	    T(after_the_end_only_the_last_refresh_is_answered_alike),
	    T(a_replay_does_not_touch_the_next_allocation),
	    T(nothing_is_good_after_an_end_without_a_refresh),
	    T(honest_clients_try_once_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
