/* SPDX-License-Identifier: BSD-3-Clause
 *
 * docs/metrics.md: the table of metrics, and how to read them.
 */
#include "daemon/observe/metrics_internal.h"

#include <string.h>

static const char head[] =
    "# Metrics\n"
    "\n"
    "Every port of `listen` answers `GET /metrics` in Prometheus' text format. The request needs "
    "an API token of scope `metrics` (or `admin`),\n"
    "also on the server's own host, or must come from a browser that has opened a link (`turnpike "
    "link`). Otherwise the answer is 401. On the\n"
    "host, `turnpike metrics` prints the same through the admin socket, without a token.\n"
    "\n"
    "```sh\n"
    "turnpike --data /var/lib/turnpike token add prometheus --scope metrics | install -m 640 -g "
    "prometheus /dev/stdin /etc/prometheus/turnpike.token\n"
    "curl -H \"Authorization: Bearer $(cat /etc/prometheus/turnpike.token)\" "
    "https://turn.example.org:5349/metrics\n"
    "```\n"
    "\n"
    "```yaml\n"
    "# prometheus.yml\n"
    "scrape_configs:\n"
    "  - job_name: turnpike\n"
    "    scheme: https\n"
    "    authorization:\n"
    "      credentials_file: /etc/prometheus/turnpike.token\n"
    "    static_configs:\n"
    "      - targets: [\"turn.example.org:5349\"]\n"
    "rule_files: [prometheus-alerts.yml]\n"
    "```\n"
    "\n"
    "[examples/grafana-dashboard.json](examples/grafana-dashboard.json) is a dashboard for Grafana "
    "(Dashboards, New, Import),\n"
    "[examples/prometheus-alerts.yml](examples/prometheus-alerts.yml) has alerts. A test compares "
    "both with the metrics of a\n"
    "running server.\n"
    "\n"
    "Each relay thread has its own counters and reports them five times a second, so a scrape does "
    "not slow down the data path. No label has the\n"
    "name of a user, session or peer: the number of series depends on the machine (relay threads "
    "and addresses),\n"
    "not on the traffic. For the usage of each user see `turnpike usage`. Counters begin at 0 when "
    "the server starts.\n";

/* Prometheus' base unit, from the end of the name. */
static const char *unit(const char *name)
{
	return strstr(name, "_timestamp_seconds") || strstr(name, "_time_seconds") ? "Unix time"
	       : strstr(name, "_seconds")                                          ? "seconds"
	       : strstr(name, "_bytes")                                            ? "bytes"
	                                                                           : "";
}

static void print_row(FILE *out, const struct metric *f)
{
	fprintf(out, "| `%s` | %s | %s | %s", f->name, metric_type_text(f), unit(f->name), f->help);
	if (f->label)
		fprintf(out, ". Label `%s`", f->label);
	for (size_t i = 0; f->kinds && i < f->kind_n; i++)
		fprintf(out, "%s `%s`", i ? "," : ":", f->kinds[i]);
	fputs(" |\n", out);
}

void metrics_print_markdown(FILE *out)
{
	fputs(head, out);
	for (const struct metric_section *s = metric_sections; s->title; s++) {
		fprintf(out, "\n## %s\n\n| name | type | unit | |\n|---|---|---|---|\n", s->title);
		for (size_t i = 0; i < s->n; i++)
			print_row(out, &s->rows[i]);
	}
}
