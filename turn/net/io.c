/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Non-blocking reads and writes, plain and over TLS.
 */
#include "turn/net/io.h"

#include "base/error.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_ROOM (SSL3_RT_MAX_PLAIN_LENGTH + 512)

/* ---- what SSL reads from and writes to ---- */

/* A short wait for the stream is told by the retry flags. */
static int told(BIO *bio, ssize_t n, int retry)
{
	if (n == -E_LATER)
		BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
	return n < 0 ? -1 : (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
	const struct net_io *io = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	return told(bio, env_stream_write(io->stream, (const uint8_t *)data, (size_t)len, io->more),
	            BIO_FLAGS_WRITE);
}

/* Handshakes read from the stream; behind them net_io_read() has done so. */
static int bio_read(BIO *bio, char *out, int len)
{
	struct net_io *io = BIO_get_data(bio);
	size_t n = (size_t)len < io->ahead_len ? (size_t)len : io->ahead_len;

	BIO_clear_retry_flags(bio);
	if (!io->ahead)
		return told(bio, env_stream_read(io->stream, (uint8_t *)out, (size_t)len),
		            BIO_FLAGS_READ);
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

/* ---- in the loop and out of it ---- */

int net_io_attach(struct net_io *io, struct env *env, int fd, SSL *ssl, size_t unsent_max,
                  env_stream_fn *fn, void *arg)
{
	struct env_stream_params p = {.fd = fd, .unsent_max = unsent_max, .fn = fn, .arg = arg};

	memset(io, 0, sizeof(*io));
	io->fd = fd;
	io->ssl = ssl;
	bind_ssl(io);
	return env_stream_open(env, &p, &io->stream) ? -E_NOMEM : 0;
}

void net_io_detach(struct net_io *io)
{
	if (io->stream)
		io->fd = env_stream_release(io->stream);
	io->stream = NULL;
}

void net_io_close(struct net_io *io, struct env *env)
{
	if (io->ssl && io->stream)
		net_io_shut(io);
	SSL_free(io->ssl);
	if (io->stream)
		env_stream_close(io->stream);
	else if (io->fd >= 0)
		env_stream_discard(env, io->fd);
	*io = (struct net_io){.fd = -1};
}

/* Maps SSL's failure to our code. */
static int ssl_failure(struct net_io *io, int result)
{
	switch (SSL_get_error(io->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: /* the stream tells when it can */
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
	ssize_t n = env_stream_read(io->stream, buf, len);

	io->drained = n < (ssize_t)len;
	return n;
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
	size_t put;
	int r;

	if (!io->ssl)
		return env_stream_write(io->stream, data, len, false);
	ERR_clear_error();
	r = SSL_write_ex(io->ssl, data, len, &put);
	if (r > 0)
		return (ssize_t)put;
	r = ssl_failure(io, r);
	return r ? r : -E_IO;
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
		env_stream_shut(io->stream);
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
