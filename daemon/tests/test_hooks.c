/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Webhooks with real files and real receivers, who answer, refuse, hang, close, redirect, die and
 * come back.
 */
#include "daemon/tests/hooks_scene.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_sql(struct scene *s, const char *sql)
{
	char path[64], *error = NULL;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/hooks.db", s->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	if (sqlite3_exec(db, sql, NULL, NULL, &error))
		fail_msg("%s: %s", sql, error);
	sqlite3_close(db);
}

/* ---- what is sent ---- */

static void events_arrive_signed_and_in_order(void **state)
{
	char expected[64], signature[80];
	struct receiver_post p;
	struct scene *s = *state;
	json_t *body;

	scene_start(s, KEY_A, "");
	for (int i = 0; i < 100; i++)
		scene_tell(s, i);
	SOON(receiver_count(s->receiver) == 100);
	for (int i = 0; i < 100; i++) {
		p = receiver_at(s->receiver, (size_t)i);
		assert_int_equal(scene_who(&p), i);
		assert_string_equal(p.path, "/hook");
		assert_string_equal(p.type, "application/json");
		assert_int_equal(p.connection, 0); /* kept alive */
		body = scene_body(&p);
		assert_int_equal(json_integer_value(json_object_get(body, "sequence")), i + 1);
		assert_string_equal(json_string_value(json_object_get(body, "id")), p.id);
		assert_string_equal(json_string_value(json_object_get(body, "event")), "joined");
		assert_string_equal(json_string_value(json_object_get(body, "room")), "default");
		assert_int_equal(strlen(json_string_value(json_object_get(body, "time"))), 24);
		json_decref(body);
	}
	assert_in_range(llabs(atoll(p.timestamp) - time(NULL)), 0, 60);
	scene_sign(s, &p, KEY_A_HEX, expected);
	snprintf(signature, sizeof(signature), "v1,%s", expected);
	assert_string_equal(p.signature, signature);
	SOON(scene_stats(s).delivered == 100 && scene_stats(s).waiting == 0);
}

static void two_keys_sign_while_one_replaces_the_other(void **state)
{
	char a[64], b[64], both[160];
	struct scene *s = *state;
	struct receiver_post p;

	scene_start(s, KEY_A "," KEY_B, "");
	scene_tell(s, 0);
	SOON(receiver_count(s->receiver) == 1);
	p = receiver_at(s->receiver, 0);
	scene_sign(s, &p, KEY_A_HEX, a);
	scene_sign(s, &p, KEY_B_HEX, b);
	snprintf(both, sizeof(both), "v1,%s v1,%s", a, b);
	assert_string_equal(p.signature, both);
	snprintf(both, sizeof(both), "--webhook-url %s", s->url);
	scene_reload(s, KEY_B, both);
	SOON(scene_stats(s).delivered == 1);
	scene_tell(s, 1);
	SOON(receiver_count(s->receiver) == 2);
	p = receiver_at(s->receiver, 1);
	scene_sign(s, &p, KEY_B_HEX, b);
	snprintf(both, sizeof(both), "v1,%s", b);
	assert_string_equal(p.signature, both);
}

static void only_the_chosen_events_are_sent(void **state)
{
	struct scene *s = *state;
	struct receiver_post p;

	scene_start(s, KEY_A, "--webhook-events left");
	assert_false(hooks_want(s->hooks, HOOK_JOINED));
	scene_tell(s, 0);
	hooks_tell(s->hooks, HOOK_LEFT, json_pack("{ss}", "name", "user7"));
	SOON(receiver_count(s->receiver) == 1);
	p = receiver_at(s->receiver, 0);
	assert_int_equal(scene_who(&p), 7);
	SOON(scene_stats(s).delivered == 1);
	assert_int_equal(scene_stats(s).dropped, 0);
}

/* ---- receivers that fail ---- */

static void failures_are_tried_again_in_order(void **state)
{
	struct receiver_post first, second;
	struct scene *s = *state;
	struct hook_url_state seen;
	size_t n;

	receiver_answer(s->receiver, 500, NULL, NULL);
	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	scene_tell(s, 1);
	SOON(receiver_count(s->receiver) >= 2);
	seen = scene_state(s, 0);
	assert_true(seen.failing_since_ms && seen.next_ms);
	assert_string_equal(seen.error, "answered 500");
	receiver_answer(s->receiver, 200, NULL, NULL);
	SOON(scene_stats(s).delivered == 2);
	n = receiver_count(s->receiver);
	first = receiver_at(s->receiver, 0);
	second = receiver_at(s->receiver, 1);
	assert_string_equal(first.id, second.id); /* so that doubles can be told */
	assert_true(second.at_ms - first.at_ms >= 1000);
	for (size_t i = 0; i < n; i++) {
		first = receiver_at(s->receiver, i);
		assert_int_equal(scene_who(&first),
		                 i == n - 1); /* the second waits for the first */
	}
	SOON(scene_state(s, 0).failing_since_ms == 0);
}

static void retry_after_is_kept(void **state)
{
	struct receiver_post first, second;
	struct scene *s = *state;

	receiver_answer(s->receiver, 429, "Retry-After: 3\r\n", NULL);
	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	SOON(receiver_count(s->receiver) == 1);
	receiver_answer(s->receiver, 204, NULL, NULL);
	SOON(scene_stats(s).delivered == 1);
	first = receiver_at(s->receiver, 0);
	second = receiver_at(s->receiver, 1);
	assert_true(second.at_ms - first.at_ms >= 3000);
}

struct dead {
	size_t n;
	char id[HOOK_ID_STRLEN], error[HOOK_ERROR_STRLEN];
	int64_t seq;
};

static int each_dead(void *ctx, const struct hook_letter *l)
{
	struct dead *d = ctx;

	if (!d->n++) {
		snprintf(d->id, sizeof(d->id), "%s", l->id);
		snprintf(d->error, sizeof(d->error), "%s", l->error);
		d->seq = l->seq;
	}
	return 0;
}

/* How many there are, and the first of them. */
static struct dead dead(struct scene *s)
{
	struct dead d = {.n = 0};
	struct why why = {{0}};

	if (hooks_list_dead(s->hooks, 0, "", each_dead, &d, &why))
		fail_msg("%s", why.text);
	return d;
}

static int64_t retry(struct scene *s, const char *id)
{
	struct why why = {{0}};
	int64_t n = 0;

	if (hooks_retry(s->hooks, id, &n, &why))
		fail_msg("%s", why.text);
	return n;
}

static void refused_ones_are_dead_letters(void **state)
{
	static const int statuses[] = {410, 400, 401, 404, 422};
	struct scene *s = *state;
	struct receiver_post p;
	size_t n = sizeof(statuses) / sizeof(*statuses);

	scene_start(s, KEY_A, "");
	for (size_t i = 0; i < n; i++) {
		receiver_answer(s->receiver, statuses[i], NULL, NULL);
		scene_tell(s, (int)i);
		SOON(dead(s).n == i + 1);
	}
	assert_string_equal(dead(s).error, "answered 410");
	assert_int_equal(receiver_count(s->receiver), n); /* each was tried once */
	receiver_answer(s->receiver, 200, NULL, NULL);
	scene_tell(s, 99);
	SOON(scene_stats(s).delivered == 1);
	assert_int_equal(scene_stats(s).dead, n);
	assert_int_equal(retry(s, "evt_0"), 0);
	assert_int_equal(retry(s, dead(s).id), 1);
	SOON(scene_stats(s).delivered == 2);
	p = receiver_at(s->receiver, n + 1);
	assert_int_equal(scene_who(&p), 0);
	assert_int_equal(retry(s, NULL), n - 1);
	SOON(scene_stats(s).delivered == n + 1 && dead(s).n == 0);
	p = receiver_at(s->receiver, 2 * n);
	assert_int_equal(scene_who(&p), n - 1);
}

static void a_timeout_and_too_many_requests_are_no_refusals(void **state)
{
	struct scene *s = *state;

	receiver_answer(s->receiver, 408, NULL, NULL);
	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	SOON(receiver_count(s->receiver) == 1);
	receiver_answer(s->receiver, 429, NULL, NULL);
	SOON(receiver_count(s->receiver) == 2);
	receiver_answer(s->receiver, 200, NULL, NULL);
	SOON(scene_stats(s).delivered == 1);
	assert_int_equal(dead(s).n, 0);
}

static void redirects_are_not_followed(void **state)
{
	struct receiver *other = receiver_start(0, NULL, NULL);
	struct scene *s = *state;
	char location[80];

	snprintf(location, sizeof(location), "Location: http://127.0.0.1:%u/stolen\r\n",
	         receiver_port(other));
	receiver_answer(s->receiver, 307, location, NULL);
	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	SOON(receiver_count(s->receiver) >= 2);
	assert_int_equal(receiver_count(other), 0);
	assert_non_null(strstr(scene_state(s, 0).error, "redirects are not followed"));
	receiver_stop(other);
}

static void proxies_of_the_environment_have_no_effect(void **state)
{
	struct scene *s = *state;

	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	SOON(scene_stats(s).delivered == 1);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

static void a_receiver_hangs_or_closes(void **state)
{
	struct scene *s = *state;

	receiver_answer(s->receiver, RECEIVER_HANGS, NULL, NULL);
	scene_start(s, KEY_A, "--webhook-timeout 1");
	scene_tell(s, 0);
	SOON(scene_stats(s).failed == 1);
	assert_non_null(strstr(scene_state(s, 0).error, "timed out"));
	receiver_answer(s->receiver, RECEIVER_CLOSES, NULL, NULL);
	SOON(scene_stats(s).failed == 2);
	receiver_answer(s->receiver, 200, NULL, NULL);
	SOON(scene_stats(s).delivered == 1);
}

/* Nothing is held up, or kept, for an answer that does not end. */
static void a_long_answer_is_cut(void **state)
{
	struct scene *s = *state;
	char *text = malloc(60001);

	memset(text, 'x', 60000);
	text[60000] = 0;
	receiver_answer(s->receiver, 200, NULL, text);
	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	scene_tell(s, 1);
	SOON(scene_stats(s).delivered == 2);
	free(text);
}

static void a_receiver_is_killed_and_comes_back(void **state)
{
	struct scene *s = *state;
	uint16_t port = receiver_port(s->receiver);
	struct receiver_post p;

	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	SOON(scene_stats(s).delivered == 1);
	receiver_stop(s->receiver);
	s->receiver = NULL;
	for (int i = 1; i < 20; i++)
		scene_tell(s, i);
	SOON(scene_stats(s).failed >= 1 && scene_stats(s).waiting == 19);
	assert_true(scene_state(s, 0).count.letters == 19);
	s->receiver = receiver_start(port, NULL, NULL);
	SOON(scene_stats(s).delivered == 20);
	assert_int_equal(receiver_count(s->receiver), 19);
	for (size_t i = 0; i < 19; i++) {
		p = receiver_at(s->receiver, i);
		assert_int_equal(scene_who(&p), i + 1);
	}
}

static void a_slow_url_delays_no_other(void **state)
{
	struct receiver *other = receiver_start(0, NULL, NULL);
	struct scene *s = *state;
	struct receiver_post p;
	char urls[160];

	snprintf(urls, sizeof(urls), "--webhook-url http://127.0.0.1:%u/b", receiver_port(other));
	receiver_answer(s->receiver, RECEIVER_HANGS, NULL, NULL);
	scene_start(s, KEY_A, urls);
	for (int i = 0; i < 50; i++)
		scene_tell(s, i);
	SOON(receiver_count(other) == 50);
	for (size_t i = 0; i < 50; i++) {
		p = receiver_at(other, i);
		assert_int_equal(scene_who(&p), i);
	}
	assert_int_equal(receiver_count(s->receiver), 1);
	SOON(scene_state(s, 1).count.letters == 0 && scene_state(s, 0).count.letters == 50);
	receiver_stop(other);
}

/* ---- the queue ---- */

static void a_full_queue_drops_the_oldest(void **state)
{
	uint16_t port = receiver_port(((struct scene *)*state)->receiver);
	struct scene *s = *state;
	struct receiver_post p;

	receiver_stop(s->receiver);
	s->receiver = NULL;
	scene_start(s, KEY_A, "--webhook-queue 10");
	for (int i = 0; i < 35; i++)
		scene_tell(s, i);
	SOON(scene_stats(s).dropped == 25 && scene_stats(s).waiting == 10);
	assert_int_equal(dead(s).n, 10); /* no more of these are kept, either */
	assert_string_equal(dead(s).error, "the queue was full");
	assert_int_equal(dead(s).seq, 16);
	s->receiver = receiver_start(port, NULL, NULL);
	SOON(scene_stats(s).delivered == 10);
	for (size_t i = 0; i < 10; i++) {
		p = receiver_at(s->receiver, i);
		assert_int_equal(scene_who(&p), 25 + i);
	}
}

static void bytes_are_bounded_too(void **state)
{
	struct scene *s = *state;
	char *text = malloc(8193);

	memset(text, 'x', 8192);
	text[8192] = 0;
	receiver_answer(s->receiver, 500, NULL, NULL);
	scene_start(s, KEY_A, "--webhook-queue-bytes 65536");
	for (int i = 0; i < 20; i++)
		hooks_tell(s->hooks, HOOK_JOINED, json_pack("{ss}", "name", text));
	SOON(scene_stats(s).dropped >= 13);
	free(text);
	SOON(scene_state(s, 0).count.letters == 7);
	assert_in_range(scene_state(s, 0).count.bytes, 7 * 8192, 65536);
}

static void after_a_day_it_is_a_dead_letter(void **state)
{
	struct scene *s = *state;

	receiver_answer(s->receiver, 503, NULL, NULL);
	scene_start(s, KEY_A, "");
	for (int i = 0; i < 3; i++)
		scene_tell(s, i);
	SOON(receiver_count(s->receiver) >= 1);
	scene_stop(s);
	run_sql(s, "UPDATE letter SET since_ms = since_ms - 86400000 WHERE seq < 3");
	scene_start(s, KEY_A, "");
	SOON(dead(s).n == 2);
	assert_string_equal(dead(s).error, "answered 503");
	receiver_answer(s->receiver, 200, NULL, NULL);
	SOON(scene_stats(s).delivered == 1);
	assert_int_equal(retry(s, NULL), 2); /* another day for these */
	SOON(scene_stats(s).delivered == 3);
}

static void letters_of_a_removed_url_die(void **state)
{
	struct receiver *other = receiver_start(0, NULL, NULL);
	struct scene *s = *state;
	char urls[160];

	receiver_answer(s->receiver, RECEIVER_HANGS, NULL, NULL);
	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	SOON(receiver_count(s->receiver) == 1);
	snprintf(urls, sizeof(urls), "--webhook-url http://127.0.0.1:%u/b", receiver_port(other));
	scene_reload(s, KEY_A, urls);
	SOON(dead(s).n == 1);
	assert_string_equal(dead(s).error, "the URL is no longer configured");
	scene_tell(s, 1);
	SOON(receiver_count(other) == 1);
	assert_int_equal(retry(s, NULL), 0);
	scene_reload(s, KEY_A, "");
	assert_false(hooks_want(s->hooks, HOOK_JOINED));
	receiver_stop(other);
}

static void a_hot_start_by_a_reload(void **state)
{
	struct scene *s = *state;
	char urls[160];

	scene_start_bare(s, KEY_A, "");
	assert_false(hooks_want(s->hooks, HOOK_JOINED));
	scene_tell(s, 0);
	snprintf(urls, sizeof(urls), "--webhook-url %s", s->url);
	scene_reload(s, KEY_A, urls);
	scene_tell(s, 1);
	SOON(scene_stats(s).delivered == 1);
}

/* The disk is locked by another: events wait in memory, and nothing is lost. */
static void a_locked_queue_is_waited_for(void **state)
{
	struct scene *s = *state;
	char path[64];
	sqlite3 *db;

	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	SOON(scene_stats(s).delivered == 1);
	snprintf(path, sizeof(path), "%s/hooks.db", s->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 1; i < 10; i++)
		scene_tell(s, i);
	nanosleep(&(struct timespec){.tv_sec = 6}, NULL); /* longer than it waits by itself */
	assert_int_equal(receiver_count(s->receiver), 1);
	assert_int_equal(scene_stats(s).waiting, 9);
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	SOON(scene_stats(s).delivered == 10);
	assert_int_equal(scene_stats(s).dropped, 0);
}

static void a_damaged_queue_is_refused(void **state)
{
	struct scene *s = *state;
	struct why why = {{0}};
	char path[64], options[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/hooks.db", s->dir);
	f = fopen(path, "we");
	assert_non_null(f);
	for (int i = 0; i < 500; i++)
		fputs("this is no database", f);
	fclose(f);
	snprintf(options, sizeof(options), "--webhook-url %s", s->url);
	scene_read(s, KEY_A, options);
	assert_int_equal(hooks_start(&s->conf, s->base, NULL, NULL, &s->hooks, &why), -E_CORRUPT);
	assert_non_null(strstr(why.text, "move it away"));
	assert_null(s->hooks);
}

static void it_is_nobody_elses_business(void **state)
{
	struct scene *s = *state;
	char path[64];
	struct stat st;

	umask(0);
	scene_start(s, KEY_A, "");
	scene_tell(s, 0);
	SOON(scene_stats(s).delivered == 1);
	snprintf(path, sizeof(path), "%s/hooks.db", s->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(path, sizeof(path), "%s/hooks.db-wal", s->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* ---- the server dies ---- */

/* In a program of its own: tells n events, and is killed once so many wait on the disk, or were
 * delivered. */
static int die(const char *dir, const char *url, int n, int waiting, unsigned delivered)
{
	struct hook_url_state states[HOOK_URLS_MAX];
	static struct scene s;

	s.base = event_base_new();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(s.dir, sizeof(s.dir), "%s", dir);
	snprintf(s.url, sizeof(s.url), "%s", url);
	scene_start(&s, KEY_A, "");
	for (int i = 0; i < n; i++)
		scene_tell(&s, i);
	while (!hooks_get_states(s.hooks, states) || states[0].count.letters < waiting ||
	       states[0].delivered < delivered)
		usleep(100);
	return kill(getpid(), SIGKILL);
}

static void run_until_killed(const struct scene *s, int n, int waiting, int delivered)
{
	char numbers[3][16];
	int status;
	pid_t pid;

	snprintf(numbers[0], sizeof(numbers[0]), "%d", n);
	snprintf(numbers[1], sizeof(numbers[1]), "%d", waiting);
	snprintf(numbers[2], sizeof(numbers[2]), "%d", delivered);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		execl("/proc/self/exe", "test_hooks", s->dir, s->url, numbers[0], numbers[1],
		      numbers[2], (char *)NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void after_a_kill_it_goes_on_where_it_was(void **state)
{
	struct scene *s = *state;
	uint16_t port = receiver_port(s->receiver);
	struct receiver_post p;

	receiver_stop(s->receiver);
	s->receiver = NULL;
	run_until_killed(s, 50, 50, 0);
	s->receiver = receiver_start(port, NULL, NULL);
	scene_start(s, KEY_A, "");
	scene_tell(s, 50);
	SOON(scene_stats(s).delivered == 51);
	assert_int_equal(receiver_count(s->receiver), 51);
	for (size_t i = 0; i < 51; i++) {
		p = receiver_at(s->receiver, i);
		assert_int_equal(scene_who(&p), i);
	}
}

/* While it delivers: each event comes, in order; what comes twice has the same id. */
static void after_a_kill_between_deliveries_none_is_missing(void **state)
{
	struct scene *s = *state;
	struct receiver_post p, before = {.id = ""};
	int next = 0;

	for (int round = 0; round < 5; round++)
		run_until_killed(s, round ? 0 : 400, 0, 20 + round);
	scene_start(s, KEY_A, "");
	SOON(receiver_count(s->receiver) >= 400 && scene_stats(s).waiting == 0);
	for (size_t i = 0; i < receiver_count(s->receiver); i++) {
		p = receiver_at(s->receiver, i);
		if (!strcmp(p.id, before.id))
			continue;
		assert_int_equal(scene_who(&p), next++);
		before = p;
	}
	assert_int_equal(next, 400);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(events_arrive_signed_and_in_order),
	    TEST(two_keys_sign_while_one_replaces_the_other),
	    TEST(only_the_chosen_events_are_sent),
	    TEST(failures_are_tried_again_in_order),
	    TEST(retry_after_is_kept),
	    TEST(refused_ones_are_dead_letters),
	    TEST(a_timeout_and_too_many_requests_are_no_refusals),
	    TEST(redirects_are_not_followed),
	    TEST(proxies_of_the_environment_have_no_effect),
	    TEST(a_receiver_hangs_or_closes),
	    TEST(a_long_answer_is_cut),
	    TEST(a_receiver_is_killed_and_comes_back),
	    TEST(a_slow_url_delays_no_other),
	    TEST(a_full_queue_drops_the_oldest),
	    TEST(bytes_are_bounded_too),
	    TEST(after_a_day_it_is_a_dead_letter),
	    TEST(letters_of_a_removed_url_die),
	    TEST(a_hot_start_by_a_reload),
	    TEST(a_locked_queue_is_waited_for),
	    TEST(a_damaged_queue_is_refused),
	    TEST(it_is_nobody_elses_business),
	    TEST(after_a_kill_it_goes_on_where_it_was),
	    TEST(after_a_kill_between_deliveries_none_is_missing),
	};

	signal(SIGPIPE, SIG_IGN);
	if (argc == 6)
		return die(argv[1], argv[2], atoi(argv[3]), atoi(argv[4]), (unsigned)atoi(argv[5]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
