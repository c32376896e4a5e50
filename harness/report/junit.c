/* SPDX-License-Identifier: BSD-3-Clause
 *
 * JUnit XML, as CI systems read it: a failed check is a failure, a lab that
 * could not be built an error, what was not judged is skipped.
 */
#include "harness/report/markup.h"
#include "harness/report/report.h"

#include <string.h>
#include <time.h>

static void put_attr(FILE *f, const char *name, const char *value)
{
	fprintf(f, " %s=\"", name);
	markup_put(f, value);
	fputc('"', f);
}

static void put_property(FILE *f, const char *name, const char *value)
{
	if (!*value)
		return;
	fprintf(f, "        <property name=\"%s\"", name);
	put_attr(f, "value", value);
	fputs("/>\n", f);
}

static void put_properties(FILE *f, const struct result *r)
{
	static const char *const kind[] = {"kind_a", "kind_b"}, *const browser[] = {"browser_a",
	                                                                            "browser_b"};

	fputs("      <properties>\n", f);
	for (int i = 0; i < 2; i++)
		put_property(f, kind[i], r->kind[i]);
	for (int i = 0; i < 2; i++)
		put_property(f, browser[i], r->browser[i]);
	put_property(f, "target", r->target);
	put_property(f, "expected", r->expected);
	put_property(f, "path", r->path);
	if (r->tries > 0)
		fprintf(f, "        <property name=\"tries\" value=\"%u\"/>\n", r->tries);
	put_property(f, "played_again", r->again);
	fputs("      </properties>\n", f);
}

/* The element that says how it went, or NULL for a success. */
static const char *outcome_tag(enum result_state state)
{
	switch (state) {
	case RESULT_PASSED:
		return NULL;
	case RESULT_FAILED:
		return "failure";
	case RESULT_INCONCLUSIVE:
	case RESULT_SKIPPED:
	case RESULT_WAITING:
		return "skipped";
	case RESULT_NO_LAB:
	case RESULT_INTERRUPTED:
	case RESULT_RUNNING:
		break;
	}
	return "error";
}

static void put_outcome(FILE *f, const struct result *r)
{
	const char *tag = outcome_tag(r->state);

	if (!tag)
		return;
	fprintf(f, "      <%s", tag);
	/* JUnit's skipped element knows a message only. */
	if (strcmp(tag, "skipped") != 0)
		put_attr(f, "type", result_state_text(r->state));
	put_attr(f, "message", r->failure_n ? r->failure[0] : "no reason known");
	fputs(">", f);
	for (size_t i = 0; i < r->failure_n; i++) {
		markup_put(f, r->failure[i]);
		fputc('\n', f);
	}
	fprintf(f, "</%s>\n", tag);
}

static void put_case(FILE *f, const struct result *r)
{
	fputs("    <testcase", f);
	put_attr(f, "classname", r->group[0] ? r->group : "turnpike-harness");
	put_attr(f, "name", r->name);
	fprintf(f, " time=\"%.3f\">\n", (double)r->duration_ms / 1000);
	put_properties(f, r);
	put_outcome(f, r);
	fputs("      <system-out>", f);
	markup_put(f, r->purpose);
	fputs("\npath=", f);
	markup_put(f, r->path);
	for (size_t i = 0; i < r->measure_n; i++) {
		fputc('\n', f);
		markup_put(f, r->measure[i].name);
		fprintf(f, "=%.3f", r->measure[i].value);
		markup_put(f, r->measure[i].unit);
	}
	fputs("</system-out>\n    </testcase>\n", f);
}

static size_t count_tag(const struct run *run, const char *tag)
{
	size_t n = 0;

	for (size_t i = 0; i < run->result_n; i++) {
		const char *is = outcome_tag(run->result[i].state);

		n += is && !strcmp(is, tag);
	}
	return n;
}

int report_junit(FILE *f, const struct run *run)
{
	size_t failed = count_tag(run, "failure"), errors = count_tag(run, "error");
	size_t skipped = count_tag(run, "skipped");
	double seconds = (double)run->duration_ms / 1000;
	time_t t = (time_t)run->started_s;
	char when[32];
	struct tm tm;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	fprintf(f,
	        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	        "<testsuites tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" "
	        "time=\"%.3f\">\n"
	        "  <testsuite name=\"turnpike-harness\" tests=\"%zu\" failures=\"%zu\" "
	        "errors=\"%zu\" skipped=\"%zu\" time=\"%.3f\" timestamp=\"%s\">\n",
	        run->result_n, failed, errors, skipped, seconds, run->result_n, failed, errors,
	        skipped, seconds, when);
	if (run->fact_n > 0) {
		fputs("    <properties>\n", f);
		for (size_t i = 0; i < run->fact_n; i++) {
			fputs("      <property", f);
			put_attr(f, "name", run->fact[i].name);
			put_attr(f, "value", run->fact[i].text);
			fputs("/>\n", f);
		}
		fputs("    </properties>\n", f);
	}
	for (size_t i = 0; i < run->result_n; i++)
		put_case(f, &run->result[i]);
	fputs("  </testsuite>\n</testsuites>\n", f);
	return fflush(f) != 0 || ferror(f) ? -E_IO : 0;
}
