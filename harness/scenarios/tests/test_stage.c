/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A stage from one cell to the next: nothing of a cell is left for the one
 * that follows.
 */
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/tests/inside.h"

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
	struct cell cell = {.scenario = &slow_one, .target = &target_turnpike};
	struct inside *in = arg;
	struct scene s;

	if (scene_open(&s, program, &in->why) != 0)
		return 1;
	scene_nat(&cell, "port-restricted");
	if (scenario_play(&s.st, &cell, &in->first)) {
		cell.scenario = &next_one;
		scene_nat(&cell, "none");
		scenario_play(&s.st, &cell, &in->second);
	}
	stage_close(&s.st, &in->second);
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
	(void)state;
	result_init(&inside->first, "first", "");
	result_init(&inside->second, "second", "");
	result_begin(&inside->first);
	result_begin(&inside->second);
	inside_run(play_both, inside, LIMIT_MS);
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
	inside = inside_new(sizeof(*inside));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
