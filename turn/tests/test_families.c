/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Allocations of one family and of both, and what belongs to a datagram besides
 * its payload: ATTR_DONT_FRAGMENT, DSCP, ECN and ICMP errors (RFC 8656 sections 7, 8, 11.5, 15).
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "turn/tests/world.h"

#include <stdio.h>
#include <stdlib.h>

#define PEER4 "9.9.9.9:4000"
#define PEER6 "[2600::9]:4000"

struct dual {
	struct world w;
	struct host client, peer4, peer6;
	struct addr relayed4, relayed6;
};

static bool nth_addr(const struct wire *m, uint16_t type, size_t n, struct addr *out)
{
	size_t len;
	const uint8_t *v = wire_get_nth(m->buf, m->len, type, n, &len);
	struct wire one = *m;

	if (!v)
		return false;
	one.len = 20;
	wire_add(&one, type, v, len);
	return wire_get_xor_addr(one.buf, one.len, type, out);
}

/* An Allocate with up to two more attributes of a family or a byte. */
static int allocate(struct host *h, uint16_t a, uint8_t a_value, uint16_t b, uint8_t b_value)
{
	struct wire m;

	if (!*h->nonce)
		assert_int_equal(host_login(h), 401);
	host_request(h, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	if (a == ATTR_EVEN_PORT)
		wire_add(&m, a, &a_value, 1);
	else if (a == ATTR_DONT_FRAGMENT)
		wire_add(&m, a, NULL, 0);
	else if (a)
		wire_add_u32(&m, a, (uint32_t)a_value << 24);
	if (b == ATTR_EVEN_PORT)
		wire_add(&m, b, &b_value, 1);
	else if (b == ATTR_RESERVATION_TOKEN)
		wire_add(&m, b, "12345678", 8);
	else if (b)
		wire_add_u32(&m, b, (uint32_t)b_value << 24);
	return host_ask(h, &m);
}

static int refresh(struct host *h, uint32_t lifetime_s, uint8_t family)
{
	struct wire m;

	host_request(h, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, lifetime_s);
	if (family)
		wire_add_u32(&m, ATTR_REQUESTED_ADDRESS_FAMILY, (uint32_t)family << 24);
	return host_ask(h, &m);
}

static struct dual *dual_new(void)
{
	struct dual *d = calloc(1, sizeof(*d));

	world_init(&d->w);
	world_start(&d->w);
	host_open(&d->w, &d->client, "198.51.100.5:1", "alice", "secret");
	host_open(&d->w, &d->peer4, PEER4, "", "");
	host_open(&d->w, &d->peer6, PEER6, "", "");
	return d;
}

static void dual_free(struct dual *d)
{
	host_close(&d->client);
	host_close(&d->peer4);
	host_close(&d->peer6);
	world_stop(&d->w);
	free(d);
}

static void dual_allocate(struct dual *d)
{
	size_t n;

	assert_int_equal(allocate(&d->client, ATTR_ADDITIONAL_ADDRESS_FAMILY, 2, 0, 0), 0);
	assert_true(nth_addr(&d->client.in, ATTR_XOR_RELAYED_ADDRESS, 0, &d->relayed4));
	assert_true(nth_addr(&d->client.in, ATTR_XOR_RELAYED_ADDRESS, 1, &d->relayed6));
	assert_int_equal(addr_family(&d->relayed4), AF_INET);
	assert_int_equal(addr_family(&d->relayed6), AF_INET6);
	assert_null(wire_get(d->client.in.buf, d->client.in.len, ATTR_ADDRESS_ERROR_CODE, &n));
	assert_int_equal(turn_allocations(d->w.turn), 1);
	assert_int_equal(turn_relayed_addresses(d->w.turn), 2);
}

static int setup(void **state)
{
	*state = dual_new();
	return 0;
}

static int setup_allocated(void **state)
{
	*state = dual_new();
	dual_allocate(*state);
	return 0;
}

static int teardown(void **state)
{
	dual_free(*state);
	return 0;
}

static bool send_to(struct dual *d, struct host *peer, const char *to, bool df, uint8_t tos)
{
	struct wire m;

	wire_start(&m, W_SEND, ++d->w.tid);
	wire_add_peer(&m, to);
	if (df)
		wire_add(&m, ATTR_DONT_FRAGMENT, NULL, 0);
	wire_add_str(&m, ATTR_DATA, "data");
	peer->got = 0;
	host_send_as(&d->client, SERVER4, m.buf, m.len, tos);
	return peer->got == 1;
}

static bool reaches_client(struct dual *d, struct host *peer, const struct addr *relayed,
                           uint8_t tos)
{
	char text[ADDR_STRLEN];

	d->client.got = 0;
	host_send_as(peer, addr_format(relayed, text), "data", 4, tos);
	return d->client.got == 1;
}

static void each_family_relays_from_its_own_address(void **state)
{
	struct dual *d = *state;

	assert_false(send_to(d, &d->peer4, PEER4, false, 0));
	assert_int_equal(host_permit(&d->client, PEER4), 0);
	assert_true(send_to(d, &d->peer4, PEER4, false, 0));
	assert_true(addr_equal(&d->peer4.from, &d->relayed4));
	assert_false(send_to(d, &d->peer6, PEER6, false, 0));
	assert_int_equal(host_bind(&d->client, 0x4000, PEER6), 0);
	assert_true(send_to(d, &d->peer6, PEER6, false, 0));
	assert_true(addr_equal(&d->peer6.from, &d->relayed6));
}

static void a_peer_of_each_family_reaches_the_client(void **state)
{
	struct dual *d = *state;

	assert_int_equal(host_permit(&d->client, PEER4), 0);
	assert_int_equal(host_bind(&d->client, 0x4000, PEER6), 0);
	assert_true(reaches_client(d, &d->peer4, &d->relayed4, 0));
	assert_int_equal(wire_type(d->client.in.buf), W_DATA);
	assert_true(reaches_client(d, &d->peer6, &d->relayed6, 0));
	assert_memory_equal(d->client.in.buf,
	                    "\x40\x00\x00\x04"
	                    "data",
	                    8);
}

/* An IPv4 address that begins like a permitted IPv6 one has no permission by that. */
static void a_permission_is_for_one_family(void **state)
{
	struct dual *d = *state;
	struct host other;

	assert_int_equal(host_permit(&d->client, "[808:808::]:1"), 0);
	host_open(&d->w, &other, "8.8.8.8:1", "", "");
	assert_false(send_to(d, &other, "8.8.8.8:1", false, 0));
	assert_false(reaches_client(d, &other, &d->relayed4, 0));
	host_close(&other);
}

/* "Deleting a single allocation destroys any permissions or channels associated with that
 * particular allocation; it MUST NOT affect any permissions or channels [...] for the other address
 * family." */
static struct dual *dual_without(uint8_t family)
{
	struct dual *d = dual_new();

	dual_allocate(d);
	assert_int_equal(host_bind(&d->client, 0x4000, PEER4), 0);
	assert_int_equal(host_bind(&d->client, 0x4001, PEER6), 0);
	assert_int_equal(refresh(&d->client, 0, family), 0);
	assert_int_equal(turn_allocations(d->w.turn), 1);
	assert_int_equal(turn_relayed_addresses(d->w.turn), 1);
	return d;
}

struct half {
	struct host *peer;
	const char *to; /* the peer's address */
	const struct addr *relayed;
};

static struct half half_of(struct dual *d, int family)
{
	return family == 1 ? (struct half){&d->peer4, PEER4, &d->relayed4}
	                   : (struct half){&d->peer6, PEER6, &d->relayed6};
}

static void a_half_that_is_deleted_is_gone(void **state)
{
	(void)state;
	for (uint8_t family = 1; family <= 2; family++) {
		struct dual *d = dual_without(family);
		struct half gone = half_of(d, family);

		assert_false(send_to(d, gone.peer, gone.to, false, 0));
		assert_false(reaches_client(d, gone.peer, gone.relayed, 0));
		assert_int_equal(host_permit(&d->client, gone.to), 443);
		assert_int_equal(host_bind(&d->client, 0x4002, gone.to), 443);
		assert_int_equal(refresh(&d->client, 600, family), 443);
		dual_free(d);
	}
}

static void the_other_half_goes_on(void **state)
{
	(void)state;
	for (uint8_t family = 1; family <= 2; family++) {
		struct dual *d = dual_without(family);
		struct half left = half_of(d, 3 - family);

		assert_true(send_to(d, left.peer, left.to, false, 0));
		assert_true(reaches_client(d, left.peer, left.relayed, 0));
		assert_memory_equal(d->client.in.buf, family == 1 ? "\x40\x01" : "\x40\x00", 2);
		assert_int_equal(refresh(&d->client, 0, 0), 0);
		assert_int_equal(turn_allocations(d->w.turn), 0);
		dual_free(d);
	}
}

static void halves_expire_alone(void **state)
{
	struct dual *d = *state;

	world_run(&d->w, 300 * 1000);
	assert_int_equal(refresh(&d->client, 600, 2), 0);
	world_run(&d->w, 299 * 1000);
	assert_int_equal(turn_relayed_addresses(d->w.turn), 2);
	world_run(&d->w, 3 * 1000);
	assert_int_equal(turn_relayed_addresses(d->w.turn), 1);
	assert_int_equal(host_permit(&d->client, PEER4), 443);
	assert_int_equal(host_permit(&d->client, PEER6), 0);
	world_run(&d->w, 300 * 1000);
	assert_int_equal(turn_allocations(d->w.turn), 0);
	d->client.nonce[0] = 0;
	/* a request that names no family refreshes both */
	dual_allocate(d);
	world_run(&d->w, 300 * 1000);
	assert_int_equal(refresh(&d->client, 600, 0), 0);
	world_run(&d->w, 302 * 1000);
	assert_int_equal(turn_relayed_addresses(d->w.turn), 2);
}

static void malformed_wishes(void **state)
{
	struct dual *d = *state;

	assert_int_equal(allocate(&d->client, ATTR_ADDITIONAL_ADDRESS_FAMILY, 1, 0, 0), 400);
	assert_int_equal(allocate(&d->client, ATTR_ADDITIONAL_ADDRESS_FAMILY, 7, 0, 0), 400);
	assert_int_equal(allocate(&d->client, ATTR_ADDITIONAL_ADDRESS_FAMILY, 2,
	                          ATTR_REQUESTED_ADDRESS_FAMILY, 1),
	                 400);
	assert_int_equal(allocate(&d->client, ATTR_ADDITIONAL_ADDRESS_FAMILY, 2,
	                          ATTR_REQUESTED_ADDRESS_FAMILY, 2),
	                 400);
	assert_int_equal(
	    allocate(&d->client, ATTR_ADDITIONAL_ADDRESS_FAMILY, 2, ATTR_EVEN_PORT, 0x80), 400);
	assert_int_equal(
	    allocate(&d->client, ATTR_ADDITIONAL_ADDRESS_FAMILY, 2, ATTR_RESERVATION_TOKEN, 0),
	    400);
	assert_int_equal(allocate(&d->client, ATTR_REQUESTED_ADDRESS_FAMILY, 3, 0, 0), 440);
	assert_int_equal(turn_allocations(d->w.turn), 0);
	assert_int_equal(allocate(&d->client, ATTR_ADDITIONAL_ADDRESS_FAMILY, 2, ATTR_EVEN_PORT, 0),
	                 0);
	for (int i = 0; i < 2; i++) {
		assert_true(nth_addr(&d->client.in, ATTR_XOR_RELAYED_ADDRESS, i, &d->relayed4));
		assert_int_equal(addr_port(&d->relayed4) % 2, 0);
	}
}

static void expect_half(struct dual *d, int code, int family, int missing)
{
	struct addr relayed;
	size_t n;
	const uint8_t *v;

	assert_int_equal(host_login(&d->client), 401);
	assert_int_equal(allocate(&d->client, ATTR_ADDITIONAL_ADDRESS_FAMILY, 2, 0, 0), 0);
	assert_true(nth_addr(&d->client.in, ATTR_XOR_RELAYED_ADDRESS, 0, &relayed));
	assert_int_equal(addr_family(&relayed), family);
	assert_false(nth_addr(&d->client.in, ATTR_XOR_RELAYED_ADDRESS, 1, &relayed));
	v = wire_get(d->client.in.buf, d->client.in.len, ATTR_ADDRESS_ERROR_CODE, &n);
	assert_non_null(v);
	assert_int_equal(v[0], missing);
	assert_int_equal(v[2] * 100 + v[3], code);
	assert_int_equal(host_refresh(&d->client, 0), 0);
}

static void one_is_not_to_be_had(void **state)
{
	static const uint16_t all = 20; /* ports of a pool */
	struct dual *d = *state;
	uint16_t port;

	for (int i = 0; i < all; i++)
		assert_int_equal(turn_ports_lease(d->w.ports6, d->w.env, TURN_PORT_ANY, &port), 0);
	d->w.leased_elsewhere = all;
	expect_half(d, 508, AF_INET, 2);
	for (int i = 0; i < all; i++)
		assert_int_equal(turn_ports_lease(d->w.ports4, d->w.env, TURN_PORT_ANY, &port), 0);
	d->w.leased_elsewhere = 2 * all;
	assert_int_equal(host_login(&d->client), 401);
	assert_int_equal(allocate(&d->client, ATTR_ADDITIONAL_ADDRESS_FAMILY, 2, 0, 0), 508);
	for (port = 50000; port < 50000 + all; port++)
		turn_ports_release(d->w.ports6, port);
	d->w.leased_elsewhere = all;
	expect_half(d, 508, AF_INET6, 1);
	for (port = 50000; port < 50000 + all; port++)
		turn_ports_release(d->w.ports4, port);
	d->w.leased_elsewhere = 0;
}

static void dont_fragment(void **state)
{
	struct dual *d = *state;

	assert_int_equal(
	    allocate(&d->client, ATTR_DONT_FRAGMENT, 0, ATTR_ADDITIONAL_ADDRESS_FAMILY, 2), 0);
	assert_int_equal(host_permit(&d->client, PEER4), 0);
	assert_int_equal(host_permit(&d->client, PEER6), 0);
	/* what the Allocate said holds for no datagram; the Send indication's word for this one */
	assert_true(send_to(d, &d->peer4, PEER4, false, 0));
	assert_int_equal(env_virtual_unfragmented(d->w.env), 0);
	assert_true(send_to(d, &d->peer4, PEER4, true, 0));
	assert_int_equal(env_virtual_unfragmented(d->w.env), 1);
	assert_true(send_to(d, &d->peer6, PEER6, true, 0));
	assert_true(send_to(d, &d->peer6, PEER6, false, 0));
	assert_int_equal(env_virtual_unfragmented(d->w.env), 2);
}

static void marks_are_carried(void **state)
{
	struct dual *d = *state;

	assert_int_equal(host_permit(&d->client, PEER4), 0);
	assert_true(send_to(d, &d->peer4, PEER4, false, 0xb9)); /* EF, ECT(1) */
	assert_int_equal(d->peer4.tos, 0xb9);
	assert_true(send_to(d, &d->peer4, PEER4, false, 0));
	assert_int_equal(d->peer4.tos, 0);
	assert_true(reaches_client(d, &d->peer4, &d->relayed4, 0x03)); /* CE */
	assert_int_equal(d->client.tos, 0x03);
	assert_int_equal(host_bind(&d->client, 0x4000, PEER6), 0);
	assert_int_equal(d->client.tos, 0); /* replies have no marks */
	host_send_as(&d->client, SERVER4, "\x40\x00\x00\x01x", 5, 0x88);
	assert_int_equal(d->peer6.tos, 0x88);
	assert_true(reaches_client(d, &d->peer6, &d->relayed6, 0x22));
	assert_int_equal(d->client.tos, 0x22);
}

static size_t icmp(struct dual *d, const struct addr *relay, const char *peer, uint8_t type,
                   uint8_t code, uint32_t mtu)
{
	struct env_udp_error e = {.type = type, .code = code, .mtu = mtu};

	assert_int_equal(addr_parse(&e.peer, peer), 0);
	d->client.got = 0;
	assert_true(env_virtual_icmp(d->w.env, relay, &e));
	world_run(&d->w, 0);
	return d->client.got;
}

static void expect_icmp(struct dual *d, const char *peer, const char *value)
{
	const struct wire *in = &d->client.in;
	struct addr want, got;
	size_t n;

	assert_true(wire_sound(in->buf, in->len));
	assert_int_equal(wire_type(in->buf), W_DATA);
	assert_int_equal(addr_parse(&want, peer), 0);
	assert_true(wire_get_xor_addr(in->buf, in->len, ATTR_XOR_PEER_ADDRESS, &got));
	assert_true(addr_equal(&want, &got));
	assert_null(wire_get(in->buf, in->len, ATTR_DATA, &n));
	assert_memory_equal(wire_get(in->buf, in->len, ATTR_ICMP, &n), value, 8);
	assert_int_equal(n, 8);
}

static void an_icmp_error_is_about_a_permitted_peer(void **state)
{
	struct dual *d = *state;

	assert_int_equal(icmp(d, &d->relayed4, PEER4, 3, 3, 0), 0);
	assert_int_equal(host_permit(&d->client, PEER4), 0);
	assert_int_equal(icmp(d, &d->relayed4, PEER4, 3, 3, 0), 1);
	expect_icmp(d, PEER4, "\0\0\x06\x03\0\0\0\0"); /* 7 bits of type, 9 of code */
	/* whatever the port */
	assert_int_equal(icmp(d, &d->relayed4, "9.9.9.9:77", 3, 4, 1400), 1);
	expect_icmp(d, "9.9.9.9:77", "\0\0\x06\x04\0\0\x05\x78");
	assert_int_equal(icmp(d, &d->relayed4, "9.9.9.8:4000", 3, 3, 0), 0);
	assert_int_equal(turn_get_stats(d->w.turn)->icmp_to_client, 2);
	assert_int_equal(turn_get_stats(d->w.turn)->icmp_drops, 2);
}

/* 3 and 11; 1, 2 and 3 in IPv6. */
static void icmp_errors_are_of_the_types_that_the_rfc_names(void **state)
{
	struct dual *d = *state;

	assert_int_equal(host_permit(&d->client, PEER4), 0);
	assert_int_equal(host_permit(&d->client, PEER6), 0);
	assert_int_equal(icmp(d, &d->relayed4, PEER4, 11, 0, 0), 1);
	assert_int_equal(icmp(d, &d->relayed4, PEER4, 5, 1, 0), 0);
	assert_int_equal(icmp(d, &d->relayed4, PEER4, 12, 0, 0), 0);
	assert_int_equal(icmp(d, &d->relayed6, PEER6, 2, 0, 1280), 1);
	expect_icmp(d, PEER6, "\0\0\x04\x00\0\0\x05\x00");
	assert_int_equal(icmp(d, &d->relayed6, PEER6, 4, 0, 0), 0);
	assert_int_equal(turn_get_stats(d->w.turn)->icmp_to_client, 2);
	assert_int_equal(turn_get_stats(d->w.turn)->icmp_drops, 3);
}

static void a_client_hears_ten_icmp_errors_a_second(void **state)
{
	struct dual *d = *state;

	assert_int_equal(host_permit(&d->client, PEER4), 0);
	for (int i = 0; i < 30; i++)
		assert_int_equal(icmp(d, &d->relayed4, PEER4, 3, 3, 0), i < 10);
	world_run(&d->w, 1000);
	assert_int_equal(icmp(d, &d->relayed4, PEER4, 3, 3, 0), 1);
}

/* A client that uses many channels over time is not stopped by those that have ended. */
static void ended_channels_make_room(void **state)
{
	struct dual *d = *state;
	char peer[ADDR_STRLEN];

	assert_int_equal(host_login(&d->client), 401);
	assert_int_equal(host_allocate(&d->client, NULL), 0);
	assert_int_equal(host_refresh(&d->client, 3600), 0);
	for (uint16_t i = 0; i < 8; i++) {
		snprintf(peer, sizeof(peer), "9.9.9.9:%u", 4000u + i);
		assert_int_equal(host_bind(&d->client, (uint16_t)(0x4000 + i), peer), 0);
	}
	assert_int_equal(host_bind(&d->client, 0x4100, "9.9.9.9:5000"), 508);
	world_run(&d->w, 601 * 1000);
	for (uint16_t i = 0; i < 8; i++) {
		snprintf(peer, sizeof(peer), "9.9.9.9:%u", 5000u + i);
		assert_int_equal(host_bind(&d->client, (uint16_t)(0x4100 + i), peer), 0);
	}
	assert_int_equal(host_bind(&d->client, 0x4200, "9.9.9.9:6000"), 508);
}

#define T(f)         cmocka_unit_test_setup_teardown(f, setup, teardown)
#define ALLOCATED(f) cmocka_unit_test_setup_teardown(f, setup_allocated, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ALLOCATED(each_family_relays_from_its_own_address),
	    ALLOCATED(a_peer_of_each_family_reaches_the_client),
	    ALLOCATED(a_permission_is_for_one_family),
	    cmocka_unit_test(a_half_that_is_deleted_is_gone),
	    cmocka_unit_test(the_other_half_goes_on),
	    ALLOCATED(halves_expire_alone),
	    T(malformed_wishes),
	    T(one_is_not_to_be_had),
	    T(dont_fragment),
	    ALLOCATED(marks_are_carried),
	    ALLOCATED(an_icmp_error_is_about_a_permitted_peer),
	    ALLOCATED(icmp_errors_are_of_the_types_that_the_rfc_names),
	    ALLOCATED(a_client_hears_ten_icmp_errors_a_second),
	    T(ended_channels_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
