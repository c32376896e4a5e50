/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Descriptors: one for each relayed transport address, TCP connection and listener. Computes the
 * number that the configuration can need, and raises the limit.
 */
#ifndef DAEMON_LIMITS_H
#define DAEMON_LIMITS_H

#include "daemon/conf/conf.h"

#define LIMITS_SPARE 128 /* database, log, epoll, timers, libraries */

struct limits_need {
	uint64_t relays;      /* relayed transport addresses: total_quota, else the ports */
	uint64_t connections; /* TCP, the signaling ones among them */
	uint64_t listeners;
	uint64_t all; /* these and LIMITS_SPARE */
};

/* relay_n is the number of relay addresses, listen_n of listening ones. An option of 0 (no limit)
 * counts as max_connections. */
struct limits_need limits_need(const struct conf *conf, size_t relay_n, size_t listen_n,
                               size_t workers);

/* Raises RLIMIT_NOFILE to the hard limit, and the hard limit too if it is too small and we are
 * allowed to. Logs event=limits; warns with the numbers when it is not enough. Returns the limit.
 */
uint64_t limits_raise(const struct limits_need *need);

#endif
