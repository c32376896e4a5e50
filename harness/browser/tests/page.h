/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For tests: a page in a real browser, looked at and clicked in. Whatever does
 * not come to pass within PAGE_STEP_MS fails the test.
 */
#ifndef BROWSER_TESTS_PAGE_H
#define BROWSER_TESTS_PAGE_H

#include "harness/browser/browser.h"

#define PAGE_STEP_MS 20000

/* One browser a program at a time, named "test". script (may be NULL) runs before any page's own.
 * 0, or -1: why is on stderr. */
int page_start(enum browser_product product, const char *script);
/* The same with Chromium, for which names lead where the rules say (browser_options.names). */
int page_start_with_names(const char *names);
/* Ends it, and removes its folder. 0, or a negative code. */
int page_stop(void);

/* The browser that was started, for what is not here. */
struct browser *page_browser(void);
/* The folder of its profile: files of the test may lie there, too. */
const char *page_folder(void);
/* The console's output, exceptions included; for free(). */
char *page_console(void);

void page_open(const char *url);
void page_click(const char *selector);
void page_type(const char *selector, const char *text);

/* The expression's value: a new reference; is this JSON text; becomes truthy; is a text, for
 * free(). */
json_t *page_value(const char *js);
void page_is(const char *js, const char *want);
void page_wait(const char *js);
char *page_text(const char *js);

/* No script threw, and none tried what the page's policy forbids: window.thrown and window.blocked
 * keep what did. */
void page_is_calm(void);

#endif
