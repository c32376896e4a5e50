/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A scenario: one row of the table in table.c, and a function that plays it on
 * a stage (a lab with appliance and browsers).
 */
#ifndef SCENARIOS_SCENARIO_H
#define SCENARIOS_SCENARIO_H

#include "harness/browser/browser.h"
#include "harness/lab/lab.h"
#include "harness/report/result.h"
#include "harness/scenarios/verdict.h"

struct stage;

struct scenario {
	const char *name;
	const char *purpose;
	const char *nat[LAB_SIDES]; /* names of NAT kinds */
	const char *page_query;     /* behind the page's address; NULL: nothing */
	void (*play)(struct stage *st);
	struct call_expect expect;
	int64_t limit_ms; /* for everything, building the lab included */
};

extern const struct scenario scenarios[];
extern const size_t scenarios_n;

/* NULL if there is no such scenario. */
const struct scenario *scenario_find(const char *name);

/* What a run was asked to use. All paths are absolute. */
struct scenario_options {
	const char *turnpike; /* the appliance's program */
	const char *browser;  /* the browser's program */
	int keep_fd;          /* folder for artifacts, or -1: they vanish with the run */
};

struct appliance;

struct stage {
	const struct scenario *scenario;
	const struct scenario_options *opt;
	struct result *result; /* failures of checks go straight there */
	int64_t started_ms;
	int artifact_fd; /* folder of this scenario's artifacts */
	int steps_fd;    /* steps.log in it */
	struct lab *lab;
	struct appliance *appliance;
	struct peer_mark mark[LAB_SIDES];
	struct browser *browser[LAB_SIDES];
	int console_fd[LAB_SIDES];
};

/* Plays the whole scenario inside a container: builds the stage, plays, clears it away. All that
 * goes wrong is told in r. */
void scenario_run(const struct scenario *s, const struct scenario_options *opt, struct result *r);

/* Places a call from side A to side B by hand through the page, judges it from both ends, and
 * hangs up. */
void scenario_call(struct stage *st);

/* What is being done now: into the result, for a death without words, and into steps.log. */
__attribute__((format(printf, 2, 3))) void stage_step(struct stage *st, const char *fmt, ...);

/* Saves a picture of each page as NAME-a.png and NAME-b.png. Never fails: it is for people. */
void stage_screenshots(struct stage *st, const char *name);

#endif
