/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The client that waits.
 */
#include "turn/wire/talker.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define WAIT_MS      3000
#define READ_SLICE_S 1  /* a blocking read of OpenSSL comes back so often */
#define WRITE_S      30 /* while nothing is taken */
#define CHALLENGES   2  /* that a whole request answers */

const char *talker_transport_name(enum talker_transport t)
{
	static const char *const names[] = {"UDP", "TCP", "TLS", "DTLS"};

	return names[t];
}

bool talker_is_stream(const struct talker *t)
{
	return t->transport == TALKER_TCP || t->transport == TALKER_TLS;
}

static int from_errno(int err)
{
	switch (err) {
	case EAGAIN:
	case EINPROGRESS:
	case ETIMEDOUT:
		return -E_TIMEOUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
		return -E_CLOSED;
	default:
		return -E_IO;
	}
}

/* ---- the connection ---- */

int talker_connect(struct talker *t, enum talker_transport transport, const struct addr *server,
                   const struct addr *from)
{
	const struct timeval slice = {.tv_sec = READ_SLICE_S},
	                     connect_limit = {.tv_sec = WAIT_MS / 1000},
	                     write_limit = {.tv_sec = WRITE_S};
	int type;

	memset(t, 0, offsetof(struct talker, in));
	t->in.len = 0;
	t->in_part = false;
	t->transport = transport;
	t->tries = 1;
	t->wait_ms = WAIT_MS;
	type = talker_is_stream(t) ? SOCK_STREAM : SOCK_DGRAM;
	t->fd = socket(addr_family(server), type | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		return from_errno(errno);
	if (talker_is_stream(t))
		setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice));
	setsockopt(t->fd, SOL_SOCKET, SO_SNDTIMEO, &connect_limit, sizeof(connect_limit));
	if (getrandom(t->salt, sizeof(t->salt), 0) != sizeof(t->salt) ||
	    (from && bind(t->fd, &from->sa, addr_len(from))) ||
	    connect(t->fd, &server->sa, addr_len(server)))
		return from_errno(errno);
	setsockopt(t->fd, SOL_SOCKET, SO_SNDTIMEO, &write_limit, sizeof(write_limit));
	return 0;
}

static int start_ssl(struct talker *t)
{
	bool dtls = t->transport == TALKER_DTLS;
	struct addr to;
	socklen_t len = sizeof(to);
	BIO *bio;

	t->ctx = SSL_CTX_new(dtls ? DTLS_client_method() : TLS_client_method());
	t->ssl = t->ctx ? SSL_new(t->ctx) : NULL;
	bio = !t->ssl ? NULL
	      : dtls  ? BIO_new_dgram(t->fd, BIO_NOCLOSE)
	              : BIO_new_socket(t->fd, BIO_NOCLOSE);
	if (!bio)
		return -E_NOMEM;
	SSL_set_bio(t->ssl, bio, bio);
	if (t->alpn)
		SSL_set_alpn_protos(t->ssl, (const uint8_t *)t->alpn, (unsigned)strlen(t->alpn));
	if (dtls) {
		if (!getpeername(t->fd, &to.sa, &len))
			BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &to);
		SSL_set_options(t->ssl, SSL_OP_NO_QUERY_MTU);
		SSL_set_mtu(t->ssl, 1200);
	}
	return 0;
}

int talker_handshake(struct talker *t)
{
	int64_t until = clock_mono_ms() + (int64_t)t->wait_ms * t->tries;
	int64_t last = until - t->wait_ms;
	int r = t->ssl ? 0 : start_ssl(t);

	if (r)
		return r;
	while ((r = SSL_connect(t->ssl)) != 1) {
		int e = SSL_get_error(t->ssl, r), err = errno;

		ERR_clear_error();
		if (t->last_try && clock_mono_ms() >= last) {
			t->last_try(t->arg);
			until = clock_mono_ms() + t->wait_ms;
			last = INT64_MAX;
		}
		if (clock_mono_ms() >= until)
			return -E_TIMEOUT;
		if (e == SSL_ERROR_WANT_READ && t->transport == TALKER_DTLS)
			DTLSv1_handle_timeout(t->ssl);
		else if (e == SSL_ERROR_SYSCALL && err)
			return from_errno(err);
		else if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
			return -E_CLOSED;
	}
	return 0;
}

void talker_close(struct talker *t)
{
	if (t->ssl && SSL_is_init_finished(t->ssl))
		SSL_shutdown(t->ssl);
	ERR_clear_error();
	SSL_free(t->ssl);
	SSL_CTX_free(t->ctx);
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->ssl = NULL;
	t->ctx = NULL;
}

/* ---- bytes ---- */

int talker_send(struct talker *t, const void *data, size_t len)
{
	size_t sent = 0;

	if (t->ssl)
		return SSL_write(t->ssl, data, (int)len) == (int)len ? 0 : -E_CLOSED;
	do { /* a stream takes a part */
		ssize_t n = send(t->fd, (const uint8_t *)data + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0)
			return from_errno(errno);
		sent += (size_t)n;
	} while (sent < len);
	return 0;
}

static bool is_readable(const struct talker *t, int64_t wait_ms)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};

	return (t->ssl && SSL_pending(t->ssl)) || poll(&p, 1, wait_ms > 0 ? (int)wait_ms : 0) == 1;
}

/* Up to len bytes, or one datagram. */
static ssize_t get(struct talker *t, void *buf, size_t len, int64_t until)
{
	for (;;) {
		ssize_t n;

		if (!is_readable(t, until - clock_mono_ms()))
			return -E_TIMEOUT;
		n = t->ssl ? SSL_read(t->ssl, buf, (int)len) : recv(t->fd, buf, len, 0);
		if (n > 0 || (!n && !t->ssl && !talker_is_stream(t)))
			return n;
		if (t->ssl && SSL_get_error(t->ssl, (int)n) == SSL_ERROR_WANT_READ)
			continue;
		ERR_clear_error();
		return n < 0 && !t->ssl ? from_errno(errno) : -E_CLOSED;
	}
}

static int get_all(struct talker *t, uint8_t *out, size_t *have, size_t want, int64_t until)
{
	while (*have < want) {
		ssize_t n = get(t, out + *have, want - *have, until);

		if (n < 0)
			return (int)n;
		*have += (size_t)n;
	}
	return 0;
}

int talker_read(struct talker *t, void *out, size_t len, int wait_ms)
{
	size_t have = 0;

	return get_all(t, out, &have, len, clock_mono_ms() + wait_ms);
}

static int receive(struct talker *t, int64_t until)
{
	ssize_t n;
	int r;

	if (!t->in_part)
		t->in.len = 0;
	if (!talker_is_stream(t)) {
		n = get(t, t->in.buf, sizeof(t->in.buf), until);
		t->in.len = n > 0 ? (size_t)n : 0;
		return n < 0 ? (int)n : 0;
	}
	r = get_all(t, t->in.buf, &t->in.len, 4, until);
	if (!r)
		r = get_all(t, t->in.buf, &t->in.len, wire_frame_len(t->in.buf, 4), until);
	t->in_part = r == -E_TIMEOUT;
	return r;
}

int talker_receive(struct talker *t, int wait_ms)
{
	return receive(t, clock_mono_ms() + wait_ms);
}

bool talker_is_left(struct talker *t, int wait_ms)
{
	uint8_t byte;

	return is_readable(t, wait_ms) && recv(t->fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

/* ---- requests ---- */

/* A transaction ID that nobody guesses: RFC 8489 section 5. */
static void start(struct talker *t, struct wire *m, uint16_t type)
{
	wire_start(m, type, ++t->tid);
	memcpy(m->buf + 8, t->salt, sizeof(t->salt));
}

void talker_request(struct talker *t, struct wire *m, uint16_t type)
{
	start(t, m, type);
	if (!t->nonce[0])
		return;
	wire_add(m, ATTR_USERNAME, t->user, t->user_len ? t->user_len : strlen(t->user));
	wire_add_str(m, ATTR_REALM, t->realm);
	wire_add_str(m, ATTR_NONCE, t->nonce);
}

void talker_key(const struct talker *t, uint8_t key[16])
{
	size_t n = t->user_len ? t->user_len : strlen(t->user);
	char text[2000];
	int len;

	memcpy(text, t->user, n);
	len = snprintf(text + n, sizeof(text) - n, ":%s:%s", t->realm, t->password);
	EVP_Digest(text, n + (size_t)len, key, NULL, EVP_md5(), NULL);
}

/* Until the answer to m is in t->in. */
static int await_answer(struct talker *t, const struct wire *m, int64_t until)
{
	int r;

	while (!(r = receive(t, until))) {
		const uint8_t *in = t->in.buf;

		if (t->in.len >= WIRE_HEADER_LEN && in[0] < 4 && wire_type(in) & W_SUCCESS &&
		    !memcmp(in + 8, m->buf + 8, WIRE_TID_LEN))
			return 0;
		if (t->meanwhile)
			t->meanwhile(t->arg, in, t->in.len);
	}
	return r;
}

int talker_say(struct talker *t, const struct wire *m)
{
	int r = -E_TIMEOUT, err;
	socklen_t len = sizeof(err);

	if (!talker_is_stream(t)) /* what ICMP said of something earlier */
		getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	for (int i = 0; i < t->tries && r == -E_TIMEOUT; i++) {
		if (t->last_try && i == t->tries - 1)
			t->last_try(t->arg);
		r = talker_is_stream(t) && i ? 0 : talker_send(t, m->buf, m->len);
		if (!r)
			r = await_answer(t, m, clock_mono_ms() + t->wait_ms);
	}
	if (r)
		return r;
	wire_get_str(t->in.buf, t->in.len, ATTR_REALM, t->realm, sizeof(t->realm));
	wire_get_str(t->in.buf, t->in.len, ATTR_NONCE, t->nonce, sizeof(t->nonce));
	err = wire_error(t->in.buf, t->in.len);
	return !err && (wire_type(t->in.buf) & W_ERROR) == W_ERROR ? -E_PARSE : err;
}

int talker_ask(struct talker *t, struct wire *m)
{
	uint8_t key[16];

	if (t->nonce[0]) {
		talker_key(t, key);
		wire_add_integrity(m, key);
	}
	return talker_say(t, m);
}

/* The content of a whole request; 0 and NULL leave a part out. */
struct request {
	uint16_t type, channel;
	uint8_t protocol;
	bool has_lifetime;
	uint32_t lifetime_s;
	const struct addr *peer;
};

static int ask_for(struct talker *t, const struct request *q)
{
	struct wire m;
	int code = 401;

	for (int i = 0; i <= CHALLENGES; i++) {
		bool signs = t->nonce[0];

		talker_request(t, &m, q->type);
		if (q->protocol)
			wire_add_transport(&m, q->protocol);
		if (q->has_lifetime)
			wire_add_u32(&m, ATTR_LIFETIME, q->lifetime_s);
		if (q->channel)
			wire_add_channel(&m, q->channel);
		if (q->peer)
			wire_add_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, q->peer);
		code = talker_ask(t, &m);
		if (!t->user || !t->nonce[0] || (code != 438 && (code != 401 || signs)))
			break;
	}
	return code;
}

int talker_binding(struct talker *t, struct addr *mapped)
{
	struct wire m;
	int r;

	start(t, &m, W_BINDING);
	r = talker_say(t, &m);
	if (r)
		return r;
	return wire_get_xor_addr(t->in.buf, t->in.len, ATTR_XOR_MAPPED_ADDRESS, mapped) ? 0
	                                                                                : -E_PARSE;
}

int talker_allocate(struct talker *t, uint8_t protocol)
{
	const struct request q = {.type = W_ALLOCATE, .protocol = protocol};
	int r = ask_for(t, &q);

	if (r)
		return r;
	return wire_get_xor_addr(t->in.buf, t->in.len, ATTR_XOR_RELAYED_ADDRESS, &t->relayed)
	           ? 0
	           : -E_PARSE;
}

int talker_refresh(struct talker *t, uint32_t lifetime_s)
{
	const struct request q = {
	    .type = W_REFRESH, .has_lifetime = true, .lifetime_s = lifetime_s};

	return ask_for(t, &q);
}

int talker_permit(struct talker *t, const struct addr *peer)
{
	const struct request q = {.type = W_CREATE_PERMISSION, .peer = peer};

	return ask_for(t, &q);
}

int talker_bind(struct talker *t, uint16_t channel, const struct addr *peer)
{
	const struct request q = {.type = W_CHANNEL_BIND, .channel = channel, .peer = peer};

	return ask_for(t, &q);
}

/* ---- data ---- */

int talker_relay(struct talker *t, uint16_t channel, const struct addr *peer, const void *data,
                 size_t len)
{
	struct wire m;

	if (channel) {
		wire_channel_data(&m, channel, data, len, talker_is_stream(t));
	} else {
		start(t, &m, W_SEND);
		wire_add_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, peer);
		wire_add(&m, ATTR_DATA, data, len);
	}
	return talker_send(t, m.buf, m.len);
}

int talker_await(struct talker *t, const void *data, size_t len, int wait_ms)
{
	int64_t until = clock_mono_ms() + wait_ms;
	int r;

	while (!(r = receive(t, until))) {
		size_t got;
		const uint8_t *v = wire_payload(t->in.buf, t->in.len, &got);

		if (v && got == len && !memcmp(v, data, len))
			return 0;
	}
	return r;
}
