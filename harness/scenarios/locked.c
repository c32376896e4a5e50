/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A call with credentials that are locked to it (relay_lock), and a thief: a TURN client with the
 * caller's credential, which must reach the callee's addresses only.
 */
#include "base/addr.h"
#include "harness/scenarios/call.h"
#include "harness/scenarios/facts.h"
#include "harness/scenarios/fault.h"
#include "turn/wire/talker.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define TRIES     3
#define WAIT_MS   2000
#define VICTIM_IP "203.0.113.200" /* nobody of the call has it */
#define TURN_PORT 3478
#define SERVER_JS                                                                                  \
	"harness.connections.flatMap(c => c.pc.getConfiguration().iceServers)"                     \
	".find(s => s.username)"

struct stolen {
	char user[128], password[64];
};

static int steal(struct stage *st, struct stolen *s, struct why *why)
{
	json_t *value = NULL;
	int err = browser_eval(st->browser[CALLER], SERVER_JS, CALL_JS_MS, &value, why);

	facts_copy(s->user, sizeof(s->user), value, "username");
	facts_copy(s->password, sizeof(s->password), value, "credential");
	json_decref(value);
	return err;
}

/* From outside, as anybody on the Internet. The codes of the two answers, or less than 0. */
static void use(const struct stolen *s, int *allocated, int *permitted)
{
	struct talker t;
	struct addr server, peer;

	addr_parse_ip(&server, LAB_SERVER_IP, TURN_PORT);
	addr_parse_ip(&peer, VICTIM_IP, 9); /* the own address would be legal */
	*allocated = talker_connect(&t, TALKER_UDP, &server, NULL);
	t.user = s->user;
	t.password = s->password;
	t.tries = TRIES;
	t.wait_ms = WAIT_MS;
	if (!*allocated)
		*allocated = talker_allocate(&t, IPPROTO_UDP);
	*permitted = *allocated ? -E_CLOSED : talker_permit(&t, &peer);
	if (!*allocated)
		talker_refresh(&t, 0);
	talker_close(&t);
}

static int try_as_thief(struct stage *st, struct why *why)
{
	struct stolen s;
	int allocated, permitted, err;

	stage_step(st, "using %s's credential from elsewhere", st->mark[CALLER].name);
	err = steal(st, &s, why);
	if (err != 0)
		return err;
	if (!strstr(s.user, ":lock="))
		result_fail(st->result,
		            "%s's credential should be locked to the call, but its username is "
		            "\"%s\"; most likely: the server does not mark what it issues over the "
		            "WebSocket.",
		            st->mark[CALLER].name, s.user);
	use(&s, &allocated, &permitted);
	if (allocated != 0 || permitted != 403)
		result_fail(st->result,
		            "A stranger with %s's credential should get an allocation, and 403 for "
		            "a peer that is not in the call, but got %d and %d; most likely: the "
		            "relay's workers do not know the lock.",
		            st->mark[CALLER].name, allocated, permitted);
	return 0;
}

void scenario_locked(struct stage *st)
{
	struct why why;
	int err = fault_begin_call(st, &why);

	if (err == 0 && st->result->state == RESULT_RUNNING)
		err = try_as_thief(st, &why);
	if (err == 0 && st->result->state == RESULT_RUNNING)
		err = fault_judge_call(st, &st->cell->expect, &why);
	if (err == 0 && st->result->state == RESULT_RUNNING)
		err = call_hang_up(st, &why);
	if (err != 0)
		result_fail(st->result, "While %s: %s.", st->result->step, why.text);
	if (st->result->state != RESULT_RUNNING)
		stage_screenshots(st, "failed");
	call_check_pages(st);
}
