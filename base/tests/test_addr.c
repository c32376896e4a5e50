/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses and prefixes, also those that do not fall on byte borders.
 */
#include "base/addr.h"
#include "base/error.h"
#include "base/tests/test.h"

#include <stdio.h>
#include <stdlib.h>

static void parses_and_formats(void **state)
{
	static const char *const same[] = {"192.0.2.1:3478", "[2001:db8::1]:5349", "0.0.0.0:0",
	                                   "[::]:65535"};
	static const char *const bad[] = {
	    "",          "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "1.2.3:80",    "::1:3478",
	    "[::1:3478", "a:1",       "1.2.3.4:x",  "1.2.3.4:-1",      "1.2.3.4:1 2", "[1.2.3.4"};
	char text[ADDR_STRLEN];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		assert_int_equal(addr_parse(&a, same[i]), 0);
		assert_string_equal(addr_format(&a, text), same[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(addr_parse(&a, bad[i]), -E_PARSE);
	assert_int_equal(addr_parse(&a, ":3478"), 0);
	assert_true(addr_is_any(&a));
	assert_int_equal(addr_port(&a), 3478);
}

static void compares(void **state)
{
	struct addr a, b;

	(void)state;
	assert_int_equal(addr_parse(&a, "192.0.2.1:1"), 0);
	assert_int_equal(addr_parse(&b, "192.0.2.1:2"), 0);
	assert_true(addr_equal_ip(&a, &b));
	assert_false(addr_equal(&a, &b));
	assert_int_equal(addr_parse(&b, "[::ffff:192.0.2.1]:1"), 0);
	assert_false(addr_equal_ip(&a, &b));
}

/* The oracle works on bits one by one, in the manner of a big integer. */
static int oracle(const uint8_t *net, unsigned int bits, const uint8_t *ip)
{
	for (unsigned int i = 0; i < bits; i++)
		if ((net[i / 8] >> (7 - i % 8) & 1) != (ip[i / 8] >> (7 - i % 8) & 1))
			return 0;
	return 1;
}

static void prefixes_agree_with_oracle(void **state)
{
	(void)state;
	srand(4787);
	for (int i = 0; i < 200000; i++) {
		int v6 = i & 1;
		unsigned int max = v6 ? 128 : 32, bits = (unsigned int)rand() % (max + 1);
		uint8_t net[16], ip[16];
		char text[ADDR_STRLEN], full[ADDR_STRLEN + 8];
		struct addr a;
		struct prefix p;

		for (int k = 0; k < 16; k++)
			net[k] = ip[k] = (uint8_t)rand();
		if (rand() % 4)
			ip[(unsigned int)rand() % (max / 8)] ^= (uint8_t)(1 << rand() % 8);
		addr_from_bytes(&a, net, max / 8, 0);
		snprintf(full, sizeof(full), "%s/%u", addr_format_ip(&a, text), bits);
		assert_int_equal(prefix_parse(&p, full), 0);
		assert_int_equal(prefix_has_ip(&p, ip, max / 8), oracle(net, bits, ip));
	}
}

static void prefixes_refuse_nonsense(void **state)
{
	static const char *const bad[] = {"",         "/8",  "10.0.0.0/33",  "10.0.0.0/",  "::/129",
	                                  "10.0.0/8", "x/1", "10.0.0.0/8/8", "10.0.0.0/-1"};
	struct prefix p;
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(prefix_parse(&p, bad[i]), -E_PARSE);
	assert_int_equal(prefix_parse(&p, "10.9.8.7/8"), 0);
	assert_int_equal(addr_parse_ip(&a, "10.255.0.1", 0), 0);
	assert_true(prefix_has(&p, &a));
	assert_int_equal(addr_parse_ip(&a, "::a00:1", 0), 0);
	assert_false(prefix_has(&p, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_and_formats),
	    cmocka_unit_test(compares),
	    cmocka_unit_test(prefixes_agree_with_oracle),
	    cmocka_unit_test(prefixes_refuse_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
