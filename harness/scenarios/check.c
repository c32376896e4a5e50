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

/* What the page found, as struct check has it. */
static const char found_js[] =
    "(({verdict, rows}) => `${verdict.code}: ` + rows.map(r =>"
    " `${r.id}=${r.level}${r.cause ? `:${r.cause}` : ''}`).join(' '))(window.checkResult)";

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

static int judge(struct stage *st, enum lab_side side, struct why *why)
{
	const char *wanted = check_of(st)->finds[side], *found;
	json_t *value = NULL, *secrets = NULL;
	int err = browser_eval(st->browser[side], found_js, CALL_JS_MS, &value, why);

	if (err == 0)
		err = browser_eval(st->browser[side], secrets_js, CALL_JS_MS, &secrets, why);
	found = json_string_value(value);
	if (err == 0 && (!found || strcmp(found, wanted) != 0))
		result_fail(
		    st->result,
		    "Behind NAT kind %s the self-test should find \"%s\", but found \"%s\"; most "
		    "likely: see the page's picture.",
		    st->cell->kind[side]->name, wanted, found ? found : "nothing");
	if (err == 0 && json_integer_value(secrets) != (strstr(wanted, "relay-udp") ? 0 : -1))
		result_fail(
		    st->result,
		    "The self-test's result should hold no password, but holds %d; most likely: "
		    "a server's credential is among the facts.",
		    (int)json_integer_value(secrets));
	json_decref(value);
	json_decref(secrets);
	return err;
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
	stage_screenshots(st, err || st->result->failure_n ? "failed" : "check");
	if (err != 0)
		result_fail(st->result, "While %s: %s.", st->result->step, why.text);
	snprintf(st->result->path, sizeof(st->result->path), "self-test");
	call_check_pages(st);
}
