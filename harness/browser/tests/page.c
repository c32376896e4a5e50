/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A browser, its folder, and what a test does with its page.
 */
#include "harness/browser/tests/page.h"

#include "harness/lab/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Notes what the page's own script throws, and what its policy forbids. */
#define WATCH                                                                                      \
	"window.thrown = []; window.blocked = [];"                                                 \
	"addEventListener('error', e => thrown.push(e.message));"                                  \
	"addEventListener('unhandledrejection', e => thrown.push(String(e.reason)));"              \
	"addEventListener('securitypolicyviolation',"                                              \
	" e => blocked.push(`${e.violatedDirective} ${e.blockedURI}`));"

static struct browser *browser;
static char folder[64];
static int console_fd = -1;

static int start(enum browser_product product, const char *script, const char *names)
{
	struct browser_options opt = {
	    .product = product, .name = "test", .netns_fd = -1, .names = names, .stderr_fd = -1};
	char program[PATH_MAX], *all = NULL;
	struct why why = {""};
	int err = -1;

	snprintf(folder, sizeof(folder), "/tmp/turnpike-browser-XXXXXX");
	console_fd = memfd_create("console", MFD_CLOEXEC);
	if (!mkdtemp(folder) || asprintf(&all, WATCH "%s", script ? script : "") < 0)
		return -1;
	opt.program = program;
	opt.folder = folder;
	opt.script = all;
	opt.console_fd = console_fd;
	if (browser_find(product, NULL, program, &why) == 0 &&
	    browser_start(&browser, &opt, &why) == 0)
		err = 0;
	else
		fprintf(stderr, "%s\n", why.text);
	free(all);
	return err;
}

int page_start(enum browser_product product, const char *script)
{
	return start(product, script, NULL);
}

int page_start_with_names(const char *names)
{
	return start(BROWSER_CHROMIUM, NULL, names);
}

int page_stop(void)
{
	const char *const argv[] = {"rm", "-rf", folder, NULL};

	browser_stop(browser);
	browser = NULL;
	close(console_fd);
	return proc_run(argv, -1, NULL, 10000, NULL);
}

struct browser *page_browser(void)
{
	return browser;
}

const char *page_folder(void)
{
	return folder;
}

char *page_console(void)
{
	struct stat st;
	char *text;

	assert_int_equal(fstat(console_fd, &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(pread(console_fd, text, (size_t)st.st_size, 0), st.st_size);
	return text;
}

void page_open(const char *url)
{
	struct why why;

	if (browser_open(browser, url, PAGE_STEP_MS, &why))
		fail_msg("%s: %s", url, why.text);
}

void page_click(const char *selector)
{
	struct why why;

	if (browser_click(browser, selector, PAGE_STEP_MS, &why))
		fail_msg("%s: %s", selector, why.text);
}

void page_type(const char *selector, const char *text)
{
	struct why why;

	if (browser_type(browser, selector, text, PAGE_STEP_MS, &why))
		fail_msg("%s: %s", selector, why.text);
}

json_t *page_value(const char *js)
{
	json_t *value = NULL;
	struct why why;

	if (browser_eval(browser, js, PAGE_STEP_MS, &value, &why))
		fail_msg("%s: %s", js, why.text);
	return value;
}

void page_is(const char *js, const char *want)
{
	json_t *value = page_value(js);
	char *got = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	if (!got || strcmp(got, want) != 0)
		fail_msg("%s is %s, not %s", js, got, want);
	free(got);
	json_decref(value);
}

void page_wait(const char *js)
{
	struct why why;

	if (browser_wait_for(browser, js, PAGE_STEP_MS, &why))
		fail_msg("%s: %s", js, why.text);
}

char *page_text(const char *js)
{
	json_t *value = page_value(js);
	char *text;

	if (!json_is_string(value))
		fail_msg("%s: no text", js);
	text = strdup(json_string_value(value));
	json_decref(value);
	return text;
}

void page_is_calm(void)
{
	page_is("thrown", "[]");
	page_is("blocked", "[]");
	assert_string_equal(browser_last_exception(browser), "");
}
