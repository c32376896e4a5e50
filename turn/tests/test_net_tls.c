/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TLS and DTLS to the client with OpenSSL on the other side: versions, ALPN,
 * HTTP inside TLS, certificates that change, the cookie before any state.
 */
#include "base/tests/test.h"
#include "turn/tests/net_world.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STUN_TURN "\x09stun.turn"
#define DISCOVERY "\x12stun.nat-discovery"
#define RECORD    13

static struct srv s;

/* 1 when the handshake succeeds. */
static int tls_open(struct talker *c, int version, const char *alpn)
{
	client_open(&s, c, 1);
	c->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(c->ctx, 0);
	SSL_CTX_set_min_proto_version(c->ctx, version);
	SSL_CTX_set_max_proto_version(c->ctx, version);
	c->ssl = SSL_new(c->ctx);
	SSL_set_fd(c->ssl, c->fd);
	if (alpn)
		SSL_set_alpn_protos(c->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	return SSL_connect(c->ssl);
}

static bool selected(const SSL *ssl, const char *name)
{
	const unsigned char *at;
	unsigned int len;

	SSL_get0_alpn_selected(ssl, &at, &len);
	return len == strlen(name) && (!len || !memcmp(at, name, len));
}

static bool has_cert_of(const SSL *ssl, const char *name)
{
	X509 *x = SSL_get1_peer_certificate(ssl);
	char text[64] = "";

	X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, text, sizeof(text));
	X509_free(x);
	return !strcmp(text, name);
}

static void tls_versions(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct talker c;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(tls_open(&c, versions[i], NULL), 1);
		assert_true(selected(c.ssl, ""));
		assert_true(client_binding_works(&c));
		assert_int_equal(talker_allocate(&c, IPPROTO_UDP), 0);
		assert_int_equal(srv_allocations(&s), 1);
		talker_close(&c);
		assert_int_equal(srv_allocations(&s), 0);
		assert_int_equal(tls_open(&c, versions[i], STUN_TURN), 1);
		assert_true(selected(c.ssl, "stun.turn"));
		assert_true(client_binding_works(&c));
		talker_close(&c);
		assert_int_equal(tls_open(&c, versions[i],
		                          "\x03"
		                          "foo" DISCOVERY),
		                 1);
		assert_true(selected(c.ssl, "stun.nat-discovery"));
		talker_close(&c);
		/* RFC 7301: nothing in common is fatal */
		assert_int_not_equal(tls_open(&c, versions[i],
		                              "\x03"
		                              "foo"),
		                     1);
		talker_close(&c);
	}
	assert_int_not_equal(tls_open(&c, TLS1_1_VERSION, NULL), 1);
	talker_close(&c);
	assert_int_equal(srv_streams(&s), 0);
	ERR_clear_error();
	srv_stop(&s);
}

/* Cuts inside TLS records and between them. */
static void tls_cut(void **state)
{
	struct talker c;
	struct wire m;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	assert_int_equal(tls_open(&c, TLS1_3_VERSION, NULL), 1);
	for (size_t cut = 1; cut < 20; cut++) {
		wire_start(&m, W_BINDING, (uint32_t)cut);
		client_send(&c, m.buf, cut);
		srv_sync(&s);
		client_send(&c, m.buf + cut, 20 - cut);
		assert_true(client_read(&c));
		assert_int_equal(c.in.buf[19], cut);
	}
	talker_close(&c);
	srv_stop(&s);
}

#define MANY     120
#define LONGEST  16000
#define RAW_ROOM 400000

/* Sizes from one byte to nearly a record of the longest kind. */
static size_t many_size(uint32_t n)
{
	return n % 10 == 9 ? LONGEST : 4 + n * 37 % 1200;
}

/* Records of ChannelData, a message each, and TLS's good-bye behind them. */
static size_t write_many(SSL *ssl, uint8_t *raw)
{
	static uint8_t m[4 + LONGEST] = {0x40};
	int len;

	SSL_set0_wbio(ssl, BIO_new(BIO_s_mem()));
	for (uint32_t n = 0; n < MANY; n++) {
		size_t size = many_size(n);

		m[2] = (uint8_t)(size >> 8);
		m[3] = (uint8_t)size;
		memset(m + 4, (int)n, size);
		memcpy(m + 4, &n, sizeof(n));
		assert_true(SSL_write(ssl, m, (int)(4 + (size + 3) / 4 * 4)) > 0);
	}
	SSL_shutdown(ssl);
	len = BIO_read(SSL_get_wbio(ssl), raw, RAW_ROOM);
	assert_in_range(len, 1, RAW_ROOM - 1);
	return (size_t)len;
}

static void hear_many(int peer_fd, uint32_t *next, int flags)
{
	static uint8_t got[LONGEST + 1];
	ssize_t n;

	while (*next < MANY && (n = recv(peer_fd, got, sizeof(got), flags)) > 0) {
		assert_int_equal(n, many_size(*next));
		assert_memory_equal(got, next, sizeof(*next));
		for (ssize_t i = sizeof(*next); i < n; i++)
			assert_int_equal(got[i], *next);
		(*next)++;
	}
}

/* Many records in one read and parts of them; the end behind them, with no FIN to tell of it. */
static void tls_many_records(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	static const size_t pieces[] = {RAW_ROOM, 60000, 16413, 9973};
	static uint8_t raw[RAW_ROOM];
	struct talker c;
	struct addr peer;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	for (size_t i = 0; i < 8; i++) {
		size_t piece = pieces[i / 2], len;
		int peer_fd = open_loopback(SOCK_DGRAM, &peer), room = 4 << 20;
		uint32_t next = 0;

		setsockopt(peer_fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
		assert_int_equal(tls_open(&c, versions[i % 2], NULL), 1);
		assert_int_equal(talker_allocate(&c, IPPROTO_UDP), 0);
		assert_int_equal(talker_bind(&c, 0x4000, &peer), 0);
		len = write_many(c.ssl, raw);
		for (size_t at = 0; at < len; at += piece) {
			size_t n = piece < len - at ? piece : len - at;

			assert_int_equal(send(c.fd, raw + at, n, 0), n);
			srv_sync(&s);
			hear_many(peer_fd, &next, MSG_DONTWAIT);
		}
		hear_many(peer_fd, &next, 0);
		assert_int_equal(next, MANY);
		assert_false(client_read(&c));
		assert_int_equal(SSL_get_error(c.ssl, 0), SSL_ERROR_ZERO_RETURN);
		talker_close(&c);
		close(peer_fd);
	}
	assert_int_equal(srv_streams(&s), 0);
	srv_stop(&s);
}

/* A client with an allocation and a channel to a peer, whose socket this returns. */
static int bound_client(struct talker *c, bool tls)
{
	struct addr peer;
	int peer_fd = open_loopback(SOCK_DGRAM, &peer);

	if (tls)
		assert_int_equal(tls_open(c, TLS1_3_VERSION, NULL), 1);
	else
		client_open(&s, c, 0);
	assert_int_equal(talker_allocate(c, IPPROTO_UDP), 0);
	assert_int_equal(talker_bind(c, 0x4000, &peer), 0);
	assert_int_equal(connect(peer_fd, &c->relayed.sa, addr_len(&c->relayed)), 0);
	return peer_fd;
}

#define TOGETHER 16

static void do_send_together(struct srv *srv, void *arg)
{
	(void)srv;
	for (uint8_t i = 0; i < TOGETHER; i++)
		assert_int_equal(send(*(int *)arg, &i, 1, 0), 1);
}

static unsigned segments(const struct talker *c)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	assert_int_equal(getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_data_segs_in;
}

/* Messages of one turn of the loop leave in one segment; over TLS each in its own record. */
static void one_write_a_turn(void **state)
{
	struct talker c;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	for (int tls = 0; tls < 2; tls++) {
		int peer_fd = bound_client(&c, tls);
		unsigned before = segments(&c);

		srv_do(&s, do_send_together, &peer_fd); /* the loop's turn is not over meanwhile */
		for (uint8_t i = 0; i < TOGETHER; i++) {
			uint8_t frame[100];

			if (tls)
				assert_int_equal(SSL_read(c.ssl, frame, sizeof(frame)), 8);
			else
				assert_int_equal(recv(c.fd, frame, 8, MSG_WAITALL), 8);
			assert_int_equal(frame[4], i);
		}
		assert_in_range(segments(&c) - before, 1, 2);
		talker_close(&c);
		close(peer_fd);
	}
	srv_stop(&s);
}

/* A client that does not read loses whole messages, and the records are in step afterwards. */
static void tls_slow_reader(void **state)
{
	enum { PACKETS = 20000, SIZE = 1000, LAST = SIZE - 4 };
	static uint8_t data[SIZE];
	struct talker c;
	uint32_t i, last = 0, got = 0;
	int peer_fd, small = 65536;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	peer_fd = bound_client(&c, true);
	setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (i = 0; i < PACKETS; i++) {
		memcpy(data, &i, sizeof(i));
		assert_int_equal(send(peer_fd, data, SIZE, 0), SIZE);
		if (i % 64 == 0)
			srv_sync(&s);
	}
	srv_sync(&s);
	assert_true(srv_stats(&s).slow_client_drops > 1000);
	for (;; got++) {
		assert_true(client_read(&c));
		if (c.in.len == 4 + LAST)
			break;
		assert_int_equal(c.in.len, 4 + SIZE);
		memcpy(&i, c.in.buf + 4, sizeof(i));
		assert_true(!got || i > last);
		last = i;
		if (got % 20 == 19) /* there is room again by and by */
			assert_int_equal(send(peer_fd, data, LAST, 0), LAST);
	}
	assert_in_range(got, 20, PACKETS - 1000);
	talker_close(&c);
	close(peer_fd);
	srv_stop(&s);
}

static void silent_in_tls(void **state)
{
	struct talker c, d;

	(void)state;
	srv_init(&s);
	s.net_conf.first_message_timeout_ms = 2000;
	srv_start(&s);
	client_open(&s, &c, 1);
	assert_int_equal(tls_open(&d, TLS1_2_VERSION, NULL), 1);
	assert_true(talker_is_left(&c, SOON_MS)); /* no handshake */
	SOON(srv_streams(&s) == 0);               /* nothing behind the handshake, either */
	assert_int_equal(srv_stats(&s).connection_timeouts, 2);
	talker_close(&c);
	talker_close(&d);
	srv_stop(&s);
}

static void do_new_cert(struct srv *srv, void *arg)
{
	struct net_tls *tls;

	(void)arg;
	assert_int_equal(net_tls_load(srv->cert, srv->key, &tls, NULL), 0);
	net_set_tls(srv->net, tls);
	net_tls_unref(tls);
}

static void new_certificate(void **state)
{
	struct talker before, after;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	assert_int_equal(tls_open(&before, TLS1_3_VERSION, NULL), 1);
	assert_true(has_cert_of(before.ssl, "one"));
	assert_int_equal(talker_allocate(&before, IPPROTO_UDP), 0);
	srv_make_cert(&s, "two");
	srv_do(&s, do_new_cert, NULL);
	assert_int_equal(tls_open(&after, TLS1_3_VERSION, NULL), 1);
	assert_true(has_cert_of(after.ssl, "two"));
	assert_true(client_binding_works(&before)); /* nobody was dropped */
	assert_int_equal(srv_allocations(&s), 1);
	talker_close(&before);
	talker_close(&after);
	srv_stop(&s);
}

/* More than the socket pair and all buffers hold, both ways, and then each side's end. */
static void http_in_tls(void **state)
{
	enum { BYTES = 3000000 };
	static uint8_t out[BYTES], in[BYTES];
	struct talker c;
	struct addr own, client;
	socklen_t len = sizeof(own);
	size_t n = 0;
	int on = 1, web;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	for (size_t i = 0; i < BYTES; i++)
		out[i] = (uint8_t)(i * 7 + i / 251);
	memcpy(out, "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(tls_open(&c, TLS1_3_VERSION, NULL), 1);
	client_send(&c, out, 16);
	web = srv_http(&s, &client);
	assert_true(web >= 0);
	memset(&own, 0, sizeof(own));
	getsockname(c.fd, &own.sa, &len);
	assert_true(addr_equal(&own, &client));
	/* the web side echoes; ours writes as long as it can, and reads */
	setsockopt(c.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	for (size_t sent = 16, echoed = 0; n < BYTES;) {
		static uint8_t held[65536];
		size_t k = BYTES - sent < 16384 ? BYTES - sent : 16384;
		ssize_t r;

		if (k) {
			client_send(&c, out + sent, k);
			sent += k;
		}
		while (echoed < sent) {
			r = recv(web, held, sizeof(held), MSG_DONTWAIT);
			if (r <= 0 && !k)
				srv_sync(&s);
			if (r <= 0)
				break;
			struct pollfd p = {.fd = web, .events = POLLOUT};
			for (ssize_t w = 0; w < r;) {
				ssize_t one = send(web, held + w, (size_t)(r - w), MSG_DONTWAIT);

				w += one > 0 ? one : 0;
				if (one <= 0) {
					int got;

					/* full: take some off at our end */
					poll(&p, 1, 10);
					got = SSL_read(c.ssl, in + n, (int)(BYTES - n));
					assert_true(got > 0);
					n += (size_t)got;
				}
			}
			echoed += (size_t)r;
		}
		if (!k && echoed == BYTES) {
			int got = SSL_read(c.ssl, in + n, (int)(BYTES - n));

			assert_true(got > 0);
			n += (size_t)got;
		}
	}
	assert_memory_equal(in, out, BYTES);
	/* half closed by the web: our end reads the end, and can still write */
	shutdown(web, SHUT_WR);
	assert_int_equal(SSL_read(c.ssl, in, 1), 0);
	client_send(&c, "bye", 3);
	srv_sync(&s);
	assert_int_equal(recv(web, in, 10, 0), 3);
	talker_close(&c);
	srv_sync(&s);
	assert_int_equal(recv(web, in, 10, 0), 0);
	close(web);
	assert_int_equal(srv_streams(&s), 0);
	srv_stop(&s);
}

/* ---- DTLS, its datagrams in our hands ---- */

struct dtls_client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	struct addr own;
	int drop; /* so many of the server's datagrams */
	int wait_ms;
	size_t in_bytes, out_bytes;
	_Alignas(8) uint8_t in[20000];
};

static void dtls_init(struct dtls_client *c, int fd, const struct addr *own, const char *alpn)
{
	memset(c, 0, offsetof(struct dtls_client, in));
	c->fd = fd;
	c->own = *own;
	c->wait_ms = 3000;
	assert_int_equal(connect(fd, &s.udp.sa, addr_len(&s.udp)), 0);
	c->ctx = SSL_CTX_new(DTLS_client_method());
	c->ssl = SSL_new(c->ctx);
	SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(c->ssl), -1);
	SSL_set_options(c->ssl, SSL_OP_NO_QUERY_MTU);
	DTLS_set_link_mtu(c->ssl, 1400);
	if (alpn)
		SSL_set_alpn_protos(c->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	SSL_set_connect_state(c->ssl);
}

static void dtls_new_client(struct dtls_client *c, const char *alpn)
{
	struct addr own;
	int fd = open_loopback(SOCK_DGRAM, &own);

	dtls_init(c, fd, &own, alpn);
}

/* Sends OpenSSL's output. */
static void dtls_out(struct dtls_client *c)
{
	uint8_t buf[16384];
	int n = BIO_read(SSL_get_wbio(c->ssl), buf, sizeof(buf));

	if (n <= 0)
		return;
	c->out_bytes += (size_t)n;
	assert_int_equal(send(c->fd, buf, (size_t)n, 0), n);
}

/* One datagram; false when none comes in time. */
static bool dtls_in(struct dtls_client *c, int wait_ms)
{
	uint8_t buf[16384];
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	ssize_t n;

	if (poll(&p, 1, wait_ms) != 1)
		return false;
	n = recv(c->fd, buf, sizeof(buf), 0);
	if (n <= 0)
		return false;
	c->in_bytes += (size_t)n;
	if (c->drop > 0)
		c->drop--;
	else
		BIO_write(SSL_get_rbio(c->ssl), buf, (int)n);
	return true;
}

static bool dtls_handshake(struct dtls_client *c)
{
	for (int i = 0; i < 60; i++) {
		int r = SSL_do_handshake(c->ssl);

		dtls_out(c);
		if (r == 1)
			return true;
		if (SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ)
			return false;
		if (!dtls_in(c, c->wait_ms))
			return false;
	}
	return false;
}

static int dtls_read(struct dtls_client *c)
{
	int n;

	while ((n = SSL_read(c->ssl, c->in, sizeof(c->in))) <= 0)
		if (!dtls_in(c, SOON_MS))
			return -1;
	return n;
}

static void dtls_send(struct dtls_client *c, const void *data, size_t len)
{
	assert_int_equal(SSL_write(c->ssl, data, (int)len), len);
	dtls_out(c);
}

static bool dtls_binding_works(struct dtls_client *c)
{
	struct addr seen;
	struct wire m;
	int n;

	wire_start(&m, W_BINDING, 1);
	dtls_send(c, m.buf, m.len);
	n = dtls_read(c);
	return n > 20 && wire_type(c->in) == (W_BINDING | W_SUCCESS) &&
	       wire_get_xor_addr(c->in, (size_t)n, ATTR_XOR_MAPPED_ADDRESS, &seen) &&
	       addr_equal(&seen, &c->own);
}

static void dtls_close(struct dtls_client *c, bool goodbye)
{
	if (goodbye) {
		SSL_shutdown(c->ssl);
		dtls_out(c);
	}
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
}

/* Allocates and binds channel 0x4000 to the peer. */
static void dtls_call(struct dtls_client *c, const struct addr *peer)
{
	char nonce[128] = "";
	uint8_t key[16];
	struct wire m;

	wire_key("alice", REALM, "secret", key);
	for (int i = 0; i < 3; i++) {
		int len;

		wire_start(&m, i < 2 ? W_ALLOCATE : W_CHANNEL_BIND, (uint32_t)i);
		if (i < 2) {
			wire_add_transport(&m, IPPROTO_UDP);
		} else {
			wire_add_channel(&m, 0x4000);
			wire_add_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, peer);
		}
		if (i) {
			wire_add_login(&m, "alice", REALM, nonce);
			wire_add_integrity(&m, key);
		}
		dtls_send(c, m.buf, m.len);
		len = dtls_read(c);
		assert_true(len > 0);
		assert_int_equal(wire_error(c->in, (size_t)len), i ? 0 : 401);
		wire_get_str(c->in, (size_t)len, ATTR_NONCE, nonce, sizeof(nonce));
	}
}

static void dtls_begin(struct dtls_client *c)
{
	srv_init(&s);
	srv_start(&s);
	dtls_new_client(c, STUN_TURN);
	assert_true(dtls_handshake(c));
}

static void dtls_is_1_2_with_the_protocol_of_stun(void **state)
{
	struct dtls_client c;

	(void)state;
	dtls_begin(&c);
	assert_int_equal(SSL_version(c.ssl), DTLS1_2_VERSION);
	assert_true(selected(c.ssl, "stun.turn"));
	assert_true(dtls_binding_works(&c));
	assert_int_equal(srv_dtls_sessions(&s), 1);
	dtls_close(&c, true);
	/* no protocol in common */
	dtls_new_client(&c, "\x03"
	                    "foo");
	assert_false(dtls_handshake(&c));
	dtls_close(&c, false);
	assert_int_equal(srv_dtls_sessions(&s), 0);
	ERR_clear_error();
	srv_stop(&s);
}

/* ChannelData without padding, both ways. */
static void a_dtls_record_is_a_message(void **state)
{
	struct dtls_client c;
	struct addr peer, from;
	socklen_t from_len = sizeof(from);
	int peer_fd = open_loopback(SOCK_DGRAM, &peer);
	char buf[100];

	(void)state;
	dtls_begin(&c);
	dtls_call(&c, &peer);
	assert_int_equal(srv_allocations(&s), 1);
	dtls_send(&c, "\x40\x00\x00\x05hello", 9);
	assert_int_equal(recvfrom(peer_fd, buf, sizeof(buf), 0, &from.sa, &from_len), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(sendto(peer_fd, "world!!", 7, 0, &from.sa, from_len), 7);
	assert_int_equal(dtls_read(&c), 11);
	assert_memory_equal(c.in, "\x40\x00\x00\x07world!!", 11);
	/* the goodbye ends the allocation */
	dtls_close(&c, true);
	assert_int_equal(srv_dtls_sessions(&s), 0);
	assert_int_equal(srv_allocations(&s), 0);
	close(peer_fd);
	srv_stop(&s);
}

/* RFC 6347 section 4.2.4 and 4.2.8 */
static void dtls_lost_and_again(void **state)
{
	struct dtls_client c, again;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	/* the server's flight is lost: it comes again without being asked */
	dtls_new_client(&c, NULL);
	SSL_do_handshake(c.ssl);
	dtls_out(&c);
	assert_true(dtls_in(&c, SOON_MS)); /* HelloVerifyRequest */
	SSL_do_handshake(c.ssl);
	dtls_out(&c);
	c.drop = 1;
	assert_true(dtls_in(&c, SOON_MS));
	assert_true(dtls_handshake(&c));
	assert_true(dtls_binding_works(&c));
	/* the client forgets everything and comes back from the same port */
	dtls_init(&again, c.fd, &c.own, NULL);
	assert_true(dtls_handshake(&again));
	assert_true(dtls_binding_works(&again));
	assert_int_equal(srv_dtls_sessions(&s), 1);
	SSL_free(c.ssl);
	SSL_CTX_free(c.ctx);
	dtls_close(&again, true);
	srv_stop(&s);
}

static void dtls_limits(void **state)
{
	struct dtls_client c[3];

	(void)state;
	srv_init(&s);
	s.net_conf.max_dtls_sessions = 2;
	s.net_conf.first_message_timeout_ms = 4000;
	s.net_conf.idle_timeout_ms = 4000;
	srv_start(&s);
	for (int i = 0; i < 3; i++)
		dtls_new_client(&c[i], NULL);
	c[2].wait_ms = 200;
	assert_true(dtls_handshake(&c[0]));
	assert_true(dtls_handshake(&c[1]));
	assert_false(dtls_handshake(&c[2]));
	assert_int_equal(srv_dtls_sessions(&s), 2);
	assert_int_equal(srv_stats(&s).connections_refused, 1);
	assert_true(dtls_binding_works(&c[0]));
	SOON(srv_dtls_sessions(&s) == 0); /* neither has an allocation */
	for (int i = 0; i < 3; i++)
		dtls_close(&c[i], false);
	srv_stop(&s);
}

/* A hello of its own, from each of so many addresses, and nobody there to return the cookie
 * (CVE-2026-73214). */
static void dtls_flood(void **state)
{
	enum { HELLOS = 10000 };
	struct dtls_client c;
	uint8_t hello[2048], reply[2048];
	size_t before, most = 0, replies = 0;
	int len;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	dtls_new_client(&c, NULL);
	SSL_do_handshake(c.ssl);
	len = BIO_read(SSL_get_wbio(c.ssl), hello, sizeof(hello));
	assert_true(len > 60);
	before = 0;
	for (int i = 0; i < HELLOS; i++) {
		struct addr from = s.udp;
		struct timeval limit = {.tv_sec = 1};
		uint8_t ip[4] = {127, 1, (uint8_t)(i >> 8), (uint8_t)i};
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ssize_t n;

		addr_from_bytes(&from, ip, 4, (uint16_t)(20000 + i));
		hello[RECORD + 14 + i % 32] ^= (uint8_t)i; /* its random */
		assert_int_equal(bind(fd, &from.sa, addr_len(&from)), 0);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		assert_int_equal(sendto(fd, hello, (size_t)len, 0, &s.udp.sa, addr_len(&s.udp)),
		                 len);
		if (i % 50 == 0) {
			/* a HelloVerifyRequest, and shorter than what it answers */
			n = recv(fd, reply, sizeof(reply), 0);
			assert_in_range(n, 40, len);
			assert_int_equal(reply[0], 22);
			assert_int_equal(reply[RECORD], 3);
			replies++;
			if (!before)
				before = heap_bytes();
			if (heap_bytes() > before && heap_bytes() - before > most)
				most = heap_bytes() - before;
		}
		close(fd);
	}
	assert_int_equal(replies, HELLOS / 50);
	assert_int_equal(srv_dtls_sessions(&s), 0);
	assert_int_equal(srv_streams(&s), 0);
	assert_true(srv_stats(&s).dtls_cookies >= HELLOS * 9 / 10);
	assert_in_range(most, 0, 32 * 1024);
	/* and it serves on; a cookie of somebody else's is none */
	BIO_reset(SSL_get_wbio(c.ssl));
	dtls_close(&c, false);
	dtls_new_client(&c, NULL);
	assert_true(dtls_handshake(&c));
	dtls_close(&c, true);
	srv_stop(&s);
}

/* The cookie that another address was given opens nothing. */
static void dtls_stolen_cookie(void **state)
{
	struct dtls_client a, b;
	uint8_t hello[2048];
	int len;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	dtls_new_client(&a, NULL);
	dtls_new_client(&b, NULL);
	SSL_do_handshake(a.ssl);
	dtls_out(&a);
	assert_true(dtls_in(&a, SOON_MS));
	SSL_do_handshake(a.ssl);
	len = BIO_read(SSL_get_wbio(a.ssl), hello, sizeof(hello)); /* with a's cookie */
	assert_true(len > 0);
	assert_int_equal(send(b.fd, hello, (size_t)len, 0), len);
	assert_int_equal(srv_dtls_sessions(&s), 0);
	assert_int_equal(send(a.fd, hello, (size_t)len, 0), len);
	assert_int_equal(srv_dtls_sessions(&s), 1);
	dtls_close(&a, false);
	dtls_close(&b, false);
	srv_stop(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tls_versions),
	    cmocka_unit_test(tls_cut),
	    cmocka_unit_test(tls_many_records),
	    cmocka_unit_test(one_write_a_turn),
	    cmocka_unit_test(tls_slow_reader),
	    cmocka_unit_test(silent_in_tls),
	    cmocka_unit_test(new_certificate),
	    cmocka_unit_test(http_in_tls),
	    cmocka_unit_test(dtls_is_1_2_with_the_protocol_of_stun),
	    cmocka_unit_test(a_dtls_record_is_a_message),
	    cmocka_unit_test(dtls_limits),
	    cmocka_unit_test(dtls_lost_and_again),
	    cmocka_unit_test(dtls_flood),
	    cmocka_unit_test(dtls_stolen_cookie),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
