/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The audit, and the transaction that an administrator's change shares with
 * its row.
 */
#include "store/audit.h"

#include "base/text.h"
#include "store/internal.h"
#include "store/name.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OBJECT_MAX (NAME_MAX_LEN + REALM_MAX_LEN + 66) /* name@realm, and a word */

/* The audit must take any text: what would spoil a line is shown by its number. */
static void clean(char *out, size_t size, const char *text)
{
	text_show(out, size, text, strlen(text), TEXT_AGAIN);
}

int store_audit_write(struct store *s, const char *act, const char *object, struct why *why)
{
	char actor[STORE_ACTOR_MAX + 1], text[OBJECT_MAX];
	sqlite3_stmt *stmt;
	int err = store_prepare(
	    s, "INSERT INTO audit (at, actor, act, object) VALUES (?1, ?2, ?3, ?4)", &stmt, why);

	if (err)
		return err;
	clean(actor, sizeof(actor), s->actor);
	clean(text, sizeof(text), object);
	sqlite3_bind_int64(stmt, 1, store_now_s(s));
	sqlite3_bind_text(stmt, 2, actor, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, act, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 4, text, -1, SQLITE_STATIC);
	return store_run(s, stmt, "writing the audit", why);
}

int store_act_begin(struct store *s, struct why *why)
{
	/* Drops cached pages first: the write must rest on what is in the file now, not on pages
	 * read before it was damaged. */
	sqlite3_db_release_memory(s->db);
	return store_exec(s, "BEGIN IMMEDIATE", why);
}

int store_act_end(struct store *s, int err, struct why *why, const char *act, const char *object,
                  ...)
{
	char text[OBJECT_MAX];
	va_list ap;

	va_start(ap, object);
	vsnprintf(text, sizeof(text), object, ap);
	va_end(ap);
	if (!err)
		err = store_audit_write(s, act, text, why);
	if (!err)
		err = store_exec(s, "UPDATE store_state SET generation = generation + 1", why);
	if (!err)
		err = store_exec(s, "COMMIT", why);
	/* After some errors SQLite has rolled back by itself. */
	if (err && !sqlite3_get_autocommit(s->db))
		store_exec(s, "ROLLBACK", NULL);
	return err;
}

int store_audit_add(struct store *s, const char *act, const char *object, struct why *why)
{
	char name[64];

	clean(name, sizeof(name), act);
	return store_audit_write(s, name, object, why);
}

int store_audit_list(struct store *s, int64_t max,
                     int (*each)(void *ctx, const struct store_audit *row), void *ctx,
                     struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE;
	int err = store_prepare(s,
	                        "SELECT id, at, actor, act, object FROM (SELECT * FROM audit "
	                        "ORDER BY id DESC LIMIT ?1) ORDER BY id",
	                        &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, max ? max : -1);
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct store_audit row = {
		    .id = sqlite3_column_int64(stmt, 0),
		    .at_s = sqlite3_column_int64(stmt, 1),
		    .actor = (const char *)sqlite3_column_text(stmt, 2),
		    .act = (const char *)sqlite3_column_text(stmt, 3),
		    .object = (const char *)sqlite3_column_text(stmt, 4),
		};

		if (!row.actor || !row.act || !row.object)
			err = why_set(why, -E_NOMEM, "listing the audit: out of memory");
		else
			err = each(ctx, &row);
	}
	if (!err && rc != SQLITE_DONE)
		err = store_fail(s, "listing the audit", why);
	sqlite3_finalize(stmt);
	return err;
}

int store_audit_prune(struct store *s, int64_t max_rows, int64_t max_age_s, struct why *why)
{
	sqlite3_stmt *stmt;
	/* AUTOINCREMENT: the numbers follow each other, so this is no scan. */
	int err = store_prepare(s,
	                        "DELETE FROM audit WHERE (?1 > 0 AND id <= "
	                        "(SELECT coalesce(max(id), 0) FROM audit) - ?1) "
	                        "OR (?2 > 0 AND at < ?3 - ?2)",
	                        &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, max_rows);
	sqlite3_bind_int64(stmt, 2, max_age_s);
	sqlite3_bind_int64(stmt, 3, store_now_s(s));
	return store_run(s, stmt, "pruning the audit", why);
}
