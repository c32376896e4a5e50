/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A connection of the environment, with or without TLS; and a bounded queue of bytes that wait for
 * room in it.
 */
#ifndef TURN_NET_IO_H
#define TURN_NET_IO_H

#include "base/env_stream.h"

#include <openssl/ssl.h>

/* A reader offers room for this much: the rest of a record that TLS holds, and as much again.
 * Otherwise bytes would stay behind that no event announces. */
#define NET_READ_MIN (2 * SSL3_RT_MAX_PLAIN_LENGTH)

/* Belongs to the thread of its environment, but may be detached and attached to another. */
struct net_io {
	struct env_stream *stream; /* NULL: detached */
	int fd;                    /* while detached */
	SSL *ssl;                  /* NULL: plain */
	bool failed;               /* its owner must close it, from the loop */
	bool more;                 /* another write follows at once */
	bool drained;              /* the last read took everything: an event announces more */
	/* raw bytes of records that net_io_read() read in one go, for SSL to take */
	const uint8_t *ahead;
	size_t ahead_len;
};

/* A server's SSL, for net_io_attach(). NULL when out of memory. */
SSL *net_io_new_ssl(SSL_CTX *ctx);

/* Starts to read. fn: io is readable or writable, try both. unsent_max: as in struct
 * env_stream_params. 0 or -E_NOMEM: io holds fd and ssl in both cases. */
int net_io_attach(struct net_io *io, struct env *env, int fd, SSL *ssl, size_t unsent_max,
                  env_stream_fn *fn, void *arg);

/* Stops all events; fd and ssl stay for a later attach. */
void net_io_detach(struct net_io *io);

/* Sends TLS's close_notify if that works at once, and closes. env: for a detached one. */
void net_io_close(struct net_io *io, struct env *env);

/* Stops or resumes waiting for bytes. */
static inline void net_io_want_read(struct net_io *io, bool want)
{
	env_stream_want_read(io->stream, want);
}

/* Calls fn soon, from the loop. */
static inline void net_io_kick(struct net_io *io)
{
	env_stream_kick(io->stream);
}

/* Runs the TLS handshake on the server's side: 0 when done, -E_LATER, -E_IO. */
int net_io_handshake(struct net_io *io);

/* The number of bytes (more than 0), 0 at the end of the stream, -E_LATER, -E_IO. Reads the socket
 * once; with TLS, returns all whole records of that read. len must be NET_READ_MIN or more. */
ssize_t net_io_read(struct net_io *io, uint8_t *buf, size_t len);

/* The number of bytes taken; if fewer than len, fn is called when there is room. -E_IO. */
ssize_t net_io_write(struct net_io *io, const uint8_t *data, size_t len);

/* Tells the other side that the stream ends. */
void net_io_shut(struct net_io *io);

struct net_queue {
	uint8_t *data;
	size_t start, len, cap;
};

/* 0 or -E_NOMEM. */
int net_queue_add(struct net_queue *q, const uint8_t *data, size_t len);

/* Writes as much as it can. 0 or -E_IO; q->len is the rest. An empty queue holds no memory. */
int net_queue_flush(struct net_queue *q, struct net_io *io);
void net_queue_free(struct net_queue *q);

#endif
