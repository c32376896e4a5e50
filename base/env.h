/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The environment seam: clock, randomness, UDP sockets and timers, and streams (base/env_stream.h).
 * The TURN server sees the world only through it, so that a test can own time and the network. An
 * environment belongs to one thread; do not use it, or anything in it, from another.
 */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A received datagram has this many writable bytes before and behind it, to add a header or padding
 * in place. Its data is aligned to 8 bytes. */
#define ENV_HEADROOM 64
#define ENV_TAILROOM 8

struct env;
struct env_udp;
struct env_timer;
struct env_stream_ops;

struct datagram {
	struct addr peer; /* its sender */
	uint8_t *data;    /* borrowed for the call; may be changed and sent on in place */
	size_t len;
	uint8_t tos; /* DSCP and ECN of its IP header; 0 if the system does not tell */
};

/* The failure of a datagram that we sent: an ICMP error, or the system's own refusal of one that
 * must not be fragmented (reported as ICMP, too). */
struct env_udp_error {
	struct addr peer; /* the datagram's destination */
	uint8_t type, code;
	uint32_t mtu; /* for "fragmentation needed" and "packet too big"; else 0 */
};

/* Called with the datagrams of one wake-up, ordered by arrival. May open and close sockets, u too.
 */
typedef void env_udp_batch_fn(void *arg, struct env_udp *u, struct datagram *batch, size_t n);
/* May close u. */
typedef void env_udp_error_fn(void *arg, struct env_udp *u, const struct env_udp_error *error);
typedef void env_timer_fn(void *arg);

struct env_udp_params {
	struct addr local; /* port 0: any */
	int fd;            /* a bound socket to take over, or -1 to open one on local */
	env_udp_batch_fn *on_batch;
	env_udp_error_fn *on_error; /* NULL: the socket reports no errors */
	void *arg;
};

/* Counts since the start; only ever grow. */
struct env_stats {
	uint64_t sent;        /* datagrams */
	uint64_t send_drops;  /* datagrams the kernel refused: full buffer, unreachable, firewall */
	uint64_t received;    /* datagrams */
	uint64_t truncations; /* datagrams dropped for being too long */
};

struct env_ops {
	uint64_t (*now_ms)(struct env *env);
	int64_t (*wall_s)(struct env *env);
	void (*random)(struct env *env, void *out, size_t len);
	int (*udp_open)(struct env *env, const struct env_udp_params *p, struct env_udp **out);
	void (*udp_send)(struct env_udp *u, const struct addr *to, const uint8_t *data, size_t len,
	                 uint8_t tos, bool dont_fragment);
	int (*udp_release)(struct env_udp *u);
	void (*udp_discard)(struct env *env, int fd);
	void (*udp_close)(struct env_udp *u);
	struct env_timer *(*timer_new)(struct env *env, env_timer_fn *fn, void *arg);
	void (*timer_set)(struct env_timer *t, uint64_t after_ms);
	void (*timer_soon)(struct env_timer *t);
	void (*timer_free)(struct env_timer *t);
};

/* Implementations embed these at the start of their own structs. */
struct env {
	const struct env_ops *ops;
	const struct env_stream_ops *streams;
	struct env_stats stats;
};

struct env_udp {
	struct env *env;
	struct addr local; /* with the port it got */
};

struct env_timer {
	struct env *env;
};

/* Monotonic milliseconds; the zero is arbitrary. */
static inline uint64_t env_now_ms(struct env *env)
{
	return env->ops->now_ms(env);
}

/* Unix time in seconds. Only for wall-clock times (credential expiry). */
static inline int64_t env_wall_s(struct env *env)
{
	return env->ops->wall_s(env);
}

/* Cryptographically secure bytes. */
static inline void env_random(struct env *env, void *out, size_t len)
{
	env->ops->random(env, out, len);
}

/* 0, -E_IN_USE, -E_LIMIT (descriptors), -E_NOMEM, -E_DENIED, -E_INVAL, -E_IO. On failure the caller
 * keeps a given fd. */
static inline int env_udp_open(struct env *env, const struct env_udp_params *p,
                               struct env_udp **out)
{
	return env->ops->udp_open(env, p, out);
}

/* Queues a datagram; it leaves at the end of the wake-up. Borrows data of the batch being delivered
 * until then, copies other data. A full buffer drops it: UDP. */
static inline void env_udp_send(struct env_udp *u, const struct addr *to, const uint8_t *data,
                                size_t len)
{
	u->env->ops->udp_send(u, to, data, len, 0, false);
}

/* The same with the IP header's DSCP and ECN, and with the DF bit (IPv6: no fragment header) on
 * request. */
static inline void env_udp_send_as(struct env_udp *u, const struct addr *to, const uint8_t *data,
                                   size_t len, uint8_t tos, bool dont_fragment)
{
	u->env->ops->udp_send(u, to, data, len, tos, dont_fragment);
}

/* Ends u but not its socket: returns it for env_udp_open() of this or another environment. Sends
 * queued datagrams first. */
static inline int env_udp_release(struct env_udp *u)
{
	return u->env->ops->udp_release(u);
}

/* Closes a socket from env_udp_release() of any environment of this kind. */
static inline void env_udp_discard(struct env *env, int fd)
{
	env->ops->udp_discard(env, fd);
}

/* Sends queued datagrams first. NULL is legal. */
static inline void env_udp_close(struct env_udp *u)
{
	if (u)
		u->env->ops->udp_close(u);
}

/* One-shot, not started. NULL when out of memory. */
static inline struct env_timer *env_timer_new(struct env *env, env_timer_fn *fn, void *arg)
{
	return env->ops->timer_new(env, fn, arg);
}

/* Fires once, after_ms from now; a new call replaces the old time. */
static inline void env_timer_set(struct env_timer *t, uint64_t after_ms)
{
	t->env->ops->timer_set(t, after_ms);
}

/* Fires once, in this turn of the loop, after everything that is ready now. Do not set the same
 * timer for a time as well. */
static inline void env_timer_soon(struct env_timer *t)
{
	t->env->ops->timer_soon(t);
}

/* NULL is legal. */
static inline void env_timer_free(struct env_timer *t)
{
	if (t)
		t->env->ops->timer_free(t);
}

#endif
