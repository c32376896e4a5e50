/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Verbs on accounts. What hashes a password is done on the helper's thread.
 */
#include "daemon/admin/admin_internal.h"

#include "store/account.h"
#include "store/store.h"

#include <string.h>

static int each_account(void *ctx, const struct store_account *a)
{
	return json_array_append_new(ctx, json_pack("{ss ss sI}", "name", a->name, "role",
	                                            store_role_text(a->role), "created_at",
	                                            (json_int_t)a->created_at_s))
	           ? -E_NOMEM
	           : 0;
}

int admin_accounts(struct admin_task *t, struct why *why)
{
	json_t *accounts = json_array();
	int r = store_account_list(t->store, each_account, accounts, why);

	if (!r)
		return admin_done(t, json_pack("{so sb}", "accounts", accounts, "more", 0), why);
	json_decref(accounts);
	return why->text[0] ? r : why_set(why, r, "%s", error_text(r));
}

static int role_of(const struct admin_task *t, enum store_role *role, struct why *why)
{
	const char *text = admin_text(t, "role");

	*role = STORE_ROLE_USER;
	if (!text || !strcmp(text, store_role_text(*role)))
		return 0;
	*role = STORE_ROLE_ADMIN;
	return strcmp(text, store_role_text(*role))
	           ? why_set(why, -E_INVAL, "%s: role is admin or user", t->verb)
	           : 0;
}

/* The one that is given, or one that is made. */
static int password_of(const struct admin_task *t, char made[STORE_PASSWORD_STRLEN],
                       const char **password, struct why *why)
{
	*made = 0;
	*password = admin_text(t, "password");
	if (*password)
		return 0;
	*password = made;
	return store_make_password(made) ? why_set(why, -E_IO, "the system gives no random numbers")
	                                 : 0;
}

/* The password only where it was made. */
static int told(struct admin_task *t, const char *role, char made[STORE_PASSWORD_STRLEN], int r,
                struct why *why)
{
	if (!r)
		r = admin_done(t,
		               json_pack("{ss ss* ss*}", "name", admin_text(t, "name"), "role",
		                         role, "password", *made ? made : NULL),
		               why);
	explicit_bzero(made, STORE_PASSWORD_STRLEN);
	return r;
}

static int account_add(struct admin_task *t, struct why *why)
{
	char made[STORE_PASSWORD_STRLEN];
	const char *password;
	enum store_role role;
	int r = password_of(t, made, &password, why);

	if (!r)
		r = role_of(t, &role, why);
	if (!r)
		r = store_account_add(t->store, admin_text(t, "name"), password, role, why);
	return told(t, r ? NULL : store_role_text(role), made, r, why);
}

int admin_account_add(struct admin_task *t, struct why *why)
{
	return admin_later(t, account_add, why);
}

static int account_password(struct admin_task *t, struct why *why)
{
	char made[STORE_PASSWORD_STRLEN];
	const char *password;
	int r = password_of(t, made, &password, why);

	if (!r)
		r = store_account_set_password(t->store, admin_text(t, "name"), password, why);
	return told(t, NULL, made, r, why);
}

int admin_account_password(struct admin_task *t, struct why *why)
{
	return admin_later(t, account_password, why);
}

/* Who is on the server's host may delete the last admin, too, with the command line. */
int admin_account_del(struct admin_task *t, struct why *why)
{
	int r = store_account_del(t->store, admin_text(t, "name"), true, why);

	return r ? r : admin_done(t, json_pack("{ss}", "name", admin_text(t, "name")), why);
}
