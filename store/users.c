/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TURN users: names, and the keys that RFC 8489 derives from their passwords.
 */
#include "store/internal.h"
#include "store/name.h"
#include "store/snapshot.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* RFC 8489 sections 9.2.2, 18.5.1.2 and 14.4. The strings were checked, so they fit. */
static int derive_keys(const char *realm, const char *name, const char *password,
                       struct store_keys *keys)
{
	char text[NAME_MAX_LEN + REALM_MAX_LEN + PASSWORD_MAX_LEN + 3];
	int hash_len, len;
	bool ok;

	hash_len = snprintf(text, sizeof(text), "%s:%s", name, realm);
	ok = EVP_Digest(text, (size_t)hash_len, keys->userhash, NULL, EVP_sha256(), NULL);
	len = snprintf(text, sizeof(text), "%s:%s:%s", name, realm, password);
	ok = ok && EVP_Digest(text, (size_t)len, keys->md5, NULL, EVP_md5(), NULL) &&
	     EVP_Digest(text, (size_t)len, keys->sha256, NULL, EVP_sha256(), NULL);
	OPENSSL_cleanse(text, sizeof(text));
	return ok ? 0 : -E_UNSUPPORTED;
}

int user_insert(struct store *s, const char *realm, const char *name, const struct store_keys *keys,
                const char *act, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_act_begin(s, why);

	if (err)
		return err;
	err = store_prepare(s,
	                    "INSERT INTO turn_user "
	                    "(realm, name, key_md5, key_sha256, userhash, created_at) "
	                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	                    &stmt, why);
	if (err)
		goto end;
	sqlite3_bind_text(stmt, 1, realm, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 3, keys->md5, sizeof(keys->md5), SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 4, keys->sha256, sizeof(keys->sha256), SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 5, keys->userhash, sizeof(keys->userhash), SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 6, store_now_s(s));
	err = store_run(s, stmt, "adding the user", why);
	if (err && sqlite3_errcode(s->db) == SQLITE_CONSTRAINT_PRIMARYKEY)
		err = why_set(why, -E_EXISTS,
		              "user \"%s\" exists already in realm \"%s\": delete it first, or "
		              "choose another name",
		              name, realm);
end:
	return store_act_end(s, err, why, act, "%s@%s", name, realm);
}

int store_user_add(struct store *s, const char *realm, const char *name, const char *password,
                   struct why *why)
{
	struct store_keys keys;
	int err;

	if ((err = realm_check(realm, why)) || (err = name_check(name, why)) ||
	    (err = text_check(password, 1, PASSWORD_MAX_LEN, "the password", why)))
		return err;
	err = derive_keys(realm, name, password, &keys);
	if (err)
		return why_set(why, err, "OpenSSL refuses MD5, but TURN's keys need it");
	err = user_insert(s, realm, name, &keys, "user add", why);
	OPENSSL_cleanse(&keys, sizeof(keys));
	return err;
}

static int not_there(const char *realm, const char *name, struct why *why)
{
	return why_set(why, -E_NOTFOUND, "there is no user \"%s\" in realm \"%s\": see user list",
	               name, realm);
}

int store_user_del(struct store *s, const char *realm, const char *name, struct why *why)
{
	sqlite3_stmt *stmt;
	int err;

	if ((err = text_check(realm, 1, REALM_MAX_LEN, "the realm", why)) ||
	    (err = name_check_known(name, why)) || (err = store_act_begin(s, why)))
		return err;
	err = store_prepare(s, "DELETE FROM turn_user WHERE realm = ?1 AND name = ?2", &stmt, why);
	if (!err) {
		sqlite3_bind_text(stmt, 1, realm, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
		err = store_run(s, stmt, "deleting the user", why);
	}
	if (!err && !sqlite3_changes(s->db))
		err = not_there(realm, name, why);
	return store_act_end(s, err, why, "user del", "%s@%s", name, realm);
}

int store_user_enable(struct store *s, const char *realm, const char *name, bool enabled,
                      struct why *why)
{
	sqlite3_stmt *stmt;
	int err;

	if ((err = text_check(realm, 1, REALM_MAX_LEN, "the realm", why)) ||
	    (err = name_check_known(name, why)) || (err = store_act_begin(s, why)))
		return err;
	err = store_prepare(s,
	                    "UPDATE turn_user SET disabled_at = "
	                    "CASE WHEN ?3 THEN NULL ELSE coalesce(disabled_at, ?4) END "
	                    "WHERE realm = ?1 AND name = ?2",
	                    &stmt, why);
	if (!err) {
		sqlite3_bind_text(stmt, 1, realm, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
		sqlite3_bind_int(stmt, 3, enabled);
		sqlite3_bind_int64(stmt, 4, store_now_s(s));
		err = store_run(s, stmt, "changing the user", why);
	}
	if (!err && !sqlite3_changes(s->db))
		err = not_there(realm, name, why);
	return store_act_end(s, err, why, enabled ? "user enable" : "user disable", "%s@%s", name,
	                     realm);
}

int store_user_list(struct store *s, const char *realm, const char *name,
                    int (*each)(void *ctx, const struct store_user *user), void *ctx,
                    struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE;
	int err = store_prepare(s,
	                        "SELECT realm, name, created_at, "
	                        "coalesce(disabled_at, 0) FROM turn_user "
	                        "WHERE (realm, name) > (?1, ?2) ORDER BY realm, name",
	                        &stmt, why);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, realm, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct store_user user = {
		    .realm = (const char *)sqlite3_column_text(stmt, 0),
		    .name = (const char *)sqlite3_column_text(stmt, 1),
		    .created_at_s = sqlite3_column_int64(stmt, 2),
		    .disabled_at_s = sqlite3_column_int64(stmt, 3),
		};

		if (!user.realm || !user.name)
			err = why_set(why, -E_NOMEM, "listing users: out of memory");
		else
			err = each(ctx, &user);
	}
	if (!err && rc != SQLITE_DONE)
		err = store_fail(s, "listing users", why);
	sqlite3_finalize(stmt);
	return err;
}

int store_make_password(char out[STORE_PASSWORD_STRLEN])
{
	return random_text(out, 24);
}
