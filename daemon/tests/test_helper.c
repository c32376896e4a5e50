/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Slow jobs run while the loop goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/admin/helper.h"
#include "store/account.h"
#include "store/tests/tmpdir.h"

#include <event2/event.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

struct fixture {
	char dir[64];
	struct event_base *base;
	struct event *tick;
	struct helper *helper;
	sem_t begun, go;
	pthread_t worked_on;
	int done_n, released_n, want_n;
	char order[16];
	int codes[4];
};

struct job {
	struct helper_job job;
	struct fixture *f;
	char name;
	bool waits; /* for the loop to say go */
};

static int work(struct helper_job *j, struct store *store, struct why *why)
{
	struct job *job = (struct job *)j;
	enum store_role role;
	int64_t at_s;

	job->f->worked_on = pthread_self();
	if (job->waits) {
		sem_post(&job->f->begun);
		sem_wait(&job->f->go);
	}
	return store_account_get(store, job->name == 'a' ? "ann" : "eve", &role, &at_s, why);
}

static void done(struct helper_job *j, int r, const struct why *why)
{
	struct job *job = (struct job *)j;
	struct fixture *f = job->f;

	assert_int_equal(r != 0, why->text[0] != 0);
	f->codes[f->done_n] = r;
	f->order[f->done_n++] = job->name;
	if (f->done_n == f->want_n)
		event_base_loopbreak(f->base);
}

static void release(struct helper_job *j)
{
	((struct job *)j)->f->released_n++;
	free(j);
}

static int add(struct fixture *f, char name, bool waits)
{
	struct job *j = calloc(1, sizeof(*j));
	int r;

	j->job = (struct helper_job){.work = work, .done = done, .release = release};
	j->f = f;
	j->name = name;
	j->waits = waits;
	r = helper_run(f->helper, &j->job);
	if (r)
		free(j);
	return r;
}

/* Were the job on the loop's thread, this would never come. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	(void)what;
	if (!sem_trywait(&f->begun)) {
		assert_int_equal(f->done_n, 0);
		sem_post(&f->go);
	}
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
	sem_init(&f->begun, 0, 0);
	sem_init(&f->go, 0, 0);
	f->base = event_base_new();
	f->tick = event_new(f->base, -1, EV_PERSIST, on_tick, f);
	event_add(f->tick, &every);
	f->helper = helper_new(f->base, f->dir);
	assert_non_null(f->helper);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	helper_free(f->helper);
	event_free(f->tick);
	event_base_free(f->base);
	tmpdir_remove(f->dir);
	free(f);
	return 0;
}

static void does_them_in_turn(void **state)
{
	struct fixture *f = *state;

	f->want_n = 3;
	assert_int_equal(add(f, 'a', true), 0);
	assert_int_equal(add(f, 'e', false), 0);
	assert_int_equal(add(f, 'a', false), 0);
	event_base_dispatch(f->base);
	assert_string_equal(f->order, "aea");
	assert_int_equal(f->codes[0], 0);
	assert_int_equal(f->codes[1], -E_NOTFOUND);
	assert_int_equal(f->released_n, 3);
	assert_false(pthread_equal(f->worked_on, pthread_self()));
}

static void is_bounded(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	while (n < 100 && !add(f, 'a', true))
		n++;
	assert_int_equal(n, HELPER_QUEUE_MAX);
	/* It ends with the one that is being done; all are freed, and nobody hears. */
	sem_wait(&f->begun);
	for (int i = 0; i < n; i++)
		sem_post(&f->go);
	helper_free(f->helper);
	f->helper = NULL;
	assert_int_equal(f->released_n, n);
	assert_int_equal(f->done_n, 0);
}

static void says_that_there_is_no_store(void **state)
{
	struct fixture *f = *state;

	tmpdir_remove(f->dir);
	f->want_n = 1;
	assert_int_equal(add(f, 'a', false), 0);
	event_base_dispatch(f->base);
	assert_int_not_equal(f->codes[0], 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(does_them_in_turn), T(is_bounded),
	                                   T(says_that_there_is_no_store)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
