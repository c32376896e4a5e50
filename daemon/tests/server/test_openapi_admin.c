/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What docs/openapi.json says of administration, against the built server:
 * each verb of its table with exactly its arguments and who may, and answers
 * about sessions, calls and logins that there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/openapi.h"
#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "daemon/tests/web_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS                                                                                    \
	"--workers 2 --relay-ports 50000-50999 --listen 127.0.0.1:8080 --trusted-proxy 127.0.0.1"
#define SECRET_LEN 64
#define NOT_VERBS  5 /* login, login/claim, logout, whoami, password */

static struct rig_server server;
static json_t *doc, *verbs;
static char token[RIG_TOKEN_MAX];

static json_t *paths(void)
{
	return json_object_get(doc, "paths");
}

static const char *text(const json_t *of, const char *name)
{
	return json_string_value(json_object_get(of, name));
}

/* Asks, fails unless the status is right and the answer described; its JSON. */
static json_t *ask(const struct openapi_request *q, const char *path, int status)
{
	struct openapi_answer a = openapi_ask(q);
	char method[8] = "", why[OPENAPI_TEXT] = "";
	json_t *op, *value;

	for (size_t i = 0; q->method[i] && i + 1 < sizeof(method); i++)
		method[i] = (char)(q->method[i] - 'A' + 'a');
	op = json_object_get(json_object_get(paths(), path), method);
	if (!openapi_describes(doc, op, &a, why))
		fail_msg("%s %s: %d: %s: %s", q->method, q->target, a.status, why, a.head);
	if (status && a.status != status)
		fail_msg("%s %s: %d instead of %d: %s", q->method, q->target, a.status, status,
		         a.head);
	value = json_loads(a.body, 0, NULL);
	if (value)
		json_object_set_new(value, "(status)", json_integer(a.status));
	free(a.head);
	return value;
}

static json_t *get(const char *verb, const char *query, int status)
{
	char path[96], target[256];

	snprintf(path, sizeof(path), OPENAPI_ADMIN "%s", verb);
	snprintf(target, sizeof(target), "%s%s", path, query);
	return ask(&(struct openapi_request){.method = "GET", .target = target, .token = token},
	           path, status);
}

static json_t *post(const char *verb, const char *body, int status)
{
	char path[96];

	snprintf(path, sizeof(path), OPENAPI_ADMIN "%s", verb);
	return ask(&(struct openapi_request){.method = "POST",
	                                     .target = path,
	                                     .token = token,
	                                     .type = "application/json",
	                                     .body = body},
	           path, status);
}

static int setup(void **state)
{
	*state = &server;
	doc = json_load_file(OPENAPI, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(doc);
	rig_server_prepare(&server, "openapi-admin");
	rig_token_add(&server, token, "test --scope admin");
	free(rig_verb(&server, "account add guest --password-stdin", "only looking\n"));
	rig_server_start(&server, "openapi-admin", OPTIONS);
	verbs = get("verbs", "", 200);
	return 0;
}

static int teardown(void **state)
{
	json_decref(doc);
	json_decref(verbs);
	return rig_server_end(state);
}

/* ---- the table ---- */

static void path_of(const json_t *verb, char path[96])
{
	snprintf(path, 96, OPENAPI_ADMIN "%s", text(verb, "path"));
}

static bool is_required(const json_t *list, const char *name)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (!strcmp(json_string_value(item), name))
			return true;
	return false;
}

/* The same type in the body and in the query, and the same need. */
static void check_arg(const char *path, const json_t *arg, json_t *schema, json_t *get_op)
{
	json_t *param, *found = NULL;
	const char *name = text(arg, "name"), *type = text(arg, "type");
	bool required = json_is_true(json_object_get(arg, "required"));
	const char *said =
	    text(json_object_get(json_object_get(schema, "properties"), name), "type");
	size_t i;

	if (!said || strcmp(said, type) != 0)
		fail_msg("%s: the body's %s is %s, not %s", path, name, said ? said : "missing",
		         type);
	if (is_required(json_object_get(schema, "required"), name) != required)
		fail_msg("%s: the body %s %s", path, required ? "needs" : "need not have", name);
	if (!get_op)
		return;
	json_array_foreach (json_object_get(get_op, "parameters"), i, param)
		if (!strcmp(text(param, "name"), name) && !strcmp(text(param, "in"), "query"))
			found = param;
	said = text(json_object_get(found, "schema"), "type");
	if (!said || strcmp(said, type) != 0 ||
	    json_is_true(json_object_get(found, "required")) != required)
		fail_msg("%s: the query's %s is %s", path, name, said ? "another" : "missing");
}

static void check_op(const char *path, const json_t *verb, json_t *op)
{
	const char *role = text(op, "x-turnpike-role");

	if (!op || !role || strcmp(role, text(verb, "role")) != 0)
		fail_msg("%s: who may is %s", path, text(verb, "role"));
	assert_string_equal(text(op, "x-turnpike-scope"), "admin");
	assert_int_equal(json_array_size(json_object_get(op, "security")), 2);
}

static void check_verb(const json_t *verb)
{
	json_t *args = json_object_get(verb, "arguments"), *arg, *item, *schema, *get_op;
	bool reads = !strcmp(text(verb, "method"), "GET");
	char path[96], summary[512];
	size_t i;

	path_of(verb, path);
	item = json_object_get(paths(), path);
	if (!item)
		fail_msg("the file lacks %s", path);
	schema = json_object_get(item, "post");
	check_op(path, verb, schema);
	snprintf(summary, sizeof(summary), "%s.", text(verb, "help"));
	assert_string_equal(text(schema, "summary"), summary);
	schema = json_object_get(json_object_get(schema, "requestBody"), "content");
	schema = json_object_get(json_object_get(schema, "application/json"), "schema");
	assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
	get_op = json_object_get(item, "get");
	if ((get_op != NULL) != reads || json_object_size(item) != (reads ? 3 : 1))
		fail_msg("%s %s", path, reads ? "is a GET, too" : "is only a POST");
	if (reads)
		check_op(path, verb, get_op);
	json_array_foreach (args, i, arg)
		check_arg(path, arg, schema, get_op);
	if (json_object_size(json_object_get(schema, "properties")) != json_array_size(args) ||
	    (reads &&
	     json_array_size(json_object_get(get_op, "parameters")) != json_array_size(args)))
		fail_msg("%s: the file has other arguments than the server", path);
}

static void verbs_are_described(void **state)
{
	json_t *list = json_object_get(verbs, "verbs"), *verb, *item;
	size_t i, n = 0;
	const char *path;

	(void)state;
	assert_true(json_array_size(list) > 20);
	json_array_foreach (list, i, verb)
		check_verb(verb);
	json_object_foreach (paths(), path, item)
		n += !strncmp(path, OPENAPI_ADMIN, strlen(OPENAPI_ADMIN));
	assert_int_equal(n, json_array_size(list) + NOT_VERBS);
}

/* ---- what there is ---- */

static void sessions(void **state)
{
	char query[64], body[64];
	json_t *user = post("user/add", "{\"name\":\"eve\"}", 200), *page, *story;
	const char *id;
	struct talker t;

	(void)state;
	talker_enter(&t, "127.0.0.1:8080", false, "eve", text(user, "password"));
	json_decref(post("user/add", "{\"name\":\"eve\"}", 409));
	page = get("sessions", "?user=eve", 200);
	id = text(json_array_get(json_object_get(page, "sessions"), 0), "id");
	assert_non_null(id);
	json_decref(get("sessions", "?limit=0", 400));
	snprintf(body, sizeof(body), "{\"id\":\"%s\"}", id);
	json_decref(post("session/close", body, 200));
	json_decref(post("session/close", body, 404));
	json_decref(post("session/close", "{\"id\":\"nonsense\"}", 400));
	snprintf(query, sizeof(query), "?session=%s", id);
	story = get("explain", query, 200);
	assert_true(json_array_size(json_object_get(story, "events")) >= 2);
	assert_string_equal(
	    text(json_array_get(json_object_get(story, "sessions"), 0), "close_reason"),
	    "operator");
	json_decref(get("explain", "", 400));
	json_decref(story);
	json_decref(page);
	json_decref(user);
	talker_close(&t);
}

static void calls(void **state)
{
	struct event_base *base = event_base_new();
	struct web_client *ann = ws_join(base, OPENAPI_PORT, "ann");
	struct web_client *ben = ws_join(base, OPENAPI_PORT, "ben");
	char query[64];
	json_t *list, *story;
	const char *id;

	(void)state;
	assert_true(ws_say(
	    ann, "{\"type\":\"video-offer\",\"name\":\"ann\",\"target\":\"ben\",\"sdp\":\"x\"}"));
	SOON(ws_hears(ben, "{\"type\":\"video-offer\""));
	list = get("calls", "", 200);
	id = text(json_array_get(json_object_get(list, "calls"), 0), "id");
	assert_non_null(id);
	snprintf(query, sizeof(query), "?call=%s", id);
	story = get("explain", query, 200);
	assert_string_equal(text(json_array_get(json_object_get(story, "events"), 0), "source"),
	                    "signaling");
	json_decref(get("explain", "?call=none", 404));
	json_decref(story);
	json_decref(list);
	client_close(ann);
	client_close(ben);
	event_base_free(base);
}

static void tickets(void **state)
{
	json_t *made = post("ticket", "{\"name\":\"eve\",\"room\":\"r1\"}", 200), *who;
	char body[4200];

	(void)state;
	snprintf(body, sizeof(body), "{\"ticket\":\"%s\"}", text(made, "ticket"));
	who = post("ticket-check", body, 200);
	assert_string_equal(text(who, "room"), "r1");
	json_decref(who);
	json_decref(post("ticket-check", "{\"ticket\":\"e30.e30.AAAA\"}", 403));
	json_decref(made);
}

static void people(void **state)
{
	struct event_base *base = event_base_new();
	struct web_client *cat = ws_join(base, OPENAPI_PORT, "cat");
	struct web_client *dan = ws_join(base, OPENAPI_PORT, "dan");
	json_t *list;

	(void)state;
	list = get("people", "?room=default&limit=10", 200);
	assert_int_equal(json_array_size(json_object_get(list, "people")), 2);
	json_decref(list);
	list = get("rooms", "", 200);
	assert_int_equal(json_array_size(json_object_get(list, "rooms")), 1);
	json_decref(list);
	json_decref(post("send", "{\"name\":\"cat\",\"text\":\"hello\"}", 200));
	json_decref(post("send", "{\"text\":\"hello\"}", 400));
	json_decref(post("send", "{\"name\":\"eve\",\"text\":\"hello\"}", 404));
	json_decref(post("kick", "{\"name\":\"cat\"}", 200));
	json_decref(post("kick", "{\"name\":\"cat\"}", 404));
	json_decref(post("ban", "{\"name\":\"eve\",\"for\":60}", 200));
	list = get("bans", "", 200);
	assert_int_equal(json_array_size(json_object_get(list, "bans")), 1);
	json_decref(list);
	json_decref(post("unban", "{\"name\":\"eve\"}", 200));
	json_decref(post("unban", "{\"name\":\"eve\"}", 404));
	json_decref(post("room/close", "{\"room\":\"default\"}", 200));
	json_decref(post("room/close", "{\"room\":\"default\"}", 404));
	client_close(cat);
	client_close(dan);
	event_base_free(base);
}

/* ---- logins ---- */

static json_t *say(const char *path, const char *body, int status)
{
	char full[96];

	snprintf(full, sizeof(full), OPENAPI_ADMIN "%s", path);
	return ask(
	    &(struct openapi_request){
	        .method = "POST", .target = full, .type = "application/json", .body = body},
	    full, status);
}

/* The cookie's value. */
static void sign_in(const char *password, int status, char cookie[SECRET_LEN + 1])
{
	char body[256];
	json_t *value;
	int got = 0;

	snprintf(body, sizeof(body), "{\"name\":\"guest\",\"password\":\"%s\"}", password);
	value = say("login", body, 202);
	snprintf(body, sizeof(body), "{\"ticket\":\"%s\"}", text(value, "ticket"));
	json_decref(value);
	for (int i = 0; i < 200 && got != status; i++) {
		struct openapi_answer a =
		    openapi_ask(&(struct openapi_request){.method = "POST",
		                                          .target = OPENAPI_ADMIN "login/claim",
		                                          .type = "application/json",
		                                          .body = body});
		json_t *op =
		    json_object_get(json_object_get(paths(), OPENAPI_ADMIN "login/claim"), "post");
		char why[OPENAPI_TEXT] = "", *at = strstr(a.head, "Set-Cookie: turnpike=");

		if (!openapi_describes(doc, op, &a, why))
			fail_msg("%s: %s", why, a.head);
		got = a.status;
		if (got != 202 && got != status)
			fail_msg("%d: %s", got, a.head);
		if (at)
			snprintf(cookie, SECRET_LEN + 1, "%s",
			         at + strlen("Set-Cookie: turnpike="));
		free(a.head);
		rig_sleep_ms(50);
	}
	assert_int_equal(got, status);
}

static void who_may_what(void **state)
{
	char cookie[SECRET_LEN + 1] = "", path[96];
	struct openapi_request q = {.target = path, .cookie = cookie, .type = "application/json"};
	json_t *verb, *value;
	size_t i;

	(void)state;
	sign_in("wrong", 401, cookie);
	assert_string_equal(cookie, "");
	sign_in("only looking", 200, cookie);
	assert_int_equal(strlen(cookie), SECRET_LEN);
	json_array_foreach (json_object_get(verbs, "verbs"), i, verb) {
		bool admin = !strcmp(text(verb, "role"), "admin");

		path_of(verb, path);
		q.method = !strcmp(text(verb, "method"), "GET") ? "GET" : "POST";
		value = ask(&q, path, admin ? 403 : 0);
		if (!admin && json_integer_value(json_object_get(value, "(status)")) == 403)
			fail_msg("%s is refused to who may only look", path);
		json_decref(value);
	}
	/* as a page from elsewhere would, and as a form */
	snprintf(path, sizeof(path), OPENAPI_ADMIN "status");
	q = (struct openapi_request){.method = "GET",
	                             .target = path,
	                             .cookie = cookie,
	                             .headers = "Origin: https://evil.example\r\n"};
	json_decref(ask(&q, path, 403));
	q = (struct openapi_request){
	    .method = "POST", .target = path, .cookie = cookie, .type = "text/plain"};
	json_decref(ask(&q, path, 403));
	snprintf(path, sizeof(path), OPENAPI_ADMIN "whoami");
	q = (struct openapi_request){.method = "GET", .target = path, .cookie = cookie};
	value = ask(&q, path, 200);
	assert_string_equal(text(value, "role"), "user");
	json_decref(value);
	snprintf(path, sizeof(path), OPENAPI_ADMIN "password");
	q = (struct openapi_request){
	    .method = "POST", .target = path, .cookie = cookie, .type = "application/json"};
	q.body = "{\"current\":\"only looking\",\"password\":\"short\"}";
	json_decref(ask(&q, path, 400));
	q.body = "{\"current\":\"a mistake\",\"password\":\"long enough\"}";
	json_decref(ask(&q, path, 202));
	q.type = "text/plain";
	json_decref(ask(&q, path, 403));
	q.type = "application/json";
	q.body = NULL;
	snprintf(path, sizeof(path), OPENAPI_ADMIN "logout");
	q.method = "POST";
	json_decref(ask(&q, path, 200));
	snprintf(path, sizeof(path), OPENAPI_ADMIN "whoami");
	q.method = "GET";
	json_decref(ask(&q, path, 401));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(verbs_are_described),
	    cmocka_unit_test(sessions),
	    cmocka_unit_test(calls),
	    cmocka_unit_test(people),
	    cmocka_unit_test(tickets),
	    cmocka_unit_test(who_may_what),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
