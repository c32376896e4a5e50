/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What this process uses of its host, as Prometheus' own clients tell it.
 */
#ifndef DAEMON_SELF_H
#define DAEMON_SELF_H

#include <stdint.h>

struct self {
	double cpu_s;      /* of all threads, in user and in system mode */
	double main_cpu_s; /* of the thread that asks */
	uint64_t resident_bytes, virtual_bytes;
	uint64_t fds, fds_max;
};

/* What cannot be read is 0. */
void self_look(struct self *out);

#endif
