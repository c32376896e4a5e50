/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Accounts: people who sign in to the status page. They are separate from TURN users: the store
 * keeps a login's password as Argon2id (libsodium's crypto_pwhash_str), and it never becomes a TURN
 * key.
 *
 * Every function that takes a password takes some 100 ms and 64 MiB: never call it on a relay
 * worker or on the control thread (see daemon/admin/helper.h).
 */
#ifndef STORE_ACCOUNT_H
#define STORE_ACCOUNT_H

#include "store/store.h"

#define ACCOUNT_PASSWORD_MIN 8 /* bytes */

enum store_role { STORE_ROLE_USER, STORE_ROLE_ADMIN };

struct store_account {
	const char *name;
	enum store_role role;
	int64_t created_at_s;
	int64_t password_at_s; /* earlier logins are no longer valid */
};

/* 0 when it may be an account's password, or -E_INVAL. Quick. */
int account_password_check(const char *password, struct why *why);

const char *store_role_text(enum store_role role); /* "user", "admin" */

/* -E_EXISTS, -E_INVAL for a name or a password that is not allowed. */
int store_account_add(struct store *s, const char *name, const char *password, enum store_role role,
                      struct why *why);

/* -E_NOTFOUND; with keep_admin, -E_LIMIT for the last admin account. */
int store_account_del(struct store *s, const char *name, bool keep_admin, struct why *why);

/* The new password's time is later than the old one's, even within a second. -E_NOTFOUND, -E_INVAL.
 */
int store_account_set_password(struct store *s, const char *name, const char *password,
                               struct why *why);

/* 0 and the role when the password is right, else -E_DENIED, also when there is no such account; it
 * takes as long either way. role may be NULL. */
int store_account_check(struct store *s, const char *name, const char *password,
                        enum store_role *role, struct why *why);

/* Role and time of the password: they show whether a login of the account is still valid. Quick.
 * -E_NOTFOUND. */
int store_account_get(struct store *s, const char *name, enum store_role *role,
                      int64_t *password_at_s, struct why *why);

/* What only this account with this password has, as long as both last: a digest of the hash that is
 * kept, which has a new salt each time. Quick. -E_NOTFOUND. */
#define ACCOUNT_MARK_LEN 16
int store_account_mark(struct store *s, const char *name, uint8_t mark[ACCOUNT_MARK_LEN],
                       struct why *why);

/* As store_user_list(), by name. */
int store_account_list(struct store *s, int (*each)(void *ctx, const struct store_account *account),
                       void *ctx, struct why *why);

#endif
