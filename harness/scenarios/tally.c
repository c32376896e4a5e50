/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading and judging the pages' tallies.
 */
#include "harness/scenarios/tally.h"

#include "base/clock.h"
#include "harness/scenarios/call.h"
#include "harness/scenarios/facts.h"

#include <stdio.h>
#include <string.h>

#define CAME_MS 5000 /* a candidate is there at once, on an idle machine */
#define LOOK_MS 200

static bool has(const json_t *list, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *other = json_string_value(item);

		if (other && !strcmp(other, text))
			return true;
	}
	return false;
}

size_t tally_missing(const json_t *from, const json_t *to, const char **first)
{
	const json_t *sent = json_object_get(from, "sent"), *got = json_object_get(to, "got"),
	             *item;
	size_t i, n = 0;

	if (json_is_true(json_object_get(to, "full")))
		return 0;
	json_array_foreach (sent, i, item) {
		const char *text = json_string_value(item);

		if (!text || has(got, text))
			continue;
		if (n++ == 0 && first)
			*first = text;
	}
	return n;
}

static void check_candidates(const json_t *from, const json_t *to, const struct end_mark *sender,
                             const struct end_mark *getter, struct result *r)
{
	const char *first = "";
	size_t n = tally_missing(from, to, &first);

	if (n > 0)
		result_fail(r,
		            "%s should get all of %s's %zu candidates, but %zu did not come (%s is "
		            "one); most likely: signaling loses messages. Look at: the hub's lines "
		            "in the server's log, and the candidates of both timelines.",
		            getter->name, sender->name,
		            json_array_size(json_object_get(from, "sent")), n, first);
}

static void check_link(const json_t *tally, const struct end_mark *me, struct result *r)
{
	const char *said =
	    json_string_value(json_array_get(json_object_get(tally, "websocket"), 0));

	if (said)
		result_fail(r,
		            "%s's WebSocket should stay open during the call, but \"%s\"; most "
		            "likely: the server was started again, or hung. Look at: the server's "
		            "log at that time.",
		            me->name, said);
}

static void check_restarts(const json_t *tally, const struct end_mark *me, struct result *r)
{
	int n = (int)facts_number(tally, "restarts");

	if (n > 0)
		result_fail(r,
		            "%s's page should not restart ICE once it is connected, in a call that "
		            "nothing disturbs, but did %d times; most likely: the connection was "
		            "lost in between, or the "
		            "relay was (a refused Refresh). Look at: the states of the timeline, "
		            "and refusals in the server's log.",
		            me->name, n);
}

void tally_judge(json_t *const tally[LAB_SIDES], const struct end_mark mark[LAB_SIDES],
                 struct result *r)
{
	for (int i = 0; i < LAB_SIDES; i++) {
		check_link(tally[i], &mark[i], r);
		check_candidates(tally[i], tally[!i], &mark[i], &mark[!i], r);
		check_restarts(tally[i], &mark[i], r);
	}
}

static int read_both(struct stage *st, int64_t since_ms, json_t *tally[LAB_SIDES], struct why *why)
{
	char js[64];
	int err = 0;

	snprintf(js, sizeof(js), "harness.tally(%lld)", (long long)since_ms);
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		json_decref(tally[i]);
		tally[i] = NULL;
		err = browser_eval(st->browser[i], js, CALL_JS_MS, &tally[i], why);
	}
	return err;
}

int tally_check(struct stage *st, int64_t since_ms, struct why *why)
{
	int64_t deadline = clock_mono_ms() + CAME_MS;
	json_t *tally[LAB_SIDES] = {NULL};
	int err = read_both(st, since_ms, tally, why);

	while (err == 0 && clock_mono_ms() < deadline &&
	       tally_missing(tally[0], tally[1], NULL) + tally_missing(tally[1], tally[0], NULL) >
	           0) {
		clock_sleep_ms(LOOK_MS);
		err = read_both(st, since_ms, tally, why);
	}
	if (err == 0)
		tally_judge(tally, st->mark, st->result);
	for (int i = 0; i < LAB_SIDES; i++)
		json_decref(tally[i]);
	return err;
}
