/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of metrics, and the text that Prometheus reads.
 */
#include "daemon/observe/metrics_internal.h"

#include "daemon/listen/topology.h"
#include "turn/ports.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define X(name, text) [name] = text,
static const char *const transports[] = {TURN_PROTOCOL_TABLE(X)};
static const char *const close_reasons[] = {TURN_CLOSE_TABLE(X)};
static const char *const faults[] = {TURN_FAULT_TABLE(X)};
static const char *const signal_events[] = {HUB_EVENT_TABLE(X)};
static const char *const asked[] = {HOOK_ASKED_TABLE(X)};
static const char *const proxy_faults[] = {GREETER_FAULT_TABLE(X)};
#undef X

/* No credential is how every client begins: no failure. */
#define FAULTS (TURN_FAULT_NO_CREDENTIAL + 1)

/* ---- series whose values or labels lie elsewhere ---- */

static void put_version(FILE *out, const struct metric *f, const struct metrics *m)
{
	(void)m;
	fprintf(out, "%s{%s=\"%s\"} 1\n", f->name, f->label, TURNPIKE_VERSION);
}

/* Each relay address has a pool of its own. */
static void put_ports(FILE *out, const struct metric *f, const struct metrics *m,
                      size_t (*of)(struct turn_ports *p))
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < m->topo->relay_n; i++)
		if (m->topo->relay[i].presence != TURN_GONE)
			fprintf(out, "%s{%s=\"%s\"} %zu\n", f->name, f->label,
			        addr_format_ip(&m->topo->relay[i].local, text),
			        of(m->topo->relay[i].ports));
}

static void put_ports_in_use(FILE *out, const struct metric *f, const struct metrics *m)
{
	put_ports(out, f, m, turn_ports_leased);
}

static void put_ports_max(FILE *out, const struct metric *f, const struct metrics *m)
{
	put_ports(out, f, m, turn_ports_size);
}

static void put_threads(FILE *out, const struct metric *f, const struct metrics *m)
{
	struct worker_report r;

	fprintf(out, "%s{%s=\"main\"} %.6f\n", f->name, f->label, m->self.main_cpu_s);
	for (size_t i = 0; i < m->worker_n; i++) {
		worker_get_report(m->workers[i], &r);
		fprintf(out, "%s{%s=\"relay-%zu\"} %.6f\n", f->name, f->label, i, r.cpu_s);
	}
}

static void put_cpu(FILE *out, const struct metric *f, const struct metrics *m)
{
	fprintf(out, "%s %.6f\n", f->name, m->self.cpu_s);
}

/* ---- the table ---- */

#define ONE(type, name, member, help)                                                              \
	{                                                                                          \
		name, METRIC_##type, help, NULL, offsetof(struct metrics, member), 1, NULL, NULL   \
	}
#define KINDS(type, name, member, label, kinds, n, help)                                           \
	{                                                                                          \
		name, METRIC_##type, help, label, offsetof(struct metrics, member), n, kinds, NULL \
	}
#define PUT(type, name, label, put, help)                                                          \
	{                                                                                          \
		name, METRIC_##type, help, label, 0, 0, NULL, put                                  \
	}
#define COUNTER(name, member, help) ONE(COUNTER, name, member, help)
#define GAUGE(name, member, help)   ONE(GAUGE, name, member, help)

static const struct metric server[] = {
    PUT(GAUGE, "turnpike_build_info", "version", put_version,
        "Always 1; the label has the version"),
    GAUGE("turnpike_draining", draining, "1 while the server takes no new allocations"),
    GAUGE("turnpike_config_last_reload_successful", load_succeeded,
          "0 if the last reload was refused; the previous configuration is then in effect"),
    GAUGE("turnpike_config_last_reload_success_timestamp_seconds", loaded_at_s,
          "When the configuration in effect was read"),
    GAUGE("turnpike_certificate_expiry_timestamp_seconds", certificate_ends_at_s,
          "When the certificate for TLS and DTLS clients expires"),
    GAUGE("turnpike_connections", connections,
          "Open TCP and TLS connections (also of HTTP and WebSocket) and DTLS sessions"),
    COUNTER("turnpike_connections_refused_total", connections_refused,
            "TCP connections refused by max_tcp_connections or connections_per_address"),
    COUNTER("turnpike_log_lines_lost_total", log_lines_lost,
            "Log lines lost because the reader was too slow"),
    KINDS(COUNTER, "turnpike_proxy_header_faults_total", proxy_faults, "reason", proxy_faults,
          GREETER_FAULT_N,
          "TCP connections closed because of their PROXY header: it is missing, unexpected, "
          "malformed, or does not come from proxy_from"),
};

static const struct metric relay[] = {
    GAUGE("turnpike_relay_workers", worker_n, "Relay threads"),
    PUT(COUNTER, "turnpike_thread_cpu_seconds_total", "thread", put_threads,
        "CPU time of the main thread and of each relay thread; a thread that uses a whole second "
        "in each second can carry no more"),
    PUT(GAUGE, "turnpike_relay_ports_in_use", "address", put_ports_in_use,
        "Leased or reserved relay ports, by relay address"),
    PUT(GAUGE, "turnpike_relay_ports_max", "address", put_ports_max,
        "Ports of relay_ports, by relay address"),
    GAUGE("turnpike_turn_allocations", relay.allocations, "Live allocations"),
    KINDS(COUNTER, "turnpike_turn_allocations_made_total", relay.turn.made, "transport", transports,
          TURN_PROTOCOL_N, "Allocations made, by the client's transport"),
    KINDS(COUNTER, "turnpike_turn_allocations_closed_total", relay.turn.closed, "reason",
          close_reasons, TURN_CLOSE_N, "Allocations that ended, by reason"),
    COUNTER("turnpike_udp_received_datagrams_total", relay.env.received,
            "UDP datagrams received, from clients and peers"),
    COUNTER("turnpike_udp_sent_datagrams_total", relay.env.sent,
            "UDP datagrams sent, to clients and peers"),
    COUNTER("turnpike_udp_send_drops_total", relay.env.send_drops,
            "UDP datagrams that the kernel did not accept: full buffer, no route, firewall"),
    COUNTER("turnpike_udp_truncated_datagrams_total", relay.env.truncations,
            "UDP datagrams dropped because they were too long"),
};

static const struct metric turn[] = {
    KINDS(COUNTER, "turnpike_turn_authentication_failures_total", relay.turn.faults[FAULTS],
          "reason", faults + FAULTS, TURN_FAULT_N - FAULTS,
          "Requests whose credential was refused, by reason"),
#define X(name, help) COUNTER("turnpike_turn_" #name "_total", relay.turn.name, help),
    TURN_STATS_TABLE(X)
#undef X
};

static const struct metric signaling[] = {
    GAUGE("turnpike_signal_connections", signal_connections, "Open signaling WebSockets"),
    GAUGE("turnpike_signal_calls", signal_calls, "Running calls that are signaled here"),
    KINDS(COUNTER, "turnpike_signal_events_total", signal_events, "event", signal_events,
          HUB_EVENT_N, "Actions of signed-in signaling clients, by event"),
    COUNTER("turnpike_credentials_issued_total", issued,
            "Relay credentials issued over HTTP and WebSocket"),
    COUNTER("turnpike_credentials_denied_total", denied,
            "Requests for credentials without a sufficient API token"),
    COUNTER("turnpike_credentials_rate_limited_total", rate_limited,
            "Requests for credentials refused by issue_rate_token or issue_rate_address"),
    COUNTER("turnpike_revocations_total", revoked,
            "Credentials and users revoked over HTTP and by administration"),
    COUNTER("turnpike_logins_refused_total", logins_refused,
            "Logins to the status page with a wrong name or password"),
};

static const struct metric store[] = {
    GAUGE("turnpike_store_up", store_up,
          "0 while the database cannot be read; users and secrets are then the last ones read"),
    COUNTER("turnpike_store_batches_total", books.batches, "Batches of usage written"),
    COUNTER("turnpike_store_failures_total", books.failures,
            "Batches of usage that could not be written; the server tries again"),
    GAUGE("turnpike_users", users, "Static TURN users"),
    GAUGE("turnpike_secrets", secrets, "Live shared secrets"),
};

static const struct metric webhooks[] = {
    COUNTER("turnpike_webhooks_delivered_total", hooks.delivered,
            "Events that a webhook URL accepted"),
    COUNTER("turnpike_webhooks_failed_total", hooks.failed,
            "Tries that a webhook URL did not answer, or refused"),
    COUNTER("turnpike_webhooks_dead_total", hooks.dead,
            "Events that became dead letters because a webhook URL refused them, or for a day did "
            "not accept them"),
    COUNTER("turnpike_webhooks_dropped_total", hooks.dropped,
            "Events that a full queue (webhook_queue, webhook_queue_bytes) made dead letters, or "
            "that were lost before they reached it"),
    KINDS(COUNTER, "turnpike_join_questions_total", hooks.asked, "answer", asked, HOOK_ASKED_N,
          "Questions to join_url before somebody joins, by what it said"),
    GAUGE("turnpike_webhooks_waiting", hooks.waiting, "Events that wait to be sent, for all URLs"),
    GAUGE("turnpike_webhooks_oldest_seconds", hooks.age_s, "How long the first of them has waited"),
};

static const struct metric process[] = {
    GAUGE("process_start_time_seconds", started_at_s, "When the server started"),
    PUT(COUNTER, "process_cpu_seconds_total", NULL, put_cpu,
        "CPU time of all threads, user and system"),
    GAUGE("process_resident_memory_bytes", self.resident_bytes, "Resident memory"),
    GAUGE("process_virtual_memory_bytes", self.virtual_bytes, "Virtual memory"),
    GAUGE("process_open_fds", self.fds, "Open file descriptors"),
    GAUGE("process_max_fds", self.fds_max, "Limit of open file descriptors"),
};

#define SECTION(title, rows)                                                                       \
	{                                                                                          \
		title, rows, sizeof(rows) / sizeof(*(rows))                                        \
	}
const struct metric_section metric_sections[] = {
    SECTION("Server", server),      SECTION("Relay", relay),
    SECTION("TURN requests", turn), SECTION("Signaling and credentials", signaling),
    SECTION("Store", store),        SECTION("Webhooks", webhooks),
    SECTION("Process", process),    {NULL, NULL, 0},
};

const char *metric_type_text(const struct metric *f)
{
	return f->type == METRIC_COUNTER ? "counter" : "gauge";
}

void metrics_collect(struct metrics *m, struct worker *const *workers, size_t n)
{
	memset(&m->relay, 0, sizeof(m->relay));
	m->workers = workers;
	m->worker_n = n;
	for (size_t i = 0; i < n; i++) {
		struct worker_report r;

		worker_get_report(workers[i], &r);
#define X(name, help) m->relay.turn.name += r.turn.name;
		TURN_STATS_TABLE(X)
#undef X
		for (size_t k = 0; k < TURN_PROTOCOL_N; k++)
			m->relay.turn.made[k] += r.turn.made[k];
		for (size_t k = 0; k < TURN_CLOSE_N; k++)
			m->relay.turn.closed[k] += r.turn.closed[k];
		for (size_t k = 0; k < TURN_FAULT_N; k++)
			m->relay.turn.faults[k] += r.turn.faults[k];
		m->relay.env.sent += r.env.sent;
		m->relay.env.send_drops += r.env.send_drops;
		m->relay.env.received += r.env.received;
		m->relay.env.truncations += r.env.truncations;
		m->relay.allocations += r.allocations;
	}
}

uint64_t metrics_allocations_made(const struct metrics *m)
{
	uint64_t n = 0;

	for (size_t k = 0; k < TURN_PROTOCOL_N; k++)
		n += m->relay.turn.made[k];
	return n;
}

static void put(FILE *out, const struct metric *f, const struct metrics *m)
{
	const uint64_t *values = (const uint64_t *)(const void *)((const char *)m + f->at);

	if (f->put)
		f->put(out, f, m);
	else if (!f->label)
		fprintf(out, "%s %" PRIu64 "\n", f->name, *values);
	else
		for (size_t i = 0; i < f->kind_n; i++)
			fprintf(out, "%s{%s=\"%s\"} %" PRIu64 "\n", f->name, f->label, f->kinds[i],
			        values[i]);
}

char *metrics_text(const struct metrics *m)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (const struct metric_section *s = metric_sections; s->title; s++) {
		for (size_t i = 0; i < s->n; i++) {
			const struct metric *f = &s->rows[i];

			fprintf(out, "# HELP %s %s.\n# TYPE %s %s\n", f->name, f->help, f->name,
			        metric_type_text(f));
			put(out, f, m);
		}
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
