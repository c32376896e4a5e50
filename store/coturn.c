/* SPDX-License-Identifier: BSD-3-Clause
 *
 * coturn's turndb.
 */
#include "store/coturn.h"

#include "store/internal.h"
#include "store/name.h"
#include "store/snapshot.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name, *columns;
} tables[] = {
    [COTURN_USER] = {"turnusers_lt", "realm, name, hmackey"},
    [COTURN_SECRET] = {"turn_secret", "realm, value, ''"},
    [COTURN_ALLOWED] = {"allowed_peer_ip", "realm, ip_range, ''"},
    [COTURN_DENIED] = {"denied_peer_ip", "realm, ip_range, ''"},
    [COTURN_ORIGIN] = {"turn_origin_to_realm", "realm, origin, ''"},
    [COTURN_REALM_OPTION] = {"turn_realm_option", "realm, opt, value"},
    [COTURN_OAUTH] = {"oauth_key", "realm, kid, ikm_key"},
    [COTURN_ADMIN] = {"admin_user", "realm, name, ''"},
};

static int fail(sqlite3 *db, const char *path, struct why *why)
{
	int code = sqlite3_errcode(db);

	if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
		return why_set(why, -E_CORRUPT, "%s is not a SQLite database, or is damaged", path);
	return why_set(why, code == SQLITE_CANTOPEN ? -E_DENIED : -E_IO, "reading %s: %s", path,
	               sqlite3_errmsg(db));
}

static int has_table(sqlite3 *db, const char *path, const char *name, bool *has, struct why *why)
{
	sqlite3_stmt *stmt;
	int rc;

	if (sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1",
	                       -1, &stmt, NULL))
		return fail(db, path, why);
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	rc = sqlite3_step(stmt);
	*has = rc == SQLITE_ROW;
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : fail(db, path, why);
}

static int read_table(sqlite3 *db, const char *path, enum coturn_table table,
                      int (*row)(void *, enum coturn_table, const char *const *), void *ctx,
                      struct why *why)
{
	char sql[128];
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE, r = 0;

	snprintf(sql, sizeof(sql), "SELECT %s FROM %s", tables[table].columns, tables[table].name);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL))
		return fail(db, path, why);
	while (!r && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *v[COTURN_COLUMNS];

		for (int i = 0; i < COTURN_COLUMNS; i++) {
			v[i] = (const char *)sqlite3_column_text(stmt, i);
			if (!v[i])
				v[i] = "";
		}
		r = row(ctx, table, v);
	}
	if (!r && rc != SQLITE_DONE)
		r = fail(db, path, why);
	sqlite3_finalize(stmt);
	return r;
}

int coturn_db_read(const char *path,
                   int (*row)(void *ctx, enum coturn_table table,
                              const char *const v[COTURN_COLUMNS]),
                   void *ctx, struct why *why)
{
	sqlite3 *db = NULL;
	bool any = false;
	int r = 0;

	if (access(path, R_OK))
		return why_set(why, error_from_errno(errno),
		               "cannot read %s: %s: correct --userdb, or run this as root", path,
		               strerror(errno));
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL))
		r = fail(db, path, why);
	for (size_t i = 0; !r && i < sizeof(tables) / sizeof(*tables); i++) {
		bool has = false;

		r = has_table(db, path, tables[i].name, &has, why);
		if (r || !has)
			continue;
		any = true;
		r = read_table(db, path, (enum coturn_table)i, row, ctx, why);
	}
	if (!r && !any)
		r = why_set(why, -E_INVAL, "%s has none of coturn's tables: correct --userdb",
		            path);
	sqlite3_close(db);
	return r;
}

int store_user_add_md5(struct store *s, const char *realm, const char *name, const uint8_t md5[16],
                       struct why *why)
{
	char text[NAME_MAX_LEN + REALM_MAX_LEN + 2];
	struct store_keys keys;
	int len, err;

	if ((err = realm_check(realm, why)) || (err = name_check(name, why)))
		return err;
	len = snprintf(text, sizeof(text), "%s:%s", name, realm);
	/* An unknown key: every request for SHA-256 is refused. */
	if (RAND_bytes(keys.sha256, sizeof(keys.sha256)) != 1 ||
	    !EVP_Digest(text, (size_t)len, keys.userhash, NULL, EVP_sha256(), NULL))
		return why_set(why, -E_IO, "adding the user: OpenSSL failed");
	memcpy(keys.md5, md5, sizeof(keys.md5));
	return user_insert(s, realm, name, &keys, "user import", why);
}
