/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table on the terminal.
 */
#include "harness/report/grid.h"
#include "harness/report/report.h"

#include <string.h>

#define ROW "%-24s %-11s %7s %10s %8s %8s  %s"

static int flushed(FILE *f)
{
	return fflush(f) != 0 || ferror(f) ? -E_IO : 0;
}

int report_text_head(FILE *f)
{
	fprintf(f, ROW "\n", "scenario", "result", "seconds", "connected", "delay", "rtt", "path");
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
	char seconds[32], connected[32], delay[32], rtt[32], try[24] = "";

	snprintf(seconds, sizeof(seconds), "%.1f", (double)r->duration_ms / 1000);
	if (r->tries > 1)
		snprintf(try, sizeof(try), " (try %u)", r->tries);
	fprintf(f, ROW "%s\n", r->name, result_state_text(r->state), seconds,
	        cell(r, "connected", connected, sizeof(connected)),
	        cell(r, "picture_delay", delay, sizeof(delay)), cell(r, "rtt", rtt, sizeof(rtt)),
	        r->path[0] ? r->path : "-", try);
	return flushed(f);
}

/* The results of one group that are not in a grid. */
static void put_group(FILE *f, const struct run *run, const char *group)
{
	bool first = true;

	for (size_t i = 0; i < run->result_n; i++) {
		const struct result *r = &run->result[i];

		if (grid_has(r) || strcmp(r->group, group) != 0)
			continue;
		if (first)
			fprintf(f, "\n" ROW "\n", *group ? group : "scenario", "result", "seconds",
			        "connected", "delay", "rtt", "path");
		first = false;
		report_text_line(f, r);
	}
}

int report_text_groups(FILE *f, const struct run *run)
{
	for (size_t i = 0; i < run->result_n; i++) {
		const char *group = run->result[i].group;
		bool seen = grid_has(&run->result[i]);

		for (size_t k = 0; k < i && !seen; k++)
			seen = !grid_has(&run->result[k]) && !strcmp(run->result[k].group, group);
		if (!seen)
			put_group(f, run, group);
	}
	grid_put(f, run);
	return flushed(f);
}

static bool alike(const struct result *a, const struct result *b)
{
	bool same = a->state == b->state && a->failure_n > 0 && a->failure_n == b->failure_n;

	for (size_t i = 0; i < a->failure_n && same; i++)
		same = !strcmp(a->failure[i], b->failure[i]);
	return same;
}

/* Prints failures with the same words once, at the first of them. */
static void put_trouble(FILE *f, const struct run *run, size_t at)
{
	const struct result *r = &run->result[at];
	size_t others = 0;

	/* That it was not begun needs no sentence a cell. */
	if (r->state == RESULT_PASSED || (r->state == RESULT_WAITING && !r->failure_n))
		return;
	for (size_t i = 0; i < at; i++) {
		if (alike(&run->result[i], r))
			return;
	}
	fprintf(f, "\n%s%s%s (%s): %s\n", r->name, r->target[0] ? " against " : "", r->target,
	        r->purpose, result_state_text(r->state));
	for (size_t i = 0; i < r->failure_n; i++)
		fprintf(f, "  - %s\n", r->failure[i]);
	for (size_t i = at + 1; i < run->result_n; i++) {
		if (!alike(&run->result[i], r))
			continue;
		fprintf(f, others++ ? ", %s%s%s" : "  Same failure: %s%s%s", run->result[i].name,
		        run->result[i].target[0] ? " against " : "", run->result[i].target);
	}
	if (others > 0)
		fputc('\n', f);
}

/* A cell that needs several tries again and again hides something. */
static void put_again(FILE *f, const struct result *r)
{
	if (r->tries > 1)
		fprintf(f, "\n%s%s%s was played %u times: %s\n", r->name,
		        r->target[0] ? " against " : "", r->target, r->tries,
		        r->again[0] ? r->again : "its lab or browsers failed");
}

int report_text_end(FILE *f, const struct run *run)
{
	size_t passed = run_count(run, RESULT_PASSED);
	size_t waiting = run_count(run, RESULT_WAITING);
	size_t skipped = run_count(run, RESULT_SKIPPED), again = run_count_again(run);

	for (size_t i = 0; i < run->result_n; i++)
		put_trouble(f, run, i);
	for (size_t i = 0; i < run->result_n; i++)
		put_again(f, &run->result[i]);
	fprintf(f, "\n%zu of %zu passed in %.1f s", passed, run->result_n,
	        (double)run->duration_ms / 1000);
	if (skipped > 0)
		fprintf(f, "; %zu left out", skipped);
	if (waiting > 0)
		fprintf(f, "; %zu did not begin", waiting);
	if (again > 0)
		fprintf(f, "; %zu played more than once", again);
	fputc('\n', f);
	return flushed(f);
}
