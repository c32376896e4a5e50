/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The HTML report in a real browser, opened as a file: its script runs, and a
 * person finds the matrix, the failure and its evidence.
 */
#include "harness/browser/tests/page.h"
#include "harness/report/report.h"
#include "harness/report/tests/sample.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct scene {
	struct sample sample;
	char url[128];
};

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	char path[96];
	FILE *f;
	int err;

	if (!s)
		return -1;
	*state = s;
	if (page_start(BROWSER_CHROMIUM, NULL) != 0 || sample_make(&s->sample) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/report.html", page_folder());
	snprintf(s->url, sizeof(s->url), "file://%s", path);
	f = fopen(path, "we");
	if (!f)
		return -1;
	err = report_html(f, &s->sample.run, s->sample.folder_fd);
	if (fclose(f) != 0 || err)
		return -1;
	page_open(s->url);
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	sample_free(&s->sample);
	free(s);
	return page_stop();
}

/* The same at the end of every test: nothing was thrown, loaded, or let in. */
static void is_sound(void)
{
	page_is_calm();
	page_is("typeof window.pwned", "\"undefined\"");
	page_is("document.querySelectorAll('img:not([src^=\"data:image/png\"])').length", "0");
	page_is("performance.getEntriesByType('resource').filter(r => "
	        "!r.name.startsWith('data:')).length",
	        "0");
}

static void test_overview(void **state)
{
	(void)state;
	page_is(
	    "document.querySelector('#verdict').textContent",
	    "\"87 of 94 passed, 2 failed, 1 had no lab to run in, 1 interrupted, 2 inconclusive, 1 "
	    "not run.\"");
	page_is("document.querySelector('#verdict').className", "\"failed\"");
	page_is("document.querySelector('#counts .again').textContent",
	        "\"2 played more than once\"");
	page_is("document.querySelectorAll('#failures article').length", "4");
	/* The first card: its sentences are told apart. */
	page_is("document.querySelector('#failures article .cause').textContent",
	        "\"Most likely The browser reports an ICE server error: 401 Unauthorized "
	        "(turn:203.0.113.10).\"");
	page_is("document.querySelector('#failures article .look').textContent",
	        "\"Look at the clock and the secret of the server.\"");
	page_is("document.querySelectorAll('#groups table.list tbody tr').length", "4");
	is_sound();
}

static void test_matrix(void **state)
{
	(void)state;
	/* Two servers, 9 x 10 / 2 cells each. */
	page_is("document.querySelectorAll('.grid').length", "2");
	page_is(
	    "[...document.querySelectorAll('.grid')].map(g => g.querySelectorAll('.cell').length)",
	    "[45,45]");
	page_is("['direct', 'relay-udp', 'relay-tcp', 'relay-tls', 'failed', 'inconclusive', "
	        "'not-run'].map(o => document.querySelectorAll(`.cell.${o}`).length)",
	        "[49,5,14,17,2,2,1]");
	/* Colour never stands alone. */
	page_is("[...document.querySelectorAll('.cell')].every(c => c.textContent.length > 0)",
	        "true");
	page_is("document.querySelector('.cell.relay-tcp').textContent", "\"tcp\"");
	page_is("document.querySelectorAll('.cell.differs').length", "4");
	page_is("document.querySelectorAll('.differences li').length", "2");
	is_sound();
}

static void test_failed_cell_tells_its_story(void **state)
{
	(void)state;
	page_click(".cell.failed");
	page_wait("document.querySelector('#sheet').open");
	page_is("document.querySelector('#sheet .sentence').firstChild.textContent",
	        "\"Alice should be connected, but its connectionState is \\\"failed\\\".\"");
	page_is("document.querySelector('#sheet-title').textContent",
	        "\"port-restricted \xc3\x97 symmetric\"");
	page_wait("document.querySelector('#sheet svg .state.failed')");
	page_is("[...document.querySelectorAll('#sheet svg .name')].map(n => n.textContent)",
	        "[\"harness\",\"a: alice\",\"b: bob\",\"server\"]");
	page_is("document.querySelectorAll('#sheet .cands tr.chosen').length", "0");
	page_is("[...document.querySelectorAll('#sheet img')].map(i => i.naturalWidth)", "[4,4]");
	/* The server's lines lie on the page's clock: 401 after the answer was clicked. */
	page_is("[...document.querySelectorAll('#sheet .events tr.server.bad td')][0].textContent",
	        "\"+2.040\"");
	is_sound();
}

static void test_good_call_is_drawn(void **state)
{
	(void)state;
	page_click("#groups tr[data-cell]");
	page_wait("document.querySelectorAll('#sheet svg').length === 5");
	page_is("document.querySelectorAll('#sheet svg path.line').length", "8");
	page_is("[...document.querySelectorAll('#sheet svg path.line')].every(p => "
	        "/^M[0-9.]+ [0-9.]+(L[0-9.]+ [0-9.]+)+$/.test(p.getAttribute('d')))",
	        "true");
	page_is("document.querySelectorAll('#sheet .cands tr.chosen').length", "4");
	page_click("#sheet .tools button:last-child");
	page_wait("document.querySelector('#sheet .tools [aria-pressed=true]').textContent === "
	          "'until connected'");
	page_is("document.querySelectorAll('#sheet svg .step').length < 5", "true");
	page_click("#sheet .close");
	page_wait("!document.querySelector('#sheet').open");
	page_wait("location.hash === ''");
	is_sound();
}

static void test_link_to_a_cell(void **state)
{
	struct scene *s = *state;
	char url[160];

	/* A new document, not a jump within this one. */
	page_open("about:blank");
	snprintf(url, sizeof(url), "%s#cell-%zu", s->url, s->sample.failed_cell);
	page_open(url);
	page_wait("document.querySelector('#sheet').open");
	page_is("document.querySelectorAll('#sheet .sentence').length", "2");
	is_sound();
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_overview),           T(test_matrix),         T(test_failed_cell_tells_its_story),
	    T(test_good_call_is_drawn), T(test_link_to_a_cell),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
