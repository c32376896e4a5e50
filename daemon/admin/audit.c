/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The audit of changes.
 */
#include "store/audit.h"
#include "daemon/admin/verb.h"

#include <inttypes.h>
#include <stdlib.h>

struct page {
	struct rows rows;
	int64_t after; /* the number of the last act of the page before */
};

static int each(void *ctx, const struct store_audit *a)
{
	struct page *page = ctx;
	char key[24];

	if (a->id <= page->after)
		return 0;
	snprintf(key, sizeof(key), "%" PRId64, a->id);
	return rows_add(&page->rows, key,
	                json_pack("{sI so ss ss ss}", "id", (json_int_t)a->id, "at",
	                          json_time(a->at_s), "actor", a->actor, "act", a->act, "object",
	                          a->object));
}

static int list(struct admin_task *t, struct why *why)
{
	int64_t last = task_number(t, "last", INT64_MAX);
	struct page page = {.after = 0};
	int r = rows_begin(&page.rows, t, why);
	char *end = NULL;

	if (!r && page.rows.after)
		page.after = strtoll(page.rows.after, &end, 10);
	if (!r && end && (*end || page.after < 1))
		r = why_set(why, -E_PARSE, "audit: after is what the page before gave as its next");
	if (!r && last < 1)
		r = why_set(why, -E_PARSE, "audit: last is 1 or more");
	if (!r)
		r = store_audit_list(t->store, last, each, &page, why);
	return rows_done(&page.rows, t, r, "audit", why);
}

const struct verb audit_verbs[] = {
    {VERB("audit", VERB_READS_ADMIN, 0, list, "List the changes and their actors, the latest last"),
     .args = {ARG("last", VERB_INTEGER, 0, "Only the latest so many acts"), ARGS_PAGE},
     .answer = MEMBERS(
         {"audit", VERB_ROWS, false, "The latest last",
          MEMBERS(MEMBER("id", VERB_INTEGER, "The act's number"), MEMBER("at", VERB_TIME, "When"),
                  MEMBER("actor", VERB_TEXT, "By whom: account alice, token 3 ops, socket uid 0"),
                  MEMBER("act", VERB_TEXT, "What"), MEMBER("object", VERB_TEXT, "To what"))},
         MEMBER_NEXT),
     .text = {.list = "audit",
              .line = "{at}\t{actor}\t{act}\t{object}",
              .none = "no acts",
              .example = "{\"last\":20}"}},
    {0},
};
