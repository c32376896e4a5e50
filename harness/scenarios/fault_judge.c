/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verdict over a fault: from what both pages saw since the strike. Pure, as
 * verdict.c is.
 */
#include "harness/scenarios/facts.h"
#include "harness/scenarios/fault.h"

#include <stdio.h>
#include <string.h>

#define STEADY_MS  3000 /* back for good, and up to speed */
#define SILENT_MS  1000
#define OWN_GAP_MS 2000 /* a page that got no core for so long cannot tell of gaps */
#define NO_REASON  "Click a name to call."
#define IDLE       "idle"
#define SIGNED_IN  "signed-in"

static void parse_flow(const json_t *json, struct flow *f)
{
	f->longest_ms = facts_number(json, "longestMs");
	f->silent_ms = facts_number(json, "silentMs");
	f->resumed_at_ms = facts_number(json, "resumedAt");
}

int pulse_parse(const json_t *json, struct pulse *p)
{
	if (!json_is_object(json_object_get(json, "picture")))
		return -E_PARSE;
	memset(p, 0, sizeof(*p));
	p->now_ms = facts_number(json, "now");
	p->own_gap_ms = facts_number(json, "ownGapMs");
	parse_flow(json_object_get(json, "picture"), &p->picture);
	parse_flow(json_object_get(json, "sound"), &p->sound);
	facts_copy(p->state, sizeof(p->state), json, "state");
	facts_copy(p->states, sizeof(p->states), json, "states");
	facts_copy(p->pairs, sizeof(p->pairs), json, "pairs");
	facts_copy(p->call, sizeof(p->call), json, "call");
	facts_copy(p->link, sizeof(p->link), json, "link");
	facts_copy(p->reason, sizeof(p->reason), json, "reason");
	facts_copy(p->notice, sizeof(p->notice), json, "notice");
	p->loss_percent = facts_number(json, "lossPercent");
	p->rtt_ms = facts_number(json, "rttMs");
	p->lines = (int)facts_number(json, "lines");
	return 0;
}

static double greater(double a, double b)
{
	return a > b ? a : b;
}

static double resumed(const struct pulse *p)
{
	return greater(p->picture.resumed_at_ms, p->sound.resumed_at_ms);
}

static bool is_back(const struct fault_times *t, const struct pulse *p)
{
	double since = greater(resumed(p), t->healed_ms);

	return !strcmp(p->state, "connected") && p->picture.silent_ms < SILENT_MS &&
	       p->sound.silent_ms < SILENT_MS && p->now_ms - since >= STEADY_MS;
}

bool fault_settled(const struct fault_expect *e, const struct fault_times *t,
                   const struct pulse p[LAB_SIDES])
{
	if (t->ended_ms > 0)
		return true; /* whether it should or not */
	if (e->back_ms == 0 || t->healed_ms == 0 || p[0].now_ms - t->struck_ms < e->watch_ms)
		return false;
	if (e->online_ms > 0 && t->online_ms == 0)
		return false;
	return is_back(t, &p[0]) && is_back(t, &p[1]);
}

static const char *page_says(const struct pulse *p, char *buf, size_t size)
{
	snprintf(buf, size, "the page says \"%s\"%s%s%s (call %s, signaling %s, connection %s)",
	         p->reason, *p->notice ? ", \"" : "", p->notice, *p->notice ? "\"" : "", p->call,
	         p->link, *p->states ? p->states : "none");
	return buf;
}

static void check_flow(const struct fault *f, const struct fault_times *t,
                       const struct end_mark *me, const char *what, const struct flow *flow,
                       struct result *r)
{
	double back_ms = flow->resumed_at_ms - t->healed_ms;

	if (flow->silent_ms >= SILENT_MS)
		result_fail(r,
		            "%s's %s should be back %.0f s after %s%s, but has been away for %.1f "
		            "s; most likely: ICE says connected, but its path passes no packets.",
		            me->name, what, f->expect.back_ms / 1e3, f->what,
		            f->heal ? " was over" : "", flow->silent_ms / 1e3);
	else if (flow->resumed_at_ms > 0 && back_ms > f->expect.back_ms)
		result_fail(r,
		            "%s's %s should be back %.0f s after %s%s, but came back after %.1f s; "
		            "most likely: the page restarts ICE too late or too seldom.",
		            me->name, what, f->expect.back_ms / 1e3, f->what,
		            f->heal ? " was over" : "", back_ms / 1e3);
	else if (f->expect.gap_ms > 0 && flow->longest_ms > f->expect.gap_ms)
		result_fail(r,
		            "%s's %s should never be away for more than %.1f s, but was for %.1f s "
		            "after %s; most likely: the fault hit media that it should not "
		            "affect, or ICE found another path too late.",
		            me->name, what, f->expect.gap_ms / 1e3, flow->longest_ms / 1e3,
		            f->what);
}

static void check_back(const struct fault *f, const struct fault_times *t,
                       const struct end_mark *me, const struct pulse *p, struct result *r)
{
	char says[640];

	if (strcmp(p->call, "connected") != 0 || strcmp(p->state, "connected") != 0) {
		result_fail(r,
		            "%s's call should live on after %s, but %s; most likely: the page gave "
		            "up, or its ICE restarts did not reach the other end.",
		            me->name, f->what, page_says(p, says, sizeof(says)));
		return;
	}
	check_flow(f, t, me, "picture", &p->picture, r);
	check_flow(f, t, me, "sound", &p->sound, r);
}

static void check_online(const struct fault *f, const struct fault_times *t,
                         const struct end_mark mark[LAB_SIDES], const struct pulse p[LAB_SIDES],
                         struct result *r)
{
	char says[640];

	if (f->expect.online_ms == 0)
		return;
	if (t->online_ms == 0) {
		int away = strcmp(p[0].link, SIGNED_IN) != 0 ? 0 : 1;

		result_fail(r,
		            "%s should be signed in again %.0f s after %s, but %s; most likely: "
		            "the page waits too long between its attempts.",
		            mark[away].name, f->expect.online_ms / 1e3, f->what,
		            page_says(&p[away], says, sizeof(says)));
	} else if (t->online_ms - t->healed_ms > f->expect.online_ms) {
		result_fail(
		    r,
		    "both should be signed in again %.0f s after %s, but were after %.1f s; "
		    "most likely: the page waits too long between its attempts.",
		    f->expect.online_ms / 1e3, f->what, (t->online_ms - t->healed_ms) / 1e3);
	}
}

static bool gives(const struct pulse *p, const char *words)
{
	return strstr(p->reason, words) || strstr(p->notice, words);
}

static void check_silence(const struct fault *f, const struct fault_times *t,
                          const struct end_mark *me, const char *what, const struct pulse *p,
                          const struct flow *flow, struct result *r)
{
	double stopped_ms = p->now_ms - flow->silent_ms - t->struck_ms;

	if (f->expect.silent_ms > 0 && stopped_ms > f->expect.silent_ms)
		result_fail(
		    r,
		    "%s's %s should be gone %.1f s after %s, but was there for %.1f s; most "
		    "likely: the relay still passes packets that it should drop.",
		    me->name, what, f->expect.silent_ms / 1e3, f->what, stopped_ms / 1e3);
}

static void check_end(const struct fault *f, const struct fault_times *t,
                      const struct end_mark mark[LAB_SIDES], const struct pulse p[LAB_SIDES],
                      struct result *r)
{
	const struct fault_expect *e = &f->expect;
	char says[LAB_SIDES][640];

	for (int i = 0; i < LAB_SIDES; i++)
		page_says(&p[i], says[i], sizeof(says[i]));
	if (t->ended_ms == 0 || t->ended_ms - t->struck_ms > e->ends_ms) {
		result_fail(r,
		            "the call should be over %.0f s after %s, but %s's: %s; %s's: %s; most "
		            "likely: the page has no time limit for this.",
		            e->ends_ms / 1e3, f->what, mark[0].name, says[0], mark[1].name,
		            says[1]);
		return;
	}
	for (int i = 0; i < LAB_SIDES; i++) {
		check_silence(f, t, &mark[i], "picture", &p[i], &p[i].picture, r);
		check_silence(f, t, &mark[i], "sound", &p[i], &p[i].sound, r);
		if (!strncmp(p[i].reason, NO_REASON, strlen(NO_REASON)))
			result_fail(
			    r,
			    "%s's page should say why the call ended after %s, but %s; most "
			    "likely: the page ends a call without a reason.",
			    mark[i].name, f->what, says[i]);
	}
	if (!gives(&p[0], e->reason) && !gives(&p[1], e->reason))
		result_fail(r, "a page should say \"%s\" after %s, but %s's: %s; %s's: %s.",
		            e->reason, f->what, mark[0].name, says[0], mark[1].name, says[1]);
}

static void check_bounds(const struct bounds *b, double seen, const char *what, const char *unit,
                         struct result *r)
{
	if (b->greatest > 0 && (seen < b->least || seen > b->greatest))
		result_fail(r,
		            "%s should be between %.1f and %.1f %s on this link, but was %.1f %s; "
		            "most likely: the lab's link does not have the loss or delay that it "
		            "should have.",
		            what, b->least, b->greatest, unit, seen, unit);
}

static void note_measures(const struct fault_times *t, const struct pulse p[LAB_SIDES],
                          struct result *r)
{
	double gap = 0, back = 0;

	for (int i = 0; i < LAB_SIDES; i++) {
		gap = greater(gap, greater(p[i].picture.longest_ms, p[i].sound.longest_ms));
		back = greater(back, resumed(&p[i]) - t->healed_ms);
	}
	result_measure(r, "gap", gap, "ms");
	if (t->ended_ms > 0)
		result_measure(r, "ended", t->ended_ms - t->struck_ms, "ms");
	else
		result_measure(r, "recovery", back, "ms");
	if (t->online_ms > 0)
		result_measure(r, "online", t->online_ms - t->healed_ms, "ms");
	result_measure(r, "loss", greater(p[0].loss_percent, p[1].loss_percent), "%");
	result_measure(r, "rtt_after", greater(p[0].rtt_ms, p[1].rtt_ms), "ms");
}

void fault_judge(const struct fault *f, const struct fault_times *t,
                 const struct end_mark mark[LAB_SIDES], const struct pulse p[LAB_SIDES],
                 struct result *r)
{
	double own_gap = greater(p[0].own_gap_ms, p[1].own_gap_ms);

	note_measures(t, p, r);
	if (f->expect.back_ms > 0) {
		for (int i = 0; i < LAB_SIDES; i++)
			check_back(f, t, &mark[i], &p[i], r);
	} else {
		check_end(f, t, mark, p, r);
	}
	check_online(f, t, mark, p, r);
	check_bounds(&f->expect.loss_percent, greater(p[0].loss_percent, p[1].loss_percent),
	             "Loss of sound", "%", r);
	check_bounds(&f->expect.rtt_ms, greater(p[0].rtt_ms, p[1].rtt_ms), "The round trip", "ms",
	             r);
	if (r->state == RESULT_FAILED && own_gap >= OWN_GAP_MS)
		result_inconclusive(r,
		                    "The machine was too busy to judge: a page got no core for "
		                    "%.1f s.",
		                    own_gap / 1e3);
}
