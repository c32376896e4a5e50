/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the books delete, and by which clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/records/books.h"
#include "store/audit.h"
#include "store/revoke.h"
#include "store/tests/tmpdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DAYS(n) ((n)*INT64_C(86400))

static int64_t clock_s; /* the store's, while it is filled */

static int64_t now_s(void *ctx)
{
	(void)ctx;
	return clock_s;
}

static struct store *open_at(const char *dir, int64_t when_s)
{
	const struct store_options options = {.now_s = now_s};
	struct store *s;

	clock_s = when_s;
	assert_int_equal(store_open(dir, &options, &s, NULL), 0);
	return s;
}

static int count_audit(void *ctx, const struct store_audit *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int count_usage(void *ctx, const struct store_usage *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int count_revoked(void *ctx, const struct store_revocation *r)
{
	(void)r;
	++*(int *)ctx;
	return 0;
}

/* A store that was alive until then: an act, a day's usage and a revocation that still counts. */
static void fill(const char *dir, int64_t when_s)
{
	struct store_usage row = {.day = when_s / 86400, .user = "alice", .n = {.allocations = 1}};
	struct store *s = open_at(dir, when_s);
	char name[64];

	snprintf(name, sizeof(name), "%lld:mallory", (long long)when_s + 3600);
	assert_int_equal(store_usage_add(s, &row, 1, 0, NULL), 0);
	assert_int_equal(store_revoke_credential(s, name, NULL), 0);
	store_close(s);
}

/* Books of 100 days run for a moment, with the system's clock. */
static void run_books(const char *dir)
{
	const struct books_conf conf = {
	    .dir = dir, .usage_interval_s = 1, .usage_days = 100, .audit_days = 100};
	struct books *b;

	assert_int_equal(books_start(&conf, &b, NULL), 0);
	books_stop(b);
}

/* As a server sees them whose clock says what it said then. */
static void expect(const char *dir, int64_t when_s, int audit, int usage, int revoked)
{
	struct store *s = open_at(dir, when_s);
	int n[3] = {0};

	assert_int_equal(store_audit_list(s, 0, count_audit, &n[0], NULL), 0);
	assert_int_equal(store_usage_list(s, NULL, 0, 1 << 20, count_usage, &n[1], NULL), 0);
	assert_int_equal(store_revocation_list(s, count_revoked, &n[2], NULL), 0);
	store_close(s);
	assert_int_equal(n[0], audit);
	assert_int_equal(n[1], usage);
	assert_int_equal(n[2], revoked);
}

/* For the store, the clock is three years ahead: whichever of both is wrong, nothing is lost. */
static void years_ahead(void **state)
{
	int64_t then_s = time(NULL) - DAYS(3 * 365);
	char dir[64];

	(void)state;
	tmpdir_make(dir);
	fill(dir, then_s);
	run_books(dir);
	run_books(dir);
	expect(dir, then_s, 1, 1, 1);
	tmpdir_remove(dir);
}

/* A clock that is right forgets what is old. */
static void as_it_should(void **state)
{
	int64_t then_s = time(NULL) - DAYS(3 * 365);
	struct store *s;
	char dir[64];

	(void)state;
	tmpdir_make(dir);
	fill(dir, then_s);
	s = open_at(dir, time(NULL) - 3600);
	assert_int_equal(store_audit_add(s, "drain", "", NULL), 0);
	store_close(s);
	run_books(dir);
	expect(dir, then_s, 1, 0, 0); /* that of an hour ago */
	tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(years_ahead),
	    cmocka_unit_test(as_it_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
