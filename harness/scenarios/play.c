/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Playing a cell: set the stage, play, and be fair to a machine that had too
 * much else to do.
 */
#include "base/clock.h"
#include "harness/lab/pressure.h"
#include "harness/scenarios/stage.h"

#include <stdio.h>

bool scenario_play(struct stage *st, const struct cell *cell, struct result *r)
{
	int64_t start = clock_mono_ms();
	double stalled = pressure_cpu_us();

	if (stage_enter(st, cell, r))
		cell->scenario->play(st);
	/* A verdict about timing on a machine under pressure needs to be read with this beside it.
	 */
	if (stalled >= 0)
		result_measure(r, "cpu_pressure",
		               (pressure_cpu_us() - stalled) / 10 /
		                   (double)(clock_mono_ms() - start + 1),
		               "%");
	stage_leave(st);
	/* After a failure the next cell starts from scratch: the remains must not affect it. */
	return !st->broken && r->state == RESULT_RUNNING;
}
