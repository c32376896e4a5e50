/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A call as two people make it: join, click the other's name, answer, talk,
 * hang up. What is asserted lies in verdict.c.
 */
#include "harness/scenarios/call.h"

#include "harness/clock.h"

#include <stdio.h>
#include <string.h>

#define LIST_MS    10000
#define CONNECT_MS 25000 /* ICE gives up ("failed") after 15 s */
/* ICE may start on a relay, or over TCP to one, and then find the better path: at once on an idle
 * machine. */
#define CLASS_MS     10000
#define IDLE_MS      10000
#define STATE_JS     "harness.state()"
#define OBSERVE_MORE 10000

/* How long a call runs before it is watched, and how long it is watched. The matrix has hundreds
 * of calls. */
static const struct {
	int settle_ms, window_ms;
} pace[GROUPS] = {
    [GROUP_CALLS] = {500, 2000},
    [GROUP_MATRIX] = {300, 1500},
    [GROUP_AGAINST] = {1500, 2500},
};

static int join(struct stage *st, enum lab_side side, struct why *why)
{
	struct browser *b = st->browser[side];
	int err;

	stage_step(st, "joining as %s", st->mark[side].name);
	err = browser_type(b, "#name", st->mark[side].name, CALL_CLICK_MS, why);
	if (err == 0)
		err = browser_click(b, "#join", CALL_CLICK_MS, why);
	return err;
}

static int click_time(struct browser *b, double *ms, struct why *why)
{
	json_t *value = NULL;
	int err = browser_eval(b, "harness.lastClickAt", CALL_JS_MS, &value, why);

	*ms = json_number_value(value);
	json_decref(value);
	return err;
}

int call_place(struct stage *st, double *answered_at_ms, struct why *why)
{
	char user[96];
	int err = 0;

	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = join(st, i, why);
	if (err != 0)
		return err;
	stage_step(st, "waiting for %s in %s's list of users", st->mark[CALLEE].name,
	           st->mark[CALLER].name);
	snprintf(user, sizeof(user), "#users [data-name=\"%s\"]", st->mark[CALLEE].name);
	err = browser_click(st->browser[CALLER], user, LIST_MS, why);
	if (err != 0)
		return err;
	stage_step(st, "answering as %s", st->mark[CALLEE].name);
	err = browser_click(st->browser[CALLEE], "#answer", CALL_CLICK_MS, why);
	if (err == 0)
		err = click_time(st->browser[CALLEE], answered_at_ms, why);
	return err;
}

static int read_state(struct browser *b, struct peer_view *v, struct why *why)
{
	json_t *value = NULL;
	int err = browser_eval(b, STATE_JS, CALL_JS_MS, &value, why);

	if (err == 0 && peer_view_parse(value, v) != 0)
		err = why_set(why, -E_PARSE, "%s gave no state", STATE_JS);
	json_decref(value);
	return err;
}

/* Waits until both ends are connected and the path is of the class expected. That neither comes
 * is not an error here: the verdict says what is wrong. */
int call_await(struct stage *st, const struct call_expect *expect, struct why *why)
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
			if (expect->path == PATH_NONE || verdict_path_fits(expect, v))
				return 0;
			if (class_deadline == 0)
				class_deadline = clock_mono_ms() + CLASS_MS;
			if (clock_mono_ms() >= class_deadline)
				return 0;
		}
		clock_sleep_ms(50);
	}
}

int call_observe(struct stage *st, int window_ms, struct peer_view v[LAB_SIDES], struct why *why)
{
	char js[64];
	int err = 0;

	stage_step(st, "watching the call");
	snprintf(js, sizeof(js), "harness.startObserving(%d)", window_ms);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = browser_eval(st->browser[i], js, CALL_JS_MS, NULL, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		json_t *value = NULL;

		err = browser_eval(st->browser[i], "harness.observed", window_ms + OBSERVE_MORE,
		                   &value, why);
		if (err == 0 && peer_view_parse(value, &v[i]) != 0)
			err = why_set(why, -E_PARSE, "harness.observed gave no view");
		json_decref(value);
	}
	return err;
}

int call_hang_up(struct stage *st, struct why *why)
{
	int err;

	stage_step(st, "hanging up as %s", st->mark[CALLER].name);
	err = browser_click(st->browser[CALLER], "#hangup-button", CALL_CLICK_MS, why);
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
		err = browser_eval(st->browser[i], "harness.busy().join(', ')", CALL_JS_MS, &value,
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

void call_check_pages(struct stage *st)
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
	enum scenario_group group = st->cell->scenario->group;
	struct peer_view v[LAB_SIDES];
	double answered_at_ms = 0;
	struct why why;
	int err = call_place(st, &answered_at_ms, &why);

	if (err == 0)
		err = call_await(st, &st->cell->expect, &why);
	if (err == 0) {
		clock_sleep_ms(pace[group].settle_ms);
		err = call_observe(st, pace[group].window_ms, v, &why);
	}
	if (err == 0) {
		bool connected =
		    verdict_judge(&st->cell->expect, st->mark, v, answered_at_ms, st->result);

		/* Hundreds of pictures of good calls would only fill the disk. */
		if (st->cell->scenario->group != GROUP_MATRIX || st->result->failure_n > 0)
			stage_screenshots(st, connected ? "call" : "failed");
		if (connected)
			err = call_hang_up(st, &why);
	}
	if (err != 0) {
		result_fail(st->result, "While %s: %s.", st->result->step, why.text);
		stage_screenshots(st, "failed");
	}
	call_check_pages(st);
}
