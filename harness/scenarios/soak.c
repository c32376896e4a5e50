/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A relayed call that lives over many refreshes of what keeps it alive.
 */
#include "base/clock.h"
#include "harness/lab/proc.h"
#include "harness/scenarios/call.h"
#include "harness/scenarios/crowd.h"
#include "harness/scenarios/fault.h"
#include "harness/scenarios/tally.h"

#include <string.h>

#define LOOK_MS 2000

unsigned scenario_soak_minutes(const struct scenario *s, const struct scenario_options *opt)
{
	if (!s->soak)
		return 0;
	return opt->soak_minutes ? opt->soak_minutes : s->soak->minutes;
}

static void check_gaps(struct stage *st, const struct pulse p[LAB_SIDES], int64_t since_ms)
{
	const struct soak *k = st->cell->scenario->soak;

	for (int i = 0; i < LAB_SIDES; i++) {
		double gap = p[i].picture.longest_ms > p[i].sound.longest_ms
		                 ? p[i].picture.longest_ms
		                 : p[i].sound.longest_ms;

		if (gap <= k->gap_ms)
			continue;
		result_fail(st->result,
		            "%s's picture and sound should never be away for more than %.1f s, but "
		            "were for %.1f s within the first %lld s; most likely: a refresh of "
		            "the allocation, a permission or a channel was refused (see the "
		            "server's log).",
		            st->mark[i].name, k->gap_ms / 1e3, gap / 1e3,
		            (long long)(clock_mono_ms() - since_ms) / 1000);
		if (p[i].own_gap_ms > k->gap_ms / 2.0)
			result_inconclusive(st->result,
			                    "The machine was too busy to judge: a page got no core "
			                    "for %.1f s.",
			                    p[i].own_gap_ms / 1e3);
	}
}

/* Until the time is up or something has failed. */
static int last(struct stage *st, unsigned minutes, struct pulse p[LAB_SIDES], struct why *why)
{
	const struct soak *k = st->cell->scenario->soak;
	int64_t start = clock_mono_ms(), end = start + (int64_t)minutes * 60000;
	int64_t judge_at = start + k->judge_ms;
	int err = fault_start_pulses(st, why);

	while (err == 0 && clock_mono_ms() < end && st->result->state == RESULT_RUNNING) {
		stage_step(st, "soaking: %lld of %u s", (long long)(clock_mono_ms() - start) / 1000,
		           minutes * 60);
		clock_sleep_ms(LOOK_MS);
		err = fault_read_pulses(st, p, why);
		if (err == 0)
			check_gaps(st, p, start);
		if (err == 0 && clock_mono_ms() >= judge_at) {
			err = fault_judge_call(st, &st->cell->expect, why);
			judge_at = clock_mono_ms() + k->judge_ms;
		}
	}
	return err;
}

static void check_memory(struct stage *st, long before_kb, long after_kb)
{
	const struct soak *k = st->cell->scenario->soak;

	result_measure(st->result, "rss_before", (double)before_kb, "kB");
	result_measure(st->result, "rss_after", (double)after_kb, "kB");
	if (before_kb < 0 || after_kb < 0 || after_kb - before_kb > k->growth_kb)
		result_fail(st->result,
		            "the appliance's memory should grow by less than %ld kB, but went from "
		            "%ld to %ld kB; most likely: something is kept for every refresh.",
		            k->growth_kb, before_kb, after_kb);
}

void scenario_soak(struct stage *st)
{
	int64_t since_ms = clock_unix_ms();
	unsigned minutes = scenario_soak_minutes(st->cell->scenario, st->opt);
	struct pulse p[LAB_SIDES] = {{.now_ms = 0}};
	struct why why;
	int err = fault_begin_call(st, &why);

	if (err == 0 && st->result->state == RESULT_RUNNING) {
		long before_kb = proc_memory_kb(appliance_pid(st->appliance), "VmRSS");

		err = last(st, minutes, p, &why);
		if (err == 0)
			err = fault_judge_call(st, &st->cell->expect, &why);
		if (err == 0)
			err = tally_check(st, since_ms, &why);
		result_measure(st->result, "gap",
		               p[0].picture.longest_ms > p[1].picture.longest_ms
		                   ? p[0].picture.longest_ms
		                   : p[1].picture.longest_ms,
		               "ms");
		check_memory(st, before_kb, proc_memory_kb(appliance_pid(st->appliance), "VmRSS"));
		if (err == 0 && st->result->state == RESULT_RUNNING)
			err = call_hang_up(st, &why);
	}
	if (err != 0)
		result_fail(st->result, "While %s: %s.", st->result->step, why.text);
	if (st->result->state != RESULT_RUNNING)
		stage_screenshots(st, "failed");
	call_check_pages(st);
}
