/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared secrets: several are live at once, so that they can be rotated
 * without refusing the credentials that were issued before.
 */
#include "store/internal.h"
#include "store/name.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

static int explain_duplicate(struct store *s, const char *value, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_prepare(s, "SELECT id, retired_at FROM shared_secret WHERE value = ?1",
	                        &stmt, why);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, value, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		why_set(why, -E_EXISTS, "secret %lld already has this value%s: choose another",
		        (long long)sqlite3_column_int64(stmt, 0),
		        sqlite3_column_int64(stmt, 1) ? " and is retired" : "");
	else
		why_set(why, -E_EXISTS, "a secret with this value exists: choose another");
	sqlite3_finalize(stmt);
	return -E_EXISTS;
}

#define LIVE "(NOT dead AND (retired_at IS NULL OR retired_at > ?1))"

static int check_room(struct store *s, struct why *why)
{
	sqlite3_stmt *stmt;
	int n, err = store_prepare(s, "SELECT count(*) FROM shared_secret WHERE " LIVE, &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, store_now_s(s));
	if (sqlite3_step(stmt) != SQLITE_ROW)
		err = store_fail(s, "reading the secrets", why);
	n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	if (!err && n >= STORE_SECRETS_MAX)
		err = why_set(why, -E_LIMIT,
		              "%d secrets are live already: retire one first, see secret list", n);
	return err;
}

int store_secret_may_add(struct store *s, const char *value, struct why *why)
{
	sqlite3_stmt *stmt;
	bool there;
	int err = text_check(value, 1, SECRET_MAX_LEN, "the secret", why);

	if (!err)
		err = store_prepare(s, "SELECT 1 FROM shared_secret WHERE value = ?1", &stmt, why);
	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, value, -1, SQLITE_STATIC);
	there = sqlite3_step(stmt) == SQLITE_ROW;
	sqlite3_finalize(stmt);
	return there ? explain_duplicate(s, value, why) : check_room(s, why);
}

int store_secret_add(struct store *s, const char *value, char *made, int64_t *id, struct why *why)
{
	char random[STORE_SECRET_STRLEN];
	sqlite3_stmt *stmt;
	int64_t made_id = 0;
	int err;

	if (value) {
		err = text_check(value, 1, SECRET_MAX_LEN, "the secret", why);
	} else {
		err = random_text(random, 32);
		if (err)
			why_set(why, err, "the system provides no random numbers");
		value = random;
	}
	if (err)
		return err;
	err = store_act_begin(s, why);
	if (err)
		goto out;
	err = check_room(s, why);
	if (!err)
		err = store_prepare(
		    s, "INSERT INTO shared_secret (value, created_at) VALUES (?1, ?2)", &stmt, why);
	if (err)
		goto end;
	sqlite3_bind_text(stmt, 1, value, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, store_now_s(s));
	err = store_run(s, stmt, "adding the secret", why);
	if (err && sqlite3_errcode(s->db) == SQLITE_CONSTRAINT_UNIQUE)
		err = explain_duplicate(s, value, why);
	if (!err)
		made_id = sqlite3_last_insert_rowid(s->db);
end:
	err = store_act_end(s, err, why, "secret add", "secret %" PRId64, made_id);
	if (err)
		goto out;
	if (id)
		*id = made_id;
	if (made)
		memcpy(made, value, strlen(value) + 1);
out:
	OPENSSL_cleanse(random, sizeof(random));
	return err;
}

int store_secret_retire(struct store *s, int64_t id, int64_t after_s, struct why *why)
{
	sqlite3_stmt *stmt;
	int err;

	if (after_s < 0 || after_s > STORE_AFTER_MAX_S)
		return why_set(why, -E_INVAL,
		               "a secret retires in 0 to %" PRId64 " seconds, not in %" PRId64,
		               (int64_t)STORE_AFTER_MAX_S, after_s);
	err = store_act_begin(s, why);
	if (err)
		return err;
	err = store_prepare(
	    s,
	    "UPDATE shared_secret SET retired_at = ?1 + ?3, dead = ?3 = 0 WHERE id = ?2 AND " LIVE,
	    &stmt, why);
	if (!err) {
		sqlite3_bind_int64(stmt, 1, store_now_s(s));
		sqlite3_bind_int64(stmt, 2, id);
		sqlite3_bind_int64(stmt, 3, after_s);
		err = store_run(s, stmt, "retiring the secret", why);
	}
	if (!err && !sqlite3_changes(s->db))
		err = why_set(why, -E_NOTFOUND,
		              "there is no live secret %" PRId64 ": see secret list", id);
	return store_act_end(s, err, why, "secret retire", "secret %" PRId64 " in %" PRId64 " s",
	                     id, after_s);
}

int store_secret_end(struct store *s, int64_t id, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_act_begin(s, why);

	if (err)
		return err;
	err = store_prepare(s,
	                    "UPDATE shared_secret SET dead = 1, ended = 1, "
	                    "retired_at = min(coalesce(retired_at, ?1), ?1) WHERE id = ?2",
	                    &stmt, why);
	if (!err) {
		sqlite3_bind_int64(stmt, 1, store_now_s(s));
		sqlite3_bind_int64(stmt, 2, id);
		err = store_run(s, stmt, "ending the secret", why);
	}
	if (!err && !sqlite3_changes(s->db))
		err = why_set(why, -E_NOTFOUND,
		              "there is no secret %" PRId64 " and there never was: see secret list",
		              id);
	return store_act_end(s, err, why, "secret retire",
	                     "secret %" PRId64 " now, and what lives on it", id);
}

int store_secret_list(struct store *s, int (*each)(void *ctx, const struct store_secret *secret),
                      void *ctx, struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE;
	int err = store_prepare(s,
	                        "SELECT id, created_at, coalesce(retired_at, 0), " LIVE ", ended "
	                        "FROM shared_secret ORDER BY id",
	                        &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, store_now_s(s));
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct store_secret secret = {
		    .id = sqlite3_column_int64(stmt, 0),
		    .created_at_s = sqlite3_column_int64(stmt, 1),
		    .retired_at_s = sqlite3_column_int64(stmt, 2),
		    .live = sqlite3_column_int(stmt, 3),
		    .ended = sqlite3_column_int(stmt, 4),
		};

		err = each(ctx, &secret);
	}
	if (!err && rc != SQLITE_DONE)
		err = store_fail(s, "listing secrets", why);
	sqlite3_finalize(stmt);
	return err;
}
