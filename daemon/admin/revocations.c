/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Revocations of users and of single credentials.
 */
#include "daemon/admin/verb.h"
#include "daemon/conf/conf_internal.h"
#include "daemon/issue/grant.h"
#include "store/revoke.h"

#include <string.h>

#define ARGS_OF                                                                                    \
	{"credential",  VERB_TEXT, ARG_ONE_OF | ARG_WORD, "One credential, by its username",       \
	 "EXPIRY:NAME", NULL},                                                                     \
	{                                                                                          \
		"user", VERB_TEXT, ARG_ONE_OF, "Everything of this user", "NAME", NULL             \
	}
#define MEMBERS_OF                                                                                 \
	{"user", VERB_TEXT, true, "The user, if one was named", NULL},                             \
	{                                                                                          \
		"credential", VERB_TEXT, true, "The credential, if one was named", NULL            \
	}

/* How long what was given out may last. The command line's own configuration may not be the
 * server's: then as long as any may. */
static int64_t horizon_s(const struct admin *a)
{
	return a->workers ? a->live->conf.max_credential_ttl
	                  : conf_options[OPTION_max_credential_ttl].max;
}

static int add(struct admin_task *t, struct why *why)
{
	const char *user = task_text(t, "user"), *credential = task_text(t, "credential");
	unsigned disabled = 0;
	int r = user ? store_revoke_user(t->store, user, horizon_s(t->admin), &disabled, why)
	             : store_revoke_credential(t->store, credential, why);

	if (r)
		return r;
	if (t->admin->grant)
		t->admin->grant->revoked++;
	return task_done(t,
	                 json_pack("{ss? ss? si}", "user", user, "credential", credential,
	                           "disabled", (int)disabled),
	                 why);
}

static int undo(struct admin_task *t, struct why *why)
{
	const char *user = task_text(t, "user"), *credential = task_text(t, "credential");
	int r = user ? store_unrevoke_user(t->store, user, why)
	             : store_unrevoke_credential(t->store, credential, why);

	return r ? r
	         : task_done(t, json_pack("{ss? ss?}", "user", user, "credential", credential),
	                     why);
}

static int each(void *ctx, const struct store_revocation *r)
{
	return rows_add(ctx, NULL,
	                json_pack("{ss ss so so}", "what",
	                          r->what == STORE_REVOKED_USER ? "user" : "credential", "name",
	                          r->name, "revoked_at", json_time(r->revoked_at_s), "until",
	                          json_time(r->until_s)));
}

static int list(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = json_array()};

	return rows_done(&rows, t, store_revocation_list(t->store, each, &rows, why), "revocations",
	                 why);
}

const struct verb revocations_verbs[] = {
    {"revoke",
     VERB_ACTS,
     0,
     add,
     {ARGS_OF},
     MEMBERS(MEMBERS_OF, {"disabled", VERB_INTEGER, false,
                          "How many static users of that name were disabled with it", NULL}),
     "Revoke one time-limited credential, or all that a user was given before now; static users of "
     "that name are disabled. Their calls end within a second",
     {.say = "{?user:all credentials of {user} revoked{?disabled:; the static user of that name is "
             "disabled}|credential {credential} revoked}",
      .example = "{\"user\":\"mallory\"}"}},
    {"unrevoke",
     VERB_ACTS,
     0,
     undo,
     {ARGS_OF},
     MEMBERS(MEMBERS_OF),
     "Undo a revocation",
     {.say = "{user}{credential} is no longer revoked", .example = "{\"user\":\"mallory\"}"}},
    {"revocations",
     VERB_LOOKS,
     0,
     list,
     {{0}},
     MEMBERS(
         {"revocations", VERB_ROWS, false, "Users first, by name",
          MEMBERS({"what", VERB_TEXT, false, "user or credential", NULL},
                  {"name", VERB_TEXT, false, "The user, or the credential's username", NULL},
                  {"revoked_at", VERB_TIME, false, "When it was revoked", NULL},
                  {"until", VERB_TIME, false, "When nothing is left that it applies to", NULL})},
         MEMBER_NEXT),
     "List what is revoked, since when, and until when it matters",
     {.list = "revocations",
      .line = "{what}\t{name}\t{revoked_at}\tuntil {until}",
      .none = "nothing is revoked"}},
    {0},
};
