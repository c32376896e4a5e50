/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A page in a real browser, as a test looks at it and clicks in it. Whatever
 * does not come to pass within seconds fails the test.
 */
#ifndef DAEMON_TESTS_FOREIGN_PAGE_H
#define DAEMON_TESTS_FOREIGN_PAGE_H

/* One browser a program, in the lab (lab.h). Each page begins with the script, which may be "".
 * Errors go to stderr; -1 then. */
int page_start(const char *script);
void page_stop(void);

void page_open(const char *url);
void page_click(const char *selector);
void page_type(const char *selector, const char *text);

/* The expression's value is this JSON text; becomes truthy; is a text, for free(). */
void page_is(const char *js, const char *want);
void page_wait(const char *js);
char *page_text(const char *js);

/* No script threw, and none tried what the page's policy forbids: window.thrown and window.blocked
 * keep what did. */
void page_is_calm(void);

#endif
