/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The counters of the whole appliance as text for Prometheus (exposition
 * format 0.0.4). One table has each one's name, type and sentence. Base units,
 * no labels by user or session: the number of series does not grow with the
 * traffic.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "daemon/hooks/hooks.h"
#include "daemon/listen/greeter.h"
#include "daemon/process/self.h"
#include "daemon/records/books.h"
#include "daemon/relay/worker.h"
#include "signal/hub.h"

#include <stdio.h>

struct topology;

struct metrics {
	struct worker_report relay;    /* summed over the workers */
	struct worker *const *workers; /* borrowed */
	uint64_t worker_n;
	const struct topology *topo; /* borrowed */
	uint64_t draining;           /* 1 or 0, like the other flags */
	uint64_t started_at_s, loaded_at_s, certificate_ends_at_s; /* Unix time */
	uint64_t load_succeeded;
	uint64_t connections;         /* TCP and DTLS, now */
	uint64_t connections_refused; /* at the limit of connections */
	uint64_t proxy_faults[GREETER_FAULT_N];
	uint64_t signal_connections, signal_calls; /* now */
	uint64_t signal_events[HUB_EVENT_N];
	uint64_t issued, denied, rate_limited, revoked; /* credentials */
	uint64_t logins_refused;
	uint64_t log_lines_lost;
	uint64_t store_up, users, secrets;
	struct books_stats books;
	struct hooks_stats hooks;
	struct self self;
};

/* Sums the reports of the workers. */
void metrics_collect(struct metrics *m, struct worker *const *workers, size_t n);

uint64_t metrics_allocations_made(const struct metrics *m);

/* The caller frees it; NULL when out of memory. */
char *metrics_text(const struct metrics *m);

/* docs/metrics.md */
void metrics_print_markdown(FILE *out);

#endif
