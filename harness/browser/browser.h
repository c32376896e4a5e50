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

enum browser_product { BROWSER_CHROMIUM, BROWSER_FIREFOX, BROWSER_PRODUCTS };

struct browser_options {
	enum browser_product product;
	const char *name;    /* the browser's name, for messages */
	const char *program; /* path */
	int netns_fd;        /* network namespace, or -1 */
	const char *names; /* Chromium alone: "MAP NAME ADDRESS, ..." instead of the DNS, or NULL */
	const char *folder; /* for the profile; exists and is this browser's alone */
	const char *script; /* JavaScript to run before any page's own, or NULL */
	int console_fd;     /* gets the page's console and exceptions; -1: nowhere. Borrowed. */
	int stderr_fd;      /* gets what the program itself says; -1: nowhere. Borrowed. */
};

/* "Chromium", "Firefox". */
const char *browser_product_name(enum browser_product product);

/* The same as a word of options and file names: "chromium", "firefox". */
const char *browser_product_word(enum browser_product product);

/* Finds a product's program: the wanted path, or (NULL) the best that is installed. 0, or
 * -E_NOTFOUND: why names the Debian package. */
int browser_find(enum browser_product product, const char *wanted, char path[PATH_MAX],
                 struct why *why);

/* Starts a browser with an empty page. Copies what it keeps of the options. */
int browser_start(struct browser **out, const struct browser_options *opt, struct why *why);

/* Ends it and all its processes. NULL is legal. */
void browser_stop(struct browser *b);

/* Turns to a new empty page that shares nothing with the one before (cookies, cache, storage,
 * connections), which is closed; the script of the options runs in it as well. Much cheaper than
 * a new browser. proxy: "http://HOST:PORT" for all traffic, also WebRTC's over TCP; NULL: none.
 * On failure the page before may be left. -E_UNSUPPORTED: this product cannot be given a proxy
 * this way. */
int browser_fresh(struct browser *b, const char *proxy, int64_t limit_ms, struct why *why);

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

/* The last exception that the page opened last did not catch, or "". */
const char *browser_last_exception(const struct browser *b);

#endif
