/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A lane: a container in which one stage stands, and cells are played on it one
 * after the other. It may crash, hang or be killed: its cell is then over, and
 * the next lane starts anew.
 */
#ifndef HARNESS_LANE_H
#define HARNESS_LANE_H

#include "harness/lab/contain.h"
#include "harness/report/result.h"
#include "harness/scenarios/plan.h"
#include "harness/scenarios/stage.h"

struct lane {
	struct contain c;
	bool up;
	bool busy;     /* plays `cell` */
	bool leaving;  /* clears its stage away and ends */
	size_t cell;   /* index into the plan, of what it plays or played last */
	size_t played; /* cells so far */
	int order_fd;  /* to it: which cell */
	int done_fd;   /* from it: a byte for each cell; its end */
	int log_fd[STAGE_LOGS];
	off_t log_mark[STAGE_LOGS];      /* where the cell's part begins */
	int64_t started_ms, deadline_ms; /* of the cell, or of leaving */
	double stalled_us;               /* pressure_cpu_us() then */
};

/* Shared by all lanes of a run. The results lie in memory shared with the containers. */
struct lane_run {
	const struct plan *plan;
	const struct scenario_options *opt;
	struct result *result; /* as many as the plan has cells */
	struct lane *lanes;
	size_t lanes_n;
	struct why artifacts; /* why artifacts are incomplete, or "" */
};

/* A lane that is not up. */
void lane_init(struct lane *l);

/* Starts its container. why says what this machine does not give. */
int lane_start(struct lane_run *run, struct lane *l, struct why *why);

/* Tells the lane to play a cell. */
void lane_play(struct lane_run *run, struct lane *l, size_t cell);

/* Tells the lane to clear its stage away and end. */
void lane_leave(struct lane *l);

/* Takes what done_fd has to say. */
void lane_read(struct lane_run *run, struct lane *l);

/* Kills it if its time is up; its cell has then failed. */
void lane_check_time(struct lane_run *run, struct lane *l);

/* Kills it; a cell under way was interrupted. */
void lane_interrupt(struct lane_run *run, struct lane *l);

#endif
