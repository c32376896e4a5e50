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
	ARG_AS("credential", VERB_TEXT, ARG_ONE_OF | ARG_WORD, "EXPIRY:NAME",                      \
	       "One credential, by its username"),                                                 \
	    ARG_AS("user", VERB_TEXT, ARG_ONE_OF, "NAME", "Everything of this user")
#define MEMBERS_OF                                                                                 \
	MEMBER_OR_NULL("user", VERB_TEXT, "The user, if one was named"),                           \
	    MEMBER_OR_NULL("credential", VERB_TEXT, "The credential, if one was named")

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
    {VERB("revoke", VERB_ACTS, 0, add,
          "Revoke one time-limited credential, or all that a user has got so far. This also "
          "disables static users of that name. Their calls end within a second"),
     .args = {ARGS_OF},
     .answer =
         MEMBERS(MEMBERS_OF, MEMBER("disabled", VERB_INTEGER,
                                    "How many static users of that name were disabled with it")),
     .text = {.say = "{?user:all credentials of {user} revoked{?disabled:; the static user of that "
                     "name is disabled}|credential {credential} revoked}",
              .example = "{\"user\":\"mallory\"}"}},
    {VERB("unrevoke", VERB_ACTS, 0, undo, "Undo a revocation"), .args = {ARGS_OF},
     .answer = MEMBERS(MEMBERS_OF),
     .text = {.say = "{user}{credential} is no longer revoked",
              .example = "{\"user\":\"mallory\"}"}},
    {VERB("revocations", VERB_READS, 0, list,
          "List what is revoked, since when, and until when it matters"),
     .answer =
         MEMBERS({"revocations", VERB_ROWS, false, "Users first, by name",
                  MEMBERS(MEMBER("what", VERB_TEXT, "user or credential"),
                          MEMBER("name", VERB_TEXT, "The user, or the credential's username"),
                          MEMBER("revoked_at", VERB_TIME, "When it was revoked"),
                          MEMBER("until", VERB_TIME, "When nothing is left that it applies to"))},
                 MEMBER_NEXT),
     .text = {.list = "revocations",
              .line = "{what}\t{name}\t{revoked_at}\tuntil {until}",
              .none = "nothing is revoked"}},
    {0},
};
