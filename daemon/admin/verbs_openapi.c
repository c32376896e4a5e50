/* SPDX-License-Identifier: BSD-3-Clause
 *
 * docs/openapi.json: daemon/web/openapi.json, which is written by hand, and the paths of the
 * verbs, made from their rows.
 */
#include "base/embed.h"
#include "daemon/admin/verb.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX        "/api/v1/admin/"
#define SENTENCE_SIZE 512
#define DEPTH         3 /* of objects that get a line a member: a path's methods */

EMBED(by_hand, "openapi.json")

static json_t *object_of(const struct verb_member *members);

static json_t *sentence(const char *text)
{
	char line[SENTENCE_SIZE];

	snprintf(line, sizeof(line), "%s.", text);
	return json_string(line);
}

static json_t *type_of(enum verb_type type)
{
	const char *format = type == VERB_TIME ? "date-time" : type == VERB_DAY ? "date" : NULL;

	return json_pack("{ss ss*}", "type", verb_type_text(type), "format", format);
}

static json_t *schema_of(const struct verb_member *m)
{
	json_t *schema = type_of(m->type);

	if (m->type == VERB_ROWS)
		json_object_set_new(schema, "items", object_of(m->of));
	else if (m->type == VERB_TEXTS || m->type == VERB_TIMES || m->type == VERB_INTEGERS)
		json_object_set_new(schema, "items",
		                    type_of(m->type == VERB_TEXTS   ? VERB_TEXT
		                            : m->type == VERB_TIMES ? VERB_TIME
		                                                    : VERB_INTEGER));
	if (m->may_be_null)
		json_object_set_new(schema, "nullable", json_true());
	json_object_set_new(schema, "description", sentence(m->help));
	return schema;
}

/* A member "*" stands for any name. */
static json_t *object_of(const struct verb_member *members)
{
	json_t *required = json_array(), *properties = json_object();

	if (!strcmp(members->name, "*")) {
		json_decref(required);
		json_decref(properties);
		return json_pack("{ss so so}", "type", "object", "description",
		                 sentence(members->help), "additionalProperties",
		                 object_of(members->of));
	}
	for (const struct verb_member *m = members; m->name; m++) {
		json_array_append_new(required, json_string(m->name));
		json_object_set_new(properties, m->name, schema_of(m));
	}
	return json_pack("{ss so sb so}", "type", "object", "required", required,
	                 "additionalProperties", 0, "properties", properties);
}

static json_t *argument(const struct verb_arg *arg)
{
	json_t *schema = type_of(arg->type);

	json_object_set_new(schema, "description", sentence(arg->help));
	return schema;
}

static json_t *example_of(const struct verb *v)
{
	return v->text.example ? json_loads(v->text.example, 0, NULL) : json_object();
}

static json_t *parameters(const struct verb *v)
{
	json_t *all = json_array(), *example = example_of(v);
	const struct verb_arg *arg;

	for (size_t i = 0; (arg = verb_arg(v, i)); i++)
		json_array_append_new(
		    all, json_pack("{ss ss so sb so sO*}", "name", arg->name, "in", "query",
		                   "description", sentence(arg->help), "required",
		                   (arg->flags & ARG_REQUIRED) != 0, "schema", type_of(arg->type),
		                   "example", json_object_get(example, arg->name)));
	json_decref(example);
	return all;
}

static json_t *body(const struct verb *v)
{
	json_t *properties = json_object(), *required = json_array(), *schema;
	const struct verb_arg *arg;

	for (size_t i = 0; (arg = verb_arg(v, i)); i++) {
		json_object_set_new(properties, arg->name, argument(arg));
		if (arg->flags & ARG_REQUIRED)
			json_array_append_new(required, json_string(arg->name));
	}
	schema = json_pack("{ss sb so}", "type", "object", "additionalProperties", 0, "properties",
	                   properties);
	if (json_array_size(required))
		json_object_set(schema, "required", required);
	json_decref(required);
	return json_pack("{sb s{s{so so}}}", "required", v->access == VERB_ACTS, "content",
	                 "application/json", "schema", schema, "example", example_of(v));
}

/* answer: without a body for HEAD. */
static json_t *responses(const struct verb *v, bool head)
{
	static const struct {
		const char *status, *name, *text;
	} refusals[] = {
	    {"400", "BadRequest", "An argument is malformed or unknown."},
	    {"401", "AdminUnauthorized", "No login, or no token of scope admin."},
	    {"403", "Forbidden",
	     "The account's role may not, or the request is not from our page."},
	    {"404", "NotFound", "There is no such thing (any more)."},
	    {"503", "AdminUnavailable", "The store cannot be used, or a worker does not answer."},
	    {"409", "Conflict", NULL},
	};
	json_t *all = json_object();
	char ref[64];

	json_object_set_new(all, "200",
	                    head ? json_pack("{ss}", "description", "It would succeed.")
	                         : json_pack("{ss s{s{so}}}", "description", "The answer.",
	                                     "content", "application/json", "schema",
	                                     object_of(v->answer)));
	for (size_t i = 0; i < 5u + (v->access == VERB_ACTS); i++) {
		snprintf(ref, sizeof(ref), "#/components/responses/%s", refusals[i].name);
		json_object_set_new(all, refusals[i].status,
		                    head ? json_pack("{ss}", "description", refusals[i].text)
		                         : json_pack("{ss}", "$ref", ref));
	}
	return all;
}

/* method: "get", "head" or "post". */
static json_t *operation(const struct verb *v, const char *method)
{
	bool post = !strcmp(method, "post"), head = !strcmp(method, "head");
	char id[64] = "admin";
	size_t n = strlen(id);
	json_t *op;

	for (const char *c = v->name; *c && n + 6 < sizeof(id); c++)
		if (*c != ' ')
			id[n++] = c == v->name || c[-1] == ' ' ? (char)toupper(*c) : *c;
	snprintf(id + n, sizeof(id) - n, "%s",
	         head                             ? "Head"
	         : post && v->access != VERB_ACTS ? "Post"
	                                          : "");
	op = json_pack(
	    "{ss so s[s] s[{s[]}{s[]}] ss ss}", "operationId", id, "summary", sentence(v->help),
	    "tags", "admin", "security", "bearer", "cookie", "x-turnpike-scope", "admin",
	    "x-turnpike-role",
	    store_role_text(v->access == VERB_READS ? STORE_ROLE_USER : STORE_ROLE_ADMIN));
	if (post)
		json_object_set_new(op, "requestBody", body(v));
	else if (verb_arg(v, 0))
		json_object_set_new(op, "parameters", parameters(v));
	json_object_set_new(op, "responses", responses(v, head));
	return op;
}

static json_t *item(const struct verb *v)
{
	json_t *all = json_object();

	if (v->access != VERB_ACTS) {
		json_object_set_new(all, "get", operation(v, "get"));
		json_object_set_new(all, "head", operation(v, "head"));
	}
	json_object_set_new(all, "post", operation(v, "post"));
	return all;
}

/* A line a member, down to a depth. */
static void print(FILE *out, const json_t *value, int depth)
{
	char *text = depth && json_is_object(value)
	                 ? NULL
	                 : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	const char *key, *comma = "";
	json_t *member;

	if (text) {
		fputs(text, out);
		free(text);
		return;
	}
	fputs("{", out);
	json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
		fprintf(out, "%s\n%*s\"%s\": ", comma, DEPTH - depth, "", key);
		print(out, member, depth - 1);
		comma = ",";
	}
	fputs("}", out);
}

void admin_print_openapi(FILE *out)
{
	json_t *doc = json_loadb((const char *)by_hand, (size_t)(by_hand_end - by_hand), 0, NULL);
	json_t *paths = json_object_get(doc, "paths");
	char path[VERB_PATH_STRLEN + sizeof(PREFIX)], end[VERB_PATH_STRLEN];
	const struct verb *v;

	for (size_t i = 0; (v = verb_at(i)); i++) {
		snprintf(path, sizeof(path), PREFIX "%s", verb_path(v, end));
		json_object_set_new(paths, path, item(v));
	}
	print(out, doc, DEPTH);
	fputs("\n", out);
	json_decref(doc);
}
