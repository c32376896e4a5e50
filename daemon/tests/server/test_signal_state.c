/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a stop keeps of the signaling for the next start, and what a start makes of a file that is
 * not as a stop left it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/web_client.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PORT    8080
#define OPTIONS "--workers 1 --relay-ports 50000-50999 --listen 127.0.0.1:8080"
#define SECRET  "only-alice-knows-this-0123456789"

static struct rig_server server;
static struct event_base *base;
static char state_path[128], fresh_path[sizeof(state_path) + 8];

static int setup(void **state)
{
	*state = &server;
	base = event_base_new();
	rig_server_start(&server, "state", OPTIONS);
	snprintf(state_path, sizeof(state_path), "%s/signal.state", server.data);
	snprintf(fresh_path, sizeof(fresh_path), "%s.new", state_path);
	return 0;
}

static int teardown(void **state)
{
	event_base_free(base);
	return rig_server_end(state);
}

/* Signs in as alice with her secret, and fails unless the answer says so much of a return. ticket
 * may be NULL. */
static struct web_client *alice(const char *ticket, bool resumed)
{
	struct web_client *c = client_open(base, PORT);
	char text[2048];

	free(ws_upgrade(c, "/ws", "Sec-WebSocket-Protocol: json\r\n"));
	snprintf(text, sizeof(text),
	         "{\"type\":\"username\",\"name\":\"alice\",\"resume\":\"" SECRET "\",\"seen\":0"
	         "%s%s%s}",
	         ticket ? ",\"ticket\":\"" : "", ticket ? ticket : "", ticket ? "\"" : "");
	assert_true(ws_say(c, text));
	for (bool told = false; !told;) {
		struct ws_frame f;
		json_t *m;

		if (!ws_recv(c, &f))
			fail_msg("not signed in");
		m = f.opcode == WS_TEXT ? json_loads(f.data, 0, NULL) : NULL;
		free(f.data);
		told = m && !strcmp(json_string_value(json_object_get(m, "type")), "signed-in");
		if (told) {
			assert_string_equal(json_string_value(json_object_get(m, "name")), "alice");
			assert_int_equal(json_is_true(json_object_get(m, "resumed")), resumed);
		}
		json_decref(m);
	}
	return c;
}

static bool is_there(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static char *read_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, RIG_OUT_MAX);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, RIG_OUT_MAX - 1, f) > 0);
	fclose(f);
	return text;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* A stop with alice on board: what the file says. For free(). */
static char *stop(struct web_client *c)
{
	struct stat st;

	rig_server_stop(&server);
	client_close(c);
	assert_int_equal(lstat(state_path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_false(is_there(fresh_path));
	return read_text(state_path);
}

/* A start that does not use the file says why, and goes on without it. */
static void start_without(const char *why)
{
	struct web_client *c;
	char *log, *line;

	rig_server_start(&server, "state", OPTIONS);
	log = rig_output(&server.program);
	line = strstr(log, "event=signal-state");
	if (!line || !strstr(line, why))
		rig_fail(log, log, "the log does not say \"%s\"", why);
	free(log);
	c = alice(NULL, false);
	free(stop(c));
}

static void a_stop_keeps_it_for_the_start(void **state)
{
	char *said = rig_verb(&server, "ticket alice", NULL), *ticket = strstr(said, "eyJ"), *kept;
	struct web_client *c;
	char *log;

	(void)state;
	assert_non_null(ticket);
	ticket[strcspn(ticket, "\r\n")] = '\0';
	write_text(fresh_path, "of a stop that was interrupted");
	assert_int_equal(chmod(fresh_path, 0644), 0);
	c = alice(ticket, false);
	kept = stop(c);
	assert_non_null(strstr(kept, "\"alice\""));
	assert_null(strstr(kept, SECRET));
	assert_null(strstr(kept, "eyJ"));
	free(kept);
	rig_server_start(&server, "state", OPTIONS);
	assert_false(is_there(state_path));
	log = rig_output(&server.program);
	if (strstr(log, "event=signal-state"))
		rig_fail(log, log, "a good file is complained of");
	free(log);
	c = alice(ticket, true);
	free(stop(c));
	free(said);
}

/* The file of a stop, with another value in it. */
static void start_with(const char *member, json_int_t value, const char *why)
{
	char *kept = read_text(state_path), *changed;
	json_t *saved = json_loads(kept, 0, NULL);

	assert_true(json_is_integer(json_object_get(saved, member)));
	json_object_set_new(saved, member, json_integer(value));
	changed = json_dumps(saved, JSON_COMPACT);
	write_text(state_path, changed);
	free(changed);
	json_decref(saved);
	free(kept);
	start_without(why);
}

static void not_as_a_stop_left_it(void **state)
{
	char *kept = read_text(state_path);

	(void)state;
	write_text(state_path, "");
	start_without("damaged");
	write_text(state_path, "[1,2]");
	start_without("damaged");
	kept[strlen(kept) / 2] = '\0'; /* half of it */
	write_text(state_path, kept);
	free(kept);
	start_without("damaged");
	start_with("saved_at", (json_int_t)time(NULL) - 3600, "too old");
	start_with("saved_at", (json_int_t)time(NULL) + 3600, "too old");
	start_with("version", 9999, "another version");
}

static void not_a_file(void **state)
{
	char elsewhere[128], *kept = read_text(state_path), *after;

	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", rig_dir());
	assert_int_equal(rename(state_path, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, state_path), 0);
	start_without("error=");
	after = read_text(elsewhere); /* neither read nor written through the link */
	assert_string_equal(after, kept);
	free(after);
	free(kept);
	unlink(state_path);
	assert_int_equal(mkfifo(state_path, 0600), 0); /* nobody writes to it */
	start_without("damaged");
	unlink(state_path);
}

/* Nothing can be kept: the stop goes on, too. */
static void a_folder_is_in_the_way(void **state)
{
	struct web_client *c;
	char *log;

	(void)state;
	assert_int_equal(mkdir(state_path, 0700), 0);
	rig_server_start(&server, "state", OPTIONS);
	assert_true(rig_wait_output(&server.program, "event=signal-state", CLIENT_WAIT_MS));
	c = alice(NULL, false);
	rig_server_stop(&server);
	client_close(c);
	log = rig_output(&server.program);
	assert_non_null(strstr(strstr(log, "event=signal-state") + 1, "event=signal-state"));
	free(log);
	assert_false(is_there(fresh_path));
	assert_int_equal(rmdir(state_path), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stop_keeps_it_for_the_start),
	    cmocka_unit_test(not_as_a_stop_left_it),
	    cmocka_unit_test(not_a_file),
	    cmocka_unit_test(a_folder_is_in_the_way),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
