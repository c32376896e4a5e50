/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The links of the load program: messages go in and come out whole and in
 * order, however the stream is cut, and nothing is lost when the other side
 * does not read for a while.
 */
#include "base/tests/test.h"
#include "harness/lab/selfcert.h"
#include "harness/load/link.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES 600
#define FRAME    (4 + 1100)
#define WAIT_MS  20000
#define HALF     (1 << 20)

struct fixture {
	enum link_transport transport;
	struct link link;
	int fd; /* the other end */
	SSL *ssl;
	SSL_CTX *ctx;
};

struct heard {
	unsigned n;
	size_t bytes;
};

/* The n-th message: ChannelData of a length that is no multiple of four, mostly, with its padding
 * (RFC 8656 section 12.5). Returns its length on the stream. */
static size_t message(unsigned n, uint8_t m[FRAME])
{
	size_t len = 1 + n * 37 % 1097, framed = 4 + (len + 3) / 4 * 4;

	memset(m, 0, FRAME);
	m[0] = 0x40;
	m[2] = (uint8_t)(len >> 8);
	m[3] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		m[4 + i] = (uint8_t)(n + i);
	return framed;
}

static void on_message(void *arg, const uint8_t *m, size_t len)
{
	struct heard *h = arg;
	uint8_t want[FRAME];

	assert_int_equal(len, message(h->n, want));
	assert_memory_equal(m, want, len);
	h->n++;
	h->bytes += len;
}

static SSL_CTX *server_context(void)
{
	char cert[] = "/tmp/test-link-cert-XXXXXX", key[] = "/tmp/test-link-key-XXXXXX";
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	struct why why;

	close(mkstemp(cert));
	close(mkstemp(key));
	assert_int_equal(selfcert_write("127.0.0.1", cert, key, &why), 0);
	assert_int_equal(SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM), 1);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	unlink(cert);
	unlink(key);
	return ctx;
}

static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

static void handshake(struct fixture *f)
{
	struct pollfd p[] = {{.fd = f->fd, .events = POLLIN}, {.fd = f->link.fd, .events = POLLIN}};
	char text[64];
	bool done = false;

	f->ctx = server_context();
	f->ssl = SSL_new(f->ctx);
	SSL_set_fd(f->ssl, f->fd);
	for (int r = -E_LATER; r || !done;) {
		r = link_ready(&f->link);
		assert_true(!r || r == -E_LATER);
		done = SSL_accept(f->ssl) == 1;
		assert_true((done && !r) || poll(p, 2, WAIT_MS) > 0);
	}
	link_describe(&f->link, text, sizeof(text));
	assert_string_equal(text, "TLSv1.2, ECDHE-ECDSA-AES128-GCM-SHA256");
}

static void setup(struct fixture *f, enum link_transport t)
{
	socklen_t len = sizeof(struct sockaddr_in);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct addr local;
	struct why why;

	*f = (struct fixture){.transport = t};
	addr_parse_ip(&local, "127.0.0.1", 0);
	assert_int_equal(bind(listener, &local.sa, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, &local.sa, &len), 0);
	assert_int_equal(link_open(&f->link, t, &local, &why), 0);
	f->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(f->fd >= 0);
	close(listener);
	if (t == LINK_TLS)
		handshake(f);
}

static void teardown(struct fixture *f)
{
	struct heard h = {0};

	SSL_free(f->ssl);
	SSL_CTX_free(f->ctx);
	close(f->fd);
	wait_readable(f->link.fd);
	assert_int_equal(link_take(&f->link, on_message, &h), -E_CLOSED);
	link_close(&f->link);
	link_close(&f->link); /* is none */
}

static ssize_t other_write(struct fixture *f, const uint8_t *data, size_t len)
{
	return f->ssl ? SSL_write(f->ssl, data, (int)len) : write(f->fd, data, len);
}

static ssize_t other_read(struct fixture *f, uint8_t *data, size_t len)
{
	return f->ssl ? SSL_read(f->ssl, data, (int)len) : read(f->fd, data, len);
}

/* In pieces that end anywhere: in a header, in the data, in the padding. */
static void cut_anywhere(enum link_transport t)
{
	static uint8_t all[HALF];
	struct fixture f;
	struct heard h = {0};
	size_t len = 0, at = 0;

	setup(&f, t);
	for (unsigned n = 0; n < MESSAGES; n++) {
		uint8_t m[FRAME];
		size_t framed = message(n, m);

		memcpy(all + len, m, framed);
		len += framed;
	}
	for (size_t piece = 1; at < len; piece = piece * 5 % 4093) {
		size_t n = piece < len - at ? piece : len - at;

		assert_int_equal(other_write(&f, all + at, n), n);
		at += n;
		wait_readable(f.link.fd);
		assert_int_equal(link_take(&f.link, on_message, &h), 0);
	}
	while (h.n < MESSAGES) {
		wait_readable(f.link.fd);
		assert_int_equal(link_take(&f.link, on_message, &h), 0);
	}
	assert_int_equal(h.bytes, len);
	teardown(&f);
}

/* What the other side hears. */
struct ear {
	unsigned next;
	size_t bytes, at, framed; /* all; of the next message, and its length */
	uint8_t want[FRAME];
};

/* Reads until so many bytes have come; the whole is in order. */
static void read_and_compare(struct fixture *f, struct ear *e, size_t until)
{
	static uint8_t got[65536];

	while (e->bytes < until) {
		ssize_t n = other_read(f, got, sizeof(got));

		link_flush(&f->link);
		if (n <= 0)
			wait_readable(f->fd);
		for (ssize_t i = 0; i < n;) {
			size_t left;

			if (e->at == e->framed) {
				e->framed = message(e->next++, e->want);
				e->at = 0;
			}
			left = e->framed - e->at;
			if (left > (size_t)(n - i))
				left = (size_t)(n - i);
			assert_memory_equal(got + i, e->want + e->at, left);
			e->at += left;
			e->bytes += left;
			i += (ssize_t)left;
		}
	}
}

static void held_back(enum link_transport t)
{
	struct fixture f;
	struct ear ear = {0};
	size_t put = 0;
	unsigned n = 0;
	uint8_t m[FRAME];

	setup(&f, t);
	for (int turn = 0; turn < 3; turn++) {
		for (size_t len = message(n, m); link_put(&f.link, m, len); len = message(n, m)) {
			put += len;
			n++;
		}
		assert_false(link_flush(&f.link)); /* nobody reads */
		read_and_compare(&f, &ear, put);
		assert_true(link_flush(&f.link));
	}
	assert_int_equal(ear.bytes, put);
	assert_int_equal(ear.next, n);
	assert_true(n > 100);
	teardown(&f);
}

static void whole_messages_over_tcp(void **state)
{
	(void)state;
	cut_anywhere(LINK_TCP);
}

static void whole_messages_over_tls(void **state)
{
	(void)state;
	cut_anywhere(LINK_TLS);
}

static void held_back_over_tcp(void **state)
{
	(void)state;
	held_back(LINK_TCP);
}

static void held_back_over_tls(void **state)
{
	(void)state;
	held_back(LINK_TLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_messages_over_tcp),
	    cmocka_unit_test(whole_messages_over_tls),
	    cmocka_unit_test(held_back_over_tcp),
	    cmocka_unit_test(held_back_over_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
