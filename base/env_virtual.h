/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The environment on virtual time: a clock that moves only when told to, a
 * network inside the process, chance from a seed. The same seed and the same
 * calls give the same run.
 */
#ifndef BASE_ENV_VIRTUAL_H
#define BASE_ENV_VIRTUAL_H

#include "base/env_stream.h"

/* NULL when out of memory. */
struct env *env_virtual_new(uint64_t seed);

/* Closes what is left open: its sockets and timers become invalid. NULL is legal. */
void env_virtual_free(struct env *env);

/* The path between the two ends of a stream, the same in both directions. It loses nothing and
 * keeps the order. */
struct env_virtual_path {
	uint32_t delay_ms;
	uint32_t jitter_ms;   /* each segment has up to so much more delay */
	uint32_t segment_max; /* bytes are cut into segments of 1 to so many; 0: they are not cut */
	uint32_t buffer;      /* limit of bytes that are on their way or not read */
};

/* A network between the sockets, in place of the one that loses nothing and takes no time. */
struct env_virtual_wire {
	/* A socket has sent. What is to arrive is given to env_virtual_carry(); not at all is a
	 * loss, twice a duplicate, at different delays a change of order. */
	void (*sent)(void *ctx, const struct addr *from, const struct addr *to, const uint8_t *data,
	             size_t len, uint8_t tos);
	/* At its arrival, before a socket is looked for: may rewrite the addresses, as a NAT does.
	 * False drops it. */
	bool (*arrives)(void *ctx, struct addr *from, struct addr *to, const uint8_t *data,
	                size_t len);
	/* The socket has done with the one that arrived last; without a socket, too. */
	void (*handled)(void *ctx);
	/* Somebody connects. It may change path, which has no delay, no cuts and room for 64 KB.
	 * False: the attempt gets lost and never ends. NULL: every path stays as it is. */
	bool (*joins)(void *ctx, const struct addr *from, const struct addr *to,
	              struct env_virtual_path *path);
};

/* Borrows wire and ctx. NULL brings the plain network back. */
void env_virtual_set_wire(struct env *env, const struct env_virtual_wire *wire, void *ctx);

/* For a wire: a datagram comes to `to` in so many milliseconds. Copies data. Those of the same
 * moment arrive in the order of the calls. */
void env_virtual_carry(struct env *env, const struct addr *from, const struct addr *to,
                       const uint8_t *data, size_t len, uint8_t tos, uint64_t after_ms);

/* Delivers what is under way and fires what is due until the clock has moved by ms. Datagrams
 * take no time unless a wire says so; one to an address that nobody holds is lost and counted in
 * send_drops. */
void env_virtual_run(struct env *env, uint64_t ms);

/* Moves the wall clock alone, as an administrator or NTP would. */
void env_virtual_step_wall(struct env *env, int64_t seconds);

/* The next n udp_open calls fail with code (negative). */
void env_virtual_fail_open(struct env *env, unsigned int n, int code);

/* An ICMP error comes back for a datagram that the socket at sender sent. False when nobody there
 * asks for errors. */
bool env_virtual_icmp(struct env *env, const struct addr *sender,
                      const struct env_udp_error *error);

/* Datagrams that were sent with the wish not to be fragmented. */
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
