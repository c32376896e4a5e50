/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the verbs' functions: arguments, answers, pages, times.
 */
#include "base/log.h"
#include "base/text.h"
#include "base/wall.h"
#include "daemon/admin/verb.h"
#include "store/audit.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LAST_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z: RFC 3339 has no later one */

const char *task_text(const struct admin_task *t, const char *name)
{
	return json_string_value(json_object_get(t->args, name));
}

int64_t task_number(const struct admin_task *t, const char *name, int64_t def)
{
	const json_t *value = json_object_get(t->args, name);
	int64_t at_ms;

	if (json_is_string(value)) /* a time: it was checked */
		return verb_time_parse(json_string_value(value), &at_ms) ? def : at_ms / 1000;
	return value ? json_integer_value(value) : def;
}

bool task_flag(const struct admin_task *t, const char *name)
{
	return json_is_true(json_object_get(t->args, name));
}

int task_done(struct admin_task *t, json_t *result, struct why *why)
{
	t->result = result;
	return result ? 0 : why_set(why, -E_NOMEM, "out of memory");
}

void task_audit(struct admin_task *t, const char *act, const char *object)
{
	struct why why = {{0}};

	if (store_audit_add(t->store, act, object, &why))
		log_error(NULL, "not-in-the-audit", LOG_STR("act", act), LOG_STR("object", object),
		          LOG_STR("by", t->actor->name), LOG_STR("error", why.text));
}

int task_password(const struct admin_task *t, char made[STORE_PASSWORD_STRLEN],
                  const char **password, struct why *why)
{
	*made = 0;
	*password = task_text(t, "password");
	if (*password)
		return 0;
	*password = made;
	return store_make_password(made) ? why_set(why, -E_IO, "the system gives no random numbers")
	                                 : 0;
}

json_t *json_shown(const char *text, size_t len)
{
	size_t size = TEXT_SHOWN_MAX(len);
	char *shown = malloc(size);
	json_t *s =
	    shown ? json_stringn(shown, text_show(shown, size, text, len, TEXT_SHOWN)) : NULL;

	free(shown);
	return s;
}

/* ---- times ---- */

int verb_time_parse(const char *text, int64_t *at_ms)
{
	char again[WALL_STRLEN];
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int ms = 0, used = 0;

	if (end && *end == '.') {
		if (sscanf(end, ".%3d%n", &ms, &used) != 1 || used != 4)
			return -E_PARSE;
		end += used;
	}
	if (!end || strcmp(end, "Z") != 0)
		return -E_PARSE;
	*at_ms = (int64_t)timegm(&tm) * 1000 + ms;
	/* strptime() also takes blanks, single digits and a 31st of February. */
	return strcmp(wall_text(*at_ms, used > 0, again), text) ? -E_PARSE : 0;
}

json_t *json_time(int64_t at_s)
{
	char text[WALL_STRLEN];

	if (at_s > LAST_S)
		at_s = LAST_S; /* other issuers' credentials may end at any time */
	return at_s ? json_string(wall_text(at_s * 1000, false, text)) : json_null();
}

json_t *json_time_ms(int64_t at_ms)
{
	char text[WALL_STRLEN];

	return json_string(wall_text(at_ms, true, text));
}

/* ---- pages ---- */

int rows_begin(struct rows *rows, const struct admin_task *t, struct why *why)
{
	*rows = (struct rows){.after = task_text(t, "after"),
	                      .limit = task_number(t, "limit", VERB_PAGE_DEFAULT)};
	if (rows->limit < 1 || rows->limit > VERB_PAGE_MAX)
		return why_set(why, -E_PARSE, "%s: limit is from 1 to %d", t->verb->name,
		               VERB_PAGE_MAX);
	rows->array = json_array();
	return 0;
}

int rows_add(struct rows *rows, const char *key, json_t *row)
{
	if (rows->limit && (int64_t)json_array_size(rows->array) == rows->limit) {
		json_decref(row);
		rows->more = true;
		return ROWS_FULL;
	}
	if (key)
		snprintf(rows->last, sizeof(rows->last), "%s", key);
	return json_array_append_new(rows->array, row) ? -E_NOMEM : 0;
}

int rows_done(struct rows *rows, struct admin_task *t, int err, const char *name, struct why *why)
{
	if (err < 0) {
		json_decref(rows->array);
		return why->text[0] ? err : why_set(why, err, "%s", error_text(err));
	}
	return task_done(
	    t, json_pack("{so ss?}", name, rows->array, "next", rows->more ? rows->last : NULL),
	    why);
}
