/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Many calls at once: a page on each side holds all peers of that side.
 */
#include "harness/scenarios/crowd.h"

#include "base/clock.h"
#include "harness/scenarios/call.h"
#include "harness/scenarios/crowd_js.h"
#include "harness/scenarios/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGN_IN_MS 15000
#define MORE_MS    15000
#define PAINT_GAP  2000

static const struct crowd *crowd_of(const struct stage *st)
{
	return st->cell->scenario->crowd;
}

/* All peers of both sides are on the hub. */
static int gather(struct stage *st, struct why *why)
{
	unsigned n = crowd_of(st)->calls;
	char wait[64];
	int err = 0;

	stage_step(st, "signing in %u peers on each side", n);
	snprintf(wait, sizeof(wait), "harness.crowd.signedIn >= %u", n);
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		char *js = NULL;

		if (asprintf(&js, "%s({side: '%s', other: '%s', calls: %u})", crowd_js,
		             lab_side_name((enum lab_side)i), lab_side_name((enum lab_side) !i),
		             n) < 0)
			return why_set(why, -E_NOMEM, "out of memory");
		err = browser_eval(st->browser[i], js, CALL_JS_MS, NULL, why);
		free(js);
		if (err == 0)
			err = browser_wait_for(st->browser[i], wait, SIGN_IN_MS, why);
	}
	return err;
}

/* That not all get through is told by the verdict. */
static int call_all(struct stage *st, struct why *why)
{
	const struct crowd *c = crowd_of(st);
	int64_t started = clock_mono_ms();
	struct why late;
	char wait[64];
	int err;

	stage_step(st, "%u calls at once", c->calls);
	snprintf(wait, sizeof(wait), "harness.crowd.connected() >= %u", c->calls);
	err = browser_eval(st->browser[CALLER], "harness.crowd.call()", MORE_MS, NULL, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		int64_t left = started + c->connected_ms - clock_mono_ms();

		err = browser_wait_for(st->browser[i], wait, left > 0 ? left : 1, &late);
		if (err == -E_TIMEOUT)
			err = 0;
		else if (err != 0)
			why_set(why, err, "%s", late.text);
	}
	result_measure(st->result, "all_connected", (double)(clock_mono_ms() - started), "ms");
	return err;
}

static void judge_end(struct stage *st, enum lab_side side, size_t i, const json_t *end)
{
	const struct crowd *c = crowd_of(st);
	const char *pair = facts_text(end, "pair");
	bool relay_only = json_is_true(json_object_get(end, "relayOnly"));

	if (strcmp(facts_text(end, "state"), "connected") != 0)
		result_fail(st->result,
		            "call %zu should be connected at side %s within %d s of all %u, but "
		            "is \"%s\"; most likely: the appliance serves fewer at once.",
		            i, lab_side_name(side), c->connected_ms / 1000, c->calls,
		            facts_text(end, "state"));
	else if (relay_only && !strstr(pair, "relay"))
		result_fail(st->result, "call %zu should be relayed, but runs over %s.", i, pair);
	else if (facts_number(end, "frames") < c->frames_least ||
	         facts_number(end, "packets") < c->packets_least || facts_number(end, "echoMs") < 0)
		result_fail(st->result,
		            "call %zu should bring side %s %d frames, %d packets of sound and its "
		            "echo in %d s, but brought %.0f, %.0f and %s; most likely: packets are "
		            "lost under the load of %u calls.",
		            i, lab_side_name(side), c->frames_least, c->packets_least,
		            c->window_ms / 1000, facts_number(end, "frames"),
		            facts_number(end, "packets"),
		            facts_number(end, "echoMs") < 0 ? "none" : "it", c->calls);
}

static int judge(struct stage *st, struct why *why)
{
	const struct crowd *c = crowd_of(st);
	double own_gap = 0, echo = 0;
	unsigned relayed = 0;
	char js[64];
	int err = 0;

	stage_step(st, "watching %u calls", c->calls);
	snprintf(js, sizeof(js), "harness.startObservingAll(%d)", c->window_ms);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = browser_eval(st->browser[i], js, CALL_JS_MS, NULL, why);
	for (int side = 0; side < LAB_SIDES && err == 0; side++) {
		json_t *value = NULL, *end;
		size_t i;

		err = browser_eval(st->browser[side], "harness.observed", c->window_ms + MORE_MS,
		                   &value, why);
		if (err != 0)
			break;
		if (json_array_size(json_object_get(value, "ends")) != c->calls)
			result_fail(st->result, "side %s should have %u connections, but made %zu.",
			            lab_side_name((enum lab_side)side), c->calls,
			            json_array_size(json_object_get(value, "ends")));
		json_array_foreach (json_object_get(value, "ends"), i, end) {
			relayed += json_is_true(json_object_get(end, "relayOnly"));
			judge_end(st, (enum lab_side)side, i, end);
			if (facts_number(end, "echoMs") > echo)
				echo = facts_number(end, "echoMs");
		}
		if (facts_number(value, "ownGapMs") > own_gap)
			own_gap = facts_number(value, "ownGapMs");
		json_decref(value);
	}
	if (err == 0 && relayed != c->calls / 2 * LAB_SIDES)
		result_fail(st->result, "%u ends should be bound to their relays, but %u are.",
		            c->calls / 2 * LAB_SIDES, relayed);
	result_measure(st->result, "calls", c->calls, "");
	result_measure(st->result, "slowest_echo", echo, "ms");
	if (st->result->state == RESULT_FAILED && own_gap > PAINT_GAP)
		result_inconclusive(st->result,
		                    "The machine was too busy to judge: a page got no core for "
		                    "%.1f s.",
		                    own_gap / 1e3);
	return err;
}

void scenario_crowd(struct stage *st)
{
	struct why why;
	int err = gather(st, &why);

	if (err == 0)
		err = call_all(st, &why);
	if (err == 0)
		err = judge(st, &why);
	if (err != 0)
		result_fail(st->result, "While %s: %s.", st->result->step, why.text);
	snprintf(st->result->path, sizeof(st->result->path), "%u calls, half of them relayed",
	         crowd_of(st)->calls);
	call_check_pages(st);
}
