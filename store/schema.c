/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tables and how they came about. A released step is never edited: a
 * change is a new step at the end.
 */
#include "store/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct schema_step schema_steps[] = {
    {
        "CREATE TABLE turn_user ("
        "	realm TEXT NOT NULL,"
        "	name TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),"
        "	key_md5 BLOB NOT NULL CHECK (length(key_md5) = 16),"
        "	key_sha256 BLOB NOT NULL CHECK (length(key_sha256) = 32),"
        "	userhash BLOB NOT NULL CHECK (length(userhash) = 32),"
        "	created_at INTEGER NOT NULL,"
        "	PRIMARY KEY (realm, name)"
        ") STRICT, WITHOUT ROWID;"
        /* AUTOINCREMENT: a number is never given twice, so "retire 3" means one secret. */
        "CREATE TABLE shared_secret ("
        "	id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "	value TEXT NOT NULL UNIQUE,"
        "	created_at INTEGER NOT NULL,"
        "	retired_at INTEGER"
        ") STRICT;"
        "CREATE TABLE api_token ("
        "	id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "	hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"
        "	label TEXT NOT NULL,"
        "	created_at INTEGER NOT NULL"
        ") STRICT;",
    },
    {
        /* Counts the changes of what snapshots hold: usage and audit are none. */
        "CREATE TABLE store_state ("
        "	id INTEGER PRIMARY KEY CHECK (id = 1),"
        "	generation INTEGER NOT NULL"
        ") STRICT;"
        "INSERT INTO store_state VALUES (1, 1);"
        "ALTER TABLE turn_user ADD COLUMN disabled_at INTEGER;"
        /* Retired at once, and for good, whatever the clock says later. */
        "ALTER TABLE shared_secret ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;"
        "UPDATE shared_secret SET dead = 1 WHERE retired_at IS NOT NULL;"
        /* The earlier tokens' rights: STORE_SCOPE_ISSUE and _METRICS. */
        "ALTER TABLE api_token ADD COLUMN scopes INTEGER NOT NULL DEFAULT 3;"
        "ALTER TABLE api_token ADD COLUMN expires_at INTEGER;"
        "ALTER TABLE api_token ADD COLUMN last_used_at INTEGER;"
        "CREATE TABLE account ("
        "	name TEXT PRIMARY KEY,"
        "	password TEXT NOT NULL,"
        "	role INTEGER NOT NULL CHECK (role IN (0, 1)),"
        "	created_at INTEGER NOT NULL,"
        "	password_at INTEGER NOT NULL"
        ") STRICT, WITHOUT ROWID;"
        /* what: enum store_revoked */
        "CREATE TABLE revocation ("
        "	what INTEGER NOT NULL CHECK (what IN (0, 1)),"
        "	name TEXT NOT NULL,"
        "	revoked_at INTEGER NOT NULL,"
        "	until INTEGER NOT NULL,"
        "	PRIMARY KEY (what, name)"
        ") STRICT, WITHOUT ROWID;"
        /* Credentials issued to a user after the revocation of all earlier ones. */
        "CREATE TABLE reissued ("
        "	username TEXT PRIMARY KEY,"
        "	until INTEGER NOT NULL"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE usage ("
        "	day INTEGER NOT NULL,"
        "	user TEXT NOT NULL,"
        "	allocations INTEGER NOT NULL,"
        "	sessions INTEGER NOT NULL,"
        "	idle_allocations INTEGER NOT NULL,"
        "	allocated_ms INTEGER NOT NULL,"
        "	relayed_s INTEGER NOT NULL,"
        "	to_peer_packets INTEGER NOT NULL,"
        "	to_peer_bytes INTEGER NOT NULL,"
        "	to_client_packets INTEGER NOT NULL,"
        "	to_client_bytes INTEGER NOT NULL,"
        "	PRIMARY KEY (day, user)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE audit ("
        "	id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "	at INTEGER NOT NULL,"
        "	actor TEXT NOT NULL,"
        "	act TEXT NOT NULL,"
        "	object TEXT NOT NULL"
        ") STRICT;",
    },
    {
        /* Sessions on the secret also end, not only new ones are refused. */
        "ALTER TABLE shared_secret ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;",
    },
    {
        /* belief.h: until when the clock was believed last, and since when without a doubt. */
        "ALTER TABLE store_state ADD COLUMN believed_at INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE store_state ADD COLUMN believed_since INTEGER NOT NULL DEFAULT 0;",
    },
    {
        /* Rows are never deleted: a kid means one key for ever. jwk: '' once it is dead. */
        "CREATE TABLE ticket_key ("
        "	id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "	kid TEXT NOT NULL UNIQUE,"
        "	alg TEXT NOT NULL,"
        "	signs INTEGER NOT NULL CHECK (signs IN (0, 1)),"
        "	jwk TEXT NOT NULL,"
        "	created_at INTEGER NOT NULL,"
        "	retired_at INTEGER,"
        "	dead INTEGER NOT NULL DEFAULT 0"
        ") STRICT;",
    },
};
const int schema_step_n = sizeof(schema_steps) / sizeof(*schema_steps);

int schema_check(struct store *s, int newest, struct why *why)
{
	int64_t version = 0, application = 0, tables = 0;
	int err;

	/* One reading: another process may be filling the file between two. */
	err = store_exec(s, "BEGIN", why);
	if (err)
		return err;
	err = store_get_int(s, "PRAGMA user_version", &version, why);
	if (!err)
		err = store_get_int(s, "PRAGMA application_id", &application, why);
	if (!err)
		err = store_get_int(s, "SELECT count(*) FROM sqlite_schema", &tables, why);
	store_exec(s, "COMMIT", NULL);
	if (err)
		return err;
	if ((application && application != APPLICATION_ID) || (!application && (version || tables)))
		return why_set(why, -E_INVAL,
		               "%s belongs to another program: choose another data directory",
		               s->path);
	if (version > newest)
		return why_set(why, -E_SCHEMA,
		               "%s has schema %" PRId64 ", this program knows schemas up to %d: "
		               "run the newer turnpike, or restore the backup beside it",
		               s->path, version, newest);
	return 0;
}

int schema_is_newest(struct store *s, struct why *why)
{
	int64_t version = 0;
	int err = store_get_int(s, "PRAGMA user_version", &version, why);

	if (!err && version != schema_step_n)
		err = why_set(why, -E_STALE, "%s has schema %" PRId64 ": a start makes it %d",
		              s->path, version, schema_step_n);
	return err;
}

/* Copies what a reader sees now, so the transaction that calls this must not have written. */
static int backup(struct store *s, int64_t version, struct why *why)
{
	char *path = NULL, *tmp = NULL;
	int err = -E_NOMEM;

	if (asprintf(&path, "%s.v%" PRId64 ".bak", s->path, version) < 0)
		path = NULL;
	if (!path || asprintf(&tmp, "%s.tmp", path) < 0) {
		tmp = NULL;
		goto out;
	}
	unlink(tmp);
	err = store_copy_file(s->path, tmp, STORE_COPY_INSIDE, s->options.busy_timeout_ms);
	if (!err)
		err = rename(tmp, path) ? -E_IO : store_sync_dir(path);
	if (err)
		unlink(tmp);
out:
	if (err)
		why_set(why, err,
		        "cannot back up %s before migrating it: make room and let this user write "
		        "beside it",
		        s->path);
	free(tmp);
	free(path);
	return err;
}

static int step(struct store *s, const struct schema_step *step, int64_t version, struct why *why)
{
	char pragma[96];
	int err;

	err = store_exec(s, step->sql, why);
	if (err)
		return err;
	snprintf(pragma, sizeof(pragma),
	         "PRAGMA user_version = %" PRId64 "; PRAGMA application_id = %d", version + 1,
	         APPLICATION_ID);
	return store_exec(s, pragma, why);
}

int schema_migrate(struct store *s, const struct schema_step *steps, int n, struct why *why)
{
	bool backed_up = false;
	int64_t version = 0;
	int err;

	for (;;) {
		err = store_get_int(s, "PRAGMA user_version", &version, why);
		if (err || version >= n)
			return err;
		/* Another process may migrate at the same time: look again under the lock. */
		err = store_exec(s, "BEGIN IMMEDIATE", why);
		if (err)
			return err;
		err = store_get_int(s, "PRAGMA user_version", &version, why);
		if (!err && version < n) {
			if (version && !backed_up)
				err = backup(s, version, why);
			backed_up = true;
			if (!err)
				err = step(s, &steps[version], version, why);
		}
		if (!err)
			err = store_exec(s, "COMMIT", why);
		if (err) {
			store_exec(s, "ROLLBACK", NULL);
			return err;
		}
	}
}
