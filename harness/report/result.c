/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Collecting results. Text comes from programs and browsers, so it is cleaned
 * here, once, and every report may trust it to be valid UTF-8.
 */
#include "harness/report/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

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

void result_clean(char *text)
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

void result_begin(struct result *r)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (r->tries > 0 && r->failure_n > 0)
		memcpy(r->again, r->failure[0], sizeof(r->again));
	r->state = RESULT_RUNNING;
	r->raced = false;
	r->tries++;
	r->step[0] = r->path[0] = '\0';
	r->failure_n = r->measure_n = 0;
	r->started_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	r->duration_ms = 0;
}

void result_end(struct result *r)
{
	if (r->state == RESULT_RUNNING)
		r->state = RESULT_PASSED;
}

static void add_failure(struct result *r, const char *fmt, va_list ap)
{
	char *text;

	if (r->failure_n == RESULT_FAILURES)
		return;
	text = r->failure[r->failure_n];
	vsnprintf(text, RESULT_TEXT, fmt, ap);
	result_clean(text);
	r->failure_n++;
}

void result_fail(struct result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_failure(r, fmt, ap);
	va_end(ap);
	if (r->state == RESULT_PASSED || r->state == RESULT_WAITING || r->state == RESULT_RUNNING)
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

void result_inconclusive(struct result *r, const char *fmt, ...)
{
	va_list ap;

	/* The first sentence is the one that every report shows. */
	if (r->failure_n == RESULT_FAILURES)
		r->failure_n--;
	memmove(r->failure[1], r->failure[0], r->failure_n * sizeof(r->failure[0]));
	va_start(ap, fmt);
	vsnprintf(r->failure[0], RESULT_TEXT, fmt, ap);
	va_end(ap);
	result_clean(r->failure[0]);
	r->failure_n++;
	r->state = RESULT_INCONCLUSIVE;
}

void result_skip(struct result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_failure(r, fmt, ap);
	va_end(ap);
	r->state = RESULT_SKIPPED;
}

void result_step(struct result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->step, sizeof(r->step), fmt, ap);
	va_end(ap);
	result_clean(r->step);
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
		if (!strcmp(r->measure[i].name, name))
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
	case RESULT_INCONCLUSIVE:
		return "inconclusive";
	case RESULT_SKIPPED:
		return "skipped";
	case RESULT_WAITING:
		return "waiting";
	case RESULT_RUNNING:
		return "running";
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

size_t run_count_again(const struct run *run)
{
	size_t n = 0;

	for (size_t i = 0; i < run->result_n; i++)
		n += run->result[i].tries > 1;
	return n;
}

void run_fact(struct run *run, const char *name, const char *fmt, ...)
{
	struct run_fact *f = run->fact;
	va_list ap;

	while (f < run->fact + run->fact_n && strcmp(f->name, name) != 0)
		f++;
	if (f == run->fact + RUN_FACTS)
		return;
	if (f == run->fact + run->fact_n)
		run->fact_n++;
	snprintf(f->name, sizeof(f->name), "%s", name);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	result_clean(f->name);
	result_clean(f->text);
}

void run_fact_machine(struct run *run)
{
	double load[3], pressure;
	struct utsname u;
	FILE *f;

	if (uname(&u) == 0)
		run_fact(run, "kernel", "%s %s, %s", u.sysname, u.release, u.machine);
	run_fact(run, "machine", "%ld cores, %.1f GB", sysconf(_SC_NPROCESSORS_ONLN),
	         (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 1e9);
	if (getloadavg(load, 3) == 3)
		run_fact(run, "load at the end", "%.1f, %.1f, %.1f (1, 5, 15 min)", load[0],
		         load[1], load[2]);
	f = fopen("/proc/pressure/cpu", "re");
	if (f && fscanf(f, "some avg10=%*f avg60=%*f avg300=%lf", &pressure) == 1)
		run_fact(run, "CPU pressure", "%.0f %% of the last 5 min", pressure);
	if (f)
		fclose(f);
}

const char *run_verdict(const struct run *run, char *buf, size_t size)
{
	static const struct {
		enum result_state state;
		const char *text;
	} parts[] = {
	    {RESULT_FAILED, "failed"},           {RESULT_NO_LAB, "had no lab to run in"},
	    {RESULT_INTERRUPTED, "interrupted"}, {RESULT_INCONCLUSIVE, "inconclusive"},
	    {RESULT_SKIPPED, "left out"},        {RESULT_WAITING, "not run"},
	    {RESULT_RUNNING, "not finished"},
	};
	size_t passed = run_count(run, RESULT_PASSED), used;

	if (run->result_n > 0 && passed == run->result_n) {
		snprintf(buf, size, passed == 1 ? "It passed." : "All %zu passed.", passed);
		return buf;
	}
	used = (size_t)snprintf(buf, size, "%zu of %zu passed", passed, run->result_n);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		size_t n = run_count(run, parts[i].state);

		if (n > 0 && used < size)
			used +=
			    (size_t)snprintf(buf + used, size - used, ", %zu %s", n, parts[i].text);
	}
	if (used < size)
		snprintf(buf + used, size - used, ".");
	return buf;
}

const char *result_path_word(const struct result *r)
{
	static const char *const legs[] = {"tls", "tcp", "udp"};
	size_t len = strcspn(r->path, ",");

	if (!strncmp(r->path, "direct", 6))
		return "direct";
	if (!strncmp(r->path, "none", 4))
		return "none";
	if (strncmp(r->path, "relay", 5) != 0)
		return "";
	for (size_t i = 0; i < sizeof(legs) / sizeof(*legs); i++) {
		if (memmem(r->path, len, legs[i], 3))
			return legs[i];
	}
	return "relay";
}
