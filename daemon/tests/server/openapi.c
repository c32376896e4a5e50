/* SPDX-License-Identifier: BSD-3-Clause
 *
 * As much of OpenAPI 3.0 as our own description uses. A word of a schema that
 * is not known here is a fault, or else it would be written and never checked.
 */
#include "daemon/tests/server/openapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX (1 << 20)

static char *compose(const struct openapi_request *q)
{
	const char *body = q->body ? q->body : "";
	char *text;

	assert_true(
	    asprintf(&text,
	             "%s %s HTTP/1.1\r\nHost: turn.example.org\r\n"
	             "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n%s%s%s%s%s%s%s"
	             "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
	             q->method, q->target, q->token ? "Authorization: Bearer " : "",
	             q->token ? q->token : "", q->token ? "\r\n" : "",
	             q->cookie ? "Cookie: turnpike=" : "", q->cookie ? q->cookie : "",
	             q->cookie ? "\r\n" : "", q->headers ? q->headers : "",
	             q->type && *q->type ? q->type : "text/plain", strlen(body), body) > 0);
	return text;
}

struct openapi_answer openapi_ask(const struct openapi_request *q)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(OPENAPI_PORT)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct openapi_answer a = {0};
	char *request = compose(q), *end;
	size_t len = 0;
	ssize_t n;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	free(request);
	a.head = calloc(1, ANSWER_MAX);
	assert_non_null(a.head);
	while (len + 1 < ANSWER_MAX && (n = recv(fd, a.head + len, ANSWER_MAX - len - 1, 0)) > 0)
		len += (size_t)n;
	close(fd);
	end = strstr(a.head, "\r\n\r\n");
	if (sscanf(a.head, "HTTP/1.1 %d ", &a.status) != 1 || !end)
		fail_msg("%s %s: no HTTP came back: %s", q->method, q->target, a.head);
	a.body = end + 4;
	return a;
}

json_t *openapi_deref(json_t *doc, json_t *node)
{
	const char *ref = json_string_value(json_object_get(node, "$ref"));
	char path[256], *save = NULL;

	if (!ref)
		return node;
	snprintf(path, sizeof(path), "%s", ref + strlen("#/"));
	for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save))
		doc = json_object_get(doc, part);
	return doc;
}

static const char *value_of(json_t *param, const char *spoil, char number[32])
{
	json_t *example = json_object_get(param, "example");
	const char *name = json_string_value(json_object_get(param, "name"));

	if (spoil && name && !strcmp(name, spoil))
		return "-1";
	if (!json_is_integer(example))
		return json_string_value(example);
	snprintf(number, 32, "%lld", (long long)json_integer_value(example));
	return number;
}

static json_t *find_param(json_t *doc, json_t *op, const char *name, size_t len)
{
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(op, "parameters"), i, item) {
		json_t *param = openapi_deref(doc, item);
		const char *is = json_string_value(json_object_get(param, "name"));

		if (is && strlen(is) == len && !strncmp(is, name, len))
			return param;
	}
	return NULL;
}

bool openapi_has_param(json_t *doc, json_t *op, const char *name)
{
	return find_param(doc, op, name, strlen(name));
}

void openapi_target(json_t *doc, json_t *op, const char *path, const char *spoil,
                    char out[OPENAPI_TEXT])
{
	char number[32], sep = '?';
	const char *value;
	json_t *item;
	size_t at = 0, i;

	while (*path && at + 1 < OPENAPI_TEXT) {
		size_t len = strcspn(path, "}");

		if (*path != '{') {
			out[at++] = *path++;
			continue;
		}
		value = value_of(find_param(doc, op, path + 1, len - 1), spoil, number);
		at += (size_t)snprintf(out + at, OPENAPI_TEXT - at, "%s", value ? value : "?");
		path += len + 1;
	}
	out[at] = '\0';
	json_array_foreach (json_object_get(op, "parameters"), i, item) {
		json_t *param = openapi_deref(doc, item);
		const char *in = json_string_value(json_object_get(param, "in"));

		value = value_of(param, spoil, number);
		if (!in || strcmp(in, "query") != 0 || !value)
			continue;
		at += (size_t)snprintf(out + at, OPENAPI_TEXT - at, "%c%s=%s", sep,
		                       json_string_value(json_object_get(param, "name")), value);
		sep = '&';
	}
}

/* The examples need no escapes. */
static char *form_of(json_t *example)
{
	char *text = NULL, *longer, number[32];
	const char *name;
	json_t *value;

	json_object_foreach (example, name, value) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		assert_true(asprintf(&longer, "%s%s%s=%s", text ? text : "", text ? "&" : "", name,
		                     json_is_string(value) ? json_string_value(value) : number) >
		            0);
		free(text);
		text = longer;
	}
	return text;
}

void openapi_body(json_t *op, char out[OPENAPI_TEXT], const char **type)
{
	json_t *content = json_object_get(json_object_get(op, "requestBody"), "content"), *media;
	char *text;

	*out = '\0';
	json_object_foreach (content, *type, media) {
		json_t *example = json_object_get(media, "example");

		text = strstr(*type, "urlencoded") ? form_of(example)
		                                   : json_dumps(example, JSON_COMPACT);
		snprintf(out, OPENAPI_TEXT, "%s", text ? text : "");
		free(text);
		return;
	}
	*type = "";
}

static bool of_type(const char *type, const json_t *value)
{
	return !strcmp(type, "object")    ? json_is_object(value)
	       : !strcmp(type, "array")   ? json_is_array(value)
	       : !strcmp(type, "string")  ? json_is_string(value)
	       : !strcmp(type, "boolean") ? json_is_boolean(value)
	       : !strcmp(type, "integer") ? json_is_integer(value)
	                                  : !strcmp(type, "number") && json_is_number(value);
}

/* RFC 3339, as much of it as is used here: UTC, whole seconds or milliseconds. */
static bool of_format(const char *format, const char *text)
{
	const char *like = format && !strcmp(format, "date-time") ? "0000-00-00T00:00:00"
	                   : format && !strcmp(format, "date")    ? "0000-00-00"
	                                                          : NULL;
	size_t i;

	if (!like || !text)
		return !format || !text || like;
	for (i = 0; like[i]; i++)
		if (like[i] == '0' ? !strchr("0123456789", text[i]) || !text[i]
		                   : like[i] != text[i])
			return false;
	if (like[10] && text[i] == '.' && strspn(text + i + 1, "0123456789") == 3)
		i += 4;
	return !strcmp(text + i, like[10] ? "Z" : "");
}

static bool fits_object(json_t *doc, json_t *schema, json_t *value, char why[OPENAPI_TEXT])
{
	json_t *properties = json_object_get(schema, "properties"), *item;
	json_t *more = json_object_get(schema, "additionalProperties");
	const char *key;
	size_t i;

	json_array_foreach (json_object_get(schema, "required"), i, item) {
		if (json_object_get(value, json_string_value(item)))
			continue;
		snprintf(why, OPENAPI_TEXT, "%s is missing", json_string_value(item));
		return false;
	}
	json_object_foreach (value, key, item) {
		json_t *property = json_object_get(properties, key);

		if (property && !openapi_fits(doc, property, item, why))
			return false;
		if (!property && json_is_false(more)) {
			snprintf(why, OPENAPI_TEXT, "%s is not described", key);
			return false;
		}
		if (!property && json_is_object(more) && !openapi_fits(doc, more, item, why))
			return false;
	}
	return true;
}

static bool fits_array(json_t *doc, json_t *schema, json_t *value, char why[OPENAPI_TEXT])
{
	json_int_t least = json_integer_value(json_object_get(schema, "minItems"));
	json_t *item;
	size_t i;

	if ((json_int_t)json_array_size(value) < least) {
		snprintf(why, OPENAPI_TEXT, "fewer than %lld items", (long long)least);
		return false;
	}
	json_array_foreach (value, i, item) {
		if (!openapi_fits(doc, json_object_get(schema, "items"), item, why))
			return false;
	}
	return true;
}

static bool knows_words(json_t *schema, char why[OPENAPI_TEXT])
{
	static const char *const words[] = {
	    "type",     "description", "required", "properties", "items", "additionalProperties",
	    "minItems", "enum",        "nullable", "format"};
	const char *key;
	json_t *item;

	json_object_foreach (schema, key, item) {
		bool known = false;

		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			known |= !strcmp(key, words[i]);
		if (!known) {
			snprintf(why, OPENAPI_TEXT, "nobody checks %s of a schema", key);
			return false;
		}
	}
	return true;
}

bool openapi_fits(json_t *doc, json_t *schema, json_t *value, char why[OPENAPI_TEXT])
{
	json_t *choices, *item;
	const char *type;
	bool found = false;
	size_t i;

	schema = openapi_deref(doc, schema);
	if (json_is_null(value) && json_is_true(json_object_get(schema, "nullable")))
		return true;
	if (!of_format(json_string_value(json_object_get(schema, "format")),
	               json_string_value(value))) {
		snprintf(why, OPENAPI_TEXT, "\"%s\" is not of its format",
		         json_string_value(value));
		return false;
	}
	type = json_string_value(json_object_get(schema, "type"));
	if (!type || !of_type(type, value)) {
		snprintf(why, OPENAPI_TEXT, "something is no %s", type ? type : "(type)");
		return false;
	}
	choices = json_object_get(schema, "enum");
	json_array_foreach (choices, i, item) {
		found |= json_equal(item, value);
	}
	if (choices && !found) {
		snprintf(why, OPENAPI_TEXT, "something is none of the enum");
		return false;
	}
	if (!knows_words(schema, why))
		return false;
	if (json_is_object(value))
		return fits_object(doc, schema, value, why);
	return !json_is_array(value) || fits_array(doc, schema, value, why);
}

static bool has_header(const char *head, const char *name)
{
	size_t len = strlen(name);

	while ((head = strstr(head, "\r\n"))) {
		head += 2;
		if (!strncasecmp(head, name, len) && head[len] == ':')
			return true;
	}
	return false;
}

static bool describes_content(json_t *doc, const char *type, json_t *media,
                              const struct openapi_answer *a, char why[OPENAPI_TEXT])
{
	char line[128];
	json_t *value;
	bool fits;

	snprintf(line, sizeof(line), "\r\nContent-Type: %s", type);
	if (!strcasestr(a->head, line)) {
		snprintf(why, OPENAPI_TEXT, "its type is not %s", type);
		return false;
	}
	if (strcmp(type, "application/json") != 0)
		return *a->body;
	value = json_loads(a->body, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	if (!value) {
		snprintf(why, OPENAPI_TEXT, "it is not JSON");
		return false;
	}
	fits = openapi_fits(doc, json_object_get(media, "schema"), value, why);
	json_decref(value);
	return fits;
}

bool openapi_describes(json_t *doc, json_t *op, const struct openapi_answer *a,
                       char why[OPENAPI_TEXT])
{
	char status[8];
	json_t *response, *media, *content;
	const char *key;

	snprintf(status, sizeof(status), "%d", a->status);
	response = openapi_deref(doc, json_object_get(json_object_get(op, "responses"), status));
	if (!response) {
		snprintf(why, OPENAPI_TEXT, "this status is not described");
		return false;
	}
	json_object_foreach (json_object_get(response, "headers"), key, media) {
		if (has_header(a->head, key))
			continue;
		snprintf(why, OPENAPI_TEXT, "it has no %s", key);
		return false;
	}
	content = json_object_get(response, "content");
	json_object_foreach (content, key, media) {
		return describes_content(doc, key, media, a, why);
	}
	snprintf(why, OPENAPI_TEXT, "it has a body");
	return !*a->body;
}
