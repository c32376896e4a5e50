/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The parts that stand alone: nonces, ports, quota, peer policy.
 */
#include "base/env_virtual.h"
#include "base/error.h"
#include "base/tests/test.h"
#include "turn/nonce.h"
#include "turn/peer_policy.h"
#include "turn/ports.h"
#include "turn/quota.h"
#include "turn/state.h"

#include <math.h>
#include <stdlib.h>

static struct turn_tuple tuple_of(uint8_t last_of_ip, uint16_t port, uint32_t side)
{
	return (struct turn_tuple){
	    .ip = {192, 0, 2, last_of_ip}, .port = port, .family = AF_INET, .side = side};
}

static bool opens(const struct turn_nonces *n, struct turn_tuple t, uint64_t now_s,
                  const char *nonce, size_t len)
{
	struct turn_nonce said;

	return turn_nonce_open(n, &t, now_s, (const uint8_t *)nonce, len, &said);
}

static void nonces(void **state)
{
	static const uint32_t features[] = {0, 1, 2, 3, 0xffffff};
	struct env *env = env_virtual_new(7);
	const struct turn_tuple a = tuple_of(1, 1000, 1);
	/* another port, another address, another connection or address of ours, another family */
	struct turn_tuple others[] = {tuple_of(1, 2000, 1), tuple_of(2, 1000, 1),
	                              tuple_of(1, 1000, 2), a};

	(void)state;
	others[3].family = AF_INET6;
	for (size_t f = 0; f < sizeof(features) / sizeof(*features); f++) {
		struct turn_nonces *n = turn_nonces_new(env, 0), *restarted;
		struct turn_nonces *elsewhere = turn_nonces_new(env, 1);
		char nonce[TURN_NONCE_MAX], again[TURN_NONCE_MAX];
		uint8_t key[32] = {9};
		struct turn_nonce said;
		size_t len;

		restarted = turn_nonces_new(env, 0);
		turn_nonces_set_key(n, key);
		turn_nonces_set_key(elsewhere, key);
		len = turn_nonce_make(n, &a, 5000, features[f], nonce);
		assert_int_equal(len, features[f] ? 28 : 15);
		assert_int_equal(turn_nonce_features((uint8_t *)nonce, len), features[f]);
		assert_true(turn_nonce_open(n, &a, 5600, (uint8_t *)nonce, len, &said));
		assert_int_equal(said.features, features[f]);
		assert_int_equal(said.age_s, 600);
		assert_int_equal(said.generation, 0);
		assert_true(turn_nonce_open(n, &a, 4999, (uint8_t *)nonce, len, &said));
		assert_int_equal(said.age_s, 0xffffff); /* of the future: too old */
		/* "MUST NOT choose the same NONCE for two requests unless they have the same source
		 * IP address and port" */
		for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
			assert_false(opens(n, others[i], 5000, nonce, len));
			turn_nonce_make(n, &others[i], 5000, features[f], again);
			assert_memory_not_equal(nonce, again, len);
		}
		assert_false(opens(elsewhere, a, 5000, nonce, len));
		assert_false(opens(restarted, a, 5000, nonce, len));
		assert_false(opens(n, a, 5000, nonce, len - 1));
		for (size_t i = 0; i < len; i++) {
			memcpy(again, nonce, len);
			again[i] = again[i] == 'A' ? 'B' : 'A';
			assert_false(opens(n, a, 5000, again, len));
			again[i] = '%';
			assert_false(opens(n, a, 5000, again, len));
		}
		key[0]++;
		turn_nonces_set_key(n, key);
		assert_true(opens(n, a, 5000, nonce, len));
		turn_nonces_set_key(n, key);
		assert_false(opens(n, a, 5000, nonce, len));
		/* the clock of 24 bits turns over */
		len = turn_nonce_make(n, &a, 0x1fffff0, features[f], nonce);
		assert_true(turn_nonce_open(n, &a, 0x2000100, (uint8_t *)nonce, len, &said));
		assert_int_equal(said.age_s, 0x110);
		turn_nonces_free(n);
		turn_nonces_free(elsewhere);
		turn_nonces_free(restarted);
	}
	env_virtual_free(env);
}

/* What was made before the last end on a 5-tuple is never taken there again, and hardly anything
 * that was made elsewhere is refused for it. */
static void generations(void **state)
{
	struct env *env = env_virtual_new(8);
	struct turn_nonces *n = turn_nonces_new(env, 0);
	struct turn_tuple a = tuple_of(1, 1000, 1);
	unsigned int refused = 0;

	(void)state;
	for (uint32_t round = 0; round < 3; round++) {
		char nonce[TURN_NONCE_MAX];
		size_t len = turn_nonce_make(n, &a, 5000, 1, nonce);
		struct turn_nonce said;

		assert_true(turn_nonce_open(n, &a, 5000, (uint8_t *)nonce, len, &said));
		assert_true(turn_nonce_is_since(said.generation, turn_nonces_since(n, &a)));
		turn_nonces_end(n, &a);
		for (uint32_t i = 0; i < 100000; i++) { /* it shares its slot with one or two */
			struct turn_tuple other = tuple_of(2, (uint16_t)i, i);

			assert_false(
			    turn_nonce_is_since(said.generation, turn_nonces_since(n, &a)));
			turn_nonces_end(n, &other);
		}
	}
	/* between the 401 and the Allocate of 1,000 clients there is one end of somebody else */
	for (uint32_t i = 0; i < 1000; i++) {
		struct turn_tuple other = tuple_of(4, (uint16_t)i, i), b = tuple_of(3, 1000, i);
		char nonce[TURN_NONCE_MAX];
		size_t len = turn_nonce_make(n, &b, 5000, 1, nonce);
		struct turn_nonce said;

		turn_nonces_end(n, &other);
		assert_true(turn_nonce_open(n, &b, 5000, (uint8_t *)nonce, len, &said));
		refused += !turn_nonce_is_since(said.generation, turn_nonces_since(n, &b));
	}
	assert_int_equal(refused, 0);
	turn_nonces_free(n);
	env_virtual_free(env);
}

static void ports_lease_all(void **state)
{
	struct env *env = env_virtual_new(3);
	struct turn_ports *p = turn_ports_new(65000, 65535);
	bool seen[65536] = {false};
	uint16_t port;

	(void)state;
	for (int i = 0; i < 536; i++) {
		assert_int_equal(turn_ports_lease(p, env, TURN_PORT_ANY, &port), 0);
		assert_true(port >= 65000 && !seen[port]);
		assert_true(turn_ports_is_leased(p, port));
		seen[port] = true;
	}
	assert_int_equal(turn_ports_lease(p, env, TURN_PORT_ANY, &port), -E_LIMIT);
	assert_int_equal(turn_ports_leased(p), 536);
	turn_ports_release(p, 65123);
	assert_int_equal(turn_ports_lease(p, env, TURN_PORT_EVEN, &port), -E_LIMIT);
	assert_int_equal(turn_ports_lease(p, env, TURN_PORT_ANY, &port), 0);
	assert_int_equal(port, 65123);
	assert_false(turn_ports_is_leased(p, 64999));
	assert_false(turn_ports_is_leased(p, 0));
	turn_ports_free(p);
	env_virtual_free(env);
}

/* Nobody can guess the next port: every part of the range is drawn equally often. */
static void ports_are_spread(void **state)
{
	struct env *env = env_virtual_new(4);
	struct turn_ports *p = turn_ports_new(49152, 65535);
	double count[64] = {0}, chi = 0;
	uint16_t port, last = 0;
	int neighbours = 0;

	(void)state;
	for (int i = 0; i < 64000; i++) {
		assert_int_equal(turn_ports_lease(p, env, TURN_PORT_ANY, &port), 0);
		count[(port - 49152) / 256]++;
		neighbours += abs(port - last) < 4;
		last = port;
		turn_ports_release(p, port);
	}
	for (int i = 0; i < 64; i++)
		chi += (count[i] - 1000) * (count[i] - 1000) / 1000;
	assert_true(chi < 63 + 6 * sqrt(2 * 63.0));
	assert_true(neighbours < 120);
	turn_ports_free(p);
	env_virtual_free(env);
}

static void ports_in_pairs(void **state)
{
	struct env *env = env_virtual_new(5);
	struct turn_ports *p = turn_ports_new(50001, 50010);
	uint8_t token[8] = "reserved", wrong[8] = "nonsense";
	struct turn_quota *q = turn_quota_new(0, 0);
	struct turn_holder holder = {.username = "a", .username_len = 1};
	struct turn_quota_user *held;
	uint16_t port, got;

	(void)state;
	/* Far more often than there are ports: none leaks. */
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(turn_ports_lease(p, env, TURN_PORT_EVEN_PAIR, &port), 0);
		assert_int_equal(turn_quota_take(q, 0, "a", 1, &holder.quota_user), 0);
		assert_int_equal(port % 2, 0);
		assert_true(port >= 50002 && port <= 50008);
		assert_int_equal(turn_ports_leased(p), 2);
		assert_int_equal(turn_ports_reserve(p, (uint16_t)(port + 1), token, 1000, &holder),
		                 0);
		assert_int_equal(turn_ports_claim(p, wrong, 1001, &got, &held), -E_NOTFOUND);
		/* nobody has bound it yet: it may be some other program's */
		assert_false(turn_ports_is_leased(p, (uint16_t)(port + 1)));
		if (i % 2) { /* claimed in time, once */
			assert_int_equal(turn_ports_claim(p, token, 1001, &got, &held), 0);
			assert_int_equal(got, port + 1);
			assert_true(turn_ports_is_leased(p, got));
			assert_int_equal(turn_ports_claim(p, token, 1001, &got, &held),
			                 -E_NOTFOUND);
			assert_ptr_equal(held, holder.quota_user);
			turn_quota_give(q, held);
			turn_ports_release(p, got);
		} else { /* or never */
			assert_int_equal(turn_ports_claim(p, token, 31000, &got, &held),
			                 -E_NOTFOUND);
			turn_ports_expire(p, 30999, q);
			assert_int_equal(turn_ports_reserved(p), 1);
			turn_ports_expire(p, 31000, q);
		}
		turn_ports_release(p, port);
		assert_int_equal(turn_ports_leased(p), 0);
		assert_int_equal(turn_quota_total(q), 0);
	}
	turn_quota_free(q);
	turn_ports_free(p);
	env_virtual_free(env);
}

/* Who was told of a port may still send to it: it rests, as long as there are others. */
static void ports_rest(void **state)
{
	struct env *env = env_virtual_new(5);
	struct turn_ports *p = turn_ports_new(50000, 50999);
	struct turn_lease lease;
	bool used[1000] = {false};
	uint16_t port, held[300];

	(void)state;
	env_virtual_run(env, 5000);
	for (int i = 0; i < 100; i++) { /* a port that was just given back is not given again */
		assert_int_equal(turn_ports_lease(p, env, TURN_PORT_ANY, &port), 0);
		assert_false(used[port - 50000]);
		used[port - 50000] = true;
		lease = turn_ports_lease_of(p, port);
		assert_true(lease.now && turn_lease_lasts(&lease));
		turn_ports_retire(p, port);
		assert_false(turn_lease_lasts(&lease));
		assert_false(turn_ports_is_leased(p, port));
		turn_ports_release(p, port);
		assert_false(turn_lease_lasts(&lease));
	}
	assert_null(turn_ports_lease_of(p, port).now);
	env_virtual_run(env, TURN_PORT_REST_MS - 10000);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(turn_ports_lease(p, env, TURN_PORT_ANY, &held[i]), 0);
		assert_false(used[held[i] - 50000]);
	}
	env_virtual_run(env, 11000);
	for (int i = 300; i < 1000; i++) /* and then it is: all can be had */
		assert_int_equal(turn_ports_lease(p, env, TURN_PORT_ANY, &port), 0);
	assert_int_equal(turn_ports_lease(p, env, TURN_PORT_ANY, &port), -E_LIMIT);
	assert_false(turn_lease_lasts(&lease));
	turn_ports_free(p);
	env_virtual_free(env);
}

static void quota_counts(void **state)
{
	struct turn_quota *q = turn_quota_new(2, 3);
	struct turn_quota_user *a1, *a2, *b, *x;

	(void)state;
	assert_int_equal(turn_quota_take(q, 0, "a", 1, &a1), 0);
	assert_int_equal(turn_quota_take(q, 0, "a", 1, &a2), 0);
	assert_int_equal(turn_quota_take(q, 0, "a", 1, &x), -E_LIMIT);
	assert_int_equal(turn_quota_take(q, 0, "a\0b", 3, &b), 0); /* another name */
	assert_int_equal(turn_quota_take(q, 0, "c", 1, &x), -E_LIMIT);
	assert_int_equal(turn_quota_total(q), 3);
	turn_quota_give(q, a1);
	turn_quota_give(q, b);
	turn_quota_give(q, NULL);
	assert_int_equal(turn_quota_users(q), 1);
	assert_int_equal(turn_quota_take(q, 0, "", 0, &b), 0);
	/* realms: their own limit, and their own users */
	turn_quota_set_limits(q, 2, 1, 3);
	assert_int_equal(turn_quota_take(q, 0, "d", 1, &x), -E_LIMIT);
	assert_int_equal(turn_quota_take(q, 15, "", 0, &x), 0);
	assert_ptr_not_equal(b, x);
	assert_int_equal(turn_quota_users(q), 3);
	assert_int_equal(turn_quota_take(q, 15, "d", 1, &a1), -E_LIMIT);
	turn_quota_give(q, x);
	assert_int_equal(turn_quota_take(q, 15, "d", 1, &x), 0);
	turn_quota_give(q, x);
	turn_quota_give(q, b);
	turn_quota_give(q, a2);
	assert_int_equal(turn_quota_total(q), 0);
	assert_int_equal(turn_quota_users(q), 0);
	turn_quota_free(q);
}

static struct addr peer(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text), 0);
	return a;
}

static bool permits(struct peer_policy *p, const char *text)
{
	struct addr a = peer(text);

	return peer_policy_permits(p, &a);
}

static void policy_denies_by_default(void **state)
{
	static const char *const denied[] = {"0.0.0.0:9",
	                                     "0.1.2.3:9",
	                                     "10.0.0.1:9",
	                                     "100.64.0.1:9",
	                                     "100.127.255.255:9",
	                                     "127.0.0.1:9",
	                                     "127.255.0.1:9",
	                                     "169.254.169.254:80",
	                                     "172.16.0.1:9",
	                                     "172.31.255.255:9",
	                                     "192.0.0.8:9",
	                                     "192.0.2.1:9",
	                                     "192.88.99.1:9",
	                                     "192.168.1.1:9",
	                                     "198.18.0.1:9",
	                                     "198.19.255.255:9",
	                                     "198.51.100.1:9",
	                                     "203.0.113.1:9",
	                                     "224.0.0.1:9",
	                                     "239.255.255.255:9",
	                                     "240.0.0.1:9",
	                                     "255.255.255.255:9",
	                                     "[::]:9",
	                                     "[::1]:9",
	                                     "[::8.8.8.8]:9",
	                                     "[::ffff:8.8.8.8]:9",
	                                     "[::ffff:10.0.0.1]:9",
	                                     "[::ffff:0:127.0.0.1]:9",
	                                     "[64:ff9b::10.0.0.1]:9",
	                                     "[64:ff9b::8.8.8.8]:9",
	                                     "[64:ff9b:1::1]:9",
	                                     "[100::1]:9",
	                                     "[2001::1]:9",
	                                     "[2001:2::1]:9",
	                                     "[2001:10::1]:9",
	                                     "[2001:db8::1]:9",
	                                     "[2002:7f00:1::]:9",
	                                     "[2002:808:808::]:9",
	                                     "[3fff::1]:9",
	                                     "[5f00::1]:9",
	                                     "[fc00::1]:9",
	                                     "[fdff::1]:9",
	                                     "[fe80::1]:9",
	                                     "[febf::1]:9",
	                                     "[fec0::1]:9",
	                                     "[ff02::1]:9",
	                                     "8.8.8.8:0"};
	static const char *const permitted[] = {
	    "8.8.8.8:9",         "1.1.1.1:65535",    "100.63.255.255:9", "100.128.0.0:9",
	    "126.255.255.255:9", "128.0.0.1:9",      "172.15.255.255:9", "172.32.0.0:9",
	    "192.0.3.1:9",       "198.17.255.255:9", "198.20.0.0:9",     "223.255.255.255:9",
	    "[2600::1]:9",       "[2001:200::1]:9",  "[2a00::1]:9",      "[2003::1]:9"};
	struct peer_policy *p = peer_policy_new();

	(void)state;
	for (size_t i = 0; i < sizeof(denied) / sizeof(*denied); i++)
		if (permits(p, denied[i]))
			fail_msg("permitted %s", denied[i]);
	for (size_t i = 0; i < sizeof(permitted) / sizeof(*permitted); i++)
		if (!permits(p, permitted[i]))
			fail_msg("denied %s", permitted[i]);
	peer_policy_free(p);
}

static void add(struct peer_policy *p, int (*fn)(struct peer_policy *, const struct prefix *),
                const char *text)
{
	struct prefix r;

	assert_int_equal(prefix_parse(&r, text), 0);
	assert_int_equal(fn(p, &r), 0);
}

static void policy_follows_the_operator(void **state)
{
	struct peer_policy *p = peer_policy_new();
	struct addr own = peer("9.9.9.9:3478"), inside = peer("10.0.0.1:3478");

	(void)state;
	add(p, peer_policy_allow, "10.0.0.0/8");
	add(p, peer_policy_deny, "10.1.0.0/16");
	add(p, peer_policy_deny, "8.8.8.0/25");
	add(p, peer_policy_allow, "64:ff9b::/96");
	add(p, peer_policy_allow, "::1/128");
	assert_int_equal(peer_policy_add_own_port(p, &own), 0);
	assert_int_equal(peer_policy_add_own_port(p, &inside), 0);
	assert_int_equal(peer_policy_add_own_ip(p, &own), 0);
	assert_true(permits(p, "10.0.0.1:9"));
	assert_false(permits(p, "10.1.2.3:9"));
	assert_false(permits(p, "8.8.8.127:9"));
	assert_true(permits(p, "8.8.8.128:9"));
	/* What is inside an IPv6 address is held to the rules of IPv4. */
	assert_true(permits(p, "[64:ff9b::1.1.1.1]:9"));
	assert_true(permits(p, "[64:ff9b::10.0.0.1]:9"));
	assert_false(permits(p, "[64:ff9b::10.1.0.1]:9"));
	assert_false(permits(p, "[64:ff9b::127.0.0.1]:9"));
	assert_true(permits(p, "[::1]:9"));
	/* Ourselves: neither by our public address nor, whatever is allowed, on our ports. */
	assert_false(permits(p, "9.9.9.9:22"));
	assert_false(permits(p, "9.9.9.9:3478"));
	assert_false(permits(p, "10.0.0.1:3478"));
	add(p, peer_policy_allow, "9.9.9.9");
	assert_true(permits(p, "9.9.9.9:22"));
	assert_false(permits(p, "9.9.9.9:3478"));
	peer_policy_free(p);
	peer_policy_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nonces),
	    cmocka_unit_test(generations),
	    cmocka_unit_test(ports_lease_all),
	    cmocka_unit_test(ports_are_spread),
	    cmocka_unit_test(ports_in_pairs),
	    cmocka_unit_test(ports_rest),
	    cmocka_unit_test(quota_counts),
	    cmocka_unit_test(policy_denies_by_default),
	    cmocka_unit_test(policy_follows_the_operator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
