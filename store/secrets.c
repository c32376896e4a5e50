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

int store_secret_add(struct store *s, const char *value, char *made, int64_t *id, struct why *why)
{
	char random[STORE_SECRET_STRLEN];
	sqlite3_stmt *stmt;
	int err;

	if (value) {
		err = text_check(value, 1, SECRET_MAX_LEN, "the secret", why);
	} else {
		err = random_text(random, 32);
		if (err)
			why_set(why, err, "the system gives no random numbers");
		value = random;
	}
	if (err)
		return err;
	err = store_prepare(s, "INSERT INTO shared_secret (value, created_at) VALUES (?1, ?2)",
	                    &stmt, why);
	if (err)
		goto out;
	sqlite3_bind_text(stmt, 1, value, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, store_now_s(s));
	err = store_run(s, stmt, "adding the secret", why);
	if (err && sqlite3_errcode(s->db) == SQLITE_CONSTRAINT_UNIQUE)
		err = explain_duplicate(s, value, why);
	if (err)
		goto out;
	if (id)
		*id = sqlite3_last_insert_rowid(s->db);
	if (made)
		memcpy(made, value, strlen(value) + 1);
out:
	OPENSSL_cleanse(random, sizeof(random));
	return err;
}

int store_secret_retire(struct store *s, int64_t id, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_prepare(s,
	                        "UPDATE shared_secret SET retired_at = ?2 "
	                        "WHERE id = ?1 AND retired_at IS NULL",
	                        &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, store_now_s(s));
	err = store_run(s, stmt, "retiring the secret", why);
	if (!err && !sqlite3_changes(s->db))
		err = why_set(why, -E_NOTFOUND,
		              "there is no live secret %" PRId64 ": see secret list", id);
	return err;
}

int store_secret_list(struct store *s, int (*each)(void *ctx, const struct store_secret *secret),
                      void *ctx, struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE;
	int err = store_prepare(s,
	                        "SELECT id, created_at, coalesce(retired_at, 0) "
	                        "FROM shared_secret ORDER BY id",
	                        &stmt, why);

	if (err)
		return err;
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct store_secret secret = {
		    .id = sqlite3_column_int64(stmt, 0),
		    .created_at_s = sqlite3_column_int64(stmt, 1),
		    .retired_at_s = sqlite3_column_int64(stmt, 2),
		};

		err = each(ctx, &secret);
	}
	if (!err && rc != SQLITE_DONE)
		err = store_fail(s, "listing secrets", why);
	sqlite3_finalize(stmt);
	return err;
}
