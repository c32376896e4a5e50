/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Passwords are checked while the loop goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/admin/login.h"
#include "store/tests/tmpdir.h"

#include <event2/event.h>
#include <string.h>

struct fixture {
	char dir[64];
	struct event_base *base;
	struct event *tick;
	struct login *login;
	int ticks, answers, codes[4];
	enum store_role role;
};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	(void)what;
	f->ticks++;
}

static void on_answer(void *ctx, int r, enum store_role role, int64_t password_at_s)
{
	struct fixture *f = ctx;

	(void)password_at_s;
	f->codes[f->answers++] = r;
	f->role = role;
	if (f->answers == 3)
		event_base_loopbreak(f->base);
}

static void ignore(void *ctx, int r, enum store_role role, int64_t password_at_s)
{
	(void)password_at_s;
	(void)ctx;
	(void)r;
	(void)role;
}

static int setup(void **state)
{
	static const struct timeval every = {.tv_usec = 2000};
	struct fixture *f = calloc(1, sizeof(*f));
	struct store *s;

	tmpdir_make(f->dir);
	assert_int_equal(store_open(f->dir, NULL, &s, NULL), 0);
	assert_int_equal(store_account_add(s, "ann", "correct horse", STORE_ROLE_ADMIN, NULL), 0);
	store_close(s);
	f->base = event_base_new();
	f->tick = event_new(f->base, -1, EV_PERSIST, on_tick, f);
	event_add(f->tick, &every);
	f->login = login_new(f->base, f->dir);
	assert_non_null(f->login);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	login_free(f->login);
	event_free(f->tick);
	event_base_free(f->base);
	tmpdir_remove(f->dir);
	free(f);
	return 0;
}

static void test_answers(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(login_check(f->login, "ann", "wrong horse!", on_answer, f), 0);
	assert_int_equal(login_check(f->login, "eve", "correct horse", on_answer, f), 0);
	assert_int_equal(login_check(f->login, "ann", "correct horse", on_answer, f), 0);
	event_base_dispatch(f->base);
	assert_int_equal(f->codes[0], -E_DENIED);
	assert_int_equal(f->codes[1], -E_DENIED);
	assert_int_equal(f->codes[2], 0);
	assert_int_equal(f->role, STORE_ROLE_ADMIN);
	/* Three Argon2 hashes took their time; the loop did not wait for one. */
	assert_true(f->ticks > 5);
}

static void test_bounded(void **state)
{
	struct fixture *f = *state;
	int r = 0, n = 0;

	while (!r && n < 100) {
		r = login_check(f->login, "ann", "correct horse", ignore, f);
		n += !r;
	}
	assert_int_equal(r, -E_LIMIT);
	assert_in_range(n, LOGIN_QUEUE_MAX, LOGIN_QUEUE_MAX + 2);
	/* and it ends without waiting for all of them */
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_answers), T(test_bounded)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
