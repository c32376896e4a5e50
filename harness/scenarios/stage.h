/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stage of a lane: lab, appliance and browsers, built when first needed
 * and kept from cell to cell.
 */
#ifndef SCENARIOS_STAGE_H
#define SCENARIOS_STAGE_H

#include "harness/gauge/gauge.h"
#include "harness/scenarios/appliance.h"
#include "harness/scenarios/scenario.h"

/* The outputs of a stage's programs, a file each. The files belong to the lane, which outlives the
 * stage. */
enum stage_log {
	STAGE_LOG_SERVER,
	STAGE_LOG_TURN, /* of a target other than Turnpike */
	STAGE_LOG_CONSOLE_A,
	STAGE_LOG_CONSOLE_B,
	STAGE_LOG_BROWSER_A,
	STAGE_LOG_BROWSER_B,
	STAGE_LOGS,
};

/* "server.log", "console-a.log", ... */
extern const char *const stage_log_name[STAGE_LOGS];

/* The resources on the relay's host: relay_watch.h. */
struct relay_holds {
	int sockets; /* UDP; negative: unknown */
	long rss_kb; /* of the server; negative: unknown */
};

struct stage {
	const struct scenario_options *opt;
	int log_fd[STAGE_LOGS];
	struct lab *lab;
	struct appliance *appliance;
	const struct target *target; /* its server runs */
	struct target_server *target_server;
	struct browser *browsers[LAB_SIDES][BROWSER_PRODUCTS]; /* those that run */
	struct end_mark mark[LAB_SIDES];
	struct gauge_options gauge;    /* for its own client of the server under test */
	const struct target *gauge_of; /* measured by it; NULL: none yet */
	char guest[LAB_SIDES][40];     /* their names on a server that others use, too */
	unsigned cells;                /* played there so far */

	/* Of the cell that is being played. */
	const struct cell *cell;
	struct result *result; /* failures of checks go straight there */
	struct browser *browser[LAB_SIDES];
	int64_t started_ms;
	struct relay_holds holds; /* before the call */
	int artifact_fd;          /* folder of this cell's artifacts, or -1 */
	int steps_fd;             /* steps.log in it, or -1 */
	struct capture *capture[LAB_SIDES];
	bool broken; /* play() may set it: close the stage after this cell */
};

/* An empty stage. */
void stage_init(struct stage *st, const struct scenario_options *opt, const int log_fd[STAGE_LOGS]);

/* Sets it for a cell: NATs built and verified, appliance well, a fresh page in each browser. False
 * if that failed; the result says how. Either way stage_leave() comes after. */
bool stage_enter(struct stage *st, const struct cell *cell, struct result *r);

/* Clears a cell away; notes it in the result if something on the stage died meanwhile. */
void stage_leave(struct stage *st);

/* Ends browsers and appliance. A bad end is noted in r. */
void stage_close(struct stage *st, struct result *r);

/* Records the present step: in the result, for a death without a message, and in steps.log. */
__attribute__((format(printf, 2, 3))) void stage_step(struct stage *st, const char *fmt, ...);

/* Saves a picture of each page as NAME-a.png and NAME-b.png. Never fails: it is for people. */
void stage_screenshots(struct stage *st, const char *name);

/* A new file among the cell's artifacts, or -1. */
int stage_artifact(const struct stage *st, const char *name);

#endif
