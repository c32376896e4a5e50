/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the files of the environment on libevent: env_libevent.c has the loop and receives
 * datagrams, env_libevent_send.c sends them, env_libevent_stream.c has TCP.
 */
#ifndef BASE_ENV_LIBEVENT_INTERNAL_H
#define BASE_ENV_LIBEVENT_INTERNAL_H

#include "base/env.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct event;
struct event_base;
struct wall;

#define RX_SLOTS   64    /* datagrams in one turn of the loop */
#define RX_MAX     65535 /* longest datagram */
#define TX_MAX     256   /* queued datagrams */
#define COPY_BYTES (256 * 1024)

/* Not a multiple of the page size, so that slots do not fight for the same cache sets. */
#define RX_STRIDE (ENV_HEADROOM + RX_MAX + 1 + ENV_TAILROOM + 1080)

struct tx {
	struct tx *next;
	struct addr to;
	struct iovec iov;
	uint8_t tos;
	bool dont_fragment;
};

struct udp {
	struct env_udp udp; /* first */
	struct event *event;
	env_udp_batch_fn *on_batch;
	env_udp_error_fn *on_error;
	void *arg;
	int fd;
	struct addr
	    refused; /* the destination of the last datagram that was too long to leave whole */
	struct tx *tx_head, **tx_tail; /* queued, in order */
	struct udp *pending_next, **pending_prev;
};

struct env_le {
	struct env env; /* first */
	struct event_base *base;
	const struct wall *wall;
	uint8_t *arena; /* RX_SLOTS * RX_STRIDE */
	size_t rx_used; /* slots in use since the last flush */
	uint8_t *copy;  /* COPY_BYTES */
	size_t copy_used;
	struct tx tx[TX_MAX];
	size_t tx_used;
	struct udp *pending; /* sockets with queued datagrams */
	struct udp *reading; /* the socket whose batch is being delivered, NULL once it is closed */
	uint64_t turn_ns;    /* begin or end of the last turn that gathered */
	bool no_runs;        /* the kernel, or a device, does not segment datagrams (GSO) */
};

static inline struct env_le *env_le(struct env *env)
{
	return (struct env_le *)env;
}

static inline bool env_le_is_v6(const struct udp *u)
{
	return addr_family(&u->udp.local) == AF_INET6;
}

/* IPv4 has DF only as a socket's option. Else OMIT: without DF, and, unlike DONT, the kernel still
 * reports "fragmentation needed" for datagrams sent with it. */
void env_le_set_df(int fd, bool on);

/* As env_ops.udp_send. */
void env_le_send(struct env_udp *udp, const struct addr *to, const uint8_t *data, size_t len,
                 uint8_t tos, bool dont_fragment);

/* Sends the socket's queue, and takes it off the pending list. */
void env_le_flush_udp(struct udp *u);

extern const struct env_stream_ops env_le_streams;

/* Sends everything queued; received data stays where it is. */
void env_le_flush_all(struct env_le *e);

#endif
