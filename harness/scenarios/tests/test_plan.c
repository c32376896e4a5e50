/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Theory against the rule it comes from, and plans: what is asked for is what
 * will be played, each cell once, whatever the shards.
 */
#include "harness/scenarios/plan.h"
#include "harness/scenarios/theory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct plan plan;
static struct why why;

static int teardown(void **state)
{
	(void)state;
	plan_free(&plan);
	return 0;
}

/* Each behind a router of its own, and the server is Turnpike. */
static int theory(const struct nat_kind *a, const struct nat_kind *b, struct call_expect *out)
{
	return theory_expect_offer(a, b, PLACE_APART, &target_turnpike.offer, false, out);
}

static void test_every_pair_has_an_expectation_and_it_is_the_rule(void **state)
{
	char text[96];

	(void)state;
	for (size_t a = 0; a < nat_kinds_n; a++) {
		for (size_t b = 0; b < nat_kinds_n; b++) {
			struct call_expect e, mirrored;

			assert_int_equal(theory(&nat_kinds[a], &nat_kinds[b], &e), 0);
			assert_int_equal(theory(&nat_kinds[b], &nat_kinds[a], &mirrored), 0);
			if (nat_needs_relay(&nat_kinds[a], &nat_kinds[b]) != (e.path == PATH_RELAY))
				fail_msg("%s+%s should not be %s", nat_kinds[a].name,
				         nat_kinds[b].name, theory_text(&e, text, sizeof(text)));
			assert_int_equal(e.path, mirrored.path);
			assert_true(e.path == PATH_RELAY || !e.relay_protocol[0]);
			assert_ptr_equal(e.relay_protocol[0], mirrored.relay_protocol[1]);
		}
	}
}

static void test_theory_has_no_place_for_strangers(void **state)
{
	struct nat_kind stranger = nat_kinds[0];
	struct call_expect e;

	(void)state;
	stranger.name = "stranger";
	assert_int_equal(theory(&stranger, &nat_kinds[0], &e), -E_NOTFOUND);
}

static void test_theory_in_words(void **state)
{
	struct call_expect e;
	char text[96];

	(void)state;
	theory(nat_find("udp-blocked"), nat_find("port-restricted"), &e);
	assert_string_equal(theory_text(&e, text, sizeof(text)), "relayed, a over tcp, b over udp");
	theory(nat_find("none"), nat_find("port-restricted"), &e);
	assert_string_equal(theory_text(&e, text, sizeof(text)), "direct");
}

/* What the table of scenarios expects is what theory says. */
static void test_scenarios_agree_with_theory(void **state)
{
	(void)state;
	for (size_t i = 0; i < scenarios_n; i++) {
		const struct scenario *s = &scenarios[i];
		bool relay_only = s->page_query && strstr(s->page_query, "relay=1");
		struct call_expect e;

		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(scenarios[k].name, s->name);
		assert_true(s->limit_ms > 0);
		assert_int_equal(theory_expect_offer(nat_find(s->kind[0]), nat_find(s->kind[1]),
		                                     s->place, &target_turnpike.offer, relay_only,
		                                     &e),
		                 0);
		if (s->group == GROUP_CALLS && !s->check && !s->only) {
			assert_int_equal(e.path, s->expect.path);
			assert_int_equal(e.both_legs, s->expect.both_legs);
		}
	}
}

static size_t count(const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < plan.n; i++)
		n += !strcmp(plan.cell[i].name, name);
	return n;
}

static void test_default_is_the_calls(void **state)
{
	struct plan_options opt = {.repeat = 0};

	(void)state;
	assert_int_equal(plan_make(&plan, &opt, &why), 0);
	assert_int_equal(count("call-direct"), 1);
	for (size_t i = 0; i < plan.n; i++)
		assert_int_equal(plan.cell[i].scenario->group, GROUP_CALLS);
}

static void test_matrix_has_each_pair_once(void **state)
{
	struct plan_options opt = {.group = {[GROUP_MATRIX] = true}};

	(void)state;
	assert_int_equal(plan_make(&plan, &opt, &why), 0);
	assert_int_equal(plan.n, nat_kinds_n * (nat_kinds_n + 1) / 2);
	for (size_t i = 0; i < plan.n; i++)
		assert_int_equal(count(plan.cell[i].name), 1);
}

static void test_unlike_browsers_make_ordered_pairs(void **state)
{
	struct plan_options opt = {.kinds = {"none", "symmetric"},
	                           .kinds_n = 2,
	                           .product = {BROWSER_CHROMIUM, BROWSER_FIREFOX}};

	(void)state;
	assert_int_equal(plan_make(&plan, &opt, &why), 0);
	assert_int_equal(plan.n, 4);
	assert_int_equal(count("symmetric+none@chromium+firefox"), 1);
	assert_int_equal(plan.cell[0].product[1], BROWSER_FIREFOX);
}

static void test_only_takes_names_and_patterns_of_any_group(void **state)
{
	struct plan_options opt = {.only = {"call-direct", "none+*"}, .only_n = 2};

	(void)state;
	assert_int_equal(plan_make(&plan, &opt, &why), 0);
	assert_int_equal(plan.n, 1 + nat_kinds_n);
	assert_int_equal(count("call-direct"), 1);
	assert_int_equal(count("none+symmetric"), 1);
}

static void test_words_that_fit_nothing_are_named(void **state)
{
	struct plan_options only = {.only = {"call-direct", "cal-direct"}, .only_n = 2};
	struct plan_options kinds = {.kinds = {"none", "cone"}, .kinds_n = 2};

	(void)state;
	assert_int_equal(plan_make(&plan, &only, &why), -E_INVAL);
	assert_non_null(strstr(why.text, "there is no scenario cal-direct"));
	assert_int_equal(plan_make(&plan, &kinds, &why), -E_INVAL);
	assert_non_null(strstr(why.text, "there is no NAT kind cone"));
}

static void test_shards_are_a_partition(void **state)
{
	struct plan_options opt = {.group = {[GROUP_MATRIX] = true}};
	char seen[1000] = {0};
	size_t total;

	(void)state;
	assert_int_equal(plan_make(&plan, &opt, &why), 0);
	total = plan.n;
	for (unsigned i = 1; i <= 4; i++) {
		struct plan shard;

		opt.shard = i;
		opt.shards = 4;
		assert_int_equal(plan_make(&shard, &opt, &why), 0);
		assert_in_range(shard.n, total / 4, total / 4 + 1);
		for (size_t k = 0; k < shard.n; k++) {
			for (size_t j = 0; j < total; j++)
				seen[j] += !strcmp(plan.cell[j].name, shard.cell[k].name);
		}
		plan_free(&shard);
	}
	for (size_t j = 0; j < total; j++)
		assert_int_equal(seen[j], 1);
}

static void test_repeats_have_names_of_their_own(void **state)
{
	struct plan_options opt = {.only = {"call-direct"}, .only_n = 1, .repeat = 3};

	(void)state;
	assert_int_equal(plan_make(&plan, &opt, &why), 0);
	assert_int_equal(plan.n, 3);
	assert_int_equal(count("call-direct"), 1);
	assert_int_equal(count("call-direct#3"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_pair_has_an_expectation_and_it_is_the_rule),
	    cmocka_unit_test(test_theory_has_no_place_for_strangers),
	    cmocka_unit_test(test_theory_in_words),
	    cmocka_unit_test(test_scenarios_agree_with_theory),
	    cmocka_unit_test_teardown(test_default_is_the_calls, teardown),
	    cmocka_unit_test_teardown(test_matrix_has_each_pair_once, teardown),
	    cmocka_unit_test_teardown(test_unlike_browsers_make_ordered_pairs, teardown),
	    cmocka_unit_test_teardown(test_only_takes_names_and_patterns_of_any_group, teardown),
	    cmocka_unit_test_teardown(test_words_that_fit_nothing_are_named, teardown),
	    cmocka_unit_test_teardown(test_shards_are_a_partition, teardown),
	    cmocka_unit_test_teardown(test_repeats_have_names_of_their_own, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
