/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Collecting results. Text comes from programs and browsers, so it is cleaned
 * here, once, and every report may trust it to be valid UTF-8.
 */
#include "harness/report/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at p (RFC 3629), or 0. */
static size_t utf8_len(const unsigned char *p)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = p[0] < 0x80             ? 1
	             : (p[0] & 0xe0) == 0xc0 ? 2
	             : (p[0] & 0xf0) == 0xe0 ? 3
	             : (p[0] & 0xf8) == 0xf0 ? 4
	                                     : 0;
	unsigned code = p[0] & (0xff >> (len + 1));

	if (len < 2)
		return len;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ||
	    code == 0xfffe || code == 0xffff)
		return 0;
	return len;
}

static void clean(char *text)
{
	unsigned char *p = (unsigned char *)text;

	while (*p) {
		size_t len = utf8_len(p);

		if (len == 0 || (len == 1 && (*p < 0x20 || *p == 0x7f))) {
			*p = *p == '\n' || *p == '\t' ? ' ' : '?';
			len = 1;
		}
		p += len;
	}
}

void result_init(struct result *r, const char *name, const char *purpose)
{
	memset(r, 0, sizeof(*r));
	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(r->purpose, sizeof(r->purpose), "%s", purpose);
}

static void add_failure(struct result *r, const char *fmt, va_list ap)
{
	char *text;

	if (r->failure_n == RESULT_FAILURES)
		return;
	text = r->failure[r->failure_n];
	vsnprintf(text, RESULT_TEXT, fmt, ap);
	clean(text);
	r->failure_n++;
}

void result_fail(struct result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_failure(r, fmt, ap);
	va_end(ap);
	if (r->state == RESULT_PASSED)
		r->state = RESULT_FAILED;
}

void result_no_lab(struct result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_failure(r, fmt, ap);
	va_end(ap);
	r->state = RESULT_NO_LAB;
}

void result_step(struct result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->step, sizeof(r->step), fmt, ap);
	va_end(ap);
	clean(r->step);
}

void result_measure(struct result *r, const char *name, double value, const char *unit)
{
	struct measure *m;

	if (r->measure_n == RESULT_MEASURES)
		return;
	m = &r->measure[r->measure_n++];
	snprintf(m->name, sizeof(m->name), "%s", name);
	snprintf(m->unit, sizeof(m->unit), "%s", unit);
	m->value = value;
}

const struct measure *result_find(const struct result *r, const char *name)
{
	for (size_t i = 0; i < r->measure_n; i++) {
		if (strcmp(r->measure[i].name, name) == 0)
			return &r->measure[i];
	}
	return NULL;
}

const char *result_state_text(enum result_state state)
{
	switch (state) {
	case RESULT_PASSED:
		return "passed";
	case RESULT_FAILED:
		return "failed";
	case RESULT_NO_LAB:
		return "no-lab";
	case RESULT_INTERRUPTED:
		return "interrupted";
	}
	return "unknown";
}

size_t run_count(const struct run *run, enum result_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < run->result_n; i++)
		n += run->result[i].state == state;
	return n;
}
