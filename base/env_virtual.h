/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The environment on virtual time: a clock that moves only when told to, a
 * network inside the process, chance from a seed. The same seed and the same
 * calls give the same run.
 */
#ifndef BASE_ENV_VIRTUAL_H
#define BASE_ENV_VIRTUAL_H

#include "base/env.h"

/* NULL when out of memory. */
struct env *env_virtual_new(uint64_t seed);

/* Closes what is left open: its sockets and timers become invalid. NULL is legal. */
void env_virtual_free(struct env *env);

/* Delivers what is under way and fires what is due until the clock has moved by ms. Datagrams
 * take no time; one to an address that nobody holds is lost and counted in send_drops. */
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

/* Open sockets now, released ones too. */
size_t env_virtual_sockets(const struct env *env);

#endif
