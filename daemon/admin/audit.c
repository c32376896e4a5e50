/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The audit of changes.
 */
#include "store/audit.h"
#include "daemon/admin/verb.h"

#include <inttypes.h>
#include <stdlib.h>

static int each(void *ctx, const struct store_audit *a)
{
	struct rows *rows = ctx;
	char key[24];

	if (rows->after && a->id <= strtoll(rows->after, NULL, 10))
		return 0;
	snprintf(key, sizeof(key), "%" PRId64, a->id);
	return rows_add(rows, key,
	                json_pack("{sI so ss ss ss}", "id", (json_int_t)a->id, "at",
	                          json_time(a->at_s), "actor", a->actor, "act", a->act, "object",
	                          a->object));
}

static int list(struct admin_task *t, struct why *why)
{
	struct rows rows;
	int r = rows_begin(&rows, t, why);

	if (!r)
		r = store_audit_list(t->store, task_number(t, "last", 0), each, &rows, why);
	return rows_done(&rows, t, r, "audit", why);
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
