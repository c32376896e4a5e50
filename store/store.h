/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The store: TURN users, shared secrets and API tokens in one SQLite file,
 * DIR/turnpike.db (mode 0600, WAL). A write that returned 0 is on the disk.
 *
 * A handle belongs to one thread; open one per thread. Several processes may
 * use the file at once. Every function that takes a why explains a failure in
 * it; why may be NULL. Codes that every function may return besides its own:
 * -E_TIMEOUT (locked by another process), -E_CORRUPT, -E_DENIED, -E_IO, -E_NOMEM.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_PASSWORD_STRLEN 33 /* 24 random bytes as base64url, and NUL */
#define STORE_SECRET_STRLEN   44 /* 32 random bytes as base64url, and NUL */
#define STORE_TOKEN_STRLEN    47 /* "tp_", 32 random bytes as base64url, and NUL */

struct store;

struct store_options {
	bool must_exist;             /* do not create: -E_NOTFOUND */
	int busy_timeout_ms;         /* how long to wait for another writer; 0 = 5000 */
	int64_t (*now_s)(void *ctx); /* Unix time; NULL = the system's clock */
	void *now_ctx;
};

/* Opens DIR/turnpike.db; makes DIR (0700) and the file (0600) where they are missing, and
 * migrates an older schema after a backup beside it (turnpike.db.vN.bak). Copies dir. options
 * may be NULL. -E_SCHEMA for a newer schema (the file is left as it was), -E_NOTFOUND. */
int store_open(const char *dir, const struct store_options *options, struct store **out,
               struct why *why);
void store_close(struct store *s);

/* The file's path; lives as long as the handle. */
const char *store_path(const struct store *s);

/* Sets *changed to whether anything was committed, by this or any other process, since the
 * last store_snapshot_load() on this handle. Cheap enough to ask several times a second. */
int store_changed(struct store *s, bool *changed, struct why *why);

/* ---- TURN users: long-term credentials (RFC 8489 section 9.2) ---- */

struct store_user {
	const char *realm, *name;
	int64_t created_at_s;
};

/* Only keys derived from the password are kept. -E_EXISTS, -E_INVAL for a name, realm or
 * password that is not allowed. */
int store_user_add(struct store *s, const char *realm, const char *name, const char *password,
                   struct why *why);

/* -E_NOTFOUND */
int store_user_del(struct store *s, const char *realm, const char *name, struct why *why);

/* Calls each (with strings that live for the call) in order of realm and name. It must not use
 * the store; what it returns other than 0 ends the walk and is returned. */
int store_user_list(struct store *s, int (*each)(void *ctx, const struct store_user *user),
                    void *ctx, struct why *why);

/* A new random password of 192 bits. 0 or -E_IO. */
int store_make_password(char out[STORE_PASSWORD_STRLEN]);

/* ---- shared secrets of the time-limited credentials ---- */

struct store_secret {
	int64_t id, created_at_s, retired_at_s; /* retired_at_s 0 = live */
};

/* value NULL makes a random one; made (may be NULL, else holds SECRET_MAX_LEN + 1 bytes) gets
 * the value either way, id (may be NULL) its number. A value that ever was a secret here does
 * not come back, even if it was retired: -E_EXISTS. -E_INVAL. */
int store_secret_add(struct store *s, const char *value, char *made, int64_t *id, struct why *why);

/* The id from now on is dead. -E_NOTFOUND, also if it was retired before. */
int store_secret_retire(struct store *s, int64_t id, struct why *why);

/* As store_user_list(), oldest first. Never shows a value. */
int store_secret_list(struct store *s, int (*each)(void *ctx, const struct store_secret *secret),
                      void *ctx, struct why *why);

/* ---- API tokens: only their hashes are kept ---- */

struct store_token {
	int64_t id, created_at_s;
	const char *label;
};

/* label may be empty. The token is told this once. -E_INVAL. */
int store_token_add(struct store *s, const char *label, char token[STORE_TOKEN_STRLEN], int64_t *id,
                    struct why *why);

/* -E_NOTFOUND */
int store_token_del(struct store *s, int64_t id, struct why *why);

/* 0 for a known token, else -E_DENIED. The time taken does not depend on the token. */
int store_token_check(struct store *s, const char *token, struct why *why);

int store_token_list(struct store *s, int (*each)(void *ctx, const struct store_token *token),
                     void *ctx, struct why *why);

/* Whether a token was ever made here, even if it was deleted since. */
int store_token_ever_made(struct store *s, bool *ever, struct why *why);

#endif
