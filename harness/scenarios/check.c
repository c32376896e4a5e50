/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The self-test page behind two NATs: it must find what the lab has built.
 */
#include "harness/scenarios/check.h"

#include "harness/lab/proc.h"
#include "harness/scenarios/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NFT_MS   20000
#define CHECK_MS 60000 /* three relays, each silent, take some 12 s; more on a busy machine */
#define DONE     "window.checkResult && window.checkResult.state === 'done'"

/* The page's findings, in the form of struct check. */
static const char found_js[] =
    "(({verdict, rows}) => `${verdict.code}: ` + rows.map(r =>"
    " `${r.id}=${r.level}${r.cause ? `:${r.cause}` : ''}`).join(' '))(window.checkResult)";

/* The verdict, and the rows that are faults, in words. */
static const char faults_js[] =
    "(({verdict, rows}) => ({title: verdict.title, faults: rows.filter(r => r.level === 'bad')"
    ".map(r => `${r.title}: ${r.text} ${r.hint}`)}))(window.checkResult)";

/* The result goes into tickets: how many passwords are in it; -1 if the page never used any. */
static const char secrets_js[] = "harness.secrets.size ? [...harness.secrets].filter(s =>"
                                 " JSON.stringify(window.checkResult).includes(s)).length : -1";

static const struct check *check_of(const struct stage *st)
{
	return st->cell->scenario->check;
}

static int await_checked(struct stage *st, struct why *why)
{
	int err = 0;

	stage_step(st, "waiting until both pages have checked");
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = browser_wait_for(st->browser[i], DONE, CHECK_MS, why);
	return err;
}

/* The rules stay: such a scenario is .alone. */
static int check_under(struct stage *st, const char *rules, struct why *why)
{
	const char *const add[] = {"nft", "-f", "-", NULL};
	int err;

	stage_step(st, "checking again under a rule of the server's firewall");
	err = proc_run(add, lab_server_ns(st->lab), rules, NFT_MS, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = browser_click(st->browser[i], "#again", CALL_CLICK_MS, why);
	return err ? err : await_checked(st, why);
}

static int check_by_hand(struct stage *st, struct why *why)
{
	const struct check *c = check_of(st);
	int err = 0;

	stage_step(st, "checking again, with what was typed");
	for (size_t i = 0; i < CHECK_STEPS && c->steps[i].selector && err == 0; i++) {
		const char *selector = c->steps[i].selector, *text = c->steps[i].text;

		err = text ? browser_type(st->browser[LAB_A], selector, text, CALL_CLICK_MS, why)
		           : browser_click(st->browser[LAB_A], selector, CALL_CLICK_MS, why);
	}
	return err ? err : await_checked(st, why);
}

static int judge_secrets(struct stage *st, enum lab_side side, int expected, struct why *why)
{
	json_t *value = NULL;
	int err = browser_eval(st->browser[side], secrets_js, CALL_JS_MS, &value, why);

	if (err == 0 && json_integer_value(value) != expected)
		result_fail(
		    st->result,
		    "The self-test's result should hold no password, but holds %d; most likely: "
		    "a server's credential is among the facts.",
		    (int)json_integer_value(value));
	json_decref(value);
	return err;
}

static int judge(struct stage *st, enum lab_side side, struct why *why)
{
	const char *wanted = check_of(st)->finds[side], *found;
	json_t *value = NULL;
	int err = browser_eval(st->browser[side], found_js, CALL_JS_MS, &value, why);

	if (err == 0)
		err = judge_secrets(st, side, strstr(wanted, "relay-udp") ? 0 : -1, why);
	found = json_string_value(value);
	if (err == 0 && (!found || strcmp(found, wanted) != 0))
		result_fail(
		    st->result,
		    "Behind NAT kind %s the self-test should find \"%s\", but found \"%s\"; most "
		    "likely: see the page's picture.",
		    st->cell->kind[side]->name, wanted, found ? found : "nothing");
	json_decref(value);
	return err;
}

static void end_check(struct stage *st, int err, const struct why *why)
{
	stage_screenshots(st, err || st->result->failure_n ? "failed" : "check");
	if (err != 0)
		result_fail(st->result, "While %s: %s.", st->result->step, why->text);
	call_check_pages(st);
}

void scenario_check(struct stage *st)
{
	const struct check *c = check_of(st);
	struct why why;
	int err = await_checked(st, &why);

	if (err == 0 && c->server_rules)
		err = check_under(st, c->server_rules, &why);
	if (err == 0 && c->steps[0].selector)
		err = check_by_hand(st, &why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = judge(st, i, &why);
	snprintf(st->result->path, sizeof(st->result->path), "self-test");
	end_check(st, err, &why);
}

static int judge_sound(struct stage *st, enum lab_side side, struct why *why)
{
	json_t *value = NULL, *faults, *fault;
	const char *title;
	size_t i;
	int err = browser_eval(st->browser[side], faults_js, CALL_JS_MS, &value, why);

	if (err == 0)
		err = judge_secrets(st, side, 0, why);
	title = json_string_value(json_object_get(value, "title"));
	snprintf(st->result->path, sizeof(st->result->path), "%.90s", title ? title : "");
	faults = json_object_get(value, "faults");
	json_array_foreach (faults, i, fault)
		result_fail(st->result, "The self-test page says: %.300s",
		            json_string_value(fault));
	json_decref(value);
	return err;
}

void scenario_check_sound(struct stage *st)
{
	struct why why;
	int err = await_checked(st, &why);

	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = judge_sound(st, i, &why);
	end_check(st, err, &why);
}
