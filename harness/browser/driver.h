/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions that make a product a browser here: one file and one row.
 */
#ifndef BROWSER_DRIVER_H
#define BROWSER_DRIVER_H

#include "harness/browser/browser.h"

#include <stdio.h>

struct browser_driver {
	const char *product;
	const char *package;         /* Debian's, to name in a fix */
	const char *const *programs; /* paths or names, best first; NULL ends */
	int (*start)(struct browser *b, const struct browser_options *opt, struct why *why);
	void (*stop)(struct browser *b);
	int (*fresh)(struct browser *b, const char *proxy, int64_t limit_ms, struct why *why);
	int (*open)(struct browser *b, const char *url, int64_t limit_ms, struct why *why);
	int (*eval)(struct browser *b, const char *js, int64_t limit_ms, json_t **value,
	            struct why *why);
	int (*click_at)(struct browser *b, double x, double y, struct why *why);
	int (*insert_text)(struct browser *b, const char *text, struct why *why);
	int (*screenshot)(struct browser *b, int fd, struct why *why);
	/* Handles what the browser has to say, for wait_ms. */
	int (*pump)(struct browser *b, int64_t wait_ms, struct why *why);
};

struct browser {
	const struct browser_driver *driver;
	void *impl; /* the driver's */
	char name[32];
	int console_fd;
	int64_t started_ms;
	char last_exception[256];
};

extern const struct browser_driver chromium_driver;
extern const struct browser_driver firefox_driver;

/* For drivers: a line into the console log, stamped with the time since start. */
__attribute__((format(printf, 3, 4))) void browser_log(struct browser *b, const char *kind,
                                                       const char *fmt, ...);

/* For drivers: writes a screenshot as it came, in base64 (may be NULL: an error). */
int browser_write_base64(int fd, const char *base64, struct why *why);

/* For drivers: copies the string behind the key of a method's result, which it takes over.
 * -E_PARSE if there is none, or too long a one. */
int browser_take_text(struct browser *b, const char *method, json_t *result, const char *key,
                      char *text, size_t size, struct why *why);

#endif
