/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A connection of the environment, with TLS or without; and a bounded queue of
 * bytes that wait until it takes more.
 */
#ifndef TURN_NET_IO_H
#define TURN_NET_IO_H

#include "base/env_stream.h"

#include <openssl/ssl.h>

/* Whoever reads offers room for this much: what TLS has kept of a record, and as much again, so
 * that nothing is left over that no event tells. */
#define NET_READ_MIN (2 * SSL3_RT_MAX_PLAIN_LENGTH)

/* Belongs to the thread of its environment, but may be detached and attached to another one. */
struct net_io {
	struct env_stream *stream; /* NULL: it is detached */
	int fd;                    /* while it is detached */
	SSL *ssl;                  /* NULL: plain */
	bool failed;               /* its owner is to close it, from the loop */
	bool more;                 /* the next write follows at once */
	bool drained; /* the last read brought all that there was: an event tells of more */
	/* bytes of records that net_io_read() has got at once, for SSL to ask for */
	const uint8_t *ahead;
	size_t ahead_len;
};

/* An SSL of a server, for net_io_attach(). NULL: no memory. */
SSL *net_io_new_ssl(SSL_CTX *ctx);

/* Starts to read. fn: something is to be read or written, try both. unsent_max: as in struct
 * env_stream_params. 0 or -E_NOMEM: fd and ssl are in io all the same. */
int net_io_attach(struct net_io *io, struct env *env, int fd, SSL *ssl, size_t unsent_max,
                  env_stream_fn *fn, void *arg);

/* Stops all events; fd and ssl stay for a later attach. */
void net_io_detach(struct net_io *io);

/* Tells TLS's end where that can be done at once, closes. env: for one that is detached. */
void net_io_close(struct net_io *io, struct env *env);

/* Stop or go on to wait for bytes. */
static inline void net_io_want_read(struct net_io *io, bool want)
{
	env_stream_want_read(io->stream, want);
}

/* Has fn called soon, from the loop. */
static inline void net_io_kick(struct net_io *io)
{
	env_stream_kick(io->stream);
}

/* The TLS handshake on the server's side: 0 when it is done, -E_LATER, -E_IO. */
int net_io_handshake(struct net_io *io);

/* How many bytes (more than 0), 0 at the end of the stream, -E_LATER, -E_IO. One read of the
 * socket; of TLS all whole records that it brought. len is NET_READ_MIN or more. */
ssize_t net_io_read(struct net_io *io, uint8_t *buf, size_t len);

/* How many bytes were taken; fewer than len: fn is called when more can be. -E_IO. */
ssize_t net_io_write(struct net_io *io, const uint8_t *data, size_t len);

/* Tells the other side that no more will come. */
void net_io_shut(struct net_io *io);

struct net_queue {
	uint8_t *data;
	size_t start, len, cap;
};

/* 0 or -E_NOMEM. */
int net_queue_add(struct net_queue *q, const uint8_t *data, size_t len);

/* Writes what it can. 0 or -E_IO; q->len tells what is left. An empty queue holds no memory. */
int net_queue_flush(struct net_queue *q, struct net_io *io);
void net_queue_free(struct net_queue *q);

#endif
