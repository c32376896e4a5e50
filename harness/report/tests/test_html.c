/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The HTML report as a file: one, whole, bounded, and safe whatever the
 * programs under test wrote. How it looks is test_page.c's.
 */
#include "harness/report/artifacts.h"
#include "harness/report/report.h"
#include "harness/report/tests/sample.h"

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

static struct sample sample;

static int setup(void **state)
{
	(void)state;
	return sample_make(&sample);
}

static int teardown(void **state)
{
	(void)state;
	sample_free(&sample);
	return 0;
}

static char *render(size_t limit)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(report_html_within(f, &sample.run, sample.folder_fd, limit), 0);
	fclose(f);
	assert_int_equal(strlen(text), size); /* no NUL got in */
	return text;
}

/* The JSON block with this id, parsed; NULL if there is none. */
static json_t *block(const char *html, const char *id)
{
	char open[64];
	const char *from, *to;
	json_t *json;

	snprintf(open, sizeof(open), "id=\"%s\">", id);
	from = strstr(html, open);
	if (!from)
		return NULL;
	from += strlen(open);
	to = strstr(from, "</script>");
	assert_non_null(to);
	json = json_loadb(from, (size_t)(to - from), 0, NULL);
	if (!json)
		fail_msg("the block %s is no JSON", id);
	return json;
}

static json_t *cell_block(const char *html, size_t cell)
{
	char id[32];

	snprintf(id, sizeof(id), "cell-data-%zu", cell);
	return block(html, id);
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

static const json_t *at(const json_t *json, const char *key, size_t i)
{
	return json_array_get(json_object_get(json, key), i);
}

static const char *text_at(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static void test_page_is_whole(void **state)
{
	char *html = render(REPORT_HTML_BYTES);
	json_t *run = block(html, "run");

	(void)state;
	assert_int_equal(strncmp(html, "<!doctype html>", 15), 0);
	assert_string_equal(html + strlen(html) - 8, "</html>\n");
	assert_non_null(strstr(html, "<title>Calls through NATs: 87 of 94 passed, 2 failed"));
	/* No part of the template was forgotten. */
	assert_int_equal(count(html, "@TITLE@") + count(html, "@CSS@") + count(html, "@JS@") +
	                     count(html, "@VERDICT@") + count(html, "@NOSCRIPT@"),
	                 0);
	/* A block a cell that has artifacts, one for the run, one script: all closed. */
	assert_int_equal(count(html, "<script"), 4);
	assert_int_equal(count(html, "</script"), 4);
	assert_int_equal(json_array_size(json_object_get(run, "results")), sample.run.result_n);
	assert_int_equal(json_array_size(json_object_get(run, "left_out")), 0);
	json_decref(run);
	free(html);
}

static void test_page_loads_nothing(void **state)
{
	static const char *const loads[] = {"src=\"", "src='",  "href=\"http", "@import",
	                                    "url(",   "fetch(", "XMLHttp",     "import(",
	                                    "<link",  "<iframe"};
	char *html = render(REPORT_HTML_BYTES);

	(void)state;
	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++) {
		if (strstr(html, loads[i]))
			fail_msg("the page contains %s", loads[i]);
	}
	assert_non_null(strstr(html, "content=\"default-src 'none';"));
	free(html);
}

/* Only the encoder's escapes may stand for what a program wrote. */
static void test_hostile_text_stays_text(void **state)
{
	char *html = render(REPORT_HTML_BYTES);
	json_t *cell = cell_block(html, sample.failed_cell);
	const json_t *log = at(cell, "logs", 1);
	const char *line = json_string_value(at(log, "lines", 2));

	(void)state;
	assert_null(strstr(html, "<script>window.pwned"));
	assert_null(strstr(html, "<img src=http"));
	assert_null(strstr(strstr(html, "id=\"run\""), "\xe2\x80\xa8"));
	assert_null(strchr(html, '\x1b'));
	assert_null(strstr(html, "<!-- \\u2028"));
	assert_non_null(strstr(html, "\\u003c/script>\\u003cscript>window.pwned"));
	assert_non_null(strstr(html, "&lt;/script&gt;&lt;script&gt;window.pwned")); /* noscript */
	/* And what is valid of it arrives unchanged. */
	assert_string_equal(text_at(log, "name"), "server.log");
	assert_string_equal(line,
	                    "</script><script>window.pwned = 1</script>"
	                    "<img src=http://evil.example/x.png> <!-- \xe2\x80\xa8 \xe2\x80\xa9 ?? "
	                    "?( ?[31m & \" ' \\ ]]> @DATA@");
	json_decref(cell);
	free(html);
}

static void test_artifacts_of_a_cell(void **state)
{
	char *html = render(REPORT_HTML_BYTES);
	json_t *cell = cell_block(html, sample.good_call);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(cell, "steps")), 10);
	assert_int_equal(json_array_size(json_object_get(cell, "logs")), 2);
	assert_int_equal(json_array_size(json_object_get(cell, "shots")), 2);
	assert_int_equal(json_object_size(json_object_get(cell, "evidence")), 2);
	assert_string_equal(text_at(at(cell, "shots", 0), "name"), "call-a.png");
	assert_int_equal(strncmp(text_at(at(cell, "shots", 0), "data"), "iVBORw0KGgo", 11), 0);
	assert_string_equal(text_at(at(cell, "captures", 0), "data"), "1MOyoXBhY2tldHM=");
	json_decref(cell);
	free(html);
}

static void test_long_log_shows_its_end(void **state)
{
	char *log = malloc(3000000), *html;
	size_t len = 0;
	json_t *cell;
	const json_t *got;

	(void)state;
	assert_non_null(log);
	for (int i = 0; i < 100000; i++)
		len += (size_t)sprintf(log + len, "line %d\n", i);
	sample_artifact(&sample, sample.good_call, "browser-b.log", log, len);
	free(log);
	html = render(REPORT_HTML_BYTES);
	cell = cell_block(html, sample.good_call);
	got = at(cell, "logs", 0);
	assert_true(json_is_true(json_object_get(got, "cut")));
	assert_int_equal(json_array_size(json_object_get(got, "lines")), ARTIFACT_LINES);
	assert_string_equal(json_string_value(at(got, "lines", ARTIFACT_LINES - 1)), "line 99999");
	json_decref(cell);
	free(html);
}

/* What is not what its name says, or not a file at all, is named and not shown. */
static void test_artifacts_that_are_none(void **state)
{
	size_t cell = sample.good_call;
	char path[256], *html;
	json_t *run, *json;

	(void)state;
	sample_artifact(&sample, cell, "evidence-a.json", "{\"events\":[]}", 13);
	sample_artifact(&sample, cell, "call-a.png", "<svg/>", 6);
	sample_artifact(&sample, cell, "notes.txt", "x", 1);
	sample_artifact(&sample, cell, "evil\x1b.log", "x", 1);
	snprintf(path, sizeof(path), "%s/call-direct/link.log", sample.folder);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	snprintf(path, sizeof(path), "%s/call-direct/pipe.log", sample.folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	html = render(REPORT_HTML_BYTES);
	run = block(html, "run");
	json = cell_block(html, cell);
	assert_int_equal(json_array_size(json_object_get(run, "left_out")), 2);
	assert_string_equal(text_at(at(run, "left_out", 0), "name"), "call-a.png");
	assert_string_equal(text_at(at(run, "left_out", 1), "name"), "evidence-a.json");
	assert_int_equal(json_array_size(json_object_get(json, "shots")), 1);
	assert_int_equal(json_array_size(json_object_get(json, "logs")), 2);
	assert_int_equal(json_object_size(json_object_get(json, "evidence")), 1);
	json_decref(json);
	json_decref(run);
	free(html);
}

/* Of passing cells the largest go first; failures keep theirs. */
static void test_page_stays_within_its_bound(void **state)
{
	enum { BIG = 600000, LIMIT = 2600000 };
	char *data = calloc(1, BIG), *html;
	json_t *run, *good, *bad;

	(void)state;
	assert_non_null(data);
	memcpy(data, "\x89PNG\r\n\x1a\n", 8);
	sample_artifact(&sample, sample.good_call, "big.png", data, BIG);
	sample_artifact(&sample, sample.good_call, "small.png", data, BIG / 100);
	sample_artifact(&sample, sample.failed_cell, "big-a.png", data, BIG);
	sample_artifact(&sample, sample.failed_cell, "big-b.png", data, BIG);
	/* A log of '<' grows sixfold when it is escaped. */
	memset(data, '<', BIG);
	sample_artifact(&sample, sample.failed_cell, "turn.log", data, BIG);
	free(data);

	html = render(LIMIT);
	assert_true(strlen(html) <= LIMIT);
	run = block(html, "run");
	good = cell_block(html, sample.good_call);
	bad = cell_block(html, sample.failed_cell);
	assert_int_equal(json_array_size(json_object_get(run, "left_out")), 1);
	assert_string_equal(text_at(at(run, "left_out", 0), "name"), "big.png");
	assert_string_equal(text_at(at(run, "left_out", 0), "cell"), "call-direct");
	assert_int_equal(json_array_size(json_object_get(good, "shots")), 3);
	assert_int_equal(json_array_size(json_object_get(bad, "shots")), 4);
	json_decref(run);
	json_decref(good);
	json_decref(bad);
	free(html);

	/* Where even the failures' do not fit, all that is left is still a report. */
	html = render(1000);
	run = block(html, "run");
	assert_true(json_array_size(json_object_get(run, "left_out")) > 12);
	json_decref(run);
	free(html);
}

static void test_large_capture_is_named(void **state)
{
	char *data = calloc(1, ARTIFACT_FILE_BYTES + 1), *html;
	json_t *cell;

	(void)state;
	assert_non_null(data);
	sample_artifact(&sample, sample.good_call, "capture-b.pcap", data, ARTIFACT_FILE_BYTES + 1);
	free(data);
	html = render(REPORT_HTML_BYTES);
	cell = cell_block(html, sample.good_call);
	assert_string_equal(text_at(at(cell, "captures", 1), "name"), "capture-b.pcap");
	assert_null(json_object_get(at(cell, "captures", 1), "data"));
	json_decref(cell);
	free(html);
}

static void test_without_artifacts(void **state)
{
	struct run none = {.started_s = 1000000000};
	FILE *full = fopen("/dev/full", "w");
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	json_t *run;

	(void)state;
	assert_int_equal(report_html(f, &none, -1), 0);
	fclose(f);
	run = block(text, "run");
	assert_int_equal(json_array_size(json_object_get(run, "results")), 0);
	json_decref(run);
	free(text);
	assert_int_equal(report_html(full, &sample.run, sample.folder_fd), -E_IO);
	fclose(full);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_page_is_whole),
	    T(test_page_loads_nothing),
	    T(test_hostile_text_stays_text),
	    T(test_artifacts_of_a_cell),
	    T(test_long_log_shows_its_end),
	    T(test_artifacts_that_are_none),
	    T(test_page_stays_within_its_bound),
	    T(test_large_capture_is_named),
	    T(test_without_artifacts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
