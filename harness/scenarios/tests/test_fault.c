/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verdict over faults: a call that comes through passes, and each thing that must
 * hold fails in its own sentence.
 */
#include "harness/scenarios/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct end_mark marks[LAB_SIDES] = {{"alice", 0x5a, 600}, {"bob", 0xa3, 1000}};

static const struct fault killed = {
    .what = "killing it",
    .heal = heal_start,
    .heal_after_ms = 2000,
    .expect = {.back_ms = 10000, .gap_ms = 11000, .watch_ms = 5000, .online_ms = 8000},
};

static const struct fault cut = {
    .what = "the cut",
    .expect = {.ends_ms = 100000, .reason = "was lost"},
};

/* Struck at 1,000,000, healed 2 s later; looked at 20 s after the strike. */
static const struct fault_times healed = {
    .struck_ms = 1000000, .healed_ms = 1002000, .online_ms = 1004000};

static struct pulse p[LAB_SIDES];
static struct result r;

static int setup(void **state)
{
	(void)state;
	for (int i = 0; i < LAB_SIDES; i++) {
		p[i] = (struct pulse){.now_ms = 1020000,
		                      .picture = {9000, 100, 1009000},
		                      .sound = {8000, 20, 1008000},
		                      .state = "connected",
		                      .call = "connected",
		                      .link = "signed-in"};
	}
	result_init(&r, "test", "test");
	result_begin(&r);
	return 0;
}

static void expect_failure(const struct fault *f, const struct fault_times *t, const char *words)
{
	fault_judge(f, t, marks, p, &r);
	assert_int_equal(r.state, RESULT_FAILED);
	if (!strstr(r.failure[0], words))
		fail_msg("\"%s\" is not in: %s", words, r.failure[0]);
}

static void test_a_call_that_comes_back(void **state)
{
	(void)state;
	assert_true(fault_settled(&killed.expect, &healed, p));
	fault_judge(&killed, &healed, marks, p, &r);
	assert_int_equal(r.failure_n, 0);
	assert_true(result_find(&r, "gap")->value == 9000);
	assert_true(result_find(&r, "recovery")->value == 7000);
	assert_true(result_find(&r, "online")->value == 2000);
}

static void test_what_is_waited_for(void **state)
{
	struct fault_times t = healed;

	(void)state;
	t.online_ms = 0;
	assert_false(fault_settled(&killed.expect, &t, p));
	t = healed;
	t.healed_ms = 0;
	assert_false(fault_settled(&killed.expect, &t, p));
	p[1].picture.silent_ms = 1500;
	assert_false(fault_settled(&killed.expect, &healed, p));
	p[1].picture.silent_ms = 0;
	p[1].sound.resumed_at_ms = 1019000; /* not for good yet */
	assert_false(fault_settled(&killed.expect, &healed, p));
	p[1].sound.resumed_at_ms = 0;
	p[0].now_ms = 1004900; /* not watched for long enough */
	assert_false(fault_settled(&killed.expect, &healed, p));
	t.ended_ms = 1010000;
	assert_true(fault_settled(&killed.expect, &t, p));
}

static void test_a_call_that_dies(void **state)
{
	(void)state;
	strcpy(p[1].call, "idle");
	strcpy(p[1].reason, "alice has hung up.");
	expect_failure(&killed, &healed,
	               "bob's call should live on after killing it, but the page "
	               "says \"alice has hung up.\"");
}

static void test_media_that_stays_away(void **state)
{
	(void)state;
	p[0].sound.silent_ms = 12000;
	expect_failure(&killed, &healed, "alice's sound should be back 10 s after");
}

static void test_media_that_is_late(void **state)
{
	(void)state;
	p[0].picture.resumed_at_ms = 1013000;
	expect_failure(&killed, &healed, "came back after 11.0 s");
}

static void test_a_gap_that_is_too_long(void **state)
{
	(void)state;
	p[1].picture.longest_ms = 11500;
	expect_failure(&killed, &healed, "bob's picture should never be away for more than 11.0 s");
}

static void test_signaling_that_stays_away(void **state)
{
	struct fault_times t = healed;

	(void)state;
	t.online_ms = 0;
	strcpy(p[1].link, "connecting");
	expect_failure(&killed, &t, "bob should be signed in again 8 s after killing it");
	t.online_ms = 1012000;
	setup(NULL);
	expect_failure(&killed, &t, "but were after 10.0 s");
}

static void test_an_end_with_a_reason(void **state)
{
	struct fault_times t = {.struck_ms = 1e6, .healed_ms = 1e6, .ended_ms = 1e6 + 95000};

	(void)state;
	strcpy(p[0].reason, "The connection was lost. Click a name to call.");
	strcpy(p[1].reason, "alice has hung up. Click a name to call.");
	fault_judge(&cut, &t, marks, p, &r);
	assert_int_equal(r.failure_n, 0);
	assert_true(result_find(&r, "ended")->value == 95000);
	strcpy(p[1].reason, "Click a name to call.");
	expect_failure(&cut, &t, "bob's page should say why the call ended after the cut");
	setup(NULL);
	strcpy(p[0].reason, "Oops. Click a name to call.");
	strcpy(p[1].reason, "Oops. Click a name to call.");
	expect_failure(&cut, &t, "a page should say \"was lost\"");
	t.ended_ms = 0;
	setup(NULL);
	expect_failure(&cut, &t, "the call should be over 100 s after the cut");
}

static void test_media_that_outlive_the_end(void **state)
{
	struct fault revoked = {
	    .what = "revoking alice",
	    .expect = {.ends_ms = 30000, .silent_ms = 2000, .reason = "revoked"}};
	struct fault_times t = {.struck_ms = 1e6, .healed_ms = 1e6, .ended_ms = 1e6 + 19000};

	(void)state;
	for (int i = 0; i < LAB_SIDES; i++) {
		strcpy(p[i].reason, "alice's access was revoked.");
		p[i].picture.silent_ms = p[i].sound.silent_ms = 18500;
	}
	fault_judge(&revoked, &t, marks, p, &r);
	assert_int_equal(r.failure_n, 0);
	p[1].sound.silent_ms = 15000;
	expect_failure(
	    &revoked, &t,
	    "bob's sound should be gone 2.0 s after revoking alice, but was there for 5.0");
}

static void test_a_link_that_is_not_as_set(void **state)
{
	struct fault lossy = {
	    .what = "losing 5 %",
	    .expect = {.back_ms = 20000, .loss_percent = {2, 9}, .rtt_ms = {1, 50}}};

	(void)state;
	p[1].loss_percent = 5;
	p[0].rtt_ms = 3;
	fault_judge(&lossy, &healed, marks, p, &r);
	assert_int_equal(r.failure_n, 0);
	p[1].loss_percent = 0;
	expect_failure(&lossy, &healed, "Loss of sound should be between 2.0 and 9.0 %");
	setup(NULL);
	p[1].loss_percent = 5;
	p[0].rtt_ms = 70;
	expect_failure(&lossy, &healed, "The round trip should be between 1.0 and 50.0 ms");
}

static void test_a_machine_without_time(void **state)
{
	(void)state;
	p[0].picture.resumed_at_ms = 1013000;
	p[0].own_gap_ms = 2500;
	fault_judge(&killed, &healed, marks, p, &r);
	assert_int_equal(r.state, RESULT_INCONCLUSIVE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	    T(test_a_call_that_comes_back),     T(test_what_is_waited_for),
	    T(test_a_call_that_dies),           T(test_media_that_stays_away),
	    T(test_media_that_is_late),         T(test_a_gap_that_is_too_long),
	    T(test_signaling_that_stays_away),  T(test_an_end_with_a_reason),
	    T(test_media_that_outlive_the_end), T(test_a_link_that_is_not_as_set),
	    T(test_a_machine_without_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
