/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The store: TURN users, shared secrets and API tokens in one SQLite file,
 * DIR/turnpike.db (mode 0600, WAL). A write that returned 0 is on the disk.
 * Its other tables: account.h, revoke.h, usage.h, audit.h; copies of it: backup.h.
 *
 * A handle belongs to one thread; open one per thread. Several processes may
 * use the file at once. Every function that takes a why explains a failure in
 * it; why may be NULL. Codes that every function may return besides its own:
 * -E_TIMEOUT (locked by another process), -E_CORRUPT, -E_DENIED, -E_IO (a full disk, too),
 * -E_NOMEM. Each that changes something for an administrator writes its row of the audit in the
 * same transaction, with the handle's actor.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_PASSWORD_STRLEN 33 /* 24 random bytes as base64url, and NUL */
#define STORE_SECRET_STRLEN   44 /* 32 random bytes as base64url, and NUL */
#define STORE_TOKEN_STRLEN    47 /* "tp_", 32 random bytes as base64url, and NUL */
#define STORE_SECRETS_MAX     8  /* live at a time: each is tried for each new credential */
#define STORE_ACTOR_MAX       160
#define STORE_AFTER_MAX_S     (3650 * 86400)

struct store;

struct store_options {
	bool must_exist;             /* do not create: -E_NOTFOUND */
	bool no_migration;           /* of an older schema: -E_STALE, and it stays so */
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

/* Unix time as the handle has it: by its options; else the system's clock, but never behind a time
 * at which the store's server believed its clock (belief.h). */
int64_t store_now_s(const struct store *s);

/* Instead of the one of the options. For a thread that must not wait long. */
void store_set_busy_timeout(struct store *s, int busy_timeout_ms);

/* The file's path; lives as long as the handle. */
const char *store_path(const struct store *s);

/* Who acts through this handle from now on, for the audit: "cli uid 0", "token 3 app", "account
 * alice". Copied, cut at STORE_ACTOR_MAX bytes. */
void store_set_actor(struct store *s, const char *actor);

/* Sets *changed to whether a snapshot would now hold something else than the last one loaded on
 * this handle: something was committed, by this or any other process, or the time has come for a
 * secret or a token to end. Cheap enough to ask several times a second. */
int store_changed(struct store *s, bool *changed, struct why *why);

/* ---- TURN users: long-term credentials (RFC 8489 section 9.2) ---- */

struct store_user {
	const char *realm, *name;
	int64_t created_at_s, disabled_at_s; /* disabled_at_s 0 = enabled */
};

/* Only keys derived from the password are kept. -E_EXISTS, -E_INVAL for a name, realm or
 * password that is not allowed. */
int store_user_add(struct store *s, const char *realm, const char *name, const char *password,
                   struct why *why);

/* A disabled user is kept and gets no allocation; those he has are closed. -E_NOTFOUND; 0 also
 * when he was so before. */
int store_user_enable(struct store *s, const char *realm, const char *name, bool enabled,
                      struct why *why);

/* -E_NOTFOUND */
int store_user_del(struct store *s, const char *realm, const char *name, struct why *why);

/* Calls each (with strings that live for the call) in order of realm and name, from the user behind
 * that one on ("" and "": from the first). It must not use the store; what it returns other than 0
 * ends the walk and is returned. */
int store_user_list(struct store *s, const char *realm, const char *name,
                    int (*each)(void *ctx, const struct store_user *user), void *ctx,
                    struct why *why);

/* A new random password of 192 bits. 0 or -E_IO. */
int store_make_password(char out[STORE_PASSWORD_STRLEN]);

/* ---- shared secrets of the time-limited credentials ---- */

struct store_secret {
	int64_t id, created_at_s;
	int64_t retired_at_s; /* 0 = live; a time to come = live until then */
	bool live;
	bool ended; /* and what lived on it */
};

/* value NULL makes a random one; made (may be NULL, else holds SECRET_MAX_LEN + 1 bytes) gets
 * the value either way, id (may be NULL) its number. A value that ever was a secret here does
 * not come back, even if it was retired: -E_EXISTS. -E_LIMIT past STORE_SECRETS_MAX. -E_INVAL. */
int store_secret_add(struct store *s, const char *value, char *made, int64_t *id, struct why *why);

/* Whether store_secret_add() would take the value: 0 or its codes. */
int store_secret_may_add(struct store *s, const char *value, struct why *why);

/* The secret is dead in after_s seconds (0: now), and from now on not issued with while there is
 * another. Again with another time moves the end, as long as it has not come. -E_NOTFOUND, also
 * if it is dead. -E_INVAL for a negative time. */
int store_secret_retire(struct store *s, int64_t id, int64_t after_s, struct why *why);

/* The secret is dead at once, whatever it was before, and what lives on it is over: a server closes
 * the allocations that were opened with it. -E_NOTFOUND for a number that never was one. */
int store_secret_end(struct store *s, int64_t id, struct why *why);

/* As store_user_list(), oldest first. Never shows a value. */
int store_secret_list(struct store *s, int (*each)(void *ctx, const struct store_secret *secret),
                      void *ctx, struct why *why);

/* ---- API tokens: only their hashes are kept ---- */

/* What a token opens. */
enum {
	STORE_SCOPE_ISSUE = 1 << 0,   /* relay credentials */
	STORE_SCOPE_METRICS = 1 << 1, /* /metrics */
	STORE_SCOPE_ADMIN = 1 << 2,   /* everything */
	STORE_SCOPES = 7,
};
#define STORE_SCOPES_DEFAULT (STORE_SCOPE_ISSUE | STORE_SCOPE_METRICS)
#define STORE_SCOPES_STRLEN  24

struct store_token {
	int64_t id, created_at_s;
	int64_t expires_at_s;   /* 0 = never */
	int64_t last_used_at_s; /* 0 = never; up to STORE_LAST_USED_S behind */
	unsigned scopes;
	const char *label;
};
#define STORE_LAST_USED_S 60

/* "issue,admin" to bits and back. -E_INVAL. */
int store_scopes_parse(const char *text, unsigned *scopes, struct why *why);
const char *store_scopes_text(unsigned scopes, char buf[STORE_SCOPES_STRLEN]);

/* label may be empty. The token is told this once. expires_at_s 0: never. -E_INVAL, also for a
 * time that is past. */
int store_token_add(struct store *s, const char *label, unsigned scopes, int64_t expires_at_s,
                    char token[STORE_TOKEN_STRLEN], int64_t *id, struct why *why);

/* -E_NOTFOUND */
int store_token_del(struct store *s, int64_t id, struct why *why);

/* It was used just now. Written only when what is noted is older than STORE_LAST_USED_S; no
 * audit. 0 also for a token that is gone. */
int store_token_used(struct store *s, int64_t id, int64_t when_s, struct why *why);

int store_token_list(struct store *s, int (*each)(void *ctx, const struct store_token *token),
                     void *ctx, struct why *why);

/* Whether a token was ever made here, even if it was deleted since. */
int store_token_ever_made(struct store *s, bool *ever, struct why *why);

#endif
