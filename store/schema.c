/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tables and how they came about. A released step is never edited: a
 * change is a new step at the end.
 */
#include "store/internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION_ID 0x54504b45 /* "TPKE": tells our files from other SQLite files */

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
		               "%s belongs to another program: point the data directory elsewhere",
		               s->path);
	if (version > newest)
		return why_set(why, -E_SCHEMA,
		               "%s has schema %" PRId64 ", this program knows schemas up to %d: "
		               "run the newer turnpike, or restore the backup beside it",
		               s->path, version, newest);
	return 0;
}

static int sync_dir(const char *path)
{
	char *copy = strdup(path);
	int fd, err;

	if (!copy)
		return -E_NOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -E_IO;
	err = fsync(fd) ? -E_IO : 0;
	close(fd);
	return err;
}

/* Copies what a reader sees now, so the transaction that calls this must not have written. */
static int backup(struct store *s, int64_t version, struct why *why)
{
	sqlite3 *from = NULL, *to = NULL;
	sqlite3_backup *job = NULL;
	char *path = NULL, *tmp = NULL;
	int fd, err = -E_NOMEM;

	if (asprintf(&path, "%s.v%" PRId64 ".bak", s->path, version) < 0)
		path = NULL;
	if (!path || asprintf(&tmp, "%s.tmp", path) < 0) {
		tmp = NULL;
		goto out;
	}
	err = -E_IO;
	unlink(tmp);
	fd = open(tmp, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		goto out;
	close(fd);
	if (sqlite3_open_v2(s->path, &from, SQLITE_OPEN_READONLY, NULL) ||
	    sqlite3_busy_timeout(from, s->options.busy_timeout_ms) ||
	    sqlite3_open_v2(tmp, &to, SQLITE_OPEN_READWRITE, NULL))
		goto out;
	job = sqlite3_backup_init(to, "main", from, "main");
	if (!job || sqlite3_backup_step(job, -1) != SQLITE_DONE)
		goto out;
	if (sqlite3_backup_finish(job)) {
		job = NULL;
		goto out;
	}
	job = NULL;
	if (sqlite3_close(to))
		goto out;
	to = NULL;
	if (!rename(tmp, path))
		err = sync_dir(path);
out:
	if (job)
		sqlite3_backup_finish(job);
	sqlite3_close(to);
	sqlite3_close(from);
	if (err) {
		if (tmp)
			unlink(tmp);
		why_set(why, err,
		        "cannot back up %s before migrating it: make room and let this user write "
		        "beside it",
		        s->path);
	}
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
