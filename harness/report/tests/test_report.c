/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The reports over a run of every outcome, with the worst of texts.
 */
#include "harness/report/output.h"
#include "harness/report/report.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include <cmocka.h>

#define NASTY "<b a='1'>&\"\x01\x7f \xff\xc3( \xed\xa0\x80 \xef\xbf\xbf \xc3\xa9]]>\nend"
#define CLEAN "<b a='1'>&\"?\? ?\?( ?\?? ?\?? \xc3\xa9]]> end"

static struct result results[4];
static const struct run mixed = {
    .started_s = 1000000000, .duration_ms = 61500, .result_n = 4, .result = results};
static struct run run;

static int setup(void **state)
{
	(void)state;
	run = mixed;
	result_init(&results[0], "good", "a call that works");
	results[0].duration_ms = 1500;
	snprintf(results[0].path, sizeof(results[0].path), "direct, host/host and host/host");
	result_measure(&results[0], "connected", 214.4, "ms");
	result_measure(&results[0], "rtt", 1, "ms");

	result_init(&results[1], "bad", "a call that <fails>");
	result_fail(&results[1], "%s", NASTY);
	result_fail(&results[1], "second");

	result_init(&results[2], "homeless", "nothing to stand on");
	result_fail(&results[2], "noticed before");
	result_no_lab(&results[2], "no namespaces");
	result_fail(&results[2], "noticed after");

	result_init(&results[3], "cut", "stopped by hand");
	results[3].state = RESULT_INTERRUPTED;
	return 0;
}

static char *render(int (*report)(FILE *f, const struct run *run))
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(report(f, &run), 0);
	fclose(f);
	return text;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("missing: %s\nin:\n%s", part, text);
}

static void test_texts_are_cleaned_at_the_door(void **state)
{
	(void)state;
	assert_string_equal(results[1].failure[0], CLEAN);
	assert_int_equal(results[1].state, RESULT_FAILED);
	assert_int_equal(results[2].state, RESULT_NO_LAB);
	for (int i = 0; i < 2 * RESULT_FAILURES; i++)
		result_fail(&results[3], "%d", i);
	for (int i = 0; i < 2 * RESULT_MEASURES; i++)
		result_measure(&results[3], "m", i, "");
	assert_int_equal(results[3].failure_n, RESULT_FAILURES);
	assert_int_equal(results[3].measure_n, RESULT_MEASURES);
	assert_int_equal(results[3].state, RESULT_INTERRUPTED);
	setup(NULL);
}

static void test_long_text_is_cut_between_characters(void **state)
{
	struct result r;
	char text[2 * RESULT_TEXT];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text + RESULT_TEXT - 2, "\xc3\xa9", 2); /* its second half will not fit */
	text[sizeof(text) - 1] = '\0';
	result_init(&r, "n", "p");
	result_fail(&r, "%s", text);
	assert_int_equal(r.failure[0][RESULT_TEXT - 2], '?');
	assert_int_equal(strlen(r.failure[0]), RESULT_TEXT - 1);
}

static void test_junit(void **state)
{
	char *xml = render(report_junit);

	(void)state;
	has(xml,
	    "<testsuites tests=\"4\" failures=\"1\" errors=\"2\" skipped=\"0\" time=\"61.500\">");
	has(xml, "timestamp=\"2001-09-09T01:46:40Z\"");
	has(xml, "<testcase classname=\"turnpike-harness\" name=\"good\" time=\"1.500\">");
	has(xml, "<failure type=\"failed\" message=\"&lt;b a=&apos;1&apos;&gt;&amp;&quot;?\? ");
	has(xml, "]]&gt; end\nsecond\n</failure>");
	has(xml, "<error type=\"no-lab\" message=\"noticed before\">");
	has(xml, "<error type=\"interrupted\" message=\"no reason known\">");
	has(xml, "connected=214.400ms");
	assert_null(strchr(xml, '\x01'));
	free(xml);
}

/* A matrix of two targets, as plain as can be: what is not said is "direct" and passed. */
static struct result cells[8];
static struct run matrix = {
    .started_s = 1000000000, .duration_ms = 61500, .result_n = 8, .result = cells};

static void make_cell(struct result *r, const char *a, const char *b, const char *target)
{
	char name[64];

	snprintf(name, sizeof(name), "%s+%s", a, b);
	result_init(r, name, "a cell");
	strcpy(r->group, "matrix");
	strcpy(r->kind[0], a);
	strcpy(r->kind[1], b);
	strcpy(r->browser[0], "chromium");
	strcpy(r->browser[1], "firefox");
	strcpy(r->target, target);
	strcpy(r->expected, "direct");
	strcpy(r->path, "direct, host/host and host/host");
}

static void make_matrix(void)
{
	make_cell(&cells[0], "none", "none", "turnpike");
	make_cell(&cells[1], "none", "symmetric", "turnpike");
	make_cell(&cells[2], "symmetric", "symmetric", "turnpike");
	strcpy(cells[2].path, "relay udp/tcp, relay/relay and relay/relay");
	strcpy(cells[0].path, "none, as expected");
	make_cell(&cells[3], "none", "none", "coturn");
	make_cell(&cells[4], "none", "symmetric", "coturn");
	result_fail(&cells[4], "no coturn");
	make_cell(&cells[5], "symmetric", "symmetric", "coturn");
	result_fail(&cells[5], "slow");
	result_inconclusive(&cells[5], "the machine was too busy");
	make_cell(&cells[6], "none", "none", "coturn"); /* once more */
	cells[6].state = RESULT_WAITING;
	make_cell(&cells[7], "none", "none", "turnpike");
	strcpy(cells[7].group, "calls");
	run_fact(&matrix, "kernel", "Linux %d", 6);
	run_fact(&matrix, "kernel", "Linux %d\x01", 7);
}

static void test_matrix_in_junit(void **state)
{
	char *xml;

	(void)state;
	make_matrix();
	run = matrix;
	xml = render(report_junit);
	has(xml, "tests=\"8\" failures=\"1\" errors=\"0\" skipped=\"2\"");
	has(xml, "<testcase classname=\"matrix\" name=\"none+symmetric\"");
	has(xml, "<property name=\"kind_b\" value=\"symmetric\"/>");
	has(xml, "<property name=\"browser_b\" value=\"firefox\"/>");
	has(xml, "<property name=\"target\" value=\"coturn\"/>");
	has(xml, "<property name=\"expected\" value=\"direct\"/>");
	has(xml, "<property name=\"kernel\" value=\"Linux 7?\"/>");
	has(xml, "<skipped message=\"the machine was too busy\">the machine was too busy\nslow\n");
	has(xml, "<skipped message=\"no reason known\">");
	free(xml);
}

static void test_matrix_in_json(void **state)
{
	json_t *top, *cell;
	char *text;

	(void)state;
	make_matrix();
	run = matrix;
	text = render(report_json);
	top = json_loads(text, 0, NULL);
	assert_non_null(top);
	assert_string_equal(json_string_value(json_object_get(top, "verdict")),
	                    "5 of 8 passed, 1 failed, 1 inconclusive, 1 not run.");
	assert_int_equal(
	    json_integer_value(json_object_get(json_object_get(top, "counts"), "inconclusive")), 1);
	cell = json_array_get(json_object_get(top, "scenarios"), 2);
	assert_string_equal(json_string_value(json_object_get(cell, "path_word")), "tcp");
	assert_string_equal(json_string_value(json_object_get(cell, "target")), "turnpike");
	assert_string_equal(json_string_value(json_array_get(json_object_get(cell, "kinds"), 1)),
	                    "symmetric");
	json_decref(top);
	free(text);
}

static void test_matrix_on_the_terminal(void **state)
{
	char *text;

	(void)state;
	make_matrix();
	run = matrix;
	text = render(report_text_groups);
	has(text,
	    "\nmatrix, turnpike, chromium and firefox\n                            A    B   \n"
	    "A none                      none dir\n"
	    "B symmetric                      tcp\n");
	/* Of two plays of a cell the worse is shown. */
	has(text, "\nmatrix, coturn, chromium and firefox\n                            A    B   \n"
	          "A none                      -    FAIL\n"
	          "B symmetric                      busy\n");
	has(text, "\ncalls ");
	free(text);
	text = render(report_text_end);
	has(text, "\nnone+symmetric against coturn (a cell): failed\n  - no coturn\n");
	has(text, "\n5 of 8 passed in 61.5 s; 1 did not begin\n");
	free(text);

	/* The same words are not said twice. */
	result_fail(&cells[1], "no coturn");
	text = render(report_text_end);
	has(text, "\nnone+symmetric against turnpike (a cell): failed\n  - no coturn\n"
	          "  Same failure: none+symmetric against coturn\n");
	assert_null(strstr(text, "\nnone+symmetric against coturn"));
	free(text);
}

static void test_verdict_of_a_run(void **state)
{
	char buf[256];

	(void)state;
	make_matrix();
	run = matrix;
	run.result_n = 1;
	assert_string_equal(run_verdict(&run, buf, sizeof(buf)), "It passed.");
	run.result_n = 3;
	assert_string_equal(run_verdict(&run, buf, sizeof(buf)), "All 3 passed.");
	run.result_n = 0;
	assert_string_equal(run_verdict(&run, buf, sizeof(buf)), "0 of 0 passed.");
}

static void test_json(void **state)
{
	char *text = render(report_json);
	json_t *top = json_loads(text, 0, NULL), *bad;

	(void)state;
	assert_non_null(top);
	assert_int_equal(json_integer_value(json_object_get(top, "total")), 4);
	assert_int_equal(json_integer_value(json_object_get(top, "passed")), 1);
	bad = json_array_get(json_object_get(top, "scenarios"), 1);
	assert_string_equal(json_string_value(json_object_get(bad, "result")), "failed");
	assert_string_equal(json_string_value(json_array_get(json_object_get(bad, "failures"), 0)),
	                    CLEAN);
	json_decref(top);
	free(text);
}

static void test_text(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(report_text_head(f), 0);
	assert_int_equal(report_text_line(f, &results[0]), 0);
	assert_int_equal(report_text_end(f, &run), 0);
	fclose(f);
	has(text, "214 ms");
	has(text, "direct, host/host and host/host\n");
	has(text, "\nbad (a call that <fails>): failed\n  - <b a='1'>");
	has(text,
	    "\nhomeless (nothing to stand on): no-lab\n  - noticed before\n  - no namespaces\n");
	has(text, "\n1 of 4 passed in 61.5 s\n");
	free(text);
}

static void test_full_disk_is_told(void **state)
{
	FILE *f = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(f);
	assert_int_equal(report_junit(f, &run), -E_IO);
	assert_int_equal(report_json(f, &run), -E_IO);
	assert_int_equal(report_text_end(f, &run), -E_IO);
	fclose(f);
}

/* A cell that was played again, and one that was left out, in every form. */
static void test_tries_and_what_is_left_out(void **state)
{
	struct run two = {.result_n = 2, .result = results};
	char buf[256], *text;
	json_t *top, *cell;

	(void)state;
	result_init(&results[0], "twice", "a call");
	result_begin(&results[0]);
	result_fail(&results[0], "it came by TCP");
	result_begin(&results[0]);
	result_end(&results[0]);
	result_init(&results[1], "missed", "a call of Firefox");
	result_skip(&results[1], "Firefox is not installed.");
	run = two;
	text = render(report_junit);
	has(text, "tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"1\"");
	has(text, "<property name=\"tries\" value=\"2\"/>");
	has(text, "<property name=\"played_again\" value=\"it came by TCP\"/>");
	has(text, "<skipped message=\"Firefox is not installed.\">");
	free(text);

	text = render(report_json);
	top = json_loads(text, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(top, "played_again")), 1);
	cell = json_array_get(json_object_get(top, "scenarios"), 0);
	assert_int_equal(json_integer_value(json_object_get(cell, "tries")), 2);
	assert_string_equal(json_string_value(json_object_get(cell, "played_again")),
	                    "it came by TCP");
	cell = json_array_get(json_object_get(top, "scenarios"), 1);
	assert_string_equal(json_string_value(json_object_get(cell, "result")), "skipped");
	json_decref(top);
	free(text);

	text = render(report_text_end);
	has(text, "\nmissed (a call of Firefox): skipped\n  - Firefox is not installed.\n");
	has(text, "\ntwice was played 2 times: it came by TCP\n");
	has(text, "\n1 of 2 passed in 0.0 s; 1 left out; 1 played more than once\n");
	free(text);
	assert_string_equal(run_verdict(&run, buf, sizeof(buf)), "1 of 2 passed, 1 left out.");
}

/* ---- files ---- */

static char folder[64];

static size_t entries(void)
{
	DIR *dir = opendir(folder);
	size_t n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_file_is_whole_or_absent(void **state)
{
	char path[96], line[16] = "";
	struct output o;
	struct why why;
	struct stat st;
	mode_t mask;
	FILE *f;

	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/turnpike-report-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/report.json", folder);
	put(path, "of the run before");

	/* Where this run ends early, nobody takes the old one for its. */
	assert_int_equal(output_prove(path, &why), 0);
	assert_int_equal(entries(), 0);

	assert_int_equal(output_begin(&o, path, &why), 0);
	fputs("half", o.f);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(output_end(&o, false, &why), -E_IO);
	assert_int_equal(entries(), 0);

	assert_int_equal(output_begin(&o, path, &why), 0);
	fputs("whole", o.f);
	assert_int_equal(output_end(&o, true, &why), 0);
	assert_int_equal(entries(), 1);
	f = fopen(path, "re");
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_string_equal(line, "whole");
	/* Others may read it, as far as the umask lets them. */
	mask = umask(022);
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666 & ~mask);
	unlink(path);
	rmdir(folder);
}

static void test_file_that_is_none_stays_what_it_is(void **state)
{
	char path[96];
	struct output o;
	struct why why;
	struct stat st;

	(void)state;
	assert_int_equal(output_prove("/dev/null", &why), 0);
	assert_int_equal(output_begin(&o, "/dev/null", &why), 0);
	fputs("x", o.f);
	assert_int_equal(output_end(&o, true, &why), 0);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(output_begin(&o, "/dev/full", &why), 0);
	fputs("x", o.f);
	assert_int_equal(output_end(&o, true, &why), -E_IO);

	snprintf(folder, sizeof(folder), "/tmp/turnpike-report-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(output_prove(folder, &why), -E_IO);
	assert_string_equal(why.text, "Is a directory");
	snprintf(path, sizeof(path), "%s/no/such", folder);
	assert_int_equal(output_prove(path, &why), -E_IO);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_texts_are_cleaned_at_the_door, setup),
	    cmocka_unit_test_setup(test_long_text_is_cut_between_characters, setup),
	    cmocka_unit_test_setup(test_junit, setup),
	    cmocka_unit_test_setup(test_json, setup),
	    cmocka_unit_test_setup(test_text, setup),
	    cmocka_unit_test_setup(test_full_disk_is_told, setup),
	    cmocka_unit_test_setup(test_matrix_in_junit, setup),
	    cmocka_unit_test_setup(test_matrix_in_json, setup),
	    cmocka_unit_test_setup(test_matrix_on_the_terminal, setup),
	    cmocka_unit_test_setup(test_verdict_of_a_run, setup),
	    cmocka_unit_test_setup(test_tries_and_what_is_left_out, setup),
	    cmocka_unit_test(test_file_is_whole_or_absent),
	    cmocka_unit_test(test_file_that_is_none_stays_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
