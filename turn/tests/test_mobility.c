/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Mobility (RFC 8016) on virtual time: a client moves its allocation from
 * address to address, between connections and between workers.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "turn/lock.h"
#include "turn/mobility.h"
#include "turn/tests/world.h"

#include <stdio.h>
#include <stdlib.h>

#define PEER "9.9.9.9:4000"

struct ticket {
	uint8_t bytes[128];
	size_t len;
};

struct scene {
	struct world w;
	struct host a, b, c, peer; /* three places of the client */
	struct addr relayed;
	char relayed_text[ADDR_STRLEN];
	struct ticket ticket;
	/* a fetch between the workers, in the mail */
	struct turn_fetch fetch;
	bool fetching;
};

static struct scene *scene_with(bool mobility, uint32_t user_quota)
{
	struct scene *s = calloc(1, sizeof(*s));

	world_init(&s->w);
	turn_quota_free(s->w.quota);
	s->w.quota = turn_quota_new(user_quota, 0);
	s->w.conf.mobility = mobility;
	memset(s->w.conf.ticket_key, 0x5e, sizeof(s->w.conf.ticket_key));
	world_start(&s->w);
	host_open(&s->w, &s->a, "198.51.100.5:1", "alice", "secret");
	host_open(&s->w, &s->b, "198.51.100.77:2", "alice", "secret");
	host_open(&s->w, &s->c, "198.51.100.99:3", "alice", "secret");
	host_open(&s->w, &s->peer, PEER, "", "");
	assert_int_equal(host_login(&s->a), 401);
	assert_int_equal(host_login(&s->b), 401);
	assert_int_equal(host_login(&s->c), 401);
	return s;
}

static struct scene *scene_new(bool mobility)
{
	return scene_with(mobility, 5);
}

static void scene_free(struct scene *s)
{
	host_close(&s->a);
	host_close(&s->b);
	host_close(&s->c);
	host_close(&s->peer);
	world_stop(&s->w);
	free(s);
}

static bool take_ticket(struct scene *s, const struct wire *in)
{
	size_t n;
	const uint8_t *v = wire_get(in->buf, in->len, ATTR_MOBILITY_TICKET, &n);

	if (!v)
		return false;
	assert_true(n && n <= sizeof(s->ticket.bytes));
	memcpy(s->ticket.bytes, v, n);
	s->ticket.len = n;
	return true;
}

static int allocate(struct scene *s, struct host *h, const void *ticket, size_t len)
{
	struct wire m;
	int r;

	host_request(h, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add(&m, ATTR_MOBILITY_TICKET, ticket, len);
	r = host_ask(h, &m);
	if (!r) {
		assert_true(
		    wire_get_xor_addr(h->in.buf, h->in.len, ATTR_XOR_RELAYED_ADDRESS, &s->relayed));
		addr_format(&s->relayed, s->relayed_text);
	}
	return r;
}

static void start_refresh(struct host *h, struct wire *m, const struct ticket *t, uint32_t lifetime)
{
	host_request(h, m, W_REFRESH);
	wire_add_u32(m, ATTR_LIFETIME, lifetime);
	if (t)
		wire_add(m, ATTR_MOBILITY_TICKET, t->bytes, t->len);
}

static int move(struct scene *s, struct host *h, const struct ticket *t)
{
	struct wire m;
	struct ticket old = *t;
	int r;

	start_refresh(h, &m, t, 600);
	r = host_ask(h, &m);
	if (!r) {
		assert_true(take_ticket(s, &h->in));
		assert_true(s->ticket.len != old.len ||
		            memcmp(s->ticket.bytes, old.bytes, old.len) != 0);
	}
	return r;
}

static bool sends(struct scene *s, struct host *h)
{
	const char *to = h->server ? h->server : SERVER4;

	s->peer.got = 0;
	host_send(h, to, "\x40\x00\x00\x04ping", 8);
	return s->peer.got == 1 && addr_equal(&s->peer.from, &s->relayed);
}

static struct host *peer_reaches(struct scene *s)
{
	struct host *hosts[] = {&s->a, &s->b, &s->c}, *got = NULL;

	s->a.got = s->b.got = s->c.got = 0;
	host_send(&s->peer, s->relayed_text, "pong", 4);
	for (int i = 0; i < 3; i++) {
		if (!hosts[i]->got)
			continue;
		assert_null(got);
		got = hosts[i];
	}
	return got;
}

static void forbidden_by_default(void **state)
{
	struct scene *s = scene_new(false);
	struct ticket forged = {.len = 48};

	(void)state;
	assert_int_equal(allocate(s, &s->a, NULL, 0), 405);
	assert_int_equal(allocate(s, &s->a, "x", 1), 400);
	assert_int_equal(host_allocate(&s->a, NULL), 0);
	assert_int_equal(move(s, &s->b, &forged), 405);
	scene_free(s);
}

/* a has an allocation, its ticket and a channel to the peer. */
static struct scene *scene_bound(void)
{
	struct scene *s = scene_new(true);

	assert_int_equal(allocate(s, &s->a, NULL, 0), 0);
	assert_true(take_ticket(s, &s->a.in));
	assert_int_equal(host_bind(&s->a, 0x4000, PEER), 0);
	return s;
}

static int setup(void **state)
{
	*state = scene_new(true);
	return 0;
}

static int setup_bound(void **state)
{
	*state = scene_bound();
	return 0;
}

static int teardown(void **state)
{
	scene_free(*state);
	return 0;
}

static void a_ticket_is_asked_for_by_an_empty_one(void **state)
{
	struct scene *s = *state;

	assert_int_equal(allocate(s, &s->a, "notempty", 8), 400);
	assert_int_equal(allocate(s, &s->a, NULL, 0), 0);
	assert_true(take_ticket(s, &s->a.in));
}

static void the_old_5_tuple_serves_until_data_come_over_the_new_one(void **state)
{
	struct scene *s = *state;

	assert_true(sends(s, &s->a));
	assert_false(sends(s, &s->b));
	assert_int_equal(move(s, &s->b, &s->ticket), 0);
	assert_ptr_equal(peer_reaches(s), &s->a);
	assert_true(sends(s, &s->a));
	assert_ptr_equal(peer_reaches(s), &s->a);
	assert_true(sends(s, &s->b));
	assert_ptr_equal(peer_reaches(s), &s->b);
	assert_int_equal(turn_get_stats(s->w.turn)->moves, 1);
	/* and is nothing then */
	assert_false(sends(s, &s->a));
	assert_int_equal(host_refresh(&s->a, 600), 437);
	assert_int_equal(host_refresh(&s->b, 600), 0);
}

static void a_used_ticket_is_used_up(void **state)
{
	struct scene *s = *state;
	struct ticket first = s->ticket;

	assert_int_equal(move(s, &s->b, &s->ticket), 0);
	assert_true(sends(s, &s->b));
	assert_int_equal(move(s, &s->c, &first), 400);
	assert_int_equal(move(s, &s->c, &s->ticket), 0);
}

static void a_send_indication_ends_the_old_5_tuple(void **state)
{
	struct scene *s = *state;
	struct wire m;

	assert_int_equal(move(s, &s->c, &s->ticket), 0);
	wire_start(&m, W_SEND, 1);
	wire_add_peer(&m, PEER);
	wire_add_str(&m, ATTR_DATA, "by send");
	s->peer.got = 0;
	host_send(&s->c, SERVER4, m.buf, m.len);
	assert_int_equal(s->peer.got, 1);
	assert_ptr_equal(peer_reaches(s), &s->c);
}

/* As good as data. And back to where it was before. */
static void a_request_that_proves_itself_ends_the_old_5_tuple(void **state)
{
	struct scene *s = *state;

	assert_int_equal(move(s, &s->c, &s->ticket), 0);
	assert_true(sends(s, &s->c));
	assert_int_equal(move(s, &s->a, &s->ticket), 0);
	assert_ptr_equal(peer_reaches(s), &s->c);
	assert_int_equal(host_permit(&s->a, PEER), 0);
	assert_ptr_equal(peer_reaches(s), &s->a);
	assert_true(sends(s, &s->a));
	/* it has been here before, with this nonce */
	assert_int_equal(host_refresh(&s->a, 0), 438);
	assert_int_equal(host_refresh(&s->a, 0), 0);
}

static void a_ticket_ends_with_its_allocation(void **state)
{
	struct scene *s = *state;

	assert_int_equal(host_refresh(&s->a, 0), 0);
	assert_int_equal(turn_allocations(s->w.turn), 0);
	assert_int_equal(move(s, &s->b, &s->ticket), 437);
}

/* A Refresh that is refused leaves the client where it was, and its ticket good: the new one would
 * have come with the answer only. */
static void refused_moves_nothing(void **state)
{
	struct scene *s = *state;
	struct wire m;

	start_refresh(&s->b, &m, &s->ticket, 600);
	wire_add_u32(&m, ATTR_REQUESTED_ADDRESS_FAMILY,
	             2u << 24); /* it has no relayed address of this family */
	assert_int_equal(host_ask(&s->b, &m), 443);
	assert_false(sends(s, &s->b));
	assert_true(sends(s, &s->a));
	assert_int_equal(move(s, &s->b, &s->ticket), 0);
	assert_true(sends(s, &s->b));
}

static void a_ticket_is_good_as_it_was_given(void **state)
{
	struct scene *s = *state;
	struct ticket t;

	for (size_t i = 0; i < s->ticket.len; i++) {
		t = s->ticket;
		t.bytes[i] ^= 1;
		assert_int_equal(move(s, &s->b, &t), 400);
	}
	t = s->ticket;
	t.len--;
	assert_int_equal(move(s, &s->b, &t), 400);
	t.len = 0;
	assert_int_equal(move(s, &s->b, &t), 400);
	assert_int_equal(move(s, &s->b, &s->ticket), 0);
}

static void a_ticket_is_its_users(void **state)
{
	struct scene *s = *state;

	s->c.user = "bob";
	s->c.password = "hunter2";
	assert_int_equal(move(s, &s->c, &s->ticket), 441);
	assert_int_equal(move(s, &s->b, &s->ticket), 0);
}

/* Neither the one where the allocation is already. */
static void a_move_needs_a_free_5_tuple(void **state)
{
	struct scene *s = *state;

	assert_int_equal(move(s, &s->a, &s->ticket), 400);
	assert_int_equal(host_allocate(&s->b, NULL), 0);
	assert_int_equal(move(s, &s->b, &s->ticket), 437);
	assert_int_equal(host_refresh(&s->b, 0), 0);
	assert_int_equal(move(s, &s->b, &s->ticket), 0);
}

static void a_retransmission_is_answered_until_the_next_move(void **state)
{
	struct scene *s = *state;
	struct wire m;
	uint8_t key[16];

	wire_key("alice", REALM, "secret", key);
	start_refresh(&s->b, &m, &s->ticket, 600);
	wire_add_integrity(&m, key);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(host_send(&s->b, SERVER4, m.buf, m.len), 1);
		assert_int_equal(host_reply_code(&s->b), 0);
		assert_true(take_ticket(s, &s->b.in));
		if (i == 1)
			assert_true(sends(s, &s->b));
	}
	assert_int_equal(move(s, &s->c, &s->ticket), 0);
	assert_true(sends(s, &s->c));
	assert_int_equal(host_send(&s->b, SERVER4, m.buf, m.len), 1);
	assert_int_equal(host_reply_code(&s->b), 400);
}

/* "Mobility bypasses the quota": one allocation stays one, wherever it moves. */
static void quota_holds(void **state)
{
	struct scene *s = scene_with(true, 1);
	struct host *at[] = {&s->a, &s->b, &s->c};

	(void)state;
	assert_int_equal(allocate(s, &s->a, NULL, 0), 0);
	assert_true(take_ticket(s, &s->a.in));
	assert_int_equal(host_bind(&s->a, 0x4000, PEER), 0);
	for (int i = 1; i < 40; i++) {
		assert_int_equal(move(s, at[i % 3], &s->ticket), 0);
		if (i % 2)
			assert_true(sends(s, at[i % 3]));
		assert_int_equal(host_allocate(at[(i + 1) % 3], NULL), 486);
		assert_int_equal(turn_quota_total(s->w.quota), 1);
	}
	scene_free(s);
}

static void ends_by_the_clock_while_moving(void **state)
{
	struct scene *s = *state;

	assert_int_equal(allocate(s, &s->a, NULL, 0), 0);
	assert_true(take_ticket(s, &s->a.in));
	assert_int_equal(move(s, &s->b, &s->ticket), 0);
	world_run(&s->w, 601 * 1000);
	assert_int_equal(turn_allocations(s->w.turn), 0);
	assert_int_equal(move(s, &s->c, &s->ticket), 437);
}

struct stream {
	uint8_t out[2048];
	size_t len, messages, resumed;
};

static void on_stream_send(void *ctx, const uint8_t *data, size_t len)
{
	struct stream *st = ctx;

	memcpy(st->out, data, len);
	st->len = len;
	st->messages++;
}

static void on_stream_resume(void *ctx)
{
	((struct stream *)ctx)->resumed++;
}

static struct turn_link *open_link(struct turn *turn, const char *from, struct stream *st)
{
	static const struct turn_link_ops ops = {.send = on_stream_send,
	                                         .resume = on_stream_resume};
	struct turn_link_params params = {
	    .protocol = TURN_TCP, .relay6 = 1, .ops = &ops, .ctx = st};

	*st = (struct stream){.len = 0};
	assert_int_equal(addr_parse(&params.client, from), 0);
	return turn_link_new(turn, &params);
}

/* The error code that the connection answers m with, as alice; h learns the nonce. */
static int ask_link(struct turn_link *link, struct stream *st, struct host *h, struct wire *m)
{
	uint8_t key[16];

	wire_key("alice", REALM, "secret", key);
	wire_add_integrity(m, key);
	turn_link_input(link, m->buf, m->len);
	wire_get_str(st->out, st->len, ATTR_NONCE, h->nonce, sizeof(h->nonce));
	return wire_error(st->out, st->len);
}

static void take_link_ticket(struct scene *s, const struct stream *st)
{
	struct wire in = {.len = st->len};

	memcpy(in.buf, st->out, st->len);
	assert_true(take_ticket(s, &in));
}

/* The connection is new: it hears 438 once. */
static void move_to_link(struct scene *s, struct turn_link *link, struct stream *st)
{
	for (int known = 0; known < 2; known++) {
		struct wire m;

		start_refresh(&s->a, &m, &s->ticket, 600);
		assert_int_equal(ask_link(link, st, &s->a, &m), known ? 0 : 438);
	}
	take_link_ticket(s, st);
}

/* The allocation of scene_bound(), but over a connection. */
static struct turn_link *scene_on_link(struct scene *s, struct stream *st)
{
	struct turn_link *link = open_link(s->w.turn, "198.51.100.5:9", st);
	struct wire m;

	wire_start(&m, W_ALLOCATE, 1);
	wire_add_transport(&m, IPPROTO_UDP);
	turn_link_input(link, m.buf, m.len);
	assert_int_equal(wire_error(st->out, st->len), 401);
	assert_true(wire_get_str(st->out, st->len, ATTR_NONCE, s->a.nonce, sizeof(s->a.nonce)));
	host_request(&s->a, &m, W_ALLOCATE); /* with the connection's nonce */
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add(&m, ATTR_MOBILITY_TICKET, NULL, 0);
	assert_int_equal(ask_link(link, st, &s->a, &m), 0);
	assert_true(wire_get_xor_addr(st->out, st->len, ATTR_XOR_RELAYED_ADDRESS, &s->relayed));
	addr_format(&s->relayed, s->relayed_text);
	take_link_ticket(s, st);
	host_request(&s->a, &m, W_CHANNEL_BIND);
	wire_add_channel(&m, 0x4000);
	wire_add_peer(&m, PEER);
	assert_int_equal(ask_link(link, st, &s->a, &m), 0);
	return link;
}

/* The client fetches it. */
static void a_mobile_allocation_survives_its_connection(void **state)
{
	struct scene *s = *state;
	struct stream st;

	turn_link_free(scene_on_link(s, &st));
	assert_int_equal(turn_allocations(s->w.turn), 1);
	assert_null(peer_reaches(s)); /* nobody to hear it, and nothing breaks */
	assert_int_equal(move(s, &s->b, &s->ticket), 0);
	assert_ptr_equal(peer_reaches(s), &s->b); /* nothing to wait for: at once */
	assert_true(sends(s, &s->b));
}

static void a_connection_that_breaks_before_its_first_data_undoes_the_move(void **state)
{
	struct scene *s = *state;
	struct stream st;

	for (int with_data = 0; with_data < 2; with_data++) {
		struct turn_link *link = open_link(s->w.turn, "198.51.100.5:10", &st);

		move_to_link(s, link, &st);
		if (with_data) {
			_Alignas(8) uint8_t data[8] = {0x40, 0, 0, 1, 'x'};

			s->peer.got = 0;
			turn_link_input(link, data, 8);
			world_run(&s->w, 0);
			assert_int_equal(s->peer.got, 1);
		}
		turn_link_free(link);
		assert_ptr_equal(peer_reaches(s), with_data ? NULL : &s->a);
	}
}

static void an_old_connection_that_breaks_completes_the_move(void **state)
{
	struct scene *s = *state;
	struct stream st;
	struct turn_link *link = scene_on_link(s, &st);

	assert_int_equal(move(s, &s->c, &s->ticket), 0);
	turn_link_free(link);
	assert_ptr_equal(peer_reaches(s), &s->c);
	assert_int_equal(host_refresh(&s->c, 0), 0);
}

static int on_fetch(void *ctx, unsigned int worker, const struct turn_fetch *f)
{
	struct scene *s = ctx;

	if (worker > 1)
		return -E_NOTFOUND;
	s->fetch = *f;
	s->fetching = true;
	return 0;
}

static const struct turn_mobility_ops mobility_ops = {.fetch = on_fetch};

/* A Refresh that the worker cannot answer alone; the mail is delivered, and the reply comes. */
static int move_far(struct scene *s, struct host *h, const struct ticket *t, struct turn *owner,
                    struct turn *asker)
{
	struct turn_alloc *a = NULL;
	struct wire m;
	uint8_t key[16];
	int r;

	wire_key(h->user, REALM, h->password, key);
	start_refresh(h, &m, t, 600);
	wire_add_integrity(&m, key);
	assert_int_equal(host_send(h, h->server ? h->server : SERVER4, m.buf, m.len), 0);
	assert_true(s->fetching);
	/* it is asked for once only */
	s->fetching = false;
	assert_int_equal(host_send(h, h->server ? h->server : SERVER4, m.buf, m.len), 0);
	assert_false(s->fetching);
	h->got = 0;
	r = turn_give(owner, &s->fetch, &a);
	assert_int_equal(!r, a != NULL);
	turn_take(asker, s->fetch.ticket, a, r);
	world_run(&s->w, 0);
	assert_int_equal(h->got, 1);
	if (!host_reply_code(h))
		assert_true(take_ticket(s, &h->in));
	return host_reply_code(h);
}

static struct scene *two_workers(void)
{
	struct scene *s = scene_new(true);

	world_start_second(&s->w);
	turn_set_mobility(s->w.turn, &mobility_ops, s);
	turn_set_mobility(s->w.second, &mobility_ops, s);
	s->b.server = SECOND4;
	assert_int_equal(host_login(&s->b), 401);
	assert_int_equal(allocate(s, &s->a, NULL, 0), 0);
	assert_true(take_ticket(s, &s->a.in));
	assert_int_equal(host_bind(&s->a, 0x4000, PEER), 0);
	assert_true(sends(s, &s->a));
	return s;
}

static void moves_between_workers(void **state)
{
	struct scene *s = two_workers();
	struct ticket first = s->ticket;

	(void)state;
	assert_int_equal(move_far(s, &s->b, &s->ticket, s->w.turn, s->w.second), 0);
	assert_int_equal(turn_allocations(s->w.turn), 0);
	assert_int_equal(turn_allocations(s->w.second), 1);
	assert_ptr_equal(peer_reaches(s), &s->b);
	assert_true(sends(s, &s->b));
	assert_false(sends(s, &s->a));
	assert_int_equal(host_bind(&s->b, 0x4000, PEER), 0);
	/* the used ticket, at its own worker */
	assert_int_equal(move(s, &s->c, &first), 437);
	/* and back */
	assert_int_equal(move_far(s, &s->a, &s->ticket, s->w.second, s->w.turn), 0);
	assert_true(sends(s, &s->a));
	assert_ptr_equal(peer_reaches(s), &s->a);
	assert_int_equal(turn_allocations(s->w.second), 0);
	world_run(&s->w, 601 * 1000);
	assert_int_equal(turn_allocations(s->w.turn), 0);
	scene_free(s);
}

/* The address that the client has left is another's now. */
static void a_moved_client_leaves_its_own_address(void **state)
{
	struct scene *s = *state;
	struct prefix homes;
	char text[] = "198.51.100.5:9";

	s->w.alice_locked = true;
	assert_int_equal(prefix_parse(&homes, "198.51.100.0/24"), 0);
	assert_int_equal(peer_policy_allow(s->w.policy, &homes), 0);
	assert_int_equal(allocate(s, &s->a, NULL, 0), 0);
	assert_true(take_ticket(s, &s->a.in));
	assert_int_equal(host_bind(&s->a, 0x4000, text), 0);
	assert_int_equal(move(s, &s->b, &s->ticket), 0);
	assert_false(sends(s, &s->b)); /* arrives, and the permission is gone */
	assert_int_equal(turn_get_stats(s->w.turn)->moves, 1);
	assert_int_equal(turn_get_stats(s->w.turn)->permission_drops, 1);
	assert_int_equal(turn_get_stats(s->w.turn)->to_peer_packets, 0);
	assert_int_equal(host_refresh(&s->b, 0), 0);
}

/* The lock goes along, to what the other worker knows of it. */
static void locks_hold_between_workers(void **state)
{
	struct scene *s = scene_new(true);
	struct addr peer;

	(void)state;
	s->w.alice_locked = true;
	s->w.lock = 42;
	world_start_second(&s->w);
	turn_set_mobility(s->w.turn, &mobility_ops, s);
	turn_set_mobility(s->w.second, &mobility_ops, s);
	s->b.server = SECOND4;
	assert_int_equal(host_login(&s->b), 401);
	assert_int_equal(addr_parse(&peer, PEER), 0);
	assert_int_equal(turn_lock_set(s->w.turn, 42, &peer, 1), 0);
	assert_int_equal(turn_lock_set(s->w.second, 42, &peer, 1), 0);
	assert_int_equal(allocate(s, &s->a, NULL, 0), 0);
	assert_true(take_ticket(s, &s->a.in));
	assert_int_equal(host_bind(&s->a, 0x4000, PEER), 0);
	assert_int_equal(move_far(s, &s->b, &s->ticket, s->w.turn, s->w.second), 0);
	assert_true(sends(s, &s->b));
	/* here the peer has gone meanwhile */
	assert_int_equal(turn_lock_set(s->w.turn, 42, NULL, 0), 0);
	assert_int_equal(move_far(s, &s->a, &s->ticket, s->w.second, s->w.turn), 0);
	assert_false(sends(s, &s->a));
	assert_int_equal(host_permit(&s->a, PEER),
	                 438); /* a nonce of the allocation's first life */
	assert_int_equal(host_permit(&s->a, PEER), 403);
	assert_int_equal(turn_lock_set(s->w.turn, 42, &peer, 1), 0);
	assert_int_equal(host_permit(&s->a, PEER), 0);
	assert_true(sends(s, &s->a));
	assert_int_equal(host_refresh(&s->a, 0), 0);
	scene_free(s);
}

static void refusals_between_workers(void **state)
{
	struct scene *s = two_workers();
	struct ticket first = s->ticket;

	(void)state;
	/* another user */
	s->b.user = "bob";
	s->b.password = "hunter2";
	assert_int_equal(move_far(s, &s->b, &s->ticket, s->w.turn, s->w.second), 441);
	s->b.user = "alice";
	s->b.password = "secret";
	/* a used ticket */
	assert_int_equal(move(s, &s->c, &s->ticket), 0);
	assert_true(sends(s, &s->c));
	assert_int_equal(move_far(s, &s->b, &first, s->w.turn, s->w.second), 400);
	assert_true(sends(s, &s->c));
	/* no socket to be had on the other side: the allocation ends, nothing leaks */
	env_virtual_fail_open(s->w.env, 1, -E_NOMEM);
	assert_int_equal(move_far(s, &s->b, &s->ticket, s->w.turn, s->w.second), 437);
	assert_int_equal(turn_allocations(s->w.turn) + turn_allocations(s->w.second), 0);
	assert_int_equal(move_far(s, &s->b, &s->ticket, s->w.turn, s->w.second), 437);
	scene_free(s);
}

/* The one who asked has given up meanwhile: the allocation closes. */
static void nobody_waits(void **state)
{
	struct scene *s = two_workers();
	struct turn_alloc *a = NULL;
	struct wire m;
	uint8_t key[16];

	(void)state;
	wire_key("alice", REALM, "secret", key);
	start_refresh(&s->b, &m, &s->ticket, 600);
	wire_add_integrity(&m, key);
	assert_int_equal(host_send(&s->b, SECOND4, m.buf, m.len), 0);
	world_run(&s->w, 10000);
	assert_int_equal(turn_give(s->w.turn, &s->fetch, &a), 0);
	turn_take(s->w.second, s->fetch.ticket, a, 0);
	assert_int_equal(turn_allocations(s->w.second), 0);
	world_run(&s->w, 0);
	/* or wants it only to delete it */
	assert_int_equal(allocate(s, &s->a, NULL, 0),
	                 438); /* the nonce was for the one that left */
	assert_int_equal(allocate(s, &s->a, NULL, 0), 0);
	assert_true(take_ticket(s, &s->a.in));
	start_refresh(&s->b, &m, &s->ticket, 0);
	wire_add_integrity(&m, key);
	assert_int_equal(host_send(&s->b, SECOND4, m.buf, m.len), 0);
	assert_int_equal(turn_give(s->w.turn, &s->fetch, &a), 0);
	s->b.got = 0;
	turn_take(s->w.second, s->fetch.ticket, a, 0);
	assert_int_equal(turn_allocations(s->w.second), 0);
	world_run(&s->w, 0);
	assert_int_equal(s->b.got, 1);
	assert_int_equal(host_reply_code(&s->b), 0);
	scene_free(s);
}

/* A stream of b's to the second worker, whose request `again` waits for the first. */
static struct turn_link *stream_waits(struct scene *s, struct stream *st, struct wire *again)
{
	struct turn_link *link = open_link(s->w.second, "198.51.100.77:2", st);
	uint8_t key[16];
	struct wire m;

	assert_false(turn_link_waits(link));
	start_refresh(&s->b, &m, &s->ticket, 600);
	assert_int_equal(ask_link(link, st, &s->b, &m), 438); /* the nonce is for the socket of b */
	st->messages = 0;
	wire_key("alice", REALM, "secret", key);
	start_refresh(&s->b, again, &s->ticket, 600);
	wire_add_integrity(again, key);
	m = *again;
	turn_link_input(link, m.buf, m.len);
	assert_true(turn_link_waits(link));
	assert_int_equal(st->messages, 0);
	return link;
}

/* Over a stream, what comes behind a request that waits is to wait, too. */
static void a_stream_waits_for_another_worker(void **state)
{
	struct scene *s = two_workers();
	struct turn_alloc *a = NULL;
	struct stream st;
	struct wire again;
	struct turn_link *link = stream_waits(s, &st, &again);

	(void)state;
	assert_int_equal(turn_give(s->w.turn, &s->fetch, &a), 0);
	turn_take(s->w.second, s->fetch.ticket, a, 0);
	assert_false(turn_link_waits(link));
	assert_int_equal(st.resumed, 1);
	assert_int_equal(st.messages, 1);
	assert_int_equal(wire_error(st.out, st.len), 0);
	turn_link_input(link, again.buf, again.len); /* the same once more */
	assert_int_equal(st.messages, 2);
	assert_int_equal(wire_error(st.out, st.len), 0);
	turn_link_free(link);
	scene_free(s);
}

/* The request has an answer in the end, whatever becomes of it: nobody sends it again. */
static void a_stream_that_waits_in_vain_hears_500_and_goes_on(void **state)
{
	struct scene *s = two_workers();
	struct turn_alloc *a = NULL;
	struct stream st;
	struct wire again, m;
	struct turn_link *link = stream_waits(s, &st, &again);

	(void)state;
	world_run(&s->w, 10000);
	assert_false(turn_link_waits(link));
	assert_int_equal(st.resumed, 1);
	assert_int_equal(st.messages, 1);
	assert_int_equal(wire_error(st.out, st.len), 500);
	assert_memory_equal(st.out + 8, again.buf + 8, 12);
	m = again;
	turn_link_input(link, m.buf, m.len);
	assert_true(turn_link_waits(link));
	assert_int_equal(turn_give(s->w.turn, &s->fetch, &a), 0);
	turn_take(s->w.second, s->fetch.ticket, a, 0);
	assert_int_equal(st.resumed, 2);
	assert_int_equal(wire_error(st.out, st.len), 0);
	turn_link_free(link);
	scene_free(s);
}

static void a_connection_may_go_while_its_request_waits(void **state)
{
	struct scene *s = two_workers();
	struct stream st;
	struct turn_link *link = open_link(s->w.second, "198.51.100.77:2", &st);
	uint8_t key[16];
	struct wire m;

	(void)state;
	start_refresh(&s->b, &m, &s->ticket, 600);
	assert_int_equal(ask_link(link, &st, &s->b, &m), 438);
	s->w.answers_later = true;
	wire_key("alice", REALM, "secret", key);
	host_request(&s->b, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add_integrity(&m, key);
	turn_link_input(link, m.buf, m.len);
	assert_true(turn_link_waits(link));
	turn_link_free(link);
	assert_int_equal(st.resumed, 0);
	turn_auth_answered(s->w.second, s->w.ticket);
	scene_free(s);
}

#define T(f)     cmocka_unit_test_setup_teardown(f, setup, teardown)
#define BOUND(f) cmocka_unit_test_setup_teardown(f, setup_bound, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forbidden_by_default),
	    T(a_ticket_is_asked_for_by_an_empty_one),
	    T(a_moved_client_leaves_its_own_address),
	    BOUND(the_old_5_tuple_serves_until_data_come_over_the_new_one),
	    BOUND(a_used_ticket_is_used_up),
	    BOUND(a_send_indication_ends_the_old_5_tuple),
	    BOUND(a_request_that_proves_itself_ends_the_old_5_tuple),
	    BOUND(a_ticket_ends_with_its_allocation),
	    BOUND(refused_moves_nothing),
	    BOUND(a_ticket_is_good_as_it_was_given),
	    BOUND(a_ticket_is_its_users),
	    BOUND(a_move_needs_a_free_5_tuple),
	    BOUND(a_retransmission_is_answered_until_the_next_move),
	    cmocka_unit_test(quota_holds),
	    T(ends_by_the_clock_while_moving),
	    T(a_mobile_allocation_survives_its_connection),
	    BOUND(a_connection_that_breaks_before_its_first_data_undoes_the_move),
	    T(an_old_connection_that_breaks_completes_the_move),
	    cmocka_unit_test(moves_between_workers),
	    cmocka_unit_test(locks_hold_between_workers),
	    cmocka_unit_test(refusals_between_workers),
	    cmocka_unit_test(nobody_waits),
	    cmocka_unit_test(a_stream_waits_for_another_worker),
	    cmocka_unit_test(a_stream_that_waits_in_vain_hears_500_and_goes_on),
	    cmocka_unit_test(a_connection_may_go_while_its_request_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
