/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Static TURN users.
 */
#include "daemon/admin/verb.h"
#include "store/name.h"
#include "store/store.h"

#include <string.h>

#define ARG_USER ARG("name", VERB_TEXT, ARG_REQUIRED | ARG_WORD, "The user's name")
#define ARG_USER_REALM                                                                             \
	ARG("realm", VERB_TEXT, ARG_REALM, "Their realm; the server's first if it is not given")
#define MEMBER_USER  MEMBER("name", VERB_TEXT, "The user's name")
#define MEMBER_REALM MEMBER("realm", VERB_TEXT, "The realm of the user")

static int each(void *ctx, const struct store_user *u)
{
	char key[REALM_MAX_LEN + NAME_MAX_LEN + 2]; /* a tab is in neither */

	snprintf(key, sizeof(key), "%s\t%s", u->realm, u->name);
	return rows_add(ctx, key,
	                json_pack("{ss ss so sb}", "name", u->name, "realm", u->realm, "created_at",
	                          json_time(u->created_at_s), "enabled", !u->disabled_at_s));
}

static int list(struct admin_task *t, struct why *why)
{
	char realm[REALM_MAX_LEN + 1] = "";
	const char *name = "";
	struct rows rows;
	int r = rows_begin(&rows, t, why);

	if (r)
		return r;
	if (rows.after) {
		snprintf(realm, sizeof(realm), "%.*s", (int)strcspn(rows.after, "\t"), rows.after);
		name = rows.after + strcspn(rows.after, "\t");
		name += *name == '\t';
	}
	return rows_done(&rows, t, store_user_list(t->store, realm, name, each, &rows, why),
	                 "users", why);
}

static const char *realm(const struct admin_task *t)
{
	const char *given = task_text(t, "realm");

	return given ? given : t->admin->live->conf.realm.v[0];
}

/* A user of a realm that is not served could never sign in. An operator on the server's host may
 * prepare one. */
static int check_served(const struct admin_task *t, struct why *why)
{
	const struct conf *conf = &t->admin->live->conf;

	for (size_t i = 0; i < conf->realm.n; i++)
		if (t->actor->on_host || !strcmp(conf->realm.v[i], realm(t)))
			return 0;
	return why_set(why, -E_INVAL, "there is no realm \"%.64s\": see the option realm",
	               realm(t));
}

static int add(struct admin_task *t, struct why *why)
{
	const char *password, *name = task_text(t, "name");
	char made[STORE_PASSWORD_STRLEN] = "";
	int r = check_served(t, why);

	if (!r)
		r = task_password(t, made, &password, why);
	if (!r)
		r = store_user_add(t->store, realm(t), name, password, why);
	if (!r)
		r = task_done(t,
		              json_pack("{ss ss ss?}", "name", name, "realm", realm(t), "password",
		                        *made ? made : NULL),
		              why);
	explicit_bzero(made, sizeof(made));
	return r;
}

static int named(struct admin_task *t, int r, struct why *why)
{
	return r ? r
	         : task_done(t,
	                     json_pack("{ss ss}", "name", task_text(t, "name"), "realm", realm(t)),
	                     why);
}

static int del(struct admin_task *t, struct why *why)
{
	return named(t, store_user_del(t->store, realm(t), task_text(t, "name"), why), why);
}

static int enable(struct admin_task *t, struct why *why)
{
	return named(t, store_user_enable(t->store, realm(t), task_text(t, "name"), true, why),
	             why);
}

static int disable(struct admin_task *t, struct why *why)
{
	return named(t, store_user_enable(t->store, realm(t), task_text(t, "name"), false, why),
	             why);
}

const struct verb users_verbs[] = {
    {VERB("user add", VERB_ACTS, VERB_MAKES_STORE, add,
          "Add a static TURN user. Without a password the server makes one and shows it once"),
     .args = {ARG_USER,
              ARG("password", VERB_SECRET, 0, "The password; one is made if it is not given"),
              ARG_USER_REALM},
     .answer =
         MEMBERS(MEMBER_USER, MEMBER_REALM,
                 MEMBER_OR_NULL("password", VERB_TEXT, "The password that was made, this once")),
     .text =
         {.say = "user {name} added to realm {realm}{?password:; the password is shown this once:}",
          .print = "{password}",
          .example = "{\"name\":\"eve\"}"}},
    {VERB("user list", VERB_READS, 0, list, "List the static TURN users"), .args = {ARGS_PAGE},
     .answer = MEMBERS({"users", VERB_ROWS, false, "By realm and name",
                        MEMBERS(MEMBER_USER, MEMBER_REALM,
                                MEMBER("created_at", VERB_TIME, "When they were added"),
                                MEMBER("enabled", VERB_BOOLEAN, "Whether they may relay"))},
                       MEMBER_NEXT),
     .text = {.list = "users",
              .line = "{name}\t{realm}\t{created_at}{?enabled:|\tdisabled}",
              .none = "no users",
              .example = "{\"limit\":20}"}},
    {VERB("user disable", VERB_ACTS, 0, disable,
          "Disable a static TURN user without deleting them; their calls end"),
     .args = {ARG_USER, ARG_USER_REALM}, .answer = MEMBERS(MEMBER_USER, MEMBER_REALM),
     .text = {.say = "user {name} disabled in realm {realm}", .example = "{\"name\":\"eve\"}"}},
    {VERB("user enable", VERB_ACTS, 0, enable, "Let a disabled user relay again"),
     .args = {ARG_USER, ARG_USER_REALM}, .answer = MEMBERS(MEMBER_USER, MEMBER_REALM),
     .text = {.say = "user {name} enabled in realm {realm}", .example = "{\"name\":\"eve\"}"}},
    {VERB("user del", VERB_ACTS, 0, del, "Delete a static TURN user; their calls end"),
     .args = {ARG_USER, ARG_USER_REALM}, .answer = MEMBERS(MEMBER_USER, MEMBER_REALM),
     .text = {.say = "user {name} deleted from realm {realm}", .example = "{\"name\":\"eve\"}"}},
    {0},
};
