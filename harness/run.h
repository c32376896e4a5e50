/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Plays a plan on lanes side by side, and collects the results whatever
 * becomes of the lanes.
 */
#ifndef HARNESS_RUN_H
#define HARNESS_RUN_H

#include "harness/report/result.h"
#include "harness/scenarios/plan.h"

#include <stddef.h>

#define RUN_LANES_MAX 16

/* The watcher of a run. */
struct run_view {
	void (*finished)(void *arg, const struct result *r);
	/* A few times a second. left_ms: an estimate, or -1 while there is none. */
	void (*progress)(void *arg, const struct run *run, size_t done, int64_t left_ms);
	void *arg;
};

/* Allocates a run with a waiting result for each cell; run_free() releases it. 0 or -E_NOMEM. */
int run_new(struct run *run, const struct plan *plan);
void run_free(struct run *run);

/* How many lanes this machine bears. */
size_t run_lanes_default(void);

/* Plays the plan, but for the cells that are left out. What was inconclusive, or lost a race, is
 * played again at the end, by itself. 0, or -E_CLOSED if a signal is waiting on signal_fd:
 * everything is cleared away then too. */
int run_play(struct run *run, const struct plan *plan, const struct scenario_options *opt,
             size_t lanes, int signal_fd, const struct run_view *view);

/* The exit status for a run: 0, 1, 3 or 4. */
int run_exit_status(const struct run *run);

#endif
