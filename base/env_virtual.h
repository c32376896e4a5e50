/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The environment on virtual time: a clock that moves only on command, a network inside the
 * process, randomness from a seed. The same seed and the same calls give the same run.
 */
#ifndef BASE_ENV_VIRTUAL_H
#define BASE_ENV_VIRTUAL_H

#include "base/env_stream.h"

/* NULL when out of memory. */
struct env *env_virtual_new(uint64_t seed);

/* Closes open sockets and timers: they become invalid. NULL is legal. */
void env_virtual_free(struct env *env);

/* The path between the two ends of a stream, the same in both directions. It loses nothing and
 * keeps the order. */
struct env_virtual_path {
	uint32_t delay_ms;
	uint32_t jitter_ms;   /* each segment has up to so much more delay */
	uint32_t segment_max; /* bytes are cut into segments of 1 to so many; 0: they are not cut */
	uint32_t buffer;      /* limit of bytes that are on their way or not read */
};

/* A network between the sockets, instead of the one without loss and delay. */
struct env_virtual_wire {
	/* A socket has sent. Call env_virtual_carry() for each arrival: none is a loss, two a
	 * duplicate, different delays a change of order. */
	void (*sent)(void *ctx, const struct addr *from, const struct addr *to, const uint8_t *data,
	             size_t len, uint8_t tos);
	/* At its arrival, before the lookup of a socket: may rewrite the addresses, as a NAT does.
	 * False drops it. */
	bool (*arrives)(void *ctx, struct addr *from, struct addr *to, const uint8_t *data,
	                size_t len);
	/* The socket has handled the last arrival; also called when there was no socket. */
	void (*handled)(void *ctx);
	/* Somebody connects. It may change path, which has no delay, no cuts and room for 64 KB.
	 * False: the attempt gets lost and never ends. NULL: every path stays as it is. */
	bool (*joins)(void *ctx, const struct addr *from, const struct addr *to,
	              struct env_virtual_path *path);
};

/* Borrows wire and ctx. NULL restores the plain network. */
void env_virtual_set_wire(struct env *env, const struct env_virtual_wire *wire, void *ctx);

/* For a wire: delivers a datagram to `to` in so many milliseconds. Copies data. Arrivals of the
 * same moment come in the order of the calls. */
void env_virtual_carry(struct env *env, const struct addr *from, const struct addr *to,
                       const uint8_t *data, size_t len, uint8_t tos, uint64_t after_ms);

/* Delivers datagrams and fires timers until the clock has moved by ms. Datagrams take no time
 * unless a wire says so; one to an address without a socket is lost and counted in send_drops. */
void env_virtual_run(struct env *env, uint64_t ms);

/* Moves the wall clock alone, as an administrator or NTP would. */
void env_virtual_step_wall(struct env *env, int64_t seconds);

/* The next n udp_open calls fail with code (negative). */
void env_virtual_fail_open(struct env *env, unsigned int n, int code);

/* Returns an ICMP error for a datagram that the socket at sender sent. False when that socket does
 * not ask for errors. */
bool env_virtual_icmp(struct env *env, const struct addr *sender,
                      const struct env_udp_error *error);

/* Datagrams sent with the wish not to be fragmented. */
uint64_t env_virtual_unfragmented(const struct env *env);

/* Datagrams under way. */
size_t env_virtual_packets(const struct env *env);

/* Open sockets now, released ones too. */
size_t env_virtual_sockets(const struct env *env);

/* Ends of streams now, with released ones and attempts; and listeners. */
size_t env_virtual_streams(const struct env *env);
size_t env_virtual_listeners(const struct env *env);

/* Bytes that the other end has written to s so far, read or not. */
uint64_t env_virtual_stream_came(const struct env_stream *s);

/* The network breaks the connection; both ends notice. */
void env_virtual_stream_reset(struct env_stream *s);

#endif
