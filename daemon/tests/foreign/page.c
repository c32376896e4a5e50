/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The harness's browser, for tests of pages.
 */
#include "daemon/tests/foreign/page.h"

#include "daemon/tests/foreign/lab.h"
#include "harness/browser/browser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define STEP_MS 15000

/* Notes what the page's own script throws, and what its policy forbids. */
#define WATCH                                                                                      \
	"window.thrown = []; window.blocked = [];"                                                 \
	"addEventListener('error', e => thrown.push(e.message));"                                  \
	"addEventListener('unhandledrejection', e => thrown.push(String(e.reason)));"              \
	"addEventListener('securitypolicyviolation', e => blocked.push(e.violatedDirective));"

static struct browser *browser;

int page_start(const char *script)
{
	struct browser_options opt = {
	    .name = "reader", .netns_fd = -1, .stderr_fd = -1, .console_fd = -1};
	char program[PATH_MAX], folder[128], all[2048];
	struct why why = {""};

	assert_true((size_t)snprintf(all, sizeof(all), "%s%s", WATCH, script) < sizeof(all));
	opt.script = all;
	snprintf(folder, sizeof(folder), "%s/browser", lab_dir());
	mkdir(folder, 0700);
	opt.folder = folder;
	opt.program = program;
	if (!browser_find(BROWSER_CHROMIUM, NULL, program, &why) &&
	    !browser_start(&browser, &opt, &why))
		return 0;
	fprintf(stderr, "%s\n", why.text);
	return -1;
}

void page_stop(void)
{
	browser_stop(browser);
	browser = NULL;
}

void page_is(const char *js, const char *want)
{
	json_t *value = NULL;
	struct why why;
	char *got;

	if (browser_eval(browser, js, STEP_MS, &value, &why))
		fail_msg("%s: %s", js, why.text);
	got = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (strcmp(got, want) != 0)
		fail_msg("%s is %s, not %s", js, got, want);
	free(got);
	json_decref(value);
}

char *page_text(const char *js)
{
	json_t *value = NULL;
	struct why why;
	char *text;

	if (browser_eval(browser, js, STEP_MS, &value, &why) || !json_is_string(value))
		fail_msg("%s: no text: %s", js, why.text);
	text = strdup(json_string_value(value));
	json_decref(value);
	return text;
}

void page_wait(const char *js)
{
	struct why why;

	if (browser_wait_for(browser, js, STEP_MS, &why))
		fail_msg("%s: %s", js, why.text);
}

void page_click(const char *selector)
{
	struct why why;

	if (browser_click(browser, selector, STEP_MS, &why))
		fail_msg("%s: %s", selector, why.text);
}

void page_type(const char *selector, const char *text)
{
	struct why why;

	if (browser_type(browser, selector, text, STEP_MS, &why))
		fail_msg("%s: %s", selector, why.text);
}

void page_open(const char *url)
{
	struct why why;

	if (browser_open(browser, url, STEP_MS, &why))
		fail_msg("%s: %s", url, why.text);
}

void page_is_calm(void)
{
	page_is("thrown", "[]");
	page_is("blocked", "[]");
	assert_string_equal(browser_last_exception(browser), "");
}
