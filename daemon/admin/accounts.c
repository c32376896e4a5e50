/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Accounts of the status page. Hashing a password takes its time: the helper's thread does it.
 */
#include "daemon/admin/verb.h"
#include "store/account.h"
#include "store/store.h"

#include <string.h>

#define ARG_ACCOUNT    ARG("name", VERB_TEXT, ARG_REQUIRED | ARG_WORD, "The account's name")
#define ARG_PASSWORD   ARG("password", VERB_SECRET, 0, "The password; one is made if it is not given")
#define MEMBER_ACCOUNT MEMBER("name", VERB_TEXT, "The account's name")
#define MEMBER_ROLE    MEMBER("role", VERB_TEXT, "user or admin")
#define MEMBER_PASSWORD                                                                            \
	MEMBER_OR_NULL("password", VERB_TEXT, "The password that was made, this once")

static int each(void *ctx, const struct store_account *a)
{
	return rows_add(ctx, NULL,
	                json_pack("{ss ss so}", "name", a->name, "role", store_role_text(a->role),
	                          "created_at", json_time(a->created_at_s)));
}

static int list(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = json_array()};

	return rows_done(&rows, t, store_account_list(t->store, each, &rows, why), "accounts", why);
}

static int role_of(const struct admin_task *t, enum store_role *role, struct why *why)
{
	const char *text = task_text(t, "role");

	*role = STORE_ROLE_USER;
	if (!text || !strcmp(text, store_role_text(*role)))
		return 0;
	*role = STORE_ROLE_ADMIN;
	return strcmp(text, store_role_text(*role))
	           ? why_set(why, -E_PARSE, "%s: role is admin or user", t->verb->name)
	           : 0;
}

static int hash_and_add(struct admin_task *t, struct why *why)
{
	char made[STORE_PASSWORD_STRLEN];
	const char *password, *name = task_text(t, "name");
	enum store_role role;
	int r = task_password(t, made, &password, why);

	if (!r)
		r = role_of(t, &role, why);
	if (!r)
		r = store_account_add(t->store, name, password, role, why);
	if (!r)
		r = task_done(t,
		              json_pack("{ss ss ss?}", "name", name, "role", store_role_text(role),
		                        "password", *made ? made : NULL),
		              why);
	explicit_bzero(made, sizeof(made));
	return r;
}

static int add(struct admin_task *t, struct why *why)
{
	return task_later(t, hash_and_add, why);
}

static int hash_and_change(struct admin_task *t, struct why *why)
{
	char made[STORE_PASSWORD_STRLEN];
	const char *password, *name = task_text(t, "name");
	int r = task_password(t, made, &password, why);

	if (!r)
		r = store_account_set_password(t->store, name, password, why);
	if (!r)
		r = task_done(
		    t, json_pack("{ss ss?}", "name", name, "password", *made ? made : NULL), why);
	explicit_bzero(made, sizeof(made));
	return r;
}

static int change_password(struct admin_task *t, struct why *why)
{
	return task_later(t, hash_and_change, why);
}

static int count_admin(void *ctx, const struct store_account *a)
{
	*(json_int_t *)ctx += a->role == STORE_ROLE_ADMIN;
	return 0;
}

/* An operator on the server's host may delete the last admin, too. */
static int del(struct admin_task *t, struct why *why)
{
	const char *name = task_text(t, "name");
	json_int_t admins = 0;
	int r = store_account_del(t->store, name, !t->actor->on_host, why);

	if (!r)
		r = store_account_list(t->store, count_admin, &admins, why);
	return r ? r : task_done(t, json_pack("{ss sI}", "name", name, "admins", admins), why);
}

const struct verb accounts_verbs[] = {
    {VERB("account add", VERB_ACTS, VERB_MAKES_STORE, add,
          "Add an account that may sign in to the status page, of role user (it may only read) or "
          "admin. Without a password the server makes one and shows it once"),
     .args = {ARG_ACCOUNT,
              {"role", VERB_TEXT, 0, "user (may only read) or admin; user if it is not given", NULL,
               "admin"},
              ARG_PASSWORD},
     .answer = MEMBERS(MEMBER_ACCOUNT, MEMBER_ROLE, MEMBER_PASSWORD),
     .text = {.say =
                  "account {name} added, role {role}{?password:; the password is shown this once:}",
              .print = "{password}",
              .example = "{\"name\":\"hatter\"}"}},
    {VERB("account list", VERB_READS_ADMIN, 0, list,
          "List the accounts that may sign in to the status page"),
     .answer = MEMBERS({"accounts", VERB_ROWS, false, "By name",
                        MEMBERS(MEMBER_ACCOUNT, MEMBER_ROLE,
                                MEMBER("created_at", VERB_TIME, "When it was added"))},
                       MEMBER_NEXT),
     .text = {.list = "accounts", .line = "{name}\t{role}\t{created_at}", .none = "no accounts"}},
    {VERB("account password", VERB_ACTS, 0, change_password,
          "Give an account a new password. Its logins end. Without a password the server makes one "
          "and shows it once"),
     .args = {ARG_ACCOUNT, ARG_PASSWORD}, .answer = MEMBERS(MEMBER_ACCOUNT, MEMBER_PASSWORD),
     .text = {.say = "account {name} has a new password{?password:; it is shown this once:}",
              .print = "{password}",
              .example = "{\"name\":\"hatter\"}"}},
    {VERB("account del", VERB_ACTS, 0, del,
          "Delete an account; its logins end. The last one of role admin can be deleted on the "
          "server's host only"),
     .args = {ARG_ACCOUNT},
     .answer = MEMBERS(MEMBER_ACCOUNT,
                       MEMBER("admins", VERB_INTEGER, "How many accounts of role admin are left")),
     .text = {.say = "account {name} deleted{?admins:|\nno account of role admin is left: turnpike "
                     "account add NAME --admin makes one}",
              .example = "{\"name\":\"hatter\"}"}},
    {0},
};
