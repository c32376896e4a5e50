/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A browser that acts for a person: opens pages, clicks, types, waits, looks.
 * Which product it is is the driver's business (driver.h).
 *
 * All calls block up to limit_ms. Besides the codes named, each may return
 * -E_CLOSED: the browser or its page died, and why says how.
 */
#ifndef BROWSER_BROWSER_H
#define BROWSER_BROWSER_H

#include "base/error.h"

#include <jansson.h>
#include <limits.h>
#include <stdint.h>

struct browser;

struct browser_options {
	const char *name;    /* for messages: whose browser it is */
	const char *program; /* path */
	int netns_fd;        /* network namespace, or -1 */
	const char *folder;  /* for the profile; exists and is this browser's alone */
	const char *script;  /* JavaScript to run before any page's own, or NULL */
	int console_fd;      /* gets the page's console and exceptions; -1: nowhere. Borrowed. */
	int stderr_fd;       /* gets what the program itself says; -1: nowhere. Borrowed. */
};

/* Finds a program: the wanted path, or the best that is installed. 0 or -E_NOTFOUND. */
int browser_find(const char *wanted, char path[PATH_MAX], struct why *why);

/* Starts a browser with an empty page. Copies what it keeps of the options. */
int browser_start(struct browser **out, const struct browser_options *opt, struct why *why);

/* Ends it and all its processes. NULL is legal. */
void browser_stop(struct browser *b);

/* Loads a page. */
int browser_open(struct browser *b, const char *url, int64_t limit_ms, struct why *why);

/* Evaluates an expression, awaiting a promise; *value (may be NULL) gets a new reference to the
 * result as JSON. -E_INVAL if it throws. */
int browser_eval(struct browser *b, const char *js, int64_t limit_ms, json_t **value,
                 struct why *why);

/* Waits until the expression is truthy. -E_TIMEOUT. */
int browser_wait_for(struct browser *b, const char *js, int64_t limit_ms, struct why *why);

/* Clicks the middle of the element with the mouse, once it is there, at rest, enabled and not
 * covered. -E_TIMEOUT: why says what was in the way. */
int browser_click(struct browser *b, const char *selector, int64_t limit_ms, struct why *why);

/* Clicks a field, selects what it holds and types over it. */
int browser_type(struct browser *b, const char *selector, const char *text, int64_t limit_ms,
                 struct why *why);

/* Writes a PNG. fd is borrowed. */
int browser_screenshot(struct browser *b, int fd, struct why *why);

/* The last exception that the page did not catch, or "". */
const char *browser_last_exception(const struct browser *b);

#endif
