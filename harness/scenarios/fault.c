/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Plays a fault. What must hold is asserted in fault_judge.c, and the call
 * itself before and after in verdict.c.
 */
#include "harness/scenarios/fault.h"

#include "base/clock.h"
#include "harness/scenarios/call.h"

#include <stdio.h>
#include <string.h>

#define SETTLE_MS    1000
#define WINDOW_MS    3000
#define POLL_MS      200
#define PATIENCE     5000 /* beyond the limits: late is told from never */
#define CHAT_MS      5000
#define CLEAR_MS     5000
#define PULSE_JS     "harness.pulse()"
#define CHAT_LINE    "still here"
#define CHAT_TRIES   2
#define CHAT_CAME_JS "document.querySelector('#chat').textContent.includes('" CHAT_LINE "')"
#define PATH_TEXTS   "%.40s, then %.44s"

static double unix_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int read_pulse(struct browser *b, struct pulse *p, struct why *why)
{
	json_t *value = NULL;
	int err = browser_eval(b, PULSE_JS, CALL_JS_MS, &value, why);

	if (err == 0 && pulse_parse(value, p) != 0)
		err = why_set(why, -E_PARSE, "%s gave nothing", PULSE_JS);
	json_decref(value);
	return err;
}

int fault_start_pulses(struct stage *st, struct why *why)
{
	int err = 0;

	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = browser_eval(st->browser[i], "harness.startPulse()", CALL_JS_MS, NULL, why);
	return err;
}

int fault_read_pulses(struct stage *st, struct pulse p[LAB_SIDES], struct why *why)
{
	int err = 0;

	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = read_pulse(st->browser[i], &p[i], why);
	return err;
}

static int longest_wait_ms(const struct fault *f)
{
	const struct fault_expect *e = &f->expect;
	int after_heal = e->back_ms > e->online_ms ? e->back_ms : e->online_ms;
	int wait = f->heal_after_ms + after_heal;

	wait = wait > e->ends_ms ? wait : e->ends_ms;
	wait = wait > e->watch_ms ? wait : e->watch_ms;
	return wait + PATIENCE;
}

static void note_times(struct fault_times *t, const struct pulse p[LAB_SIDES])
{
	bool online = true, ended = true;

	for (int i = 0; i < LAB_SIDES; i++) {
		online = online && !strcmp(p[i].link, "signed-in");
		ended = ended && !strcmp(p[i].call, "idle");
	}
	if (online && t->healed_ms > 0 && t->online_ms == 0)
		t->online_ms = p[1].now_ms;
	if (!online)
		t->online_ms = 0;
	if (ended && t->ended_ms == 0)
		t->ended_ms = p[1].now_ms;
}

/* Strikes, heals in its time, and looks on until all is as expected or too late. */
static int let_it_happen(struct stage *st, struct fault_times *t, struct pulse p[LAB_SIDES],
                         struct why *why)
{
	const struct fault *f = st->cell->scenario->fault;
	int64_t struck = clock_mono_ms(), deadline = struck + longest_wait_ms(f);
	int err;

	*t = (struct fault_times){.struck_ms = unix_ms()};
	stage_step(st, "%s", f->what);
	err = f->strike(st, f, why);
	if (!f->heal)
		t->healed_ms = t->struck_ms;
	while (err == 0) {
		if (t->healed_ms == 0 && clock_mono_ms() >= struck + f->heal_after_ms) {
			stage_step(st, "undoing: %s", f->what);
			err = f->heal(st, f, why);
			t->healed_ms = unix_ms();
			stage_step(st, "waiting for what must hold");
		}
		if (err == 0)
			err = fault_read_pulses(st, p, why);
		if (err != 0)
			break;
		note_times(t, p);
		if (fault_settled(&f->expect, t, p) || clock_mono_ms() >= deadline)
			break;
		clock_sleep_ms(POLL_MS);
	}
	for (int i = 0; i < LAB_SIDES && err == 0 && st->steps_fd >= 0; i++)
		dprintf(st->steps_fd,
		        "%s: states %s; pairs %s; picture %.0f ms, sound %.0f ms; \"%s\"\n",
		        st->mark[i].name, p[i].states, p[i].pairs, p[i].picture.longest_ms,
		        p[i].sound.longest_ms, p[i].reason);
	return err;
}

/* True in *came once the line has come to both pages. */
static int write_line(struct stage *st, bool *came, struct why *why)
{
	int err = browser_type(st->browser[CALLER], "#chat-input", CHAT_LINE, CALL_CLICK_MS, why);

	*came = true;
	if (err == 0)
		err = browser_click(st->browser[CALLER], "#chat-send", CALL_CLICK_MS, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		err = browser_wait_for(st->browser[i], CHAT_CAME_JS, CHAT_MS, why);
		if (err == -E_TIMEOUT) {
			*came = false;
			err = 0;
		}
	}
	return err;
}

/* A line of chat proves that signaling serves both pages. The first one may be lost on a connection
 * that is dead but not yet known to be. */
static int chat(struct stage *st, struct why *why)
{
	bool came = false;
	int err = 0;

	for (int try = 0; try < CHAT_TRIES && err == 0 && !came; try++) {
		stage_step(st, "writing a line as %s", st->mark[CALLER].name);
		err = write_line(st, &came, why);
	}
	if (err == 0 && !came)
		result_fail(
		    st->result,
		    "both should get %s's line of chat after %s, but it does not come; most "
		    "likely: the hub does not know that an end is back.",
		    st->mark[CALLER].name, st->cell->scenario->fault->what);
	return err;
}

/* The call as it is now must be a whole one, over the path expected. */
static int judge_call(struct stage *st, struct call_expect e, bool any_path, struct why *why)
{
	struct end_view v[LAB_SIDES];
	size_t measures = st->result->measure_n;
	int err = call_observe(st, WINDOW_MS, v, why);

	if (err == 0) {
		if (any_path)
			e.path = verdict_path(v);
		verdict_judge(&e, st->mark, v, 0, st->result);
		st->result->measure_n = measures; /* those from before the strike stay */
	}
	return err;
}

int fault_judge_call(struct stage *st, const struct call_expect *e, struct why *why)
{
	return judge_call(st, *e, false, why);
}

static int after_living_on(struct stage *st, struct why *why)
{
	const struct fault *f = st->cell->scenario->fault;
	char before[sizeof(st->result->path)], both[sizeof(st->result->path)];
	int err;

	memcpy(before, st->result->path, sizeof(before));
	err = judge_call(st, f->expect.after, f->expect.any_path, why);
	if (strcmp(before, st->result->path) != 0) {
		snprintf(both, sizeof(both), PATH_TEXTS, before, st->result->path);
		memcpy(st->result->path, both, sizeof(both));
	}
	stage_screenshots(st, "after");
	if (err == 0)
		err = chat(st, why);
	if (err == 0)
		err = call_hang_up(st, why);
	return err;
}

static int after_the_end(struct stage *st, struct why *why)
{
	int err = 0;

	stage_screenshots(st, "after");
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		err =
		    browser_wait_for(st->browser[i], "harness.busy().length === 0", CLEAR_MS, why);
		if (err == -E_TIMEOUT) {
			result_fail(
			    st->result,
			    "%s's page should have cleared its call away, but has not; most "
			    "likely: the page forgets tracks or the connection when a call "
			    "ends by a fault.",
			    st->mark[i].name);
			err = 0;
		}
	}
	return err;
}

/* The call before the strike: a fault proves nothing about a call that never was. */
int fault_begin_call(struct stage *st, struct why *why)
{
	double answered_at_ms = 0;
	struct end_view v[LAB_SIDES];
	int err = call_place(st, &answered_at_ms, why);

	if (err == 0)
		err = call_await(st, &st->cell->expect, why);
	if (err == 0)
		err = call_await_media(st, why);
	if (err == 0) {
		clock_sleep_ms(SETTLE_MS);
		err = call_observe(st, WINDOW_MS, v, why);
	}
	if (err == 0)
		verdict_judge(&st->cell->expect, st->mark, v, answered_at_ms, st->result);
	return err;
}

void scenario_fault(struct stage *st)
{
	const struct fault *f = st->cell->scenario->fault;
	struct pulse p[LAB_SIDES];
	struct fault_times t;
	struct why why;
	int err = fault_begin_call(st, &why);

	if (err == 0 && st->result->state == RESULT_RUNNING) {
		if (f->before)
			err = f->before(st, f, &why);
		if (err == 0)
			err = fault_start_pulses(st, &why);
		if (err == 0)
			err = let_it_happen(st, &t, p, &why);
		if (err == 0)
			fault_judge(f, &t, st->mark, p, st->result);
		if (err == 0 && t.ended_ms > 0)
			err = after_the_end(st, &why);
		else if (err == 0 && st->result->state == RESULT_RUNNING)
			err = after_living_on(st, &why);
	}
	if (err != 0)
		result_fail(st->result, "While %s: %s.", st->result->step, why.text);
	if (st->result->state != RESULT_RUNNING)
		stage_screenshots(st, "failed");
	call_check_pages(st);
}
