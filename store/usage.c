/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Usage by day and user.
 */
#include "store/usage.h"

#include "store/internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void store_usage_sum(struct store_usage_counts *to, const struct store_usage_counts *more)
{
#define X(name) to->name += more->name;
	USAGE_TABLE(X)
#undef X
}

int store_day_parse(const char *text, int64_t *day, struct why *why)
{
	struct tm tm = {.tm_isdst = 0};
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	time_t t;
	int mday;

	if (end && !*end && strlen(text) == USAGE_DAY_STRLEN - 1) {
		mday = tm.tm_mday;
		t = timegm(&tm);
		if (tm.tm_mday == mday) { /* it makes a 3rd of March of a 31st of February */
			*day = t / 86400;
			return 0;
		}
	}
	return why_set(why, -E_INVAL, "\"%.32s\" is not a day: write YYYY-MM-DD, as in 2026-11-22",
	               text);
}

const char *store_day_text(int64_t day, char buf[USAGE_DAY_STRLEN])
{
	time_t t = (time_t)(day * 86400);
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, USAGE_DAY_STRLEN, "%Y-%m-%d", &tm))
		snprintf(buf, USAGE_DAY_STRLEN, "?");
	return buf;
}

/* Adds to a row that is there, or makes one. */
static int upsert(struct store *s, const struct store_usage *row, const char *user, bool make,
                  struct why *why)
{
	sqlite3_stmt *stmt;
	int i = 3;
#define X(name) ", " #name
	static const char insert[] = "INSERT INTO usage (day, user" USAGE_TABLE(
	    X) ") VALUES "
	       "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
#undef X
#define X(name) ", " #name " = " #name " + ?"
	/* The question marks count on from the second. */
	static const char update[] =
	    "UPDATE usage SET day = ?1, user = ?2" USAGE_TABLE(X) " WHERE day = ?1 AND user = ?2";
#undef X
	int err = store_prepare(s, make ? insert : update, &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, row->day);
	sqlite3_bind_text(stmt, 2, user, -1, SQLITE_STATIC);
#define X(name) sqlite3_bind_int64(stmt, i++, row->n.name);
	USAGE_TABLE(X)
#undef X
	err = store_run(s, stmt, "writing the usage", why);
	if (!err && !make && !sqlite3_changes(s->db))
		return -E_NOTFOUND;
	return err;
}

/* True when a day has a row left. */
static int has_room(struct store *s, int64_t day, int64_t usage_users, bool *room, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_prepare(s, "SELECT count(*) FROM usage WHERE day = ?1", &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, day);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*room = !usage_users || sqlite3_column_int64(stmt, 0) < usage_users;
	else
		err = store_fail(s, "reading the usage", why);
	sqlite3_finalize(stmt);
	return err;
}

static int add(struct store *s, const struct store_usage *row, int64_t usage_users, struct why *why)
{
	bool room = true;
	int err = upsert(s, row, row->user, false, why);

	if (err != -E_NOTFOUND)
		return err;
	err = has_room(s, row->day, usage_users, &room, why);
	if (err)
		return err;
	if (room || !strcmp(row->user, USAGE_OTHERS))
		return upsert(s, row, row->user, true, why);
	err = upsert(s, row, USAGE_OTHERS, false, why);
	return err == -E_NOTFOUND ? upsert(s, row, USAGE_OTHERS, true, why) : err;
}

int store_usage_add(struct store *s, const struct store_usage *rows, size_t n, int64_t usage_users,
                    struct why *why)
{
	int err = n ? store_exec(s, "BEGIN IMMEDIATE", why) : 0;

	if (err || !n)
		return err;
	for (size_t i = 0; !err && i < n; i++)
		err = add(s, &rows[i], usage_users, why);
	if (!err)
		err = store_exec(s, "COMMIT", why);
	if (err && !sqlite3_get_autocommit(s->db))
		store_exec(s, "ROLLBACK", NULL);
	return err;
}

int store_usage_list(struct store *s, const char *user, int64_t from, int64_t to,
                     int (*each)(void *ctx, const struct store_usage *row), void *ctx,
                     struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE;
#define X(name) ", " #name
	int err = store_prepare(s,
	                        "SELECT day, user" USAGE_TABLE(
	                            X) " FROM usage WHERE day BETWEEN ?1 "
	                               "AND ?2 AND (?3 IS NULL OR user = ?3) ORDER BY day, user",
	                        &stmt, why);
#undef X

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, from);
	sqlite3_bind_int64(stmt, 2, to);
	if (user)
		sqlite3_bind_text(stmt, 3, user, -1, SQLITE_STATIC);
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct store_usage row = {
		    .day = sqlite3_column_int64(stmt, 0),
		    .user = (const char *)sqlite3_column_text(stmt, 1),
		};
		int i = 2;

#define X(name) row.n.name = sqlite3_column_int64(stmt, i++);
		USAGE_TABLE(X)
#undef X
		if (!row.user)
			err = why_set(why, -E_NOMEM, "listing the usage: out of memory");
		else
			err = each(ctx, &row);
	}
	if (!err && rc != SQLITE_DONE)
		err = store_fail(s, "listing the usage", why);
	sqlite3_finalize(stmt);
	return err;
}

int store_usage_prune(struct store *s, int64_t before_day, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_prepare(s, "DELETE FROM usage WHERE day < ?1", &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, before_day);
	return store_run(s, stmt, "pruning the usage", why);
}
