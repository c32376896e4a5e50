/* SPDX-License-Identifier: BSD-3-Clause
 *
 * API tokens. They carry 256 random bits, so a plain hash is enough to keep.
 */
#include "store/internal.h"
#include "store/name.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

int token_hash(const char *token, size_t len, uint8_t out[STORE_HASH_LEN])
{
	return EVP_Digest(token, len, out, NULL, EVP_sha256(), NULL) ? 0 : -E_NOMEM;
}

int store_token_add(struct store *s, const char *label, char token[STORE_TOKEN_STRLEN], int64_t *id,
                    struct why *why)
{
	char text[STORE_TOKEN_STRLEN] = "tp_";
	uint8_t hash[STORE_HASH_LEN];
	sqlite3_stmt *stmt;
	int err;

	err = text_check(label, 0, LABEL_MAX_LEN, "the label", why);
	if (err)
		return err;
	if ((err = random_text(text + 3, 32)) || (err = token_hash(text, strlen(text), hash)))
		return why_set(why, err, "cannot make a token: %s", error_text(err));
	err = store_prepare(
	    s, "INSERT INTO api_token (hash, label, created_at) VALUES (?1, ?2, ?3)", &stmt, why);
	if (err)
		goto out;
	sqlite3_bind_blob(stmt, 1, hash, sizeof(hash), SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, label, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 3, store_now_s(s));
	err = store_run(s, stmt, "adding the token", why);
	if (err)
		goto out;
	memcpy(token, text, sizeof(text));
	if (id)
		*id = sqlite3_last_insert_rowid(s->db);
out:
	OPENSSL_cleanse(text, sizeof(text));
	return err;
}

int store_token_del(struct store *s, int64_t id, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_prepare(s, "DELETE FROM api_token WHERE id = ?1", &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, id);
	err = store_run(s, stmt, "deleting the token", why);
	if (!err && !sqlite3_changes(s->db))
		err =
		    why_set(why, -E_NOTFOUND, "there is no token %" PRId64 ": see token list", id);
	return err;
}

int store_token_check(struct store *s, const char *token, struct why *why)
{
	uint8_t hash[STORE_HASH_LEN];
	sqlite3_stmt *stmt;
	bool found = false;
	int rc, err;

	err = token_hash(token, strlen(token), hash);
	if (!err)
		err = store_prepare(s, "SELECT hash FROM api_token", &stmt, why);
	if (err)
		return err;
	/* Every row is compared: an index lookup would tell how far the hash matched. */
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		if (sqlite3_column_bytes(stmt, 0) == sizeof(hash) &&
		    !CRYPTO_memcmp(sqlite3_column_blob(stmt, 0), hash, sizeof(hash)))
			found = true;
	if (rc != SQLITE_DONE)
		err = store_fail(s, "checking the token", why);
	else if (!found)
		err = why_set(why, -E_DENIED, "this token is not known: see token list");
	sqlite3_finalize(stmt);
	return err;
}

int store_token_list(struct store *s, int (*each)(void *ctx, const struct store_token *token),
                     void *ctx, struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE;
	int err =
	    store_prepare(s, "SELECT id, created_at, label FROM api_token ORDER BY id", &stmt, why);

	if (err)
		return err;
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct store_token token = {
		    .id = sqlite3_column_int64(stmt, 0),
		    .created_at_s = sqlite3_column_int64(stmt, 1),
		    .label = (const char *)sqlite3_column_text(stmt, 2),
		};

		if (!token.label)
			err = why_set(why, -E_NOMEM, "listing tokens: out of memory");
		else
			err = each(ctx, &token);
	}
	if (!err && rc != SQLITE_DONE)
		err = store_fail(s, "listing tokens", why);
	sqlite3_finalize(stmt);
	return err;
}

int store_token_ever_made(struct store *s, bool *ever, struct why *why)
{
	int64_t n;
	/* AUTOINCREMENT's own memory outlives the rows. */
	int err = store_get_int(
	    s, "SELECT count(*) FROM sqlite_sequence WHERE name = 'api_token' AND seq > 0", &n,
	    why);

	if (!err)
		*ever = n > 0;
	return err;
}
