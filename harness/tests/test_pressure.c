/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Patience with a busy machine, and none with an idle one.
 */
#include "harness/lab/pressure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_limit_is_longer_on_a_busy_machine_alone(void **state)
{
	(void)state;
	assert_int_equal(pressure_limit_ms(120000, 0, 120000), 120000);
	assert_int_equal(pressure_limit_ms(120000, 30e6, 120000), 120000);
	assert_int_equal(pressure_limit_ms(120000, 110e6, 120000), 360000);
	/* Waiting too long is excused at the end, but not for ever. */
	assert_int_equal(pressure_limit_ms(120000, 350e6, 360000), 360000);
	/* A kernel that does not count. */
	assert_int_equal(pressure_limit_ms(120000, -1 - -1, 120000), 120000);
	assert_int_equal(pressure_limit_ms(0, 0, 0), 0);
}

static void test_this_machine_counts_or_says_that_it_does_not(void **state)
{
	double before = pressure_cpu_us();

	(void)state;
	assert_true(before == -1 || pressure_cpu_us() >= before);
}

static void test_deadline_stands_on_an_idle_machine(void **state)
{
	struct patience p = {.started_ms = clock_mono_ms() - 1000, .limit_ms = 500};

	(void)state;
	p.stalled_us = pressure_cpu_us();
	assert_int_equal(patience_deadline(&p), p.started_ms + 500);
	p.stalled_us -= 990e3;
	assert_int_equal(patience_deadline(&p), p.started_ms + PRESSURE_PATIENCE * 500);
	p.limit_ms = 5000;
	assert_int_equal(patience_deadline(&p), p.started_ms + 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_limit_is_longer_on_a_busy_machine_alone),
	    cmocka_unit_test(test_deadline_stands_on_an_idle_machine),
	    cmocka_unit_test(test_this_machine_counts_or_says_that_it_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
