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

static const char *const scope_names[] = {"issue", "metrics", "admin", "ticket"};
#define SCOPE_N (sizeof(scope_names) / sizeof(*scope_names))

int store_scopes_parse(const char *text, unsigned *scopes, struct why *why)
{
	unsigned found = 0;
	size_t len, i;

	for (const char *at = text;; at += len + 1) {
		len = strcspn(at, ",");
		for (i = 0; i < SCOPE_N; i++)
			if (len == strlen(scope_names[i]) && !memcmp(at, scope_names[i], len))
				break;
		if (i == SCOPE_N)
			return why_set(why, -E_INVAL,
			               "\"%.*s\" is not a scope: write issue, metrics, ticket or "
			               "admin, or several of them separated by commas",
			               (int)(len < 64 ? len : 64), at);
		found |= 1u << i;
		if (!at[len])
			break;
	}
	*scopes = found;
	return 0;
}

const char *store_scopes_text(unsigned scopes, char buf[STORE_SCOPES_STRLEN])
{
	size_t at = 0;

	*buf = 0;
	for (size_t i = 0; i < SCOPE_N; i++)
		if (scopes & 1u << i)
			at += (size_t)snprintf(buf + at, STORE_SCOPES_STRLEN - at, "%s%s",
			                       at ? "," : "", scope_names[i]);
	return buf;
}

static int check_token(const struct store *s, const char *label, unsigned scopes,
                       int64_t expires_at_s, struct why *why)
{
	int err = shown_check(label, 0, LABEL_MAX_LEN, "the label", why);

	if (!err && (!scopes || scopes & ~(unsigned)STORE_SCOPES))
		err = why_set(why, -E_INVAL,
		              "a token needs a scope: issue, metrics, ticket or admin");
	if (!err && expires_at_s && expires_at_s <= store_now_s(s))
		err = why_set(why, -E_INVAL, "a token cannot expire in the past");
	return err;
}

static int insert(struct store *s, const char *label, unsigned scopes, int64_t expires_at_s,
                  const uint8_t hash[STORE_HASH_LEN], int64_t *id, struct why *why)
{
	char text[STORE_SCOPES_STRLEN];
	sqlite3_stmt *stmt;
	int64_t made = 0;
	int err = store_act_begin(s, why);

	if (err)
		return err;
	err = store_prepare(s,
	                    "INSERT INTO api_token (hash, label, created_at, scopes, expires_at) "
	                    "VALUES (?1, ?2, ?3, ?4, nullif(?5, 0))",
	                    &stmt, why);
	if (!err) {
		sqlite3_bind_blob(stmt, 1, hash, STORE_HASH_LEN, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, label, -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 3, store_now_s(s));
		sqlite3_bind_int64(stmt, 4, scopes);
		sqlite3_bind_int64(stmt, 5, expires_at_s);
		err = store_run(s, stmt, "adding the token", why);
		made = sqlite3_last_insert_rowid(s->db);
	}
	err = store_act_end(s, err, why, "token add", "token %" PRId64 " (%s) %s", made,
	                    store_scopes_text(scopes, text), label);
	if (!err && id)
		*id = made;
	return err;
}

int store_token_add(struct store *s, const char *label, unsigned scopes, int64_t expires_at_s,
                    char token[STORE_TOKEN_STRLEN], int64_t *id, struct why *why)
{
	char text[STORE_TOKEN_STRLEN] = "tp_";
	uint8_t hash[STORE_HASH_LEN];
	int err = check_token(s, label, scopes, expires_at_s, why);

	if (err)
		return err;
	if ((err = random_text(text + 3, 32)) || (err = token_hash(text, strlen(text), hash)))
		return why_set(why, err, "cannot make a token: %s", error_text(err));
	err = insert(s, label, scopes, expires_at_s, hash, id, why);
	if (!err)
		memcpy(token, text, sizeof(text));
	OPENSSL_cleanse(text, sizeof(text));
	return err;
}

int store_token_del(struct store *s, int64_t id, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_act_begin(s, why);

	if (err)
		return err;
	err = store_prepare(s, "DELETE FROM api_token WHERE id = ?1", &stmt, why);
	if (!err) {
		sqlite3_bind_int64(stmt, 1, id);
		err = store_run(s, stmt, "deleting the token", why);
	}
	if (!err && !sqlite3_changes(s->db))
		err =
		    why_set(why, -E_NOTFOUND, "there is no token %" PRId64 ": see token list", id);
	return store_act_end(s, err, why, "token del", "token %" PRId64, id);
}

int store_token_used(struct store *s, int64_t id, int64_t when_s, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_prepare(s,
	                        "UPDATE api_token SET last_used_at = ?2 "
	                        "WHERE id = ?1 AND coalesce(last_used_at, 0) <= ?2 - ?3",
	                        &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, when_s);
	sqlite3_bind_int64(stmt, 3, STORE_LAST_USED_S);
	return store_run(s, stmt, "noting the use of a token", why);
}

int store_token_list(struct store *s, int (*each)(void *ctx, const struct store_token *token),
                     void *ctx, struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE;
	int err = store_prepare(s,
	                        "SELECT id, created_at, label, scopes, coalesce(expires_at, 0), "
	                        "coalesce(last_used_at, 0) FROM api_token ORDER BY id",
	                        &stmt, why);

	if (err)
		return err;
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct store_token token = {
		    .id = sqlite3_column_int64(stmt, 0),
		    .created_at_s = sqlite3_column_int64(stmt, 1),
		    .label = (const char *)sqlite3_column_text(stmt, 2),
		    .scopes = (unsigned)sqlite3_column_int(stmt, 3),
		    .expires_at_s = sqlite3_column_int64(stmt, 4),
		    .last_used_at_s = sqlite3_column_int64(stmt, 5),
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
