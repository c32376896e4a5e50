/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Non-blocking reads and writes, plain and over TLS.
 */
#include "turn/net/io.h"

#include "base/error.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_ROOM (SSL3_RT_MAX_PLAIN_LENGTH + 512)

/* ---- what SSL reads from and writes to ---- */

/* A short wait for the socket is told by the retry flags. */
static int told(BIO *bio, ssize_t n, int retry)
{
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
	return (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
	const struct net_io *io = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	return told(bio,
	            send(io->fd, data, (size_t)len,
	                 MSG_DONTWAIT | MSG_NOSIGNAL | (io->more ? MSG_MORE : 0)),
	            BIO_FLAGS_WRITE);
}

/* Handshakes read from the socket; behind them net_io_read() has done so. */
static int bio_read(BIO *bio, char *out, int len)
{
	struct net_io *io = BIO_get_data(bio);
	size_t n = (size_t)len < io->ahead_len ? (size_t)len : io->ahead_len;

	BIO_clear_retry_flags(bio);
	if (!io->ahead)
		return told(bio, recv(io->fd, out, (size_t)len, MSG_DONTWAIT), BIO_FLAGS_READ);
	if (!n) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(out, io->ahead, n);
	io->ahead += n;
	io->ahead_len -= n;
	return (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
	if (!method)
		return;
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_ctrl(method, bio_ctrl);
}

SSL *net_io_new_ssl(SSL_CTX *ctx)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	SSL *ssl = NULL;
	BIO *bio;

	pthread_once(&once, make_method);
	bio = method ? BIO_new(method) : NULL;
	ssl = bio ? SSL_new(ctx) : NULL;
	if (!ssl) {
		BIO_free(bio);
		return NULL;
	}
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_accept_state(ssl);
	return ssl;
}

/* SSL speaks through whichever copy of its io is in use. */
static void bind_ssl(struct net_io *io)
{
	if (io->ssl)
		BIO_set_data(SSL_get_rbio(io->ssl), io);
}

/* ---- events ---- */

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct net_io *io = arg;

	(void)fd;
	(void)what;
	io->fn(io->arg);
}

int net_io_attach(struct net_io *io, struct event_base *base, int fd, SSL *ssl, net_io_fn *fn,
                  void *arg)
{
	memset(io, 0, sizeof(*io));
	io->fd = fd;
	io->ssl = ssl;
	io->fn = fn;
	io->arg = arg;
	bind_ssl(io);
	io->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_event, io);
	io->writable = event_new(base, fd, EV_WRITE, on_event, io);
	if (!io->readable || !io->writable || event_add(io->readable, NULL)) {
		net_io_detach(io);
		return -E_NOMEM;
	}
	return 0;
}

void net_io_detach(struct net_io *io)
{
	if (io->readable)
		event_free(io->readable);
	if (io->writable)
		event_free(io->writable);
	io->readable = io->writable = NULL;
}

void net_io_close(struct net_io *io)
{
	net_io_detach(io);
	if (io->ssl) {
		bind_ssl(io);
		net_io_shut(io);
		SSL_free(io->ssl);
	}
	io->ssl = NULL;
	if (io->fd >= 0)
		close(io->fd);
	io->fd = -1;
}

void net_io_want_read(struct net_io *io, bool want)
{
	if (want)
		event_add(io->readable, NULL);
	else
		event_del(io->readable);
}

void net_io_kick(struct net_io *io)
{
	event_active(io->readable, EV_READ, 0);
}

/* What SSL's failure means. */
static int ssl_failure(struct net_io *io, int result)
{
	switch (SSL_get_error(io->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return -E_LATER;
	case SSL_ERROR_WANT_WRITE:
		event_add(io->writable, NULL);
		return -E_LATER;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		ERR_clear_error();
		return -E_IO;
	}
}

int net_io_handshake(struct net_io *io)
{
	int r, failure;

	ERR_clear_error();
	r = SSL_accept(io->ssl);
	if (r == 1)
		return 0;
	failure = ssl_failure(io, r);
	return failure ? failure : -E_IO;
}

static ssize_t receive(struct net_io *io, uint8_t *buf, size_t len)
{
	ssize_t n;

	do
		n = recv(io->fd, buf, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	io->drained = n < (ssize_t)len;
	if (n >= 0)
		return n;
	return errno == EAGAIN ? -E_LATER : -E_IO;
}

/* Takes the plain text of all whole records. They lie at the end of buf, the plain text goes to its
 * beginning: it is shorter than they are, but for what SSL has kept of a record, which is what
 * RECORD_ROOM is for. */
static ssize_t decrypt(struct net_io *io, uint8_t *buf, size_t len)
{
	size_t done = 0, got;
	int r;

	for (;;) {
		size_t room = io->ahead_len ? (size_t)(io->ahead - buf) - done : len - done;

		ERR_clear_error();
		r = SSL_read_ex(io->ssl, buf + done, room, &got);
		if (r <= 0)
			break;
		done += got;
	}
	r = ssl_failure(io, r);
	/* -E_LATER with records left: SSL has to write first, and the client does not read. */
	if (r && (r != -E_LATER || io->ahead_len))
		return -E_IO;
	if (!r && done) /* the end, which the next read tells */
		net_io_kick(io);
	return done ? (ssize_t)done : r;
}

ssize_t net_io_read(struct net_io *io, uint8_t *buf, size_t len)
{
	ssize_t n;

	if (!io->ssl)
		return receive(io, buf, len);
	if (SSL_get_shutdown(io->ssl) & SSL_RECEIVED_SHUTDOWN)
		return 0;
	n = receive(io, buf + RECORD_ROOM, len - RECORD_ROOM);
	if (n <= 0)
		return n;
	io->ahead = buf + RECORD_ROOM;
	io->ahead_len = (size_t)n;
	n = decrypt(io, buf, len);
	io->ahead = NULL;
	io->ahead_len = 0;
	return n;
}

static ssize_t write_some(struct net_io *io, const uint8_t *data, size_t len)
{
	ssize_t n;

	if (io->ssl) {
		size_t put;

		ERR_clear_error();
		n = SSL_write_ex(io->ssl, data, len, &put);
		if (n > 0)
			return (ssize_t)put;
		n = ssl_failure(io, (int)n);
		return n ? n : -E_IO;
	}
	do
		n = send(io->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno != EAGAIN)
		return -E_IO;
	event_add(io->writable, NULL);
	return -E_LATER;
}

ssize_t net_io_write(struct net_io *io, const uint8_t *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write_some(io, data + done, len - done);

		if (n == -E_LATER)
			break;
		if (n < 0)
			return n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

void net_io_shut(struct net_io *io)
{
	if (!io->ssl) {
		shutdown(io->fd, SHUT_WR);
		return;
	}
	ERR_clear_error();
	if (SSL_is_init_finished(io->ssl))
		SSL_shutdown(io->ssl);
	ERR_clear_error();
}

int net_queue_add(struct net_queue *q, const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	if (q->start + q->len + len > q->cap) {
		size_t cap = q->len + len;
		uint8_t *grown = malloc(cap);

		if (!grown)
			return -E_NOMEM;
		if (q->len)
			memcpy(grown, q->data + q->start, q->len);
		free(q->data);
		q->data = grown;
		q->cap = cap;
		q->start = 0;
	}
	memcpy(q->data + q->start + q->len, data, len);
	q->len += len;
	return 0;
}

int net_queue_flush(struct net_queue *q, struct net_io *io)
{
	ssize_t n;

	if (!q->len)
		return 0;
	n = net_io_write(io, q->data + q->start, q->len);
	if (n < 0)
		return (int)n;
	q->start += (size_t)n;
	q->len -= (size_t)n;
	if (!q->len)
		net_queue_free(q);
	return 0;
}

void net_queue_free(struct net_queue *q)
{
	free(q->data);
	memset(q, 0, sizeof(*q));
}
