/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests and their answers, on virtual time (RFC 8489 section 9.2, RFC 8656
 * sections 7 to 12).
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "turn/sessions.h"
#include "turn/tests/world.h"

#include <stdio.h>

static void binding(void **state)
{
	static const char *const from[] = {"198.51.100.5:1234", "[2001:db8:1::5]:1234"};
	static const char *const to[] = {SERVER4, SERVER6};
	struct world *w = world_begin(state);

	for (int i = 0; i < 2; i++) {
		struct host h;
		struct wire m;
		struct addr a;
		size_t n;

		host_open(w, &h, from[i], "", "");
		wire_start(&m, W_BINDING, 7);
		assert_int_equal(host_send(&h, to[i], m.buf, m.len), 1);
		assert_int_equal(wire_type(h.in.buf), W_BINDING | W_SUCCESS);
		assert_true(wire_sound(h.in.buf, h.in.len));
		assert_true(wire_get_xor_addr(h.in.buf, h.in.len, ATTR_XOR_MAPPED_ADDRESS, &a));
		assert_true(addr_equal(&a, &h.udp->local));
		assert_null(wire_get(h.in.buf, h.in.len, ATTR_FINGERPRINT, &n));
		/* with a fingerprint, the answer has one, too; with a wrong one there is none */
		wire_add_fingerprint(&m);
		assert_int_equal(host_send(&h, to[i], m.buf, m.len), 1);
		assert_non_null(wire_get(h.in.buf, h.in.len, ATTR_FINGERPRINT, &n));
		m.buf[m.len - 1] ^= 1;
		assert_int_equal(host_send(&h, to[i], m.buf, m.len), 0);
		/* an unknown comprehension-required attribute: 420 that names it */
		wire_start(&m, W_BINDING, 8);
		wire_add_u32(&m, 0x7abc, 1);
		wire_add_u32(&m, 0xfabc, 1);
		assert_int_equal(host_send(&h, to[i], m.buf, m.len), 1);
		assert_int_equal(host_reply_code(&h), 420);
		assert_memory_equal(wire_get(h.in.buf, h.in.len, ATTR_UNKNOWN_ATTRIBUTES, &n),
		                    "\x7a\xbc", 2);
		assert_int_equal(n, 2);
		host_close(&h);
	}
}

static void silence(void **state)
{
	static const uint16_t types[] = {0x0101, 0x0111, 0x0002, 0x0005, 0x0ffe, 0x0017, 0x0013};
	struct world *w = world_begin(state);
	struct host h;
	struct wire m;
	uint8_t garbage[64];

	host_open(w, &h, "198.51.100.5:1", "", "");
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		wire_start(&m, types[i], 1);
		assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 0);
	}
	for (int i = 0; i < 256; i++) {
		memset(garbage, i, sizeof(garbage));
		assert_int_equal(host_send(&h, SERVER4, garbage, sizeof(garbage)), 0);
		assert_int_equal(host_send(&h, SERVER4, garbage, (size_t)i % 24), 0);
	}
	wire_start(&m, W_ALLOCATE, 1); /* as long as no request is */
	for (int i = 0; i < 30; i++)
		wire_add(&m, ATTR_SOFTWARE, garbage, 64);
	m.len = 20 + 30 * 68;
	for (int i = 0; i < 5; i++)
		wire_add(&m, ATTR_SOFTWARE, garbage, 64);
	assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 0);
	assert_int_equal(turn_allocations(w->turn), 0);
	host_close(&h);
}

/* alice, who has a nonce. */
static struct world *begin(void **state, struct host *h)
{
	struct world *w = world_begin(state);

	host_open(w, h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_login(h), 401);
	return w;
}

static void a_challenge_names_the_realm_and_proves_nothing(void **state)
{
	struct host h;
	size_t n;

	begin(state, &h);
	assert_memory_equal(wire_get(h.in.buf, h.in.len, ATTR_REALM, &n), REALM, strlen(REALM));
	assert_null(wire_get(h.in.buf, h.in.len, ATTR_MESSAGE_INTEGRITY, &n));
	host_close(&h);
}

/* An Allocate with these, or without where they are NULL, and alice's integrity. */
static int allocate_with(struct host *h, const char *user, const char *realm, const char *nonce)
{
	struct wire m;
	uint8_t key[16];

	wire_key("alice", REALM, "secret", key);
	wire_start(&m, W_ALLOCATE, 1);
	if (user)
		wire_add_str(&m, ATTR_USERNAME, user);
	if (realm)
		wire_add_str(&m, ATTR_REALM, realm);
	if (nonce)
		wire_add_str(&m, ATTR_NONCE, nonce);
	wire_add_integrity(&m, key);
	assert_int_equal(host_send(h, SERVER4, m.buf, m.len), 1);
	return host_reply_code(h);
}

static void integrity_needs_a_user_a_realm_and_a_nonce(void **state)
{
	struct host h;

	begin(state, &h);
	assert_int_equal(allocate_with(&h, NULL, REALM, h.nonce), 400);
	assert_int_equal(allocate_with(&h, "alice", NULL, h.nonce), 400);
	assert_int_equal(allocate_with(&h, "alice", REALM, NULL), 400);
	host_close(&h);
}

/* 401, and nothing more. */
static void what_is_wrong_with_a_credential_is_not_told(void **state)
{
	/* some broke other servers */
	static const char *const names[] = {"mallory", "%n%s%n%s", "' OR 1=1;--", "\xff\xfe\x80",
	                                    "a\nlevel=error"};
	struct host h;
	char longname[514];

	begin(state, &h);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		h.user = names[i];
		assert_int_equal(host_allocate(&h, NULL), 401);
	}
	h.user = "alice";
	h.password = "wrong";
	assert_int_equal(host_allocate(&h, NULL), 401);
	assert_int_equal(allocate_with(&h, "alice", "elsewhere.org", h.nonce), 401);
	memset(longname, 'a', 513); /* longer than RFC 8489 has it */
	longname[513] = 0;
	h.user = longname;
	assert_int_equal(host_allocate(&h, NULL), 400);
	host_close(&h);
}

/* 438, and the fresh one is good. */
static void a_nonce_is_for_one_address_and_port_and_grows_old(void **state)
{
	struct host h, other;
	struct world *w = begin(state, &h);

	for (int i = 0; i < 2; i++) {
		host_open(w, &other, i ? "198.51.100.5:2" : "198.51.100.6:1", "alice", "secret");
		strcpy(other.nonce, h.nonce);
		assert_int_equal(host_refresh(&other, 600), 438);
		assert_int_equal(host_refresh(&other, 600), 437);
		host_close(&other);
	}
	world_run(w, 1001 * 1000);
	assert_int_equal(host_refresh(&h, 600), 438);
	assert_int_equal(host_refresh(&h, 600), 437);
	host_close(&h);
}

static void a_wrong_password_with_a_stale_nonce_is_a_wrong_password(void **state)
{
	struct host h;
	struct world *w = begin(state, &h);

	world_run(w, 1551 * 1000);
	h.password = "wrong";
	strcpy(h.nonce, "AAAAAAAAAAAAAAAAAAAA");
	assert_int_equal(host_refresh(&h, 600), 401);
	host_close(&h);
}

static void expired_credentials(void **state)
{
	struct world *w = world_begin(state);
	struct host h, late;
	struct addr relayed;

	w->expires_at_s = env_wall_s(w->env) + 100;
	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	host_open(w, &late, "198.51.100.5:2", "alice", "secret");
	assert_int_equal(host_allocate(&h, &relayed), 0);
	world_run(w, 101 * 1000);
	/* expiry gates the Allocate, a running call goes on */
	assert_int_equal(host_allocate(&late, NULL), 401);
	assert_int_equal(host_refresh(&h, 600), 0);
	assert_int_equal(host_permit(&h, "8.8.8.8:1"), 0);
	host_close(&h);
	host_close(&late);
}

static void strict_expiry(void **state)
{
	struct world *w = *state;
	struct host h;

	w->conf.strict_expiry = true;
	world_start(w);
	w->expires_at_s = env_wall_s(w->env) + 100;
	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_allocate(&h, NULL), 0);
	assert_int_equal(host_refresh(&h, 600), 0);
	world_run(w, 101 * 1000);
	assert_int_equal(host_refresh(&h, 600), 401);
	host_close(&h);
}

static void keys_that_come_later(void **state)
{
	struct world *w = world_begin(state);
	struct host h;
	struct wire m;
	uint8_t key[16];

	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_login(&h), 401);
	w->answers_later = true;
	host_request(&h, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_key("alice", REALM, "secret", key);
	wire_add_integrity(&m, key);
	assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 0);
	uint64_t first = w->ticket;
	assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 0); /* sent again: kept once */
	w->answers_later = false;
	turn_auth_answered(w->turn, 12345);
	turn_auth_answered(w->turn, first);
	world_run(w, 0);
	assert_int_equal(h.got, 1);
	assert_int_equal(host_reply_code(&h), 0);
	turn_auth_answered(w->turn, first);
	world_run(w, 0);
	assert_int_equal(h.got, 1);
	/* nothing is kept for somebody who cannot hear us (no nonce of ours), nor for long */
	w->answers_later = true;
	strcpy(h.nonce, "AAAAAAAAAAAAAAAAAAAA");
	h.user = "bob";
	h.password = "hunter2";
	assert_int_equal(host_refresh(&h, 600), 438);
	host_request(&h, &m, W_REFRESH);
	wire_key("bob", REALM, "hunter2", key);
	wire_add_integrity(&m, key);
	assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 0);
	first = w->ticket;
	world_run(w, 7000);
	w->answers_later = false;
	turn_auth_answered(w->turn, first);
	world_run(w, 0);
	assert_int_equal(h.got, 0);
	host_close(&h);
}

/* An Allocate with one attribute; transport: 0 for none. */
static int allocate_asking(struct host *h, uint8_t transport, uint16_t type, const void *value,
                           size_t len)
{
	struct wire m;

	host_request(h, &m, W_ALLOCATE);
	if (transport)
		wire_add_transport(&m, transport);
	if (type)
		wire_add(&m, type, value, len);
	return host_ask(h, &m);
}

static void allocate_says_what_it_is_asked_for_in_vain(void **state)
{
	static const uint8_t no_family[4] = {3};
	struct host h;
	struct wire m;

	begin(state, &h);
	assert_int_equal(allocate_asking(&h, 0, 0, NULL, 0), 400);
	assert_int_equal(allocate_asking(&h, 0, ATTR_REQUESTED_TRANSPORT, "\x11", 1), 400);
	assert_int_equal(allocate_asking(&h, IPPROTO_TCP, 0, NULL, 0), 442);
	assert_int_equal(
	    allocate_asking(&h, IPPROTO_UDP, ATTR_REQUESTED_ADDRESS_FAMILY, no_family, 4), 440);
	assert_int_equal(allocate_asking(&h, IPPROTO_UDP, 0x0042, no_family, 4), 420);
	/* token and family exclude each other */
	host_request(&h, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add(&m, ATTR_RESERVATION_TOKEN, "tokentok", 8);
	wire_add_u32(&m, ATTR_REQUESTED_ADDRESS_FAMILY, 1u << 24);
	assert_int_equal(host_ask(&h, &m), 400);
	/* a token that nobody was given */
	assert_int_equal(allocate_asking(&h, IPPROTO_UDP, ATTR_RESERVATION_TOKEN, "tokentok", 8),
	                 508);
	host_close(&h);
}

static void allocate_tells_where_it_relays_and_for_how_long(void **state)
{
	struct host h;
	struct world *w = begin(state, &h);
	struct addr a, mapped;

	assert_int_equal(host_allocate(&h, &a), 0);
	assert_true(addr_equal_ip(&a, &w->conf.relay[0].local));
	assert_true(addr_port(&a) >= 50000 && addr_port(&a) <= 50019);
	assert_int_equal(wire_get_u32(h.in.buf, h.in.len, ATTR_LIFETIME), 600);
	assert_true(wire_get_xor_addr(h.in.buf, h.in.len, ATTR_XOR_MAPPED_ADDRESS, &mapped));
	assert_true(addr_equal(&mapped, &h.udp->local));
	host_close(&h);
}

static void a_5_tuple_has_one_allocation(void **state)
{
	struct host h;
	struct world *w = begin(state, &h);

	assert_int_equal(host_allocate(&h, NULL), 0);
	assert_int_equal(host_allocate(&h, NULL), 437);
	assert_int_equal(turn_allocations(w->turn), 1);
	host_close(&h);
}

static void retransmissions_are_answered_alike(void **state)
{
	struct world *w = world_begin(state);
	struct host h;
	struct wire m, first;
	uint8_t key[16];

	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_login(&h), 401);
	wire_key("alice", REALM, "secret", key);
	host_request(&h, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add_integrity(&m, key);
	assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 1);
	first = h.in;
	assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 1);
	assert_int_equal(h.in.len, first.len);
	assert_memory_equal(h.in.buf, first.buf, first.len);
	assert_int_equal(turn_allocations(w->turn), 1);
	/* the Refresh that ends it */
	host_request(&h, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, 0);
	wire_add_integrity(&m, key);
	assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 1);
	first = h.in;
	assert_int_equal(turn_allocations(w->turn), 0);
	assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 1);
	assert_memory_equal(h.in.buf, first.buf, first.len);
	assert_int_equal(host_reply_code(&h), 0);
	/* another Refresh is not its retransmission, and neither is the same one much later */
	assert_int_equal(host_refresh(&h, 0), 437);
	world_run(w, 41000);
	assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 1);
	assert_int_equal(host_reply_code(&h), 437);
	host_close(&h);
}

static void lifetimes(void **state)
{
	struct world *w = world_begin(state);
	struct host h;

	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_allocate(&h, NULL), 0);
	world_run(w, 598 * 1000);
	assert_int_equal(turn_allocations(w->turn), 1);
	assert_int_equal(host_refresh(&h, 10), 0); /* shorter than the default: the default */
	assert_int_equal(wire_get_u32(h.in.buf, h.in.len, ATTR_LIFETIME), 600);
	assert_int_equal(host_refresh(&h, 1000000), 0);
	assert_int_equal(wire_get_u32(h.in.buf, h.in.len, ATTR_LIFETIME), 3600);
	env_virtual_step_wall(w->env, 86400); /* the wall clock is no business of a lifetime */
	world_run(w, 3599 * 1000);
	assert_int_equal(turn_allocations(w->turn), 1);
	assert_int_equal(host_refresh(&h, 600), 438); /* the nonce is old by now */
	assert_int_equal(host_refresh(&h, 700), 0);
	world_run(w, 702 * 1000);
	assert_int_equal(turn_allocations(w->turn), 0);
	assert_int_equal(host_refresh(&h, 600), 437);
	assert_int_equal(host_permit(&h, "8.8.8.8:1"), 437);
	assert_int_equal(host_bind(&h, 0x4000, "8.8.8.8:1"), 437);
	assert_int_equal(host_allocate(&h, NULL), 0);
	host_close(&h);
}

static void wrong_user(void **state)
{
	struct world *w = world_begin(state);
	struct host h;

	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_allocate(&h, NULL), 0);
	h.user = "bob";
	h.password = "hunter2";
	assert_int_equal(host_refresh(&h, 0), 441);
	assert_int_equal(host_permit(&h, "8.8.8.8:1"), 441);
	assert_int_equal(host_bind(&h, 0x4000, "8.8.8.8:1"), 441);
	assert_int_equal(host_allocate(&h, NULL), 437);
	assert_int_equal(turn_allocations(w->turn), 1);
	host_close(&h);
}

static void quota(void **state)
{
	struct world *w = world_begin(state);
	struct host h[14];

	for (int i = 0; i < 14; i++) {
		char addr[64];

		snprintf(addr, sizeof(addr), "198.51.100.5:%d", 1000 + i);
		host_open(w, &h[i], addr, i < 7 ? "alice" : "bob", i < 7 ? "secret" : "hunter2");
		/* five of each */
		assert_int_equal(host_allocate(&h[i], NULL), i % 7 < 5 ? 0 : 486);
	}
	assert_int_equal(host_refresh(&h[0], 0), 0);
	assert_int_equal(host_allocate(&h[6], NULL), 0);
	for (int i = 0; i < 14; i++)
		host_close(&h[i]);
}

static void no_ports_left(void **state)
{
	struct world *w = *state;
	struct host h[6];

	turn_ports_free(w->ports4);
	w->ports4 = turn_ports_new(50000, 50003);
	world_start(w);
	for (int i = 0; i < 6; i++) {
		char addr[64];

		snprintf(addr, sizeof(addr), "198.51.100.5:%d", 1000 + i);
		host_open(w, &h[i], addr, i < 3 ? "alice" : "bob", i < 3 ? "secret" : "hunter2");
		assert_int_equal(host_allocate(&h[i], NULL), i < 4 ? 0 : 508);
	}
	assert_int_equal(host_refresh(&h[1], 0), 0);
	/* ports that another program holds are passed over; no descriptors left: 508 */
	env_virtual_fail_open(w->env, 3, -E_IN_USE);
	assert_int_equal(host_allocate(&h[4], NULL), 0);
	assert_int_equal(host_refresh(&h[4], 0), 0);
	env_virtual_fail_open(w->env, 1, -E_LIMIT);
	assert_int_equal(host_allocate(&h[4], NULL), 508);
	env_virtual_fail_open(w->env, 100, -E_IN_USE);
	assert_int_equal(host_allocate(&h[4], NULL), 508);
	env_virtual_fail_open(w->env, 0, 0);
	assert_int_equal(host_allocate(&h[4], NULL), 0);
	for (int i = 0; i < 6; i++)
		host_close(&h[i]);
}

static int ask_even(struct host *h, bool reserve, struct addr *relayed, uint8_t token[8])
{
	struct wire m;
	size_t n = 0;
	const uint8_t *v;
	int r;

	host_request(h, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add(&m, ATTR_EVEN_PORT, reserve ? "\x80" : "\x00", 1);
	r = host_ask(h, &m);
	if (r)
		return r;
	assert_true(wire_get_xor_addr(h->in.buf, h->in.len, ATTR_XOR_RELAYED_ADDRESS, relayed));
	assert_int_equal(addr_port(relayed) % 2, 0);
	v = wire_get(h->in.buf, h->in.len, ATTR_RESERVATION_TOKEN, &n);
	assert_true(reserve ? n == 8 : !v);
	if (v)
		memcpy(token, v, 8);
	return 0;
}

/* alice twice, each with a nonce. */
static struct world *begin_two(void **state, struct host *a, struct host *b)
{
	struct world *w = begin(state, a);

	host_open(w, b, "198.51.100.5:2", "alice", "secret");
	assert_int_equal(host_login(b), 401);
	return w;
}

static void a_reserved_port_is_the_next_one(void **state)
{
	struct host a, b;
	struct world *w = begin_two(state, &a, &b);
	struct addr ra, rb;
	uint8_t token[8];

	for (int i = 0; i < 60; i++) { /* three times the pool */
		assert_int_equal(ask_even(&a, true, &ra, token), 0);
		assert_int_equal(allocate_asking(&b, IPPROTO_UDP, ATTR_RESERVATION_TOKEN, token, 8),
		                 0);
		assert_true(wire_get_xor_addr(b.in.buf, b.in.len, ATTR_XOR_RELAYED_ADDRESS, &rb));
		assert_int_equal(addr_port(&rb), addr_port(&ra) + 1);
		assert_int_equal(host_refresh(&a, 0), 0);
		assert_int_equal(host_refresh(&b, 0), 0);
		assert_int_equal(host_login(&a), 401);
		assert_int_equal(host_login(&b), 401);
	}
	assert_int_equal(turn_ports_leased(w->ports4), 0);
	host_close(&a);
	host_close(&b);
}

/* And its allocation goes on. */
static void a_reservation_ends_by_the_clock(void **state)
{
	struct host a, b;
	struct world *w = begin_two(state, &a, &b);
	struct addr ra;
	uint8_t token[8];

	assert_int_equal(ask_even(&a, true, &ra, token), 0);
	world_run(w, 32000);
	assert_int_equal(turn_ports_leased(w->ports4), 1);
	assert_int_equal(allocate_asking(&b, IPPROTO_UDP, ATTR_RESERVATION_TOKEN, token, 8), 508);
	assert_int_equal(host_refresh(&a, 0), 0);
	host_close(&a);
	host_close(&b);
}

static void an_even_port_comes_without_a_reservation_too(void **state)
{
	struct host a;
	struct addr ra;
	uint8_t token[8];

	begin(state, &a);
	assert_int_equal(ask_even(&a, false, &ra, token), 0);
	host_close(&a);
}

/* A port that a relay has not bound may belong to another program of this host: a reservation opens
 * no way to it. */
static void reserved_port_is_no_peer(void **state)
{
	struct host a, b;
	struct addr ra;
	uint8_t token[8];
	char next[ADDR_STRLEN];

	begin_two(state, &a, &b);
	assert_int_equal(ask_even(&a, true, &ra, token), 0);
	addr_put_port(&ra, (uint16_t)(addr_port(&ra) + 1));
	addr_format(&ra, next);
	assert_int_equal(host_bind(&a, 0x4000, next), 403);
	assert_int_equal(allocate_asking(&b, IPPROTO_UDP, ATTR_RESERVATION_TOKEN, token, 8), 0);
	assert_int_equal(host_bind(&a, 0x4000, next), 0);
	host_close(&a);
	host_close(&b);
}

static void permissions_are_checked(void **state)
{
	struct world *w = world_begin(state);
	struct host h;
	struct wire m;

	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_allocate(&h, NULL), 0);
	host_request(&h, &m, W_CREATE_PERMISSION);
	assert_int_equal(host_ask(&h, &m), 400);
	host_request(&h, &m, W_CREATE_PERMISSION);
	wire_add(&m, ATTR_XOR_PEER_ADDRESS, "\0\1\0\1", 4);
	assert_int_equal(host_ask(&h, &m), 400);
	assert_int_equal(host_permit(&h, "[2600::1]:1"), 443);
	assert_int_equal(host_permit(&h, "10.0.0.1:1"), 403);
	/* one bad address spoils all */
	host_request(&h, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, "8.8.8.8:1");
	wire_add_peer(&m, "127.0.0.1:1");
	assert_int_equal(host_ask(&h, &m), 403);
	assert_int_equal(host_send(&h, SERVER4, "\x40\x00", 2), 0);
	/* eight are allowed, those that have ended do not count */
	for (int i = 0; i < 9; i++) {
		char peer[32];

		snprintf(peer, sizeof(peer), "8.8.8.%d:1", i);
		assert_int_equal(host_permit(&h, peer), i < 8 ? 0 : 508);
		assert_int_equal(host_permit(&h, peer), i < 8 ? 0 : 508);
	}
	world_run(w, 301000);
	host_request(&h, &m, W_CREATE_PERMISSION);
	for (int i = 0; i < 8; i++) {
		char peer[32];

		snprintf(peer, sizeof(peer), "9.9.9.%d:1", i);
		wire_add_peer(&m, peer);
	}
	assert_int_equal(host_ask(&h, &m), 0);
	host_close(&h);
}

/* alice, who has an allocation. */
static struct world *begin_allocated(void **state, struct host *h)
{
	struct world *w = begin(state, h);

	assert_int_equal(host_allocate(h, NULL), 0);
	return w;
}

static void a_channel_has_a_number_and_a_peer(void **state)
{
	struct host h;
	struct wire m;

	begin_allocated(state, &h);
	host_request(&h, &m, W_CHANNEL_BIND);
	wire_add_channel(&m, 0x4000);
	assert_int_equal(host_ask(&h, &m), 400);
	host_request(&h, &m, W_CHANNEL_BIND);
	wire_add_peer(&m, "8.8.8.8:1");
	assert_int_equal(host_ask(&h, &m), 400);
	assert_int_equal(host_bind(&h, 0x3fff, "8.8.8.8:1"), 400);
	assert_int_equal(host_bind(&h, 0x5000, "8.8.8.8:1"), 400);
	assert_int_equal(host_bind(&h, 0x4fff, "[2600::1]:1"), 443);
	assert_int_equal(host_bind(&h, 0x4fff, "192.168.0.1:1"), 403);
	assert_int_equal(host_bind(&h, 0x4fff, SERVER4), 403);
	host_close(&h);
}

static void a_channel_and_its_peer_are_bound_to_each_other_until_it_ends(void **state)
{
	struct host h;
	struct world *w = begin_allocated(state, &h);

	assert_int_equal(host_bind(&h, 0x4fff, "8.8.8.8:1"), 0);
	assert_int_equal(host_bind(&h, 0x4fff, "8.8.8.8:1"), 0); /* a refresh */
	assert_int_equal(host_bind(&h, 0x4fff, "8.8.8.8:2"), 400);
	assert_int_equal(host_bind(&h, 0x4001, "8.8.8.8:1"), 400);
	world_run(w, 590 * 1000);
	assert_int_equal(host_refresh(&h, 3600), 0);
	world_run(w, 11 * 1000); /* it has expired: both are free again */
	assert_int_equal(host_bind(&h, 0x4001, "8.8.8.8:1"), 0);
	assert_int_equal(host_bind(&h, 0x4fff, "8.8.8.8:2"), 0);
	host_close(&h);
}

static void an_allocation_has_eight_channels_and_one_to_a_peer(void **state)
{
	struct host h;
	char peer[32];

	begin_allocated(state, &h);
	for (int i = 0; i < 7; i++)
		assert_int_equal(host_bind(&h, (uint16_t)(0x4000 + i), "8.8.4.4:1"),
		                 i == 0 ? 0 : 400);
	for (int i = 1; i < 10; i++) {
		snprintf(peer, sizeof(peer), "8.8.4.4:%d", 1 + i);
		assert_int_equal(host_bind(&h, (uint16_t)(0x4000 + i), peer), i < 8 ? 0 : 508);
	}
	host_close(&h);
}

static void legacy_channel_numbers(void **state)
{
	struct world *w = *state;
	struct host h;

	w->conf.legacy_channels = true;
	world_start(w);
	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_allocate(&h, NULL), 0);
	assert_int_equal(host_bind(&h, 0x5000, "8.8.8.8:1"), 0);
	assert_int_equal(host_bind(&h, 0x7fff, "8.8.8.8:2"), 0);
	assert_int_equal(host_bind(&h, 0x8000, "8.8.8.8:3"), 400);
	host_close(&h);
}

static void revoked_users_lose_their_allocations(void **state)
{
	struct world *w = world_begin(state);
	struct host a, b;

	host_open(w, &a, "198.51.100.5:1", "alice", "secret");
	host_open(w, &b, "198.51.100.6:1", "bob", "hunter2");
	assert_int_equal(host_allocate(&a, NULL), 0);
	assert_int_equal(host_allocate(&b, NULL), 0);
	turn_recheck_users(w->turn);
	assert_int_equal(turn_allocations(w->turn), 2);
	w->alice_gone = true;
	turn_recheck_users(w->turn);
	assert_int_equal(turn_allocations(w->turn), 1);
	assert_int_equal(host_refresh(&a, 600), 401);
	assert_int_equal(host_refresh(&b, 600), 0);
	host_close(&a);
	host_close(&b);
}

/* Allocations whose key's source has ended close, though the user may stay: also those that used
 * the key only later, but not those that have used another since. */
static void what_is_over_ends_its_allocations(void **state)
{
	struct world *w = world_begin(state);
	struct host a, b, c;

	host_open(w, &a, "198.51.100.5:1", "alice", "secret");
	host_open(w, &b, "198.51.100.6:1", "bob", "hunter2");
	host_open(w, &c, "198.51.100.7:1", "alice", "secret");
	w->alice_source = 3;
	assert_int_equal(host_allocate(&a, NULL), 0);
	assert_int_equal(host_allocate(&b, NULL), 0);
	w->alice_source = 4;
	assert_int_equal(host_allocate(&c, NULL), 0);
	assert_int_equal(turn_count_sessions(w->turn, 3), 1);
	w->ended_source = 3;
	turn_recheck_users(w->turn);
	assert_int_equal(turn_allocations(w->turn), 2);
	assert_int_equal(host_refresh(&a, 600), 437);
	assert_int_equal(host_refresh(&c, 600), 0);
	w->ended_source = 4;
	turn_recheck_users(w->turn);
	assert_int_equal(turn_allocations(w->turn), 1);
	assert_int_equal(host_refresh(&b, 600), 0);
	host_close(&a);
	host_close(&b);
	host_close(&c);
}

/* The reserved port of a pair is not lost with its user, and its token does not give it back to
 * them. */
static void revoked_users_lose_their_reservations(void **state)
{
	struct world *w = world_begin(state);
	struct host a;
	struct addr ra;
	struct wire m;
	uint8_t token[8];

	host_open(w, &a, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_login(&a), 401);
	assert_int_equal(ask_even(&a, true, &ra, token), 0);
	assert_int_equal(turn_ports_leased(w->ports4), 2);
	w->alice_gone = true;
	turn_recheck_users(w->turn);
	world_run(w, 0);
	assert_int_equal(turn_ports_reserved(w->ports4), 0);
	assert_int_equal(turn_ports_leased(w->ports4), 0);
	assert_int_equal(turn_quota_total(w->quota), 0);
	host_request(&a, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add(&m, ATTR_RESERVATION_TOKEN, token, 8);
	assert_int_equal(host_ask(&a, &m), 401);
	host_close(&a);
}

/* A flood from forged addresses: what nobody vouches for leaves nothing behind. */
static void spoofed_floods_leave_no_state(void **state)
{
	struct world *w = world_begin(state);

	for (int i = 0; i < 2000; i++) {
		char addr[64];
		struct host h;

		snprintf(addr, sizeof(addr), "198.51.%d.%d:77", i / 250, i % 250);
		host_open(w, &h, addr, "alice", "secret");
		assert_int_equal(host_login(&h), 401);
		host_close(&h);
	}
	assert_int_equal(turn_allocations(w->turn), 0);
	assert_int_equal(turn_quota_users(w->quota), 0);
	assert_int_equal(turn_get_stats(w->turn)->replies_401, 2000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
	    T(binding),
	    T(silence),
	    T(a_challenge_names_the_realm_and_proves_nothing),
	    T(integrity_needs_a_user_a_realm_and_a_nonce),
	    T(what_is_wrong_with_a_credential_is_not_told),
	    T(a_nonce_is_for_one_address_and_port_and_grows_old),
	    T(a_wrong_password_with_a_stale_nonce_is_a_wrong_password),
	    T(expired_credentials),
	    T(strict_expiry),
	    T(keys_that_come_later),
	    T(allocate_says_what_it_is_asked_for_in_vain),
	    T(allocate_tells_where_it_relays_and_for_how_long),
	    T(a_5_tuple_has_one_allocation),
	    T(retransmissions_are_answered_alike),
	    T(lifetimes),
	    T(wrong_user),
	    T(quota),
	    T(no_ports_left),
	    T(a_reserved_port_is_the_next_one),
	    T(a_reservation_ends_by_the_clock),
	    T(an_even_port_comes_without_a_reservation_too),
	    T(reserved_port_is_no_peer),
	    T(permissions_are_checked),
	    T(a_channel_has_a_number_and_a_peer),
	    T(a_channel_and_its_peer_are_bound_to_each_other_until_it_ends),
	    T(an_allocation_has_eight_channels_and_one_to_a_peer),
	    T(legacy_channel_numbers),
	    T(revoked_users_lose_their_allocations),
	    T(what_is_over_ends_its_allocations),
	    T(revoked_users_lose_their_reservations),
	    T(spoofed_floods_leave_no_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
