/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Webhooks with real files and real receivers, who answer, refuse, hang, close, redirect, die and
 * come back.
 */
#include "base/tests/test.h"

#include "daemon/hooks/hooks.h"
#include "daemon/tests/receiver.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_A     "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define KEY_A_HEX "3031323334353637383930313233343536373839303132333435363738393031"
#define KEY_B     "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
#define KEY_B_HEX "6162636465666768696a6b6c6d6e6f707172737475767778797a616263646566"

struct scene {
	char dir[32];
	struct conf conf;
	struct hooks *hooks;
	struct receiver *receiver;
	char url[64];
};

static void read_conf(struct scene *s, const char *keys, const char *options)
{
	char *argv[32] = {"turnpike", "--data", s->dir}, *copy = strdup(options), env[256];
	char *envp[] = {env, NULL};
	struct why why = {{0}};
	int argc = 3;

	snprintf(env, sizeof(env), "TURNPIKE_WEBHOOK_SECRET=%s", keys);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	if (conf_check(&argc, argv, envp, &s->conf, NULL, NULL, &why))
		fail_msg("%s", why.text);
	free(copy);
}

static void start(struct scene *s, const char *keys, const char *options)
{
	char all[512];
	struct why why = {{0}};

	snprintf(all, sizeof(all), "--webhook-url %s %s", s->url, options);
	read_conf(s, keys, all);
	if (hooks_start(&s->conf, &s->hooks, &why))
		fail_msg("%s", why.text);
}

static void stop(struct scene *s)
{
	hooks_stop(s->hooks);
	s->hooks = NULL;
	conf_free(&s->conf);
}

static void reload(struct scene *s, const char *keys, const char *options)
{
	struct hook_settings *fresh;
	struct why why = {{0}};

	conf_free(&s->conf);
	read_conf(s, keys, options);
	if (hooks_prepare(s->hooks, &s->conf, &fresh, &why))
		fail_msg("%s", why.text);
	hooks_apply(s->hooks, fresh);
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/turnpike-hooks-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	s->receiver = receiver_start(0, NULL, NULL);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/hook", receiver_port(s->receiver));
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;
	char command[64];
	int r;

	hooks_stop(s->hooks);
	receiver_stop(s->receiver);
	conf_free(&s->conf);
	snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
	r = system(command);
	free(s);
	return r;
}

static void tell(struct scene *s, int i)
{
	char name[16];

	snprintf(name, sizeof(name), "user%d", i);
	hooks_tell(s->hooks, HOOK_JOINED, json_pack("{ss ss}", "room", "default", "name", name));
}

static json_t *body_of(const struct receiver_post *p)
{
	json_t *body = json_loads(p->body, JSON_REJECT_DUPLICATES, NULL);

	if (!body)
		fail_msg("not JSON: %s", p->body);
	return body;
}

/* The number in the name of who joined. */
static int who(const struct receiver_post *p)
{
	json_t *body = body_of(p);
	int i = -1;

	sscanf(json_string_value(json_object_get(body, "name")), "user%d", &i);
	json_decref(body);
	return i;
}

static struct hook_url_state state_of(struct scene *s, size_t i)
{
	struct hook_url_state states[HOOK_URLS_MAX];

	assert_true(hooks_get_states(s->hooks, states) > i);
	return states[i];
}

static struct hooks_stats stats(struct scene *s)
{
	struct hooks_stats stats;

	hooks_get_stats(s->hooks, &stats);
	return stats;
}

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

/* By a program that shares no code with us. */
static void signature_of(const struct scene *s, const struct receiver_post *p, const char *hex_key,
                         char out[64])
{
	char path[64], command[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/signed", s->dir);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "%s.%s.%s", p->id, p->timestamp, p->body);
	fclose(f);
	snprintf(command, sizeof(command),
	         "openssl dgst -sha256 -mac HMAC -macopt hexkey:%s -binary %s | base64", hex_key,
	         path);
	f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%63s", out), 1);
	pclose(f);
}

static void events_arrive_signed_and_in_order(void **state)
{
	char expected[64], signature[80];
	struct receiver_post p;
	struct scene *s = *state;
	json_t *body;

	start(s, KEY_A, "");
	for (int i = 0; i < 100; i++)
		tell(s, i);
	SOON(receiver_count(s->receiver) == 100);
	for (int i = 0; i < 100; i++) {
		p = receiver_at(s->receiver, (size_t)i);
		assert_int_equal(who(&p), i);
		assert_string_equal(p.path, "/hook");
		assert_string_equal(p.type, "application/json");
		assert_int_equal(p.connection, 0); /* kept alive */
		body = body_of(&p);
		assert_int_equal(json_integer_value(json_object_get(body, "sequence")), i + 1);
		assert_string_equal(json_string_value(json_object_get(body, "id")), p.id);
		assert_string_equal(json_string_value(json_object_get(body, "event")), "joined");
		assert_string_equal(json_string_value(json_object_get(body, "room")), "default");
		assert_int_equal(strlen(json_string_value(json_object_get(body, "time"))), 24);
		json_decref(body);
	}
	assert_in_range(llabs(atoll(p.timestamp) - time(NULL)), 0, 60);
	signature_of(s, &p, KEY_A_HEX, expected);
	snprintf(signature, sizeof(signature), "v1,%s", expected);
	assert_string_equal(p.signature, signature);
	SOON(stats(s).delivered == 100 && stats(s).waiting == 0);
}

static void two_keys_sign_while_one_replaces_the_other(void **state)
{
	char a[64], b[64], both[160];
	struct scene *s = *state;
	struct receiver_post p;

	start(s, KEY_A "," KEY_B, "");
	tell(s, 0);
	SOON(receiver_count(s->receiver) == 1);
	p = receiver_at(s->receiver, 0);
	signature_of(s, &p, KEY_A_HEX, a);
	signature_of(s, &p, KEY_B_HEX, b);
	snprintf(both, sizeof(both), "v1,%s v1,%s", a, b);
	assert_string_equal(p.signature, both);
	snprintf(both, sizeof(both), "--webhook-url %s", s->url);
	reload(s, KEY_B, both);
	SOON(stats(s).delivered == 1);
	tell(s, 1);
	SOON(receiver_count(s->receiver) == 2);
	p = receiver_at(s->receiver, 1);
	signature_of(s, &p, KEY_B_HEX, b);
	snprintf(both, sizeof(both), "v1,%s", b);
	assert_string_equal(p.signature, both);
}

static void only_the_chosen_events_are_sent(void **state)
{
	struct scene *s = *state;
	struct receiver_post p;

	start(s, KEY_A, "--webhook-events left");
	assert_false(hooks_want(s->hooks, HOOK_JOINED));
	tell(s, 0);
	hooks_tell(s->hooks, HOOK_LEFT, json_pack("{ss}", "name", "user7"));
	SOON(receiver_count(s->receiver) == 1);
	p = receiver_at(s->receiver, 0);
	assert_int_equal(who(&p), 7);
	SOON(stats(s).delivered == 1);
	assert_int_equal(stats(s).dropped, 0);
}

/* ---- receivers that fail ---- */

static void failures_are_tried_again_in_order(void **state)
{
	struct receiver_post first, second;
	struct scene *s = *state;
	struct hook_url_state seen;
	size_t n;

	receiver_answer(s->receiver, 500, NULL, NULL);
	start(s, KEY_A, "");
	tell(s, 0);
	tell(s, 1);
	SOON(receiver_count(s->receiver) >= 2);
	seen = state_of(s, 0);
	assert_true(seen.failing_since_ms && seen.next_ms);
	assert_string_equal(seen.error, "answered 500");
	receiver_answer(s->receiver, 200, NULL, NULL);
	SOON(stats(s).delivered == 2);
	n = receiver_count(s->receiver);
	first = receiver_at(s->receiver, 0);
	second = receiver_at(s->receiver, 1);
	assert_string_equal(first.id, second.id); /* so that doubles can be told */
	assert_true(second.at_ms - first.at_ms >= 1000);
	for (size_t i = 0; i < n; i++) {
		first = receiver_at(s->receiver, i);
		assert_int_equal(who(&first), i == n - 1); /* the second waits for the first */
	}
	SOON(state_of(s, 0).failing_since_ms == 0);
}

static void retry_after_is_kept(void **state)
{
	struct receiver_post first, second;
	struct scene *s = *state;

	receiver_answer(s->receiver, 429, "Retry-After: 3\r\n", NULL);
	start(s, KEY_A, "");
	tell(s, 0);
	SOON(receiver_count(s->receiver) == 1);
	receiver_answer(s->receiver, 204, NULL, NULL);
	SOON(stats(s).delivered == 1);
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

	start(s, KEY_A, "");
	for (size_t i = 0; i < n; i++) {
		receiver_answer(s->receiver, statuses[i], NULL, NULL);
		tell(s, (int)i);
		SOON(dead(s).n == i + 1);
	}
	assert_string_equal(dead(s).error, "answered 410");
	assert_int_equal(receiver_count(s->receiver), n); /* each was tried once */
	receiver_answer(s->receiver, 200, NULL, NULL);
	tell(s, 99);
	SOON(stats(s).delivered == 1);
	assert_int_equal(stats(s).dead, n);
	assert_int_equal(retry(s, "evt_0"), 0);
	assert_int_equal(retry(s, dead(s).id), 1);
	SOON(stats(s).delivered == 2);
	p = receiver_at(s->receiver, n + 1);
	assert_int_equal(who(&p), 0);
	assert_int_equal(retry(s, NULL), n - 1);
	SOON(stats(s).delivered == n + 1 && dead(s).n == 0);
	p = receiver_at(s->receiver, 2 * n);
	assert_int_equal(who(&p), n - 1);
}

static void a_timeout_and_too_many_requests_are_no_refusals(void **state)
{
	struct scene *s = *state;

	receiver_answer(s->receiver, 408, NULL, NULL);
	start(s, KEY_A, "");
	tell(s, 0);
	SOON(receiver_count(s->receiver) == 1);
	receiver_answer(s->receiver, 429, NULL, NULL);
	SOON(receiver_count(s->receiver) == 2);
	receiver_answer(s->receiver, 200, NULL, NULL);
	SOON(stats(s).delivered == 1);
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
	start(s, KEY_A, "");
	tell(s, 0);
	SOON(receiver_count(s->receiver) >= 2);
	assert_int_equal(receiver_count(other), 0);
	assert_non_null(strstr(state_of(s, 0).error, "redirects are not followed"));
	receiver_stop(other);
}

static void proxies_of_the_environment_have_no_effect(void **state)
{
	struct scene *s = *state;

	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	start(s, KEY_A, "");
	tell(s, 0);
	SOON(stats(s).delivered == 1);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

static void a_receiver_hangs_or_closes(void **state)
{
	struct scene *s = *state;

	receiver_answer(s->receiver, RECEIVER_HANGS, NULL, NULL);
	start(s, KEY_A, "--webhook-timeout 1");
	tell(s, 0);
	SOON(stats(s).failed == 1);
	assert_non_null(strstr(state_of(s, 0).error, "timed out"));
	receiver_answer(s->receiver, RECEIVER_CLOSES, NULL, NULL);
	SOON(stats(s).failed == 2);
	receiver_answer(s->receiver, 200, NULL, NULL);
	SOON(stats(s).delivered == 1);
}

/* Nothing is held up, or kept, for an answer that does not end. */
static void a_long_answer_is_cut(void **state)
{
	struct scene *s = *state;
	char *text = malloc(60001);

	memset(text, 'x', 60000);
	text[60000] = 0;
	receiver_answer(s->receiver, 200, NULL, text);
	start(s, KEY_A, "");
	tell(s, 0);
	tell(s, 1);
	SOON(stats(s).delivered == 2);
	free(text);
}

static void a_receiver_is_killed_and_comes_back(void **state)
{
	struct scene *s = *state;
	uint16_t port = receiver_port(s->receiver);
	struct receiver_post p;

	start(s, KEY_A, "");
	tell(s, 0);
	SOON(stats(s).delivered == 1);
	receiver_stop(s->receiver);
	s->receiver = NULL;
	for (int i = 1; i < 20; i++)
		tell(s, i);
	SOON(stats(s).failed >= 1 && stats(s).waiting == 19);
	assert_true(state_of(s, 0).count.letters == 19);
	s->receiver = receiver_start(port, NULL, NULL);
	SOON(stats(s).delivered == 20);
	assert_int_equal(receiver_count(s->receiver), 19);
	for (size_t i = 0; i < 19; i++) {
		p = receiver_at(s->receiver, i);
		assert_int_equal(who(&p), i + 1);
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
	start(s, KEY_A, urls);
	for (int i = 0; i < 50; i++)
		tell(s, i);
	SOON(receiver_count(other) == 50);
	for (size_t i = 0; i < 50; i++) {
		p = receiver_at(other, i);
		assert_int_equal(who(&p), i);
	}
	assert_int_equal(receiver_count(s->receiver), 1);
	SOON(state_of(s, 1).count.letters == 0 && state_of(s, 0).count.letters == 50);
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
	start(s, KEY_A, "--webhook-queue 10");
	for (int i = 0; i < 35; i++)
		tell(s, i);
	SOON(stats(s).dropped == 25 && stats(s).waiting == 10);
	assert_int_equal(dead(s).n, 10); /* no more of these are kept, either */
	assert_string_equal(dead(s).error, "the queue was full");
	assert_int_equal(dead(s).seq, 16);
	s->receiver = receiver_start(port, NULL, NULL);
	SOON(stats(s).delivered == 10);
	for (size_t i = 0; i < 10; i++) {
		p = receiver_at(s->receiver, i);
		assert_int_equal(who(&p), 25 + i);
	}
}

static void bytes_are_bounded_too(void **state)
{
	struct scene *s = *state;
	char *text = malloc(8193);

	memset(text, 'x', 8192);
	text[8192] = 0;
	receiver_answer(s->receiver, 500, NULL, NULL);
	start(s, KEY_A, "--webhook-queue-bytes 65536");
	for (int i = 0; i < 20; i++)
		hooks_tell(s->hooks, HOOK_JOINED, json_pack("{ss}", "name", text));
	SOON(stats(s).dropped >= 13);
	free(text);
	SOON(state_of(s, 0).count.letters == 7);
	assert_in_range(state_of(s, 0).count.bytes, 7 * 8192, 65536);
}

static void after_a_day_it_is_a_dead_letter(void **state)
{
	struct scene *s = *state;

	receiver_answer(s->receiver, 503, NULL, NULL);
	start(s, KEY_A, "");
	for (int i = 0; i < 3; i++)
		tell(s, i);
	SOON(receiver_count(s->receiver) >= 1);
	stop(s);
	run_sql(s, "UPDATE letter SET since_ms = since_ms - 86400000 WHERE seq < 3");
	start(s, KEY_A, "");
	SOON(dead(s).n == 2);
	assert_string_equal(dead(s).error, "answered 503");
	receiver_answer(s->receiver, 200, NULL, NULL);
	SOON(stats(s).delivered == 1);
	assert_int_equal(retry(s, NULL), 2); /* another day for these */
	SOON(stats(s).delivered == 3);
}

static void letters_of_a_removed_url_die(void **state)
{
	struct receiver *other = receiver_start(0, NULL, NULL);
	struct scene *s = *state;
	char urls[160];

	receiver_answer(s->receiver, RECEIVER_HANGS, NULL, NULL);
	start(s, KEY_A, "");
	tell(s, 0);
	SOON(receiver_count(s->receiver) == 1);
	snprintf(urls, sizeof(urls), "--webhook-url http://127.0.0.1:%u/b", receiver_port(other));
	reload(s, KEY_A, urls);
	SOON(dead(s).n == 1);
	assert_string_equal(dead(s).error, "the URL is no longer configured");
	tell(s, 1);
	SOON(receiver_count(other) == 1);
	assert_int_equal(retry(s, NULL), 0);
	reload(s, KEY_A, "");
	assert_false(hooks_want(s->hooks, HOOK_JOINED));
	receiver_stop(other);
}

static void a_hot_start_by_a_reload(void **state)
{
	struct scene *s = *state;
	struct why why = {{0}};
	char urls[160];

	read_conf(s, KEY_A, "");
	assert_int_equal(hooks_start(&s->conf, &s->hooks, &why), 0);
	assert_false(hooks_want(s->hooks, HOOK_JOINED));
	tell(s, 0);
	snprintf(urls, sizeof(urls), "--webhook-url %s", s->url);
	reload(s, KEY_A, urls);
	tell(s, 1);
	SOON(stats(s).delivered == 1);
}

/* The disk is locked by another: events wait in memory, and nothing is lost. */
static void a_locked_queue_is_waited_for(void **state)
{
	struct scene *s = *state;
	char path[64];
	sqlite3 *db;

	start(s, KEY_A, "");
	tell(s, 0);
	SOON(stats(s).delivered == 1);
	snprintf(path, sizeof(path), "%s/hooks.db", s->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 1; i < 10; i++)
		tell(s, i);
	nanosleep(&(struct timespec){.tv_sec = 6}, NULL); /* longer than it waits by itself */
	assert_int_equal(receiver_count(s->receiver), 1);
	assert_int_equal(stats(s).waiting, 9);
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	SOON(stats(s).delivered == 10);
	assert_int_equal(stats(s).dropped, 0);
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
	read_conf(s, KEY_A, options);
	assert_int_equal(hooks_start(&s->conf, &s->hooks, &why), -E_CORRUPT);
	assert_non_null(strstr(why.text, "move it away"));
	assert_null(s->hooks);
}

static void it_is_nobody_elses_business(void **state)
{
	struct scene *s = *state;
	char path[64];
	struct stat st;

	umask(0);
	start(s, KEY_A, "");
	tell(s, 0);
	SOON(stats(s).delivered == 1);
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
	struct scene s = {.conf = {0}};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(s.dir, sizeof(s.dir), "%s", dir);
	snprintf(s.url, sizeof(s.url), "%s", url);
	start(&s, KEY_A, "");
	for (int i = 0; i < n; i++)
		tell(&s, i);
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
	start(s, KEY_A, "");
	tell(s, 50);
	SOON(stats(s).delivered == 51);
	assert_int_equal(receiver_count(s->receiver), 51);
	for (size_t i = 0; i < 51; i++) {
		p = receiver_at(s->receiver, i);
		assert_int_equal(who(&p), i);
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
	start(s, KEY_A, "");
	SOON(receiver_count(s->receiver) >= 400 && stats(s).waiting == 0);
	for (size_t i = 0; i < receiver_count(s->receiver); i++) {
		p = receiver_at(s->receiver, i);
		if (!strcmp(p.id, before.id))
			continue;
		assert_int_equal(who(&p), next++);
		before = p;
	}
	assert_int_equal(next, 400);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
