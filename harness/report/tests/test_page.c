/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The HTML report in a real browser, opened as a file: its script runs, and a
 * person finds the matrix, the failure and its evidence.
 */
#include "harness/browser/browser.h"
#include "harness/lab/proc.h"
#include "harness/report/report.h"
#include "harness/report/tests/sample.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define STEP_MS 20000

/* Notes what the page's own script throws, and what it would load. */
#define WATCH                                                                                      \
	"window.thrown = []; window.blocked = [];"                                                 \
	"addEventListener('error', e => thrown.push(e.message));"                                  \
	"addEventListener('securitypolicyviolation', e => blocked.push(e.blockedURI));"

struct scene {
	struct sample sample;
	struct browser *browser;
	char folder[64]; /* of the browser's profile, and of the page */
	char url[128];
	int console_fd;
};

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct browser_options opt = {.name = "reader", .netns_fd = -1, .stderr_fd = -1};
	char program[PATH_MAX], path[96];
	struct why why = {""};
	FILE *f;

	if (!s)
		return -1;
	*state = s;
	s->console_fd = memfd_create("console", MFD_CLOEXEC);
	snprintf(s->folder, sizeof(s->folder), "/tmp/turnpike-browser-XXXXXX");
	if (!mkdtemp(s->folder) || sample_make(&s->sample) != 0 ||
	    browser_find(BROWSER_CHROMIUM, NULL, program, &why) != 0)
		goto fail;
	snprintf(path, sizeof(path), "%s/report.html", s->folder);
	snprintf(s->url, sizeof(s->url), "file://%s", path);
	f = fopen(path, "we");
	if (!f || report_html(f, &s->sample.run, s->sample.folder_fd) != 0)
		goto fail;
	fclose(f);
	opt.program = program;
	opt.folder = s->folder;
	opt.console_fd = s->console_fd;
	opt.script = WATCH;
	if (browser_start(&s->browser, &opt, &why) != 0 ||
	    browser_open(s->browser, s->url, STEP_MS, &why) != 0)
		goto fail;
	return 0;
fail:
	fprintf(stderr, "%s\n", why.text);
	return -1;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	const char *const argv[] = {"rm", "-rf", s->folder, NULL};
	int err;

	browser_stop(s->browser);
	sample_free(&s->sample);
	err = proc_run(argv, -1, NULL, 10000, NULL);
	close(s->console_fd);
	free(s);
	return err;
}

static void is(struct scene *s, const char *js, const char *want)
{
	json_t *value = NULL;
	struct why why;
	char *got;

	if (browser_eval(s->browser, js, STEP_MS, &value, &why) != 0)
		fail_msg("%s: %s", js, why.text);
	got = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (strcmp(got, want) != 0)
		fail_msg("%s is %s, not %s", js, got, want);
	free(got);
	json_decref(value);
}

static void click(struct scene *s, const char *selector)
{
	struct why why;

	if (browser_click(s->browser, selector, STEP_MS, &why) != 0)
		fail_msg("%s: %s", selector, why.text);
}

static void wait_for(struct scene *s, const char *js)
{
	struct why why;

	if (browser_wait_for(s->browser, js, STEP_MS, &why) != 0)
		fail_msg("%s: %s", js, why.text);
}

/* The same at the end of every test: nothing was thrown, loaded, or let in. */
static void is_sound(struct scene *s)
{
	is(s, "thrown", "[]");
	is(s, "blocked", "[]");
	is(s, "typeof window.pwned", "\"undefined\"");
	is(s, "document.querySelectorAll('img:not([src^=\"data:image/png\"])').length", "0");
	is(s,
	   "performance.getEntriesByType('resource').filter(r => "
	   "!r.name.startsWith('data:')).length",
	   "0");
	assert_string_equal(browser_last_exception(s->browser), "");
}

static void test_overview(void **state)
{
	struct scene *s = *state;

	is(s, "document.querySelector('#verdict').textContent",
	   "\"87 of 94 passed, 2 failed, 1 had no lab to run in, 1 interrupted, 2 inconclusive, 1 "
	   "not run.\"");
	is(s, "document.querySelector('#verdict').className", "\"failed\"");
	is(s, "document.querySelectorAll('#failures article').length", "4");
	/* The first card: its sentences are told apart. */
	is(s, "document.querySelector('#failures article .cause').textContent",
	   "\"Most likely The browser reports an ICE server error: 401 Unauthorized "
	   "(turn:203.0.113.10).\"");
	is(s, "document.querySelector('#failures article .look').textContent",
	   "\"Look at the clock and the secret of the server.\"");
	is(s, "document.querySelectorAll('#groups table.list tbody tr').length", "4");
	is_sound(s);
}

static void test_matrix(void **state)
{
	struct scene *s = *state;

	/* Two servers, 9 x 10 / 2 cells each. */
	is(s, "document.querySelectorAll('.grid').length", "2");
	is(s,
	   "[...document.querySelectorAll('.grid')].map(g => g.querySelectorAll('.cell').length)",
	   "[45,45]");
	is(s,
	   "['direct', 'relay-udp', 'relay-tcp', 'relay-tls', 'failed', 'inconclusive', "
	   "'not-run'].map(o => document.querySelectorAll(`.cell.${o}`).length)",
	   "[49,5,14,17,2,2,1]");
	/* Colour never stands alone. */
	is(s, "[...document.querySelectorAll('.cell')].every(c => c.textContent.length > 0)",
	   "true");
	is(s, "document.querySelector('.cell.relay-tcp').textContent", "\"tcp\"");
	is(s, "document.querySelectorAll('.cell.differs').length", "4");
	is(s, "document.querySelectorAll('.differences li').length", "2");
	is_sound(s);
}

static void test_failed_cell_tells_its_story(void **state)
{
	struct scene *s = *state;

	click(s, ".cell.failed");
	wait_for(s, "document.querySelector('#sheet').open");
	is(s, "document.querySelector('#sheet .sentence').firstChild.textContent",
	   "\"Alice should be connected, but its connectionState is \\\"failed\\\".\"");
	is(s, "document.querySelector('#sheet-title').textContent",
	   "\"port-restricted \xc3\x97 symmetric\"");
	wait_for(s, "document.querySelector('#sheet svg .state.failed')");
	is(s, "[...document.querySelectorAll('#sheet svg .name')].map(n => n.textContent)",
	   "[\"harness\",\"a: alice\",\"b: bob\",\"server\"]");
	is(s, "document.querySelectorAll('#sheet .cands tr.chosen').length", "0");
	is(s, "[...document.querySelectorAll('#sheet img')].map(i => i.naturalWidth)", "[4,4]");
	/* The server's lines lie on the page's clock: 401 after the answer was clicked. */
	is(s, "[...document.querySelectorAll('#sheet .events tr.server.bad td')][0].textContent",
	   "\"+2.040\"");
	is_sound(s);
}

static void test_good_call_is_drawn(void **state)
{
	struct scene *s = *state;

	click(s, "#groups tr[data-cell]");
	wait_for(s, "document.querySelectorAll('#sheet svg').length === 5");
	is(s, "document.querySelectorAll('#sheet svg path.line').length", "8");
	is(s,
	   "[...document.querySelectorAll('#sheet svg path.line')].every(p => "
	   "/^M[0-9.]+ [0-9.]+(L[0-9.]+ [0-9.]+)+$/.test(p.getAttribute('d')))",
	   "true");
	is(s, "document.querySelectorAll('#sheet .cands tr.chosen').length", "4");
	click(s, "#sheet .tools button:last-child");
	wait_for(s, "document.querySelector('#sheet .tools [aria-pressed=true]').textContent === "
	            "'until connected'");
	is(s, "document.querySelectorAll('#sheet svg .step').length < 5", "true");
	click(s, "#sheet .close");
	wait_for(s, "!document.querySelector('#sheet').open");
	wait_for(s, "location.hash === ''");
	is_sound(s);
}

static void test_link_to_a_cell(void **state)
{
	struct scene *s = *state;
	struct why why;
	char url[160];

	/* A new document, not a jump within this one. */
	assert_int_equal(browser_open(s->browser, "about:blank", STEP_MS, &why), 0);
	snprintf(url, sizeof(url), "%s#cell-%zu", s->url, s->sample.failed_cell);
	assert_int_equal(browser_open(s->browser, url, STEP_MS, &why), 0);
	wait_for(s, "document.querySelector('#sheet').open");
	is(s, "document.querySelectorAll('#sheet .sentence').length", "2");
	is_sound(s);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(test_overview),           T(test_matrix),         T(test_failed_cell_tells_its_story),
	    T(test_good_call_is_drawn), T(test_link_to_a_cell),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
