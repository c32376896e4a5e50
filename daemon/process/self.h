/* SPDX-License-Identifier: BSD-3-Clause
 *
 * This process's use of its host, under the names of Prometheus' own clients.
 */
#ifndef DAEMON_SELF_H
#define DAEMON_SELF_H

#include <stdint.h>

struct self {
	double cpu_s;      /* of all threads, in user and in system mode */
	double main_cpu_s; /* of the calling thread */
	uint64_t resident_bytes, virtual_bytes;
	uint64_t fds, fds_max;
};

/* Unreadable values are 0. */
void self_look(struct self *out);

#endif
