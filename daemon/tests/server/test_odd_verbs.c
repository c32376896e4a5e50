/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Odd requests on the admin socket: forms that a verb does not take, names of
 * the greatest length, times that no calendar has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "store/name.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define OPTIONS "--relay-ports 50000-50999 --listen " RIG_SERVER4 ":3478"

static struct rig_server server;
static int client;

static int setup(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	*state = &server;
	rig_server_prepare(&server, "odd");
	free(rig_verb(&server, "secret add --value-stdin", "a secret of enough bytes\n"));
	rig_server_start(&server, "odd", OPTIONS);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/admin.sock", server.data);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return 0;
}

static int end(void **state)
{
	close(client);
	return rig_server_end(state);
}

/* The answer's result, or NULL for a refusal. */
static json_t *ask_line(const char *line)
{
	static char said[65536];
	size_t len = 0;
	json_t *answer, *result;
	ssize_t n;

	assert_int_equal(write(client, line, strlen(line)), strlen(line));
	assert_int_equal(write(client, "\n", 1), 1);
	do {
		n = read(client, said + len, sizeof(said) - len);
		assert_true(n > 0);
		len += (size_t)n;
	} while (said[len - 1] != '\n');
	answer = json_loadb(said, len, 0, NULL);
	assert_non_null(answer);
	result = json_incref(json_object_get(answer, "result"));
	assert_true(json_is_true(json_object_get(answer, "ok")) == (result != NULL));
	json_decref(answer);
	return result;
}

/* Steals args. */
static json_t *ask(const char *verb, json_t *args)
{
	json_t *request = json_pack("{ss so}", "verb", verb, "args", args);
	char *line = json_dumps(request, JSON_COMPACT);
	json_t *result = ask_line(line);

	json_decref(request);
	free(line);
	return result;
}

static bool takes(const char *verb, json_t *args)
{
	json_t *result = ask(verb, args);

	json_decref(result);
	return result != NULL;
}

static void a_request_has_no_other_members(void **state)
{
	(void)state;
	assert_null(ask_line("{\"verb\":\"status\",\"arguments\":{}}"));
	assert_null(ask_line("{\"verb\":\"status\",\"verb\":\"status\"}"));
	assert_null(ask_line("{\"verb\":7}"));
	assert_null(ask_line("[]"));
	assert_null(ask_line(""));
	assert_true(takes("status", json_object()));
}

static void a_time_has_one_form(void **state)
{
	static const char *const others[] = {"2026-11-22T13:14:15.-12Z", "2026-11-22T13:14:15. 12Z",
	                                     "2026-11-22T13:14:15.1Z",   "2026-02-31T00:00:00Z",
	                                     " 2026-11-22T13:14:15Z",    "2026-1-2T3:4:5Z",
	                                     "2026- 1- 2T 3: 4: 5Z",     "2026-11-22T13:14:15",
	                                     "2026-11-22T13:14:60Z",     "2026-11-22T13:14:15Z "};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(takes("samples", json_pack("{ss}", "since", others[i])));
	assert_true(takes("samples", json_pack("{ss}", "since", "2024-02-29T13:14:15Z")));
	assert_true(takes("samples", json_pack("{ss}", "since", "2026-11-22T13:14:15.120Z")));
}

static void a_page_begins_where_another_ended(void **state)
{
	static const struct {
		const char *verb, *after;
	} others[] = {{"audit", "abc"},
	              {"audit", "1x"},
	              {"audit", "-1"},
	              {"audit", ""},
	              {"audit", "0"},
	              {"sessions", "-1.t0-1"},
	              {"sessions", "5.t0-1 more"},
	              {"sessions", " 5.t0-1"},
	              {"sessions", "99999999999999999999999.t0-1"}};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(takes(others[i].verb, json_pack("{ss}", "after", others[i].after)));
	assert_true(takes("audit", json_pack("{ss}", "after", "1")));
	assert_true(takes("sessions", json_pack("{ss}", "after", "5.t0-1")));
	assert_false(takes("audit", json_pack("{si}", "last", -1)));
	assert_false(takes("audit", json_pack("{si}", "last", 0)));
}

/* The key of a row holds the longest realm and the longest name. */
static void pages_of_the_longest_names(void **state)
{
	static const char smile[] = "\xf0\x9f\x98\x80";
	char realm[REALM_MAX_LEN + 1] = "", name[NAME_MAX_LEN + 1], after[2048] = "";
	json_t *page;
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < 127; i++) /* RFC 8489 section 14.9: "fewer than 128 characters" */
		memcpy(realm + 4 * i, smile, sizeof(smile));
	memset(name, 'n', NAME_MAX_LEN);
	name[NAME_MAX_LEN] = 0;
	for (char c = 'a'; c <= 'c'; c++) {
		name[NAME_MAX_LEN - 1] = c;
		assert_true(takes("user add", json_pack("{ss ss}", "name", name, "realm", realm)));
	}
	do {
		page = ask("user list", *after ? json_pack("{si ss}", "limit", 1, "after", after)
		                               : json_pack("{si}", "limit", 1));
		assert_non_null(page);
		seen += json_array_size(json_object_get(page, "users"));
		snprintf(after, sizeof(after), "%s",
		         json_is_null(json_object_get(page, "next"))
		             ? ""
		             : json_string_value(json_object_get(page, "next")));
		json_decref(page);
	} while (*after && seen < 10);
	assert_int_equal(seen, 3);
}

/* Another issuer that shares the secret may say any time of expiry. */
static void no_time_is_after_the_last(void **state)
{
	json_t *list, *row;
	size_t i;

	(void)state;
	assert_true(takes("revoke", json_pack("{ss}", "credential", "9223372036854775807:x")));
	assert_true(takes("revoke", json_pack("{ss}", "credential", "253402300800:y")));
	list = ask("revocations", json_object());
	assert_int_equal(json_array_size(json_object_get(list, "revocations")), 2);
	json_array_foreach (json_object_get(list, "revocations"), i, row)
		assert_string_equal(json_string_value(json_object_get(row, "until")),
		                    "9999-12-31T23:59:59Z");
	json_decref(list);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_has_no_other_members),
	    cmocka_unit_test(a_time_has_one_form),
	    cmocka_unit_test(a_page_begins_where_another_ended),
	    cmocka_unit_test(pages_of_the_longest_names),
	    cmocka_unit_test(no_time_is_after_the_last),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, end);
}
