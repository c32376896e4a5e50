/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Runs scenarios one after the other, each in a container of its own, and
 * collects their results whatever becomes of the container.
 */
#ifndef HARNESS_RUN_H
#define HARNESS_RUN_H

#include "harness/report/result.h"
#include "harness/scenarios/scenario.h"

#include <stddef.h>

/* Allocates a run for n > 0 scenarios; run_free() releases it. 0 or -E_NOMEM. */
int run_new(struct run *run, size_t n);
void run_free(struct run *run);

/* Plays one scenario to its end, its time limit, or a signal. The result lies in run, which grows
 * by one. 0, or -E_CLOSED if a signal is waiting on signal_fd: everything is cleared away then
 * too. */
int run_scenario(struct run *run, const struct scenario *s, const struct scenario_options *opt,
                 int signal_fd);

/* The exit status for a run: 0, 1 or 3. */
int run_exit_status(const struct run *run);

#endif
