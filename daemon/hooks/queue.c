/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The queue of webhooks in SQLite.
 */
#include "daemon/hooks/queue.h"

#include "base/clock.h"
#include "base/env_libevent.h"
#include "base/text.h"
#include "daemon/conf/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION      1
#define KILL_A_PART  16 /* of the letters, at a time, until the others fit */
#define ERROR_FULL   "the queue was full"
#define ERROR_NO_URL "the URL is no longer configured"

struct hook_queue {
	sqlite3 *db;
	char path[PATH_MAX];
};

static const char schema[] =
    "BEGIN IMMEDIATE;"
    /* AUTOINCREMENT: a number never comes again. */
    "CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, what TEXT "
    "NOT NULL, at_ms INTEGER NOT NULL, members TEXT NOT NULL);"
    "CREATE TABLE letter (url TEXT NOT NULL, seq INTEGER NOT NULL, bytes INTEGER NOT NULL, "
    "since_ms INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, dead_ms INTEGER NOT NULL DEFAULT "
    "0, error TEXT NOT NULL DEFAULT '', PRIMARY KEY (url, seq)) WITHOUT ROWID;"
    "CREATE INDEX letter_waits ON letter (url, seq) WHERE dead_ms = 0;"
    "CREATE INDEX letter_dead ON letter (dead_ms) WHERE dead_ms > 0;"
    "CREATE INDEX letter_event ON letter (seq);"
    "CREATE TRIGGER letter_gone AFTER DELETE ON letter BEGIN DELETE FROM event WHERE seq = old.seq "
    "AND NOT EXISTS (SELECT 1 FROM letter WHERE seq = old.seq); END;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

static int fail(struct hook_queue *q, struct why *why)
{
	const char *detail = q->db ? sqlite3_errmsg(q->db) : "no memory";

	switch (q->db ? sqlite3_errcode(q->db) & 0xff : SQLITE_NOMEM) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return why_set(why, -E_TIMEOUT, "webhooks: %s is locked by another process",
		               q->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return why_set(
		    why, -E_CORRUPT,
		    "webhooks: %s is damaged (%s): move it away; the events that wait in it "
		    "are lost",
		    q->path, detail);
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return why_set(
		    why, -E_DENIED,
		    "webhooks: cannot open or write %s (%s): let this user write to it and "
		    "to its directory",
		    q->path, detail);
	case SQLITE_NOMEM:
		return why_set(why, -E_NOMEM, "webhooks: out of memory");
	case SQLITE_FULL:
		return why_set(why, -E_IO, "webhooks: the disk that holds %s is full: make room",
		               q->path);
	default:
		return why_set(why, -E_IO, "webhooks: %s: %s", q->path, detail);
	}
}

static int exec(struct hook_queue *q, const char *sql, struct why *why)
{
	return sqlite3_exec(q->db, sql, NULL, NULL, NULL) ? fail(q, why) : 0;
}

/* Prepares and binds: t a text, i an int64_t. */
static int prepare(struct hook_queue *q, sqlite3_stmt **out, struct why *why, const char *sql,
                   const char *types, ...)
{
	sqlite3_stmt *s;
	va_list ap;
	int r = 0;

	if (sqlite3_prepare_v2(q->db, sql, -1, &s, NULL))
		return fail(q, why);
	va_start(ap, types);
	for (int i = 1; !r && types[i - 1]; i++)
		r = types[i - 1] == 't'
		        ? sqlite3_bind_text(s, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT)
		        : sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
	va_end(ap);
	if (r) {
		sqlite3_finalize(s);
		return fail(q, why);
	}
	*out = s;
	return 0;
}

/* Runs it to its end; *changes (may be NULL) grows. */
static int finish(struct hook_queue *q, sqlite3_stmt *s, int64_t *changes, struct why *why)
{
	int rc, r = 0;

	do {
		rc = sqlite3_step(s);
	} while (rc == SQLITE_ROW);
	if (rc != SQLITE_DONE)
		r = fail(q, why);
	else if (changes)
		*changes += sqlite3_changes(q->db);
	sqlite3_finalize(s);
	return r;
}

/* ---- opening ---- */

/* SQLite would make it with the umask's mode. */
static int make_file(const char *path, struct why *why)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;

	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		return why_set(why, error_from_errno(errno),
		               "webhooks: cannot make %s: %s: let this user write to its directory",
		               path, strerror(errno));
	if (lstat(path, &st))
		return why_set(why, error_from_errno(errno), "webhooks: %s: %s", path,
		               strerror(errno));
	if (!S_ISREG(st.st_mode))
		return why_set(why, -E_INVAL, "webhooks: %s is not a regular file: move it away",
		               path);
	if ((st.st_mode & 077) && chmod(path, 0600))
		return why_set(
		    why, -E_DENIED,
		    "webhooks: others can read %s, and its mode cannot be changed: chmod "
		    "600 it",
		    path);
	return 0;
}

static int version_of(struct hook_queue *q, int64_t *out, struct why *why)
{
	sqlite3_stmt *s;
	int r = prepare(q, &s, why, "PRAGMA user_version", "");

	if (r)
		return r;
	if (sqlite3_step(s) == SQLITE_ROW)
		*out = sqlite3_column_int64(s, 0);
	else
		r = fail(q, why);
	sqlite3_finalize(s);
	return r;
}

static int set_up(struct hook_queue *q, int busy_timeout_ms, struct why *why)
{
	int64_t version = 0;
	int r;

	sqlite3_extended_result_codes(q->db, 1);
	sqlite3_busy_timeout(q->db, busy_timeout_ms);
	if ((r = version_of(q, &version, why)) ||
	    /* NORMAL: a power cut may undo what was noted about a letter, and it is sent again */
	    (r = exec(q, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", why)))
		return r;
	if (version > VERSION)
		return why_set(why, -E_SCHEMA,
		               "webhooks: %s is of a newer version of this program: use that, or "
		               "move the file away",
		               q->path);
	return version ? 0 : exec(q, schema, why);
}

int hook_queue_open(const char *dir, int busy_timeout_ms, struct hook_queue **out, struct why *why)
{
	struct hook_queue *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return why_set(why, -E_NOMEM, "webhooks: out of memory");
	snprintf(q->path, sizeof(q->path), "%s/hooks.db", dir);
	r = make_file(q->path, why);
	if (!r && sqlite3_open_v2(q->path, &q->db, SQLITE_OPEN_READWRITE, NULL))
		r = fail(q, why);
	if (!r)
		r = set_up(q, busy_timeout_ms, why);
	if (r)
		hook_queue_close(q);
	else
		*out = q;
	return r;
}

void hook_queue_close(struct hook_queue *q)
{
	if (!q)
		return;
	sqlite3_close(q->db);
	free(q);
}

/* ---- limits ---- */

int hook_queue_count(struct hook_queue *q, const char *url, struct hook_count *out, struct why *why)
{
	sqlite3_stmt *s;
	int r =
	    prepare(q, &s, why,
	            "SELECT count(*), total(bytes), min(since_ms), (SELECT count(*) FROM letter "
	            "WHERE url = ?1 AND dead_ms > 0) FROM letter WHERE url = ?1 AND dead_ms = 0",
	            "t", url);

	if (r)
		return r;
	if (sqlite3_step(s) == SQLITE_ROW)
		*out = (struct hook_count){.letters = sqlite3_column_int64(s, 0),
		                           .bytes = sqlite3_column_int64(s, 1),
		                           .oldest_ms = sqlite3_column_int64(s, 2),
		                           .dead = sqlite3_column_int64(s, 3)};
	else
		r = fail(q, why);
	sqlite3_finalize(s);
	return r;
}

static int kill_first(struct hook_queue *q, const char *url, int64_t n, int64_t *died,
                      struct why *why)
{
	sqlite3_stmt *s;
	int r =
	    prepare(q, &s, why,
	            "UPDATE letter SET dead_ms = ?2, error = '" ERROR_FULL "' WHERE url = ?1 AND "
	            "seq IN (SELECT seq FROM letter WHERE url = ?1 AND dead_ms = 0 ORDER BY seq "
	            "LIMIT ?3) AND dead_ms = 0",
	            "tii", url, clock_unix_ms(), n);

	return r ? r : finish(q, s, died, why);
}

static int fit(struct hook_queue *q, const char *url, const struct hook_limits *limits,
               int64_t *died, struct why *why)
{
	struct hook_count count = {.letters = 0};
	int r;

	while (!(r = hook_queue_count(q, url, &count, why)) &&
	       (count.letters > limits->events || count.bytes > limits->bytes)) {
		int64_t n = count.letters - limits->events;

		if (n <= 0)
			n = count.letters / KILL_A_PART + 1;
		r = kill_first(q, url, n, died, why);
		if (r)
			break;
	}
	return r;
}

/* Deletes the oldest dead letters beyond the limits. */
static int bury(struct hook_queue *q, const struct hook_limits *limits, struct why *why)
{
	sqlite3_stmt *s;
	int r = prepare(
	    q, &s, why,
	    "DELETE FROM letter WHERE (url, seq) IN (SELECT url, seq FROM (SELECT url, seq, "
	    "row_number() OVER newest AS n, sum(bytes) OVER newest AS total FROM letter "
	    "WHERE dead_ms > 0 WINDOW newest AS (ORDER BY dead_ms DESC, seq DESC, url ROWS "
	    "UNBOUNDED PRECEDING)) WHERE n > ?1 OR total > ?2)",
	    "ii", limits->events, limits->bytes);

	return r ? r : finish(q, s, NULL, why);
}

/* ---- letters ---- */

static int add_event(struct hook_queue *q, char *const *urls, size_t url_n,
                     const struct hook_event *e, struct why *why)
{
	char id[HOOK_ID_STRLEN] = "evt_";
	uint8_t bytes[16];
	sqlite3_stmt *s;
	int64_t seq;
	int r;

	env_libevent_random(bytes, sizeof(bytes));
	text_hex(id + 4, bytes, sizeof(bytes));
	r = prepare(q, &s, why, "INSERT INTO event (id, what, at_ms, members) VALUES (?, ?, ?, ?)",
	            "ttit", id, e->what, e->at_ms, e->members);
	if (!r)
		r = finish(q, s, NULL, why);
	seq = sqlite3_last_insert_rowid(q->db);
	for (size_t i = 0; !r && i < url_n; i++) {
		r = prepare(q, &s, why,
		            "INSERT INTO letter (url, seq, bytes, since_ms) VALUES (?, ?, ?, ?)",
		            "tiii", urls[i], seq, (int64_t)strlen(e->members), e->at_ms);
		if (!r)
			r = finish(q, s, NULL, why);
	}
	return r;
}

int hook_queue_add(struct hook_queue *q, char *const *urls, size_t url_n,
                   const struct hook_event *events, size_t n, const struct hook_limits *limits,
                   uint64_t *dropped, struct why *why)
{
	int64_t died = 0;
	int r = exec(q, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE", why);

	for (size_t i = 0; !r && i < n; i++)
		r = add_event(q, urls, url_n, &events[i], why);
	for (size_t i = 0; !r && i < url_n; i++)
		r = fit(q, urls[i], limits, &died, why);
	if (!r)
		r = bury(q, limits, why);
	if (!r)
		r = exec(q, "COMMIT", why);
	if (r)
		exec(q, "ROLLBACK", NULL);
	else
		*dropped += (uint64_t)died;
	exec(q, "PRAGMA synchronous = NORMAL", NULL);
	return r;
}

#define COLUMNS                                                                                    \
	"letter.seq, event.at_ms, since_ms, dead_ms, tries, event.id, url, event.what, error, "    \
	"event.members FROM letter JOIN event ON event.seq = letter.seq "

static const char *column(sqlite3_stmt *s, int i)
{
	const unsigned char *text = sqlite3_column_text(s, i);

	return text ? (const char *)text : "";
}

static struct hook_letter letter_of(sqlite3_stmt *s)
{
	struct hook_letter l = {.seq = sqlite3_column_int64(s, 0),
	                        .at_ms = sqlite3_column_int64(s, 1),
	                        .since_ms = sqlite3_column_int64(s, 2),
	                        .dead_ms = sqlite3_column_int64(s, 3),
	                        .tries = sqlite3_column_int(s, 4),
	                        .url = column(s, 6),
	                        .what = column(s, 7),
	                        .error = column(s, 8),
	                        .members = column(s, 9)};

	snprintf(l.id, sizeof(l.id), "%s", column(s, 5));
	return l;
}

int hook_queue_first(struct hook_queue *q, const char *url, hook_letter_fn *each, void *ctx,
                     struct why *why)
{
	struct hook_letter l;
	sqlite3_stmt *s;
	int rc, r = prepare(q, &s, why,
	                    "SELECT " COLUMNS "WHERE url = ? AND dead_ms = 0 ORDER BY letter.seq "
	                    "LIMIT 1",
	                    "t", url);

	if (r)
		return r;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		l = letter_of(s);
		r = each(ctx, &l);
	} else {
		r = rc == SQLITE_DONE ? -E_NOTFOUND : fail(q, why);
	}
	sqlite3_finalize(s);
	return r;
}

int hook_queue_done(struct hook_queue *q, const char *url, int64_t seq, struct why *why)
{
	sqlite3_stmt *s;
	int r = prepare(q, &s, why, "DELETE FROM letter WHERE url = ? AND seq = ?", "ti", url, seq);

	return r ? r : finish(q, s, NULL, why);
}

int hook_queue_tried(struct hook_queue *q, const char *url, int64_t seq, const char *error,
                     struct why *why)
{
	sqlite3_stmt *s;
	int r =
	    prepare(q, &s, why,
	            "UPDATE letter SET tries = tries + 1, error = ?3 WHERE url = ?1 AND seq = ?2 "
	            "AND dead_ms = 0",
	            "tit", url, seq, error);

	return r ? r : finish(q, s, NULL, why);
}

int hook_queue_kill(struct hook_queue *q, const char *url, int64_t seq, const char *error,
                    struct why *why)
{
	sqlite3_stmt *s;
	int r =
	    prepare(q, &s, why,
	            "UPDATE letter SET tries = tries + 1, error = ?3, dead_ms = ?4 WHERE url = ?1 "
	            "AND seq = ?2 AND dead_ms = 0",
	            "titi", url, seq, error, clock_unix_ms());

	return r ? r : finish(q, s, NULL, why);
}

int hook_queue_kill_old(struct hook_queue *q, const char *url, int64_t before_ms, const char *error,
                        uint64_t *died, struct why *why)
{
	int64_t n = 0;
	sqlite3_stmt *s;
	int r =
	    prepare(q, &s, why,
	            "UPDATE letter SET error = ?3, dead_ms = ?4 WHERE url = ?1 AND since_ms < ?2 "
	            "AND dead_ms = 0",
	            "titi", url, before_ms, error, clock_unix_ms());

	if (!r)
		r = finish(q, s, &n, why);
	*died += (uint64_t)n;
	return r;
}

/* The first URL behind that one with a waiting letter. -E_NOTFOUND. */
static int next_url(struct hook_queue *q, const char *behind, char out[HOOK_URL_MAX + 1],
                    struct why *why)
{
	sqlite3_stmt *s;
	int rc, r = prepare(q, &s, why, "SELECT min(url) FROM letter WHERE dead_ms = 0 AND url > ?",
	                    "t", behind);

	if (r)
		return r;
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW)
		r = fail(q, why);
	else if (sqlite3_column_type(s, 0) == SQLITE_NULL)
		r = -E_NOTFOUND;
	else
		snprintf(out, HOOK_URL_MAX + 1, "%s", column(s, 0));
	sqlite3_finalize(s);
	return r;
}

int hook_queue_keep(struct hook_queue *q, char *const *urls, size_t n, struct why *why)
{
	char url[HOOK_URL_MAX + 1] = "";
	uint64_t died = 0;
	int r;

	while (!(r = next_url(q, url, url, why))) {
		bool kept = false;

		for (size_t i = 0; i < n; i++)
			kept |= !strcmp(urls[i], url);
		if (!kept)
			r = hook_queue_kill_old(q, url, INT64_MAX, ERROR_NO_URL, &died, why);
		if (r)
			return r;
	}
	return r == -E_NOTFOUND ? 0 : r;
}

int hook_queue_dead(struct hook_queue *q, int64_t seq, const char *url, hook_letter_fn *each,
                    void *ctx, struct why *why)
{
	sqlite3_stmt *s;
	int rc = SQLITE_DONE,
	    r = prepare(q, &s, why,
	                "SELECT " COLUMNS "WHERE dead_ms > 0 AND (letter.seq, url) "
	                "> (?, ?) ORDER BY letter.seq, url",
	                "it", seq, url);

	if (r)
		return r;
	while (!r && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct hook_letter l = letter_of(s);

		r = each(ctx, &l);
	}
	if (!r && rc != SQLITE_DONE)
		r = fail(q, why);
	sqlite3_finalize(s);
	return r;
}

int hook_queue_retry(struct hook_queue *q, const char *url, const char *id, int64_t *n,
                     struct why *why)
{
	sqlite3_stmt *s;
	int r =
	    prepare(q, &s, why,
	            "UPDATE letter SET dead_ms = 0, tries = 0, since_ms = ?2 WHERE url = ?1 AND "
	            "dead_ms > 0 AND (?3 = '' OR seq = (SELECT seq FROM event WHERE id = ?3))",
	            "tit", url, clock_unix_ms(), id ? id : "");

	return r ? r : finish(q, s, n, why);
}
