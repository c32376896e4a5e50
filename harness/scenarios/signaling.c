/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The signaling as two people see it: rooms, what was missed, two devices, a call that is
 * declined, that both begin at once, or that rings while the server starts anew.
 */
#include "base/clock.h"
#include "harness/scenarios/call.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SEE_MS  15000
#define GONE_MS 8000 /* of the server, after its drain */
#define LINES   5

#define SIGNED_IN                                                                                  \
	"!window.leaving && document.querySelector('#link-state')?.dataset.state === 'signed-in'"
#define CALL_IS "document.querySelector('#call-state')?.dataset.state === "
#define USERS                                                                                      \
	"[...document.querySelectorAll('#users .who')].map(w => w.textContent.replace(/ .*/, '')"  \
	").sort().join(' ')"
#define CHAT                                                                                       \
	"[...document.querySelectorAll('#chat p')].map(p => p.childNodes[1].textContent).join(' "  \
	"')"

/* Waits until a page shows it. That it does not is a failure of the scenario: what says what was
 * expected. */
__attribute__((format(printf, 5, 6))) static int
sees(struct stage *st, enum lab_side side, struct why *why, const char *what, const char *fmt, ...)
{
	char js[1024];
	struct why late;
	va_list ap;
	int err;

	va_start(ap, fmt);
	vsnprintf(js, sizeof(js), fmt, ap);
	va_end(ap);
	stage_step(st, "waiting until %s %s", st->mark[side].name, what);
	err = browser_wait_for(st->browser[side], js, SEE_MS, &late);
	if (err == -E_TIMEOUT)
		result_fail(st->result, "%s should %s within %d s.", st->mark[side].name, what,
		            SEE_MS / 1000);
	return err ? why_set(why, err, "%s", late.text) : 0;
}

__attribute__((format(printf, 4, 5))) static int does(struct stage *st, enum lab_side side,
                                                      struct why *why, const char *fmt, ...)
{
	char js[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(js, sizeof(js), fmt, ap);
	va_end(ap);
	return browser_eval(st->browser[side], js, CALL_JS_MS, NULL, why);
}

/* query: behind "?name=…", begins with '&' or '#'. */
static int enter(struct stage *st, enum lab_side side, const char *query, struct why *why)
{
	int err;

	stage_step(st, "joining as %s, with %s", st->mark[side].name, *query ? query : "no room");
	err = does(st, side, why, "window.leaving = true, location.assign('/?name=%s%s')",
	           st->mark[side].name, query);
	return err ? err : sees(st, side, why, "be signed in", "%s", SIGNED_IN);
}

static int enter_both(struct stage *st, const char *query, struct why *why)
{
	int err = enter(st, CALLER, query, why);

	if (err == 0)
		err = enter(st, CALLEE, query, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = sees(st, i, why, "see both names", "%s === '%s %s'", USERS,
		           st->mark[CALLER].name, st->mark[CALLEE].name);
	return err;
}

static int say(struct stage *st, enum lab_side side, const char *text, struct why *why)
{
	return does(st, side, why,
	            "document.querySelector('#chat-input').value = '%s',"
	            "document.querySelector('#chat-form').requestSubmit()",
	            text);
}

static int ring(struct stage *st, struct why *why)
{
	char user[96];
	int err;

	snprintf(user, sizeof(user), "#users [data-name=\"%s\"]", st->mark[CALLEE].name);
	stage_step(st, "calling %s", st->mark[CALLEE].name);
	err = browser_click(st->browser[CALLER], user, CALL_CLICK_MS, why);
	return err ? err : sees(st, CALLEE, why, "hear it ring", CALL_IS "'ringing'");
}

static int both_connected(struct stage *st, struct why *why)
{
	int err = 0;

	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = sees(st, i, why, "be connected", CALL_IS "'connected'");
	return err;
}

static void end(struct stage *st, int err, const struct why *why)
{
	if (err && st->result->state == RESULT_RUNNING && err != -E_TIMEOUT)
		result_fail(st->result, "The scenario stopped: %s.", why->text);
	else if (err && !st->result->failure_n)
		result_fail(st->result, "The scenario stopped: %s.", why->text);
	call_check_pages(st);
}

void scenario_rooms(struct stage *st)
{
	struct why why;
	int err = enter(st, CALLER, "&room=red", &why);

	if (err == 0)
		err = enter(st, CALLEE, "&room=blue", &why);
	if (err == 0)
		err = say(st, CALLEE, "blue", &why);
	if (err == 0)
		err = sees(st, CALLEE, &why, "see the own line", "%s === 'blue'", CHAT);
	if (err == 0)
		err = sees(st, CALLER, &why, "see nobody of the other room, and no line of it",
		           "%s === '%s' && %s === ''", USERS, st->mark[CALLER].name, CHAT);
	if (err == 0)
		err = enter_both(st, "&room=red", &why);
	if (err == 0)
		err = say(st, CALLEE, "red", &why);
	if (err == 0)
		err = sees(st, CALLER, &why, "see the line of the same room", "%s === 'red'", CHAT);
	end(st, err, &why);
}

void scenario_missed(struct stage *st)
{
	char expected[64] = "", text[16];
	struct why why;
	int err = enter_both(st, "", &why);

	stage_step(st, "cutting %s off", st->mark[CALLER].name);
	if (err == 0)
		err = lab_cut_link(st->lab, CALLER, true, &why);
	for (int i = 1; i <= LINES && err == 0; i++) {
		snprintf(text, sizeof(text), "line%d", i);
		snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%s%s",
		         i > 1 ? " " : "", text);
		err = say(st, CALLEE, text, &why);
	}
	if (err == 0)
		err = sees(st, CALLEE, &why, "see the own lines", "%s === '%s'", CHAT, expected);
	if (err == 0)
		err = lab_cut_link(st->lab, CALLER, false, &why);
	/* As after a change of network: the old connection does not know yet. */
	if (err == 0)
		err = does(st, CALLER, &why, "dispatchEvent(new Event('online'))");
	if (err == 0)
		err = sees(st, CALLER, &why,
		           "see each line of the time without a network once, in order",
		           "%s && %s === '%s'", SIGNED_IN, CHAT, expected);
	end(st, err, &why);
}

/* A second device of the callee: the library alone, in the callee's page. */
static int second_device(struct stage *st, const char *ticket, struct why *why)
{
	int err = does(st, CALLEE, why,
	               "import('/turnpike.js').then(({Signaling}) => {"
	               "const hub = new Signaling(`wss://${location.host}/ws`,"
	               " {ticket: '%s', storage: null}); window.second = {hub, heard: []};"
	               "hub.addEventListener('signal', e => second.heard.push("
	               "`${e.detail.type} ${e.detail.reason ?? ''}`)); hub.signIn(''); })",
	               ticket);

	return err ? err
	           : sees(st, CALLEE, why, "sign in from a second device",
	                  "window.second?.hub.name === '%s'", st->mark[CALLEE].name);
}

void scenario_devices(struct stage *st)
{
	const char *const words[] = {"ticket", st->mark[CALLEE].name, "--json", NULL};
	json_t *made = NULL;
	const char *ticket;
	char query[1400];
	struct why why;
	int err = appliance_verb(st->appliance, words, &made, &why);

	ticket = json_string_value(json_object_get(made, "ticket"));
	if (err == 0 && !ticket)
		err = why_set(&why, -E_PARSE, "turnpike ticket gives none");
	if (err == 0)
		err = enter(st, CALLER, "", &why);
	snprintf(query, sizeof(query), "#ticket=%s", ticket ? ticket : "");
	if (err == 0)
		err = enter(st, CALLEE, query, &why);
	if (err == 0)
		err = second_device(st, ticket, &why);
	if (err == 0)
		err = sees(st, CALLER, &why, "see one user, whose name is proven",
		           "%s === '%s %s' && document.querySelector('#users .proven')", USERS,
		           st->mark[CALLER].name, st->mark[CALLEE].name);
	if (err == 0)
		err = ring(st, &why);
	if (err == 0)
		err = sees(st, CALLEE, &why, "hear it ring at the second device, too",
		           "second.heard.some(h => h.startsWith('video-offer'))");
	if (err == 0)
		err = browser_click(st->browser[CALLEE], "#answer", CALL_CLICK_MS, &why);
	if (err == 0)
		err = sees(st, CALLEE, &why, "hear at the second device that the call is taken",
		           "second.heard.includes('hang-up taken')");
	if (err == 0)
		err = both_connected(st, &why);
	if (err == 0)
		err = call_hang_up(st, &why);
	json_decref(made);
	end(st, err, &why);
}

void scenario_decline(struct stage *st)
{
	struct why why;
	int err = enter_both(st, "", &why);

	if (err == 0)
		err = ring(st, &why);
	if (err == 0)
		err = browser_click(st->browser[CALLEE], "#decline", CALL_CLICK_MS, &why);
	if (err == 0)
		err = sees(
		    st, CALLER, &why, "read that the call was declined",
		    CALL_IS
		    "'idle' && "
		    "/has declined/.test(document.querySelector('#placeholder-text').textContent)");
	end(st, err, &why);
}

/* Both click before either hears of the other. */
void scenario_glare(struct stage *st)
{
	struct why why;
	int err = enter_both(st, "", &why);

	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = does(st, i, &why,
		           "(() => { const at = Math.ceil(Date.now() / 2000 + 0.5) * 2000;"
		           "setTimeout(() => document.querySelector('#users [data-name]').click(),"
		           " at - Date.now()); })()");
	if (err == 0)
		err = both_connected(st, &why);
	for (int i = 0; i < LAB_SIDES && err == 0;
	     i++) /* a browser forgets what it only asks for */
		err = sees(st, i, &why, "have all its candidates",
		           "harness.connections.every(c => c.pc.connectionState === 'closed' || "
		           "c.pc.iceGatheringState === 'complete')");
	if (err == 0)
		err = call_hang_up(st, &why);
	end(st, err, &why);
}

void scenario_ring_restart(struct stage *st)
{
	struct why why;
	int err = enter_both(st, "", &why);

	if (err == 0)
		err = ring(st, &why);
	stage_step(st, "starting the server anew while it rings");
	if (err == 0)
		err = appliance_drain(st->appliance, &why);
	if (err == 0)
		err = appliance_await_end(st->appliance, GONE_MS, &why);
	if (err == 0)
		err = appliance_again(st->appliance, &why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = sees(st, i, &why, "be signed in again", "%s", SIGNED_IN);
	if (err == 0)
		err = sees(st, CALLEE, &why, "still hear it ring", CALL_IS "'ringing'");
	if (err == 0)
		err = browser_click(st->browser[CALLEE], "#answer", CALL_CLICK_MS, &why);
	if (err == 0)
		err = both_connected(st, &why);
	if (err == 0)
		err = call_hang_up(st, &why);
	end(st, err, &why);
}
