/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The books.
 */
#include "daemon/records/books.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "base/thread.h"
#include "base/wall.h"
#include "store/audit.h"
#include "store/belief.h"
#include "store/revoke.h"
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS_MAX        20000 /* in memory, when no limit is set */
#define TOKENS_MAX      64
#define PRUNE_EVERY_S   3600
#define BUSY_TIMEOUT_MS 3000

struct row {
	UT_hash_handle hh;
	struct store_usage_counts n;
	struct key {
		int64_t day;
		char user[USAGE_USER_STRLEN];
	} key;
};

struct books {
	pthread_t thread;
	pthread_mutex_t lock; /* all down to the stats are under it */
	pthread_cond_t wake;
	struct row *rows;
	struct token_use {
		int64_t id, when_s;
	} tokens[TOKENS_MAX];
	size_t token_n;
	struct books_stats stats;
	bool stop;
	/* the thread's own */
	struct books_conf conf;
	char *dir;
	struct store *store;
	bool knows; /* what the store says of the clock */
	struct belief belief;
	bool pruned;
	int64_t pruned_at_s; /* by wall_boot_s() */
	struct why last;     /* what was logged; empty when all went well */
};

/* The user's printable name for the table: distinct, except for callers without a name and for
 * names that are too long. */
static void user_of(char out[USAGE_USER_STRLEN], const char *user, size_t len)
{
	char shown[TEXT_SHOWN_MAX(USAGE_USER_STRLEN)];
	const char *instead = NULL;

	if (!len)
		instead = USAGE_ANONYMOUS;
	else if (len >= USAGE_USER_STRLEN)
		instead = "(too long)";
	else if (text_show(shown, sizeof(shown), user, len, TEXT_SHOWN) >= USAGE_USER_STRLEN)
		instead = "(too long)";
	snprintf(out, USAGE_USER_STRLEN, "%.*s", USAGE_USER_STRLEN - 1, instead ? instead : shown);
}

/* Under the lock. Out of memory, a count is lost. */
static void add(struct books *b, struct key *key, const struct store_usage_counts *n)
{
	size_t max = b->conf.usage_users ? 2 * (size_t)b->conf.usage_users : ROWS_MAX;
	struct row *r;

	HASH_FIND(hh, b->rows, key, sizeof(*key), r);
	if (!r && HASH_COUNT(b->rows) >= max) {
		memset(key->user, 0, sizeof(key->user));
		snprintf(key->user, sizeof(key->user), USAGE_OTHERS);
		HASH_FIND(hh, b->rows, key, sizeof(*key), r);
	}
	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return;
		r->key = *key;
		if (TABLE_ADD(hh, b->rows, key, sizeof(r->key), r)) {
			free(r);
			return;
		}
	}
	store_usage_sum(&r->n, n);
}

void books_usage(struct books *b, int64_t day, const char *user, size_t len,
                 const struct store_usage_counts *n)
{
	struct key key;

	memset(&key, 0, sizeof(key));
	key.day = day;
	user_of(key.user, user, len);
	pthread_mutex_lock(&b->lock);
	add(b, &key, n);
	pthread_mutex_unlock(&b->lock);
}

void books_token_used(struct books *b, int64_t id)
{
	size_t i;

	pthread_mutex_lock(&b->lock);
	for (i = 0; i < b->token_n && b->tokens[i].id != id; i++)
		;
	if (i < TOKENS_MAX) {
		b->tokens[i] = (struct token_use){.id = id, .when_s = time(NULL)};
		b->token_n += i == b->token_n;
	}
	pthread_mutex_unlock(&b->lock);
}

void books_get_stats(struct books *b, struct books_stats *out)
{
	pthread_mutex_lock(&b->lock);
	*out = b->stats;
	pthread_mutex_unlock(&b->lock);
}

static void free_rows(struct row *rows)
{
	struct row *r, *next;

	HASH_ITER (hh, rows, r, next) {
		HASH_DEL(rows, r);
		free(r);
	}
}

/* ---- the thread ---- */

static int write_usage(struct books *b, struct row *rows, struct why *why)
{
	size_t n = HASH_COUNT(rows), i = 0;
	struct store_usage *list = calloc(n ? n : 1, sizeof(*list));
	int err;

	if (!list)
		return why_set(why, -E_NOMEM, "out of memory");
	for (struct row *r = rows; r; r = r->hh.next)
		list[i++] = (struct store_usage){.day = r->key.day, .user = r->key.user, .n = r->n};
	err = store_usage_add(b->store, list, n, b->conf.usage_users, why);
	free(list);
	return err;
}

static void log_belief(const struct belief *b, int64_t now_s, int64_t expected_s)
{
	if (b->believed)
		log_info(NULL, "clock-believed", LOG_INT("unix_s", (uint64_t)now_s));
	else
		log_warn(NULL, "clock-doubted", LOG_INT("unix_s", (uint64_t)now_s),
		         LOG_INT("expected", (uint64_t)expected_s),
		         LOG_STR("hint",
		                 "the clock has jumped. Until it is right again, or has run evenly "
		                 "for a day, usage, audit and revocations are kept, and expired "
		                 "credentials stay expired: make sure that NTP keeps the clock"));
}

/* True when old rows may be deleted: a wrong clock would delete them for good. */
static bool believes(struct books *b, int64_t boot_s, int64_t now_s)
{
	struct belief *k = &b->belief;
	bool before = k->believed || !k->seen;
	int64_t expected_s = k->mark_s + (k->mark_at_s ? boot_s - k->mark_at_s : 0);

	belief_look(k, now_s, boot_s, wall_is_synchronized());
	if (k->believed != before)
		log_belief(k, now_s, expected_s);
	if (k->believed) /* in doubt, the floor goes on by itself */
		wall_set_floor(b->conf.wall, belief_floor_s(k));
	return k->believed;
}

static int prune(struct books *b, bool stop, struct why *why)
{
	const struct books_conf *c = &b->conf;
	int64_t boot_s = wall_boot_s(), now_s = time(NULL);
	int err = 0;

	if (!b->knows && store_belief_get(b->store, &b->belief, why))
		return -E_IO;
	b->knows = true;
	if (!believes(b, boot_s, now_s))
		return 0;
	if (b->pruned && !stop && boot_s - b->pruned_at_s < PRUNE_EVERY_S)
		return 0;
	if (c->usage_days)
		err = store_usage_prune(b->store, now_s / 86400 - c->usage_days + 1, why);
	if (!err && (c->audit_rows || c->audit_days))
		err = store_audit_prune(b->store, c->audit_rows, c->audit_days * 86400, why);
	if (!err)
		err = store_revocations_prune(b->store, why);
	if (!err)
		err = store_belief_put(b->store, &b->belief, why);
	if (!err) {
		b->pruned = true;
		b->pruned_at_s = boot_s;
	}
	return err;
}

static int64_t clock_now_s(void *wall)
{
	return wall_now_s(wall);
}

/* A process that holds the file for long would also delay a stop. */
static int open_store(struct books *b, struct why *why)
{
	const struct store_options options = {.must_exist = true,
	                                      .busy_timeout_ms = BUSY_TIMEOUT_MS,
	                                      .now_s = clock_now_s,
	                                      .now_ctx = b->conf.wall};

	return b->store ? 0 : store_open(b->dir, &options, &b->store, why);
}

static void log_result(struct books *b, int err, const struct why *why)
{
	if (err && strcmp(why->text, b->last.text) != 0)
		log_error(NULL, "books", LOG_STR("error", why->text));
	else if (!err && *b->last.text)
		log_info(NULL, "books", LOG_STR("state", "written again"));
	b->last = *why;
	if (!err)
		b->last.text[0] = 0;
}

static void put_back(struct books *b, struct row *rows)
{
	for (struct row *r = rows; r; r = r->hh.next)
		add(b, &r->key, &r->n);
}

static void write_all(struct books *b, bool stop)
{
	struct token_use tokens[TOKENS_MAX];
	struct why why = {{0}};
	struct row *rows;
	size_t token_n;
	int err;

	pthread_mutex_lock(&b->lock);
	rows = b->rows;
	b->rows = NULL;
	token_n = b->token_n;
	memcpy(tokens, b->tokens, token_n * sizeof(*tokens));
	b->token_n = 0;
	pthread_mutex_unlock(&b->lock);

	err = open_store(b, &why);
	if (!err && rows)
		err = write_usage(b, rows, &why);
	pthread_mutex_lock(&b->lock);
	b->stats.batches += !err && rows;
	b->stats.failures += err != 0;
	if (err)
		put_back(b, rows);
	pthread_mutex_unlock(&b->lock);
	free_rows(rows);
	for (size_t i = 0; !err && i < token_n; i++) /* coarse: one lost is no loss */
		err = store_token_used(b->store, tokens[i].id, tokens[i].when_s, &why);
	if (!err)
		err = prune(b, stop, &why);
	log_result(b, err, &why);
	/* A handle on a damaged file does not heal. */
	if (err == -E_CORRUPT) {
		store_close(b->store);
		b->store = NULL;
	}
}

static void *run(void *arg)
{
	struct books *b = arg;
	struct timespec until;
	bool stop = false;

	pthread_setname_np(pthread_self(), "books");
	while (!stop) {
		until = clock_deadline((int64_t)b->conf.usage_interval_s * 1000);
		pthread_mutex_lock(&b->lock);
		while (!b->stop && pthread_cond_timedwait(&b->wake, &b->lock, &until) != ETIMEDOUT)
			;
		stop = b->stop;
		pthread_mutex_unlock(&b->lock);
		write_all(b, stop);
	}
	return NULL;
}

static void books_free(struct books *b)
{
	store_close(b->store);
	free_rows(b->rows);
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->wake);
	free(b->dir);
	free(b);
}

int books_start(const struct books_conf *conf, struct books **out, struct why *why)
{
	struct books *b = calloc(1, sizeof(*b));
	pthread_condattr_t attr;

	if (!b)
		return why_set(why, -E_NOMEM, "out of memory");
	b->conf = *conf;
	b->dir = strdup(conf->dir);
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (!b->dir || thread_start(&b->thread, run, b)) {
		books_free(b);
		return why_set(why, -E_NOMEM, "cannot start the books' thread: out of memory");
	}
	*out = b;
	return 0;
}

void books_stop(struct books *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	books_free(b);
}
