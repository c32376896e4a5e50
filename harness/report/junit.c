/* SPDX-License-Identifier: BSD-3-Clause
 *
 * JUnit XML, as CI systems read it: a failed check is a failure, a lab that
 * could not be built an error.
 */
#include "harness/report/report.h"

#include <time.h>

/* Control characters do not exist in XML 1.0, not even escaped. */
static void put_escaped(FILE *f, const char *text)
{
	for (const char *p = text; *p; p++) {
		switch (*p) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\'':
			fputs("&apos;", f);
			break;
		default:
			fputc((unsigned char)*p < 0x20 ? ' ' : *p, f);
		}
	}
}

static void put_attr(FILE *f, const char *name, const char *value)
{
	fprintf(f, " %s=\"", name);
	put_escaped(f, value);
	fputc('"', f);
}

static void put_case(FILE *f, const struct result *r)
{
	const char *tag = r->state == RESULT_FAILED ? "failure" : "error";

	fputs("    <testcase classname=\"turnpike-harness\"", f);
	put_attr(f, "name", r->name);
	fprintf(f, " time=\"%.3f\">\n", (double)r->duration_ms / 1000);
	if (r->state != RESULT_PASSED) {
		fprintf(f, "      <%s", tag);
		put_attr(f, "type", result_state_text(r->state));
		put_attr(f, "message", r->failure_n ? r->failure[0] : "no reason was given");
		fputs(">", f);
		for (size_t i = 0; i < r->failure_n; i++) {
			put_escaped(f, r->failure[i]);
			fputc('\n', f);
		}
		fprintf(f, "</%s>\n", tag);
	}
	fputs("      <system-out>", f);
	put_escaped(f, r->purpose);
	fputs("\npath=", f);
	put_escaped(f, r->path);
	for (size_t i = 0; i < r->measure_n; i++) {
		fputc('\n', f);
		put_escaped(f, r->measure[i].name);
		fprintf(f, "=%.3f", r->measure[i].value);
		put_escaped(f, r->measure[i].unit);
	}
	fputs("</system-out>\n    </testcase>\n", f);
}

int report_junit(FILE *f, const struct run *run)
{
	size_t failed = run_count(run, RESULT_FAILED);
	size_t errors = run->result_n - failed - run_count(run, RESULT_PASSED);
	double seconds = (double)run->duration_ms / 1000;
	time_t t = (time_t)run->started_s;
	char when[32];
	struct tm tm;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	fprintf(f,
	        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	        "<testsuites tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\">\n"
	        "  <testsuite name=\"turnpike-harness\" tests=\"%zu\" failures=\"%zu\" "
	        "errors=\"%zu\" skipped=\"0\" time=\"%.3f\" timestamp=\"%s\">\n",
	        run->result_n, failed, errors, seconds, run->result_n, failed, errors, seconds,
	        when);
	for (size_t i = 0; i < run->result_n; i++)
		put_case(f, &run->result[i]);
	fputs("  </testsuite>\n</testsuites>\n", f);
	return fflush(f) != 0 || ferror(f) ? -E_IO : 0;
}
