/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of administrative verbs, and the way to them.
 */
#include "daemon/admin/admin_internal.h"

#include "base/log.h"
#include "base/text.h"
#include "store/audit.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

struct arg {
	const char *name;
	char type;   /* 's': text, 'i': number, 'b': true or false */
	char needed; /* '!' */
};

static const struct verb {
	const char *name;
	bool reads; /* changes nothing: role "user" may, and GET */
	bool admin; /* reads, but for admins */
	admin_fn *fn;
	struct arg args[ADMIN_ARGS_MAX];
	const char *help;
} verbs[] = {
    {"verbs", true, false, admin_verbs, {{0}}, "The verbs themselves, with their arguments"},
    {"status", true, false, admin_status, {{0}}, "Version, uptime, load, totals since the start"},
    {"samples",
     true,
     false,
     admin_samples,
     {{"step", 'i', 0}, {"since", 'i', 0}},
     "Bandwidth, allocations and calls over time: step 1 for ten minutes of seconds, 60 for a day "
     "of minutes; since: only what is later than that Unix time"},
    {"sessions",
     true,
     false,
     admin_sessions,
     {{"limit", 'i', 0}, {"after", 's', 0}, {"user", 's', 0}, {"secret", 'i', 0}},
     "Live allocations over all workers, the newest first, of a user or opened with a secret; "
     "after: "
     "the next of the page before"},
    {"session close", false, false, admin_session_close, {{"id", 's', '!'}}, "End an allocation"},
    {"explain",
     true,
     false,
     admin_explain,
     {{"session", 's', 0}, {"user", 's', 0}, {"call", 's', 0}},
     "What happened to a session, to the last ones of a user, or to a call: a timeline and a "
     "verdict"},
    {"calls", true, false, admin_calls, {{0}}, "The last calls that were signaled here"},
    {"users",
     true,
     false,
     admin_users,
     {{"limit", 'i', 0}, {"after", 's', 0}},
     "Static TURN users"},
    {"user add",
     false,
     false,
     admin_user_add,
     {{"name", 's', '!'}, {"password", 's', 0}, {"realm", 's', 0}},
     "Add a static TURN user; without a password one is made, and told once"},
    {"user del",
     false,
     false,
     admin_user_del,
     {{"name", 's', '!'}, {"realm", 's', 0}},
     "Delete a static TURN user; his calls end"},
    {"user enable",
     false,
     false,
     admin_user_enable,
     {{"name", 's', '!'}, {"realm", 's', 0}},
     "Let a disabled user in again"},
    {"user disable",
     false,
     false,
     admin_user_disable,
     {{"name", 's', '!'}, {"realm", 's', 0}},
     "Let a user relay no more; his calls end"},
    {"secrets",
     true,
     false,
     admin_secrets,
     {{0}},
     "Shared secrets, without their values, and how many allocations live on each"},
    {"secret add",
     false,
     false,
     admin_secret_add,
     {{"value", 's', 0}},
     "Add a shared secret; the value that is made is told once"},
    {"secret retire",
     false,
     false,
     admin_secret_retire,
     {{"id", 'i', '!'}, {"after_s", 'i', 0}, {"now", 'b', 0}},
     "Take no new allocations by what a secret has made, from now on or after a time; those that "
     "live "
     "on it go on and are counted in the answer. now: they end, also those of a secret that is "
     "retired "
     "already"},
    {"tokens", true, true, admin_tokens, {{0}}, "API tokens, without their texts"},
    {"token add",
     false,
     false,
     admin_token_add,
     {{"label", 's', 0}, {"scopes", 's', 0}, {"expires_in_s", 'i', 0}},
     "Add an API token; told once"},
    {"token del", false, false, admin_token_del, {{"id", 'i', '!'}}, "Delete an API token"},
    {"accounts", true, true, admin_accounts, {{0}}, "Who may sign in to the status page"},
    {"account add",
     false,
     false,
     admin_account_add,
     {{"name", 's', '!'}, {"role", 's', 0}, {"password", 's', 0}},
     "Let somebody sign in to the status page, as user (who may only look) or admin; without a "
     "password one is made, and told once"},
    {"account password",
     false,
     false,
     admin_account_password,
     {{"name", 's', '!'}, {"password", 's', 0}},
     "Give an account a new password; who is signed in with it has to sign in again"},
    {"account del",
     false,
     false,
     admin_account_del,
     {{"name", 's', '!'}},
     "Delete an account, but not the last of role admin; its sessions end"},
    {"revoke",
     false,
     false,
     admin_revoke,
     {{"user", 's', 0}, {"credential", 's', 0}},
     "Revoke all that a user was given before now, or one credential; the calls end"},
    {"unrevoke",
     false,
     false,
     admin_unrevoke,
     {{"user", 's', 0}, {"credential", 's', 0}},
     "Undo a revocation"},
    {"revocations", true, false, admin_revocations, {{0}}, "What is revoked"},
    {"usage",
     true,
     false,
     admin_usage,
     {{"user", 's', 0}, {"from", 's', 0}, {"to", 's', 0}},
     "Who relayed how much on which day (UTC)"},
    {"audit", true, true, admin_audit_list, {{"last", 'i', 0}}, "Who changed what, latest last"},
    {"link",
     false,
     false,
     admin_link,
     {{0}},
     "Make a link that lets one browser in as a guest, once, within an hour"},
    {"metrics", true, false, admin_metrics, {{0}}, "What /metrics says"},
    {"drain",
     false,
     false,
     admin_drain,
     {{0}},
     "Take no new allocations; those that there are go on. Does not stop the server"},
    {"drain cancel", false, false, admin_drain_cancel, {{0}}, "Take new allocations again"},
    {"heed",
     true,
     true,
     admin_heed,
     {{0}},
     "Look at the store at once; the command line says it after a change of its own"},
    {"reload", false, false, admin_reload, {{0}}, "Read configuration and certificate again"},
    {"config", true, true, admin_config, {{0}}, "The settings in effect; secrets are masked"},
    {"log level",
     false,
     false,
     admin_log_level,
     {{"level", 's', '!'}},
     "Log error, warn, info or debug, until the next reload or start"},
};
#define VERB_N (sizeof(verbs) / sizeof(*verbs))

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < VERB_N; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

bool admin_verb_find(const char *verb, bool *reads)
{
	const struct verb *v = find(verb);

	if (v)
		*reads = v->reads;
	return v;
}

const char *admin_verb_arg(const char *verb, size_t i, bool *number)
{
	const struct verb *v = find(verb);

	if (!v || i >= ADMIN_ARGS_MAX || !v->args[i].name)
		return NULL;
	*number = v->args[i].type == 'i';
	return v->args[i].name;
}

const char *admin_text(const struct admin_task *t, const char *name)
{
	return json_string_value(json_object_get(t->args, name));
}

int64_t admin_number(const struct admin_task *t, const char *name, int64_t def)
{
	const json_t *value = json_object_get(t->args, name);

	return value ? json_integer_value(value) : def;
}

bool admin_flag(const struct admin_task *t, const char *name)
{
	return json_is_true(json_object_get(t->args, name));
}

int admin_done(struct admin_task *t, json_t *result, struct why *why)
{
	t->result = result;
	return result ? 0 : why_set(why, -E_NOMEM, "out of memory");
}

void admin_audit(struct admin_task *t, const char *act, const char *object)
{
	struct why why = {{0}};

	if (store_audit_add(t->store, act, object, &why))
		log_error(NULL, "not-in-the-audit", LOG_STR("act", act), LOG_STR("object", object),
		          LOG_STR("by", t->caller->actor), LOG_STR("error", why.text));
}

json_t *admin_string(const char *text, size_t len)
{
	size_t size = TEXT_SHOWN_MAX(len);
	char *shown = malloc(size);
	json_t *s =
	    shown ? json_stringn(shown, text_show(shown, size, text, len, TEXT_SHOWN)) : NULL;

	free(shown);
	return s;
}

static const struct arg *find_arg(const struct verb *v, const char *name)
{
	for (size_t i = 0; i < ADMIN_ARGS_MAX && v->args[i].name; i++)
		if (!strcmp(v->args[i].name, name))
			return &v->args[i];
	return NULL;
}

static bool is_of_type(const json_t *value, char type)
{
	return type == 's'   ? json_is_string(value)
	       : type == 'i' ? json_is_integer(value)
	                     : json_is_boolean(value);
}

static int check_args(const struct verb *v, const json_t *args, struct why *why)
{
	const char *name;
	json_t *value;

	if (args && !json_is_object(args))
		return why_set(why, -E_INVAL, "the arguments are a JSON object");
	json_object_foreach ((json_t *)(uintptr_t)args, name, value) {
		const struct arg *arg = find_arg(v, name);

		if (!arg)
			return why_set(why, -E_INVAL, "%s takes no argument \"%.64s\"", v->name,
			               name);
		if (!is_of_type(value, arg->type))
			return why_set(why, -E_INVAL, "%s: %s is %s", v->name, name,
			               arg->type == 's'   ? "a string"
			               : arg->type == 'i' ? "a whole number"
			                                  : "true or false");
		if (arg->type == 's' &&
		    strlen(json_string_value(value)) != json_string_length(value))
			return why_set(why, -E_INVAL, "%s: %s holds a zero byte", v->name, name);
	}
	for (size_t i = 0; i < ADMIN_ARGS_MAX && v->args[i].name; i++)
		if (v->args[i].needed && !json_object_get(args, v->args[i].name))
			return why_set(why, -E_INVAL, "%s needs the argument \"%s\"", v->name,
			               v->args[i].name);
	return 0;
}

void admin_finish(struct admin *a, const char *verb, const char *actor, int r)
{
	log_info(NULL, "admin", LOG_STR("act", verb), LOG_STR("by", actor),
	         LOG_STR("result", r ? admin_code_text(r) : "ok"));
	if (!r)
		a->heed(a->ctx);
}

int admin_call(struct admin *a, const struct admin_caller *caller, const char *name,
               const json_t *args, struct admin_answer *out)
{
	const struct verb *v = find(name);
	struct admin_task t = {.admin = a, .store = a->store, .caller = caller, .args = args};
	struct why *why = &out->why;
	int r;

	memset(out, 0, sizeof(*out));
	if (!v)
		return why_set(why, -E_NOTFOUND, "there is no verb \"%.64s\"", name);
	if (caller->role != STORE_ROLE_ADMIN && (!v->reads || v->admin))
		return why_set(why, -E_DENIED, "%s is for admins: %s may only look", v->name,
		               caller->actor);
	r = check_args(v, args, why);
	if (r)
		return r;
	t.verb = v->name;
	store_set_actor(a->store, caller->actor);
	r = v->fn(&t, why);
	out->later = t.later;
	if (r == -E_LATER)
		return r;
	if (!v->reads)
		admin_finish(a, v->name, caller->actor, r);
	if (r)
		json_decref(t.result);
	else
		out->result = t.result;
	return r;
}

const char *admin_code_text(int code)
{
	switch (code) {
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

static json_t *describe_args(const struct verb *v)
{
	json_t *args = json_array();

	for (size_t i = 0; i < ADMIN_ARGS_MAX && v->args[i].name; i++)
		json_array_append_new(args, json_pack("{ss ss sb}", "name", v->args[i].name, "type",
		                                      v->args[i].type == 'i'   ? "integer"
		                                      : v->args[i].type == 'b' ? "boolean"
		                                                               : "string",
		                                      "required", v->args[i].needed != 0));
	return args;
}

int admin_verbs(struct admin_task *t, struct why *why)
{
	json_t *all = json_array();

	for (size_t i = 0; i < VERB_N; i++) {
		const struct verb *v = &verbs[i];

		json_array_append_new(
		    all, json_pack("{ss sb ss so ss}", "verb", v->name, "reads", v->reads, "role",
		                   store_role_text(v->reads && !v->admin ? STORE_ROLE_USER
		                                                         : STORE_ROLE_ADMIN),
		                   "arguments", describe_args(v), "help", v->help));
	}
	return admin_done(t, json_pack("{so}", "verbs", all), why);
}

void admin_print_verbs(FILE *out)
{
	fputs("| verb | who | arguments | |\n|---|---|---|---|\n", out);
	for (size_t i = 0; i < VERB_N; i++) {
		const struct verb *v = &verbs[i];

		fprintf(out, "| `%s` | %s | ", v->name, v->reads && !v->admin ? "all" : "admin");
		for (size_t k = 0; k < ADMIN_ARGS_MAX && v->args[k].name; k++)
			fprintf(out, "%s`%s`%s", k ? ", " : "", v->args[k].name,
			        v->args[k].needed ? "" : " (optional)");
		fprintf(out, " | %s |\n", v->help);
	}
}
