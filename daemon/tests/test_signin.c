/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Signing in while others try to keep one out, or to keep what they had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/admin/helper.h"
#include "daemon/admin/signin.h"
#include "store/store.h"
#include "store/tests/tmpdir.h"

#include <event2/event.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#define ADMIN    "198.51.100.7"
#define STRANGER "203.0.113.9"
#define PASSWORD "correct horse"

/* Wrong, and no time is spent on hashing it: store_account_check(). */
static char guessed[PASSWORD_MAX_LEN + 2];

struct fixture {
	char dir[64];
	struct event_base *base;
	struct store *store;
	struct helper *helper;
	struct signin *in;
	int64_t now_s;
	unsigned settled;
};

/* A clock of the store's own: passwords are told apart by their seconds. */
static int64_t now(void *ctx)
{
	return ((struct fixture *)ctx)->now_s;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct store_options options = {.now_s = now, .now_ctx = f, .busy_timeout_ms = 1};

	tmpdir_make(f->dir);
	f->now_s = 1000000;
	assert_int_equal(store_open(f->dir, &options, &f->store, NULL), 0);
	assert_int_equal(store_account_add(f->store, "ann", PASSWORD, STORE_ROLE_ADMIN, NULL), 0);
	f->base = event_base_new();
	f->helper = helper_new(f->base, f->dir);
	assert_non_null(f->helper);
	assert_int_equal(signin_start(f->helper, NULL, &f->in, NULL), 0);
	memset(guessed, 'x', sizeof(guessed) - 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	helper_free(f->helper);
	signin_stop(f->in);
	store_close(f->store);
	event_base_free(f->base);
	tmpdir_remove(f->dir);
	free(f);
	return 0;
}

static int begin(struct fixture *f, const char *ip, const char *name, const char *password,
                 char attempt[SIGNIN_SECRET_STRLEN])
{
	struct addr from;
	unsigned retry_s;

	assert_int_equal(addr_parse_ip(&from, ip, 4000), 0);
	return signin_begin(f->in, &from, &(struct signin_try){.name = name, .password = password},
	                    attempt, &retry_s);
}

static int claim(struct fixture *f, const char *attempt, char login[SIGNIN_SECRET_STRLEN])
{
	int r;

	while ((r = signin_claim(f->in, f->store, attempt, login)) == -E_LATER) {
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		usleep(2000);
	}
	return r;
}

static int sign_in(struct fixture *f, const char *ip, char login[SIGNIN_SECRET_STRLEN])
{
	char attempt[SIGNIN_SECRET_STRLEN];
	int r = begin(f, ip, "ann", PASSWORD, attempt);

	return r ? r : claim(f, attempt, login);
}

/* The thread takes them in turn: once the last is known, all are. */
static void settle(struct fixture *f)
{
	char attempt[SIGNIN_SECRET_STRLEN], login[SIGNIN_SECRET_STRLEN], ip[32], name[32];
	int r;

	do {
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		usleep(2000);
		assert_true(f->settled < 5000); /* the attempts' own end is not waited for */
		snprintf(ip, sizeof(ip), "192.%u.%u.1", f->settled >> 8, f->settled & 255);
		snprintf(name, sizeof(name), "nobody%u", f->settled++);
		r = begin(f, ip, name, guessed, attempt);
	} while (r == -E_LIMIT); /* the queue is full */
	assert_int_equal(r, 0);
	assert_int_equal(claim(f, attempt, login), -E_DENIED);
}

/* From ever new prefixes; the result of the last try, and how many came before it. */
static int guess(struct fixture *f, int prefix, int max, int *n)
{
	char attempt[SIGNIN_SECRET_STRLEN], ip[32];
	int r = 0;

	for (*n = 0; *n < max; ++*n) {
		snprintf(ip, sizeof(ip), "203.%d.%d.9", prefix, *n);
		r = begin(f, ip, "ann", guessed, attempt);
	}
	return r;
}

static void abandoned_attempts_keep_nobody_out(void **state)
{
	char attempt[SIGNIN_SECRET_STRLEN], login[SIGNIN_SECRET_STRLEN], ip[32], name[32];
	struct fixture *f = *state;

	for (int i = 0; i < 80; i++) {
		snprintf(ip, sizeof(ip), "203.%d.%d.9", i % 8, i / 8);
		snprintf(name, sizeof(name), "eve%d", i);
		assert_int_equal(begin(f, ip, name, guessed, attempt), 0);
		if (i % 8 == 7)
			settle(f);
	}
	assert_int_equal(sign_in(f, ADMIN, login), 0);
}

static void guesses_at_a_name_keep_its_owner_in(void **state)
{
	char attempt[SIGNIN_SECRET_STRLEN], login[SIGNIN_SECRET_STRLEN];
	struct fixture *f = *state;
	int r = 0, n = 0;

	/* one guesser is stopped before using up the name */
	while (n < 20 && !(r = begin(f, STRANGER, "ann", guessed, attempt))) {
		settle(f);
		n++;
	}
	assert_int_equal(r, -E_LIMIT);
	assert_int_equal(n, SIGNIN_PER_MINUTE);
	settle(f);
	assert_int_equal(sign_in(f, ADMIN, login), 0);

	/* many of them use it up, but not for a user who was here before */
	guess(f, 1, 2 * SIGNIN_NAME_PER_MINUTE, &n);
	settle(f);
	assert_int_equal(guess(f, 2, HELPER_QUEUE_MAX - 3, &n), -E_LIMIT);
	assert_int_equal(begin(f, "198.18.3.3", "ann", PASSWORD, attempt), -E_LIMIT);
	assert_int_equal(sign_in(f, "198.51.100.99", login), 0);
}

/* How many passwords from there find a place before one does not, each from the next prefix. */
static int places(struct fixture *f, const char *prefix)
{
	char attempt[SIGNIN_SECRET_STRLEN], ip[64], name[32];
	int n = 0, r;

	do {
		snprintf(ip, sizeof(ip), prefix, n + 1);
		snprintf(name, sizeof(name), "eve%d", n);
		r = begin(f, ip, name, guessed, attempt);
	} while (!r && ++n < 100);
	assert_int_equal(r, -E_LIMIT);
	return n;
}

/* Nothing is heard of the loop meanwhile, so that all of them wait. */
static void no_prefix_takes_all_places(void **state)
{
	static const struct {
		const char *prefix;
		int places;
	} rows[] = {
	    {"2001:db8:1::%d", SIGNIN_WAITING},
	    {"2001:db8:2:%d::1", SIGNIN_WAITING_WIDE},   /* the /64s of a /56 */
	    {"2001:db8:3:%d00::1", SIGNIN_WAITING_WIDE}, /* the /56s of a /48 */
	    {"192.0.2.7", SIGNIN_WAITING},
	    {"203.0.113.%d", SIGNIN_WAITING_WIDE},
	};
	char login[SIGNIN_SECRET_STRLEN];
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(places(f, rows[i].prefix), rows[i].places);
		assert_int_equal(sign_in(f, ADMIN, login), 0);
	}
}

static void an_attempt_with_the_old_password_opens_nothing(void **state)
{
	char attempt[SIGNIN_SECRET_STRLEN], login[SIGNIN_SECRET_STRLEN];
	struct fixture *f = *state;

	assert_int_equal(begin(f, STRANGER, "ann", PASSWORD, attempt), 0);
	settle(f);
	f->now_s += 10;
	assert_int_equal(store_account_set_password(f->store, "ann", "battery staple", NULL), 0);
	assert_int_equal(claim(f, attempt, login), -E_DENIED);
}

static void run(const struct fixture *f, const char *sql)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/turnpike.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void an_unreadable_store_ends_no_login(void **state)
{
	char login[SIGNIN_SECRET_STRLEN];
	struct fixture *f = *state;
	struct signin_who who;
	int r;

	assert_int_equal(sign_in(f, ADMIN, login), 0);
	assert_int_equal(signin_check(f->in, f->store, login, &who), 0);
	run(f, "ALTER TABLE account RENAME TO gone");
	r = signin_check(f->in, f->store, login, &who);
	assert_int_not_equal(r, 0);
	assert_int_not_equal(r, -E_DENIED);
	run(f, "ALTER TABLE gone RENAME TO account");
	assert_int_equal(signin_check(f->in, f->store, login, &who), 0);
	assert_string_equal(who.name, "ann");
	run(f, "DELETE FROM account");
	assert_int_equal(signin_check(f->in, f->store, login, &who), -E_DENIED);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(abandoned_attempts_keep_nobody_out),
	    T(guesses_at_a_name_keep_its_owner_in),
	    T(no_prefix_takes_all_places),
	    T(an_attempt_with_the_old_password_opens_nothing),
	    T(an_unreadable_store_ends_no_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
