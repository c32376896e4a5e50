/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Webhooks without memory: an event is lost and counted, nobody joins unasked, a start or a reload
 * is refused; nothing else.
 */
#include "base/tests/wrap.h"
#include "daemon/tests/hooks_scene.h"

#include <signal.h>
#include <stdio.h>

#define MAX 200 /* allocations of a step */

static void a_start_is_refused(void **state)
{
	struct scene *s = *state;
	struct why why;
	int r = -1;
	size_t n;

	scene_read(s, KEY_A, "");
	for (n = 1; n < MAX && r; n++) {
		wrap_fail(n);
		r = hooks_start(&s->conf, s->base, NULL, NULL, &s->hooks, &why);
		if (wrap_failed())
			assert_int_equal(r, -E_NOMEM);
		wrap_fail(0);
	}
	assert_in_range(n, 4, MAX - 1);
}

static void a_reload_is_refused(void **state)
{
	struct hook_settings *fresh = NULL;
	struct scene *s = *state;
	struct why why;
	int r = -1;
	size_t n;

	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	SOON(scene_stats(s).delivered == 1 && scene_stats(s).waiting == 0);
	for (n = 1; n < MAX && r; n++) {
		wrap_fail(n);
		r = hooks_prepare(s->hooks, &s->conf, &fresh, &why);
		if (wrap_failed())
			assert_int_equal(r, -E_NOMEM);
		wrap_fail(0);
	}
	assert_in_range(n, 4, MAX - 1);
	hooks_apply(s->hooks, fresh);
	scene_tell(s, 1);
	SOON(scene_stats(s).delivered == 2);
}

static void an_event_is_lost_and_counted(void **state)
{
	struct scene *s = *state;

	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	SOON(scene_stats(s).delivered == 1 && scene_stats(s).waiting == 0);
	wrap_fail(1);
	scene_tell(s, 1);
	assert_true(wrap_failed());
	wrap_fail(0);
	hooks_tell(s->hooks, HOOK_JOINED, NULL); /* as when its JSON could not be made */
	assert_int_equal(scene_stats(s).dropped, 2);
	scene_tell(s, 2);
	SOON(scene_stats(s).delivered == 2);
}

static void nobody_joins_unasked(void **state)
{
	struct scene *s = *state;
	char options[96];
	int r = -1;

	snprintf(options, sizeof(options), "--join-url http://127.0.0.1:%u/",
	         receiver_port(s->receiver));
	scene_start_bare(s, KEY_A, options);
	receiver_answer(s->receiver, 200, NULL, "{\"allow\":true}");
	wrap_fail(1);
	r = hooks_ask(s->hooks, 1, json_pack("{ss}", "name", "alice"));
	assert_true(wrap_failed());
	assert_int_equal(r, -E_NOMEM);
	wrap_fail(0);
	assert_int_equal(hooks_ask(s->hooks, 2, json_pack("{ss}", "name", "alice")), 0);
	SOON(!event_base_loop(s->base, EVLOOP_NONBLOCK) && s->answer_n == 1);
	assert_int_equal(s->answers[0].member_id, 2);
	assert_int_equal(s->answers[0].err, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_start_is_refused),
	    TEST(a_reload_is_refused),
	    TEST(an_event_is_lost_and_counted),
	    TEST(nobody_joins_unasked),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
