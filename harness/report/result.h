/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What came of a scenario. Plain data without pointers: it lies in memory that
 * the container shares with the harness, and survives a crash inside.
 */
#ifndef REPORT_RESULT_H
#define REPORT_RESULT_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define RESULT_FAILURES 12
#define RESULT_MEASURES 24
#define RESULT_TEXT     700

enum result_state {
	RESULT_PASSED,
	RESULT_FAILED,
	RESULT_NO_LAB,      /* the lab could not be built: nothing was tested */
	RESULT_INTERRUPTED, /* stopped from outside */
};

struct measure {
	char name[32];
	char unit[8]; /* "ms", "fps", "" */
	double value;
};

struct result {
	char name[64];
	char purpose[160];
	char step[96]; /* what was being done last, for a death without words */
	char path[96]; /* how the call ran: "relay udp, host/prflx" */
	enum result_state state;
	int64_t duration_ms;
	size_t failure_n;
	char failure[RESULT_FAILURES][RESULT_TEXT];
	size_t measure_n;
	struct measure measure[RESULT_MEASURES];
};

struct run {
	int64_t started_s; /* Unix time */
	int64_t duration_ms;
	size_t room; /* results there is memory for */
	size_t result_n;
	struct result *result;
};

void result_init(struct result *r, const char *name, const char *purpose);

/* Notes a failed check, one sentence or a few; the state becomes RESULT_FAILED unless it is worse
 * already. Bytes that are not UTF-8 or not printable become '?'. */
__attribute__((format(printf, 2, 3))) void result_fail(struct result *r, const char *fmt, ...);

/* The same for a lab that could not be built. */
__attribute__((format(printf, 2, 3))) void result_no_lab(struct result *r, const char *fmt, ...);

/* What is being done now. */
__attribute__((format(printf, 2, 3))) void result_step(struct result *r, const char *fmt, ...);

void result_measure(struct result *r, const char *name, double value, const char *unit);

/* NULL if it was not measured. */
const struct measure *result_find(const struct result *r, const char *name);

const char *result_state_text(enum result_state state);
size_t run_count(const struct run *run, enum result_state state);

#endif
