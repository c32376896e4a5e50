/* SPDX-License-Identifier: BSD-3-Clause
 *
 * docs/openapi.json against the built server: each operation in it is called,
 * well, without a key, with a key for something else, malformed and too often,
 * and each answer is one that it describes; and each route of the server is in
 * it, with just its methods. Of administration more is in test_openapi_admin.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/openapi.h"
#include "daemon/tests/server/rig.h"
#include "daemon/web/http_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE 60 /* credentials a minute: enough for each operation once */
#define OPTIONS                                                                                    \
	"--issue-rate-token 60 --listen 127.0.0.1:8080 --trusted-proxy 127.0.0.1 --public-host "   \
	"turn.example.org"

static struct rig_server server;
static json_t *doc;
static char tokens[4][RIG_TOKEN_MAX];
static const char *const scopes[] = {"issue", "metrics", "admin", "ticket"};

struct call {
	const char *path, *method;
	json_t *op;
};

static const char *token_of(const char *scope)
{
	for (size_t i = 0; i < sizeof(scopes) / sizeof(*scopes); i++)
		if (!strcmp(scopes[i], scope))
			return tokens[i];
	fail_msg("there is no scope %s", scope);
	return NULL;
}

static int setup(void **state)
{
	*state = &server;
	doc = json_load_file(OPENAPI, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(doc);
	rig_server_prepare(&server, "openapi");
	for (size_t i = 0; i < sizeof(scopes) / sizeof(*scopes); i++)
		rig_token_add(&server, tokens[i], "--scope %s", scopes[i]);
	free(rig_verb(&server, "account add ann --password-stdin", "correct horse\n"));
	rig_server_start(&server, "openapi", OPTIONS);
	return 0;
}

static int teardown(void **state)
{
	json_decref(doc);
	return rig_server_end(state);
}

/* Calls an operation, and fails unless the answer is described and has the status (0: any). */
static int call(const struct call *c, const char *token, const char *spoil, const char *body,
                int status)
{
	char target[OPENAPI_TEXT], example[OPENAPI_TEXT], why[OPENAPI_TEXT] = "";
	struct openapi_answer a;
	const char *type;
	int got;

	openapi_target(doc, c->op, c->path, spoil, target);
	openapi_body(c->op, example, &type);
	a = openapi_ask(&(struct openapi_request){.method = c->method,
	                                          .target = target,
	                                          .token = token,
	                                          .type = type,
	                                          .body = body ? body : example});
	if (!openapi_describes(doc, c->op, &a, why))
		fail_msg("%s %s: %d, %s: %s", c->method, target, a.status, why, a.head);
	if (status && a.status != status)
		fail_msg("%s %s: %d instead of %d: %s", c->method, target, a.status, status,
		         a.head);
	got = a.status;
	free(a.head);
	return got;
}

static const char *scope_of(const struct call *c)
{
	return json_string_value(json_object_get(c->op, "x-turnpike-scope"));
}

/* What it comes to when all is well: the success that is described; for a WebSocket's path 426, as
 * we send none of its headers; for one that has neither, what is. */
static int good_status(const struct call *c)
{
	const char *status;
	json_t *response;
	int best = 0;

	json_object_foreach (json_object_get(c->op, "responses"), status, response) {
		int n = atoi(status);

		if (n / 100 == 2 || n == 426 || (!best && n >= 400))
			best = n;
	}
	return best;
}

static unsigned each(void (*fn)(const struct call *c))
{
	json_t *path, *op;
	const char *key, *method;
	unsigned n = 0;

	json_object_foreach (json_object_get(doc, "paths"), key, path) {
		json_object_foreach (path, method, op) {
			char upper[16] = "";

			for (size_t i = 0; method[i] && i + 1 < sizeof(upper); i++)
				upper[i] = (char)(method[i] - 'a' + 'A');
			fn(&(struct call){key, upper, op});
			n++;
		}
	}
	return n;
}

/* For these no example can be right: test_openapi_admin.c makes what they are about. */
static bool needs_more(const struct call *c)
{
	static const char *const paths[] = {
	    "/api/v1/admin/session/close", "/api/v1/admin/explain",
	    "/api/v1/admin/login/claim",   "/api/v1/admin/password",
	    "/api/v1/admin/ticket-check",  "/api/v1/admin/kick",
	    "/api/v1/admin/send",          "/api/v1/admin/room/close"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (!strcmp(paths[i], c->path))
			return true;
	return false;
}

/* In the order of the file: what one makes, another may take away. */
static void call_well(const struct call *c)
{
	const char *scope = scope_of(c);

	call(c, scope ? token_of(scope) : NULL, NULL, NULL, needs_more(c) ? 0 : good_status(c));
}

static void all_answer(void **state)
{
	(void)state;
	assert_true(each(call_well) > 20);
}

static void call_as_stranger(const struct call *c)
{
	const char *scope = scope_of(c);

	/* Said twice in the file: they must agree. Public ones say so. */
	assert_non_null(json_object_get(c->op, "security"));
	assert_int_equal(!scope, !json_array_size(json_object_get(c->op, "security")));
	if (!scope)
		return;
	call(c, NULL, NULL, NULL, 401);
	call(c, "tp_no-such-token", NULL, NULL, 401);
	call(c, token_of(strcmp(scope, "metrics") != 0 ? "metrics" : "issue"), NULL, NULL, 403);
}

static void strangers_are_refused(void **state)
{
	(void)state;
	each(call_as_stranger);
}

/* A parameter that nobody knows. */
static void call_with_stranger(const struct call *c, const char *token)
{
	char target[OPENAPI_TEXT], body[OPENAPI_TEXT];
	struct openapi_answer a;
	const char *type;

	openapi_target(doc, c->op, c->path, NULL, target);
	openapi_body(c->op, body, &type);
	strcat(target, strchr(target, '?') ? "&nobody-knows=1" : "?nobody-knows=1");
	a = openapi_ask(&(struct openapi_request){
	    .method = c->method, .target = target, .token = token, .type = type, .body = body});
	if (a.status != 400 ||
	    (strcmp(c->method, "HEAD") != 0 && !strstr(a.body, "\"member\":\"nobody-knows\"")))
		fail_msg("%s %s: %s", c->method, target, a.head);
	free(a.head);
}

static void call_badly(const struct call *c)
{
	const char *type, *scope = scope_of(c), *token = scope ? token_of(scope) : NULL;
	char body[OPENAPI_TEXT];

	if (openapi_has_param(doc, c->op, "ttl"))
		call(c, token, "ttl", NULL, 400);
	openapi_body(c->op, body, &type);
	if (scope && strcmp(scope, "metrics") != 0)
		call_with_stranger(c, token);
	if (!strcmp(type, "application/json"))
		call(c, token, NULL, "[]", 400);
}

static void bad_input_is_refused(void **state)
{
	(void)state;
	each(call_badly);
}

/* "GET, HEAD" of the server, and the methods of a path in the file. */
static void same_methods(const char *key, json_t *path, const char *allow)
{
	char list[128], *save = NULL;
	size_t n = 0;

	snprintf(list, sizeof(list), "%s", allow);
	for (char *m = strtok_r(list, ", \r\n", &save); m; m = strtok_r(NULL, ", \r\n", &save)) {
		for (char *at = m; *at; at++)
			*at = (char)(*at - 'A' + 'a');
		if (!json_object_get(path, m))
			fail_msg("%s takes %s, which the file does not say", key, m);
		n++;
	}
	if (n != json_object_size(path))
		fail_msg("%s: the file has more methods than %s", key, allow);
}

static void other_methods_are_refused(void **state)
{
	json_t *path, *op, *error = json_pack("{s:s}", "$ref", "#/components/schemas/Error");
	char target[OPENAPI_TEXT], why[OPENAPI_TEXT], *allow;
	const char *key, *method;

	(void)state;
	json_object_foreach (json_object_get(doc, "paths"), key, path) {
		struct openapi_answer a;
		json_t *value;

		json_object_foreach (path, method, op) {
			openapi_target(doc, op, key, NULL, target);
		}
		a = openapi_ask(&(struct openapi_request){
		    .method = "DELETE", .target = target, .token = tokens[2]});
		allow = strstr(a.head, "\r\nAllow: ");
		if (a.status != 405 || !allow)
			fail_msg("DELETE %s: %s", target, a.head);
		value = json_loads(a.body, 0, NULL);
		assert_true(openapi_fits(doc, error, value, why));
		json_decref(value);
		allow += strlen("\r\nAllow: ");
		allow[strcspn(allow, "\r")] = '\0';
		same_methods(key, path, allow);
		free(a.head);
	}
	json_decref(error);
}

/* "/a/{name}/b" is the route "/a/STAR/b". */
static bool is_route(const char *key, const char *route)
{
	for (; *key && *route; key++, route++) {
		if (*key == '{' && *route == '*')
			key += strcspn(key, "}");
		else if (*key != *route)
			return false;
	}
	return !*key && !*route;
}

static void all_routes_are_described(void **state)
{
	const char *route, *allow, *key;
	size_t n = 0, admin = 0;
	json_t *path;

	(void)state;
	for (; http_api_route(n, &route, &allow); n++) {
		bool found = false;

		json_object_foreach (json_object_get(doc, "paths"), key, path) {
			if (!is_route(key, route))
				continue;
			same_methods(key, path, allow);
			found = true;
		}
		if (!found)
			fail_msg("the file lacks %s (%s)", route, allow);
	}
	json_object_foreach (json_object_get(doc, "paths"), key, path)
		admin += !strncmp(key, OPENAPI_ADMIN, strlen(OPENAPI_ADMIN));
	assert_int_equal(n + admin, json_object_size(json_object_get(doc, "paths")));
}

static void call_too_often(const struct call *c)
{
	json_t *responses = json_object_get(c->op, "responses");

	if (!json_object_get(responses, "429") || needs_more(c))
		return;
	/* a token's are used up; logins are not */
	for (int i = 0; i < 2 * RATE; i++)
		if (call(c, token_of(scope_of(c) ? scope_of(c) : "issue"), NULL, NULL, 0) == 429)
			return;
	fail_msg("%s %s is never too much", c->method, c->path);
}

/* Last: it uses up what the token may ask for. */
static void too_many_are_refused(void **state)
{
	struct openapi_answer a;
	int status = 0;

	(void)state;
	for (int i = 0; i <= RATE && status != 429; i++) {
		a = openapi_ask(&(struct openapi_request){
		    .method = "GET", .target = "/turn", .token = tokens[0]});
		status = a.status;
		free(a.head);
	}
	assert_int_equal(status, 429);
	each(call_too_often);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_routes_are_described),  cmocka_unit_test(all_answer),
	    cmocka_unit_test(strangers_are_refused),     cmocka_unit_test(bad_input_is_refused),
	    cmocka_unit_test(other_methods_are_refused), cmocka_unit_test(too_many_are_refused),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
