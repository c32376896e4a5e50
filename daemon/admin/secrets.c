/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared secrets of the time-limited credentials.
 */
#include "daemon/admin/verb.h"
#include "daemon/cert/setup.h"
#include "store/name.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define SHORT_SECRET 16 /* below, one credential is enough to find it by trying */

static int each(void *ctx, const struct store_secret *s)
{
	return rows_add(ctx, NULL,
	                json_pack("{sI sb sb so so sn}", "id", (json_int_t)s->id, "live", s->live,
	                          "ended", s->ended, "created_at", json_time(s->created_at_s),
	                          "retired_at", json_time(s->retired_at_s), "allocations"));
}

/* A worker that does not answer in time has none to show. */
static int count_allocations(struct admin_task *t, json_t *secrets, struct why *why)
{
	size_t i, n = json_array_size(secrets);
	int64_t *ids = calloc(n + 1, sizeof(*ids));
	uint64_t *counts = calloc(n + 1, sizeof(*counts));
	json_t *secret;
	int r = ids && counts ? 0 : why_set(why, -E_NOMEM, "out of memory");

	if (!r) {
		json_array_foreach (secrets, i, secret)
			ids[i] = json_integer_value(json_object_get(secret, "id"));
		sessions_count(t, ids, n, counts);
		json_array_foreach (secrets, i, secret)
			json_object_set_new(secret, "allocations",
			                    json_integer((json_int_t)counts[i]));
	}
	free(ids);
	free(counts);
	return r;
}

static int list(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = json_array()};
	int r = store_secret_list(t->store, each, &rows, why);

	if (!r && t->admin->workers)
		r = count_allocations(t, rows.array, why);
	return rows_done(&rows, t, r, "secrets", why);
}

static int add(struct admin_task *t, struct why *why)
{
	const char *given = task_text(t, "value");
	char made[SECRET_MAX_LEN + 1];
	bool is_short = given && strlen(given) < SHORT_SECRET;
	int64_t id;
	int r = store_secret_add(t->store, given, made, &id, why);

	if (!r)
		r = task_done(t,
		              json_pack("{sI ss? ss?}", "id", (json_int_t)id, "value",
		                        given ? NULL : made, "warning",
		                        is_short ? "a secret this short can be guessed from one "
		                                   "credential: use 16 bytes or more"
		                                 : NULL),
		              why);
	explicit_bzero(made, sizeof(made));
	return r;
}

static int tell_retired(struct admin_task *t, bool now, json_t *sessions, struct why *why)
{
	const struct conf *conf = &t->admin->live->conf;
	int64_t id = task_number(t, "id", 0), after_s = task_number(t, "after", 0);
	char warning[sizeof(why->text) + 32] = "";
	uint64_t living = 0;
	struct why refused;
	bool complete = t->admin->workers && sessions_count(t, &id, 1, &living);

	if (*conf->shared_secret && setup_secret_check(conf, t->store, &refused))
		snprintf(warning, sizeof(warning), "the next start is refused: %s", refused.text);
	return task_done(
	    t,
	    json_pack(
	        "{sI sb sb so so so sb ss?}", "id", (json_int_t)id, "live", after_s > 0, "ended",
	        now, "retired_at", json_time(store_now_s(t->store) + after_s), "allocations",
	        t->admin->workers ? json_integer((json_int_t)living) : json_null(), "sessions",
	        sessions, "complete", complete, "warning", *warning ? warning : NULL),
	    why);
}

static int retire(struct admin_task *t, struct why *why)
{
	int64_t id = task_number(t, "id", 0);
	bool now = task_flag(t, "now");
	json_t *sessions;
	int r;

	if (now && json_object_get(t->args, "after"))
		return why_set(why, -E_PARSE,
		               "secret retire: now or after: one excludes the other");
	r = now ? store_secret_end(t->store, id, why)
	        : store_secret_retire(t->store, id, task_number(t, "after", 0), why);
	if (r)
		return r;
	/* The workers hear of the change only after this. */
	sessions = sessions_of_secret(t, id);
	return tell_retired(t, now, sessions ? sessions : json_array(), why);
}

const struct verb secrets_verbs[] = {
    {VERB("secret add", VERB_ACTS, VERB_MAKES_STORE, add,
          "Add a shared secret for time-limited credentials. Without a value the server makes "
          "one and shows it once. New credentials use the newest secret; every live secret "
          "verifies"),
     .args = {ARG("value", VERB_SECRET, 0, "The secret; one is made if it is not given")},
     .answer = MEMBERS(MEMBER("id", VERB_INTEGER, "Its number"),
                       MEMBER_OR_NULL("value", VERB_TEXT, "The value that was made, this once"),
                       MEMBER_OR_NULL("warning", VERB_TEXT, "What is wrong with it")),
     .text = {.say = "secret {id} added{?value:; its value is shown this once:}",
              .print = "{value}"}},
    {VERB("secret list", VERB_READS, 0, list,
          "List the shared secrets and how many allocations live on each; never a value"),
     .answer = MEMBERS(
         {"secrets", VERB_ROWS, false, "The oldest first",
          MEMBERS(MEMBER("id", VERB_INTEGER, "Its number"),
                  MEMBER("live", VERB_BOOLEAN, "Whether it verifies"),
                  MEMBER("ended", VERB_BOOLEAN, "Whether what lived on it has ended, too"),
                  MEMBER("created_at", VERB_TIME, "When it was added"),
                  MEMBER_OR_NULL("retired_at", VERB_TIME, "When it was retired, or will be"),
                  MEMBER_OR_NULL("allocations", VERB_INTEGER,
                                 "How many live on it; null where no server runs"))},
         MEMBER_NEXT),
     .text = {.list = "secrets",
              .line = "{id}\t{?ended:ended|{?live:{?retired_at:retiring|live}|retired}}\t{created_"
                      "at}{?retired_at:\t{retired_at}}",
              .none = "no secrets"}},
    {VERB("secret retire", VERB_ACTS, 0, retire,
          "Refuse new allocations with credentials of a secret, from now on or after a time. The "
          "running ones go on, and the answer lists them. With now they end within a second, also "
          "if the secret is retired already: use this for a secret that has leaked"),
     .args = {ARG_AS("id", VERB_INTEGER, ARG_REQUIRED | ARG_WORD, "ID", "The secret's number"),
              ARG_AS("after", VERB_DURATION, 0, "TIME",
                     "Seconds until it is retired; 0 if it is not given"),
              ARG("now", VERB_BOOLEAN, 0, "End what lives on it, too; not together with after")},
     .answer =
         MEMBERS(MEMBER("id", VERB_INTEGER, "Its number"),
                 MEMBER("live", VERB_BOOLEAN, "Whether it still verifies"),
                 MEMBER("retired_at", VERB_TIME, "When it was retired, or will be"),
                 MEMBER("ended", VERB_BOOLEAN, "Whether what lived on it ends"),
                 MEMBER_OR_NULL("allocations", VERB_INTEGER,
                                "How many live on it; null where no server runs"),
                 {"sessions", VERB_ROWS, false, "The newest of them", session_members},
                 MEMBER("complete", VERB_BOOLEAN, "False: a relay worker did not answer in time"),
                 MEMBER_OR_NULL("warning", VERB_TEXT, "Why the next start would be refused")),
     .text =
         {.say = "secret {id} {?live:retires at {retired_at}|retired}\n{?allocations:{allocations} "
                 "allocation{allocations:s} {?ended:that lived on it {allocations:h} ended:|still "
                 "live{allocations:v} on it; turnpike secret retire {id} --now ends "
                 "that:}|{?complete:no allocation lives on it|no server runs, or a relay worker "
                 "has not answered: {?ended:a server ends what lives on the secret when it sees "
                 "the change|what lives on the secret is not known}}}",
          .list = "sessions",
          .head = SESSION_HEAD,
          .line = SESSION_LINE,
          .example = "{\"id\":2}"}},
    {0},
};
