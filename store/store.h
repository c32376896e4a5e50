/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The store: TURN users, shared secrets and API tokens in one SQLite file, DIR/turnpike.db (mode
 * 0600, WAL). A write that returned 0 is on the disk. Its other tables: account.h, revoke.h,
 * usage.h, audit.h, ticket_key.h; copies of it: backup.h.
 *
 * A handle belongs to one thread; open one per thread. Several processes may use the file at once.
 * Every function that takes a why explains a failure in it; why may be NULL. Besides its own codes
 * every function may return -E_TIMEOUT (locked by another process), -E_CORRUPT, -E_DENIED, -E_IO
 * (also for a full disk), -E_NOMEM.
 *
 * A function that changes something for an administrator writes an audit row in the same
 * transaction, with the handle's actor.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_PASSWORD_STRLEN 33 /* 24 random bytes as base64url, and NUL */
#define STORE_SECRET_STRLEN   44 /* 32 random bytes as base64url, and NUL */
#define STORE_TOKEN_STRLEN    47 /* "tp_", 32 random bytes as base64url, and NUL */
#define STORE_SECRETS_MAX     8 /* live at a time: each new credential is tried with each of them */
#define STORE_ACTOR_MAX       160
#define STORE_AFTER_MAX_S     (3650 * 86400)

struct store;

struct store_options {
	bool must_exist;             /* do not create: -E_NOTFOUND */
	bool no_migration;           /* an older schema stays as it is: -E_STALE */
	int busy_timeout_ms;         /* the longest wait for another writer; 0 = 5000 */
	int64_t (*now_s)(void *ctx); /* Unix time; NULL = the system's clock */
	void *now_ctx;
};

/* Opens DIR/turnpike.db; makes DIR (0700) and the file (0600) if they are missing, and migrates an
 * older schema after a backup beside it (turnpike.db.vN.bak). Copies dir. options may be NULL.
 * -E_SCHEMA for a newer schema (the file stays as it is), -E_NOTFOUND. */
int store_open(const char *dir, const struct store_options *options, struct store **out,
               struct why *why);
void store_close(struct store *s);

/* The handle's Unix time: from its options; else the system's clock, but never earlier than a time
 * at which the store's server believed its clock (belief.h). */
int64_t store_now_s(const struct store *s);

/* Replaces the options' timeout, for a thread that must not wait long. */
void store_set_busy_timeout(struct store *s, int busy_timeout_ms);

/* The file's path; lives as long as the handle. */
const char *store_path(const struct store *s);

/* Names the actor of this handle from now on, for the audit: "cli uid 0", "token 3 app", "account
 * alice". Copied, cut at STORE_ACTOR_MAX bytes. */
void store_set_actor(struct store *s, const char *actor);

/* *changed is true when a snapshot would now differ from the last one loaded on this handle: any
 * process has committed something, or a secret or a token has ended by time. Cheap enough to call
 * several times a second. */
int store_changed(struct store *s, bool *changed, struct why *why);

/* ---- TURN users: long-term credentials (RFC 8489 section 9.2) ---- */

struct store_user {
	const char *realm, *name;
	int64_t created_at_s, disabled_at_s; /* disabled_at_s 0 = enabled */
};

/* Keeps only keys derived from the password. -E_EXISTS, -E_INVAL for a name, realm or password that
 * is not allowed. */
int store_user_add(struct store *s, const char *realm, const char *name, const char *password,
                   struct why *why);

/* A disabled user stays in the store but gets no allocation; their allocations close. -E_NOTFOUND;
 * 0 also when nothing changes. */
int store_user_enable(struct store *s, const char *realm, const char *name, bool enabled,
                      struct why *why);

/* -E_NOTFOUND. */
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
	int64_t retired_at_s; /* 0 = live; a future time = live until then */
	bool live;
	bool ended; /* and so did the sessions on it */
};

/* value NULL makes a random one. made (may be NULL, else holds SECRET_MAX_LEN + 1 bytes) gets the
 * value in both cases, id (may be NULL) its number. A value that was ever a secret here is refused,
 * even a retired one: -E_EXISTS. -E_LIMIT past STORE_SECRETS_MAX. -E_INVAL. */
int store_secret_add(struct store *s, const char *value, char *made, int64_t *id, struct why *why);

/* 0 or the code that store_secret_add() would return for the value. */
int store_secret_may_add(struct store *s, const char *value, struct why *why);

/* The secret dies in after_s seconds (0: now); until then it issues only if there is no other. A
 * later call moves the end, as long as it has not come. -E_NOTFOUND, also for a dead secret.
 * -E_INVAL for a negative time. */
int store_secret_retire(struct store *s, int64_t id, int64_t after_s, struct why *why);

/* The secret dies at once, whatever its state, and its sessions end: a server closes the
 * allocations that were opened with it. -E_NOTFOUND for a number that was never a secret. */
int store_secret_end(struct store *s, int64_t id, struct why *why);

/* As store_user_list(), oldest first. Never shows a value. */
int store_secret_list(struct store *s, int (*each)(void *ctx, const struct store_secret *secret),
                      void *ctx, struct why *why);

/* ---- API tokens: the store keeps only their hashes ---- */

/* A token's scopes. */
enum {
	STORE_SCOPE_ISSUE = 1 << 0,   /* relay credentials */
	STORE_SCOPE_METRICS = 1 << 1, /* /metrics */
	STORE_SCOPE_ADMIN = 1 << 2,   /* everything */
	STORE_SCOPE_TICKET = 1 << 3,  /* tickets for any name */
	STORE_SCOPES = 15,
};
#define STORE_SCOPES_DEFAULT (STORE_SCOPE_ISSUE | STORE_SCOPE_METRICS)
#define STORE_SCOPES_STRLEN  32

struct store_token {
	int64_t id, created_at_s;
	int64_t expires_at_s;   /* 0 = never */
	int64_t last_used_at_s; /* 0 = never; up to STORE_LAST_USED_S old */
	unsigned scopes;
	const char *label;
};
#define STORE_LAST_USED_S 60

/* "issue,admin" to bits and back. -E_INVAL. */
int store_scopes_parse(const char *text, unsigned *scopes, struct why *why);
const char *store_scopes_text(unsigned scopes, char buf[STORE_SCOPES_STRLEN]);

/* label may be empty. The token's text is shown only here. expires_at_s 0: never. -E_INVAL, also
 * for a past time. */
int store_token_add(struct store *s, const char *label, unsigned scopes, int64_t expires_at_s,
                    char token[STORE_TOKEN_STRLEN], int64_t *id, struct why *why);

/* -E_NOTFOUND. */
int store_token_del(struct store *s, int64_t id, struct why *why);

/* Records the use of a token. Writes only when the recorded time is older than STORE_LAST_USED_S;
 * no audit row. 0 also for a deleted token. */
int store_token_used(struct store *s, int64_t id, int64_t when_s, struct why *why);

int store_token_list(struct store *s, int (*each)(void *ctx, const struct store_token *token),
                     void *ctx, struct why *why);

/* *ever is true when a token was ever made here, even if it was deleted since. */
int store_token_ever_made(struct store *s, bool *ever, struct why *why);

#endif
