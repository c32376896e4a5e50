/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks an account's password on a thread of its own: Argon2id takes some
 * 100 ms, for which no loop may stand still.
 */
#ifndef DAEMON_LOGIN_H
#define DAEMON_LOGIN_H

#include "base/error.h"
#include "store/account.h"

struct event_base;
struct login;

#define LOGIN_QUEUE_MAX 16 /* waiting; each takes 64 MiB while it is its turn */

/* On the loop's thread. r: 0, the role and when the password that was right was set; -E_DENIED, or
 * the store's codes. */
typedef void login_done_fn(void *ctx, int r, enum store_role role, int64_t password_at_s);

/* Copies dir, the store's. NULL when out of memory. */
struct login *login_new(struct event_base *base, const char *dir);

/* Copies name and password. done is called later, exactly once, unless login_free() comes first.
 * 0, -E_LIMIT (too many wait: 429), -E_NOMEM. */
int login_check(struct login *l, const char *name, const char *password, login_done_fn *done,
                void *ctx);

/* Waits for the one that is being checked. NULL is legal. Not from inside done. */
void login_free(struct login *l);

#endif
