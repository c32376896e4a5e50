/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The prober's parts that need no network: its STUN messages, its verdict over
 * what was seen, and the theory of which pairs need a relay.
 */
#include "harness/lab/nat.h"
#include "harness/lab/probe.h"
#include "harness/lab/stun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

#include <cmocka.h>

static struct addr at(const char *ip, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(&a, ip, port), 0);
	return a;
}

static void test_request_round_trip(void **state)
{
	uint8_t buf[STUN_PACKET_MAX], tid[STUN_TID_LEN], want[STUN_TID_LEN] = "abcdefghijk";
	unsigned change = 99;
	size_t len;

	(void)state;
	len = stun_binding_request(buf, want, 0);
	assert_int_equal(len, 20);
	assert_int_equal(stun_parse_request(buf, len, tid, &change), 0);
	assert_int_equal(change, 0);
	len = stun_binding_request(buf, want, STUN_CHANGE_IP | STUN_CHANGE_PORT);
	assert_int_equal(stun_parse_request(buf, len, tid, &change), 0);
	assert_memory_equal(tid, want, STUN_TID_LEN);
	assert_int_equal(change, STUN_CHANGE_IP | STUN_CHANGE_PORT);
}

/* RFC 5769 section 2.2: XOR-MAPPED-ADDRESS of 192.0.2.1:32853 under the standard cookie. */
static void test_xor_mapped_address_is_the_rfcs(void **state)
{
	static const uint8_t attr[12] = {0x00, 0x20, 0x00, 0x08, 0x00, 0x01,
	                                 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43};
	uint8_t buf[STUN_PACKET_MAX], tid[STUN_TID_LEN] = {0};
	struct addr mapped = at("192.0.2.1", 32853), got;
	size_t len = stun_binding_response(buf, tid, &mapped);

	(void)state;
	assert_int_equal(len, 32);
	assert_memory_equal(buf + 20, attr, sizeof(attr));
	assert_int_equal(stun_parse_response(buf, len, tid, &got), 0);
	assert_true(addr_equal(&got, &mapped));
}

static void test_malformed_messages_are_refused(void **state)
{
	uint8_t buf[STUN_PACKET_MAX], tid[STUN_TID_LEN] = {0};
	struct addr mapped = at("192.0.2.1", 1), got;
	unsigned change;
	size_t len = stun_binding_response(buf, tid, &mapped);

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(stun_parse_response(buf, cut, tid, &got), -E_PARSE);
	assert_int_equal(stun_parse_request(buf, len, tid, &change), -E_PARSE);
	buf[23] = 200; /* the attribute claims more than there is */
	assert_int_equal(stun_parse_response(buf, len, tid, &got), -E_PARSE);
	buf[23] = 8;
	buf[4] ^= 1; /* not the magic cookie */
	assert_int_equal(stun_parse_response(buf, len, tid, &got), -E_PARSE);
}

static struct probe_facts facts(uint16_t p00, uint16_t p01, uint16_t p10, uint16_t p11)
{
	struct probe_facts f;

	memset(&f, 0, sizeof(f));
	memset(f.answered, true, sizeof(f.answered));
	f.local = at("192.168.1.2", 5000);
	f.mapped[0][0] = at("203.0.113.21", p00);
	f.mapped[0][1] = at("203.0.113.21", p01);
	f.mapped[1][0] = at("203.0.113.21", p10);
	f.mapped[1][1] = at("203.0.113.21", p11);
	return f;
}

static void test_verdict(void **state)
{
	struct probe_facts f = facts(7, 7, 7, 7);
	struct nat_behaviour b;

	(void)state;
	probe_judge(&f, &b);
	assert_true(b.udp);
	assert_int_equal(b.mapping, NAT_MAP_ENDPOINT_INDEPENDENT);
	assert_int_equal(b.filtering, NAT_FILTER_ADDRESS_PORT_DEPENDENT);

	f.other_port = true;
	probe_judge(&f, &b);
	assert_int_equal(b.filtering, NAT_FILTER_ADDRESS_DEPENDENT);
	f.other_address = true;
	probe_judge(&f, &b);
	assert_int_equal(b.filtering, NAT_FILTER_ENDPOINT_INDEPENDENT);

	f = facts(7, 7, 8, 8);
	probe_judge(&f, &b);
	assert_int_equal(b.mapping, NAT_MAP_ADDRESS_DEPENDENT);
	f = facts(7, 8, 7, 9);
	probe_judge(&f, &b);
	assert_int_equal(b.mapping, NAT_MAP_ADDRESS_PORT_DEPENDENT);

	f = facts(7, 7, 7, 7);
	f.local = f.mapped[0][0];
	probe_judge(&f, &b);
	assert_int_equal(b.mapping, NAT_MAP_NONE);

	f.answered[1][0] = false;
	probe_judge(&f, &b);
	assert_false(b.udp);
}

static void test_reach_verdict(void **state)
{
	struct reach_facts f = {.has = {true, false}};
	struct nat_claim c;

	(void)state;
	memset(&c, 0, sizeof(c));
	reach_judge(&f, &c);
	assert_int_equal(c.tcp, NAT_TCP_NONE);
	assert_true(c.no_ping);
	f.by_proxy[0] = true;
	reach_judge(&f, &c);
	assert_int_equal(c.tcp, NAT_TCP_PROXY);
	f.by_proxy[1] = true; /* a proxy that connects to any port */
	reach_judge(&f, &c);
	assert_int_equal(c.tcp, NAT_TCP_NONE);
	f.connected[0][0] = f.pinged[0] = true;
	reach_judge(&f, &c);
	assert_int_equal(c.tcp, NAT_TCP_443);
	assert_false(c.no_ping);
	f.connected[0][1] = true;
	reach_judge(&f, &c);
	assert_int_equal(c.tcp, NAT_TCP_ALL);
	f.has[1] = true; /* IPv6 is there, but nothing passes */
	f.by_proxy[0] = false;
	reach_judge(&f, &c);
	assert_int_equal(c.tcp, NAT_TCP_NONE);
	assert_true(c.no_ping);
}

static void test_relay_theory(void **state)
{
	static const struct {
		const char *a, *b;
		bool relay;
	} rows[] = {
	    /* The matrix of measured calls. */
	    {"none", "none", false},
	    {"none", "symmetric-random", false},
	    {"public-firewall", "symmetric", true},
	    {"full-cone", "symmetric", false},
	    {"address-restricted", "symmetric", false},
	    {"port-restricted", "port-restricted", false},
	    {"port-restricted-remap", "cgnat", false},
	    {"port-restricted", "symmetric", true},
	    {"port-restricted", "address-dependent", true},
	    {"symmetric", "symmetric", true},
	    {"udp-blocked", "none", true},
	    {"tcp-443-only", "http-proxy", true},
	    {"ipv6-only", "ipv6-only", false},
	    {"ipv6-only", "dual-stack", false},
	    {"ipv6-only", "none", true},
	    {"dual-stack", "dual-stack", false},
	    {"dual-stack", "symmetric", true},
	    {"dual-stack", "full-cone", false},
	    {"nat64", "none", true},
	    {"nat64", "ipv6-only", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct nat_kind *a = nat_find(rows[i].a), *b = nat_find(rows[i].b);

		assert_non_null(a);
		assert_non_null(b);
		assert_int_equal(nat_needs_relay(a, b), rows[i].relay);
		assert_int_equal(nat_needs_relay(b, a), rows[i].relay);
	}
	assert_null(nat_find("no-such-kind"));
}

/* IPv6 addresses are masked by the transaction id as well (RFC 5769 section 2.3). */
static void test_ipv6_mapped_address_is_the_rfcs(void **state)
{
	static const uint8_t tid[STUN_TID_LEN] = {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
	                                          0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};
	static const uint8_t attr[24] = {0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47,
	                                 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79,
	                                 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9};
	struct addr mapped = at("2001:db8:1234:5678:11:2233:4455:6677", 32853), got;
	uint8_t buf[STUN_PACKET_MAX], got_tid[STUN_TID_LEN];
	size_t len = stun_binding_response(buf, tid, &mapped);

	(void)state;
	assert_int_equal(len, 44);
	assert_memory_equal(buf + 20, attr, sizeof(attr));
	assert_int_equal(stun_parse_response(buf, len, got_tid, &got), 0);
	assert_true(addr_equal(&got, &mapped));
}

static void test_rulesets_fit(void **state)
{
	static char rules[NAT_RULESET_MAX];
	struct nat_place place = {.wan_ip = "203.0.113.21"};

	(void)state;
	for (size_t i = 0; i < nat_kinds_n; i++) {
		for (place.generation = 0; place.generation < 2; place.generation++) {
			assert_int_equal(nat_ruleset(&nat_kinds[i], &place, rules, sizeof(rules)),
			                 0);
			assert_null(strstr(rules, "@WAN"));
			assert_null(strstr(rules, "@EIM"));
		}
	}
	assert_int_equal(nat_ruleset(nat_find("full-cone"), &place, rules, 100), -E_ROOM);
	assert_int_equal(nat_ruleset(nat_find("symmetric"), &place, rules, 4096), -E_ROOM);
}

static void test_claim_is_told_in_words(void **state)
{
	char text[NAT_TEXT_MAX];

	(void)state;
	assert_string_equal(nat_claim_text(&nat_find("dual-stack")->claim, text, sizeof(text)),
	                    "endpoint-independent mapping, address- and port-dependent filtering; "
	                    "IPv6: no translation, address- and port-dependent filtering; TCP");
	assert_string_equal(nat_claim_text(&nat_find("tcp-443-only")->claim, text, sizeof(text)),
	                    "no UDP; TCP to port 443 only, no ping");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_request_round_trip),
	    cmocka_unit_test(test_xor_mapped_address_is_the_rfcs),
	    cmocka_unit_test(test_malformed_messages_are_refused),
	    cmocka_unit_test(test_ipv6_mapped_address_is_the_rfcs),
	    cmocka_unit_test(test_verdict),
	    cmocka_unit_test(test_reach_verdict),
	    cmocka_unit_test(test_claim_is_told_in_words),
	    cmocka_unit_test(test_relay_theory),
	    cmocka_unit_test(test_rulesets_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
