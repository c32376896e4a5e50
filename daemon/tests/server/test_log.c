/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A log that nobody reads: the pipe behind standard output fills up, and the
 * server goes on as if it were read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER4  RIG_SERVER4 ":3478"
#define SESSIONS 100 /* two lines each */
#define PIPE     4096
#define LONG_MS  20000

static struct rig_server server;
static FILE *output; /* the reading end */

/* Reads on until so many lines have held the text. */
static void read_until(const char *text, unsigned n)
{
	char line[4096];

	while (n && fgets(line, sizeof(line), output))
		n -= strstr(line, text) != NULL;
	assert_int_equal(n, 0);
}

/* "turnpike serve" whose standard output is a pipe of the smallest size. */
static void start_piped(void)
{
	char data[128];
	int fds[2];

	rig_server_prepare(&server, "log");
	snprintf(data, sizeof(data), "--data=%s", server.data);
	free(rig_verb(&server, "user add alice --password-stdin", "a password of alice\n"));
	assert_int_equal(pipe(fds), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, PIPE) >= 0);
	server.program.pid = fork();
	if (!server.program.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		dup2(fds[1], STDOUT_FILENO);
		close(fds[1]);
		execl(getenv("TURNPIKE_BIN") ? getenv("TURNPIKE_BIN") : TURNPIKE_PROGRAM,
		      "turnpike", "serve", data, "--listen=" SERVER4, "--relay-ports=50000-50099",
		      "--workers=1", "--drain-timeout=0", "--log-level=debug", NULL);
		_exit(127);
	}
	assert_true(server.program.pid > 0);
	close(fds[1]);
	output = fdopen(fds[0], "r");
	assert_non_null(output);
	read_until("event=ready", 1);
}

static void goes_on_unread(void **state)
{
	struct talker running;

	(void)state;
	start_piped();
	talker_open(&running, SERVER4, false, NULL, "alice", "a password of alice");
	assert_int_equal(talker_login(&running), 401);
	assert_int_equal(talker_allocate(&running, IPPROTO_UDP), 0);
	for (int i = 0; i < SESSIONS; i++)
		assert_int_equal(talker_try(SERVER4, "alice", "a password of alice"), 0);
	assert_int_equal(talker_refresh(&running, 600), 0);
	/* the main thread logs, too */
	free(rig_verb(&server, "status", NULL));
	free(rig_verb(&server, "user add bob --password-stdin", "a password of bob\n"));
	rig_server_settle(&server);
	assert_int_equal(talker_try(SERVER4, "bob", "a password of bob"), 0);
	assert_int_equal(talker_refresh(&running, 0), 0);
	talker_close(&running);
}

/* Nothing was lost: the queue holds more than that. */
static void tells_once_read(void **state)
{
	(void)state;
	read_until("event=allocated", SESSIONS + 2);
	/* From here on unread again: a stop does not wait for a reader. */
	assert_int_equal(rig_signal_and_wait(&server.program, SIGTERM, LONG_MS), 0);
	fclose(output);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(goes_on_unread),
	    cmocka_unit_test(tells_once_read),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
