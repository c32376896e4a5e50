/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP allocations (RFC 6062) on virtual time: the rules of Allocate, Connect,
 * ConnectionAttempt and ConnectionBind, and their deadlines. The sockets are
 * played by the test.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "turn/lock.h"
#include "turn/oauth.h"
#include "turn/tcp.h"
#include "turn/tests/world.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define PEER    "9.9.9.9:4000"
#define HANDLES 64

/* A listener or a connection to a peer. */
struct handle {
	bool used, listens;
	struct turn_alloc *alloc;
	struct turn_peer_conn *conn;
	struct addr local, peer;
	void *joined;
};

/* A client's connection and the last message that came over it. */
struct stream {
	struct tcp *t;
	struct turn_link *link;
	const char *user, *password;
	char nonce[128];
	_Alignas(8) uint8_t out[2048];
	size_t len, messages;
};

struct tcp {
	struct world w;
	struct handle h[HANDLES];
	size_t open, connects;
	int listen_fails, connect_fails;
	unsigned int moved_to;
	void *moved;
	struct stream control; /* alice's, logged in */
};

static struct handle *new_handle(struct tcp *t)
{
	for (size_t i = 0; i < HANDLES; i++) {
		if (!t->h[i].used) {
			t->h[i] = (struct handle){.used = true};
			t->open++;
			return &t->h[i];
		}
	}
	fail();
	return NULL;
}

static int do_listen(void *ctx, struct turn_alloc *a, const struct addr *local, void **out)
{
	struct tcp *t = ctx;
	struct handle *h;

	if (t->listen_fails)
		return t->listen_fails;
	h = new_handle(t);
	h->listens = true;
	h->alloc = a;
	h->local = *local;
	*out = h;
	t->w.tcp_relays++;
	return 0;
}

static int do_connect(void *ctx, struct turn_peer_conn *c, const struct addr *local,
                      const struct addr *peer, void **out)
{
	struct tcp *t = ctx;
	struct handle *h;

	t->connects++;
	if (t->connect_fails)
		return t->connect_fails;
	h = new_handle(t);
	h->conn = c;
	h->local = *local;
	h->peer = *peer;
	*out = h;
	return 0;
}

static void do_adopt(void *ctx, void *handle, struct turn_peer_conn *c)
{
	(void)ctx;
	((struct handle *)handle)->conn = c;
}

static void do_close(void *ctx, void *handle)
{
	struct tcp *t = ctx;
	struct handle *h = handle;

	assert_true(h->used);
	t->w.tcp_relays -= h->listens;
	h->used = false;
	t->open--;
}

static void do_join(void *ctx, void *handle, void *link_ctx)
{
	(void)ctx;
	((struct handle *)handle)->joined = link_ctx;
}

static int do_move(void *ctx, void *link_ctx, unsigned int worker)
{
	struct tcp *t = ctx;

	if (worker > 3)
		return -E_NOTFOUND;
	t->moved_to = worker;
	t->moved = link_ctx;
	return 0;
}

static const struct turn_net_ops net_ops = {
    .listen = do_listen,
    .connect = do_connect,
    .adopt = do_adopt,
    .close = do_close,
    .join = do_join,
    .move = do_move,
};

static void on_send(void *ctx, const uint8_t *data, size_t len)
{
	struct stream *s = ctx;

	assert_true(len <= sizeof(s->out) && wire_sound(data, len));
	memcpy(s->out, data, len);
	s->len = len;
	s->messages++;
}

static void stream_open(struct tcp *t, struct stream *s, const char *from)
{
	static const struct turn_link_ops ops = {.send = on_send};
	struct turn_link_params params = {
	    .protocol = TURN_TCP, .relay4 = 0, .relay6 = 1, .ops = &ops, .ctx = s};

	memset(s, 0, sizeof(*s));
	s->t = t;
	s->user = "alice";
	s->password = "secret";
	assert_int_equal(addr_parse(&params.client, from), 0);
	s->link = turn_link_new(t->w.turn, &params);
	assert_non_null(s->link);
}

static void stream_close(struct stream *s)
{
	turn_link_free(s->link);
	s->link = NULL;
	world_run(&s->t->w, 0);
}

static void start_request(struct stream *s, struct wire *m, uint16_t method)
{
	wire_start(m, method, ++s->t->w.tid);
	if (*s->nonce)
		wire_add_login(m, s->user, REALM, s->nonce);
}

/* Adds the integrity and hands it over; no look at the reply. */
static void tell(struct stream *s, struct wire *m)
{
	uint8_t key[16];

	wire_key(s->user, REALM, s->password, key);
	if (*s->nonce)
		wire_add_integrity(m, key);
	s->messages = 0;
	turn_link_input(s->link, m->buf, m->len);
	world_run(&s->t->w, 0);
}

/* The error code of the reply that has come, or 0; it is the reply to m and proves itself. */
static int reply_to(struct stream *s, const struct wire *m)
{
	uint8_t key[16];
	int code;

	assert_int_equal(s->messages, 1);
	assert_memory_equal(s->out + 4, m->buf + 4, 16);
	code = wire_error(s->out, s->len);
	assert_int_equal(wire_type(s->out), wire_type(m->buf) | (code ? W_ERROR : W_SUCCESS));
	if (!wire_get_str(s->out, s->len, ATTR_NONCE, s->nonce, sizeof(s->nonce)) && *s->nonce &&
	    code != 400) {
		wire_key(s->user, REALM, s->password, key);
		assert_true(wire_integrity_ok(s->out, s->len, key));
	}
	return code;
}

static int ask(struct stream *s, struct wire *m)
{
	tell(s, m);
	return reply_to(s, m);
}

static int allocate(struct stream *s, uint8_t transport)
{
	struct wire m;

	start_request(s, &m, W_ALLOCATE);
	wire_add_transport(&m, transport);
	return ask(s, &m);
}

static void login(struct stream *s)
{
	assert_int_equal(allocate(s, 6), 401);
	assert_true(*s->nonce);
}

static void start_connect(struct stream *s, struct wire *m, const char *peer)
{
	start_request(s, m, W_CONNECT);
	wire_add_peer(m, peer);
}

/* For a Connect that is answered at once. */
static int connect_code(struct stream *s, const char *peer)
{
	struct wire m;

	start_connect(s, &m, peer);
	return ask(s, &m);
}

static int bind_code(struct stream *s, uint32_t id)
{
	struct wire m;

	start_request(s, &m, W_CONNECTION_BIND);
	wire_add_u32(&m, ATTR_CONNECTION_ID, id);
	return ask(s, &m);
}

static int permit(struct stream *s, const char *peer)
{
	struct wire m;

	start_request(s, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, peer);
	return ask(s, &m);
}

static int refresh(struct stream *s, uint32_t lifetime)
{
	struct wire m;

	start_request(s, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, lifetime);
	return ask(s, &m);
}

static struct handle *find(struct tcp *t, bool listens)
{
	for (size_t i = 0; i < HANDLES; i++)
		if (t->h[i].used && t->h[i].listens == listens)
			return &t->h[i];
	return NULL;
}

/* Connects to the peer; returns the CONNECTION-ID. */
static uint32_t connect_ok(struct stream *s, const char *peer, struct handle **out)
{
	struct tcp *t = s->t;
	struct handle *h = NULL;
	struct wire m;
	uint32_t id;

	start_connect(s, &m, peer);
	tell(s, &m);
	assert_int_equal(s->messages, 0); /* not before it has connected */
	for (size_t i = 0; i < HANDLES; i++)
		if (t->h[i].used && t->h[i].conn && !t->h[i].joined)
			h = &t->h[i];
	assert_non_null(h);
	turn_tcp_connected(h->conn, 0);
	assert_int_equal(reply_to(s, &m), 0);
	id = wire_get_u32(s->out, s->len, ATTR_CONNECTION_ID);
	assert_int_equal(TURN_CONNECTION_WORKER(id), t->w.conf.worker);
	*out = h;
	return id;
}

static struct tcp *begin(void)
{
	struct tcp *t = calloc(1, sizeof(*t));

	world_init(&t->w);
	t->w.conf.worker = 2;
	t->w.conf.peer_connections = 4;
	world_start(&t->w);
	turn_set_net(t->w.turn, &net_ops, t);
	stream_open(t, &t->control, "198.51.100.5:1");
	login(&t->control);
	return t;
}

static void end(struct tcp *t)
{
	assert_int_equal(t->open, 0);
	world_stop(&t->w);
	free(t);
}

/* With a TCP allocation already. */
static struct tcp *begin_allocated(void)
{
	struct tcp *t = begin();

	assert_int_equal(allocate(&t->control, 6), 0);
	return t;
}

static void finish(struct tcp *t)
{
	stream_close(&t->control);
	end(t);
}

static int setup(void **state)
{
	*state = begin();
	return 0;
}

static int setup_allocated(void **state)
{
	*state = begin_allocated();
	return 0;
}

static int teardown(void **state)
{
	finish(*state);
	return 0;
}

static void a_tcp_allocation_is_for_streams(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;
	struct host udp;
	struct wire m;

	host_open(&t->w, &udp, "198.51.100.6:1", "alice", "secret");
	assert_int_equal(host_login(&udp), 401);
	host_request(&udp, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_TCP);
	assert_int_equal(host_ask(&udp, &m), 400);
	host_close(&udp);
	assert_int_equal(allocate(s, 132), 442); /* SCTP */
}

static void a_tcp_allocation_comes_without_a_reservation(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;
	struct wire m;

	start_request(s, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_TCP);
	wire_add(&m, ATTR_EVEN_PORT, "\x00", 1);
	assert_int_equal(ask(s, &m), 400);
	start_request(s, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_TCP);
	wire_add(&m, ATTR_RESERVATION_TOKEN, "12345678", 8);
	assert_int_equal(ask(s, &m), 400);
}

static void connect_needs_a_tcp_allocation(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;

	assert_int_equal(connect_code(s, PEER), 437);
	assert_int_equal(allocate(s, 17), 0);
	assert_int_equal(connect_code(s, PEER), 437);
}

static void a_nonce_ends_with_its_allocation(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;

	assert_int_equal(allocate(s, 17), 0);
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(allocate(s, 6), 438);
	assert_int_equal(allocate(s, 6), 0);
}

/* A port that another program holds is not given. */
static void without_a_socket_no_port_stays_leased(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;

	t->listen_fails = -E_LIMIT;
	assert_int_equal(allocate(s, 6), 508);
	assert_int_equal(turn_ports_leased(t->w.ports4), 0);
}

static void a_tcp_allocation_listens_on_the_port_it_leases(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;
	struct addr relayed;

	assert_true(wire_get_xor_addr(s->out, s->len, ATTR_XOR_RELAYED_ADDRESS, &relayed));
	assert_true(addr_equal(&relayed, &find(t, true)->local));
	assert_int_equal(turn_ports_leased(t->w.ports4), 1);
	assert_true(turn_ports_is_tcp(t->w.ports4, addr_port(&relayed)));
	assert_false(turn_ports_is_leased(t->w.ports4, addr_port(&relayed)));
}

static void a_tcp_allocation_relays_no_datagrams(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;
	struct wire m;

	start_request(s, &m, W_CHANNEL_BIND);
	wire_add_channel(&m, 0x4000);
	wire_add_peer(&m, PEER);
	assert_int_equal(ask(s, &m), 400);
	assert_int_equal(permit(s, PEER), 0);
	wire_start(&m, W_SEND, 1);
	wire_add_peer(&m, PEER);
	wire_add_str(&m, ATTR_DATA, "hello");
	turn_link_input(s->link, m.buf, m.len);
	assert_int_equal(turn_get_stats(t->w.turn)->to_peer_packets, 0);
}

static void connect_needs_a_peer(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;
	struct wire m;

	start_request(s, &m, W_CONNECT);
	assert_int_equal(ask(s, &m), 400);
	assert_int_equal(connect_code(s, "9.9.9.9:0"), 400);
}

static void no_forbidden_peer_is_called(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;

	assert_int_equal(connect_code(s, "127.0.0.1:80"), 403);
	assert_int_equal(connect_code(s, "10.0.0.1:80"), 403);
	assert_int_equal(connect_code(s, "169.254.169.254:80"), 403);
	assert_int_equal(connect_code(s, SERVER4), 403);
	assert_int_equal(connect_code(s, "[2600::9]:80"), 443);
	assert_int_equal(t->connects, 0);
}

/* At once, later, and by the clock. */
static void a_peer_that_cannot_be_reached_is_447(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;
	struct handle *h;
	struct wire m;

	t->connect_fails = -E_IO;
	assert_int_equal(connect_code(s, PEER), 447);
	t->connect_fails = 0;
	start_connect(s, &m, PEER);
	tell(s, &m);
	h = find(t, false);
	turn_tcp_connected(h->conn, -E_IO);
	do_close(t, h);
	assert_int_equal(reply_to(s, &m), 447);
	start_connect(s, &m, PEER);
	tell(s, &m);
	world_run(&t->w, 29 * 1000);
	assert_int_equal(s->messages, 0);
	world_run(&t->w, 2 * 1000);
	assert_int_equal(reply_to(s, &m), 447);
	assert_int_equal(t->open, 1);
}

/* A data connection that alice opens from here for this CONNECTION-ID. */
/* A data connection that has its nonce. */
static void data_open(struct tcp *t, struct stream *data, const char *from, uint32_t id)
{
	stream_open(t, data, from);
	assert_int_equal(bind_code(data, id), 401);
}

static void bind_ok(struct tcp *t, struct stream *data, const char *from, uint32_t id)
{
	data_open(t, data, from, id);
	assert_int_equal(bind_code(data, id), 0);
}

static void a_peer_is_connected_to_once_at_a_time(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control, data;
	struct handle *h;
	struct wire m;
	uint32_t id;

	start_connect(s, &m, PEER);
	tell(s, &m);
	assert_int_equal(connect_code(s, PEER), 446); /* under way */
	h = find(t, false);
	turn_tcp_connected(h->conn, -E_IO);
	do_close(t, h);
	assert_int_equal(wire_error(s->out, s->len), 447);
	id = connect_ok(s, PEER, &h);
	assert_int_equal(connect_code(s, PEER), 446); /* pending */
	bind_ok(t, &data, "198.51.100.5:2", id);
	turn_link_free(data.link);
	assert_int_equal(connect_code(s, PEER), 446); /* active */
	turn_tcp_gone(h->conn);
	do_close(t, h);
	connect_ok(s, PEER, &h);
}

static void a_connection_is_bound_once(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control, data;
	struct handle *h;
	uint32_t id = connect_ok(s, PEER, &h);

	data_open(t, &data, "198.51.100.5:2", id);
	assert_int_equal(bind_code(&data, id ^ 1), 400);
	assert_int_equal(bind_code(&data, id), 0);
	assert_ptr_equal(h->joined, &data);
	turn_link_free(data.link);
	data_open(t, &data, "198.51.100.5:3", id);
	assert_int_equal(bind_code(&data, id), 400);
	stream_close(&data);
}

static void a_bound_connection_has_no_deadline(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control, data;
	struct handle *h;

	bind_ok(t, &data, "198.51.100.5:2", connect_ok(s, PEER, &h));
	turn_link_free(data.link);
	world_run(&t->w, 60 * 1000);
	assert_true(h->used);
	turn_tcp_count(h->conn, 10, 20);
	turn_tcp_gone(h->conn);
	do_close(t, h);
}

static void a_connection_that_nobody_binds_ends_after_30_seconds(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control, data;
	struct handle *h;
	uint32_t id = connect_ok(s, PEER, &h);

	world_run(&t->w, 29 * 1000);
	assert_true(h->used);
	world_run(&t->w, 2 * 1000);
	assert_false(h->used);
	data_open(t, &data, "198.51.100.5:3", id);
	assert_int_equal(bind_code(&data, id), 400);
	stream_close(&data);
}

static void connections_have_a_limit_and_end_with_their_allocation(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;
	struct handle *h;
	uint32_t id = 0, other;

	for (int i = 0; i < 4; i++) {
		char peer[] = "9.9.9.1:80";

		peer[6] = (char)('1' + i);
		other = connect_ok(s, peer, &h);
		assert_true(other != id);
		id = other;
	}
	assert_int_equal(connect_code(s, PEER), 508);
	assert_int_equal(t->open, 5);
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(t->open, 0);
}

/* A token for key "k", of 16 zeros; returns its length. */
static size_t seal(const char *name, const char mac_key[16], int64_t now_s, uint8_t out[60])
{
	uint8_t plain[2 + 16 + 8 + 4] = {0, 16}, zero[16] = {0};
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;

	memset(out, 0, 60);
	memcpy(plain + 2, mac_key, 16);
	for (int i = 0; i < 6; i++)
		plain[18 + i] = (uint8_t)(now_s >> (40 - 8 * i));
	plain[28] = 4; /* 1024 seconds */
	out[1] = 12;
	EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, zero, out + 2);
	EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)name, (int)strlen(name));
	EVP_EncryptUpdate(c, out + 14, &n, plain, sizeof(plain));
	EVP_EncryptFinal_ex(c, out + 14 + n, &n);
	EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out + 44);
	EVP_CIPHER_CTX_free(c);
	return 60;
}

/* The reply that comes later is proved as the request was, which for a token's key is not told by
 * PASSWORD-ALGORITHM. */
static void connects_with_a_token(void **state)
{
	static const struct turn_oauth oauth = {
	    .oauth_server = "turn.example.org", .key = {{"k", {0}, 16}}, .key_n = 1};
	static const char mac_key[] = "sixteen byte key";
	struct tcp *t = calloc(1, sizeof(*t));
	struct stream s;
	struct wire m;
	uint8_t token[60];
	size_t len;

	(void)state;
	world_init(&t->w);
	t->w.conf.worker = 2;
	t->w.conf.peer_connections = 4;
	t->w.conf.oauth = &oauth;
	world_start(&t->w);
	turn_set_net(t->w.turn, &net_ops, t);
	stream_open(t, &s, "198.51.100.5:1");
	login(&s);
	s.user = "k";
	len = seal(oauth.oauth_server, mac_key, env_wall_s(t->w.env), token);
	start_request(&s, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_TCP);
	wire_add(&m, ATTR_ACCESS_TOKEN, token, len);
	wire_add_integrity256(&m, (const uint8_t *)mac_key, 16, 32);
	turn_link_input(s.link, m.buf, m.len);
	assert_int_equal(wire_error(s.out, s.len), 0);
	assert_true(wire_integrity256_ok(s.out, s.len, (const uint8_t *)mac_key, 16));
	start_connect(&s, &m, PEER);
	wire_add_integrity256(&m, (const uint8_t *)mac_key, 16, 32);
	s.messages = 0;
	turn_link_input(s.link, m.buf, m.len);
	assert_int_equal(s.messages, 0);
	turn_tcp_connected(find(t, false)->conn, 0);
	assert_int_equal(s.messages, 1);
	assert_int_equal(wire_error(s.out, s.len), 0);
	assert_true(wire_integrity256_ok(s.out, s.len, (const uint8_t *)mac_key, 16));
	stream_close(&s);
	end(t);
}

/* Neither the control connection nor a datagram. */
static void only_a_stream_of_its_own_is_bound(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;
	struct handle *h;
	struct host udp;
	struct wire m;
	uint32_t id = connect_ok(s, PEER, &h);

	assert_int_equal(bind_code(s, id), 400);
	host_open(&t->w, &udp, "198.51.100.5:9", "alice", "secret");
	assert_int_equal(host_login(&udp), 401);
	host_request(&udp, &m, W_CONNECTION_BIND);
	wire_add_u32(&m, ATTR_CONNECTION_ID, id);
	assert_int_equal(host_ask(&udp, &m), 400);
	host_close(&udp);
}

/* 401 before anything is told; 400 without an ID. */
static void credentials_are_checked_before_the_id(void **state)
{
	struct tcp *t = *state;
	struct stream data;
	struct wire m;

	stream_open(t, &data, "198.51.100.5:2");
	start_request(&data, &m, W_CONNECTION_BIND);
	assert_int_equal(ask(&data, &m), 401);
	start_request(&data, &m, W_CONNECTION_BIND);
	assert_int_equal(ask(&data, &m), 400);
	stream_close(&data);
}

static void only_the_user_of_the_allocation_binds(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control, data;
	struct handle *h;
	uint32_t id = connect_ok(s, PEER, &h);

	data_open(t, &data, "198.51.100.5:2", id);
	data.user = "bob";
	data.password = "hunter2";
	assert_int_equal(bind_code(&data, id), 441);
	data.user = "alice";
	assert_int_equal(bind_code(&data, id), 401);
	data.password = "secret";
	assert_int_equal(bind_code(&data, id), 0);
	assert_ptr_equal(h->joined, &data);
	turn_link_free(data.link);
}

/* It goes there unanswered; where there is no such worker, the ID is unknown. */
static void the_id_of_another_worker_goes_there(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control, data;
	struct handle *h;
	struct wire m;
	uint32_t id = connect_ok(s, PEER, &h);

	data_open(t, &data, "198.51.100.5:2", id);
	start_request(&data, &m, W_CONNECTION_BIND);
	wire_add_u32(&m, ATTR_CONNECTION_ID, (id & 0xffffff) | 1u << 24);
	tell(&data, &m);
	assert_int_equal(data.messages, 0);
	assert_ptr_equal(t->moved, &data);
	assert_int_equal(t->moved_to, 1);
	assert_int_equal(bind_code(&data, (id & 0xffffff) | 77u << 24), 400);
	stream_close(&data);
}

/* Or one whose secret is gone. */
static void an_expired_credential_serves_a_running_call(void **state)
{
	struct tcp *t = begin_allocated();
	struct stream *s = &t->control, data;
	struct handle *h;
	uint32_t id;

	(void)state;
	id = connect_ok(s, PEER, &h);
	t->w.expires_at_s = 1;
	bind_ok(t, &data, "198.51.100.5:2", id);
	assert_ptr_equal(h->joined, &data);
	turn_link_free(data.link);
	finish(t); /* the client goes: the peer's connection ends */
}

static void a_peer_needs_a_permission_which_ends(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;
	struct handle *l = find(t, true), *h = new_handle(t);
	struct addr from;

	assert_int_equal(addr_parse(&from, PEER), 0);
	s->messages = 0;
	assert_int_equal(turn_tcp_accepted(l->alloc, &from, h), -E_DENIED);
	assert_int_equal(s->messages, 0);
	assert_int_equal(permit(s, PEER), 0);
	world_run(&t->w, 301 * 1000);
	assert_int_equal(turn_tcp_accepted(l->alloc, &from, h), -E_DENIED);
	do_close(t, h);
}

static void a_peer_that_comes_is_told_and_waits_for_30_seconds(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;
	struct handle *l = find(t, true), *h = new_handle(t);
	struct addr from, shown;
	size_t n;

	assert_int_equal(addr_parse(&from, PEER), 0);
	assert_int_equal(permit(s, PEER), 0);
	s->messages = 0;
	assert_int_equal(turn_tcp_accepted(l->alloc, &from, h), 0);
	assert_int_equal(s->messages, 1);
	assert_int_equal(wire_type(s->out), W_CONNECTION_ATTEMPT);
	assert_true(wire_get_xor_addr(s->out, s->len, ATTR_XOR_PEER_ADDRESS, &shown));
	assert_true(addr_equal(&shown, &from));
	assert_non_null(wire_get(s->out, s->len, ATTR_CONNECTION_ID, &n));
	assert_non_null(h->conn);
	world_run(&t->w, 29 * 1000);
	assert_true(h->used);
	world_run(&t->w, 2 * 1000);
	assert_false(h->used);
}

/* Bob's allocation and one of its joined connections. */
static struct handle *bob_calls(struct tcp *t, struct stream *bob)
{
	struct handle *h;

	stream_open(t, bob, "198.51.100.6:1");
	bob->user = "bob";
	bob->password = "hunter2";
	login(bob);
	assert_int_equal(allocate(bob, 6), 0);
	connect_ok(bob, PEER, &h);
	h->joined = bob;
	return h;
}

/* Joined, pending, under way and from a peer. Returns the ID of the pending one. */
static uint32_t alice_calls(struct tcp *t, struct stream *s, struct handle *listener)
{
	struct stream data;
	struct handle *h;
	struct addr from;
	struct wire m;
	uint32_t id;

	bind_ok(t, &data, "198.51.100.5:2", connect_ok(s, PEER, &h));
	assert_ptr_equal(h->joined, &data);
	turn_link_free(data.link);
	id = connect_ok(s, "9.9.9.9:4001", &h);
	start_connect(s, &m, "9.9.9.9:4002");
	tell(s, &m);
	assert_int_equal(permit(s, PEER), 0);
	assert_int_equal(addr_parse(&from, "9.9.9.9:4003"), 0);
	assert_int_equal(turn_tcp_accepted(listener->alloc, &from, new_handle(t)), 0);
	return id;
}

/* Whatever state they are in; an identifier that comes too late opens nothing. */
static void revoked_users_lose_their_connections(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control, bob, data;
	struct handle *listener = find(t, true), *bobs = bob_calls(t, &bob);
	uint32_t id = alice_calls(t, s, listener);

	assert_int_equal(t->open, 2 + 5);
	t->w.alice_gone = true;
	turn_recheck_users(t->w.turn);
	world_run(&t->w, 0);
	assert_int_equal(t->open, 2);
	assert_true(bobs->used);
	assert_int_equal(turn_ports_leased(t->w.ports4), 1);
	data_open(t, &data, "198.51.100.5:3", id);
	assert_int_equal(bind_code(&data, id), 401);
	assert_int_equal(connect_code(s, PEER), 401);
	assert_int_equal(refresh(&bob, 0), 0);
	stream_close(&bob);
	stream_close(&data);
}

/* A policy that no longer has a peer ends the connections to it, joined or under way. */
static void the_policy_changes(void **state)
{
	struct peer_policy *stricter = peer_policy_new();
	struct turn_conf conf;
	struct prefix range;
	struct tcp *t = begin();
	struct stream *s = &t->control;
	struct handle *h, *other;
	struct wire m;

	(void)state;
	assert_int_equal(allocate(s, 6), 0);
	connect_ok(s, "9.9.8.8:4000", &other);
	other->joined = s;
	connect_ok(s, PEER, &h);
	start_connect(s, &m, "9.9.9.9:4001");
	tell(s, &m);
	assert_int_equal(t->open, 1 + 3);
	assert_int_equal(prefix_parse(&range, "9.9.9.0/24"), 0);
	assert_int_equal(peer_policy_deny(stricter, &range), 0);
	conf = t->w.conf;
	conf.policy = stricter;
	turn_set_conf(t->w.turn, &conf);
	assert_int_equal(reply_to(s, &m), 403);
	assert_int_equal(t->open, 1 + 1);
	assert_true(other->used);
	finish(t);
	peer_policy_free(stricter);
}

/* What its lock does not have, a locked credential does not connect to, and nobody from there to
 * it; what the lock loses, ends. */
static void locks_hold_for_connections(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control;
	struct addr peers[2], from;
	struct handle *h, *other;
	struct wire m;

	t->w.alice_locked = true;
	assert_int_equal(allocate(s, 6), 0);
	assert_int_equal(addr_parse(&peers[0], PEER), 0);
	assert_int_equal(addr_parse(&peers[1], "9.9.8.8:1"), 0);
	assert_int_equal(connect_code(s, PEER), 403);
	assert_int_equal(turn_get_stats(t->w.turn)->lock_refusals, 1);
	assert_int_equal(turn_lock_set(t->w.turn, 0, peers, 2), 0);
	connect_ok(s, PEER, &h);
	connect_ok(s, "9.9.8.8:4000", &other);
	other->joined = s;
	assert_int_equal(permit(s, PEER), 0);
	start_connect(s, &m, "9.9.9.9:4001");
	tell(s, &m);
	assert_int_equal(t->open, 1 + 3);
	assert_int_equal(turn_lock_set(t->w.turn, 0, peers + 1, 1), 0);
	assert_int_equal(reply_to(s, &m), 403);
	assert_int_equal(t->open, 1 + 1);
	assert_true(other->used);
	assert_int_equal(addr_parse(&from, PEER), 0);
	assert_int_equal(turn_tcp_accepted(find(t, true)->alloc, &from, NULL), -E_DENIED);
}

/* From one relayed address to another: legal for TCP on TCP ports alone. */
static void hairpins(void **state)
{
	struct tcp *t = *state;
	struct stream *s = &t->control, other, udp;
	struct addr relayed;
	struct handle *h;
	char text[ADDR_STRLEN];

	stream_open(t, &other, "198.51.100.6:1");
	stream_open(t, &udp, "198.51.100.7:1");
	login(&other);
	login(&udp);
	assert_int_equal(allocate(s, 6), 0);
	assert_int_equal(allocate(&other, 6), 0);
	assert_true(wire_get_xor_addr(other.out, other.len, ATTR_XOR_RELAYED_ADDRESS, &relayed));
	connect_ok(s, addr_format(&relayed, text), &h);
	assert_true(addr_equal(&h->peer, &relayed));
	assert_int_equal(allocate(&udp, 17), 0);
	assert_true(wire_get_xor_addr(udp.out, udp.len, ATTR_XOR_RELAYED_ADDRESS, &relayed));
	assert_int_equal(connect_code(s, addr_format(&relayed, text)), 403);
	stream_close(&other);
	stream_close(&udp);
}

#define T(f)         cmocka_unit_test_setup_teardown(f, setup, teardown)
#define ALLOCATED(f) cmocka_unit_test_setup_teardown(f, setup_allocated, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_tcp_allocation_is_for_streams),
	    T(a_tcp_allocation_comes_without_a_reservation),
	    T(connect_needs_a_tcp_allocation),
	    T(a_nonce_ends_with_its_allocation),
	    T(without_a_socket_no_port_stays_leased),
	    ALLOCATED(a_tcp_allocation_listens_on_the_port_it_leases),
	    ALLOCATED(a_tcp_allocation_relays_no_datagrams),
	    ALLOCATED(connect_needs_a_peer),
	    ALLOCATED(no_forbidden_peer_is_called),
	    ALLOCATED(a_peer_that_cannot_be_reached_is_447),
	    ALLOCATED(a_peer_is_connected_to_once_at_a_time),
	    ALLOCATED(a_connection_is_bound_once),
	    ALLOCATED(a_bound_connection_has_no_deadline),
	    ALLOCATED(a_connection_that_nobody_binds_ends_after_30_seconds),
	    ALLOCATED(connections_have_a_limit_and_end_with_their_allocation),
	    cmocka_unit_test(connects_with_a_token),
	    ALLOCATED(only_a_stream_of_its_own_is_bound),
	    ALLOCATED(credentials_are_checked_before_the_id),
	    ALLOCATED(only_the_user_of_the_allocation_binds),
	    ALLOCATED(the_id_of_another_worker_goes_there),
	    cmocka_unit_test(an_expired_credential_serves_a_running_call),
	    ALLOCATED(a_peer_needs_a_permission_which_ends),
	    ALLOCATED(a_peer_that_comes_is_told_and_waits_for_30_seconds),
	    ALLOCATED(revoked_users_lose_their_connections),
	    cmocka_unit_test(the_policy_changes),
	    T(locks_hold_for_connections),
	    T(hairpins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
