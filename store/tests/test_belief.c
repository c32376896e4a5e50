/* SPDX-License-Identifier: BSD-3-Clause
 *
 * When the clock is believed, on clocks of the test's own; and that the store
 * forgets nothing by, and opens nothing again for, one that is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/belief.h"
#include "store/revoke.h"
#include "store/snapshot.h"
#include "store/tests/tmpdir.h"

#include <stdlib.h>

#define NOW     1795000000
#define YEAR    (365 * 86400)
#define DAYS(n) ((n)*INT64_C(86400))

/* Looks every minute for so long; the answer of the last. */
static bool go(struct belief *b, int64_t *wall_s, int64_t *boot_s, int64_t for_s)
{
	bool believed = b->believed;

	for (int64_t s = 0; s < for_s; s += 60) {
		*wall_s += 60;
		*boot_s += 60;
		believed = belief_look(b, *wall_s, *boot_s, false);
	}
	return believed;
}

/* Three years ahead, for seconds, minutes or most of a day: never believed, and at once when it is
 * back. */
static void jumps(void **state)
{
	static const int64_t jumps[] = {3 * YEAR, DAYS(2), 7200, -7200, -DAYS(2), -50 * YEAR};
	struct belief b;

	(void)state;
	for (size_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
		int64_t wall_s = NOW, boot_s = 100;

		belief_start(&b, 0, 0);
		assert_true(go(&b, &wall_s, &boot_s, DAYS(3)));
		wall_s += jumps[i];
		assert_false(belief_look(&b, wall_s, boot_s, false));
		assert_false(go(&b, &wall_s, &boot_s, 86000));
		wall_s -= jumps[i];
		assert_true(belief_look(&b, wall_s, boot_s, false));
		assert_int_equal(belief_floor_s(&b), wall_s - BELIEF_SLACK_S);
		/* it stays there: after a day it is right */
		wall_s += jumps[i];
		assert_false(go(&b, &wall_s, &boot_s, 86000));
		assert_true(go(&b, &wall_s, &boot_s, 3600));
		assert_int_equal(belief_floor_s(&b), wall_s - BELIEF_SLACK_S);
	}
}

/* Every look at another time is no line, and two clocks that jump together none, either. */
static void no_line(void **state)
{
	int64_t wall_s = NOW, boot_s = 100;
	struct belief b;

	(void)state;
	belief_start(&b, 0, 0);
	assert_true(go(&b, &wall_s, &boot_s, 3600));
	for (int i = 1; i < 100; i++)
		assert_false(belief_look(&b, wall_s + i * DAYS(2), boot_s += 3600, false));
	belief_start(&b, NOW - DAYS(3), NOW);
	assert_false(belief_look(&b, NOW + 3 * YEAR, 100, false));
	assert_false(belief_look(&b, NOW + 6 * YEAR, 100 + 3 * YEAR, false));
}

/* A pause of the machine, small steps, and a monotonic clock that is a little off. */
static void harmless(void **state)
{
	int64_t wall_s = NOW, boot_s = 100;
	struct belief b;

	(void)state;
	belief_start(&b, 0, 0);
	for (int i = 0; i < 1000; i++) {
		wall_s += i % 3 ? 65 : 58;
		boot_s += 60;
		assert_true(belief_look(&b, wall_s, boot_s, false));
	}
	assert_true(belief_look(&b, wall_s += 3000, boot_s, false));
	assert_true(belief_look(&b, wall_s -= 3000, boot_s, false));
}

/* From one process to the next. */
static void starts(void **state)
{
	static const struct {
		int64_t gap_s;
		bool believed;
	} cases[] = {{0, true},        {60, true},        {86000, true},  {-3000, true},
	             {DAYS(2), false}, {3 * YEAR, false}, {-7200, false}, {-NOW + 10, false}};
	struct belief b;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t wall_s = NOW + cases[i].gap_s, boot_s = 7;

		belief_start(&b, NOW - DAYS(3), NOW);
		assert_int_equal(belief_look(&b, wall_s, boot_s, false), cases[i].believed);
		assert_int_equal(belief_floor_s(&b),
		                 (cases[i].believed ? wall_s : NOW) - BELIEF_SLACK_S);
		assert_true(go(&b, &wall_s, &boot_s, DAYS(1) + 120));
	}
	/* somebody keeps the clock: back it may go, ahead it has to prove itself */
	belief_start(&b, NOW - DAYS(3), NOW);
	assert_false(belief_look(&b, NOW + YEAR, 7, true));
	belief_start(&b, NOW - DAYS(3), NOW);
	assert_true(belief_look(&b, NOW - YEAR, 7, true));
	assert_int_equal(belief_floor_s(&b), NOW - YEAR - BELIEF_SLACK_S);
	/* nothing is certain on the first day */
	belief_start(&b, 0, 0);
	assert_true(belief_look(&b, NOW, 7, false));
	assert_int_equal(belief_floor_s(&b), 0);
}

static int64_t clock_s;

static int64_t now_s(void *ctx)
{
	(void)ctx;
	return clock_s;
}

static struct store *open_at(const char *dir)
{
	const struct store_options options = {.now_s = now_s};
	struct store *s;

	assert_int_equal(store_open(dir, &options, &s, NULL), 0);
	return s;
}

static void is_kept(void **state)
{
	struct belief b = {.since_s = NOW - 1000, .mark_s = NOW}, got;
	char dir[64];
	struct store *s;

	(void)state;
	tmpdir_make(dir);
	clock_s = NOW;
	s = open_at(dir);
	assert_int_equal(store_belief_get(s, &got, NULL), 0);
	assert_int_equal(got.mark_s, 0);
	assert_int_equal(store_secret_add(s, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(store_belief_get(s, &got, NULL), 0);
	assert_int_equal(got.mark_s, NOW); /* by the audit */
	assert_int_equal(store_belief_put(s, &b, NULL), 0);
	store_close(s);
	clock_s = 0;
	s = open_at(dir);
	assert_int_equal(store_belief_get(s, &got, NULL), 0);
	assert_int_equal(got.since_s, NOW - 1000);
	assert_int_equal(got.mark_s, NOW);
	store_close(s);
	tmpdir_remove(dir);
}

static bool is_revoked(struct store_snapshot *snap)
{
	static const char name[] = "1795000600:mallory";
	bool is = store_snapshot_revoked(snap, name, sizeof(name) - 1);

	store_snapshot_unref(snap);
	return is;
}

/* Ahead and back again, while a server runs: what was revoked is so once more. */
static void snapshot_after_a_jump(void **state)
{
	struct store_snapshot *snap;
	char dir[64];
	struct store *s;
	bool changed;

	(void)state;
	tmpdir_make(dir);
	clock_s = NOW;
	s = open_at(dir);
	assert_int_equal(store_revoke_credential(s, "1795000600:mallory", NULL), 0);
	assert_int_equal(store_snapshot_load(s, &snap, NULL), 0);
	assert_true(is_revoked(snap));
	clock_s += 3 * YEAR;
	assert_int_equal(store_changed(s, &changed, NULL), 0);
	assert_true(changed);
	assert_int_equal(store_snapshot_load(s, &snap, NULL), 0);
	store_snapshot_unref(snap);
	clock_s -= 3 * YEAR;
	assert_int_equal(store_changed(s, &changed, NULL), 0);
	assert_true(changed);
	assert_int_equal(store_snapshot_load(s, &snap, NULL), 0);
	assert_true(is_revoked(snap));
	store_close(s);
	tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(jumps),    cmocka_unit_test(no_line),
	    cmocka_unit_test(harmless), cmocka_unit_test(starts),
	    cmocka_unit_test(is_kept),  cmocka_unit_test(snapshot_after_a_jump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
