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

#include <arpa/inet.h>
#include <cmocka.h>

static struct sockaddr_in at(const char *ip, uint16_t port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, ip, &sin.sin_addr);
	return sin;
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
	struct sockaddr_in mapped = at("192.0.2.1", 32853), got;
	size_t len = stun_binding_response(buf, tid, &mapped);

	(void)state;
	assert_int_equal(len, 32);
	assert_memory_equal(buf + 20, attr, sizeof(attr));
	assert_int_equal(stun_parse_response(buf, len, tid, &got), 0);
	assert_int_equal(got.sin_port, mapped.sin_port);
	assert_int_equal(got.sin_addr.s_addr, mapped.sin_addr.s_addr);
}

static void test_malformed_messages_are_refused(void **state)
{
	uint8_t buf[STUN_PACKET_MAX], tid[STUN_TID_LEN] = {0};
	struct sockaddr_in mapped = at("192.0.2.1", 1), got;
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

static void test_relay_theory(void **state)
{
	static const struct {
		const char *a, *b;
		bool relay;
	} rows[] = {
	    /* The matrix of measured calls. */
	    {"none", "none", false},
	    {"none", "symmetric", false},
	    {"full-cone", "symmetric", false},
	    {"address-restricted", "symmetric", false},
	    {"port-restricted", "port-restricted", false},
	    {"port-restricted", "symmetric", true},
	    {"symmetric", "symmetric", true},
	    {"udp-blocked", "none", true},
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

static void test_rulesets_fit(void **state)
{
	char rules[4096];

	(void)state;
	for (size_t i = 0; i < nat_kinds_n; i++) {
		assert_int_equal(nat_ruleset(&nat_kinds[i], rules, sizeof(rules)), 0);
		assert_int_equal(strncmp(rules, "flush ruleset\n", 14), 0);
	}
	assert_int_equal(nat_ruleset(nat_find("full-cone"), rules, 100), -E_ROOM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_request_round_trip),
	    cmocka_unit_test(test_xor_mapped_address_is_the_rfcs),
	    cmocka_unit_test(test_malformed_messages_are_refused),
	    cmocka_unit_test(test_verdict),
	    cmocka_unit_test(test_relay_theory),
	    cmocka_unit_test(test_rulesets_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
