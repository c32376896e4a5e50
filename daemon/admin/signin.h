/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Logins to the status page. A password takes its 100 ms and 64 MiB
 * on a thread of its own (helper.h), so signing in has two steps: begin() hands out the secret
 * of an attempt ("ticket" in JSON, a historical name), claim() turns it into a login once the
 * password was found right.
 * Logins are kept in memory: a restart ends them.
 */
#ifndef DAEMON_SIGNIN_H
#define DAEMON_SIGNIN_H

#include "base/addr.h"
#include "store/account.h"
#include "store/name.h"
#include "store/store.h"

#define SIGNIN_SECRET_STRLEN 65 /* 256 bits in hex, and NUL */
#define SIGNIN_LIFE_S        (12 * 3600)
#define SIGNIN_IDLE_S        3600
#define SIGNIN_PER_MINUTE    10 /* tries from one source prefix (/24, /64) */
#define SIGNIN_WAITING       2  /* in the queue, from one address or /64; */
#define SIGNIN_WAITING_WIDE  4  /* from one /24 or /48: a quarter of the queue */
/* for one name, from prefixes without a successful sign-in by that name since the start */
#define SIGNIN_NAME_PER_MINUTE 60

struct helper;
struct refusals;
struct signin;

struct signin_who {
	char name[NAME_MAX_LEN + 1];
	enum store_role role;
};

/* Borrows both; refusals may be NULL. 0 or -E_NOMEM. */
int signin_start(struct helper *helper, struct refusals *refusals, struct signin **out,
                 struct why *why);

struct signin_try {
	const char *name, *password;
	const char *new_password; /* becomes the account's password; NULL: no change */
};

/* Copies what is tried. 0 and the secret of an attempt; -E_LIMIT and the seconds until the next
 * try. */
int signin_begin(struct signin *in, const struct addr *from, const struct signin_try *what,
                 char attempt[SIGNIN_SECRET_STRLEN], unsigned *retry_s);

/* 0 and a login's secret, once; -E_LATER; -E_DENIED: wrong name or password, or no such
 * attempt; any other code: the store's. */
int signin_claim(struct signin *in, struct store *store, const char *attempt,
                 char login[SIGNIN_SECRET_STRLEN]);

/* 0 and the time of the account's password; -E_DENIED: wrong name or password; -E_CLOSED: the
 * server stops; any other code: the store's. */
typedef void signin_done_fn(void *ctx, int err, int64_t password_at_s);

/* For a caller that wants no login: looks at the name and the password as begin() does, counts the
 * try as that does, and calls done once, later, also if it is not wanted any more. Codes of
 * signin_begin(). */
int signin_ask(struct signin *in, const struct addr *from, const struct signin_try *what,
               signin_done_fn *done, void *ctx, unsigned *retry_s);

/* The login's account. s: the control thread's handle. -E_DENIED: no such login, or its
 * account was deleted or has a new password. Any other code: the store's; the login stands. */
int signin_check(struct signin *in, struct store *s, const char *login, struct signin_who *who);

/* The actor of the audit; a long name is cut between characters. */
void signin_actor(const char *name, char actor[STORE_ACTOR_MAX]);

/* Wrong names and passwords since the start. */
uint64_t signin_refused(const struct signin *in);

void signin_end(struct signin *in, const char *login);

/* Free the helper first. NULL is legal. */
void signin_stop(struct signin *in);

#endif
