/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Counters as text.
 */
#include "daemon/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void metrics_collect(struct metrics *m, struct worker *const *workers, size_t n)
{
	memset(&m->relay, 0, sizeof(m->relay));
	m->workers = n;
	for (size_t i = 0; i < n; i++) {
		struct worker_report r;

		worker_get_report(workers[i], &r);
#define X(name) m->relay.turn.name += r.turn.name;
		TURN_STATS_TABLE(X)
#undef X
		m->relay.env.sent += r.env.sent;
		m->relay.env.send_drops += r.env.send_drops;
		m->relay.env.received += r.env.received;
		m->relay.env.truncations += r.env.truncations;
		m->relay.allocations += r.allocations;
	}
}

static void put(FILE *out, const char *type, const char *name, uint64_t value)
{
	fprintf(out, "# TYPE turnpike_%s %s\nturnpike_%s %" PRIu64 "\n", name, type, name, value);
}

char *metrics_text(const struct metrics *m)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, "# TYPE turnpike_build_info gauge\nturnpike_build_info{version=\"%s\"} 1\n",
	        TURNPIKE_VERSION);
#define X(name) put(out, "counter", "turn_" #name "_total", m->relay.turn.name);
	TURN_STATS_TABLE(X)
#undef X
	put(out, "gauge", "turn_allocations", m->relay.allocations);
	put(out, "counter", "udp_received_datagrams_total", m->relay.env.received);
	put(out, "counter", "udp_sent_datagrams_total", m->relay.env.sent);
	put(out, "counter", "udp_send_drops_total", m->relay.env.send_drops);
	put(out, "counter", "udp_truncated_datagrams_total", m->relay.env.truncations);
	put(out, "gauge", "connections", m->connections);
	put(out, "counter", "connections_refused_total", m->connections_refused);
	put(out, "gauge", "signal_connections", m->signal_peers);
	put(out, "gauge", "signal_calls", m->signal_calls);
	put(out, "counter", "credentials_issued_total", m->issued);
	put(out, "counter", "credentials_denied_total", m->denied);
	put(out, "counter", "credentials_rate_limited_total", m->rate_limited);
	put(out, "counter", "revocations_total", m->revoked);
	put(out, "counter", "store_batches_total", m->books.batches);
	put(out, "counter", "store_failures_total", m->books.failures);
	put(out, "gauge", "relay_workers", m->workers);
	put(out, "gauge", "draining", m->draining);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
