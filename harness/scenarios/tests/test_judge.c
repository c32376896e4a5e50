/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The judgements beside a call's media, in real calls: signaling that loses candidates, empty
 * iceServers, a relay that leaks, a page that hogs its thread, a server that is started again. And
 * a good call is not accused.
 */
#include "base/clock.h"
#include "harness/lab/proc.h"
#include "harness/scenarios/relay_watch.h"
#include "harness/scenarios/tally.h"
#include "harness/scenarios/tests/scene.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/tests/inside.h"

#define LIMIT_MS 170000
#define WATCH_MS 500

static char turnpike[PATH_MAX], liar[PATH_MAX];
static const char *only; /* the one case that is played; NULL: all */

static int tell(struct stage *st, enum lab_side side, const char *js)
{
	struct why why;
	int err = browser_eval(st->browser[side], js, CALL_JS_MS, NULL, &why);

	if (err != 0)
		result_fail(st->result, "%s", why.text);
	return err;
}

/* Every third candidate that alice sends is lost, and nobody was given a server. */
static void play_lossy_signaling(struct stage *st)
{
	static const char lose[] = "(() => { const send = WebSocket.prototype.send; let n = 0;"
	                           "WebSocket.prototype.send = function (m) {"
	                           " if (!String(m).includes('new-ice-candidate') || ++n % 3 !== 1)"
	                           "  send.call(this, m); }; return true; })()";

	for (int i = 0; i < LAB_SIDES; i++)
		tell(st, i, "harness.setIce({servers: []})");
	if (tell(st, LAB_A, lose) == 0)
		scenario_call(st);
}

/* Nothing but the gauge goes by the liar, which keeps its allocations alive. */
static void play_leak(struct stage *st)
{
	const char *argv[] = {liar, "leak", LAB_TURN_IP, "3478", LAB_SERVER_IP, "3478", NULL};
	struct proc_opt po = PROC_OPT_DEFAULT;
	struct gauge_facts ignored;
	struct why why;
	pid_t pid = 0;
	int err;

	gauge_stop(relay_watch_start(st, &err, &why), &ignored);
	snprintf(st->gauge.ip, sizeof(st->gauge.ip), "%s", LAB_TURN_IP);
	st->gauge.port[GAUGE_TCP] = 0;
	po.netns_fd = lab_server_ns(st->lab);
	if (err == 0)
		err = proc_spawn(argv, &po, &pid, &why);
	if (err != 0)
		result_fail(st->result, "%s", why.text);
	else
		scenario_call(st);
	proc_stop(pid, 0);
	st->gauge_of = NULL;
}

static void play_hog(struct stage *st)
{
	if (tell(st, LAB_A,
	         "(() => { setInterval(() => {"
	         " if (!harness.connections.some(c => c.connectedAt)) return;"
	         " for (const t = performance.now(); performance.now() - t < 900;);"
	         "}, 950); return true; })()") == 0)
		scenario_call(st);
}

/* The pages' server has a name that nobody knows. ICE need not be waited for. */
static void play_unknown_name(struct stage *st)
{
	static const char servers[] =
	    "harness.setIce({policy: 'relay', servers: [{urls: 'turn:nowhere.test?transport=udp',"
	    " username: 'u', credential: 'p'}]})";
	static const struct call_expect relayed = {.path = PATH_RELAY};
	struct end_view v[LAB_SIDES];
	double answered_at_ms;
	struct why why;
	int err;

	for (int i = 0; i < LAB_SIDES; i++)
		tell(st, i, servers);
	err = call_place(st, &answered_at_ms, &why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = browser_wait_for(st->browser[i],
		                       "harness.connections.some(c => c.errors.length)",
		                       CALL_CLICK_MS, &why);
	if (err == 0)
		err = call_observe(st, WATCH_MS, v, &why);
	if (err == 0)
		verdict_judge(&relayed, st->mark, v, answered_at_ms, st->result);
	else
		result_fail(st->result, "%s", why.text);
}

static void play_restart(struct stage *st)
{
	int64_t since_ms = clock_unix_ms();
	double answered_at_ms;
	struct why why;
	int err = call_place(st, &answered_at_ms, &why);

	if (err == 0)
		err = call_await(st, &st->cell->expect, &why);
	if (err == 0)
		err = appliance_kill(st->appliance, &why);
	if (err == 0)
		err = appliance_again(st->appliance, &why);
	if (err == 0)
		err = tally_check(st, since_ms, &why);
	if (err != 0)
		result_fail(st->result, "%s", why.text);
}

static const struct judge_case {
	const char *name;
	void (*play)(struct stage *st);
	const char *sentence[3]; /* all that are to be told; none: it passes */
} cases[] = {
    {"good", scenario_call, {NULL}},
    {"leak", play_leak, {"should have given everything back", "of its UDP ports are still open"}},
    {"lossy-signaling",
     play_lossy_signaling,
     {"bob should get all of alice's", "signaling loses messages", "the page got no ICE servers"}},
    {"unknown-name", play_unknown_name, {"the name of the ICE server does not resolve"}},
    {"hog", play_hog, {"a script of the page blocks its thread"}},
    {"restart", play_restart, {"WebSocket should stay open during the call, but \"closed 1006"}},
};

#define CASES (sizeof(cases) / sizeof(*cases))

/* The inside's report to the test: cmocka cannot assert across processes. */
struct inside {
	struct result result[CASES];
	struct why why;
};

static struct inside *inside;

static int play_all(void *arg)
{
	struct cell cell = {.target = &target_turnpike, .expect = {.path = PATH_DIRECT}};
	struct inside *in = arg;
	struct scene scene;

	if (scene_open(&scene, turnpike, &in->why) != 0)
		return 1;
	scene_nat(&cell, "none");
	for (size_t i = 0; i < CASES; i++) {
		if (only && strcmp(only, cases[i].name) != 0)
			continue;
		struct scenario s = {.name = cases[i].name, .play = cases[i].play};

		cell.scenario = &s;
		snprintf(cell.name, sizeof(cell.name), "%s", s.name);
		result_begin(&in->result[i]);
		scenario_play(&scene.st, &cell, &in->result[i]);
		result_end(&in->result[i]);
	}
	stage_close(&scene.st, &in->result[0]);
	return 0;
}

static void expect(const struct judge_case *c, const struct result *r)
{
	for (size_t i = 0; i < r->failure_n; i++)
		print_message("%s: %s\n", c->name, r->failure[i]);
	for (size_t i = 0; i < r->measure_n; i++)
		print_message("%s: %s %.1f %s\n", c->name, r->measure[i].name, r->measure[i].value,
		              r->measure[i].unit);
	if (r->state == RESULT_INCONCLUSIVE) {
		/* A machine without a free core accuses nothing. */
		print_message("%s: not judged here\n", c->name);
		return;
	}
	assert_int_equal(r->state, c->sentence[0] ? RESULT_FAILED : RESULT_PASSED);
	for (size_t k = 0; k < 3 && c->sentence[k]; k++) {
		bool told = false;

		for (size_t i = 0; i < r->failure_n; i++)
			told = told || strstr(r->failure[i], c->sentence[k]);
		if (!told)
			fail_msg("%s: not told: %s", c->name, c->sentence[k]);
	}
}

static void test_what_is_beside_a_call_is_judged(void **state)
{
	int status;

	(void)state;
	for (size_t i = 0; i < CASES; i++)
		result_init(&inside->result[i], cases[i].name, "");
	status = inside_run(play_all, inside, LIMIT_MS);
	assert_string_equal(inside->why.text, "");
	assert_int_equal(status, 0);
	for (size_t i = 0; i < CASES; i++) {
		if (!only || !strcmp(only, cases[i].name))
			expect(&cases[i], &inside->result[i]);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_beside_a_call_is_judged),
	};

	only = argc == 4 ? argv[3] : NULL;
	if (argc < 3 || argc > 4 || !realpath(argv[1], turnpike) || !realpath(argv[2], liar)) {
		fprintf(stderr, "Usage: harness-judge TURNPIKE LIAR [CASE]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	inside = inside_new(sizeof(*inside));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
