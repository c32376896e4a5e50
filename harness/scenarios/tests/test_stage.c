/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A stage from one cell to the next: nothing of a cell is left for the one
 * that follows.
 */
#include "harness/lab/contain.h"
#include "harness/scenarios/call.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_MS 120000
#define SLOW_MS  1000 /* of every packet: a close takes longer than the next cell's first steps */

static char program[PATH_MAX]; /* of the server */

/* The inside's report to the test: cmocka cannot assert across processes. */
struct inside {
	struct result first, second;
	struct why why;
};

static struct inside *inside;

/* Both pages join. Each should see the other, under its name, and nobody else. */
static int join_both(struct stage *st, struct why *why)
{
	int err = 0;

	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		err = browser_type(st->browser[i], "#name", st->mark[i].name, CALL_CLICK_MS, why);
		if (err == 0)
			err = browser_click(st->browser[i], "#join", CALL_CLICK_MS, why);
	}
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		char js[160];

		snprintf(js, sizeof(js),
		         "[...document.querySelectorAll('#users [data-name]')]"
		         ".map(e => e.dataset.name).join() === '%s'",
		         st->mark[!i].name);
		err = browser_wait_for(st->browser[i], js, CALL_CLICK_MS, why);
	}
	return err;
}

static void play_join(struct stage *st)
{
	struct why why;

	if (join_both(st, &why) != 0)
		result_fail(st->result, "%s", why.text);
}

/* The links become slow, and the cell is over. */
static void play_join_and_slow_down(struct stage *st)
{
	const struct lab_link slow = {.delay_ms = SLOW_MS};
	struct why why;
	int err = join_both(st, &why);

	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = lab_set_link(st->lab, i, &slow, &why);
	if (err != 0)
		result_fail(st->result, "%s", why.text);
}

static const struct scenario slow_one = {.play = play_join_and_slow_down};
static const struct scenario next_one = {.play = play_join};

static int play_both(void *arg)
{
	struct scenario_options opt = {.turnpike = program, .artifacts_fd = -1};
	struct cell cell = {.scenario = &slow_one, .target = &target_turnpike};
	char browser[PATH_MAX];
	int log_fd[STAGE_LOGS];
	struct inside *in = arg;
	struct stage st;

	for (int i = 0; i < STAGE_LOGS; i++)
		log_fd[i] = memfd_create("log", MFD_CLOEXEC);
	if (browser_find(BROWSER_CHROMIUM, NULL, browser, &in->why) != 0)
		return 1;
	opt.browser[BROWSER_CHROMIUM] = browser;
	opt.browser[BROWSER_FIREFOX] = "";
	stage_init(&st, &opt, log_fd);
	for (int i = 0; i < LAB_SIDES; i++)
		cell.kind[i] = nat_find("port-restricted");
	if (scenario_play(&st, &cell, &in->first)) {
		cell.scenario = &next_one;
		for (int i = 0; i < LAB_SIDES; i++)
			cell.kind[i] = nat_find("none");
		scenario_play(&st, &cell, &in->second);
	}
	stage_close(&st, &in->second);
	return 0;
}

static void expect_passed(struct result *r)
{
	result_end(r);
	if (r->state != RESULT_PASSED)
		fail_msg("%s: %s; at: %s", result_state_text(r->state), r->failure[0], r->step);
}

/* A page that has left is not there for the next one, however slow its goodbye is: else the next
 * bob would be "bob1", and the one whom alice calls nobody. */
static void test_who_has_left_is_gone_before_the_next_cell(void **state)
{
	struct contain c;
	struct why why;
	int status = 0;

	(void)state;
	result_init(&inside->first, "first", "");
	result_init(&inside->second, "second", "");
	result_begin(&inside->first);
	result_begin(&inside->second);
	if (contain_start(&c, play_both, inside, &why) != 0)
		fail_msg("%s", why.text);
	assert_int_equal(contain_wait(&c, LIMIT_MS, -1, &status), 0);
	contain_kill(&c);
	assert_string_equal(inside->why.text, "");
	expect_passed(&inside->first);
	expect_passed(&inside->second);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_who_has_left_is_gone_before_the_next_cell),
	};

	if (argc != 2 || !realpath(argv[1], program)) {
		fprintf(stderr, "Usage: harness-stage TURNPIKE\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	inside =
	    mmap(NULL, sizeof(*inside), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return inside == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
