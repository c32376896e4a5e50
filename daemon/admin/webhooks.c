/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The webhooks' queue and dead letters.
 */
#include "daemon/admin/verb.h"
#include "daemon/hooks/hooks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static json_t *time_or_null(int64_t at_ms)
{
	return at_ms ? json_time_ms(at_ms) : json_null();
}

static json_t *row_of(const struct hook_url_state *s)
{
	const struct hook_count *c = &s->count;

	return json_pack("{ss ss sI sI so sI sI sI so so ss? so}", "url", s->url, "state",
	                 s->failing_since_ms ? "failing"
	                 : c->letters        ? "sending"
	                                     : "idle",
	                 "waiting", (json_int_t)c->letters, "waiting_bytes", (json_int_t)c->bytes,
	                 "oldest_at", time_or_null(c->letters ? c->oldest_ms : 0), "dead",
	                 (json_int_t)c->dead, "delivered", (json_int_t)s->delivered, "failed",
	                 (json_int_t)s->failed, "failing_since", time_or_null(s->failing_since_ms),
	                 "tried_at", time_or_null(s->tried_ms), "error",
	                 *s->error ? s->error : NULL, "next_at", time_or_null(s->next_ms));
}

static int list(struct admin_task *t, struct why *why)
{
	struct hook_url_state states[HOOK_URLS_MAX];
	size_t n = hooks_get_states(t->admin->hooks, states);
	struct rows rows = {.array = json_array()};
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = rows_add(&rows, NULL, row_of(&states[i]));
	return rows_done(&rows, t, r, "webhooks", why);
}

static int each_dead(void *ctx, const struct hook_letter *l)
{
	char key[HOOK_URL_MAX + 24];

	snprintf(key, sizeof(key), "%" PRId64 " %s", l->seq, l->url);
	return rows_add(ctx, key,
	                json_pack("{ss sI ss so so ss sI ss}", "id", l->id, "sequence",
	                          (json_int_t)l->seq, "event", l->what, "at",
	                          json_time_ms(l->at_ms), "died_at", json_time_ms(l->dead_ms),
	                          "url", l->url, "tries", (json_int_t)l->tries, "error", l->error));
}

/* The page's key: "SEQUENCE URL". */
static int list_dead(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = NULL};
	const char *url = "";
	char *end = NULL;
	int64_t seq = 0;
	int r = rows_begin(&rows, t, why);

	if (!r && rows.after) {
		seq = strtoll(rows.after, &end, 10);
		if (seq < 1 || *end != ' ')
			r = why_set(
			    why, -E_PARSE,
			    "webhooks dead: after is what the page before gave as its next");
		else
			url = end + 1;
	}
	if (!r)
		r = hooks_list_dead(t->admin->hooks, seq, url, each_dead, &rows, why);
	return rows_done(&rows, t, r, "dead", why);
}

static int retry(struct admin_task *t, struct why *why)
{
	const char *id = task_text(t, "id");
	bool all = !strcmp(id, "all");
	int64_t n = 0;
	int r = hooks_retry(t->admin->hooks, all ? NULL : id, &n, why);

	if (!r && !n && !all)
		r = why_set(
		    why, -E_NOTFOUND,
		    "no dead letter for a URL of webhook_url has the id \"%.64s\": see turnpike "
		    "webhooks dead",
		    id);
	if (r)
		return r;
	task_audit(t, "webhooks retry", id);
	return task_done(t, json_pack("{ss sI}", "id", id, "letters", (json_int_t)n), why);
}

const struct verb webhooks_verbs[] = {
    {VERB("webhooks", VERB_READS_ADMIN, VERB_NEEDS_SERVER, list,
          "List the webhook URLs: what waits for each, since when, and what failed last"),
     .answer = MEMBERS(
         {"webhooks", VERB_ROWS, false, "As in webhook_url",
          MEMBERS(MEMBER("url", VERB_TEXT, "The URL"),
                  MEMBER("state", VERB_TEXT, "idle, sending or failing"),
                  MEMBER("waiting", VERB_INTEGER, "Events that wait to be sent there"),
                  MEMBER("waiting_bytes", VERB_INTEGER, "The same in bytes"),
                  MEMBER_OR_NULL("oldest_at", VERB_TIME, "Since when the first of them waits"),
                  MEMBER("dead", VERB_INTEGER, "Dead letters that are kept"),
                  MEMBER("delivered", VERB_INTEGER, "Events that it accepted since the start"),
                  MEMBER("failed", VERB_INTEGER, "Tries in vain since the start"),
                  MEMBER_OR_NULL("failing_since", VERB_TIME,
                                 "Since when it has accepted nothing; null: it accepts"),
                  MEMBER_OR_NULL("tried_at", VERB_TIME, "The last try since the start"),
                  MEMBER_OR_NULL("error", VERB_TEXT, "Of the last try in vain since the start"),
                  MEMBER_OR_NULL("next_at", VERB_TIME, "When it is tried again"))},
         MEMBER_NEXT),
     .text = {.list = "webhooks",
              .head = "state   waiting   dead delivered  failed  url",
              .line = "{state,-8}{waiting,7} {dead,6} {delivered,9} {failed,7}  {url}{?oldest_at:, "
                      "the first waits since {oldest_at:c}}{?failing_since:, {error}}{?next_at:, "
                      "next try {next_at:c}}",
              .none = "no webhooks: name a receiver in webhook_url"}},
    {VERB("webhooks dead", VERB_READS_ADMIN, VERB_NEEDS_SERVER, list_dead,
          "List the dead letters: events that a URL refused, or that grew too old or too many"),
     .args = {ARGS_PAGE},
     .answer = MEMBERS({"dead", VERB_ROWS, false, "By number",
                        MEMBERS(MEMBER("id", VERB_TEXT, "The event's id"),
                                MEMBER("sequence", VERB_INTEGER, "Its number"),
                                MEMBER("event", VERB_TEXT, "What happened, as in webhook_events"),
                                MEMBER("at", VERB_TIME, "When it happened"),
                                MEMBER("died_at", VERB_TIME, "When it became a dead letter"),
                                MEMBER("url", VERB_TEXT, "Where it was to be sent"),
                                MEMBER("tries", VERB_INTEGER, "How often it was"),
                                MEMBER("error", VERB_TEXT, "Why it died"))},
                       MEMBER_NEXT),
     .text = {.list = "dead",
              .line = "{id}\t{event}\t{at}\t{url}\t{error}",
              .none = "no dead letters",
              .example = "{\"limit\":10}"}},
    {VERB("webhooks retry", VERB_ACTS, VERB_NEEDS_SERVER, retry,
          "Send dead letters again, before what waits: one event's, or all"),
     .args = {ARG_AS("id", VERB_TEXT, ARG_REQUIRED | ARG_WORD, "ID|all",
                     "The event's id, or the word all")},
     .answer = MEMBERS(MEMBER("id", VERB_TEXT, "The id, or all"),
                       MEMBER("letters", VERB_INTEGER, "Dead letters that wait again")),
     .text = {.say = "{letters} dead letter{letters:s} wait{letters:v} again",
              .example = "{\"id\":\"all\"}"}},
    {0},
};
