/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the store's own files. No file outside store/ includes this.
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "store/store.h"

#include <sqlite3.h>
#include <stddef.h>

#define STORE_HASH_LEN 32

struct store {
	sqlite3 *db;
	char *path;
	char actor[STORE_ACTOR_MAX + 1];
	int lock_fd; /* protects the folder against a restore; -1: none */
	struct store_options options;
	int64_t floor_s;         /* the time is at least this; 0: unknown */
	bool loaded;             /* a snapshot was loaded: the next five are valid */
	int64_t loaded_at_s;     /* by store_now_s() */
	int64_t seen_data;       /* PRAGMA data_version: commits by others */
	int64_t seen_own;        /* sqlite3_total_changes64(): our own */
	int64_t seen_generation; /* of the snapshots' content */
	int64_t next_end_s; /* the next end of a secret or a token in the snapshot; INT64_MAX */
};

/* Locks the folder of the store at path: shared, or alone. The caller closes *fd. -E_TIMEOUT,
 * -E_IN_USE (alone). */
int store_lock(const char *path, bool alone, int *fd, struct why *why);

/* Gives a file that root has just made (with O_EXCL) in the data directory to the directory's
 * owner: otherwise a server under another user could not use it. */
void store_give(int fd, const char *path);

/* Sets *generation: it grows with each change of the snapshots' content. */
int store_generation(struct store *s, int64_t *generation, struct why *why);

/* An administrator's change, with its audit row, in one transaction: begin, change, end. end
 * commits when err is 0, else rolls back, and returns err or the commit's error. */
int store_act_begin(struct store *s, struct why *why);
__attribute__((format(printf, 5, 6))) int store_act_end(struct store *s, int err, struct why *why,
                                                        const char *act, const char *object, ...);

/* Writes only the audit row, inside a transaction. */
int store_audit_write(struct store *s, const char *act, const char *object, struct why *why);

/* Turns the handle's last SQLite error into a code and an explanation. */
int store_fail(struct store *s, const char *doing, struct why *why);

/* For statements of constant text. The caller finalizes *out. */
int store_prepare(struct store *s, const char *sql, sqlite3_stmt **out, struct why *why);

/* Runs statements without a result. */
int store_exec(struct store *s, const char *sql, struct why *why);

/* The first column of the first row. -E_NOTFOUND without a row. */
int store_get_int(struct store *s, const char *sql, int64_t *out, struct why *why);

/* Steps stmt to its end and finalizes it. */
int store_run(struct store *s, sqlite3_stmt *stmt, const char *doing, struct why *why);

/* 0 or -E_IO. text gets base64url without padding: 4 characters for 3 bytes, and NUL. bytes_len is
 * at most 96. */
int random_text(char *text, size_t bytes_len);

int token_hash(const char *token, size_t len, uint8_t out[STORE_HASH_LEN]);

/* ---- backup.c ---- */

/* Copies a database file into tmp (0600), which must not exist, as one file. Opens files outside of
 * the data directory with the caller's own rights (base/rights.h); those made inside go through
 * store_give(). -E_IO. */
enum store_copy { STORE_COPY_OUT, STORE_COPY_IN, STORE_COPY_INSIDE };
int store_copy_file(const char *from, const char *tmp, enum store_copy way, int busy_timeout_ms);

/* fsyncs the folder of path. */
int store_sync_dir(const char *path);

/* ---- users.c ---- */

struct store_keys;

/* Adds one user with ready keys, in an act of that name; the caller has checked the names. */
int user_insert(struct store *s, const char *realm, const char *name, const struct store_keys *keys,
                const char *act, struct why *why);

/* ---- schema.c ---- */

#define APPLICATION_ID 0x54504b45 /* "TPKE": separates our files from other SQLite files */

struct schema_step {
	const char *sql; /* brings version i to i + 1 */
};

extern const struct schema_step schema_steps[];
extern const int schema_step_n;

/* Refuses a newer or a foreign file before writing anything to it. */
int schema_check(struct store *s, int newest, struct why *why);

/* -E_STALE when schema_migrate() would have something to do. */
int schema_is_newest(struct store *s, struct why *why);

/* Brings the file from its version to n, each step in its own transaction. */
int schema_migrate(struct store *s, const struct schema_step *steps, int n, struct why *why);

#endif
