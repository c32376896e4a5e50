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

/* Nonces with a key, and one of them for a 5-tuple at 5000 s. */
struct nonce_scene {
	struct env *env;
	struct turn_nonces *n;
	struct turn_tuple a;
	uint32_t features;
	uint8_t key[32];
	char nonce[TURN_NONCE_MAX];
	size_t len;
};

static int nonce_setup(void **state)
{
	struct nonce_scene *s = calloc(1, sizeof(*s));

	s->features = *(const uint32_t *)*state;
	s->env = env_virtual_new(7);
	s->a = tuple_of(1, 1000, 1);
	s->key[0] = 9;
	s->n = turn_nonces_new(s->env, 0);
	turn_nonces_set_key(s->n, s->key);
	s->len = turn_nonce_make(s->n, &s->a, 5000, s->features, s->nonce);
	*state = s;
	return 0;
}

static int nonce_teardown(void **state)
{
	struct nonce_scene *s = *state;

	turn_nonces_free(s->n);
	env_virtual_free(s->env);
	free(s);
	return 0;
}

static void a_nonce_tells_its_features_and_its_age(void **state)
{
	struct nonce_scene *s = *state;
	struct turn_nonce said;

	assert_int_equal(s->len, s->features ? 28 : 15);
	assert_int_equal(turn_nonce_features((uint8_t *)s->nonce, s->len), s->features);
	assert_true(turn_nonce_open(s->n, &s->a, 5600, (uint8_t *)s->nonce, s->len, &said));
	assert_int_equal(said.features, s->features);
	assert_int_equal(said.age_s, 600);
	assert_int_equal(said.generation, 0);
	assert_true(turn_nonce_open(s->n, &s->a, 4999, (uint8_t *)s->nonce, s->len, &said));
	assert_int_equal(said.age_s, 0xffffff); /* of the future: too old */
	/* the clock of 24 bits turns over */
	s->len = turn_nonce_make(s->n, &s->a, 0x1fffff0, s->features, s->nonce);
	assert_true(turn_nonce_open(s->n, &s->a, 0x2000100, (uint8_t *)s->nonce, s->len, &said));
	assert_int_equal(said.age_s, 0x110);
}

/* "MUST NOT choose the same NONCE for two requests unless they have the same source IP address and
 * port" */
static void a_nonce_is_for_one_5_tuple(void **state)
{
	struct nonce_scene *s = *state;
	char again[TURN_NONCE_MAX];
	/* another port, another address, another connection or address of ours, another
	 * family */
	struct turn_tuple others[] = {tuple_of(1, 2000, 1), tuple_of(2, 1000, 1),
	                              tuple_of(1, 1000, 2), s->a};

	others[3].family = AF_INET6;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		assert_false(opens(s->n, others[i], 5000, s->nonce, s->len));
		turn_nonce_make(s->n, &others[i], 5000, s->features, again);
		assert_memory_not_equal(s->nonce, again, s->len);
	}
}

static void every_letter_of_a_nonce_is_protected(void **state)
{
	struct nonce_scene *s = *state;
	char again[TURN_NONCE_MAX];

	assert_true(opens(s->n, s->a, 5000, s->nonce, s->len));
	assert_false(opens(s->n, s->a, 5000, s->nonce, s->len - 1));
	for (size_t i = 0; i < s->len; i++) {
		memcpy(again, s->nonce, s->len);
		again[i] = again[i] == 'A' ? 'B' : 'A';
		assert_false(opens(s->n, s->a, 5000, again, s->len));
		again[i] = '%';
		assert_false(opens(s->n, s->a, 5000, again, s->len));
	}
}

/* And with the one before: those who have it may use it until the next change. */
static void a_nonce_opens_with_its_key_on_its_worker(void **state)
{
	struct nonce_scene *s = *state;
	struct turn_nonces *elsewhere = turn_nonces_new(s->env, 1);
	struct turn_nonces *restarted = turn_nonces_new(s->env, 0);

	turn_nonces_set_key(elsewhere, s->key);
	assert_false(opens(elsewhere, s->a, 5000, s->nonce, s->len));
	assert_false(opens(restarted, s->a, 5000, s->nonce, s->len));
	s->key[0]++;
	turn_nonces_set_key(s->n, s->key);
	assert_true(opens(s->n, s->a, 5000, s->nonce, s->len));
	turn_nonces_set_key(s->n, s->key);
	assert_false(opens(s->n, s->a, 5000, s->nonce, s->len));
	turn_nonces_free(elsewhere);
	turn_nonces_free(restarted);
}

/* A nonce made before the last end on a 5-tuple is never accepted there again, and hardly any nonce
 * made elsewhere is refused because of it. */
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

/* A pool of five pairs, of which two are whole and one port is left at either end. */
struct pair_scene {
	struct env *env;
	struct turn_ports *p;
	struct turn_quota *q;
	struct turn_holder holder;
	uint8_t token[8];
	uint16_t port;
};

static int pairs_setup(void **state)
{
	struct pair_scene *s = calloc(1, sizeof(*s));

	*s = (struct pair_scene){.env = env_virtual_new(5),
	                         .p = turn_ports_new(50001, 50010),
	                         .q = turn_quota_new(0, 0),
	                         .holder = {.username = "a", .username_len = 1},
	                         .token = "reserved"};
	*state = s;
	return 0;
}

/* Leases a pair, and reserves the upper port until 31000 ms. */
static void reserve(struct pair_scene *s)
{
	assert_int_equal(turn_ports_lease(s->p, s->env, TURN_PORT_EVEN_PAIR, &s->port), 0);
	assert_int_equal(turn_quota_take(s->q, 0, "a", 1, &s->holder.quota_user), 0);
	assert_int_equal(
	    turn_ports_reserve(s->p, (uint16_t)(s->port + 1), s->token, 1000, &s->holder), 0);
}

static void release(struct pair_scene *s)
{
	turn_ports_release(s->p, s->port);
	assert_int_equal(turn_ports_leased(s->p), 0);
	assert_int_equal(turn_quota_total(s->q), 0);
}

static int pairs_teardown(void **state)
{
	struct pair_scene *s = *state;

	turn_quota_free(s->q);
	turn_ports_free(s->p);
	env_virtual_free(s->env);
	free(s);
	return 0;
}

/* Far more often than there are ports, here and in the next two: none leaks. */
static void a_pair_begins_with_an_even_port(void **state)
{
	struct pair_scene *s = *state;

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(turn_ports_lease(s->p, s->env, TURN_PORT_EVEN_PAIR, &s->port), 0);
		assert_int_equal(s->port % 2, 0);
		assert_true(s->port >= 50002 && s->port <= 50008);
		assert_int_equal(turn_ports_leased(s->p), 2);
		turn_ports_release(s->p, (uint16_t)(s->port + 1));
		release(s);
	}
}

static void a_reservation_is_claimed_once_and_in_time(void **state)
{
	uint8_t wrong[8] = "nonsense";
	struct turn_quota_user *held;
	struct pair_scene *s = *state;
	uint16_t got;

	for (int i = 0; i < 1000; i++) {
		reserve(s);
		assert_int_equal(turn_ports_claim(s->p, wrong, 1001, &got, &held), -E_NOTFOUND);
		/* nobody has bound it yet: it may be some other program's */
		assert_false(turn_ports_is_leased(s->p, (uint16_t)(s->port + 1)));
		assert_int_equal(turn_ports_claim(s->p, s->token, 1001, &got, &held), 0);
		assert_int_equal(got, s->port + 1);
		assert_true(turn_ports_is_leased(s->p, got));
		assert_int_equal(turn_ports_claim(s->p, s->token, 1001, &got, &held), -E_NOTFOUND);
		assert_ptr_equal(held, s->holder.quota_user);
		turn_quota_give(s->q, held);
		turn_ports_release(s->p, got);
		release(s);
	}
}

static void a_reservation_ends_after_30_seconds(void **state)
{
	struct turn_quota_user *held;
	struct pair_scene *s = *state;
	uint16_t got;

	for (int i = 0; i < 1000; i++) {
		reserve(s);
		assert_int_equal(turn_ports_claim(s->p, s->token, 31000, &got, &held), -E_NOTFOUND);
		turn_ports_expire(s->p, 30999, s->q);
		assert_int_equal(turn_ports_reserved(s->p), 1);
		turn_ports_expire(s->p, 31000, s->q);
		release(s);
	}
}

/* A peer that was told of a port may still send to it: it rests, as long as there are others. */
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

static void a_quota_is_for_each_user_and_for_all(void **state)
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
	turn_quota_give(q, a2);
	assert_int_equal(turn_quota_total(q), 0);
	assert_int_equal(turn_quota_users(q), 0);
	turn_quota_free(q);
}

static void a_realm_has_a_quota_and_users_of_its_own(void **state)
{
	struct turn_quota *q = turn_quota_new(2, 3);
	struct turn_quota_user *a, *b, *x;

	(void)state;
	assert_int_equal(turn_quota_take(q, 0, "a", 1, &a), 0);
	assert_int_equal(turn_quota_take(q, 0, "", 0, &b), 0);
	turn_quota_set_limits(q, 2, 1, 3);
	assert_int_equal(turn_quota_take(q, 0, "d", 1, &x), -E_LIMIT);
	assert_int_equal(turn_quota_take(q, 15, "", 0, &x), 0);
	assert_ptr_not_equal(b, x);
	assert_int_equal(turn_quota_users(q), 3);
	assert_int_equal(turn_quota_take(q, 15, "d", 1, &b), -E_LIMIT);
	turn_quota_give(q, x);
	assert_int_equal(turn_quota_take(q, 15, "d", 1, &x), 0);
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

/* A policy with ranges of the operator's. */
static struct peer_policy *policy_of_an_operator(void)
{
	struct peer_policy *p = peer_policy_new();

	add(p, peer_policy_allow, "10.0.0.0/8");
	add(p, peer_policy_deny, "10.1.0.0/16");
	add(p, peer_policy_deny, "8.8.8.0/25");
	add(p, peer_policy_allow, "64:ff9b::/96");
	add(p, peer_policy_allow, "::1/128");
	return p;
}

static void policy_follows_the_operator(void **state)
{
	struct peer_policy *p = policy_of_an_operator();

	(void)state;
	assert_true(permits(p, "10.0.0.1:9"));
	assert_false(permits(p, "10.1.2.3:9"));
	assert_false(permits(p, "8.8.8.127:9"));
	assert_true(permits(p, "8.8.8.128:9"));
	assert_true(permits(p, "[::1]:9"));
	peer_policy_free(p);
	peer_policy_free(NULL);
}

static void what_is_inside_an_ipv6_address_is_held_to_the_rules_of_ipv4(void **state)
{
	struct peer_policy *p = policy_of_an_operator();

	(void)state;
	assert_true(permits(p, "[64:ff9b::1.1.1.1]:9"));
	assert_true(permits(p, "[64:ff9b::10.0.0.1]:9"));
	assert_false(permits(p, "[64:ff9b::10.1.0.1]:9"));
	assert_false(permits(p, "[64:ff9b::127.0.0.1]:9"));
	peer_policy_free(p);
}

/* Neither by our public address nor, whatever is allowed, on our ports. */
static void we_are_no_peer_of_ourselves(void **state)
{
	struct peer_policy *p = policy_of_an_operator();
	struct addr own = peer("9.9.9.9:3478"), inside = peer("10.0.0.1:3478");

	(void)state;
	assert_int_equal(peer_policy_add_own_port(p, &own), 0);
	assert_int_equal(peer_policy_add_own_port(p, &inside), 0);
	assert_int_equal(peer_policy_add_own_ip(p, &own), 0);
	assert_true(permits(p, "10.0.0.1:9"));
	assert_false(permits(p, "9.9.9.9:22"));
	assert_false(permits(p, "9.9.9.9:3478"));
	assert_false(permits(p, "10.0.0.1:3478"));
	add(p, peer_policy_allow, "9.9.9.9");
	assert_true(permits(p, "9.9.9.9:22"));
	assert_false(permits(p, "9.9.9.9:3478"));
	peer_policy_free(p);
}

#define PAIRS(f) cmocka_unit_test_setup_teardown(f, pairs_setup, pairs_teardown)

#define NONCE_OF(f, i)                                                                             \
	cmocka_unit_test_prestate_setup_teardown(f, nonce_setup, nonce_teardown, &features[i])
/* Each with these sets of features. */
#define NONCE(f) NONCE_OF(f, 0), NONCE_OF(f, 1), NONCE_OF(f, 2), NONCE_OF(f, 3), NONCE_OF(f, 4)

int main(void)
{
	static uint32_t features[] = {0, 1, 2, 3, 0xffffff};
	const struct CMUnitTest tests[] = {
	    NONCE(a_nonce_tells_its_features_and_its_age),
	    NONCE(a_nonce_is_for_one_5_tuple),
	    NONCE(every_letter_of_a_nonce_is_protected),
	    NONCE(a_nonce_opens_with_its_key_on_its_worker),
	    cmocka_unit_test(generations),
	    cmocka_unit_test(ports_lease_all),
	    cmocka_unit_test(ports_are_spread),
	    PAIRS(a_pair_begins_with_an_even_port),
	    PAIRS(a_reservation_is_claimed_once_and_in_time),
	    PAIRS(a_reservation_ends_after_30_seconds),
	    cmocka_unit_test(ports_rest),
	    cmocka_unit_test(a_quota_is_for_each_user_and_for_all),
	    cmocka_unit_test(a_realm_has_a_quota_and_users_of_its_own),
	    cmocka_unit_test(policy_denies_by_default),
	    cmocka_unit_test(policy_follows_the_operator),
	    cmocka_unit_test(what_is_inside_an_ipv6_address_is_held_to_the_rules_of_ipv4),
	    cmocka_unit_test(we_are_no_peer_of_ourselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
