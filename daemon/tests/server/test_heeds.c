/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The running server applies an operator's changes at once: users come and go, secrets retire, and
 * it stops when told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "store/credential.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERVER4  RIG_SERVER4 ":3478"
#define SECRET   "the-north-remembers-0123456789"
#define STOPS_MS 5000

static struct rig_server server;

static int setup(void **state)
{
	*state = &server;
	rig_server_start(&server, "heeds",
	                 "--workers 2 --relay-ports 50000-54999 --listen " SERVER4);
	return 0;
}

static bool logged(const char *text)
{
	char *log = rig_output(&server.program);
	bool found = strstr(log, text);

	free(log);
	return found;
}

static void user_add_and_del(void **state)
{
	unsigned int late = 0;
	struct talker t;

	(void)state;
	talker_open(&t, SERVER4, false, NULL, "alice", "wonderland");
	assert_int_equal(talker_login(&t), 401);
	assert_int_equal(talker_allocate(&t, IPPROTO_UDP), 401);
	/* before the verb ends, not at the next look at the store; but a worker that got no core
	 * may read its mail after the request */
	for (int i = 0; i < 10; i++) {
		free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
		late += talker_attempt(&t) != 0;
		SOON(talker_attempt(&t) == 0);
		free(rig_verb(&server, "user del alice", NULL));
		late += talker_attempt(&t) != 401;
		SOON(talker_attempt(&t) == 401);
	}
	assert_in_range(late, 0, 5);
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	SOON(talker_allocate(&t, IPPROTO_UDP) == 0);
	talker_close(&t);

	talker_open(&t, SERVER4, false, NULL, "alice", "wonderland");
	assert_int_equal(talker_allocate(&t, IPPROTO_UDP), 0);
	assert_int_equal(talker_refresh(&t, 600), 0);
	free(rig_verb(&server, "user del alice", NULL));
	SOON(talker_refresh(&t, 600) == 401);
	assert_true(logged("event=closed reason=revoked user=alice"));
	talker_close(&t);
}

/* Nobody tells the command line again what the server was started with. */
static void verbs_mean_the_servers_settings(void **state)
{
	struct rig_server s;
	struct talker t;
	char *said;

	(void)state;
	rig_server_start(&s, "served", "--realm example.org --listen " RIG_SERVER4B ":3479");
	free(rig_verb(&s, "user add dora --password-stdin", "explorer\n"));
	talker_open(&t, RIG_SERVER4B ":3479", false, NULL, "dora", "explorer");
	assert_int_equal(talker_login(&t), 401);
	SOON(talker_allocate(&t, IPPROTO_UDP) == 0);
	talker_close(&t);
	free(rig_verb(&s, "health", NULL));
	said = rig_verb(&s, "credentials dora", NULL);
	assert_non_null(strstr(said, ":3479"));
	free(said);
	said = rig_verb(&s, "config", NULL);
	assert_non_null(strstr(said, "realm = example.org  # as the server on "));
	assert_null(strstr(said, "served.json"));
	free(said);
	said = rig_verb(&s, "user list --realm other", NULL); /* what is said wins */
	assert_non_null(strstr(said, "dora\texample.org"));
	free(said);
	rig_server_stop(&s);
	/* and after its end: the next start is for the same realm */
	said = rig_verb(&s, "user del dora", NULL);
	assert_non_null(strstr(said, "realm example.org"));
	free(said);
}

static void secret_retire(void **state)
{
	char user[64], password[64], verb[64], *said;
	struct talker old, fresh;

	(void)state;
	said = rig_verb(&server, "secret add --value-stdin", SECRET "\n");
	assert_non_null(strstr(said, "secret "));
	snprintf(verb, sizeof(verb), "secret retire %d", atoi(strstr(said, "secret ") + 7));
	free(said);
	snprintf(user, sizeof(user), "%lld:carol", (long long)time(NULL) + 3600);
	credential_password(SECRET, strlen(SECRET), user, strlen(user), password);

	talker_open(&old, SERVER4, false, NULL, user, password);
	SOON(talker_allocate(&old, IPPROTO_UDP) == 0);
	free(rig_verb(&server, verb, NULL));
	talker_open(&fresh, SERVER4, false, NULL, user, password);
	SOON(talker_attempt(&fresh) == 401);
	/* the call that runs goes on */
	assert_int_equal(talker_refresh(&old, 600), 0);
	talker_close(&old);
	talker_close(&fresh);
}

static void stops_when_told(void **state)
{
	unsigned long long since;
	struct talker t, idle;

	(void)state;
	free(rig_verb(&server, "user add bob --password-stdin", "builder\n"));
	talker_open(&t, SERVER4, false, NULL, "bob", "builder");
	talker_login(&t);
	SOON(talker_allocate(&t, IPPROTO_UDP) == 0);
	talker_open(&idle, SERVER4, true, NULL, "", "");
	since = rig_now_ms();
	rig_server_stop(&server); /* and asserts that it ends with 0 */
	assert_in_range(rig_now_ms() - since, 0, STOPS_MS);
	talker_close(&idle);
	talker_close(&t);
}

/* A server with one allocation, that is told to stop. */
static void start_to_drain(struct rig_server *s, const char *name, int timeout_s, struct talker *t)
{
	char options[160];

	snprintf(options, sizeof(options),
	         "--workers 2 --relay-ports 50000-54999 --drain-timeout %d --listen " SERVER4,
	         timeout_s);
	rig_server_start(s, name, options);
	free(rig_verb(s, "user add dora --password-stdin", "explorer\n"));
	talker_open(t, SERVER4, false, NULL, "dora", "explorer");
	talker_login(t);
	SOON(talker_allocate(t, IPPROTO_UDP) == 0);
	rig_wait_allocations(s, 1);
	kill(s->program.pid, SIGTERM);
	assert_true(rig_wait_output(&s->program, "event=stopping", SOON_MS));
}

static void drains(void **state)
{
	struct rig_server s = {.data = ""};
	struct talker t, late;
	unsigned long long since;

	(void)state;
	/* new clients are sent away, the call goes on, and with it the server */
	start_to_drain(&s, "sent-away", 600, &t);
	talker_open(&late, SERVER4, false, NULL, "dora", "explorer");
	talker_login(&late);
	SOON(talker_attempt(&late) == 508);
	assert_int_equal(talker_refresh(&t, 600), 0);
	assert_int_equal(talker_refresh(&t, 0), 0);
	assert_int_equal(rig_wait(&s.program, SOON_MS), 0);
	talker_close(&late);
	talker_close(&t);

	/* a call that does not end, is ended */
	since = rig_now_ms();
	start_to_drain(&s, "ended", 2, &t);
	assert_int_equal(rig_wait(&s.program, SOON_MS), 0);
	assert_true(rig_now_ms() - since >= 2000);
	talker_close(&t);

	/* a second signal does not wait */
	start_to_drain(&s, "at-once", 600, &t);
	assert_int_equal(rig_signal_and_wait(&s.program, SIGTERM, SOON_MS), 0);
	talker_close(&t);
}

static void make_cert(const char *name)
{
	char command[512];

	snprintf(command, sizeof(command),
	         "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
	         "-keyout %s/tls.key -out %s/tls.crt -days 2 -subj /CN=%s",
	         rig_dir(), rig_dir(), name);
	free(rig_run(command, NULL));
}

static bool shows_cert(const char *alpn, const char *name)
{
	char command[128], want[64], *said;
	bool shown;

	snprintf(command, sizeof(command),
	         "openssl s_client -nameopt RFC2253 -connect " SERVER4 " -alpn %s", alpn);
	snprintf(want, sizeof(want), "CN=%s", name);
	said = rig_run(command, "");
	shown = strstr(said, want);
	free(said);
	return shown;
}

static void reloads_the_certificate(void **state)
{
	struct rig_server s = {.data = ""};
	char options[512];

	(void)state;
	make_cert("first.example");
	snprintf(options, sizeof(options),
	         "--workers 2 --listen " SERVER4 " --tls-cert %s/tls.crt --tls-key %s/tls.key",
	         rig_dir(), rig_dir());
	rig_server_start(&s, "renews", options);
	assert_true(shows_cert("stun.turn", "first.example"));
	assert_true(shows_cert("http/1.1", "first.example"));
	make_cert("second.example");
	assert_true(shows_cert("stun.turn", "first.example"));
	kill(s.program.pid, SIGHUP);
	assert_true(rig_wait_output(&s.program, "event=certificate-reloaded", SOON_MS));
	rig_server_settle(&s);
	assert_true(shows_cert("stun.turn", "second.example"));
	assert_true(shows_cert("http/1.1", "second.example"));
	/* one that is none: the old one stays */
	snprintf(options, sizeof(options), "truncate -s 10 %s/tls.crt", rig_dir());
	free(rig_run(options, NULL));
	kill(s.program.pid, SIGHUP);
	assert_true(rig_wait_output(&s.program, "event=certificate-kept", SOON_MS));
	assert_true(shows_cert("stun.turn", "second.example"));
	assert_true(shows_cert("http/1.1", "second.example"));
	rig_server_stop(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(user_add_and_del), cmocka_unit_test(verbs_mean_the_servers_settings),
	    cmocka_unit_test(secret_retire),    cmocka_unit_test(stops_when_told),
	    cmocka_unit_test(drains),           cmocka_unit_test(reloads_the_certificate),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}
