/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Refused logins in the log of the real server, and what fail2ban's own program reads there by the
 * filter of docs/examples: the guesser's address, once for each guess, and never one that they have
 * written into a name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/issue/refusals.h"
#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "store/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SERVER4 RIG_SERVER4 ":3478"
#define SERVER6 "[" RIG_SERVER6 "]:3478"
#define SECRET  "the-north-remembers-0123456789"
#define VICTIM  "203.0.113.9"

static struct rig_server server;
static char issuer[RIG_TOKEN_MAX];

static int setup(void **state)
{
	*state = &server;
	rig_server_prepare(&server, "refusals");
	free(rig_verb(&server, "secret add --value-stdin", SECRET "\n"));
	free(rig_verb(&server, "user add ann --password-stdin", "right\n"));
	rig_token_add(&server, issuer, "issue --scope issue");
	rig_server_start(&server, "refusals", "--workers 1 --listen " SERVER4 " --listen " SERVER6);
	return 0;
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* How many lines there are of that kind and reason, from that address. */
static size_t lines(const char *client, const char *rest)
{
	char *log = rig_output(&server.program), want[200];
	size_t n;

	snprintf(want, sizeof(want), " level=info event=login-refused client=%s:", client);
	n = 0;
	for (char *at = log; (at = strstr(at, want)); at++) {
		char *end = strchr(at, '\n');

		if (end)
			*end = '\0';
		n += strstr(at, rest) != NULL;
		if (end)
			*end = '\n';
	}
	free(log);
	return n;
}

static void ask(const char *config)
{
	free(rig_run("curl -s -k -g --max-time 10 -o /dev/null -K -", config));
}

static void each_leaves_a_line(void **state)
{
	char name[40], password[32];

	(void)state;
	assert_int_equal(talker_try(SERVER4, "ann", "right"), 0);
	assert_int_equal(talker_try(SERVER4, "ann", "wrong"), 401);
	SOON(lines(RIG_SERVER4, " kind=turn reason=password user=ann ") == 1);
	assert_int_equal(talker_try(SERVER4, "nobody", "x"), 401);
	SOON(lines(RIG_SERVER4, " kind=turn reason=user user=nobody ") == 1);
	assert_int_equal(talker_try(SERVER6, "ann", "wrong"), 401);
	SOON(lines("[" RIG_SERVER6 "]", " kind=turn ") == 1);
	/* Expired: told, and no guess. */
	snprintf(name, sizeof(name), "%lld:ann", (long long)time(NULL) - 60);
	credential_password(SECRET, strlen(SECRET), name, strlen(name), password);
	assert_int_equal(talker_try(SERVER4, name, password), 401);
	SOON(lines(RIG_SERVER4, " kind=turn reason=expired ") == 1);

	ask("url = \"http://" SERVER4 "/turn\"\nheader = \"Authorization: Bearer tp_wrong\"\n");
	SOON(lines(RIG_SERVER4, " kind=api-token reason=unknown ") == 1);
	ask("url = \"https://" SERVER4 "/api/v1/admin/login\"\n"
	    "header = \"Content-Type: application/json\"\n"
	    "data = \"{\\\"name\\\":\\\"root\\\",\\\"password\\\":\\\"guessed-it-3\\\"}\"\n");
	SOON(lines(RIG_SERVER4, " kind=account reason=password user=root ") == 1);
	/* These are no guesses and leave no line: no credential at all, a good token for another
	 * scope. */
	ask("url = \"http://" SERVER4 "/turn\"\n");
	assert_int_equal(lines(RIG_SERVER4, "") + lines("[" RIG_SERVER6 "]", ""), 6);
}

/* Without one of our nonces the sender may be forged: over UDP an attacker would choose who gets
 * the blame. */
static void the_unproven_leave_none(void **state)
{
	size_t before = lines(RIG_SERVER4, "");
	struct talker t;

	(void)state;
	talker_open(&t, SERVER4, false, NULL, "ann", "wrong");
	snprintf(t.realm, sizeof(t.realm), "turnpike");
	assert_int_equal(talker_login(&t), 401);
	snprintf(t.nonce, sizeof(t.nonce), "obMatJos2AAAAabcdefabcdefabcdefabcdef");
	talker_allocate(&t, IPPROTO_UDP);
	talker_close(&t);
	rig_server_settle(&server);
	assert_int_equal(lines(RIG_SERVER4, ""), before);
}

/* Names that look like the line of somebody else. */
static const char *const hostile[] = {
    "x client=" VICTIM ":1 kind=turn reason=password user=a",
    "x\" client=" VICTIM ":1 kind=turn reason=password user=\"a",
    "x\nts=2026-11-22T09:30:00.123Z level=info event=login-refused client=" VICTIM
    ":1 kind=turn reason=password user=a ",
    "x\rts=2026-11-22T09:30:00.123Z level=info event=login-refused client=" VICTIM
    ":1 kind=turn reason=password user=a ",
    "\xe2\x80\xa8ts=2026-11-22T09:30:00.123Z level=info event=login-refused client=" VICTIM
    ":1 kind=turn reason=password user=a ",
    "\xc2\x85 level=info event=login-refused client=" VICTIM ":1 kind=turn reason=password ",
    "h turnpike[1]: ts=2026-11-22T09:30:00.123Z level=info event=login-refused client=" VICTIM
    ":1 kind=turn reason=password user=a",
    "\\",
    VICTIM,
    "\xff\xfe\x80",
};
#define HOSTILE_N (sizeof(hostile) / sizeof(*hostile))

/* The addresses that fail2ban finds in the log, one a line. */
static char *found(const char *log)
{
	char command[512];

	snprintf(command, sizeof(command), "fail2ban-regex --usedns no -o ip %s %s", log, FILTER);
	return rig_run(command, NULL);
}

static void fail2ban_reads_them(void **state)
{
	size_t before = lines(RIG_SERVER4, "");
	char *ips, *log, *line;

	(void)state;
	for (size_t i = 0; i < HOSTILE_N; i++)
		talker_try(SERVER4, hostile[i], "guess");
	SOON(lines(RIG_SERVER4, "") == before + HOSTILE_N);
	ips = found(server.program.output_path);
	/* all but the expired one */
	assert_int_equal(count(ips, RIG_SERVER4), before - 1 + HOSTILE_N);
	assert_int_equal(count(ips, RIG_SERVER6), 1);
	assert_int_equal(count(ips, VICTIM), 0);
	free(ips);
	/* As the journal tells it. */
	log = rig_output(&server.program);
	line = strstr(log, " level=info event=login-refused");
	assert_non_null(line);
	while (line > log && line[-1] != '\n')
		line--;
	line[strcspn(line, "\n")] = '\0';
	ips = found(rig_file("journal.log", "host turnpike[12]: %s\n", line));
	free(log);
	assert_int_equal(count(ips, RIG_SERVER4), 1);
	free(ips);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_leaves_a_line),
	    cmocka_unit_test(the_unproven_leave_none),
	    cmocka_unit_test(fail2ban_reads_them),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}
