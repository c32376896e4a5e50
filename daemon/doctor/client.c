/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The doctor's client. Written with turn/stun_msg.h, read by itself, as that
 * knows what servers get, not what clients do.
 */
#include "daemon/doctor/client.h"

#include "daemon/admin/admin_socket.h"
#include "daemon/endpoint.h"

#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define TRIES       3
#define TRY_MS      700
#define UDP         17
#define SLICE_S     1
#define CATCH_UP_MS 15000

const char *client_transport_name(enum client_transport t)
{
	static const char *const names[] = {"UDP", "TCP", "TLS", "DTLS"};

	return names[t];
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_stream(const struct client *c)
{
	return c->transport == CLIENT_TCP || c->transport == CLIENT_TLS;
}

static int from_errno(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINPROGRESS || err == ETIMEDOUT
	           ? -E_TIMEOUT
	       : err == ECONNREFUSED || err == ECONNRESET || err == EPIPE ? -E_CLOSED
	                                                                  : -E_IO;
}

/* Its workers are asked for something: what came to them before that, they have read. */
void client_await_server(const struct client *c)
{
	long long until = now_ms() + CATCH_UP_MS;
	bool again = true;

	while (again && now_ms() < until) {
		json_t *said = NULL;
		struct why why;

		again = !admin_ask(c->conf->data, "sessions", json_pack("{si}", "limit", 1), &said,
		                   &why) &&
		        json_is_false(json_object_get(said, "complete"));
		json_decref(said);
	}
}

static int handshake(struct client *c, int wait_ms)
{
	bool dtls = c->transport == CLIENT_DTLS, last = false;
	long long until = now_ms() + wait_ms * (TRIES - 1) / TRIES;
	int r;

	c->ctx = SSL_CTX_new(dtls ? DTLS_client_method() : TLS_client_method());
	c->ssl = c->ctx ? SSL_new(c->ctx) : NULL;
	if (!c->ssl)
		return -E_NOMEM;
	if (dtls) {
		BIO *bio = BIO_new_dgram(c->fd, BIO_NOCLOSE);
		struct addr to;
		socklen_t len = sizeof(to);

		if (!bio)
			return -E_NOMEM;
		if (!getpeername(c->fd, &to.sa, &len))
			BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &to);
		SSL_set_bio(c->ssl, bio, bio);
		SSL_set_options(c->ssl, SSL_OP_NO_QUERY_MTU);
		SSL_set_mtu(c->ssl, 1200);
	} else {
		SSL_set_fd(c->ssl, c->fd);
	}
	while ((r = SSL_connect(c->ssl)) != 1) {
		int e = SSL_get_error(c->ssl, r);

		if (now_ms() >= until) {
			if (last)
				return -E_TIMEOUT;
			last = true;
			client_await_server(c);
			until = now_ms() + wait_ms / TRIES;
		}
		if (e == SSL_ERROR_WANT_READ && dtls)
			DTLSv1_handle_timeout(c->ssl);
		else if (e == SSL_ERROR_SYSCALL && errno)
			return from_errno(errno);
		else if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
			return -E_CLOSED;
	}
	return 0;
}

int client_open(struct client *c, enum client_transport t, const struct addr *server,
                const struct addr *from, const struct conf *conf, int wait_ms)
{
	struct timeval slice = {.tv_sec = SLICE_S};
	bool stream = t == CLIENT_TCP || t == CLIENT_TLS;

	memset(c, 0, sizeof(*c));
	c->transport = t;
	c->conf = conf;
	c->fd = socket(addr_family(server), (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return from_errno(errno);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice));
	slice.tv_sec = wait_ms / 1000 + 1; /* of connect(), too */
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof(slice));
	if ((from && bind(c->fd, &from->sa, addr_len(from))) ||
	    connect(c->fd, &server->sa, addr_len(server)) ||
	    (stream && endpoint_greet(conf, c->fd)))
		return from_errno(errno);
	return t == CLIENT_TLS || t == CLIENT_DTLS ? handshake(c, wait_ms) : 0;
}

void client_close(struct client *c)
{
	if (c->ssl)
		SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->ssl = NULL;
	c->ctx = NULL;
}

static int put(struct client *c, const void *data, size_t len)
{
	ssize_t n =
	    c->ssl ? SSL_write(c->ssl, data, (int)len) : send(c->fd, data, len, MSG_NOSIGNAL);

	return n == (ssize_t)len ? 0 : n < 0 && !c->ssl ? from_errno(errno) : -E_CLOSED;
}

/* Up to len bytes, or one datagram. -E_TIMEOUT at the time until. */
static ssize_t get(struct client *c, void *buf, size_t len, long long until)
{
	for (;;) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		long long left = until - now_ms();
		ssize_t n;

		if (!(c->ssl && SSL_pending(c->ssl)) && poll(&p, 1, left > 0 ? (int)left : 0) != 1)
			return -E_TIMEOUT;
		n = c->ssl ? SSL_read(c->ssl, buf, (int)len) : recv(c->fd, buf, len, 0);
		if (n > 0)
			return n;
		if (c->ssl && SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ)
			continue;
		return n < 0 && !c->ssl ? from_errno(errno) : -E_CLOSED;
	}
}

static int fill(struct client *c, size_t want, long long until)
{
	while (c->in_len < want) {
		ssize_t n = want > sizeof(c->in)
		                ? -E_PARSE
		                : get(c, c->in + c->in_len, want - c->in_len, until);

		if (n < 0)
			return (int)n;
		c->in_len += (size_t)n;
	}
	return 0;
}

static int receive_from_stream(struct client *c, long long until)
{
	size_t body;
	int r = fill(c, 4, until);

	if (r)
		return r;
	body = (size_t)c->in[2] << 8 | c->in[3];
	return fill(c, c->in[0] & 0x40 ? 4 + ((body + 3) & ~(size_t)3) : STUN_HEADER_LEN + body,
	            until);
}

/* The next message into c->in. */
static int receive(struct client *c, long long until)
{
	ssize_t n;
	int r;

	if (!c->in_part)
		c->in_len = 0;
	if (!is_stream(c)) {
		n = get(c, c->in, sizeof(c->in), until);
		if (n < 0)
			return (int)n;
		c->in_len = (size_t)n;
		return n < 4 ? -E_PARSE : 0;
	}
	r = receive_from_stream(c, until);
	c->in_part = r == -E_TIMEOUT;
	return r;
}

static const uint8_t *find(const struct client *c, uint16_t type, size_t *len)
{
	for (size_t at = STUN_HEADER_LEN; at + 4 <= c->in_len;) {
		const uint8_t *a = c->in + at;
		size_t n = (size_t)a[2] << 8 | a[3];

		if (at + 4 + n > c->in_len)
			return NULL;
		if ((a[0] << 8 | a[1]) == type) {
			*len = n;
			return a + 4;
		}
		at += 4 + ((n + 3) & ~(size_t)3);
	}
	return NULL;
}

static int find_addr(const struct client *c, uint16_t type, struct addr *out)
{
	size_t len;
	const uint8_t *v = find(c, type, &len);
	uint8_t ip[16];

	if (!v || len < 8 || len != (v[1] == 2 ? 20U : 8U))
		return -E_PARSE;
	for (size_t i = 0; i < len - 4; i++) /* cookie and transaction ID follow each other */
		ip[i] = v[4 + i] ^ c->in[4 + i];
	addr_from_bytes(out, ip, len - 4, (uint16_t)((v[2] ^ c->in[4]) << 8 | (v[3] ^ c->in[5])));
	return 0;
}

static void learn(const struct client *c, uint16_t type, char *out, size_t size)
{
	size_t len;
	const uint8_t *v = find(c, type, &len);

	if (v && len < size) {
		memcpy(out, v, len);
		out[len] = 0;
	}
}

/* RFC 8489 section 9.2.2 */
static int make_key(struct client *c)
{
	char text[2048]; /* the longest name, realm and password fit */
	unsigned len = 0;

	snprintf(text, sizeof(text), "%s:%s:%s", c->user, c->realm, c->password);
	if (!EVP_Digest(text, strlen(text), c->key.bytes, &len, EVP_md5(), NULL))
		return -E_IO;
	c->key.len = (uint8_t)len;
	c->has_key = true;
	return 0;
}

struct request {
	enum stun_method method;
	const struct addr *peer;
	uint16_t channel;
	uint32_t lifetime;
};

static void write_request(struct client *c, const struct request *q, uint8_t *tid,
                          struct stun_out *o, uint8_t *buf, size_t cap)
{
	const uint8_t udp[4] = {UDP},
	              channel[4] = {(uint8_t)(q->channel >> 8), (uint8_t)q->channel};

	stun_out_indication(o, buf, cap, q->method, tid);
	buf[1] &= 0xef; /* the class: a request */
	if (q->method == STUN_ALLOCATE)
		stun_out_add(o, 0x0019, udp, sizeof(udp)); /* REQUESTED-TRANSPORT */
	if (q->method == STUN_REFRESH)
		stun_out_add_u32(o, STUN_TYPE_LIFETIME, q->lifetime);
	if (q->channel)
		stun_out_add(o, 0x000c, channel, sizeof(channel)); /* CHANNEL-NUMBER */
	if (q->peer)
		stun_out_add_xor_addr(o, STUN_TYPE_XOR_PEER_ADDRESS, q->peer);
	if (!c->has_key)
		return;
	stun_out_add(o, 0x0006, c->user, strlen(c->user)); /* USERNAME */
	stun_out_add(o, STUN_TYPE_REALM, c->realm, strlen(c->realm));
	stun_out_add(o, STUN_TYPE_NONCE, c->nonce, strlen(c->nonce));
	stun_out_add_integrity(o, STUN_SHA1, &c->key);
}

static int outcome(const struct client *c)
{
	size_t len;
	const uint8_t *v;

	if (!(c->in[0] & 1)) /* the class: a request or an indication */
		return -E_PARSE;
	if (!(c->in[1] & 0x10))
		return 0;
	v = find(c, STUN_TYPE_ERROR_CODE, &len);
	return v && len >= 4 ? (v[2] & 7) * 100 + v[3] : -E_PARSE;
}

static int ask_once(struct client *c, const struct request *q)
{
	_Alignas(8) uint8_t buf[CLIENT_MSG_MAX];
	uint8_t tid[STUN_TID_LEN];
	struct stun_out o;
	int r = -E_TIMEOUT;

	if (getrandom(tid, sizeof(tid), 0) != sizeof(tid))
		return -E_IO;
	write_request(c, q, tid, &o, buf, sizeof(buf));
	if (o.failed)
		return -E_ROOM;
	for (int i = 0; i < TRIES; i++) {
		long long until;

		if (i == TRIES - 1)
			client_await_server(c);
		until = now_ms() + TRY_MS;
		r = is_stream(c) && i ? 0 : put(c, buf, o.len);
		while (!r && !(r = receive(c, until)))
			if (c->in_len >= STUN_HEADER_LEN && !memcmp(c->in + 8, tid, sizeof(tid)))
				return outcome(c);
		if (r != -E_TIMEOUT)
			break;
	}
	return r;
}

static int ask(struct client *c, const struct request *q)
{
	int r = ask_once(c, q);

	for (int i = 0; i < 2 && (r == 438 || (r == 401 && !c->has_key)) && c->user; i++) {
		learn(c, STUN_TYPE_REALM, c->realm, sizeof(c->realm));
		learn(c, STUN_TYPE_NONCE, c->nonce, sizeof(c->nonce));
		if (make_key(c))
			return -E_IO;
		r = ask_once(c, q);
	}
	return r;
}

int client_binding(struct client *c, struct addr *mapped)
{
	const struct request q = {.method = STUN_BINDING};
	int r = ask(c, &q);

	return r ? r : find_addr(c, STUN_TYPE_XOR_MAPPED_ADDRESS, mapped);
}

int client_allocate(struct client *c, struct addr *relayed)
{
	const struct request q = {.method = STUN_ALLOCATE};
	int r = ask(c, &q);

	return r ? r : find_addr(c, STUN_TYPE_XOR_RELAYED_ADDRESS, relayed);
}

int client_permit(struct client *c, const struct addr *peer)
{
	const struct request q = {.method = STUN_CREATE_PERMISSION, .peer = peer};

	return ask(c, &q);
}

int client_bind(struct client *c, uint16_t channel, const struct addr *peer)
{
	const struct request q = {.method = STUN_CHANNEL_BIND, .peer = peer, .channel = channel};

	return ask(c, &q);
}

int client_release(struct client *c)
{
	const struct request q = {.method = STUN_REFRESH, .lifetime = 0};

	return ask(c, &q);
}

int client_send(struct client *c, uint16_t channel, const struct addr *peer, const char *text)
{
	_Alignas(8) uint8_t buf[512] = {(uint8_t)(channel >> 8), (uint8_t)channel};
	uint8_t tid[STUN_TID_LEN] = {(uint8_t)++c->tid};
	size_t len = strlen(text);
	struct stun_out o;

	if (channel) {
		if (len + 8 > sizeof(buf))
			return -E_ROOM;
		buf[2] = (uint8_t)(len >> 8);
		buf[3] = (uint8_t)len;
		memcpy(buf + 4, text, len);
		return put(c, buf, 4 + (is_stream(c) ? (len + 3) & ~(size_t)3 : len));
	}
	stun_out_indication(&o, buf, sizeof(buf), STUN_SEND, tid);
	stun_out_add_xor_addr(&o, STUN_TYPE_XOR_PEER_ADDRESS, peer);
	stun_out_add(&o, STUN_TYPE_DATA, text, len);
	return o.failed ? -E_ROOM : put(c, buf, o.len);
}

int client_receive(struct client *c, const char *want, int wait_ms)
{
	long long until = now_ms() + wait_ms;
	size_t len = strlen(want), got;
	const uint8_t *v;
	int r;

	while (!(r = receive(c, until))) {
		if (c->in[0] & 0x40) {
			v = c->in + 4;
			got = (size_t)c->in[2] << 8 | c->in[3];
			if (got + 4 > c->in_len)
				continue;
		} else if (!(v = find(c, STUN_TYPE_DATA, &got))) {
			continue;
		}
		if (got == len && !memcmp(v, want, len))
			return 0;
	}
	return r;
}
