/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The operator's verbs about rooms and people, on a running server with real WebSockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/web_client.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT    8080
#define OPTIONS "--workers 1 --relay-ports 50000-50999 --listen 127.0.0.1:8080"

static struct rig_server server;
static struct event_base *base;

static int setup(void **state)
{
	*state = &server;
	base = event_base_new();
	rig_server_start(&server, "people", OPTIONS);
	return 0;
}

static int teardown(void **state)
{
	event_base_free(base);
	return rig_server_end(state);
}

/* Opens /ws/ROOM and says a name. */
static struct web_client *comes(const char *room, const char *name)
{
	struct web_client *c = client_open(base, PORT);
	char path[64], text[160];

	snprintf(path, sizeof(path), "/ws/%s", room);
	free(ws_upgrade(c, path, "Sec-WebSocket-Protocol: json\r\n"));
	snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"%s\"}", name);
	assert_true(ws_say(c, text));
	return c;
}

static struct web_client *joins(const char *room, const char *name)
{
	struct web_client *c = comes(room, name);

	assert_true(ws_hears(c, "{\"type\":\"userlist\""));
	return c;
}

static json_t *verb(const char *words)
{
	char command[160], *said;
	json_t *value;

	snprintf(command, sizeof(command), "%s --json", words);
	said = rig_verb(&server, command, NULL);
	value = json_loads(said, 0, NULL);
	if (!value)
		rig_fail(said, said, "no JSON");
	free(said);
	return value;
}

static json_int_t number(const char *words, const char *member)
{
	json_t *value = verb(words);
	json_int_t n = json_integer_value(json_object_get(value, member));

	json_decref(value);
	return n;
}

static size_t rows(const char *words, const char *list)
{
	json_t *value = verb(words);
	size_t n = json_array_size(json_object_get(value, list));

	json_decref(value);
	return n;
}

/* Fails unless the verb is refused with that exit status and says so. */
static void refused(const char *words, int status, const char *why)
{
	char *said;

	assert_int_equal(rig_try_verb(&server, words, NULL, &said), status);
	if (!strstr(said, why))
		rig_fail(said, said, "%s: does not say \"%s\"", words, why);
	free(said);
}

/* The server ends the connection with that code; before it comes an error of this one. */
static void is_ended(struct web_client *c, const char *error, unsigned close_code)
{
	bool told = false, closed = false;
	struct ws_frame f;
	char begin[96];

	snprintf(begin, sizeof(begin), "{\"type\":\"error\",\"code\":\"%s\"", error);
	while (!closed) {
		if (!ws_recv(c, &f))
			fail_msg("no close came");
		told = told || (f.opcode == WS_TEXT && !strncmp(f.data, begin, strlen(begin)));
		closed = f.opcode == WS_CLOSE;
		if (closed && f.len >= 2)
			assert_int_equal((uint8_t)f.data[0] << 8 | (uint8_t)f.data[1], close_code);
		free(f.data);
	}
	assert_true(told);
	client_close(c);
}

static void is_audited(const char *act, const char *object)
{
	char *said = rig_verb(&server, "audit --last 1", NULL), line[128];

	snprintf(line, sizeof(line), "\t%s\t%s\n", act, object);
	if (!strstr(said, line))
		rig_fail(said, said, "not in the audit: %s %s", act, object);
	free(said);
}

static void rooms_and_people_are_listed(void **state)
{
	struct web_client *ann = joins("default", "ann"), *ben = joins("default", "ben");
	struct web_client *cat = joins("stage", "cat");
	json_t *value, *row;

	(void)state;
	value = verb("people");
	assert_int_equal(json_array_size(json_object_get(value, "people")), 3);
	row = json_array_get(json_object_get(value, "people"), 1);
	assert_string_equal(json_string_value(json_object_get(row, "name")), "ben");
	assert_string_equal(json_string_value(json_object_get(row, "room")), "default");
	assert_true(json_is_false(json_object_get(row, "proven")));
	assert_true(json_is_null(json_object_get(row, "sub")));
	row = json_array_get(json_object_get(row, "devices"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "address")), "127.0.0.1");
	json_decref(value);
	assert_int_equal(rows("people --room stage", "people"), 1);
	assert_int_equal(rows("people --room none", "people"), 0);
	value = verb("rooms");
	assert_int_equal(json_array_size(json_object_get(value, "rooms")), 2);
	row = json_array_get(json_object_get(value, "rooms"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "room")), "default");
	assert_int_equal(json_integer_value(json_object_get(row, "users")), 2);
	json_decref(value);
	free(rig_verb(&server, "people", NULL));
	free(rig_verb(&server, "rooms", NULL));
	client_close(ann);
	client_close(ben);
	client_close(cat);
	SOON(rows("rooms", "rooms") == 0);
	assert_true(
	    rig_wait_output(&server.program, " name=cat room=stage proven=no ", CLIENT_WAIT_MS));
}

/* Over HTTP. after: what the page before gave; replaced by what this one gives. The names are added
 * to all. False: it was the last page. */
static bool get_page(const char *token, char after[160], json_t *all)
{
	char config[512], *said, *at;
	json_t *value;
	bool more;

	snprintf(config, sizeof(config),
	         "url = \"http://127.0.0.1:8080/api/v1/admin/people\"\nget\n"
	         "data-urlencode = \"room=crowd\"\ndata-urlencode = \"limit=7\"\n"
	         "header = \"Authorization: Bearer %s\"\n%s%s%s",
	         token, *after ? "data-urlencode = \"after=" : "", after, *after ? "\"\n" : "");
	said = rig_run("curl -s --noproxy * --max-time 10 -K -", config);
	value = json_loads(said, 0, NULL);
	if (!value)
		rig_fail(said, said, "no JSON");
	free(said);
	json_array_extend(all, json_object_get(value, "people"));
	assert_in_range(json_array_size(json_object_get(value, "people")), 1, 7);
	more = json_is_string(json_object_get(value, "next"));
	if (more)
		snprintf(after, 160, "%s", json_string_value(json_object_get(value, "next")));
	at = strchr(after, '\t'); /* as curl's own file writes it */
	if (more && at) {
		memmove(at + 2, at + 1, strlen(at));
		memcpy(at, "\\t", 2);
	}
	json_decref(value);
	return more;
}

static void many_people_are_several_pages(void **state)
{
	char name[16], after[160] = "", token[RIG_TOKEN_MAX];
	json_t *all = json_array();
	struct web_client *c[30];

	(void)state;
	rig_token_add(&server, token, "test --scope admin");
	for (int i = 29; i >= 0; i--) {
		snprintf(name, sizeof(name), "user%02d", i);
		c[i] = joins("crowd", name);
	}
	while (get_page(token, after, all))
		;
	assert_int_equal(json_array_size(all), 30);
	for (size_t i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "user%02zu", i);
		assert_string_equal(
		    json_string_value(json_object_get(json_array_get(all, i), "name")), name);
	}
	json_decref(all);
	for (int i = 0; i < 30; i++)
		client_close(c[i]);
	SOON(rows("rooms", "rooms") == 0);
}

static void kicked_ones_are_out_and_may_come_again(void **state)
{
	struct web_client *ann = joins("default", "ann"), *ben = joins("default", "ben");

	(void)state;
	assert_int_equal(number("kick ben --reason Enough", "connections"), 1);
	is_audited("kick", "ben");
	is_ended(ben, "kicked", 4002);
	assert_int_equal(rows("people", "people"), 1);
	refused("kick ben", 1, "nobody of the name");
	refused("kick ann --room stage", 1, "in the room stage");
	refused("kick", 2, "NAME");
	ben = joins("default", "ben");
	assert_int_equal(rows("people", "people"), 2);
	client_close(ann);
	client_close(ben);
	SOON(rows("rooms", "rooms") == 0);
}

static void banned_ones_stay_out_until_it_ends(void **state)
{
	struct web_client *ben = joins("default", "ben");

	(void)state;
	assert_int_equal(number("ban ben --for 10m", "connections"), 1);
	is_audited("ban", "ben");
	is_ended(ben, "banned", 4003);
	ben = comes("default", "ben");
	assert_true(ws_hears(ben, "{\"type\":\"error\",\"code\":\"banned\""));
	client_close(ben);
	assert_true(rows("bans", "bans") >= 1);
	free(rig_verb(&server, "bans", NULL));
	refused("ban ben", 2, "write turnpike ban NAME [--room ROOM] --for TIME");
	refused("ban ben --for 0", 2, "ten years");
	refused("ban ben --for 60 --room a/b", 2, "1 to 64 of A-Z");
	refused("unban ben --room stage", 1, "turnpike bans");
	assert_true(number("unban ben", "bans") >= 1);
	is_audited("unban", "ben");
	assert_int_equal(rows("bans", "bans"), 0);
	ben = joins("default", "ben");
	client_close(ben);
	/* of a room: they may be in any other */
	number("ban ben --room stage --for 1m", "connections");
	ben = joins("default", "ben");
	client_close(ben);
	ben = comes("stage", "ben");
	assert_true(ws_hears(ben, "{\"type\":\"error\",\"code\":\"banned\""));
	client_close(ben);
	assert_true(number("unban ben --room stage", "bans") >= 1);
	SOON(rows("rooms", "rooms") == 0);
}

static void a_word_goes_to_a_user_or_to_a_room(void **state)
{
	struct web_client *ann = joins("default", "ann"), *cat = joins("stage", "cat");

	(void)state;
	assert_int_equal(number("send ann hello", "connections"), 1);
	is_audited("send", "ann");
	assert_true(ws_hears(ann, "{\"type\":\"message\",\"name\":\"\",\"text\":\"hello\""));
	assert_int_equal(number("send --room stage break", "connections"), 1);
	is_audited("send", "room stage");
	assert_true(ws_hears(cat, "{\"type\":\"message\",\"name\":\"\",\"text\":\"break\""));
	assert_int_equal(number("send cat you --room stage", "connections"), 1);
	assert_true(ws_hears(cat, "{\"type\":\"message\",\"name\":\"\",\"text\":\"you\""));
	refused("send cat you --room default", 1, "nobody of the name");
	refused("send hello", 2, "name a user, or the room for all");
	refused("send", 2, "TEXT");
	refused("send ann hello more", 2, "one argument too many");
	client_close(ann);
	client_close(cat);
	SOON(rows("rooms", "rooms") == 0);
	assert_true(
	    rig_wait_output(&server.program, " name=cat room=stage proven=no ", CLIENT_WAIT_MS));
}

static void a_closed_room_is_empty(void **state)
{
	struct web_client *ann = joins("default", "ann"), *cat = joins("stage", "cat");

	(void)state;
	assert_int_equal(number("room close stage", "connections"), 1);
	is_audited("room close", "room stage");
	is_ended(cat, "room-closed", 4004);
	SOON(rows("rooms", "rooms") == 1);
	refused("room close stage", 1, "nobody is in a room");
	client_close(ann);
	SOON(rows("rooms", "rooms") == 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rooms_and_people_are_listed),
	    cmocka_unit_test(many_people_are_several_pages),
	    cmocka_unit_test(kicked_ones_are_out_and_may_come_again),
	    cmocka_unit_test(banned_ones_stay_out_until_it_ends),
	    cmocka_unit_test(a_word_goes_to_a_user_or_to_a_room),
	    cmocka_unit_test(a_closed_room_is_empty),
	};

	(void)argc;
	rig_enter(argv);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
