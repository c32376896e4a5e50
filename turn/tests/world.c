/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The world of the TURN tests.
 */
#include "turn/tests/world.h"

#include "base/error.h"
#include "base/log.h"
#include "base/tests/test.h"

#include <stdlib.h>

static bool is_user(const struct turn_auth_query *q, const char *name)
{
	uint8_t hash[32];

	if (q->username)
		return q->username_len == strlen(name) && !memcmp(q->username, name, strlen(name));
	wire_userhash(name, q->realm, hash);
	return !memcmp(q->userhash, hash, sizeof(hash));
}

static void make_key(const struct turn_auth_query *q, const char *name, const char *password,
                     struct stun_key *out)
{
	out->len = q->sha256 ? 32 : 16;
	if (q->sha256)
		wire_key256(name, q->realm, password, out->bytes);
	else
		wire_key(name, q->realm, password, out->bytes);
}

static int keys(void *ctx, const struct turn_auth_query *q, struct turn_auth_answer *out)
{
	struct world *w = ctx;

	bool alice, bob;

	if (!w->two_realms)
		assert_string_equal(q->realm, REALM);
	if (w->answers_later) {
		w->ticket = q->ticket;
		return -E_LATER;
	}
	out->expires_at_s = w->expires_at_s;
	out->locked = w->alice_locked && is_user(q, "alice");
	out->lock = w->lock;
	alice = is_user(q, "alice") && !w->alice_gone;
	bob = is_user(q, "bob");
	if (!alice && !bob)
		return -E_NOTFOUND;
	out->username = out->quota_user = alice ? "alice" : "bob";
	out->username_len = out->quota_user_len = strlen(out->username);
	out->key_n = alice ? 2 : 1; /* two live secrets: the right key is the second */
	out->key_source[0] = 7;
	out->key_source[out->key_n - 1] = alice ? w->alice_source : 9;
	memset(out->key, 0x77, sizeof(out->key[0]));
	out->key[0].len = 16;
	make_key(q, out->username, alice ? "secret" : "hunter2", &out->key[out->key_n - 1]);
	return 0;
}

static bool alive(void *ctx, const struct turn_auth_session *session)
{
	struct world *w = ctx;
	bool alice = session->username_len == 5 && !memcmp(session->username, "alice", 5);

	return !(w->alice_gone && alice) &&
	       !(w->ended_source && session->key_source == w->ended_source);
}

static bool lock_waits(void *ctx)
{
	return ((struct world *)ctx)->lock_waits;
}

static const struct turn_auth_ops auth = {.keys = keys, .alive = alive, .lock_waits = lock_waits};

void world_init(struct world *w)
{
	struct addr relay4, relay6;

	log_set_level(LOG_LEVEL_ERROR);
	memset(w, 0, sizeof(*w));
	w->env = env_virtual_new(8656);
	w->policy = peer_policy_new();
	w->conf = (struct turn_conf){.realm = {REALM, "other.example"},
	                             .realm_n = 1,
	                             .policy = w->policy,
	                             .default_lifetime_s = 600,
	                             .max_lifetime_s = 3600,
	                             .nonce_lifetime_s = 1000,
	                             .permissions_max = 8,
	                             .channels_max = 8,
	                             .relay_n = 2};
	assert_int_equal(addr_parse_ip(&relay4, "192.0.2.1", 0), 0);
	assert_int_equal(addr_parse_ip(&relay6, "2001:db8:ffff::1", 0), 0);
	w->conf.relay[0].local = w->conf.relay[0].external = relay4;
	w->conf.relay[1].local = w->conf.relay[1].external = relay6;
	w->ports4 = turn_ports_new(50000, 50019);
	w->ports6 = turn_ports_new(50000, 50019);
	w->quota = turn_quota_new(5, 12);
}

void world_start(struct world *w)
{
	static const char *const own[] = {SERVER4, SERVER6};

	w->conf.relay[0].ports = w->ports4;
	w->conf.relay[1].ports = w->ports6;
	w->conf.quota = w->quota;
	w->auth = &auth;
	w->turn = turn_new(w->env, &w->conf, &auth, w);
	assert_non_null(w->turn);
	for (int i = 0; i < 2; i++) {
		struct turn_listener_conf l = {.fd = -1, .relay4 = 0, .relay6 = 1};

		assert_int_equal(addr_parse(&l.local, own[i]), 0);
		assert_int_equal(peer_policy_add_own_port(w->policy, &l.local), 0);
		assert_int_equal(peer_policy_add_own_ip(w->policy, &l.local), 0);
		assert_int_equal(peer_policy_add_own_ip(w->policy, &w->conf.relay[i].external), 0);
		assert_int_equal(turn_listen(w->turn, &l), 0);
	}
}

void world_start_second(struct world *w)
{
	struct turn_listener_conf l = {.fd = -1, .relay4 = 0, .relay6 = 1};

	w->conf.worker++;
	w->second = turn_new(w->env, &w->conf, &auth, w);
	assert_non_null(w->second);
	assert_int_equal(addr_parse(&l.local, SECOND4), 0);
	assert_int_equal(turn_listen(w->second, &l), 0);
}

static void check_invariants(struct world *w)
{
	size_t live = turn_allocations(w->turn) + (w->second ? turn_allocations(w->second) : 0);
	size_t leased = turn_ports_leased(w->ports4) + turn_ports_leased(w->ports6);
	size_t reserved = turn_ports_reserved(w->ports4) + turn_ports_reserved(w->ports6);

	size_t relays =
	    turn_relayed_addresses(w->turn) + (w->second ? turn_relayed_addresses(w->second) : 0);
	size_t listeners = (w->second ? 3 : 2) + w->more_listeners;

	assert_int_equal(leased, relays + reserved + w->leased_elsewhere);
	assert_true(relays >= live && relays <= 2 * live);
	assert_int_equal(turn_quota_total(w->quota), live + reserved);
	assert_int_equal(env_virtual_sockets(w->env),
	                 relays - w->tcp_relays + listeners + w->hosts);
	assert_true(turn_quota_users(w->quota) <= live + reserved);
}

void world_run(struct world *w, uint64_t ms)
{
	env_virtual_run(w->env, ms);
	check_invariants(w);
}

void world_stop(struct world *w)
{
	check_invariants(w);
	turn_free(w->second);
	turn_free(w->turn);
	assert_int_equal(turn_quota_total(w->quota),
	                 turn_ports_reserved(w->ports4) + turn_ports_reserved(w->ports6));
	assert_int_equal(turn_ports_leased(w->ports4), turn_ports_reserved(w->ports4));
	assert_int_equal(env_virtual_sockets(w->env), w->hosts);
	env_virtual_free(w->env);
	turn_ports_free(w->ports4);
	turn_ports_free(w->ports6);
	turn_quota_free(w->quota);
	peer_policy_free(w->policy);
}

int world_setup(void **state)
{
	struct world *w = malloc(sizeof(*w));

	world_init(w);
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	world_stop(*state);
	free(*state);
	return 0;
}

struct world *world_begin(void **state)
{
	world_start(*state);
	return *state;
}

static void on_host(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	struct host *h = arg;

	(void)u;
	for (size_t i = 0; i < n; i++) {
		h->got++;
		h->from = d[i].peer;
		h->tos = d[i].tos;
		h->in.len = d[i].len;
		memcpy(h->in.buf, d[i].data, d[i].len);
	}
}

void host_open(struct world *w, struct host *h, const char *addr, const char *user,
               const char *password)
{
	struct env_udp_params p = {.fd = -1, .on_batch = on_host, .arg = h};

	memset(h, 0, sizeof(*h));
	h->w = w;
	h->user = user;
	h->password = password;
	assert_int_equal(addr_parse(&p.local, addr), 0);
	assert_int_equal(env_udp_open(w->env, &p, &h->udp), 0);
	w->hosts++;
}

void host_close(struct host *h)
{
	env_udp_close(h->udp);
	h->w->hosts--;
}

size_t host_send_as(struct host *h, const char *to, const void *data, size_t len, uint8_t tos)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, to), 0);
	h->got = 0;
	env_udp_send_as(h->udp, &a, data, len, tos, false);
	world_run(h->w, 0);
	return h->got;
}

size_t host_send(struct host *h, const char *to, const void *data, size_t len)
{
	return host_send_as(h, to, data, len, 0);
}

static const char *server_of(const struct host *h)
{
	if (h->server)
		return h->server;
	return addr_family(&h->udp->local) == AF_INET6 ? SERVER6 : SERVER4;
}

void host_request(struct host *h, struct wire *m, uint16_t method)
{
	wire_start(m, method, ++h->w->tid);
	if (*h->nonce)
		wire_add_login(m, h->user, REALM, h->nonce);
}

int host_reply_code(const struct host *h)
{
	return wire_error(h->in.buf, h->in.len);
}

int host_ask(struct host *h, struct wire *m)
{
	uint8_t key[16];
	int code;

	wire_key(h->user, REALM, h->password, key);
	if (*h->nonce)
		wire_add_integrity(m, key);
	assert_int_equal(host_send(h, server_of(h), m->buf, m->len), 1);
	assert_true(wire_sound(h->in.buf, h->in.len));
	assert_memory_equal(h->in.buf + 8, m->buf + 8, 12);
	code = host_reply_code(h);
	assert_int_equal(wire_type(h->in.buf), wire_type(m->buf) | (code ? W_ERROR : W_SUCCESS));
	if (wire_get_str(h->in.buf, h->in.len, ATTR_NONCE, h->nonce, sizeof(h->nonce)))
		assert_true(code == 401 || code == 438);
	else if (*h->nonce && code != 400)
		assert_true(wire_integrity_ok(h->in.buf, h->in.len, key));
	return code;
}

static void request_allocate(struct host *h, struct wire *m)
{
	host_request(h, m, W_ALLOCATE);
	wire_add_transport(m, IPPROTO_UDP);
	if (addr_family(&h->udp->local) == AF_INET6)
		wire_add_u32(m, ATTR_REQUESTED_ADDRESS_FAMILY, 2u << 24);
}

int host_login(struct host *h)
{
	struct wire m;

	h->nonce[0] = 0;
	request_allocate(h, &m);
	return host_ask(h, &m);
}

int host_allocate(struct host *h, struct addr *relayed)
{
	struct wire m;
	int r;

	if (!*h->nonce)
		assert_int_equal(host_login(h), 401);
	request_allocate(h, &m);
	r = host_ask(h, &m);
	if (r == 438) {
		request_allocate(h, &m);
		r = host_ask(h, &m);
	}
	if (!r && relayed)
		assert_true(
		    wire_get_xor_addr(h->in.buf, h->in.len, ATTR_XOR_RELAYED_ADDRESS, relayed));
	return r;
}

int host_refresh(struct host *h, uint32_t lifetime_s)
{
	struct wire m;

	host_request(h, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, lifetime_s);
	return host_ask(h, &m);
}

int host_permit(struct host *h, const char *peer)
{
	struct wire m;

	host_request(h, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, peer);
	return host_ask(h, &m);
}

int host_bind(struct host *h, uint16_t number, const char *peer)
{
	struct wire m;

	host_request(h, &m, W_CHANNEL_BIND);
	wire_add_channel(&m, number);
	wire_add_peer(&m, peer);
	return host_ask(h, &m);
}
