/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What others chose, and chose long. A realm as long as RFC 8489 allows, from
 * the command line to the wire and back: 127 characters, of four bytes each. A
 * data directory deeper than the address of a Unix socket has room for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER4 RIG_SERVER4 ":3478"
#define CHARS   127
#define LONG_MS 20000

static struct rig_server server;
static char realm[4 * CHARS + 1], escaped[12 * CHARS + 1]; /* as JSON has it */

static int setup(void **state)
{
	char options[700];

	for (int i = 0; i < CHARS; i++) {
		memcpy(realm + 4 * i, "\xf0\xa0\x80\x80", 4);
		memcpy(escaped + 12 * i, "\\uD840\\uDC00", 12);
	}
	snprintf(options, sizeof(options),
	         "--workers 1 --relay-ports 50000-50099 --listen " SERVER4 " --realm %s", realm);
	rig_server_start(&server, "realm", options);
	*state = &server;
	return 0;
}

static void signs_in(struct talker *t, const char *user, const char *password)
{
	talker_enter(t, SERVER4, false, user, password);
	assert_string_equal(t->realm, realm);
}

static void says_whole(const char *verb)
{
	char *said = rig_verb(&server, verb, NULL);

	if (!strstr(said, escaped))
		rig_fail(said, said, "%s", verb);
	free(said);
}

/* The command line means the realm of the server that runs. */
static void keys_are_bound_to_it(void **state)
{
	struct talker t;

	(void)state;
	free(rig_verb(&server, "user add alice --password-stdin", "a password of alice\n"));
	signs_in(&t, "alice", "a password of alice");
	assert_int_equal(talker_permit_to(&t, RIG_PEER4 ":9"), 0);
	assert_int_equal(talker_refresh(&t, 600), 0);

	says_whole("sessions --json");
	says_whole("user list --json");
	says_whole("audit --json");
	free(rig_verb(&server, "user disable alice", NULL));
	assert_int_equal(talker_refresh(&t, 600), 401);
	free(rig_verb(&server, "user del alice", NULL));
	talker_close(&t);
}

static void limited_credentials_are(void **state)
{
	struct talker t;
	char *said = rig_verb(&server, "credentials bob --json", NULL);
	json_t *c = json_loads(said, 0, NULL);

	(void)state;
	signs_in(&t, json_string_value(json_object_get(c, "username")),
	         json_string_value(json_object_get(
	             c, json_object_get(c, "password") ? "password" : "credential")));
	talker_close(&t);
	json_decref(c);
	free(said);
}

/* Its own client calls over each transport. */
static void doctor_signs_in(void **state)
{
	char *said;

	(void)state;
	rig_try_verb(&server, "doctor", NULL, &said);
	if (!strstr(said, "allocated, and an echo came through"))
		rig_fail(said, said, "doctor");
	free(said);
}

static void a_deep_data_directory(void **state)
{
	const char *turnpike = getenv("TURNPIKE_BIN") ? getenv("TURNPIKE_BIN") : TURNPIKE_PROGRAM;
	char name[129], command[1024];
	struct rig_program p;

	(void)state;
	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	snprintf(command, sizeof(command),
	         "%s serve --data %s/%s --workers 1 --drain-timeout 0 --listen " RIG_SERVER4B
	         ":3478",
	         turnpike, rig_dir(), name);
	rig_start(&p, command, NULL);
	if (!rig_wait_output(&p, "event=ready", LONG_MS)) {
		char *said = rig_output(&p);

		rig_signal_and_wait(&p, SIGKILL, LONG_MS);
		rig_fail(said, said, "no start");
	}
	snprintf(command, sizeof(command), "%s --data %s/%s status", turnpike, rig_dir(), name);
	free(rig_run(command, NULL));
	assert_int_equal(rig_signal_and_wait(&p, SIGTERM, LONG_MS), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_bound_to_it),
	    cmocka_unit_test(limited_credentials_are),
	    cmocka_unit_test(doctor_signs_in),
	    cmocka_unit_test(a_deep_data_directory),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}
