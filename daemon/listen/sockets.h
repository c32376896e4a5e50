/* SPDX-License-Identifier: BSD-3-Clause
 *
 * All listening sockets, bound before root is given up and before any thread
 * runs.
 */
#ifndef DAEMON_SOCKETS_H
#define DAEMON_SOCKETS_H

#include "daemon/listen/topology.h"

struct sockets {
	int *tcp; /* one for each of conf's listen; -1: taken, or of a family that there is not */
	size_t tcp_n;
	int *udp; /* for each worker, one for each of the topology's addresses; -1: likewise */
	size_t udp_n, worker_n;
};

/* Binds them, and fills in the topology's ports that the system chose: a port of 0 is one number
 * for TCP and for UDP on all its addresses. A host without one of IPv4 and IPv6 serves the other,
 * with a warning. On failure why names the address, the reason and the
 * fix, and s is for sockets_close(). */
int sockets_bind(struct sockets *s, const struct conf *conf, struct topology *topo, size_t workers,
                 struct why *why);

/* Later, for an address that has come: one for each worker into fds, which has room for them. 0 or
 * a code; then none is open. */
int sockets_bind_more(const struct addr *addr, int *fds, size_t workers, struct why *why);

/* The caller owns it from now on. */
int sockets_take_tcp(struct sockets *s, size_t i);
int sockets_take_udp(struct sockets *s, size_t worker, size_t i);

/* Closes those that nobody took. */
void sockets_close(struct sockets *s);

#endif
