/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Authentication, and the answers to strangers: RFC 8489 section 9.2 with its bid-down protection,
 * several realms.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "turn/framing.h"
#include "turn/limiter.h"
#include "turn/nonce.h"
#include "turn/oauth.h"
#include "turn/state.h"
#include "turn/tests/world.h"

#include <stdio.h>

static const uint8_t algorithms[] = {0, 2, 0, 0, 0, 1, 0, 0};
static const uint8_t no_key[32];

/* How a client of RFC 8489 asks; the fields bend its request. */
struct ask {
	uint16_t method;
	const char *user, *password, *realm;
	bool userhash, no_list, no_choice, md5, sha1;
	const uint8_t *list;
	size_t cut; /* of the HMAC-SHA-256 */
};

static struct ask alice(uint16_t method)
{
	return (struct ask){.method = method,
	                    .user = "alice",
	                    .password = "secret",
	                    .realm = REALM,
	                    .list = algorithms,
	                    .cut = 32};
}

static size_t key_of(const struct ask *q, uint8_t key[32])
{
	if (q->md5 || (q->no_choice && q->no_list)) {
		wire_key(q->user, q->realm, q->password, key);
		return 16;
	}
	wire_key256(q->user, q->realm, q->password, key);
	return 32;
}

static void build(struct host *h, const struct ask *q, struct wire *m)
{
	uint8_t key[32], hash[32];
	size_t key_len = key_of(q, key);

	wire_start(m, q->method, ++h->w->tid);
	if (q->method == W_ALLOCATE)
		wire_add_transport(m, IPPROTO_UDP);
	wire_userhash(q->user, q->realm, hash);
	if (q->userhash)
		wire_add(m, ATTR_USERHASH, hash, sizeof(hash));
	else
		wire_add_str(m, ATTR_USERNAME, q->user);
	wire_add_str(m, ATTR_REALM, q->realm);
	wire_add_str(m, ATTR_NONCE, h->nonce);
	if (!q->no_list)
		wire_add(m, ATTR_PASSWORD_ALGORITHMS, q->list, sizeof(algorithms));
	if (!q->no_choice)
		wire_add(m, ATTR_PASSWORD_ALGORITHM, q->md5 ? algorithms + 4 : algorithms, 4);
	if (q->sha1)
		wire_add_integrity(m, key);
	else
		wire_add_integrity256(m, key, key_len, q->cut);
}

/* The error code, or 0. A success is signed with SHA-256. */
static int ask(struct host *h, const struct ask *q)
{
	struct wire m;
	uint8_t key[32];
	size_t key_len = key_of(q, key);
	int code;

	build(h, q, &m);
	assert_int_equal(host_send(h, SERVER4, m.buf, m.len), 1);
	assert_true(wire_sound(h->in.buf, h->in.len));
	code = host_reply_code(h);
	if (!code)
		assert_true(wire_integrity256_ok(h->in.buf, h->in.len, key, key_len));
	return code;
}

/* alice, who has the challenge. */
static struct world *challenged(void **state, struct host *h)
{
	struct world *w = world_begin(state);

	host_open(w, h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_login(h), 401);
	return w;
}

static void a_challenge_offers_sha256(void **state)
{
	struct host h;
	size_t n;

	challenged(state, &h);
	assert_memory_equal(h.nonce, "obMatJos2AAAB", 13);
	assert_memory_equal(wire_get(h.in.buf, h.in.len, ATTR_PASSWORD_ALGORITHMS, &n), algorithms,
	                    8);
	assert_int_equal(n, 8);
	host_close(&h);
}

/* And has no version. */
static void software_is_for_those_who_have_shown_who_they_are(void **state)
{
	struct ask q = alice(W_ALLOCATE);
	struct host h;
	size_t n;

	challenged(state, &h);
	assert_int_equal(ask(&h, &q), 0);
	assert_null(wire_get(h.in.buf, h.in.len, ATTR_MESSAGE_INTEGRITY, &n));
	assert_memory_equal(wire_get(h.in.buf, h.in.len, ATTR_SOFTWARE, &n), "Turnpike", 8);
	assert_int_equal(n, 8);
	host_close(&h);
}

static void a_session_may_change_its_algorithm(void **state)
{
	struct ask q = alice(W_ALLOCATE);
	struct host h;
	struct world *w = challenged(state, &h);
	size_t n;

	assert_int_equal(ask(&h, &q), 0);
	q.method = W_REFRESH;
	assert_int_equal(ask(&h, &q), 0);
	/* the older algorithm, and back */
	assert_int_equal(host_refresh(&h, 700), 0);
	assert_null(wire_get(h.in.buf, h.in.len, ATTR_MESSAGE_INTEGRITY_SHA256, &n));
	q.userhash = true;
	assert_int_equal(ask(&h, &q), 0);
	q.md5 = true;
	assert_int_equal(ask(&h, &q), 0);
	q.user = "bob";
	q.password = "hunter2";
	assert_int_equal(ask(&h, &q), 441);
	assert_int_equal(turn_allocations(w->turn), 1);
	host_close(&h);
}

static void userhash(void **state)
{
	struct world *w = *state;
	struct ask q = alice(W_ALLOCATE);
	struct host h;
	struct wire m;

	w->conf.username_anonymity = true;
	world_start(w);
	host_open(w, &h, "198.51.100.5:1", "bob", "hunter2");
	assert_int_equal(host_login(&h), 401);
	assert_memory_equal(h.nonce, "obMatJos2AAAD", 13);
	q.userhash = true;
	q.user = "nobody";
	assert_int_equal(ask(&h, &q), 401);
	q.user = "alice";
	q.password = "wrong";
	assert_int_equal(ask(&h, &q), 401);
	q.password = "secret";
	assert_int_equal(ask(&h, &q), 0);
	/* the user is known by both, from now on */
	q.method = W_REFRESH;
	assert_int_equal(ask(&h, &q), 0);
	q.userhash = false;
	assert_int_equal(ask(&h, &q), 0);
	assert_int_equal(host_refresh(&h, 600), 441); /* bob */
	w->alice_gone = true;
	turn_recheck_users(w->turn);
	assert_int_equal(turn_allocations(w->turn), 0);
	/* both at once, or one of another length: 400 */
	for (int i = 0; i < 2; i++) {
		wire_start(&m, W_ALLOCATE, 1);
		if (!i)
			wire_add_str(&m, ATTR_USERNAME, "alice");
		wire_add(&m, ATTR_USERHASH, "12345678901234567890123456789012", i ? 31 : 32);
		wire_add_str(&m, ATTR_REALM, REALM);
		wire_add_str(&m, ATTR_NONCE, h.nonce);
		wire_add_integrity256(&m, algorithms, 8, 32);
		assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 1);
		assert_int_equal(host_reply_code(&h), 400);
	}
	host_close(&h);
}

/* As long as a realm may be: "fewer than 128 characters (which can be as long as 763 bytes)". */
static const char *longest_realm(void)
{
	static char realm[TURN_REALM_MAX + 1];

	for (size_t i = 0; i + 1 < sizeof(realm); i++)
		realm[i] = "\xd0\xb6"[i % 2]; /* in UTF-8 */
	realm[TURN_REALM_MAX - 1] = 'x';
	return realm;
}

/* The least that a client may send (28 bytes), and less; the challenge that comes. */
static void learn(struct host *h, const char *to, size_t len)
{
	struct wire m;

	wire_start(&m, W_ALLOCATE, ++h->w->tid);
	if (len > m.len)
		wire_add_transport(&m, IPPROTO_UDP);
	assert_int_equal(m.len, len);
	assert_int_equal(host_send(h, to, m.buf, m.len), 1);
	assert_true(wire_sound(h->in.buf, h->in.len));
	assert_int_equal(host_reply_code(h), 401);
	assert_true(wire_get_str(h->in.buf, h->in.len, ATTR_NONCE, h->nonce, sizeof(h->nonce)));
}

/* The whole challenge is there, and a client that knows it all comes in with it. */
static void expect_whole(struct world *w, bool v6, size_t len)
{
	const char *realm = w->conf.realm[0];
	struct ask q = alice(W_ALLOCATE);
	struct host h;
	size_t n;

	host_open(w, &h, v6 ? "[2001:db8:1::5]:1" : "198.51.100.5:1", "alice", "secret");
	learn(&h, v6 ? SERVER6 : SERVER4, len);
	assert_true(h.in.len <= 1280 - 40 - 8);
	assert_memory_equal(h.nonce, "obMatJos2AAAD", 13);
	assert_memory_equal(wire_get(h.in.buf, h.in.len, ATTR_PASSWORD_ALGORITHMS, &n), algorithms,
	                    8);
	assert_memory_equal(wire_get(h.in.buf, h.in.len, ATTR_REALM, &n), realm, strlen(realm));
	assert_int_equal(n, strlen(realm));
	if (w->conf.oauth) {
		assert_memory_equal(
		    wire_get(h.in.buf, h.in.len, ATTR_THIRD_PARTY_AUTHORIZATION, &n),
		    "auth.example.org", 16);
		assert_int_equal(n, 16);
	}
	q.realm = realm;
	q.userhash = true;
	if (!v6) {
		assert_int_equal(ask(&h, &q), 0);
		q.method = W_REFRESH;
		q.md5 = true;
		assert_int_equal(ask(&h, &q), 0);
		q.userhash = false;
		assert_int_equal(ask(&h, &q), 0);
	}
	host_close(&h);
}

/* Over UDP, whatever the realm and however short the request: RFC 8489 section 9.2.4 and RFC 7635
 * section 4, in one datagram that no path has to fragment. */
static void challenges_are_whole(void **state)
{
	static const struct turn_oauth third = {.oauth_server = "auth.example.org"};
	const char *realms[] = {"a", "turn.example.org",
	                        "ec2-203-0-113-25.eu-central-1.example.net", longest_realm()};

	(void)state;
	for (size_t i = 0; i < 4 * 8; i++) {
		struct world w;

		world_init(&w);
		w.conf.realm[0] = realms[i / 8];
		w.conf.oauth = i & 4 ? &third : NULL;
		w.conf.username_anonymity = true;
		w.two_realms = true; /* any name */
		world_start(&w);
		expect_whole(&w, i & 1, i & 2 ? 20 : 28);
		world_stop(&w);
	}
}

/* Somebody on the way wants the two to agree on less than they could. */
static void bid_down_in(struct world *w, const char *realm)
{
	static const uint8_t other[] = {0, 1, 0, 0, 0, 1, 0, 0},
	                     swapped[] = {0, 1, 0, 0, 0, 2, 0, 0};
	struct ask q, honest = alice(W_ALLOCATE);
	struct host h;
	struct wire m;
	char good[64];

	honest.realm = realm;
	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	learn(&h, SERVER4, 28);
	strcpy(good, h.nonce);
	/* the list or the choice is taken away, or the list was another one: 400 */
	q = honest;
	q.no_list = true;
	assert_int_equal(ask(&h, &q), 400);
	q = honest;
	q.no_choice = true;
	assert_int_equal(ask(&h, &q), 400);
	q = honest;
	q.list = other;
	assert_int_equal(ask(&h, &q), 400);
	q.list = swapped;
	assert_int_equal(ask(&h, &q), 400);
	/* an algorithm that was not offered */
	wire_start(&m, W_ALLOCATE, 1);
	wire_add_login(&m, "alice", realm, good);
	wire_add(&m, ATTR_PASSWORD_ALGORITHMS, algorithms, 8);
	wire_add(&m, ATTR_PASSWORD_ALGORITHM, "\0\3\0\0", 4);
	wire_add_integrity256(&m, algorithms, 8, 32);
	assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 1);
	assert_int_equal(host_reply_code(&h), 400);
	/* the older integrity beside the newer choice, a truncated one: 401 */
	q = honest;
	q.sha1 = true;
	assert_int_equal(ask(&h, &q), 401);
	q.md5 = true;
	assert_int_equal(ask(&h, &q), 401);
	q = honest;
	for (q.cut = 16; q.cut < 32; q.cut += 4)
		assert_int_equal(ask(&h, &q), 401);
	/* both attributes stripped from a signed request: the signature is broken */
	q = honest;
	build(&h, &q, &m);
	memmove(m.buf + m.len - 36 - 20, m.buf + m.len - 36, 36);
	m.len -= 20;
	m.buf[2] = (uint8_t)((m.len - 20) >> 8);
	m.buf[3] = (uint8_t)(m.len - 20);
	assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 1);
	assert_int_equal(host_reply_code(&h), 401);
	/* the client was handed a nonce with other features, or without: it is none of ours */
	q = honest;
	q.no_list = q.no_choice = q.sha1 = true;
	for (int i = 9; i < 14; i++) {
		strcpy(h.nonce, i < 13 ? good : good + 13);
		if (i < 13)
			h.nonce[i] = 'C';
		assert_int_equal(ask(&h, &q), 438);
	}
	assert_int_equal(turn_allocations(w->turn), 0);
	/* and from us there is none to be had, however one asks */
	learn(&h, SERVER4, 20);
	assert_memory_equal(h.nonce, "obMatJos2AAAB", 13);
	strcpy(h.nonce, good);
	assert_int_equal(ask(&h, &honest), 0);
	host_close(&h);
}

static void bid_down(void **state)
{
	const char *realms[] = {"turnpike", REALM, longest_realm()};

	(void)state;
	for (size_t i = 0; i < sizeof(realms) / sizeof(*realms); i++) {
		struct world w;

		world_init(&w);
		w.conf.realm[0] = realms[i];
		w.two_realms = true; /* any name */
		world_start(&w);
		bid_down_in(&w, realms[i]);
		world_stop(&w);
	}
}

/* A client that knows nothing of it all comes in as ever. */
static void older_clients(void **state)
{
	struct world *w = world_begin(state);
	struct host h;
	size_t n;

	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_allocate(&h, NULL), 0);
	assert_non_null(wire_get(h.in.buf, h.in.len, ATTR_MESSAGE_INTEGRITY, &n));
	host_close(&h);
}

static void several_realms(void **state)
{
	struct world *w = *state;
	struct ask q = alice(W_ALLOCATE);
	struct host h, other;
	struct wire m;
	size_t n;

	w->conf.realm_n = 2;
	w->two_realms = true;
	world_start(w);
	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	host_open(w, &other, "198.51.100.5:2", "alice", "secret");
	assert_int_equal(host_allocate(&h, NULL), 0); /* in the first, which the 401 named */
	strcpy(other.nonce, h.nonce);
	/* who names the second gets the second in return */
	wire_start(&m, W_ALLOCATE, 1);
	wire_add_str(&m, ATTR_REALM, "other.example");
	assert_int_equal(host_send(&other, SERVER4, m.buf, m.len), 1);
	assert_int_equal(host_reply_code(&other), 401);
	assert_memory_equal(wire_get(other.in.buf, other.in.len, ATTR_REALM, &n), "other.example",
	                    13);
	memcpy(other.nonce, wire_get(other.in.buf, other.in.len, ATTR_NONCE, &n), 28);
	q.realm = "third.example";
	assert_int_equal(ask(&other, &q), 401);
	assert_memory_equal(wire_get(other.in.buf, other.in.len, ATTR_REALM, &n), REALM, 11);
	q.realm = "other.example";
	assert_int_equal(ask(&other, &q), 0);
	/* the user of that name in the other realm is somebody else */
	q.method = W_REFRESH;
	assert_int_equal(ask(&other, &q), 0);
	q.realm = REALM;
	assert_int_equal(ask(&other, &q), 441);
	host_close(&h);
	host_close(&other);
}

/* RFC 8489 section 11: no cookie, MAPPED-ADDRESS, the 128 bits of the ID as they came. */
static void classic_bindings(void **state)
{
	static const char *const from[] = {"198.51.100.5:258", "[2001:db8:1::5]:258"};
	static const char *const to[] = {SERVER4, SERVER6};
	struct world *w = world_begin(state);

	for (int i = 0; i < 2; i++) {
		struct host h;
		struct wire m;
		size_t n;
		const uint8_t *v;

		host_open(w, &h, from[i], "", "");
		wire_start(&m, W_BINDING, 7);
		memcpy(m.buf + 4, "nocookie", 8);
		assert_int_equal(host_send(&h, to[i], m.buf, m.len), 1);
		assert_int_equal(wire_type(h.in.buf), W_BINDING | W_SUCCESS);
		assert_memory_equal(h.in.buf + 4, m.buf + 4, 16);
		assert_null(wire_get(h.in.buf, h.in.len, ATTR_XOR_MAPPED_ADDRESS, &n));
		v = wire_get(h.in.buf, h.in.len, ATTR_MAPPED_ADDRESS, &n);
		assert_non_null(v);
		assert_int_equal(n, i ? 20 : 8);
		assert_memory_equal(v, i ? "\0\2\1\2" : "\0\1\1\2\xc6\x33\x64\x05", i ? 4 : 8);
		/* CHANGE-REQUEST is unknown to us, and named as such */
		wire_add_u32(&m, ATTR_CHANGE_REQUEST, 6);
		assert_int_equal(host_send(&h, to[i], m.buf, m.len), 1);
		assert_int_equal(host_reply_code(&h), 420);
		/* nothing else goes without the cookie */
		m.buf[1] = W_ALLOCATE;
		assert_int_equal(host_send(&h, to[i], m.buf, m.len), 0);
		m.buf[1] = 1;
		m.buf[23] = 200; /* an attribute past the end */
		assert_int_equal(host_send(&h, to[i], m.buf, m.len), 0);
		host_close(&h);
	}
}

/* Names that break logs, formats and queries, in every place that a name reaches: the lookup, the
 * log, the quota. */
static void hostile_names(void **state)
{
	static const struct {
		const char *name;
		size_t len;
	} names[] = {{"%n%s%n%s%x", 10},  {"' OR 1=1;--", 11},    {"\"; DROP", 7}, {"a\0b", 3},
	             {"\xff\xfe\x80", 3}, {"a\nlevel=error", 13}, {"\x1b[31m", 5}, {"", 0}};
	struct world *w = world_begin(state);
	struct host h;
	struct wire m;
	char longest[513];

	memset(longest, '%', sizeof(longest));
	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_login(&h), 401);
	for (size_t i = 0; i < 10; i++) {
		size_t len = i < 8 ? names[i].len : i == 8 ? 508 : 513;

		wire_start(&m, W_ALLOCATE, (uint32_t)i);
		wire_add_transport(&m, IPPROTO_UDP);
		wire_add(&m, ATTR_USERNAME, i < 8 ? names[i].name : longest, len);
		wire_add_str(&m, ATTR_REALM, REALM);
		wire_add_str(&m, ATTR_NONCE, h.nonce);
		wire_add_integrity(&m, no_key);
		assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 1);
		assert_int_equal(host_reply_code(&h), len && len < 509 ? 401 : 400);
	}
	assert_int_equal(host_allocate(&h, NULL), 0);
	host_close(&h);
}

/* Attributes lie where the sender put them, frames where the stream was cut (CVE-2026-40613): with
 * UBSan this shows that nothing is read as if it were aligned. */
static void odd_offsets(void **state)
{
	struct turn_tuple tuple = {.ip = {192, 0, 2, 7}, .port = 9, .family = AF_INET};
	struct turn_nonce said;
	struct turn_nonces *keys;
	struct turn_limiter *l;
	struct world *w = *state;
	char nonce[TURN_NONCE_MAX];
	size_t n;

	world_start(w);
	keys = turn_nonces_new(w->env, 0);
	n = turn_nonce_make(keys, &tuple, 77, 3, nonce);
	l = turn_limiter_new(w->env, 1);
	for (size_t off = 0; off < 8; off++) {
		_Alignas(8) uint8_t buf[64 + sizeof(struct addr)];
		struct addr odd;
		size_t len;

		memcpy(buf + off, nonce, n);
		assert_true(turn_nonce_open(keys, &tuple, 77, buf + off, n, &said));
		assert_int_equal(turn_nonce_features(buf + off, n), 3);
		memcpy(buf + off, "\0\1\0\4\x21\x12\xa4\x42", 8);
		assert_int_equal(turn_frame_len(buf + off, 8, &len), 0);
		assert_int_equal(len, 24);
		memcpy(buf + off, "\x40\0\0\5payload", 11);
		assert_int_equal(turn_frame_len(buf + off, 11, &len), 0);
		assert_int_equal(len, 12);
		memcpy(buf + off, "\xc6\x33\x64\x05", 4);
		addr_from_bytes(&odd, buf + off, 4, 1);
		turn_limiter_take(l, &odd, 5, 1);
	}
	turn_limiter_free(l);
	turn_nonces_free(keys);
	/* names and padding of every length move what follows to every place there is */
	for (size_t len = 0; len < 12; len++) {
		struct host h;
		struct wire m;

		host_open(w, &h, "198.51.100.5:1", "alice", "secret");
		wire_start(&m, W_ALLOCATE, (uint32_t)len);
		wire_add(&m, ATTR_SOFTWARE, "abcdefghijkl", len);
		wire_add_transport(&m, IPPROTO_UDP);
		wire_add_peer(&m, "8.8.8.8:1");
		wire_add(&m, ATTR_USERNAME, "abcdefghijkl", len);
		wire_add_str(&m, ATTR_REALM, REALM);
		wire_add(&m, ATTR_NONCE, nonce, n - len);
		wire_add_integrity(&m, no_key);
		assert_int_equal(host_send(&h, SERVER4, m.buf, m.len), 1);
		assert_int_equal(host_reply_code(&h), len ? 401 : 400);
		host_close(&h);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
	    T(a_challenge_offers_sha256),
	    T(software_is_for_those_who_have_shown_who_they_are),
	    T(a_session_may_change_its_algorithm),
	    T(userhash),
	    cmocka_unit_test(challenges_are_whole),
	    cmocka_unit_test(bid_down),
	    T(older_clients),
	    T(several_realms),
	    T(classic_bindings),
	    T(hostile_names),
	    T(odd_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
