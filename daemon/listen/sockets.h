/* SPDX-License-Identifier: BSD-3-Clause
 *
 * All listening sockets, bound before the process gives up root and before any thread runs.
 */
#ifndef DAEMON_SOCKETS_H
#define DAEMON_SOCKETS_H

#include "daemon/listen/topology.h"

struct sockets {
	int *tcp; /* one per listen address; -1: taken, or of a family that the host lacks */
	size_t tcp_n;
	int *udp; /* for each worker, one per topology address; -1: likewise */
	size_t udp_n, worker_n;
};

/* Binds them, and fills in the topology's ports that the system chose: a port of 0 becomes one
 * number for TCP and for UDP on all its addresses. A host that lacks IPv4 or IPv6 serves the other,
 * with a warning. On failure why names the address, the reason and the fix, and s is for
 * sockets_close(). */
int sockets_bind(struct sockets *s, const struct conf *conf, struct topology *topo, size_t workers,
                 struct why *why);

/* Later, for a new address: one per worker into fds, which has room for them. 0 or a code; on
 * failure none is open. */
int sockets_bind_more(const struct addr *addr, int *fds, size_t workers, struct why *why);

/* The caller owns the socket from now on. */
int sockets_take_tcp(struct sockets *s, size_t i);
int sockets_take_udp(struct sockets *s, size_t worker, size_t i);

/* Closes the sockets that were not taken. */
void sockets_close(struct sockets *s);

#endif
