/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Each user's relayed traffic per day.
 */
#include "store/usage.h"
#include "daemon/admin/verb.h"

#include <string.h>

#define LAST_DAY (INT64_C(1) << 32)

static json_t *row_of(const struct store_usage *u, const char *day)
{
	json_t *row = json_pack("{ss ss sI}", "day", day, "user", u->user, "allocated_s",
	                        (json_int_t)(u->n.allocated_ms + 500) / 1000);
#define X(name)                                                                                    \
	if (row && strcmp(#name, "allocated_ms") != 0)                                             \
		json_object_set_new(row, #name, json_integer((json_int_t)u->n.name));
	USAGE_TABLE(X)
#undef X
	return row;
}

static int each(void *ctx, const struct store_usage *u)
{
	struct rows *rows = ctx;
	char day[USAGE_DAY_STRLEN], key[sizeof(rows->last)];

	store_day_text(u->day, day);
	snprintf(key, sizeof(key), "%s %s", day, u->user);
	if (rows->after && strcmp(key, rows->after) <= 0)
		return 0;
	return rows_add(rows, key, row_of(u, day));
}

/* The page begins on the day of its key. */
static int first_day(const struct rows *rows, const struct admin_task *t, int64_t *from,
                     struct why *why)
{
	const char *text = task_text(t, "from");
	char day[USAGE_DAY_STRLEN];
	int64_t of_page = 0;

	*from = 0;
	if (text && store_day_parse(text, from, why))
		return -E_PARSE;
	if (rows->after) {
		snprintf(day, sizeof(day), "%s", rows->after);
		if (store_day_parse(day, &of_page, why))
			return -E_PARSE;
	}
	*from = *from > of_page ? *from : of_page;
	return 0;
}

static int list(struct admin_task *t, struct why *why)
{
	const char *to = task_text(t, "to");
	int64_t first = 0, last = LAST_DAY;
	struct rows rows = {.array = NULL};
	int r = to && store_day_parse(to, &last, why) ? -E_PARSE : 0;

	if (!r)
		r = rows_begin(&rows, t, why);
	if (!r)
		r = first_day(&rows, t, &first, why);
	if (!r && first > last)
		r = why_set(why, -E_PARSE, "usage: from is later than to: swap them");
	if (!r)
		r = store_usage_list(t->store, task_text(t, "user"), first, last, each, &rows, why);
	return rows_done(&rows, t, r, "usage", why);
}

const struct verb usage_verbs[] = {
    {VERB("usage", VERB_READS, 0, list, "List what each user relayed on each day (UTC)"),
     .args = {ARG_AS("user", VERB_TEXT, 0, "NAME", "Of this user alone"),
              ARG("from", VERB_DAY, 0, "The first day"), ARG("to", VERB_DAY, 0, "The last day"),
              ARGS_PAGE},
     .answer = MEMBERS(
         {"usage", VERB_ROWS, false, "By day and user",
          MEMBERS(MEMBER("day", VERB_DAY, "The day, in UTC"), MEMBER("user", VERB_TEXT, "The user"),
                  MEMBER("allocations", VERB_INTEGER, "Allocations that were made"),
                  MEMBER("sessions", VERB_INTEGER, "Allocations that relayed something"),
                  MEMBER("idle_allocations", VERB_INTEGER,
                         "Allocations that ended without having relayed anything"),
                  MEMBER("allocated_s", VERB_INTEGER, "Seconds that allocations stood"),
                  MEMBER("relayed_s", VERB_INTEGER, "Seconds in which something was relayed"),
                  MEMBER("to_peer_packets", VERB_INTEGER, "Packets to peers"),
                  MEMBER("to_peer_bytes", VERB_INTEGER, "Bytes to peers"),
                  MEMBER("to_client_packets", VERB_INTEGER, "Packets to clients"),
                  MEMBER("to_client_bytes", VERB_INTEGER, "Bytes to clients"))},
         MEMBER_NEXT),
     .text = {.list = "usage",
              .head = "day         user                     sessions   idle allocs  allocated   "
                      "relayed       to peers     to clients",
              .line =
                  "{day,-10}  {user,-24} {sessions,8} {idle_allocations,6} {allocations,6} "
                  "{allocated_s,8} s {relayed_s,7} s {to_peer_bytes,12} B {to_client_bytes,12} B",
              .none = "no usage",
              .example = "{\"user\":\"eve\",\"from\":\"2026-01-01\",\"to\":\"2026-01-31\"}"}},
    {0},
};
