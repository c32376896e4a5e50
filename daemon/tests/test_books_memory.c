/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The books and the record of calls without memory: a line is lost, nothing else.
 */
#include "base/tests/test.h"
#include "base/tests/wrap.h"
#include "daemon/observe/explain.h"
#include "daemon/records/books.h"

#include <stdio.h>

#define MANY 400 /* enough for the tables to grow, more than once */

static void a_count_is_lost(void **state)
{
	/* A store that is not there: nothing is written, all is kept. */
	const struct books_conf conf = {.dir = "/nonexistent", .usage_interval_s = 3600};
	const struct store_usage_counts one = {0};
	struct books *b;
	struct why why;
	unsigned failed = 0;

	(void)state;
	assert_int_equal(books_start(&conf, &b, &why), 0);
	for (int i = 0; i < MANY; i++) {
		char user[16];
		int len = snprintf(user, sizeof(user), "u%d", i);

		wrap_fail(2); /* behind the row itself: the table */
		books_usage(b, 1, user, (size_t)len, &one);
		failed += wrap_failed();
		wrap_fail(1);
		books_usage(b, 1, user, (size_t)len, &one);
		wrap_fail(0);
		books_usage(b, 1, user, (size_t)len, &one);
	}
	print_message("the table failed %u times\n", failed);
	assert_true(failed > 0);
	books_stop(b);
}

static void a_call_is_not_followed(void **state)
{
	struct explain *x = explain_new(MANY / 2); /* the ring turns over */
	unsigned failed = 0;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		char from[16];
		struct hub_event e = {.what = HUB_EVENT_OFFER, .name = from, .target = "bob"};

		snprintf(from, sizeof(from), "u%d", i);
		wrap_fail(i % 2); /* of the others, some find that the table has to grow */
		explain_signal(x, &e);
		if (wrap_failed()) {
			failed++;
			assert_true(explain_nth(x, 0)->ended_ms != 0);
		}
		wrap_fail(0);
		assert_string_equal(explain_nth(x, 0)->name[0], from);
		e.what = HUB_EVENT_ANSWER;
		explain_signal(x, &e);
		if (i % 3)
			continue;
		e.what = HUB_EVENT_HANG_UP;
		explain_signal(x, &e);
		assert_true(explain_nth(x, 0)->ended_ms != 0);
	}
	print_message("the table failed %u times\n", failed);
	assert_true(failed > 0);
	explain_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_count_is_lost),
	    cmocka_unit_test(a_call_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
