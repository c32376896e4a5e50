/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Allocations of a locked credential, on virtual time: which peers they reach, and what happens
 * when their lock's peers come and go.
 */
#include "turn/lock.h"

#include "base/error.h"
#include "base/tests/test.h"
#include "turn/journal.h"
#include "turn/tests/world.h"

#include <stdio.h>
#include <stdlib.h>

#define PEER     "9.9.9.9:4000"
#define PEER6    "[2600::9]:4000"
#define STRANGER "9.9.9.8:4000"

/* alice has an allocation of a locked credential, bob one of another. */
struct scene {
	struct world w;
	struct host alice, bob, peer, stranger;
	struct addr alices, bobs;
};

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	world_init(&s->w);
	s->w.conf.explain_sessions = 8;
	s->w.alice_locked = true;
	s->w.lock = 42;
	world_start(&s->w);
	host_open(&s->w, &s->alice, "198.51.100.5:1", "alice", "secret");
	host_open(&s->w, &s->bob, "198.51.100.6:1", "bob", "hunter2");
	host_open(&s->w, &s->peer, PEER, "", "");
	host_open(&s->w, &s->stranger, STRANGER, "", "");
	assert_int_equal(host_allocate(&s->alice, &s->alices), 0);
	assert_int_equal(host_allocate(&s->bob, &s->bobs), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	host_close(&s->alice);
	host_close(&s->bob);
	host_close(&s->peer);
	host_close(&s->stranger);
	world_stop(&s->w);
	free(s);
	return 0;
}

/* The lock's peers are these, and no other. */
static void set(struct scene *s, uint64_t lock, const char *const *peers, size_t n)
{
	struct addr v[TURN_LOCK_PEERS_MAX + 1];

	for (size_t i = 0; i < n; i++)
		assert_int_equal(addr_parse(&v[i], peers[i]), 0);
	assert_int_equal(turn_lock_set(s->w.turn, lock, v, n), 0);
	world_run(&s->w, 0);
}

static void set_peer(struct scene *s, const char *peer)
{
	set(s, 42, &peer, 1);
}

static bool reaches(struct scene *s, struct host *peer, const char *at)
{
	struct wire m;

	wire_start(&m, W_SEND, ++s->w.tid);
	wire_add_peer(&m, at);
	wire_add(&m, ATTR_DATA, "ping", 4);
	peer->got = 0;
	host_send(&s->alice, SERVER4, m.buf, m.len);
	return peer->got == 1;
}

static bool is_reached(struct scene *s, struct host *peer)
{
	char text[ADDR_STRLEN];

	s->alice.got = 0;
	host_send(peer, addr_format(&s->alices, text), "pong", 4);
	return s->alice.got == 1;
}

/* What is not proven is refused: also by a server that has just started. */
static void without_news_no_peer_is_legal(void **state)
{
	struct scene *s = *state;

	assert_int_equal(host_permit(&s->alice, PEER), 403);
	assert_int_equal(host_bind(&s->alice, 0x4000, PEER), 403);
	assert_false(reaches(s, &s->peer, PEER));
	assert_false(is_reached(s, &s->peer));
	assert_int_equal(turn_get_stats(s->w.turn)->lock_refusals, 2);
	assert_int_equal(turn_get_stats(s->w.turn)->policy_drops, 0);
	/* and a credential without a lock goes anywhere */
	assert_int_equal(host_permit(&s->bob, PEER), 0);
}

static void a_peer_of_the_lock_is_legal_at_any_port(void **state)
{
	struct scene *s = *state;

	set_peer(s, "9.9.9.9:1");
	assert_int_equal(host_permit(&s->alice, PEER), 0);
	assert_int_equal(host_bind(&s->alice, 0x4000, PEER), 0);
	assert_true(reaches(s, &s->peer, PEER));
	assert_true(is_reached(s, &s->peer));
	assert_int_equal(host_permit(&s->alice, STRANGER), 403);
	assert_int_equal(host_bind(&s->alice, 0x4001, STRANGER), 403);
	assert_false(reaches(s, &s->stranger, STRANGER));
	assert_false(is_reached(s, &s->stranger));
}

/* "If a permission for any of the addresses cannot be installed [...] none are" */
static void one_stranger_among_several_refuses_all(void **state)
{
	struct scene *s = *state;
	struct wire m;

	set_peer(s, PEER);
	host_request(&s->alice, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, PEER);
	wire_add_peer(&m, STRANGER);
	assert_int_equal(host_ask(&s->alice, &m), 403);
	assert_false(reaches(s, &s->peer, PEER));
}

static void another_lock_opens_nothing(void **state)
{
	static const char *const peer[] = {PEER};
	struct scene *s = *state;

	set(s, 43, peer, 1);
	assert_int_equal(host_permit(&s->alice, PEER), 403);
}

static void a_lock_opens_nothing_that_the_policy_denies(void **state)
{
	static const char *const peers[] = {"10.0.0.1:4000", "192.0.2.1:3478"};
	struct scene *s = *state;

	set(s, 42, peers, 2);
	assert_int_equal(host_permit(&s->alice, "10.0.0.1:4000"), 403);
	assert_int_equal(turn_get_stats(s->w.turn)->policy_drops, 1);
	assert_int_equal(turn_get_stats(s->w.turn)->lock_refusals, 0);
	/* our own address is, by its IP alone, a relay's; our listening port is nobody's */
	assert_int_equal(host_permit(&s->alice, "192.0.2.1:3478"), 0);
	assert_int_equal(host_bind(&s->alice, 0x4000, "192.0.2.1:3478"), 403);
}

/* Both ends relay where the address of a NAT was never signaled. */
static void relayed_addresses_of_ours_are_always_legal(void **state)
{
	struct scene *s = *state;
	struct addr free_port = s->bobs;
	char text[ADDR_STRLEN];

	addr_format(&s->bobs, text);
	assert_int_equal(host_permit(&s->alice, text), 0);
	assert_int_equal(host_bind(&s->alice, 0x4000, text), 0);
	addr_format(&s->alices, text);
	assert_int_equal(host_bind(&s->bob, 0x4000, text), 0);
	s->bob.got = 0;
	host_send(&s->alice, SERVER4, "\x40\x00\x00\x04ping", 8);
	assert_int_equal(s->bob.got, 1);
	/* a port of ours that no allocation has is not */
	for (uint16_t port = 50000;
	     addr_equal(&free_port, &s->bobs) || addr_equal(&free_port, &s->alices); port++)
		addr_put_port(&free_port, port);
	assert_int_equal(host_bind(&s->alice, 0x4001, addr_format(&free_port, text)), 403);
}

/* A self-test looks whether packets from outside come through the relay. */
static void the_clients_own_address_is_legal(void **state)
{
	struct scene *s = *state;
	struct host own, other;

	host_open(&s->w, &own, "9.9.7.7:1", "alice", "secret");
	host_open(&s->w, &other, "9.9.7.8:1", "alice", "secret");
	assert_int_equal(host_allocate(&own, NULL), 0);
	assert_int_equal(host_allocate(&other, NULL), 0);
	assert_int_equal(host_permit(&own, "9.9.7.7:4000"), 0);
	assert_int_equal(host_permit(&own, "9.9.7.8:4000"), 403);
	assert_int_equal(host_permit(&other, "9.9.7.7:4000"), 403);
	assert_int_equal(host_permit(&other, "9.9.7.8:4000"), 0);
	/* within the policy */
	assert_int_equal(host_permit(&s->alice, "198.51.100.5:2"), 403);
	assert_int_equal(turn_get_stats(s->w.turn)->policy_drops, 1);
	host_close(&own);
	host_close(&other);
}

/* Not first at the end of the permission's five minutes. */
static void what_is_taken_away_ends_at_once(void **state)
{
	static const char *const both[] = {PEER, STRANGER};
	struct scene *s = *state;

	set(s, 42, both, 2);
	assert_int_equal(host_bind(&s->alice, 0x4000, PEER), 0);
	assert_int_equal(host_bind(&s->alice, 0x4001, STRANGER), 0);
	set_peer(s, STRANGER);
	assert_false(reaches(s, &s->peer, PEER));
	assert_false(is_reached(s, &s->peer));
	s->peer.got = 0;
	host_send(&s->alice, SERVER4, "\x40\x00\x00\x04ping", 8);
	assert_int_equal(s->peer.got, 0);
	assert_true(reaches(s, &s->stranger, STRANGER));
	assert_true(is_reached(s, &s->stranger));
	set(s, 42, NULL, 0);
	assert_false(reaches(s, &s->stranger, STRANGER));
	assert_int_equal(host_permit(&s->alice, STRANGER), 403);
	/* and a call later, with the same lock */
	set_peer(s, PEER);
	assert_int_equal(host_permit(&s->alice, PEER), 0);
	assert_true(reaches(s, &s->peer, PEER));
}

/* A candidate goes to the client over one way and to us over another. */
static void a_request_waits_for_news_that_are_under_way(void **state)
{
	struct scene *s = *state;
	struct wire m;
	uint8_t key[16];

	host_request(&s->alice, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, PEER);
	wire_key("alice", REALM, "secret", key);
	wire_add_integrity(&m, key);
	s->w.lock_waits = true;
	assert_int_equal(host_send(&s->alice, SERVER4, m.buf, m.len), 0);
	/* news of another lock, and more to come */
	set(s, 43, NULL, 0);
	assert_int_equal(s->alice.got, 0);
	set_peer(s, PEER);
	assert_int_equal(s->alice.got, 1);
	assert_int_equal(host_reply_code(&s->alice), 0);
	assert_true(reaches(s, &s->peer, PEER));
	/* when they do not open it, the answer is no */
	host_request(&s->alice, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, STRANGER);
	wire_add_integrity(&m, key);
	s->w.lock_waits = true;
	assert_int_equal(host_send(&s->alice, SERVER4, m.buf, m.len), 0);
	s->w.lock_waits = false;
	set_peer(s, PEER);
	assert_int_equal(s->alice.got, 1);
	assert_int_equal(host_reply_code(&s->alice), 403);
}

static void note_locked(void *ctx, const struct turn_record *r)
{
	struct addr *out = ctx;

	for (size_t i = 0; i < r->event_n; i++)
		if (r->event[i].what == TURN_EVENT_PEER_LOCKED && r->event[i].code == 403)
			*out = r->event[i].addr;
}

static void the_journal_names_the_peer(void **state)
{
	struct scene *s = *state;
	struct turn_record_query q = {.user = "alice"};
	struct addr peer = {0}, want;

	assert_int_equal(host_permit(&s->alice, STRANGER), 403);
	turn_find_records(s->w.turn, &q, note_locked, &peer);
	assert_int_equal(addr_parse(&want, STRANGER), 0);
	assert_true(addr_equal_ip(&peer, &want));
}

static void a_lock_is_kept_while_it_is_used(void **state)
{
	static const char *const peer[] = {PEER};
	struct addr many[TURN_LOCK_PEERS_MAX + 1];
	struct scene *s = *state;
	struct host second;

	/* an allocation that comes later finds the peers */
	set(s, 42, peer, 1);
	assert_int_equal(host_refresh(&s->alice, 0), 0);
	host_open(&s->w, &second, "198.51.100.5:2", "alice", "secret");
	assert_int_equal(host_allocate(&second, NULL), 0);
	assert_int_equal(host_permit(&second, PEER), 0);
	/* both families, up to the limit */
	for (size_t i = 0; i < TURN_LOCK_PEERS_MAX; i++)
		assert_int_equal(addr_parse(&many[i], PEER), 0);
	assert_int_equal(addr_parse(&many[TURN_LOCK_PEERS_MAX - 1], STRANGER), 0);
	assert_int_equal(turn_lock_set(s->w.turn, 42, many, TURN_LOCK_PEERS_MAX), 0);
	assert_int_equal(host_permit(&second, STRANGER), 0);
	assert_int_equal(turn_lock_set(s->w.turn, 42, many, TURN_LOCK_PEERS_MAX + 1), -E_LIMIT);
	assert_int_equal(host_permit(&second, STRANGER), 0);
	host_close(&second);
}

static void ipv6(void **state)
{
	static const char *const peers[] = {PEER, PEER6};
	struct scene *s = *state;
	struct host h;

	host_open(&s->w, &h, "[2001:db8:1::5]:1", "alice", "secret");
	assert_int_equal(host_allocate(&h, NULL), 0);
	assert_int_equal(host_permit(&h, PEER6), 403);
	set(s, 42, peers, 2);
	assert_int_equal(host_permit(&h, PEER6), 0);
	assert_int_equal(host_permit(&h, "[2600::a]:4000"), 403);
	assert_int_equal(host_permit(&h, PEER), 443);
	host_close(&h);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(without_news_no_peer_is_legal),
	    T(a_peer_of_the_lock_is_legal_at_any_port),
	    T(one_stranger_among_several_refuses_all),
	    T(another_lock_opens_nothing),
	    T(a_lock_opens_nothing_that_the_policy_denies),
	    T(relayed_addresses_of_ours_are_always_legal),
	    T(the_clients_own_address_is_legal),
	    T(what_is_taken_away_ends_at_once),
	    T(a_request_waits_for_news_that_are_under_way),
	    T(the_journal_names_the_peer),
	    T(a_lock_is_kept_while_it_is_used),
	    T(ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
