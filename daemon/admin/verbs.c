/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The way to a verb: by its name or its path, with its arguments checked.
 */
#include "daemon/admin/verb.h"

#include "base/log.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

static const struct verb *const nouns[] = {
    users_verbs,    secrets_verbs,  tokens_verbs,   ticket_keys_verbs, tickets_verbs,
    accounts_verbs, sessions_verbs, calls_verbs,    revocations_verbs, usage_verbs,
    audit_verbs,    people_verbs,   webhooks_verbs, server_verbs,
};

const struct verb *verb_at(size_t i)
{
	for (size_t n = 0; n < sizeof(nouns) / sizeof(*nouns); n++)
		for (const struct verb *v = nouns[n]; v->name; v++)
			if (!i--)
				return v;
	return NULL;
}

const char *verb_path(const struct verb *v, char out[VERB_PATH_STRLEN])
{
	char *list;

	snprintf(out, VERB_PATH_STRLEN, "%s", v->name);
	list = strstr(out, " list");
	if (list)
		memcpy(list, "s", 2);
	for (char *c = out; *c; c++)
		*c = *c == ' ' ? '/' : *c;
	return out;
}

static bool is_named(const char *name, const char *text)
{
	while (*name && (*name == *text || (strchr(" /", *name) && *text && strchr(" /-", *text))))
		name++, text++;
	return !*name && !*text;
}

const struct verb *verb_find(const char *name)
{
	char path[VERB_PATH_STRLEN];
	const struct verb *v;

	for (size_t i = 0; (v = verb_at(i)); i++)
		if (is_named(v->name, name) || is_named(verb_path(v, path), name))
			return v;
	return NULL;
}

const struct verb_arg *verb_arg(const struct verb *v, size_t i)
{
	return i < VERB_ARGS_MAX && v->args[i].name ? &v->args[i] : NULL;
}

const char *verb_type_text(enum verb_type type)
{
	static const char *const texts[] = {
	    [VERB_TEXT] = "string",     [VERB_SECRET] = "string",    [VERB_FILE] = "string",
	    [VERB_INTEGER] = "integer", [VERB_DURATION] = "integer", [VERB_TIME] = "string",
	    [VERB_BOOLEAN] = "boolean", [VERB_DAY] = "string",       [VERB_TEXTS] = "array",
	    [VERB_INTEGERS] = "array",  [VERB_TIMES] = "array",      [VERB_ROWS] = "array",
	    [VERB_MAP] = "object"};

	return texts[type];
}

/* ---- arguments ---- */

/* "30", or "45s", "10m", "24h", "7d". */
static bool parse_number(const char *text, bool is_duration, int64_t *out)
{
	static const struct {
		const char *unit;
		int64_t s;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	size_t digits = strspn(text, "0123456789");

	for (size_t i = 0; digits && digits < (is_duration ? 10u : 19u) && i < 5; i++) {
		if (strcmp(text + digits, units[i].unit) != 0 || (i && !is_duration))
			continue;
		*out = strtoll(text, NULL, 10) * units[i].s;
		return true;
	}
	return false;
}

int verb_parse(const struct verb *v, const struct verb_arg *arg, const char *text, json_t **out,
               struct why *why)
{
	bool is_duration = arg->type == VERB_DURATION;
	int64_t n;

	if (arg->type == VERB_BOOLEAN) {
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			return why_set(why, -E_PARSE, "%s: %s is true or false", v->name,
			               arg->name);
		*out = json_boolean(*text == 't');
	} else if (arg->type != VERB_INTEGER && !is_duration) {
		*out = json_string(text);
		if (!*out)
			return why_set(why, -E_INVAL, "%s: %s is not valid UTF-8", v->name,
			               arg->name);
	} else if (!parse_number(text, is_duration, &n)) {
		return why_set(why, -E_PARSE, "%s: \"%.64s\" is no %s: write %s", v->name, text,
		               arg->meta ? arg->meta : arg->name,
		               is_duration ? "seconds, or 10m, 24h, 7d" : "a whole number");
	} else {
		*out = json_integer((json_int_t)n);
	}
	return *out ? 0 : why_set(why, -E_NOMEM, "out of memory");
}

static int check_value(const struct verb *v, const struct verb_arg *arg, const json_t *value,
                       struct why *why)
{
	bool is_number = arg->type == VERB_INTEGER || arg->type == VERB_DURATION;
	const char *text = json_string_value(value);
	int64_t at;

	if (arg->type == VERB_BOOLEAN ? !json_is_boolean(value)
	    : is_number               ? !json_is_integer(value)
	                              : !text)
		return why_set(why, -E_PARSE, "%s: %s is %s", v->name, arg->name,
		               arg->type == VERB_BOOLEAN ? "true or false"
		               : is_number               ? "a whole number"
		                                         : "a string");
	if (text && strlen(text) != json_string_length(value))
		return why_set(why, -E_PARSE, "%s: %s holds a zero byte", v->name, arg->name);
	if (arg->type == VERB_TIME && verb_time_parse(text, &at))
		return why_set(why, -E_PARSE, "%s: %s is a time as in 2026-11-22T13:14:15Z",
		               v->name, arg->name);
	return 0;
}

static const struct verb_arg *find_arg(const struct verb *v, const char *name)
{
	const struct verb_arg *arg;

	for (size_t i = 0; (arg = verb_arg(v, i)); i++)
		if (!strcmp(arg->name, name))
			return arg;
	return NULL;
}

static int check_needs(const struct verb *v, const json_t *args, struct why *why)
{
	const struct verb_arg *arg;
	char list[128] = "";
	size_t len = 0, n = 0;

	for (size_t i = 0; (arg = verb_arg(v, i)); i++) {
		bool given = json_object_get(args, arg->name);

		if (arg->flags & ARG_REQUIRED && !given)
			return why_set(why, -E_PARSE, "%s needs the argument \"%s\"", v->name,
			               arg->name);
		if (!(arg->flags & ARG_ONE_OF))
			continue;
		n += given;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "",
		                        arg->name);
	}
	return len && n != 1 ? why_set(why, -E_PARSE, "%s needs exactly one of the arguments %s",
	                               v->name, list)
	                     : 0;
}

int verb_check(const struct verb *v, const json_t *args, struct why *why)
{
	const char *name;
	json_t *value;
	int err;

	if (args && !json_is_object(args))
		return why_set(why, -E_PARSE, "the arguments are a JSON object");
	json_object_foreach ((json_t *)(uintptr_t)args, name, value) {
		const struct verb_arg *arg = find_arg(v, name);

		if (!arg)
			return why_set(why, -E_PARSE, "%s takes no argument \"%.64s\"", v->name,
			               name);
		err = check_value(v, arg, value, why);
		if (err)
			return err;
	}
	return check_needs(v, args, why);
}

/* ---- the call ---- */

void task_finish(struct admin *a, const char *verb, const char *actor, int err)
{
	if (!a->changed)
		return; /* no server runs: the command line's own word is enough */
	log_info(NULL, "admin", LOG_STR("act", verb), LOG_STR("by", actor),
	         LOG_STR("result", err ? admin_code_text(err) : "ok"));
	if (!err)
		a->changed(a->ctx);
}

int admin_call(struct admin *a, const struct admin_actor *actor, const char *name,
               const json_t *args, struct admin_answer *out)
{
	const struct verb *v = verb_find(name);
	struct admin_task t = {.admin = a, .store = a->store, .actor = actor, .args = args};
	struct why *why = &out->why;
	int err;

	memset(out, 0, sizeof(*out));
	if (!v)
		return why_set(why, -E_NOTFOUND, "there is no verb \"%.64s\"", name);
	if (actor->role != STORE_ROLE_ADMIN && v->access != VERB_READS)
		return why_set(why, -E_DENIED, "%s is for admins: %s may only read", v->name,
		               actor->name);
	err = verb_check(v, args, why);
	if (err)
		return err;
	t.verb = v;
	store_set_actor(a->store, actor->name);
	err = v->fn(&t, why);
	out->later = t.later;
	if (err == -E_LATER)
		return err;
	if (v->access == VERB_ACTS)
		task_finish(a, v->name, actor->name, err);
	if (err)
		json_decref(t.result);
	else
		out->result = t.result;
	return err;
}

const char *admin_code_text(int err)
{
	switch (err) {
	case -E_INVAL:
	case -E_PARSE:
		return "bad-request";
	case -E_DENIED:
		return "forbidden";
	case -E_NOTFOUND:
		return "not-found";
	case -E_EXISTS:
		return "exists";
	case -E_LIMIT:
		return "limit";
	case -E_STALE:
		return "expired";
	case -E_UNSUPPORTED:
		return "unsupported";
	default:
		return "unavailable";
	}
}
