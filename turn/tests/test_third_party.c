/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Access tokens (RFC 7635), redirection and drain (RFC 8489 section 10), quota of a realm.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "turn/mobility.h"
#include "turn/oauth.h"
#include "turn/tests/world.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define NAME "turn.example.org"

struct token {
	const char *name, *mac_key;
	uint8_t key[32];
	size_t key_len, nonce_len;
	uint64_t made_s;
	uint32_t lifetime_s;
	uint8_t out[600];
	size_t len;
};

static void put_be(uint8_t *p, uint64_t v, size_t n)
{
	while (n--) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

/* As an authorization server does (section 6.2). */
static void seal(struct token *t)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	size_t mac_len = strlen(t->mac_key), plain_len = 2 + mac_len + 8 + 4;
	uint8_t plain[200], *at;
	int n;

	put_be(plain, mac_len, 2);
	memcpy(plain + 2, t->mac_key, mac_len);
	put_be(plain + 2 + mac_len, t->made_s << 16, 8);
	put_be(plain + 2 + mac_len + 8, t->lifetime_s, 4);
	put_be(t->out, t->nonce_len, 2);
	memset(t->out + 2, 0x5a, t->nonce_len);
	at = t->out + 2 + t->nonce_len;
	EVP_EncryptInit_ex(c, t->key_len == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm(), NULL, NULL,
	                   NULL);
	EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, (int)t->nonce_len, NULL);
	EVP_EncryptInit_ex(c, NULL, NULL, t->key, t->out + 2);
	EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)t->name, (int)strlen(t->name));
	EVP_EncryptUpdate(c, at, &n, plain, (int)plain_len);
	EVP_EncryptFinal_ex(c, at + n, &n);
	EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, at + plain_len);
	t->len = 2 + t->nonce_len + plain_len + 16;
	EVP_CIPHER_CTX_free(c);
}

static struct token token_for(const struct turn_oauth *o, int i)
{
	struct token t = {.name = NAME,
	                  .mac_key = "the twenty bytes key",
	                  .key_len = o->key[i].key_len,
	                  .nonce_len = 12,
	                  .made_s = 1700000000,
	                  .lifetime_s = 1000};

	memcpy(t.key, o->key[i].key, 32);
	return t;
}

static const struct turn_oauth oauth = {
    .oauth_server = NAME,
    .key = {{"first", "0123456789abcdef0123456789abcdef", 32}, {"second", "fedcba9876543210", 16}},
    .key_n = 2};

static int open_at(const struct token *t, const char *kid, int64_t now_s)
{
	struct turn_oauth_grant g;

	return turn_oauth_open(&oauth, kid, strlen(kid), t->out, t->len, now_s, &g);
}

static void a_token_opens_with_its_key(void **state)
{
	struct turn_oauth_grant g;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct token t = token_for(&oauth, i);

		seal(&t);
		assert_int_equal(turn_oauth_open(&oauth, oauth.key[i].kid, strlen(oauth.key[i].kid),
		                                 t.out, t.len, 1700000001, &g),
		                 0);
		assert_int_equal(g.key.len, 20);
		assert_memory_equal(g.key.bytes, "the twenty bytes key", 20);
		assert_int_equal(g.expires_at_s, 1700001005);
		assert_int_equal(open_at(&t, oauth.key[!i].kid, 1700000001), -E_DENIED);
		assert_int_equal(open_at(&t, "third", 1700000001), -E_NOTFOUND);
		assert_int_equal(open_at(&t, "firs", 1700000001), -E_NOTFOUND);
	}
}

/* "lifetime + Delta > abs(RDnew - TS)" */
static void a_token_opens_in_its_time(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct token t = token_for(&oauth, i);

		seal(&t);
		assert_int_equal(open_at(&t, oauth.key[i].kid, 1700001004), 0);
		assert_int_equal(open_at(&t, oauth.key[i].kid, 1700001005), -E_STALE);
		assert_int_equal(open_at(&t, oauth.key[i].kid, 1699998996), 0);
		assert_int_equal(open_at(&t, oauth.key[i].kid, 1699998995), -E_STALE);
	}
}

/* Nonce, block and tag. */
static void every_bit_of_a_token_is_protected(void **state)
{
	struct turn_oauth_grant g;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct token t = token_for(&oauth, i);

		seal(&t);
		for (size_t k = 0; k < t.len; k++) {
			t.out[k] ^= 1;
			assert_int_not_equal(open_at(&t, oauth.key[i].kid, 1700000001), 0);
			t.out[k] ^= 1;
		}
		for (size_t cut = 0; cut < t.len; cut++) {
			assert_int_not_equal(
			    turn_oauth_open(&oauth, "first", 5, t.out, cut, 1700000001, &g), 0);
		}
	}
}

static void a_token_is_for_its_server(void **state)
{
	struct token t = token_for(&oauth, 0);

	(void)state;
	t.name = "another.example.org";
	seal(&t);
	assert_int_equal(open_at(&t, "first", 1700000001), -E_DENIED);
}

static void keys_and_nonces_of_a_token_have_a_length(void **state)
{
	static const struct {
		size_t nonce_len;
		const char *mac_key;
		int err;
	} t[] = {
	    {16, "the twenty bytes key", 0},
	    {8, "the twenty bytes key", -E_PARSE},
	    {12, "", -E_PARSE},
	    {12, "12345678901234567890123456789012345678901234567890123456789012345", -E_PARSE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct token token = token_for(&oauth, 0);

		token.nonce_len = t[i].nonce_len;
		token.mac_key = t[i].mac_key;
		seal(&token);
		assert_int_equal(open_at(&token, "first", 1700000001), t[i].err);
	}
}

/* With a token if there is one, signed with its key, by SHA-1 or SHA-256; with a MOBILITY-TICKET
 * if there is one. */
static int ask_with(struct host *h, uint16_t method, const char *kid, const struct token *t,
                    const char *mac_key, bool sha256, const char *ticket)
{
	struct wire m;
	uint8_t key[32] = {0};

	wire_start(&m, method, ++h->w->tid);
	if (method == W_ALLOCATE)
		wire_add_transport(&m, IPPROTO_UDP);
	if (method == W_CREATE_PERMISSION)
		wire_add_peer(&m, "8.8.8.8:1");
	if (ticket)
		wire_add_str(&m, ATTR_MOBILITY_TICKET, ticket);
	wire_add_login(&m, kid, REALM, h->nonce);
	if (t)
		wire_add(&m, ATTR_ACCESS_TOKEN, t->out, t->len);
	memcpy(key, mac_key, strlen(mac_key) < 32 ? strlen(mac_key) : 32);
	if (sha256)
		wire_add_integrity256(&m, key, strlen(mac_key), 32);
	else
		wire_add_integrity(&m, key);
	if (!host_send(h, h->server ? h->server : SERVER4, m.buf, m.len))
		return -1;
	if (!host_reply_code(h) && sha256)
		assert_true(wire_integrity256_ok(h->in.buf, h->in.len, key, strlen(mac_key)));
	else if (!host_reply_code(h))
		assert_true(wire_integrity_ok(h->in.buf, h->in.len, key));
	return host_reply_code(h);
}

static int ask(struct host *h, uint16_t method, const char *kid, const struct token *t,
               const char *mac_key, bool sha256)
{
	return ask_with(h, method, kid, t, mac_key, sha256, NULL);
}

static int keep_fetch(void *ctx, unsigned int worker, const struct turn_fetch *f)
{
	assert_int_equal(worker, 0);
	*(struct turn_fetch *)ctx = *f;
	return 0;
}

/* A token opens the door, but not other users' allocations: a client that sees another's ticket and
 * has its own token takes nothing over, from this worker or another. */
static void third_party_moves_its_own(void **state)
{
	static const struct turn_mobility_ops ops = {.fetch = keep_fetch};
	struct world *w = *state;
	struct host a, b;
	struct token own, other;
	struct turn_fetch f;
	struct turn_alloc *given = NULL;
	char ticket[33] = "";
	const uint8_t *v;
	size_t n;

	w->conf.oauth = &oauth;
	w->conf.mobility = true;
	world_start(w);
	world_start_second(w);
	turn_set_mobility(w->second, &ops, &f);
	host_open(w, &a, "198.51.100.5:1", "alice", "secret");
	host_open(w, &b, "198.51.100.77:2", "alice", "secret");
	assert_int_equal(host_login(&a), 401);
	assert_int_equal(host_login(&b), 401);
	own = token_for(&oauth, 0);
	own.made_s = (uint64_t)env_wall_s(w->env);
	other = own;
	own.mac_key = "sixteen byte key";
	other.mac_key = "another 16 bytes";
	seal(&own);
	seal(&other);
	assert_int_equal(ask_with(&a, W_ALLOCATE, "first", &own, own.mac_key, true, ""), 0);
	v = wire_get(a.in.buf, a.in.len, ATTR_MOBILITY_TICKET, &n);
	assert_int_equal(n, 32);
	memcpy(ticket, v, n);
	assert_int_equal(ask_with(&b, W_REFRESH, "first", &other, other.mac_key, true, ticket),
	                 441);
	b.server = SECOND4;
	assert_int_equal(host_login(&b), 401);
	assert_int_equal(ask_with(&b, W_REFRESH, "first", &other, other.mac_key, true, ticket), -1);
	assert_int_equal(turn_give(w->turn, &f, &given), 441);
	turn_take(w->second, f.ticket, NULL, 441);
	/* it still belongs to its owner, who may take it along */
	assert_int_equal(ask(&a, W_CREATE_PERMISSION, "first", NULL, own.mac_key, true), 0);
	assert_int_equal(ask_with(&b, W_REFRESH, "first", &own, own.mac_key, true, ticket), -1);
	assert_int_equal(turn_give(w->turn, &f, &given), 0);
	turn_take(w->second, f.ticket, given, 0);
	world_run(w, 0);
	assert_int_equal(host_reply_code(&b), 0);
	assert_int_equal(turn_allocations(w->second), 1);
	host_close(&a);
	host_close(&b);
}

/* A token of 700 seconds for a client that has the nonce. */
static struct token enter(struct world *w, struct host *h)
{
	struct token t = token_for(&oauth, 0);

	w->conf.oauth = &oauth;
	world_start(w);
	host_open(w, h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_login(h), 401);
	t.mac_key = "sixteen byte key";
	t.made_s = (uint64_t)env_wall_s(w->env);
	t.lifetime_s = 700;
	seal(&t);
	return t;
}

static void a_challenge_names_the_authorization_server(void **state)
{
	struct host h;
	size_t n;

	enter(*state, &h);
	assert_memory_equal(wire_get(h.in.buf, h.in.len, ATTR_THIRD_PARTY_AUTHORIZATION, &n), NAME,
	                    strlen(NAME));
	host_close(&h);
}

static void without_a_good_token_or_its_key_there_is_no_allocation(void **state)
{
	struct world *w = *state;
	struct host h;
	struct token t = enter(w, &h);

	assert_int_equal(ask(&h, W_ALLOCATE, "nobody", &t, t.mac_key, true), 401);
	assert_int_equal(ask(&h, W_ALLOCATE, "second", &t, t.mac_key, true), 401);
	assert_int_equal(ask(&h, W_ALLOCATE, "first", &t, "another key", true), 401);
	t.out[30] ^= 1;
	assert_int_equal(ask(&h, W_ALLOCATE, "first", &t, t.mac_key, true), 401);
	assert_int_equal(ask(&h, W_ALLOCATE, "first", NULL, t.mac_key, true), 401);
	assert_int_equal(turn_get_stats(w->turn)->faults[TURN_FAULT_TOKEN], 3);
	assert_int_equal(turn_get_stats(w->turn)->faults[TURN_FAULT_PASSWORD], 1);
	assert_int_equal(turn_get_stats(w->turn)->faults[TURN_FAULT_USER], 1);
	host_close(&h);
}

static void after_the_allocate_the_key_of_the_token_is_enough(void **state)
{
	struct world *w = *state;
	struct host h;
	struct token t = enter(w, &h);

	assert_int_equal(ask(&h, W_ALLOCATE, "first", &t, t.mac_key, true), 0);
	assert_int_equal(wire_get_u32(h.in.buf, h.in.len, ATTR_LIFETIME), 600);
	assert_int_equal(ask(&h, W_CREATE_PERMISSION, "first", NULL, t.mac_key, true), 0);
	assert_int_equal(ask(&h, W_CREATE_PERMISSION, "first", NULL, "another key", true), 401);
	assert_int_equal(host_refresh(&h, 0), 441); /* a user of our own */
	turn_recheck_users(w->turn);                /* not a user of the store: nobody revokes it */
	assert_int_equal(turn_allocations(w->turn), 1);
	host_close(&h);
}

static void no_lifetime_reaches_past_the_tokens(void **state)
{
	struct world *w = *state;
	struct host h;
	struct token t = enter(w, &h);

	assert_int_equal(ask(&h, W_ALLOCATE, "first", &t, t.mac_key, true), 0);
	world_run(w, 400 * 1000);
	assert_int_equal(ask(&h, W_REFRESH, "first", &t, t.mac_key, false), 0);
	assert_int_equal(wire_get_u32(h.in.buf, h.in.len, ATTR_LIFETIME), 300);
	env_virtual_step_wall(w->env, 2000);
	assert_int_equal(ask(&h, W_REFRESH, "first", &t, t.mac_key, true), 401);
	world_run(w, 302 * 1000);
	assert_int_equal(turn_allocations(w->turn), 0);
	host_close(&h);
}

static void a_new_token_takes_the_place_of_the_old(void **state)
{
	struct world *w = *state;
	struct host h;
	struct token t = enter(w, &h), next = token_for(&oauth, 1);

	assert_int_equal(ask(&h, W_ALLOCATE, "first", &t, t.mac_key, true), 0);
	world_run(w, 400 * 1000);
	next.made_s = (uint64_t)env_wall_s(w->env);
	next.mac_key = "another 16 bytes";
	seal(&next);
	assert_int_equal(ask(&h, W_REFRESH, "second", &next, next.mac_key, true), 0);
	assert_int_equal(wire_get_u32(h.in.buf, h.in.len, ATTR_LIFETIME), 600);
	assert_int_equal(ask(&h, W_CREATE_PERMISSION, "first", NULL, t.mac_key, true), 401);
	assert_int_equal(ask(&h, W_CREATE_PERMISSION, "second", NULL, next.mac_key, true), 0);
	assert_int_equal(turn_allocations(w->turn), 1);
	/* the token has an end, and the allocation with it */
	env_virtual_step_wall(w->env, 2000);
	assert_int_equal(ask(&h, W_REFRESH, "second", &next, next.mac_key, true), 401);
	world_run(w, 602 * 1000);
	assert_int_equal(turn_allocations(w->turn), 0);
	host_close(&h);
}

/* A key that is taken out of the configuration, or replaced under its id, takes along what its
 * tokens have opened; an allocation of another key stays. */
static void third_party_ends_with_its_key(void **state)
{
	struct world *w = *state;
	struct turn_oauth now = oauth;
	struct host h[2];

	w->conf.oauth = &oauth;
	world_start(w);
	for (int i = 0; i < 2; i++) {
		struct token t = token_for(&oauth, i);

		host_open(w, &h[i], i ? "198.51.100.5:2" : "198.51.100.5:1", "alice", "secret");
		assert_int_equal(host_login(&h[i]), 401);
		t.made_s = (uint64_t)env_wall_s(w->env);
		seal(&t);
		assert_int_equal(ask(&h[i], W_ALLOCATE, oauth.key[i].kid, &t, t.mac_key, true), 0);
	}
	w->conf.oauth = &now;
	turn_set_conf(w->turn, &w->conf);
	assert_int_equal(turn_allocations(w->turn), 2);
	now.key[1].key[0] ^= 1; /* another key of the same id */
	turn_set_conf(w->turn, &w->conf);
	assert_int_equal(turn_allocations(w->turn), 1);
	w->conf.oauth = NULL;
	turn_set_conf(w->turn, &w->conf);
	assert_int_equal(turn_allocations(w->turn), 0);
	assert_int_equal(turn_get_stats(w->turn)->closed[TURN_CLOSE_REVOKED], 2);
	host_close(&h[0]);
	host_close(&h[1]);
}

/* Not configured, a token is an attribute like any other, and its key no user's. */
static void third_party_is_opt_in(void **state)
{
	struct world *w = *state;
	struct host h;
	struct token t = token_for(&oauth, 0);
	struct wire m;
	size_t n;

	world_start(w);
	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	assert_int_equal(host_login(&h), 401);
	assert_null(wire_get(h.in.buf, h.in.len, ATTR_THIRD_PARTY_AUTHORIZATION, &n));
	t.made_s = (uint64_t)env_wall_s(w->env);
	seal(&t);
	assert_int_equal(ask(&h, W_ALLOCATE, "first", &t, "the twenty bytes", true), 401);
	/* somebody whose password is right learns what it is that we do not know */
	host_request(&h, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add(&m, ATTR_ACCESS_TOKEN, "token", 5);
	assert_int_equal(host_ask(&h, &m), 420);
	assert_memory_equal(wire_get(h.in.buf, h.in.len, ATTR_UNKNOWN_ATTRIBUTES, &n), "\x00\x1b",
	                    2);
	host_close(&h);
}

static int allocate_on(struct turn *t, struct host *h, bool before_draining)
{
	turn_set_draining(t, !before_draining);
	return host_allocate(h, NULL);
}

static void plain_addr_is(const struct host *h, size_t nth, const char *text)
{
	struct addr want, got;
	size_t n;
	const uint8_t *v = wire_get_nth(h->in.buf, h->in.len, ATTR_ALTERNATE_SERVER, nth, &n);

	assert_int_equal(addr_parse(&want, text), 0);
	assert_non_null(v);
	assert_true(n == 8 || n == 20);
	addr_from_bytes(&got, v + 4, n - 4, (uint16_t)(v[2] << 8 | v[3]));
	assert_true(addr_equal(&got, &want));
}

static void drain(void **state)
{
	struct world *w = *state;
	struct host old, young, young6;
	size_t n;

	for (int alternates = 0; alternates < 2; alternates++) {
		if (alternates) {
			world_stop(w);
			world_init(w);
			addr_parse(&w->conf.alternate_server[0], "[2001:db8::77]:3478");
			addr_parse(&w->conf.alternate_server[1], "203.0.113.9:5349");
			w->conf.alternate_server_n = 2;
			w->conf.alternate_domain = "other.example.org";
		}
		world_start(w);
		host_open(w, &old, "198.51.100.5:1", "alice", "secret");
		host_open(w, &young, "198.51.100.5:2", "alice", "secret");
		host_open(w, &young6, "[2001:db8:1::5]:2", "alice", "secret");
		assert_int_equal(allocate_on(w->turn, &old, true), 0);
		assert_int_equal(allocate_on(w->turn, &young, false), alternates ? 300 : 508);
		if (alternates) { /* the client's own family first */
			plain_addr_is(&young, 0, "203.0.113.9:5349");
			plain_addr_is(&young, 1, "[2001:db8::77]:3478");
			assert_int_equal(host_allocate(&young6, NULL), 300);
			plain_addr_is(&young6, 0, "[2001:db8::77]:3478");
			/* the name is for TLS, and for those who know what it is */
			assert_null(
			    wire_get(young.in.buf, young.in.len, ATTR_ALTERNATE_DOMAIN, &n));
			assert_int_equal(turn_get_stats(w->turn)->replies_300, 2);
		}
		/* the running session goes on */
		assert_int_equal(host_refresh(&old, 600), 0);
		assert_int_equal(host_permit(&old, "8.8.8.8:1"), 0);
		assert_int_equal(turn_allocations(w->turn), 1);
		assert_int_equal(allocate_on(w->turn, &young, true), 0);
		host_close(&old);
		host_close(&young);
		host_close(&young6);
	}
}

static void redirect(void **state)
{
	struct world *w = *state;
	struct host h, h6, stranger;

	addr_parse(&w->conf.alternate_server[0], "203.0.113.9:5349");
	w->conf.alternate_server_n = 1;
	w->conf.redirect = true;
	world_start(w);
	host_open(w, &h, "198.51.100.5:1", "alice", "secret");
	host_open(w, &h6, "[2001:db8:1::5]:2", "alice", "secret");
	host_open(w, &stranger, "198.51.100.6:1", "alice", "wrong");
	assert_int_equal(host_allocate(&h, NULL), 300);
	/* no alternate of its family: it stays */
	assert_int_equal(host_allocate(&h6, NULL), 0);
	assert_int_equal(host_login(&stranger), 401);
	assert_int_equal(host_allocate(&stranger, NULL), 401);
	host_close(&h);
	host_close(&h6);
	host_close(&stranger);
}

/* Over TLS, and with SHA-256: the name in the other certificate goes along. */
static void link_send(void *ctx, const uint8_t *data, size_t len)
{
	struct wire *in = ctx;

	memcpy(in->buf, data, len);
	in->len = len;
}

static void alternate_domain(void **state)
{
	static const struct turn_link_ops ops = {.send = link_send};
	static const enum turn_protocol protocols[] = {TURN_TCP, TURN_TLS, TURN_DTLS};
	struct world *w = *state;
	struct wire in, m;

	addr_parse(&w->conf.alternate_server[0], "203.0.113.9:5349");
	w->conf.alternate_server_n = 1;
	w->conf.alternate_domain = "other.example.org";
	w->conf.redirect = true;
	world_start(w);
	for (int i = 0; i < 6; i++) {
		struct turn_link_params p = {.protocol = protocols[i / 2],
		                             .relay4 = 0,
		                             .relay6 = 1,
		                             .ops = &ops,
		                             .ctx = &in};
		struct turn_link *link;
		uint8_t key[32], nonce[28];
		size_t n;

		addr_parse(&p.client, "198.51.100.5:1");
		link = turn_link_new(w->turn, &p);
		wire_start(&m, W_ALLOCATE, 1);
		turn_link_input(link, m.buf, m.len);
		assert_int_equal(wire_error(in.buf, in.len), 401); /* no spoofing, so all of it */
		memcpy(nonce, wire_get(in.buf, in.len, ATTR_NONCE, &n), 28);
		wire_start(&m, W_ALLOCATE, 2);
		wire_add_transport(&m, IPPROTO_UDP);
		wire_add_str(&m, ATTR_USERNAME, "alice");
		wire_add_str(&m, ATTR_REALM, REALM);
		wire_add(&m, ATTR_NONCE, nonce, 28);
		if (i % 2) {
			wire_add(&m, ATTR_PASSWORD_ALGORITHMS, "\0\2\0\0\0\1\0\0", 8);
			wire_add(&m, ATTR_PASSWORD_ALGORITHM, "\0\2\0\0", 4);
			wire_key256("alice", REALM, "secret", key);
			wire_add_integrity256(&m, key, 32, 32);
		} else {
			wire_key("alice", REALM, "secret", key);
			wire_add_integrity(&m, key);
		}
		turn_link_input(link, m.buf, m.len);
		assert_int_equal(wire_error(in.buf, in.len), 300);
		assert_true(!wire_get(in.buf, in.len, ATTR_ALTERNATE_DOMAIN, &n) ==
		            (i != 3 && i != 5));
		turn_link_free(link);
	}
}

static void realm_quota(void **state)
{
	struct world *w = *state;
	struct host h[4];

	turn_quota_set_limits(w->quota, 5, 3, 12);
	world_start(w);
	for (int i = 0; i < 4; i++) {
		static const char *const from[] = {"198.51.100.5:1", "198.51.100.5:2",
		                                   "198.51.100.5:3", "198.51.100.5:4"};

		host_open(w, &h[i], from[i], i % 2 ? "bob" : "alice", i % 2 ? "hunter2" : "secret");
		assert_int_equal(host_allocate(&h[i], NULL), i < 3 ? 0 : 486);
	}
	assert_int_equal(host_refresh(&h[0], 0), 0);
	assert_int_equal(host_allocate(&h[3], NULL), 0);
	for (int i = 0; i < 4; i++)
		host_close(&h[i]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_token_opens_with_its_key),
	    cmocka_unit_test(a_token_opens_in_its_time),
	    cmocka_unit_test(every_bit_of_a_token_is_protected),
	    cmocka_unit_test(a_token_is_for_its_server),
	    cmocka_unit_test(keys_and_nonces_of_a_token_have_a_length),
	    T(a_challenge_names_the_authorization_server),
	    T(without_a_good_token_or_its_key_there_is_no_allocation),
	    T(after_the_allocate_the_key_of_the_token_is_enough),
	    T(no_lifetime_reaches_past_the_tokens),
	    T(a_new_token_takes_the_place_of_the_old),
	    T(third_party_moves_its_own),
	    T(third_party_ends_with_its_key),
	    T(third_party_is_opt_in),
	    T(drain),
	    T(redirect),
	    T(alternate_domain),
	    T(realm_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
