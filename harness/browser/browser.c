/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by every browser product: finding it, and a person's gestures built on a driver's evaluate
 * and mouse.
 */
#include "harness/browser/browser.h"

#include "base/clock.h"
#include "harness/browser/driver.h"
#include "harness/lab/pressure.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_MS 50
#define EVAL_MS 10000

static const struct browser_driver *const drivers[BROWSER_PRODUCTS] = {
    [BROWSER_CHROMIUM] = &chromium_driver,
    [BROWSER_FIREFOX] = &firefox_driver,
};

/* The middle of an element, if a person could click it now; else what is in the way. */
static const char click_point_js[] =
    "(async selector => {"
    " const e = document.querySelector(selector);"
    " if (!e) return {no: 'there is no such element'};"
    " e.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});"
    " const before = e.getBoundingClientRect();"
    " if (!before.width || !before.height) return {no: 'it is hidden'};"
    " if (e.disabled) return {no: 'it is disabled'};"
    " await new Promise(done => setTimeout(done, 40));"
    " const r = e.getBoundingClientRect();"
    " if (r.x !== before.x || r.y !== before.y) return {no: 'it is moving'};"
    " const x = r.x + r.width / 2, y = r.y + r.height / 2;"
    " const top = document.elementFromPoint(x, y);"
    " if (!top) return {no: 'it is outside the window'};"
    " if (!e.contains(top)) return {no: 'it is covered by <' + top.localName +"
    "   (top.id ? ' id=' + top.id : '') + '>'};"
    " return {x, y};"
    "})";

static bool is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

static bool find_in_path(const char *name, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH");

	while (dirs && *dirs) {
		size_t len = strcspn(dirs, ":");

		if (snprintf(path, PATH_MAX, "%.*s/%s", (int)len, dirs, name) < PATH_MAX &&
		    is_program(path))
			return true;
		dirs += len + (dirs[len] == ':');
	}
	return false;
}

const char *browser_product_name(enum browser_product product)
{
	return drivers[product]->product;
}

const char *browser_product_word(enum browser_product product)
{
	static const char *const word[BROWSER_PRODUCTS] = {
	    [BROWSER_CHROMIUM] = "chromium",
	    [BROWSER_FIREFOX] = "firefox",
	};

	return word[product];
}

int browser_find(enum browser_product product, const char *wanted, char path[PATH_MAX],
                 struct why *why)
{
	const struct browser_driver *d = drivers[product];

	if (wanted) {
		if (!realpath(wanted, path) || !is_program(path))
			return why_set(why, -E_NOTFOUND, "there is no browser at %s", wanted);
		return 0;
	}
	for (const char *const *p = d->programs; *p; p++) {
		if (**p == '/') {
			if (is_program(*p)) {
				snprintf(path, PATH_MAX, "%s", *p);
				return 0;
			}
		} else if (find_in_path(*p, path)) {
			return 0;
		}
	}
	return why_set(why, -E_NOTFOUND,
	               "%s is not installed: install the Debian package %s, or give the path to "
	               "its program",
	               d->product, d->package);
}

void browser_log(struct browser *b, const char *kind, const char *fmt, ...)
{
	int64_t t = clock_mono_ms() - b->started_ms;
	va_list ap;

	if (b->console_fd < 0)
		return;
	dprintf(b->console_fd, "+%lld.%03lld %s: ", (long long)(t / 1000), (long long)(t % 1000),
	        kind);
	va_start(ap, fmt);
	vdprintf(b->console_fd, fmt, ap);
	va_end(ap);
	dprintf(b->console_fd, "\n");
}

int browser_write_base64(int fd, const char *base64, struct why *why)
{
	size_t len = base64 ? strlen(base64) : 0;
	unsigned char *bytes = malloc(len + 1);
	int n = bytes ? EVP_DecodeBlock(bytes, (const unsigned char *)base64, (int)len) : -1;
	int err = 0;

	/* The decoder counts the padding as bytes. */
	for (size_t i = len; n > 0 && i > 0 && base64[i - 1] == '='; i--)
		n--;
	if (n <= 0 || write(fd, bytes, (size_t)n) != n)
		err = why_set(why, -E_IO, "cannot write the screenshot");
	free(bytes);
	return err;
}

int browser_take_text(struct browser *b, const char *method, json_t *result, const char *key,
                      char *text, size_t size, struct why *why)
{
	const char *got = json_string_value(json_object_get(result, key));
	int err = 0;

	if (got && strlen(got) < size)
		snprintf(text, size, "%s", got);
	else
		err = why_set(why, -E_PARSE, "%s: browser %s gave no %s", method, b->name, key);
	json_decref(result);
	return err;
}

int browser_start(struct browser **out, const struct browser_options *opt, struct why *why)
{
	struct browser *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return why_set(why, -E_NOMEM, "out of memory");
	b->driver = drivers[opt->product];
	snprintf(b->name, sizeof(b->name), "%s", opt->name);
	b->console_fd = opt->console_fd;
	b->started_ms = clock_mono_ms();
	err = b->driver->start(b, opt, why);
	if (err != 0) {
		browser_stop(b);
		return err;
	}
	*out = b;
	return 0;
}

void browser_stop(struct browser *b)
{
	if (!b)
		return;
	b->driver->stop(b);
	free(b);
}

int browser_fresh(struct browser *b, const char *proxy, int64_t limit_ms, struct why *why)
{
	b->last_exception[0] = '\0';
	return b->driver->fresh(b, proxy, limit_ms, why);
}

int browser_open(struct browser *b, const char *url, int64_t limit_ms, struct why *why)
{
	b->last_exception[0] = '\0'; /* of the page before */
	return b->driver->open(b, url, limit_ms, why);
}

int browser_eval(struct browser *b, const char *js, int64_t limit_ms, json_t **value,
                 struct why *why)
{
	return b->driver->eval(b, js, limit_ms, value, why);
}

static bool truthy(const json_t *v)
{
	if (json_is_number(v))
		return json_number_value(v) != 0;
	if (json_is_string(v))
		return json_string_length(v) > 0;
	return v && !json_is_null(v) && !json_is_false(v);
}

int browser_wait_for(struct browser *b, const char *js, int64_t limit_ms, struct why *why)
{
	struct patience patience = patience_begin(limit_ms);

	for (;;) {
		json_t *value = NULL;
		int err = browser_eval(b, js, EVAL_MS, &value, why);
		bool yes = err == 0 && truthy(value);

		json_decref(value);
		if (err != 0 || yes)
			return err;
		if (clock_mono_ms() >= patience_deadline(&patience))
			return why_set(why, -E_TIMEOUT, "%s stayed false for %lld ms", js,
			               (long long)limit_ms);
		err = b->driver->pump(b, POLL_MS, why);
		if (err != 0)
			return err;
	}
}

/* fn applied to a string argument: "fn(\"quoted\")". NULL if out of memory. Caller frees. */
static char *js_call(const char *fn, const char *arg)
{
	json_t *string = json_string(arg);
	char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
	char *js = NULL;

	if (quoted && asprintf(&js, "%s(%s)", fn, quoted) < 0)
		js = NULL;
	free(quoted);
	json_decref(string);
	return js;
}

int browser_click(struct browser *b, const char *selector, int64_t limit_ms, struct why *why)
{
	struct patience patience = patience_begin(limit_ms);
	char *js = js_call(click_point_js, selector);
	int err = js ? 0 : why_set(why, -E_NOMEM, "out of memory");
	double x, y;

	while (err == 0) {
		json_t *point = NULL;
		const char *no = "it has no place";

		err = browser_eval(b, js, EVAL_MS, &point, why);
		if (err == 0 && json_unpack(point, "{s:F, s:F}", "x", &x, "y", &y) == 0) {
			json_decref(point);
			err = b->driver->click_at(b, x, y, why);
			break;
		}
		json_unpack(point, "{s:s}", "no", &no);
		if (err == 0 && clock_mono_ms() >= patience_deadline(&patience))
			err = why_set(why, -E_TIMEOUT, "cannot click %s: %s", selector, no);
		json_decref(point);
		if (err == 0)
			err = b->driver->pump(b, POLL_MS, why);
	}
	free(js);
	return err;
}

int browser_type(struct browser *b, const char *selector, const char *text, int64_t limit_ms,
                 struct why *why)
{
	char *js = js_call("(selector => document.querySelector(selector).select())", selector);
	int err = js ? 0 : why_set(why, -E_NOMEM, "out of memory");

	if (err == 0)
		err = browser_click(b, selector, limit_ms, why);
	if (err == 0)
		err = browser_eval(b, js, EVAL_MS, NULL, why);
	if (err == 0)
		err = b->driver->insert_text(b, text, why);
	free(js);
	return err;
}

int browser_screenshot(struct browser *b, int fd, struct why *why)
{
	return b->driver->screenshot(b, fd, why);
}

const char *browser_last_exception(const struct browser *b)
{
	return b->last_exception;
}
