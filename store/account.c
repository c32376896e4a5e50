/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Accounts. Argon2id is what makes a stolen file useless, and what makes this
 * slow.
 */
#include "store/account.h"

#include "store/internal.h"
#include "store/name.h"

#include <openssl/crypto.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* A hash to compare with when there is no such account: of a password that nobody knows. */
static const char nobody[crypto_pwhash_STRBYTES] =
    "$argon2id$v=19$m=65536,t=2,p=1$BqxJYl0c3eHgaFEMWENvdA"
    "$x57NJBoTfORqX8qsXyspgu/+hJ83mOEslPGxT1IMQPY";

const char *store_role_text(enum store_role role)
{
	return role == STORE_ROLE_ADMIN ? "admin" : "user";
}

int account_password_check(const char *password, struct why *why)
{
	return text_check(password, ACCOUNT_PASSWORD_MIN, PASSWORD_MAX_LEN, "the password", why);
}

static int hash_password(const char *password, char out[crypto_pwhash_STRBYTES], struct why *why)
{
	int err = account_password_check(password, why);

	if (err)
		return err;
	if (sodium_init() < 0 ||
	    crypto_pwhash_str(out, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
	                      crypto_pwhash_MEMLIMIT_INTERACTIVE))
		return why_set(why, -E_NOMEM,
		               "hashing the password: out of memory (it takes 64 MiB)");
	return 0;
}

int store_account_add(struct store *s, const char *name, const char *password, enum store_role role,
                      struct why *why)
{
	char hash[crypto_pwhash_STRBYTES];
	sqlite3_stmt *stmt;
	int err = shown_check(name, 1, NAME_MAX_LEN, "the account's name", why);

	if (err || (err = hash_password(password, hash, why)) || (err = store_act_begin(s, why)))
		return err;
	err = store_prepare(s,
	                    "INSERT INTO account (name, password, role, created_at, password_at) "
	                    "VALUES (?1, ?2, ?3, ?4, ?4)",
	                    &stmt, why);
	if (!err) {
		sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, hash, -1, SQLITE_STATIC);
		sqlite3_bind_int(stmt, 3, role);
		sqlite3_bind_int64(stmt, 4, store_now_s(s));
		err = store_run(s, stmt, "adding the account", why);
		if (err && sqlite3_extended_errcode(s->db) == SQLITE_CONSTRAINT_PRIMARYKEY)
			err = why_set(why, -E_EXISTS,
			              "account \"%s\" exists already: choose another name, or "
			              "delete it first",
			              name);
	}
	return store_act_end(s, err, why, "account add", "%s (%s)", name, store_role_text(role));
}

static int not_there(const char *name, struct why *why)
{
	return why_set(why, -E_NOTFOUND, "there is no account \"%.*s\": see account list",
	               NAME_MAX_LEN, name);
}

/* Refuses to lose the last account of role admin. */
static int check_admin_left(struct store *s, const char *name, struct why *why)
{
	sqlite3_stmt *stmt;
	int rc, err = store_prepare(s,
	                            "SELECT 1 FROM account WHERE name = ?1 AND role = ?2 AND NOT "
	                            "EXISTS (SELECT 1 FROM account WHERE name <> ?1 AND role = ?2)",
	                            &stmt, why);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 2, STORE_ROLE_ADMIN);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		err = why_set(why, -E_LIMIT,
		              "\"%.*s\" is the last account of role admin: add another first, or "
		              "delete it on the server's host with turnpike account del",
		              NAME_MAX_LEN, name);
	else if (rc != SQLITE_DONE)
		err = store_fail(s, "reading the accounts", why);
	sqlite3_finalize(stmt);
	return err;
}

int store_account_del(struct store *s, const char *name, bool keep_admin, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = text_check(name, 1, NAME_MAX_LEN, "the account's name", why);

	if (err || (err = store_act_begin(s, why)))
		return err;
	if (keep_admin)
		err = check_admin_left(s, name, why);
	if (!err)
		err = store_prepare(s, "DELETE FROM account WHERE name = ?1", &stmt, why);
	if (!err) {
		sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
		err = store_run(s, stmt, "deleting the account", why);
	}
	if (!err && !sqlite3_changes(s->db))
		err = not_there(name, why);
	return store_act_end(s, err, why, "account del", "%s", name);
}

int store_account_set_password(struct store *s, const char *name, const char *password,
                               struct why *why)
{
	char hash[crypto_pwhash_STRBYTES];
	sqlite3_stmt *stmt;
	int err = text_check(name, 1, NAME_MAX_LEN, "the account's name", why);

	if (err || (err = hash_password(password, hash, why)) || (err = store_act_begin(s, why)))
		return err;
	err = store_prepare(s,
	                    "UPDATE account SET password = ?2, password_at = MAX(?3, password_at + "
	                    "1) WHERE name = ?1",
	                    &stmt, why);
	if (!err) {
		sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, hash, -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 3, store_now_s(s));
		err = store_run(s, stmt, "setting the password", why);
	}
	if (!err && !sqlite3_changes(s->db))
		err = not_there(name, why);
	return store_act_end(s, err, why, "account password", "%s", name);
}

/* Copies what is kept; -E_NOTFOUND. */
static int get(struct store *s, const char *name, char *hash, enum store_role *role,
               int64_t *password_at_s, struct why *why)
{
	sqlite3_stmt *stmt;
	const char *text;
	int rc,
	    err = store_prepare(
	        s, "SELECT password, role, password_at FROM account WHERE name = ?1", &stmt, why);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW && (text = (const char *)sqlite3_column_text(stmt, 0))) {
		if (hash)
			snprintf(hash, crypto_pwhash_STRBYTES, "%s", text);
		*role = sqlite3_column_int(stmt, 1) ? STORE_ROLE_ADMIN : STORE_ROLE_USER;
		*password_at_s = sqlite3_column_int64(stmt, 2);
	} else {
		err = rc == SQLITE_DONE ? not_there(name, why)
		                        : store_fail(s, "reading the account", why);
	}
	sqlite3_finalize(stmt);
	return err;
}

int store_account_mark(struct store *s, const char *name, uint8_t mark[ACCOUNT_MARK_LEN],
                       struct why *why)
{
	char hash[crypto_pwhash_STRBYTES];
	uint8_t digest[STORE_HASH_LEN];
	enum store_role role;
	int64_t at_s;
	int err = get(s, name, hash, &role, &at_s, why);

	if (!err)
		err = token_hash(hash, strlen(hash), digest);
	if (!err)
		memcpy(mark, digest, ACCOUNT_MARK_LEN);
	OPENSSL_cleanse(hash, sizeof(hash));
	return err;
}

int store_account_check(struct store *s, const char *name, const char *password,
                        enum store_role *role, struct why *why)
{
	char hash[crypto_pwhash_STRBYTES];
	enum store_role found = STORE_ROLE_USER;
	int64_t at_s;
	int err = get(s, name, hash, &found, &at_s, why);
	bool same;

	if (err && err != -E_NOTFOUND)
		return err;
	if (sodium_init() < 0)
		return why_set(why, -E_NOMEM,
		               "cannot check the password: libsodium does not start");
	/* The time taken must not show which accounts exist. */
	same = strlen(password) <= PASSWORD_MAX_LEN &&
	       !crypto_pwhash_str_verify(err ? nobody : hash, password, strlen(password));
	OPENSSL_cleanse(hash, sizeof(hash));
	if (err || !same)
		return why_set(why, -E_DENIED, "the account or its password is wrong");
	if (role)
		*role = found;
	return 0;
}

int store_account_get(struct store *s, const char *name, enum store_role *role,
                      int64_t *password_at_s, struct why *why)
{
	return get(s, name, NULL, role, password_at_s, why);
}

int store_account_list(struct store *s, int (*each)(void *ctx, const struct store_account *account),
                       void *ctx, struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE;
	int err = store_prepare(
	    s, "SELECT name, role, created_at, password_at FROM account ORDER BY name", &stmt, why);

	if (err)
		return err;
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct store_account account = {
		    .name = (const char *)sqlite3_column_text(stmt, 0),
		    .role = sqlite3_column_int(stmt, 1) ? STORE_ROLE_ADMIN : STORE_ROLE_USER,
		    .created_at_s = sqlite3_column_int64(stmt, 2),
		    .password_at_s = sqlite3_column_int64(stmt, 3),
		};

		if (!account.name)
			err = why_set(why, -E_NOMEM, "listing accounts: out of memory");
		else
			err = each(ctx, &account);
	}
	if (!err && rc != SQLITE_DONE)
		err = store_fail(s, "listing accounts", why);
	sqlite3_finalize(stmt);
	return err;
}
