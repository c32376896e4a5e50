/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Opening the store, and what its tables share.
 */
#include "base/wall.h"
#include "store/belief.h"
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000
#define BACK_S          2

int64_t store_now_s(const struct store *s)
{
	int64_t now_s = (int64_t)time(NULL);

	if (s->options.now_s)
		return s->options.now_s(s->options.now_ctx);
	return now_s > s->floor_s ? now_s : s->floor_s;
}

int store_fail(struct store *s, const char *doing, struct why *why)
{
	const char *detail = s->db ? sqlite3_errmsg(s->db) : "no memory";

	switch (s->db ? sqlite3_errcode(s->db) & 0xff : SQLITE_NOMEM) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return why_set(why, -E_TIMEOUT,
		               "%s: %s is locked by another process for more than %d ms: try "
		               "again, or end that process",
		               doing, s->path, s->options.busy_timeout_ms);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return why_set(why, -E_CORRUPT,
		               "%s: %s is damaged (%s): restore a backup, or move it away to start "
		               "afresh",
		               doing, s->path, detail);
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return why_set(why, -E_DENIED,
		               "%s: cannot open or write %s (%s): let this user write to it and to "
		               "its directory",
		               doing, s->path, detail);
	case SQLITE_NOMEM:
		return why_set(why, -E_NOMEM, "%s: out of memory", doing);
	case SQLITE_FULL:
		return why_set(why, -E_IO, "%s: the disk that holds %s is full: make room", doing,
		               s->path);
	default:
		return why_set(why, -E_IO, "%s: %s: %s", doing, s->path, detail);
	}
}

int store_prepare(struct store *s, const char *sql, sqlite3_stmt **out, struct why *why)
{
	if (sqlite3_prepare_v2(s->db, sql, -1, out, NULL))
		return store_fail(s, "reading the store", why);
	return 0;
}

int store_exec(struct store *s, const char *sql, struct why *why)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL))
		return store_fail(s, "writing the store", why);
	return 0;
}

int store_get_int(struct store *s, const char *sql, int64_t *out, struct why *why)
{
	sqlite3_stmt *stmt;
	int rc, err = store_prepare(s, sql, &stmt, why);

	if (err)
		return err;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	else if (rc == SQLITE_DONE)
		err = why_set(why, -E_NOTFOUND, "reading the store: no such row");
	else
		err = store_fail(s, "reading the store", why);
	sqlite3_finalize(stmt);
	return err;
}

int store_run(struct store *s, sqlite3_stmt *stmt, const char *doing, struct why *why)
{
	int rc, err = 0;

	do {
		rc = sqlite3_step(stmt);
	} while (rc == SQLITE_ROW);
	if (rc != SQLITE_DONE)
		err = store_fail(s, doing, why);
	sqlite3_finalize(stmt);
	return err;
}

int random_text(char *text, size_t bytes_len)
{
	uint8_t bytes[96];
	char padded[4 * sizeof(bytes) / 3 + 4];
	size_t n = 0;

	if (bytes_len > sizeof(bytes) || getrandom(bytes, bytes_len, 0) != (ssize_t)bytes_len)
		return -E_IO;
	EVP_EncodeBlock((unsigned char *)padded, bytes, (int)bytes_len);
	for (const char *p = padded; *p && *p != '='; p++)
		text[n++] = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	text[n] = 0;
	if (text[0] == '-') /* programs that are handed it would take it for a flag */
		text[0] = 'A';
	return 0;
}

void store_give(int fd, const char *path)
{
	char *copy = geteuid() ? NULL : strdup(path);
	struct stat st;

	if (copy && !stat(dirname(copy), &st) && st.st_uid && fchown(fd, st.st_uid, st.st_gid))
		(void)0; /* as on a file system that knows no owners: opening it will say */
	free(copy);
}

/*
 * SQLite would create the file with the umask's mode: so it is made here first. One that is there
 * is never opened here: close(2) would drop the POSIX locks of every handle that this process has
 * on it.
 */
static int make_file(struct store *s, const char *dir, struct why *why)
{
	struct stat st;
	int dir_fd, fd;

	if (!s->options.must_exist) {
		if (mkdir(dir, 0700) && errno != EEXIST)
			return why_set(
			    why, error_from_errno(errno),
			    "cannot make the data directory %s: %s: make it, or set data "
			    "to another one",
			    dir, strerror(errno));
		fd = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0) {
			store_give(fd, s->path);
			close(fd);
		} else if (errno != EEXIST)
			return why_set(why, error_from_errno(errno),
			               "cannot make %s: %s: let this user write to its directory",
			               s->path, strerror(errno));
	}
	/* Refuse a link: it may lead to another user's file. */
	if (lstat(s->path, &st))
		return why_set(why, error_from_errno(errno),
		               "cannot find %s: %s: set data to the directory of the server",
		               s->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return why_set(why, -E_INVAL, "%s is not a regular file: move it away", s->path);
	/* It holds password equivalents: no other user may read it, whatever mode a restore gave
	 * it. */
	if ((st.st_mode & 077) && chmod(s->path, 0600))
		return why_set(why, -E_DENIED,
		               "%s can be read by others and its mode cannot be changed: chmod 600 "
		               "it",
		               s->path);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd >= 0) {
		fsync(dir_fd); /* the name of a new file must survive a power cut, too */
		close(dir_fd);
	}
	return 0;
}

/* A process that can open it can lock it, so only its owner may. A lock file that root made before
 * it gave the directory away no longer belongs to root. */
static int open_lock(const char *lock)
{
	int f = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (f < 0 && errno == EACCES && !unlink(lock))
		errno = ENOENT;
	if (f < 0 && errno == ENOENT) {
		f = open(lock, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (f >= 0)
			store_give(f, lock);
		else if (errno == EEXIST) /* another was quicker */
			f = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	}
	if (f >= 0)
		fchmod(f, 0600); /* one of an older version; only the owner can, and need */
	return f;
}

int store_lock(const char *path, bool alone, int *fd, struct why *why)
{
	char *lock = NULL;
	int err = 0, f = -1;

	if (asprintf(&lock, "%s.lock", path) < 0)
		return why_set(why, -E_NOMEM, "opening the store: out of memory");
	f = open_lock(lock);
	if (f < 0)
		err = why_set(why, error_from_errno(errno),
		              "cannot make %s: %s: make room, and let this user write to its "
		              "directory",
		              lock, strerror(errno));
	else if (flock(f, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB))
		err = alone ? why_set(why, -E_IN_USE,
		                      "%s is in use by a server or another turnpike: stop it first",
		                      path)
		            : why_set(why, -E_TIMEOUT,
		                      "%s is being restored: try again when that is done", path);
	free(lock);
	if (err) {
		if (f >= 0)
			close(f);
		return err;
	}
	*fd = f;
	return 0;
}

/* The switch to WAL needs the file for itself and does not wait by the busy timeout. */
static int enter_wal(struct store *s, struct why *why)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	sqlite3_stmt *stmt;
	bool is_wal;
	int rc, err;

	for (int waited_ms = 0;; waited_ms += 10) {
		err = store_prepare(s, "PRAGMA journal_mode = WAL", &stmt, why);
		if (err)
			return err;
		rc = sqlite3_step(stmt);
		is_wal =
		    rc == SQLITE_ROW && !strcmp((const char *)sqlite3_column_text(stmt, 0), "wal");
		if (is_wal) {
			sqlite3_finalize(stmt);
			return 0;
		}
		if (rc == SQLITE_ROW)
			err = why_set(why, -E_UNSUPPORTED,
			              "%s: its file system does not support WAL: put the data "
			              "directory on a local disk",
			              s->path);
		else
			err = store_fail(s, "opening the store", why);
		sqlite3_finalize(stmt);
		if (err != -E_TIMEOUT || waited_ms >= s->options.busy_timeout_ms)
			return err;
		nanosleep(&pause, NULL);
	}
}

static int check_integrity(struct store *s, struct why *why)
{
	sqlite3_stmt *stmt;
	const char *text = NULL;
	int rc, err = store_prepare(s, "PRAGMA quick_check(1)", &stmt, why);

	if (err)
		return err;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(stmt, 0);
	if (rc != SQLITE_ROW)
		err = store_fail(s, "checking the store", why);
	else if (!text || strcmp(text, "ok") != 0)
		err = why_set(why, -E_CORRUPT,
		              "%s is damaged (%.200s): restore a backup, or move it away to start "
		              "afresh",
		              s->path, text ? text : "unreadable");
	sqlite3_finalize(stmt);
	return err;
}

static int open_db(struct store *s, struct why *why)
{
	int err;

	if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL))
		return store_fail(s, "opening the store", why);
	if (sqlite3_db_readonly(s->db, "main"))
		return why_set(why, -E_DENIED,
		               "%s cannot be written: let this user write to it and to its "
		               "directory",
		               s->path);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, s->options.busy_timeout_ms);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	err = schema_check(s, schema_step_n, why);
	if (!err && s->options.no_migration)
		err = schema_is_newest(s, why);
	if (!err)
		err = enter_wal(s, why);
	if (!err)
		err = store_exec(s,
		                 "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
		                 "PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON",
		                 why);
	if (!err)
		err = check_integrity(s, why);
	if (!err)
		err = schema_migrate(s, schema_steps, schema_step_n, why);
	return err;
}

/* A time service knows better than the store. */
static int find_floor(struct store *s, struct why *why)
{
	struct belief b;
	int err = store_belief_get(s, &b, why);

	if (!err && !wall_is_synchronized())
		s->floor_s = belief_floor_s(&b);
	return err;
}

int store_open(const char *dir, const struct store_options *options, struct store **out,
               struct why *why)
{
	struct store *s = calloc(1, sizeof(*s));
	int err = -E_NOMEM;

	if (!s)
		goto out;
	if (options)
		s->options = *options;
	if (!s->options.busy_timeout_ms)
		s->options.busy_timeout_ms = BUSY_TIMEOUT_MS;
	if (asprintf(&s->path, "%s/turnpike.db", dir) < 0) {
		s->path = NULL;
		goto out;
	}
	s->lock_fd = -1;
	s->next_end_s = INT64_MAX;
	err = make_file(s, dir, why);
	if (!err)
		err = store_lock(s->path, false, &s->lock_fd, why);
	if (!err)
		err = open_db(s, why);
	if (!err)
		err = find_floor(s, why);
out:
	if (err) {
		if (err == -E_NOMEM)
			why_set(why, err, "opening the store: out of memory");
		store_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	sqlite3_close(s->db);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->path);
	free(s);
}

void store_set_busy_timeout(struct store *s, int busy_timeout_ms)
{
	s->options.busy_timeout_ms = busy_timeout_ms;
	sqlite3_busy_timeout(s->db, busy_timeout_ms);
}

void store_set_actor(struct store *s, const char *actor)
{
	snprintf(s->actor, sizeof(s->actor), "%s", actor);
}

const char *store_path(const struct store *s)
{
	return s->path;
}

int store_generation(struct store *s, int64_t *generation, struct why *why)
{
	return store_get_int(s, "SELECT generation FROM store_state", generation, why);
}

int store_changed(struct store *s, bool *changed, struct why *why)
{
	int64_t data, generation, own = sqlite3_total_changes64(s->db);
	int err = store_get_int(s, "PRAGMA data_version", &data, why);

	if (err)
		return err;
	/* A clock that has been set back: what had ended for it may not have ended. */
	if (!s->loaded || store_now_s(s) >= s->next_end_s ||
	    store_now_s(s) < s->loaded_at_s - BACK_S) {
		*changed = true;
		return 0;
	}
	if (data == s->seen_data && own == s->seen_own) {
		*changed = false;
		return 0;
	}
	/* Something was committed; usage and audit do not concern a snapshot. */
	err = store_generation(s, &generation, why);
	if (err)
		return err;
	*changed = generation != s->seen_generation;
	if (!*changed) {
		s->seen_data = data;
		s->seen_own = own;
	}
	return 0;
}
