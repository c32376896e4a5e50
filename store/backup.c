/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Backup and restore, by SQLite's own online copy.
 */
#include "store/backup.h"

#include "base/rights.h"
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COPY_WAIT_MS 20

int store_sync_dir(const char *path)
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

/* All in one step: it sees one state, and writers with WAL do not wait for readers. */
static int run_copy(sqlite3 *to, sqlite3 *from, int busy_timeout_ms)
{
	sqlite3_backup *job = sqlite3_backup_init(to, "main", from, "main");
	int rc, waited_ms = 0;

	if (!job)
		return -E_IO;
	while (((rc = sqlite3_backup_step(job, -1)) == SQLITE_BUSY || rc == SQLITE_LOCKED) &&
	       waited_ms < busy_timeout_ms) {
		sqlite3_sleep(COPY_WAIT_MS);
		waited_ms += COPY_WAIT_MS;
	}
	if (sqlite3_backup_finish(job) || rc != SQLITE_DONE)
		return rc == SQLITE_BUSY || rc == SQLITE_LOCKED      ? -E_TIMEOUT
		       : rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? -E_CORRUPT
		                                                     : -E_IO;
	return 0;
}

/* With all its files open, so that nothing is opened by name any more: one state of it is read from
 * now on. */
static int open_source(const char *from, int busy_timeout_ms, sqlite3 **in)
{
	return sqlite3_open_v2(from, in, SQLITE_OPEN_READONLY, NULL) ||
	               sqlite3_busy_timeout(*in, busy_timeout_ms) ||
	               sqlite3_exec(*in, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL,
	                            NULL)
	           ? -E_IO
	           : 0;
}

static int copy_into(const char *tmp, sqlite3 *in, bool give, int busy_timeout_ms)
{
	sqlite3 *out = NULL;
	int fd = open(tmp, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err = -E_IO;

	if (fd < 0)
		return errno == EEXIST ? -E_EXISTS : -E_IO;
	if (give)
		store_give(fd, tmp);
	close(fd);
	if (sqlite3_open_v2(tmp, &out, SQLITE_OPEN_READWRITE, NULL) ||
	    (err = run_copy(out, in, busy_timeout_ms)))
		goto out;
	/* One file, without a journal beside it; the switch also flushes it to the disk. */
	err = sqlite3_exec(out, "PRAGMA synchronous = FULL; PRAGMA journal_mode = DELETE", NULL,
	                   NULL, NULL)
	          ? -E_IO
	          : 0;
	if (!err && sqlite3_close(out))
		err = -E_IO;
	else if (!err)
		out = NULL;
out:
	sqlite3_close(out);
	return err;
}

int store_copy_file(const char *from, const char *tmp, enum store_copy way, int busy_timeout_ms)
{
	struct rights own = {geteuid(), getegid()};
	sqlite3 *in = NULL;
	int err, code;

	if (way == STORE_COPY_IN)
		rights_raise();
	err = open_source(from, busy_timeout_ms, &in);
	rights_lower(own);
	if (!err) {
		if (way == STORE_COPY_OUT)
			rights_raise();
		err = copy_into(tmp, in, way != STORE_COPY_OUT, busy_timeout_ms);
		rights_lower(own);
	} else if (in) {
		code = sqlite3_errcode(in) & 0xff;
		err = code == SQLITE_BUSY || code == SQLITE_LOCKED      ? -E_TIMEOUT
		      : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? -E_CORRUPT
		                                                        : -E_IO;
	}
	sqlite3_close(in);
	return err;
}

static int get_text(sqlite3 *db, const char *sql, char *out, size_t size)
{
	sqlite3_stmt *stmt;
	int err = -E_CORRUPT;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL))
		return -E_CORRUPT;
	if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0)) {
		snprintf(out, size, "%s", (const char *)sqlite3_column_text(stmt, 0));
		err = 0;
	}
	sqlite3_finalize(stmt);
	return err;
}

/* Whole, and ours. */
static int verify(const char *file, struct why *why)
{
	char text[200] = "unreadable", application[24] = "", version[24] = "";
	sqlite3 *db = NULL;
	int err = 0;

	if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL) ||
	    get_text(db, "PRAGMA application_id", application, sizeof(application)) ||
	    get_text(db, "PRAGMA user_version", version, sizeof(version)))
		err = why_set(why, -E_CORRUPT,
		              "%s cannot be read as a database (%s): choose another backup", file,
		              db ? sqlite3_errmsg(db) : "no memory");
	else if (strtoll(application, NULL, 10) != APPLICATION_ID || atoi(version) < 1)
		err = why_set(
		    why, -E_INVAL,
		    "%s is not a database of Turnpike: give a file that turnpike backup made",
		    file);
	else if (atoi(version) > schema_step_n)
		err =
		    why_set(why, -E_SCHEMA,
		            "%s has schema %s, this program knows schemas up to %d: run the newer "
		            "turnpike",
		            file, version, schema_step_n);
	else if (get_text(db, "PRAGMA integrity_check(1)", text, sizeof(text)) ||
	         strcmp(text, "ok") != 0 ||
	         !get_text(db, "PRAGMA foreign_key_check", text, sizeof(text)))
		err = why_set(why, -E_CORRUPT, "%s is damaged (%s): choose another backup", file,
		              text);
	sqlite3_close(db);
	return err;
}

static int explain_copy(int err, const char *from, const char *to, struct why *why)
{
	if (err == -E_TIMEOUT)
		return why_set(why, err, "%s is locked by another process: try again", from);
	if (err == -E_CORRUPT)
		return why_set(why, err, "%s is damaged: restore a backup", from);
	return why_set(why, err,
	               "cannot copy %s to %s (%s): make room there and let this user write to its "
	               "directory",
	               from, to, strerror(errno ? errno : EIO));
}

/* For a name that comes and goes beside file. */
static char *beside(const char *file, const char *suffix)
{
	char *name;

	return asprintf(&name, "%s.%s-%ld", file, suffix, (long)getpid()) < 0 ? NULL : name;
}

/* The copy has been checked: it gets its name. */
static int give_name(const char *tmp, const char *file, struct why *why)
{
	int err = verify(tmp, why);

	/* link() and not rename(): it never overwrites. */
	if (!err && link(tmp, file))
		err = why_set(why, errno == EEXIST ? -E_EXISTS : -E_IO,
		              "cannot give the backup its name %s: %s", file, strerror(errno));
	if (!err && store_sync_dir(file))
		err = why_set(why, -E_IO, "cannot flush the directory of %s to the disk", file);
	return err;
}

/* The file is the caller's: uses the caller's own rights, not the store owner's. */
int store_backup(struct store *s, const char *file, struct why *why)
{
	char *tmp = beside(file, "tmp");
	struct rights before;
	struct stat st;
	bool there;
	int err;

	if (!tmp)
		return why_set(why, -E_NOMEM, "backing up: out of memory");
	before = rights_raise();
	there = !lstat(file, &st);
	rights_lower(before);
	if (there) {
		err = why_set(why, -E_EXISTS, "%s exists already: choose another name", file);
		goto out;
	}
	errno = 0;
	err = store_copy_file(s->path, tmp, STORE_COPY_OUT, s->options.busy_timeout_ms);
	if (err == -E_EXISTS) {
		err = why_set(why, err, "%s is in the way: delete it", tmp);
		goto out;
	}
	if (err)
		explain_copy(err, s->path, file, why);
	before = rights_raise();
	if (!err)
		err = give_name(tmp, file, why);
	unlink(tmp);
	rights_lower(before);
out:
	free(tmp);
	return err;
}

/* Moves the journal into the file, so that the file is complete by itself. Fails for a damaged
 * store, whose journal then stays beside it. */
static bool settle(const char *path)
{
	sqlite3 *db = NULL;
	bool ok = !sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) &&
	          !sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);

	return !sqlite3_close(db) && ok;
}

/* A second name for what is there: until the new file takes the first, nothing is gone. */
static int keep(const char *path, char *kept, size_t kept_size, struct why *why)
{
	static const char *const suffixes[] = {"-wal", "-journal", ""};
	char when[32], from[4096], to[4096];
	time_t now = time(NULL);
	struct tm tm;

	*kept = 0;
	if (access(path, F_OK))
		return 0;
	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	settle(path);
	if ((size_t)snprintf(kept, kept_size, "%s.replaced-%s", path, when) >= kept_size)
		return why_set(why, -E_ROOM, "the path of %s is too long", path);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		snprintf(from, sizeof(from), "%s%s", path, suffixes[i]);
		snprintf(to, sizeof(to), "%s%s", kept, suffixes[i]);
		if (access(from, F_OK))
			continue;
		if (link(from, to))
			return why_set(why, error_from_errno(errno), "cannot keep %s as %s: %s",
			               from, to, strerror(errno));
	}
	return 0;
}

/* Deletes the old file's journals: the new file must not find them. */
static void drop_journals(const char *path)
{
	static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
	char name[4096];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

static int put_in_place(const char *file, const char *path, char *kept, size_t kept_size,
                        struct why *why)
{
	char *tmp = beside(path, "restore");
	int err;

	if (!tmp)
		return why_set(why, -E_NOMEM, "restoring: out of memory");
	unlink(tmp);
	errno = 0;
	err = store_copy_file(file, tmp, STORE_COPY_IN, 0);
	if (err)
		explain_copy(err, file, path, why);
	else
		err = verify(tmp, why);
	if (!err)
		err = keep(path, kept, kept_size, why);
	if (!err) {
		drop_journals(path);
		if (rename(tmp, path) || store_sync_dir(path))
			err = why_set(why, error_from_errno(errno), "cannot put %s in place: %s",
			              path, strerror(errno));
	}
	unlink(tmp);
	free(tmp);
	return err;
}

int store_restore(const char *dir, const char *file, const char *actor, char *kept,
                  size_t kept_size, struct why *why)
{
	struct rights before;
	char *path = NULL;
	struct store *s;
	int err, lock = -1;

	*kept = 0;
	before = rights_raise();
	if (euidaccess(file, R_OK))
		err = why_set(why, error_from_errno(errno), "cannot read %s: %s", file,
		              strerror(errno));
	else
		err = verify(file, why);
	rights_lower(before);
	if (err)
		return err;
	if (mkdir(dir, 0700) && errno != EEXIST)
		return why_set(why, error_from_errno(errno), "cannot make %s: %s", dir,
		               strerror(errno));
	if (asprintf(&path, "%s/turnpike.db", dir) < 0)
		return why_set(why, -E_NOMEM, "restoring: out of memory");
	err = store_lock(path, true, &lock, why);
	if (!err) {
		err = put_in_place(file, path, kept, kept_size, why);
		close(lock);
	}
	free(path);
	if (err || (err = store_open(dir, NULL, &s, why)))
		return err;
	store_set_actor(s, actor);
	err = store_act_begin(s, why);
	if (!err)
		err = store_act_end(s, 0, why, "restore", "%s", file);
	store_close(s);
	return err;
}
