/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The result of a scenario. Plain data without pointers: it lies in memory that the container
 * shares with the harness, and survives a crash inside.
 */
#ifndef REPORT_RESULT_H
#define REPORT_RESULT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESULT_NAME     96
#define RESULT_FAILURES 12
#define RESULT_MEASURES 24
#define RESULT_TEXT     700
#define RUN_FACTS       12

enum result_state {
	RESULT_PASSED,
	RESULT_FAILED,
	RESULT_NO_LAB,       /* the lab could not be built: nothing was tested */
	RESULT_INTERRUPTED,  /* stopped from outside */
	RESULT_INCONCLUSIVE, /* the machine was too busy to judge */
	RESULT_SKIPPED,      /* left out: this machine has not what it needs */
	RESULT_WAITING,      /* not begun yet */
	RESULT_RUNNING,
	RESULT_STATE_LAST = RESULT_RUNNING,
};

struct measure {
	char name[32];
	char unit[8]; /* "ms", "fps", "" */
	double value;
};

struct result {
	char name[RESULT_NAME]; /* also its folder's, below the run's artifacts */
	char group[16];         /* "calls", "matrix", "faults" */
	char purpose[160];
	char kind[2][32];    /* the NATs of side a and b */
	char browser[2][16]; /* "chromium" or "firefox" */
	char target[32];     /* the server under test: "turnpike", "coturn" */
	char expected[96];   /* what theory expects, in words: "relayed, a over udp" */
	char step[96];       /* what was being done last, for a death without words */
	char path[96];       /* how the call ran: "relay udp, host/prflx" */
	enum result_state state;
	bool raced;     /* it failed by nothing but the outcome of a race: worth another try */
	unsigned tries; /* how often it was played */
	char again[RESULT_TEXT]; /* why it was played again the last time, or "" */
	int64_t started_ms;      /* Unix time; 0: unknown */
	int64_t duration_ms;
	size_t failure_n;
	char failure[RESULT_FAILURES][RESULT_TEXT];
	size_t measure_n;
	struct measure measure[RESULT_MEASURES];
};

/* A fact about the run, for the report's head: {"kernel", "6.1.0"}. */
struct run_fact {
	char name[24];
	char text[128];
};

struct run {
	int64_t started_s; /* Unix time */
	int64_t duration_ms;
	size_t result_n;
	struct result *result;
	struct why artifacts; /* why artifacts are incomplete; "" if they are whole */
	size_t fact_n;
	struct run_fact fact[RUN_FACTS];
};

void result_init(struct result *r, const char *name, const char *purpose);

/* Being played: forgets what an earlier try left, but for its first sentence. */
void result_begin(struct result *r);

/* A result that is still running has passed. */
void result_end(struct result *r);

/* Notes a failed check, one sentence or a few; the state becomes RESULT_FAILED unless it is worse
 * already. Bytes that are not UTF-8 or not printable become '?'. */
__attribute__((format(printf, 2, 3))) void result_fail(struct result *r, const char *fmt, ...);

/* The same for a lab that could not be built. */
__attribute__((format(printf, 2, 3))) void result_no_lab(struct result *r, const char *fmt, ...);

/* It is left out, and why. */
__attribute__((format(printf, 2, 3))) void result_skip(struct result *r, const char *fmt, ...);

/* Records the present step. */
__attribute__((format(printf, 2, 3))) void result_step(struct result *r, const char *fmt, ...);

void result_measure(struct result *r, const char *name, double value, const char *unit);

/* The machine was too busy to judge: for a failed (or passed) result, whose failures stay as hints
 * only. */
__attribute__((format(printf, 2, 3))) void result_inconclusive(struct result *r, const char *fmt,
                                                               ...);

/* NULL if it was not measured. */
const struct measure *result_find(const struct result *r, const char *name);

const char *result_state_text(enum result_state state);
size_t run_count(const struct run *run, enum result_state state);

/* How many results needed more than one try. */
size_t run_count_again(const struct run *run);

/* Sets a fact; one with the same name is replaced. */
__attribute__((format(printf, 3, 4))) void run_fact(struct run *run, const char *name,
                                                    const char *fmt, ...);

/* Facts about this machine: kernel, cores, memory, load. */
void run_fact_machine(struct run *run);

/* The whole run in one sentence; returns buf. */
const char *run_verdict(const struct run *run, char *buf, size_t size);

/* How a call ran, as one short word: "direct", "udp", "tcp" or "tls" (the relay's slowest leg);
 * "none" if it rightly did not, "" if that is not known. */
const char *result_path_word(const struct result *r);

/* Replaces, in place, what is not UTF-8 or not printable by '?', newlines and tabs by spaces. */
void result_clean(char *text);

#endif
