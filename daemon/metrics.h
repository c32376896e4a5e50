/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The counters of the whole appliance as text for Prometheus (exposition
 * format 0.0.4). Base units, no labels by user or session: the number of
 * series does not grow with the traffic.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "daemon/books.h"
#include "daemon/relay/worker.h"

struct metrics {
	struct worker_report relay; /* summed over the workers */
	size_t workers;
	uint64_t signal_peers, signal_calls;            /* now */
	uint64_t connections;                           /* TCP and DTLS, now */
	uint64_t connections_refused;                   /* for their number */
	uint64_t issued, denied, rate_limited, revoked; /* credentials */
	struct books_stats books;
	bool draining;
};

/* Sums the reports of the workers. */
void metrics_collect(struct metrics *m, struct worker *const *workers, size_t n);

/* To be freed; NULL when out of memory. */
char *metrics_text(const struct metrics *m);

#endif
