/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A call as two people make it: join, click the other's name, answer, talk,
 * hang up. What is asserted lies in verdict.c.
 */
#include "harness/clock.h"
#include "harness/scenarios/stage.h"

#include <stdio.h>
#include <string.h>

#define CLICK_MS     10000
#define LIST_MS      10000
#define CONNECT_MS   25000 /* ICE gives up ("failed") after 15 s */
#define CLASS_MS     5000  /* ICE may start on a relay and then find the direct path */
#define IDLE_MS      10000
#define STATE_JS     "harness.state()"
#define JS_LIMIT_MS  10000
#define OBSERVE_MORE 10000

/* How long a call runs before it is watched, and how long it is watched. The matrix has hundreds
 * of calls. */
static const struct {
	int settle_ms, window_ms;
} pace[GROUPS] = {
    [GROUP_CALLS] = {1500, 2500},
    [GROUP_MATRIX] = {300, 1500},
    [GROUP_FAULTS] = {1000, 2000},
};

#define CALLER LAB_A
#define CALLEE LAB_B

static int join(struct stage *st, enum lab_side side, struct why *why)
{
	struct browser *b = st->browser[side];
	int err;

	stage_step(st, "joining as %s", st->mark[side].name);
	err = browser_type(b, "#name", st->mark[side].name, CLICK_MS, why);
	if (err == 0)
		err = browser_click(b, "#join", CLICK_MS, why);
	return err;
}

static int click_time(struct browser *b, double *ms, struct why *why)
{
	json_t *value = NULL;
	int err = browser_eval(b, "harness.lastClickAt", JS_LIMIT_MS, &value, why);

	*ms = json_number_value(value);
	json_decref(value);
	return err;
}

/* Clicks the other's name in the list, and Answer at the other end. */
static int place_call(struct stage *st, double *answered_at_ms, struct why *why)
{
	char user[96];
	int err;

	stage_step(st, "waiting for %s in %s's list of users", st->mark[CALLEE].name,
	           st->mark[CALLER].name);
	snprintf(user, sizeof(user), "#users [data-name=\"%s\"]", st->mark[CALLEE].name);
	err = browser_click(st->browser[CALLER], user, LIST_MS, why);
	if (err != 0)
		return err;
	stage_step(st, "answering as %s", st->mark[CALLEE].name);
	err = browser_click(st->browser[CALLEE], "#answer", CLICK_MS, why);
	if (err == 0)
		err = click_time(st->browser[CALLEE], answered_at_ms, why);
	return err;
}

static int read_state(struct browser *b, struct peer_view *v, struct why *why)
{
	json_t *value = NULL;
	int err = browser_eval(b, STATE_JS, JS_LIMIT_MS, &value, why);

	if (err == 0 && peer_view_parse(value, v) != 0)
		err = why_set(why, -E_PARSE, "%s gave no state", STATE_JS);
	json_decref(value);
	return err;
}

/* Waits until both ends are connected and the path is of the class expected. That neither comes
 * is not an error here: the verdict says what is wrong. */
static int await_connection(struct stage *st, struct why *why)
{
	int64_t deadline = clock_mono_ms() + CONNECT_MS, class_deadline = 0;
	struct peer_view v[LAB_SIDES];

	stage_step(st, "waiting for the connection");
	for (;;) {
		int connected = 0, failed = 0, err;

		for (int i = 0; i < LAB_SIDES; i++) {
			err = read_state(st->browser[i], &v[i], why);
			if (err != 0)
				return err;
			connected += strcmp(v[i].state, "connected") == 0 && v[i].has_pair;
			failed += strcmp(v[i].state, "failed") == 0;
		}
		if (failed > 0 || clock_mono_ms() >= deadline)
			return 0;
		if (connected == LAB_SIDES) {
			if (verdict_path(v) == st->cell->expect.path)
				return 0;
			if (class_deadline == 0)
				class_deadline = clock_mono_ms() + CLASS_MS;
			if (clock_mono_ms() >= class_deadline)
				return 0;
		}
		clock_sleep_ms(50);
	}
}

/* Both ends look over the same window. */
static int observe(struct stage *st, struct peer_view v[LAB_SIDES], struct why *why)
{
	enum scenario_group group = st->cell->scenario->group;
	char js[64];
	int err = 0;

	stage_step(st, "watching the call");
	clock_sleep_ms(pace[group].settle_ms);
	snprintf(js, sizeof(js), "harness.startObserving(%d)", pace[group].window_ms);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = browser_eval(st->browser[i], js, JS_LIMIT_MS, NULL, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		json_t *value = NULL;

		err = browser_eval(st->browser[i], "harness.observed",
		                   pace[group].window_ms + OBSERVE_MORE, &value, why);
		if (err == 0 && peer_view_parse(value, &v[i]) != 0)
			err = why_set(why, -E_PARSE, "harness.observed gave no view");
		json_decref(value);
	}
	return err;
}

/* Hangs up at one end; both must come to rest. */
static int hang_up(struct stage *st, struct why *why)
{
	int err;

	stage_step(st, "hanging up as %s", st->mark[CALLER].name);
	err = browser_click(st->browser[CALLER], "#hangup-button", CLICK_MS, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		struct why timeout;
		json_t *value = NULL;
		const char *busy;

		err = browser_wait_for(st->browser[i], "harness.busy().length === 0", IDLE_MS,
		                       &timeout);
		if (err == 0)
			continue;
		if (err != -E_TIMEOUT)
			return why_set(why, err, "%s", timeout.text);
		err = browser_eval(st->browser[i], "harness.busy().join(', ')", JS_LIMIT_MS, &value,
		                   why);
		busy = json_string_value(value);
		if (err == 0)
			result_fail(
			    st->result,
			    "%s should be idle %d s after %s hung up, but: %s; most likely: "
			    "%s.",
			    st->mark[i].name, IDLE_MS / 1000, st->mark[CALLER].name,
			    busy ? busy : "it is not",
			    i == CALLER ? "the page does not clear away its own call"
			                : "the hang-up did not reach this end");
		json_decref(value);
	}
	return err;
}

static void check_page_errors(struct stage *st)
{
	for (int i = 0; i < LAB_SIDES; i++) {
		const char *thrown = browser_last_exception(st->browser[i]);

		if (thrown[0])
			result_fail(st->result,
			            "%s's page should run without uncaught exceptions, but threw: "
			            "%s; most likely: a fault of the page.",
			            st->mark[i].name, thrown);
	}
}

void scenario_call(struct stage *st)
{
	struct peer_view v[LAB_SIDES];
	double answered_at_ms = 0;
	struct why why;
	int err = 0;

	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = join(st, i, &why);
	if (err == 0)
		err = place_call(st, &answered_at_ms, &why);
	if (err == 0)
		err = await_connection(st, &why);
	if (err == 0)
		err = observe(st, v, &why);
	if (err == 0) {
		bool connected =
		    verdict_judge(&st->cell->expect, st->mark, v, answered_at_ms, st->result);

		/* Hundreds of pictures of good calls would only fill the disk. */
		if (st->cell->scenario->group != GROUP_MATRIX || st->result->failure_n > 0)
			stage_screenshots(st, connected ? "call" : "failed");
		if (connected)
			err = hang_up(st, &why);
	}
	if (err != 0) {
		result_fail(st->result, "While %s: %s.", st->result->step, why.text);
		stage_screenshots(st, "failed");
	}
	check_page_errors(st);
}
