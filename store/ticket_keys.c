/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keys of tickets.
 */
#include "store/internal.h"
#include "store/name.h"
#include "store/ticket_key.h"

#include <inttypes.h>
#include <string.h>

#define LIVE "(NOT dead AND (retired_at IS NULL OR retired_at > ?1))"

static int check_room(struct store *s, struct why *why)
{
	sqlite3_stmt *stmt;
	int n, err = store_prepare(s, "SELECT count(*) FROM ticket_key WHERE " LIVE, &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, store_now_s(s));
	if (sqlite3_step(stmt) != SQLITE_ROW)
		err = store_fail(s, "reading the keys of tickets", why);
	n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	if (!err && n >= STORE_TICKET_KEYS_MAX)
		err = why_set(
		    why, -E_LIMIT,
		    "%d ticket keys are live already: retire one first, see ticket-key list", n);
	return err;
}

static int insert(struct store *s, const struct store_ticket_key *key, const char *jwk, int64_t *id,
                  struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_prepare(
	    s,
	    "INSERT INTO ticket_key (kid, alg, signs, jwk, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
	    &stmt, why);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, key->kid, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, key->alg, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 3, key->signs);
	sqlite3_bind_text(stmt, 4, jwk, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 5, store_now_s(s));
	err = store_run(s, stmt, "adding the ticket key", why);
	if (err && sqlite3_errcode(s->db) == SQLITE_CONSTRAINT_UNIQUE)
		err = why_set(why, -E_EXISTS,
		              "a ticket key here has or had the kid \"%s\": choose another",
		              key->kid);
	if (!err)
		*id = sqlite3_last_insert_rowid(s->db);
	return err;
}

int store_ticket_key_add(struct store *s, const struct store_ticket_key *key, const char *jwk,
                         int64_t *id, struct why *why)
{
	int64_t made = 0;
	int err = shown_check(key->kid, 1, STORE_KID_MAX, "the kid", why);

	if (!err)
		err = text_check(key->alg, 1, STORE_ALG_MAX, "the alg", why);
	if (!err)
		err = text_check(jwk, 1, STORE_JWK_MAX, "the key", why);
	if (!err)
		err = store_act_begin(s, why);
	if (err)
		return err;
	err = check_room(s, why);
	if (!err)
		err = insert(s, key, jwk, &made, why);
	err = store_act_end(s, err, why, "ticket-key add", "ticket key %" PRId64 " (%s) %s", made,
	                    key->alg, key->kid);
	if (!err && id)
		*id = made;
	return err;
}

int store_ticket_key_retire(struct store *s, int64_t id, int64_t after_s, struct why *why)
{
	sqlite3_stmt *stmt;
	int err;

	if (after_s < 0 || after_s > STORE_AFTER_MAX_S)
		return why_set(why, -E_INVAL,
		               "a ticket key retires in 0 to %" PRId64 " seconds, not in %" PRId64,
		               (int64_t)STORE_AFTER_MAX_S, after_s);
	err = store_act_begin(s, why);
	if (err)
		return err;
	err = store_prepare(s,
	                    "UPDATE ticket_key SET retired_at = ?1 + ?3, dead = ?3 = 0, "
	                    "jwk = iif(?3 = 0, '', jwk) WHERE id = ?2 AND " LIVE,
	                    &stmt, why);
	if (!err) {
		sqlite3_bind_int64(stmt, 1, store_now_s(s));
		sqlite3_bind_int64(stmt, 2, id);
		sqlite3_bind_int64(stmt, 3, after_s);
		err = store_run(s, stmt, "retiring the ticket key", why);
	}
	if (!err && !sqlite3_changes(s->db))
		err = why_set(why, -E_NOTFOUND,
		              "there is no live ticket key %" PRId64 ": see ticket-key list", id);
	return store_act_end(s, err, why, "ticket-key retire",
	                     "ticket key %" PRId64 " in %" PRId64 " s", id, after_s);
}

int store_ticket_key_list(struct store *s,
                          int (*each)(void *ctx, const struct store_ticket_key *key), void *ctx,
                          struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE;
	int err = store_prepare(s,
	                        "SELECT id, created_at, coalesce(retired_at, 0), " LIVE ", signs, "
	                        "kid, alg FROM ticket_key ORDER BY id",
	                        &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, store_now_s(s));
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct store_ticket_key key = {
		    .id = sqlite3_column_int64(stmt, 0),
		    .created_at_s = sqlite3_column_int64(stmt, 1),
		    .retired_at_s = sqlite3_column_int64(stmt, 2),
		    .live = sqlite3_column_int(stmt, 3),
		    .signs = sqlite3_column_int(stmt, 4),
		    .kid = (const char *)sqlite3_column_text(stmt, 5),
		    .alg = (const char *)sqlite3_column_text(stmt, 6),
		};

		err = key.kid && key.alg
		          ? each(ctx, &key)
		          : why_set(why, -E_NOMEM, "listing ticket keys: out of memory");
	}
	if (!err && rc != SQLITE_DONE)
		err = store_fail(s, "listing ticket keys", why);
	sqlite3_finalize(stmt);
	return err;
}

int store_ticket_key_ever_made(struct store *s, bool *ever, struct why *why)
{
	int64_t n;
	int err = store_get_int(s, "SELECT count(*) FROM ticket_key", &n, why);

	if (!err)
		*ever = n > 0;
	return err;
}
