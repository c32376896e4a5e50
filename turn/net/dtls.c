/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TURN over DTLS 1.2 (RFC 6347, RFC 7350) on the UDP listeners. Nothing is kept
 * for a client before it has returned its cookie (RFC 6347 section 4.2.1), so
 * that a flood with false source addresses costs no memory.
 */
#include "turn/net/internal.h"

#include "base/error.h"
#include "base/hmac.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define COOKIE_LEN  16 /* what we send to strangers stays short */
#define SECRET_LEN  32
#define SECRET_MS   300000u /* a cookie lives for one to two of these */
#define LINK_MTU    1280    /* every IPv6 path carries that; its overhead is counted in */
#define RECORD_HEAD 13

/*
 *  type (1) | version (2) | epoch (2) | sequence number (6) | length (2) | handshake type (1)
 */
#define TYPE_AT         0
#define EPOCH_AT        3
#define HANDSHAKE_AT    RECORD_HEAD
#define TYPE_HANDSHAKE  22
#define HS_CLIENT_HELLO 1

struct key {
	struct env_udp *udp;
	uint8_t ip[16];
	uint32_t port;
	uint32_t family;
};

struct dtls_session {
	UT_hash_handle hh;
	struct key key;
	struct dtls *dtls;
	SSL *ssl;
	struct addr peer;
	const uint8_t *rx; /* the datagram that is being read */
	size_t rx_len;
	struct turn_link *link;  /* once the handshake is done */
	struct env_timer *timer; /* until then: retransmission */
	struct net_source *source;
	int relay4, relay6;
	uint64_t began_ms, message_ms;
	bool broken;
};

struct dtls {
	struct net *net;
	SSL_CTX *ctx;
	BIO_METHOD *bio;
	struct dtls_session *sessions; /* by key: cookie returned */
	struct dtls_session *stranger; /* the one that every stranger's hello is read with */
	uint8_t secret[2][SECRET_LEN];
	uint64_t secret_ms;
};

/* ---- datagrams below OpenSSL ---- */

static int bio_write(BIO *bio, const char *data, int len)
{
	struct dtls_session *s = BIO_get_data(bio);

	env_udp_send(s->key.udp, &s->peer, (const uint8_t *)data, (size_t)len);
	return len;
}

/* A datagram is read once and whole: a record never runs over two of them. */
static int bio_read(BIO *bio, char *out, int len)
{
	struct dtls_session *s = BIO_get_data(bio);
	size_t n = s->rx_len < (size_t)len ? s->rx_len : (size_t)len;

	BIO_clear_retry_flags(bio);
	if (!s->rx_len) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(out, s->rx, n);
	s->rx_len = 0;
	return (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	struct dtls_session *s = BIO_get_data(bio);

	(void)num;
	(void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
		return addr_family(&s->peer) == AF_INET6 ? 48 : 28;
	default:
		return 0;
	}
}

static BIO_METHOD *new_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");

	if (!m)
		return NULL;
	BIO_meth_set_write(m, bio_write);
	BIO_meth_set_read(m, bio_read);
	BIO_meth_set_ctrl(m, bio_ctrl);
	return m;
}

/* ---- cookies ---- */

static void make_cookie(const struct dtls *d, const struct dtls_session *s, int which,
                        uint8_t out[COOKIE_LEN])
{
	uint8_t mac[HMAC_SHA256_LEN];

	hmac(HMAC_SHA256, d->secret[which], SECRET_LEN, &s->key, sizeof(s->key), mac);
	memcpy(out, mac, COOKIE_LEN);
}

static int on_make_cookie(SSL *ssl, unsigned char *cookie, unsigned int *len)
{
	struct dtls_session *s = SSL_get_app_data(ssl);

	make_cookie(s->dtls, s, 0, cookie);
	*len = COOKIE_LEN;
	s->dtls->net->turn->stats.dtls_cookies++;
	return 1;
}

static int on_check_cookie(SSL *ssl, const unsigned char *cookie, unsigned int len)
{
	struct dtls_session *s = SSL_get_app_data(ssl);
	uint8_t good[COOKIE_LEN];

	for (int i = 0; len == COOKIE_LEN && i < 2; i++) {
		make_cookie(s->dtls, s, i, good);
		if (!CRYPTO_memcmp(good, cookie, COOKIE_LEN))
			return 1;
	}
	return 0;
}

static void rotate_secret(struct dtls *d)
{
	uint64_t now_ms = env_now_ms(d->net->env);

	if (now_ms - d->secret_ms < SECRET_MS)
		return;
	memcpy(d->secret[1], d->secret[0], SECRET_LEN);
	env_random(d->net->env, d->secret[0], SECRET_LEN);
	d->secret_ms = now_ms;
}

/* ---- sessions ---- */

static void session_free(struct dtls_session *s)
{
	if (!s)
		return;
	turn_link_free(s->link);
	env_timer_free(s->timer);
	SSL_free(s->ssl);
	net_sources_give(s->dtls->net->conf.sources, s->source);
	free(s);
}

static void session_close(struct dtls_session *s)
{
	HASH_DELETE(hh, s->dtls->sessions, s);
	ERR_clear_error();
	if (SSL_is_init_finished(s->ssl) && !s->broken)
		SSL_shutdown(s->ssl);
	ERR_clear_error();
	session_free(s);
}

static struct dtls_session *session_new(struct dtls *d)
{
	struct dtls_session *s = calloc(1, sizeof(*s));
	BIO *bio = BIO_new(d->bio);

	if (s) {
		s->dtls = d;
		s->ssl = SSL_new(d->ctx);
	}
	if (!s || !s->ssl || !bio) {
		BIO_free(bio);
		session_free(s);
		return NULL;
	}
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_app_data(s->ssl, s);
	SSL_set_options(s->ssl, SSL_OP_NO_QUERY_MTU);
	DTLS_set_link_mtu(s->ssl, LINK_MTU);
	SSL_set_accept_state(s->ssl);
	return s;
}

static void on_send(void *ctx, const uint8_t *data, size_t len)
{
	struct dtls_session *s = ctx;

	if (s->broken)
		return;
	ERR_clear_error();
	if (SSL_write(s->ssl, data, (int)len) > 0)
		return;
	/* longer than a record, or an association that is at its end */
	s->dtls->net->turn->stats.slow_client_drops++;
	ERR_clear_error();
}

static int start_turn(struct dtls_session *s)
{
	static const struct turn_link_ops ops = {.send = on_send};
	struct turn_link_params params = {.protocol = TURN_DTLS,
	                                  .client = s->peer,
	                                  .relay4 = s->relay4,
	                                  .relay6 = s->relay6,
	                                  .ops = &ops,
	                                  .ctx = s};

	env_timer_free(s->timer);
	s->timer = NULL;
	s->link = turn_link_new(s->dtls->net->turn, &params);
	return s->link ? 0 : -E_NOMEM;
}

static bool is_fatal(struct dtls_session *s, int result)
{
	int e = SSL_get_error(s->ssl, result);

	ERR_clear_error();
	return e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE;
}

static void set_timer(struct dtls_session *s)
{
	struct timeval tv;

	if (DTLSv1_get_timeout(s->ssl, &tv) == 1)
		env_timer_set(s->timer,
		              (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1);
}

/* RFC 6347 section 4.2.4: a flight that is not answered is sent again. */
static void on_timer(void *arg)
{
	struct dtls_session *s = arg;

	ERR_clear_error();
	if (DTLSv1_handle_timeout(s->ssl) < 0) {
		ERR_clear_error();
		s->dtls->net->turn->stats.failed_handshakes++;
		s->broken = true;
		session_close(s);
		return;
	}
	set_timer(s);
}

/* Reads a datagram; each record is one message. 0, or the session must end. */
static int session_read(struct dtls_session *s)
{
	struct net *net = s->dtls->net;
	uint8_t *buf = (uint8_t *)net->scratch;
	int n;

	ERR_clear_error();
	if (!s->link) {
		n = SSL_accept(s->ssl);
		if (n != 1) {
			if (is_fatal(s, n)) {
				net->turn->stats.failed_handshakes++;
				return -E_IO;
			}
			set_timer(s);
			return 0;
		}
		if (start_turn(s))
			return -E_NOMEM;
	}
	while ((n = SSL_read(s->ssl, buf, NET_READ_MIN)) > 0) {
		turn_link_input(s->link, buf, (size_t)n);
		s->message_ms = env_now_ms(net->env);
	}
	return is_fatal(s, n) ? -E_CLOSED : 0;
}

static void feed(struct dtls_session *s, const struct datagram *dg)
{
	int r;

	s->rx = dg->data;
	s->rx_len = dg->len;
	r = session_read(s);
	s->rx = NULL;
	s->rx_len = 0;
	if (r) {
		s->broken = r == -E_IO;
		session_close(s);
	}
}

/* Its cookie is right: the stranger becomes a session. */
static void welcome(struct dtls *d)
{
	struct net *net = d->net;
	struct dtls_session *s = d->stranger, *old;

	d->stranger = NULL;
	/* RFC 6347 section 4.2.8: the client has lost its state and starts anew. */
	HASH_FIND(hh, d->sessions, &s->key, sizeof(s->key), old);
	if (old)
		session_close(old);
	if (HASH_COUNT(d->sessions) >= net->conf.max_dtls_sessions ||
	    (net->conf.sources && net_sources_take(net->conf.sources, &s->peer, &s->source))) {
		net->turn->stats.connections_refused++;
		session_free(s);
		return;
	}
	s->timer = env_timer_new(net->env, on_timer, s);
	if (!s->timer || TABLE_ADD(hh, d->sessions, key, sizeof(s->key), s)) {
		session_free(s);
		return;
	}
	s->began_ms = env_now_ms(net->env);
	net->turn->stats.connections++;
	if (session_read(s)) {
		s->broken = true;
		session_close(s);
	}
}

static void on_stranger(struct dtls *d, const struct key *key, int relay4, int relay6,
                        const struct datagram *dg)
{
	struct dtls_session *s = d->stranger;
	BIO_ADDR *unused;
	int r;

	if (!s)
		s = d->stranger = session_new(d);
	unused = s ? BIO_ADDR_new() : NULL;
	if (!unused)
		return;
	s->key = *key;
	s->peer = dg->peer;
	s->relay4 = relay4;
	s->relay6 = relay6;
	s->rx = dg->data;
	s->rx_len = dg->len;
	ERR_clear_error();
	/* It starts from nothing each time, and keeps nothing but what a right cookie earns. */
	r = DTLSv1_listen(s->ssl, unused);
	ERR_clear_error();
	BIO_ADDR_free(unused);
	s->rx = NULL;
	s->rx_len = 0;
	if (r == 1) {
		welcome(d);
	} else if (r < 0) {
		session_free(s);
		d->stranger = NULL;
	}
}

static bool is_hello(const struct datagram *dg)
{
	return dg->len > HANDSHAKE_AT && dg->data[TYPE_AT] == TYPE_HANDSHAKE &&
	       !dg->data[EPOCH_AT] && !dg->data[EPOCH_AT + 1] &&
	       dg->data[HANDSHAKE_AT] == HS_CLIENT_HELLO;
}

void dtls_input(void *ctx, struct env_udp *u, int relay4, int relay6, struct datagram *dg)
{
	struct dtls *d = ((struct net *)ctx)->dtls;
	struct dtls_session *s;
	struct key key;
	size_t len;
	const uint8_t *ip = addr_ip(&dg->peer, &len);

	if (!d->ctx) {
		d->net->turn->stats.malformed++;
		return;
	}
	rotate_secret(d);
	memset(&key, 0, sizeof(key));
	key.udp = u;
	memcpy(key.ip, ip, len);
	key.port = addr_port(&dg->peer);
	key.family = (uint32_t)addr_family(&dg->peer);
	HASH_FIND(hh, d->sessions, &key, sizeof(key), s);
	if (s && !(s->link && is_hello(dg)))
		feed(s, dg);
	else if (is_hello(dg))
		on_stranger(d, &key, relay4, relay6, dg);
	else
		d->net->turn->stats.malformed++;
}

void dtls_expire(struct net *net)
{
	struct dtls *d = net->dtls;
	struct dtls_session *s, *next;
	uint64_t now_ms = env_now_ms(net->env);

	HASH_ITER (hh, d->sessions, s, next) {
		bool late = s->message_ms
		                ? now_ms - s->message_ms > net->conf.idle_timeout_ms &&
		                      !turn_link_has_allocation(s->link)
		                : now_ms - s->began_ms > net->conf.first_message_timeout_ms;

		if (!late)
			continue;
		net->turn->stats.connection_timeouts++;
		session_close(s);
	}
}

void dtls_lost(struct net *net, const struct env_udp *u)
{
	struct dtls_session *s, *next;

	HASH_ITER (hh, net->dtls->sessions, s, next) {
		if (s->key.udp != u)
			continue;
		s->broken = true; /* no goodbye: it could not arrive */
		session_close(s);
	}
	/* The next stranger's key replaces this one. */
	session_free(net->dtls->stranger);
	net->dtls->stranger = NULL;
}

void dtls_prepare(SSL_CTX *ctx)
{
	SSL_CTX_set_cookie_generate_cb(ctx, on_make_cookie);
	SSL_CTX_set_cookie_verify_cb(ctx, on_check_cookie);
}

void dtls_tls_changed(struct net *net)
{
	struct dtls *d = net->dtls;

	d->ctx = net_tls_dgram(net->tls);
	session_free(d->stranger);
	d->stranger = NULL;
}

struct dtls *dtls_new(struct net *net)
{
	struct dtls *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->net = net;
	d->bio = new_bio_method();
	if (!d->bio) {
		free(d);
		return NULL;
	}
	env_random(net->env, d->secret, sizeof(d->secret));
	d->secret_ms = env_now_ms(net->env);
	return d;
}

void dtls_free(struct dtls *d)
{
	struct dtls_session *s, *next;

	if (!d)
		return;
	HASH_ITER (hh, d->sessions, s, next)
		session_close(s);
	session_free(d->stranger);
	BIO_meth_free(d->bio);
	free(d);
}

size_t dtls_count(const struct dtls *d)
{
	return HASH_COUNT(d->sessions);
}
