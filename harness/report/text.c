/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table on the terminal.
 */
#include "harness/report/report.h"

#define ROW "%-24s %-11s %7s %10s %8s %8s  %s\n"

static int flushed(FILE *f)
{
	return fflush(f) != 0 || ferror(f) ? -E_IO : 0;
}

int report_text_head(FILE *f)
{
	fprintf(f, ROW, "scenario", "result", "seconds", "connected", "delay", "rtt", "path");
	return flushed(f);
}

static const char *cell(const struct result *r, const char *name, char *buf, size_t size)
{
	const struct measure *m = result_find(r, name);

	if (m)
		snprintf(buf, size, "%.0f %s", m->value, m->unit);
	else
		snprintf(buf, size, "-");
	return buf;
}

int report_text_line(FILE *f, const struct result *r)
{
	char seconds[32], connected[32], delay[32], rtt[32];

	snprintf(seconds, sizeof(seconds), "%.1f", (double)r->duration_ms / 1000);
	fprintf(f, ROW, r->name, result_state_text(r->state), seconds,
	        cell(r, "connected", connected, sizeof(connected)),
	        cell(r, "picture_delay", delay, sizeof(delay)), cell(r, "rtt", rtt, sizeof(rtt)),
	        r->path[0] ? r->path : "-");
	return flushed(f);
}

int report_text_end(FILE *f, const struct run *run)
{
	size_t passed = run_count(run, RESULT_PASSED);

	for (size_t i = 0; i < run->result_n; i++) {
		const struct result *r = &run->result[i];

		if (r->state == RESULT_PASSED)
			continue;
		fprintf(f, "\n%s (%s): %s\n", r->name, r->purpose, result_state_text(r->state));
		for (size_t k = 0; k < r->failure_n; k++)
			fprintf(f, "  - %s\n", r->failure[k]);
	}
	fprintf(f, "\n%zu of %zu passed in %.1f s\n", passed, run->result_n,
	        (double)run->duration_ms / 1000);
	return flushed(f);
}
