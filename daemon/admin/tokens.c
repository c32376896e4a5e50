/* SPDX-License-Identifier: BSD-3-Clause
 *
 * API tokens.
 */
#include "daemon/admin/verb.h"
#include "store/store.h"

#include <string.h>

#define MEMBER_ID    MEMBER("id", VERB_INTEGER, "Its number")
#define MEMBER_LABEL MEMBER("label", VERB_TEXT, "What it was called")
#define MEMBER_SCOPE MEMBER("scope", VERB_TEXT, "What it opens, with commas between")

static int each(void *ctx, const struct store_token *k)
{
	char scopes[STORE_SCOPES_STRLEN];

	return rows_add(ctx, NULL,
	                json_pack("{sI ss ss so so so}", "id", (json_int_t)k->id, "label", k->label,
	                          "scope", store_scopes_text(k->scopes, scopes), "created_at",
	                          json_time(k->created_at_s), "expires_at",
	                          json_time(k->expires_at_s), "last_used_at",
	                          json_time(k->last_used_at_s)));
}

static int list(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = json_array()};

	return rows_done(&rows, t, store_token_list(t->store, each, &rows, why), "tokens", why);
}

static int add(struct admin_task *t, struct why *why)
{
	const char *label = task_text(t, "label"), *given = task_text(t, "scope");
	int64_t expires_s = task_number(t, "expires", 0), id;
	unsigned scopes = STORE_SCOPES_DEFAULT;
	char token[STORE_TOKEN_STRLEN], text[STORE_SCOPES_STRLEN];
	int r;

	if (json_object_get(t->args, "expires") && (expires_s < 1 || expires_s > STORE_AFTER_MAX_S))
		return why_set(why, -E_PARSE, "token add: expires is from 1 to %d seconds",
		               STORE_AFTER_MAX_S);
	if (given && store_scopes_parse(given, &scopes, why))
		return -E_PARSE;
	r = store_token_add(t->store, label ? label : "", scopes,
	                    expires_s ? store_now_s(t->store) + expires_s : 0, token, &id, why);
	if (r)
		return r;
	r = task_done(t,
	              json_pack("{sI ss ss ss}", "id", (json_int_t)id, "label", label ? label : "",
	                        "scope", store_scopes_text(scopes, text), "token", token),
	              why);
	explicit_bzero(token, sizeof(token));
	return r;
}

static int del(struct admin_task *t, struct why *why)
{
	int64_t id = task_number(t, "id", 0);
	int r = store_token_del(t->store, id, why);

	return r ? r : task_done(t, json_pack("{sI}", "id", (json_int_t)id), why);
}

const struct verb tokens_verbs[] = {
    {VERB("token add", VERB_ACTS, VERB_MAKES_STORE, add,
          "Add a token for the HTTP interface, and show it once"),
     .args = {ARG("label", VERB_TEXT, ARG_WORD, "What to call it"),
              ARG_AS("scope", VERB_TEXT, 0, "SCOPES",
                     "What it opens: issue (credentials), ticket (tickets for any name), metrics, "
                     "admin (everything), or several with commas between; issue,metrics if it is "
                     "not given"),
              ARG_AS("expires", VERB_DURATION, 0, "TIME",
                     "Seconds until it ends; without it, it never does")},
     .answer = MEMBERS(MEMBER_ID, MEMBER_LABEL, MEMBER_SCOPE,
                       MEMBER("token", VERB_TEXT, "The token, this once")),
     .text = {.say = "token {id} added; it is shown this once:",
              .print = "{token}",
              .example = "{\"label\":\"dashboard\",\"scope\":\"metrics\",\"expires\":86400}"}},
    {VERB("token list", VERB_READS_ADMIN, 0, list, "List the API tokens; never their texts"),
     .answer =
         MEMBERS({"tokens", VERB_ROWS, false, "The oldest first",
                  MEMBERS(MEMBER_ID, MEMBER_LABEL, MEMBER_SCOPE,
                          MEMBER("created_at", VERB_TIME, "When it was added"),
                          MEMBER_OR_NULL("expires_at", VERB_TIME, "When it ends"),
                          MEMBER_OR_NULL("last_used_at", VERB_TIME, "When it was used last"))},
                 MEMBER_NEXT),
     .text = {.list = "tokens",
              .line = "{id}\t{scope}\t{created_at}\tends {?expires_at:{expires_at}|never}\tused "
                      "{?last_used_at:{last_used_at}|never}\t{label}",
              .none = "no tokens"}},
    {VERB("token del", VERB_ACTS, 0, del, "Delete an API token"),
     .args = {ARG_AS("id", VERB_INTEGER, ARG_REQUIRED | ARG_WORD, "ID", "The token's number")},
     .answer = MEMBERS(MEMBER_ID), .text = {.say = "token {id} deleted", .example = "{\"id\":5}"}},
    {0},
};
