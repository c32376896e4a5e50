/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The environment on libevent: the system's clock, getrandom(2), real sockets
 * read with recvmmsg(2) and written with sendmmsg(2).
 */
#ifndef BASE_ENV_LIBEVENT_H
#define BASE_ENV_LIBEVENT_H

#include "base/env.h"
#include "base/error.h"

struct event_base;
struct wall;

/* Borrows base, and the time of day (may be NULL: the system's), for its life. NULL when out of
 * memory. */
struct env *env_libevent_new(struct event_base *base, const struct wall *wall);

/* Close sockets and timers first. NULL is legal. */
void env_libevent_free(struct env *env);

/* Sends the queued datagrams. Call it after each turn of the event loop (EVLOOP_ONCE). */
void env_libevent_flush(struct env *env);

/* Call it after a turn of the loop whose work may wait a little. If the turn began soon after the
 * one before, sleeps until so many microseconds have passed since that beginning, so that datagrams
 * gather and are handled together. A turn after a pause as long never waits. 0: never sleep. */
void env_libevent_gather(struct env *env, unsigned int us);

/* Cryptographically secure bytes, from any thread and without an environment. */
void env_libevent_random(void *out, size_t len);

/* Opens a UDP socket bound to local, non-blocking, with room for bursts. reuse_port: several
 * workers share the address, which the host may get later, and the kernel spreads clients over
 * them. 0 or a code; why names address and fix. */
int env_libevent_bind_udp(const struct addr *local, bool reuse_port, int *fd, struct why *why);

/* Before bind(2), for a listening socket: lets it bind an address that the host does not have yet,
 * and serve it from then on. */
void env_libevent_bind_early(int fd, int family);

#endif
