/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A call as two people make it: join, click the other's name, answer, talk,
 * hang up. What is asserted lies in verdict.c.
 */
#include "harness/scenarios/call.h"

#include "base/clock.h"
#include "harness/lab/pressure.h"
#include "harness/scenarios/page_cpu.h"
#include "harness/scenarios/relay_watch.h"
#include "harness/scenarios/tally.h"

#include <stdio.h>
#include <string.h>

#define LIST_MS    10000
#define CONNECT_MS 25000 /* ICE gives up ("failed") after 15 s */
/* ICE may start on a relay, or over TCP to one, and then find the better path: at once on an idle
 * machine. */
#define CLASS_MS     10000
#define IDLE_MS      10000
#define MEDIA_MS     3000
#define STATE_JS     "harness.state()"
#define OBSERVE_MORE 10000
#define QUICK_MS     8000 /* from the click on Answer: ICE may need a second or two of it */
#define SLOW_MS      250  /* what no round trip takes in a lab without distances */

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

static int read_state(struct browser *b, struct end_view *v, struct why *why)
{
	json_t *value = NULL;
	int err = browser_eval(b, STATE_JS, CALL_JS_MS, &value, why);

	if (err == 0 && end_view_parse(value, v) != 0)
		err = why_set(why, -E_PARSE, "%s gave no state", STATE_JS);
	json_decref(value);
	return err;
}

/* Waits until both ends are connected and the path is of the class expected. That neither comes
 * is not an error here: the verdict says what is wrong. */
int call_await(struct stage *st, const struct call_expect *expect, struct why *why)
{
	int64_t deadline = clock_mono_ms() + CONNECT_MS, class_deadline = 0;
	struct end_view v[LAB_SIDES];

	stage_step(st, "waiting for the connection");
	for (;;) {
		int connected = 0, failed = 0, err;

		for (int i = 0; i < LAB_SIDES; i++) {
			err = read_state(st->browser[i], &v[i], why);
			if (err != 0)
				return err;
			connected += !strcmp(v[i].state, "connected") && v[i].has_pair;
			failed += !strcmp(v[i].state, "failed");
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

int call_await_media(struct stage *st, struct why *why)
{
	int err = 0;

	for (int i = 0; i < LAB_SIDES && (err == 0 || err == -E_TIMEOUT); i++)
		err = browser_wait_for(st->browser[i], "harness.flows()", MEDIA_MS, why);
	return err == -E_TIMEOUT ? 0 : err;
}

int call_observe(struct stage *st, int window_ms, struct end_view v[LAB_SIDES], struct why *why)
{
	struct page_cpu before[LAB_SIDES], after;
	char js[64];
	int err = 0;

	stage_step(st, "watching the call");
	for (int i = 0; i < LAB_SIDES && st->lab; i++)
		page_cpu_look(lab_client_ns(st->lab, i), &before[i]);
	snprintf(js, sizeof(js), "harness.startObserving(%d)", window_ms);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = browser_eval(st->browser[i], js, CALL_JS_MS, NULL, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		json_t *value = NULL;

		err = browser_eval(st->browser[i], "harness.observed", window_ms + OBSERVE_MORE,
		                   &value, why);
		if (err == 0 && end_view_parse(value, &v[i]) != 0)
			err = why_set(why, -E_PARSE, "harness.observed gave no view");
		json_decref(value);
	}
	for (int i = 0; i < LAB_SIDES && st->lab && err == 0; i++) {
		page_cpu_look(lab_client_ns(st->lab, i), &after);
		v[i].page_cpu = page_cpu_between(&before[i], &after);
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

/* The moments at which a call was begun, and how busy the machine has been since. */
struct since {
	int64_t mono_ms, unix_ms;
	double stalled_us;
};

static bool is_busy(const struct since *s)
{
	return pressure_is_busy(pressure_cpu_us() - s->stalled_us, clock_mono_ms() - s->mono_ms);
}

/* If every path through the relay is slow at once, it is not one process that briefly lacked a
 * core. */
static double least_way_ms(const struct end_view *v)
{
	double least = v->rtt_ms < v->echo_ms ? v->rtt_ms : v->echo_ms;

	return least < v->picture_delay_ms ? least : v->picture_delay_ms;
}

/* Limits of time: a busy machine is not measured by them. */
static void check_times(struct stage *st, const struct since *since,
                        const struct end_view v[LAB_SIDES])
{
	const struct measure *connected = result_find(st->result, "connected");
	size_t before = st->result->failure_n;

	if (connected && connected->value > QUICK_MS)
		result_fail(
		    st->result,
		    "Both ends should be connected %d s after the click on Answer, but were "
		    "after %.1f s; most likely: ICE tried ways in vain before this one "
		    "(relayed ports that pass nothing, candidates that came late). Look at: "
		    "the candidate pairs of both ends.",
		    QUICK_MS / 1000, connected->value / 1e3);
	for (int i = 0; i < LAB_SIDES; i++) {
		if (least_way_ms(&v[i]) > SLOW_MS)
			result_fail(
			    st->result,
			    "%s's packets should be there and back within %d ms in a lab "
			    "without distances, but take %.0f ms (picture %.0f ms, data "
			    "channel %.0f ms); most likely: %s. Look at: the round trip over "
			    "time.",
			    st->mark[i].name, SLOW_MS, v[i].rtt_ms, v[i].picture_delay_ms,
			    v[i].echo_ms,
			    verdict_path(v) == PATH_RELAY ? "the relay delays packets"
			                                  : "the path delays packets");
	}
	if (st->result->failure_n > before && is_busy(since))
		result_inconclusive(st->result, "The machine was too busy to judge how long "
		                                "things take: somebody waited for a core nearly "
		                                "all the time.");
}

/* Watches the call that runs, and judges all of it. *connected: there is one. */
static int judge_call(struct stage *st, const struct since *since, double answered_at_ms,
                      struct gauge **g, bool *connected, struct why *why)
{
	enum scenario_group group = st->cell->scenario->group;
	struct end_view v[LAB_SIDES];
	struct gauge_facts facts;
	size_t of_relay;
	int err;

	err = st->cell->expect.path == PATH_NONE ? 0 : call_await_media(st, why);
	if (err != 0)
		return err;
	clock_sleep_ms(pace[group].settle_ms);
	err = call_observe(st, pace[group].window_ms, v, why);
	if (err != 0)
		return err;
	gauge_stop(*g, &facts);
	*g = NULL;
	/* First: what it finds is certain, and may be why the rest is wrong. */
	gauge_judge(&facts, st->result);
	of_relay = st->result->failure_n;
	*connected = verdict_judge(&st->cell->expect, st->mark, v, answered_at_ms, st->result);
	if (*connected && st->lab && of_relay == 0)
		check_times(st, since, v);
	if (*connected)
		err = tally_check(st, since->unix_ms, why);
	/* Hundreds of pictures of good calls would only fill the disk. */
	if (group != GROUP_MATRIX || st->result->failure_n > 0)
		stage_screenshots(st, *connected ? "call" : "failed");
	return err;
}

void scenario_call(struct stage *st)
{
	struct since since = {clock_mono_ms(), clock_unix_ms(), pressure_cpu_us()};
	struct gauge_facts ignored;
	double answered_at_ms = 0;
	bool connected = false;
	struct why why;
	int err;
	struct gauge *g = relay_watch_start(st, &err, &why);

	if (err == 0)
		err = call_place(st, &answered_at_ms, &why);
	if (err == 0)
		err = call_await(st, &st->cell->expect, &why);
	if (err == 0)
		err = judge_call(st, &since, answered_at_ms, &g, &connected, &why);
	if (err == 0 && connected)
		err = call_hang_up(st, &why);
	if (err != 0) {
		result_fail(st->result, "While %s: %s.", st->result->step, why.text);
		stage_screenshots(st, "failed");
	}
	gauge_stop(g, &ignored);
	call_check_pages(st);
}
