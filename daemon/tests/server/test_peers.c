/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where the relay refuses to go, on real sockets: no client reaches through it
 * what a public host must not give away, by any method, and not one packet
 * leaves. The server runs with the policy of a public host, no option changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "daemon/tests/server/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VICTIM_PORT 4242
#define VICTIM      ":4242"
#define SERVER4     RIG_SERVER4 ":3478"
#define GENEROUS4   RIG_SERVER4 ":3490"
#define GENEROUS6   "[" RIG_SERVER6 "]:3490"
#define SERVER6     "[" RIG_SERVER6 "]:3478"
#define PEER4       RIG_PEER4 VICTIM
#define PEER6       "[" RIG_PEER6 "]" VICTIM
#define SETTLE_MS   100

/* As security-cases.md lists them, with the ends of the ranges. */
static const char *const forbidden4[] = {
    "0.0.0.0",        "0.1.2.3",         "127.0.0.1",       "127.255.255.254", "10.0.0.1",
    "10.255.255.255", "172.16.0.1",      "172.31.255.255",  "192.168.0.1",     "192.168.255.255",
    "100.64.0.1",     "100.127.255.255", "169.254.0.1",     "169.254.169.254", "169.254.255.255",
    "192.0.0.8",      "192.0.2.1",       "198.18.0.1",      "198.19.255.255",  "198.51.100.7",
    "203.0.113.7",    "224.0.0.1",       "239.255.255.250", "240.0.0.1",       "255.255.255.255",
    RIG_SERVER4B, /* the host itself, where it neither listens nor relays */
};

static const char *const forbidden6[] = {
    "::",
    "::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "fc00::1",
    "fdff::1",
    "ff02::1",
    "ff0e::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:77.7.0.9",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2001:0:7f00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "100::1",
    "2001:2::1",
    "3fff::1",
    "5f00::1",
};

static struct rig_server server, generous;
static const char *at = SERVER4; /* the server that is spoken to */
static struct watch victim;
static const uint8_t ipv6_family[4] = {2};

static int setup(void **state)
{
	(void)state;
	rig_server_prepare(&server, "peers");
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	rig_server_start(&server, "peers",
	                 "--workers 2 --relay-ports 50000-54999 --listen " SERVER4
	                 " --listen " SERVER6);
	rig_server_prepare(&generous, "generous");
	free(rig_verb(&generous, "user add alice --password-stdin", "wonderland\n"));
	rig_server_start(&generous, "generous",
	                 "--workers 2 --relay-ports 55000-59999 --listen " GENEROUS4
	                 " --listen " GENEROUS6 " --relay-allow " RIG_SERVER4
	                 " --relay-allow " RIG_SERVER6);
	watch_open(&victim, VICTIM_PORT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	watch_close(&victim);
	rig_server_stop(&server);
	rig_server_stop(&generous);
	return 0;
}

/* The transports between client and server, and between relay and peer. */
enum leg { UDP_UDP, TCP_UDP, TCP_TCP };

/* A client with a relay of the family; from IPv4 in any case. */
static void open_relay(struct talker *t, enum leg leg, bool v6, struct addr *relayed)
{
	struct wire m;
	struct addr unused;

	talker_open(t, at, leg != UDP_UDP, NULL, "alice", "wonderland");
	assert_int_equal(talker_login(t), 401);
	talker_request(t, &m, W_ALLOCATE);
	wire_add_transport(&m, leg == TCP_TCP ? IPPROTO_TCP : IPPROTO_UDP);
	if (v6)
		wire_add(&m, ATTR_REQUESTED_ADDRESS_FAMILY, ipv6_family, 4);
	assert_int_equal(talker_ask(t, &m), 0);
	assert_true(wire_get_xor_addr(t->in.buf, t->in.len, ATTR_XOR_RELAYED_ADDRESS,
	                              relayed ? relayed : &unused));
}

/* RFC 6062: has a TCP relay connect to the peer. */
static int connect_to(struct talker *t, const char *peer)
{
	struct wire m;

	talker_request(t, &m, W_CONNECT);
	wire_add_peer(&m, peer);
	return talker_ask(t, &m);
}

/* Everything a client may say to have something sent to the peer, whatever the answers were. */
static void push(struct talker *t, const char *peer, uint16_t number)
{
	uint8_t data[8] = {(uint8_t)(number >> 8), (uint8_t)number, 0, 4, 'd', 'a', 't', 'a'};

	talker_send_to(t, peer, "by Send");
	talker_send(t, data, sizeof(data));
}

static void refuse_all(enum leg leg, const char *const *list, size_t n, bool v6)
{
	struct talker t, tcp;
	char peer[80];

	open_relay(&t, leg, v6, NULL);
	open_relay(&tcp, TCP_TCP, v6, NULL);
	watch_packets(&victim);
	watch_arrivals(&victim);
	for (size_t i = 0; i < n; i++) {
		uint16_t number = (uint16_t)(0x4000 + i);
		int permit, bind, permit_tcp, conn;

		snprintf(peer, sizeof(peer), v6 ? "[%s]" VICTIM : "%s" VICTIM, list[i]);
		permit = talker_permit_to(&t, peer);
		bind = talker_bind_to(&t, number, peer);
		push(&t, peer, number);
		permit_tcp = talker_permit_to(&tcp, peer);
		conn = connect_to(&tcp, peer);
		if (permit != 403 || bind != 403 || permit_tcp != 403 || conn != 403)
			fail_msg("%s: CreatePermission %d, ChannelBind %d; for TCP %d, Connect %d",
			         peer, permit, bind, permit_tcp, conn);
	}
	rig_sleep_ms(SETTLE_MS); /* nothing may come */
	assert_int_equal(watch_packets(&victim), 0);
	assert_int_equal(watch_arrivals(&victim), 0);
	talker_close(&t);
	talker_close(&tcp);
}

static void forbidden_ipv4(void **state)
{
	(void)state;
	refuse_all(UDP_UDP, forbidden4, sizeof(forbidden4) / sizeof(*forbidden4), false);
	refuse_all(TCP_UDP, forbidden4, sizeof(forbidden4) / sizeof(*forbidden4), false);
}

static void forbidden_ipv6(void **state)
{
	(void)state;
	refuse_all(UDP_UDP, forbidden6, sizeof(forbidden6) / sizeof(*forbidden6), true);
	refuse_all(TCP_UDP, forbidden6, sizeof(forbidden6) / sizeof(*forbidden6), true);
}

/* The control of the two tests above: without the refusal the peer is reached. */
static void a_public_peer_is_reached(void **state)
{
	struct talker t;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		const char *peer = v6 ? PEER6 : PEER4;
		unsigned int arrived = 0;

		open_relay(&t, UDP_UDP, v6, NULL);
		watch_packets(&victim);
		watch_arrivals(&victim);
		talker_send_to(&t, peer, "without permission");
		rig_sleep_ms(SETTLE_MS); /* nothing may come */
		assert_int_equal(watch_packets(&victim), 0);
		assert_int_equal(talker_permit_to(&t, peer), 0);
		assert_int_equal(talker_bind_to(&t, 0x4000, peer), 0);
		push(&t, peer, 0x4000);
		SOON((arrived += watch_arrivals(&victim)) >= 2);
		assert_int_equal(arrived, 2);
		assert_true(watch_packets(&victim) >= 2);
		talker_close(&t);
		open_relay(&t, TCP_TCP, v6, NULL);
		assert_int_equal(connect_to(&t, peer), 0);
		assert_int_equal(watch_arrivals(&victim), 1);
		talker_close(&t);
		rig_sleep_ms(5 *
		             SETTLE_MS); /* the connection's end is no packet of the next round */
	}
}

/* Has a Binding request sent to the peer: a STUN server there would answer. */
static void ask_through(struct talker *t, const char *peer)
{
	struct wire binding, m;

	wire_start(&binding, W_BINDING, 1);
	wire_start(&m, W_SEND, ++t->tid);
	wire_add_peer(&m, peer);
	wire_add(&m, ATTR_DATA, binding.buf, binding.len);
	talker_send(t, m.buf, m.len);
}

/* The addresses that it relays on are legal peers, with the ports that it relays on. */
static void own_ports_are_closed(void **state)
{
	static const char *const own[] = {RIG_SERVER4 ":3478", RIG_SERVER4 ":22",
	                                  RIG_SERVER4 VICTIM};
	static const char *const own6[] = {"[" RIG_SERVER6 "]:3478", "[" RIG_SERVER6 "]:22",
	                                   "[" RIG_SERVER6 "]" VICTIM};
	struct talker t, tcp;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		open_relay(&t, UDP_UDP, v6, NULL);
		open_relay(&tcp, TCP_TCP, v6, NULL);
		assert_int_equal(talker_permit_to(&t, v6 ? own6[0] : own[0]), 0); /* by IP alone */
		watch_packets(&victim);
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(
			    talker_bind_to(&t, (uint16_t)(0x4000 + i), v6 ? own6[i] : own[i]), 403);
			push(&t, v6 ? own6[i] : own[i], (uint16_t)(0x4000 + i));
			assert_int_equal(connect_to(&tcp, v6 ? own6[i] : own[i]), 403);
		}
		ask_through(&t, v6 ? own6[0] : own[0]);
		assert_int_equal(talker_receive(&t, TALKER_SILENCE_MS), TALKER_SILENCE);
		assert_int_equal(watch_packets(&victim), 0);
		talker_close(&t);
		talker_close(&tcp);
	}
}

/* Even where the host's own addresses are allowed: only the ports that it listens on are not. */
static void listening_ports_are_closed_whatever_is_allowed(void **state)
{
	struct talker t, tcp;

	(void)state;
	at = GENEROUS4;
	for (int v6 = 0; v6 < 2; v6++) {
		const char *own = v6 ? GENEROUS6 : GENEROUS4;

		open_relay(&t, UDP_UDP, v6, NULL);
		open_relay(&tcp, TCP_TCP, v6, NULL);
		assert_int_equal(talker_permit_to(&t, own), 0); /* by IP alone */
		watch_packets(&victim);
		talker_send_to(&t, v6 ? "[" RIG_SERVER6 "]" VICTIM : RIG_SERVER4 VICTIM, "allowed");
		SOON(watch_packets(&victim) > 0);
		assert_int_equal(talker_bind_to(&t, 0x4000, own), 403);
		assert_int_equal(connect_to(&tcp, own), 403);
		ask_through(&t, own);
		assert_int_equal(talker_receive(&t, TALKER_SILENCE_MS), TALKER_SILENCE);
		talker_close(&t);
		talker_close(&tcp);
	}
	at = SERVER4;
}

static void expect_data(struct talker *t, const struct addr *from, const char *text)
{
	struct addr peer;
	const uint8_t *data;
	size_t n;

	assert_int_equal(talker_receive(t, TALKER_WAIT_MS), 0);
	assert_int_equal(wire_type(t->in.buf), W_DATA);
	assert_true(wire_get_xor_addr(t->in.buf, t->in.len, ATTR_XOR_PEER_ADDRESS, &peer));
	assert_true(addr_equal(&peer, from));
	data = wire_get(t->in.buf, t->in.len, ATTR_DATA, &n);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(data, text, n);
}

static void relay_to_relay(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct talker a, b;
		struct addr at_a, at_b;
		char to_a[ADDR_STRLEN], to_b[ADDR_STRLEN];

		open_relay(&a, UDP_UDP, v6, &at_a);
		open_relay(&b, TCP_UDP, v6, &at_b);
		addr_format(&at_a, to_a);
		addr_format(&at_b, to_b);
		assert_int_equal(talker_permit_to(&a, to_b), 0);
		/* RFC 8656 section 9: b has given no permission, so nothing comes in. */
		talker_send_to(&a, to_b, "too early");
		assert_int_equal(talker_receive(&b, TALKER_SILENCE_MS), TALKER_SILENCE);
		assert_int_equal(talker_permit_to(&b, to_a), 0);
		talker_send_to(&a, to_b, "ping");
		expect_data(&b, &at_a, "ping");
		talker_send_to(&b, to_a, "pong");
		expect_data(&a, &at_b, "pong");
		talker_close(&a);
		talker_close(&b);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_public_peer_is_reached),
	    cmocka_unit_test(forbidden_ipv4),
	    cmocka_unit_test(forbidden_ipv6),
	    cmocka_unit_test(own_ports_are_closed),
	    cmocka_unit_test(listening_ports_are_closed_whatever_is_allowed),
	    cmocka_unit_test(relay_to_relay),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
