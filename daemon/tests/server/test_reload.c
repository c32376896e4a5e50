/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reload of a running server: what is reloadable changes at once, what is not is
 * named, a mistake changes nothing, and no call loses a packet over it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVER4      RIG_SERVER4 ":3478"
#define ECHO_PORT    3480
#define ECHO         RIG_PEER4 ":3480"
#define CHANNEL      0x4001
#define RELOADS      40
#define PER_RELOAD   5
#define SECOND4      RIG_SERVER4B ":3478"
#define TAKE_OVER_MS 10000

static struct rig_server server;
static struct rig_program echo;

/* The path of the file: what every test wants, and more. */
static const char *configure(const char *more)
{
	return rig_file("turnpike.conf",
	                "listen = " SERVER4 "\nworkers = 2\nrelay_ports = 50000-54999\n%s", more);
}

static void start_with(const char *name, const char *more)
{
	char options[256];

	snprintf(options, sizeof(options), "--config %s", configure(more));
	rig_server_start(&server, name, options);
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	rig_server_settle(&server);
}

/* Reloads by the verb, whose words must hold the text. */
static void reload(const char *more, const char *says)
{
	char *said;

	configure(more);
	said = rig_verb(&server, "reload", NULL);
	if (!strstr(said, says))
		rig_fail(said, said, "\"%s\" is not said after \"%s\"", says, more);
	free(said);
	rig_server_settle(&server);
}

static void refused(const char *more, const char *says)
{
	char *said;

	configure(more);
	assert_int_equal(rig_try_verb(&server, "reload", NULL, &said), 1);
	if (!strstr(said, says) || !strstr(said, "the old one stays in effect"))
		rig_fail(said, said, "\"%s\" is not said after \"%s\"", says, more);
	free(said);
	rig_server_settle(&server);
}

static void alice(struct talker *t)
{
	talker_open(t, SERVER4, false, NULL, "alice", "wonderland");
	assert_int_equal(talker_login(t), 401);
}

/* An allocation with a channel to the echo. */
static void call(struct talker *t)
{
	alice(t);
	assert_int_equal(talker_allocate(t, IPPROTO_UDP), 0);
	assert_int_equal(talker_bind_to(t, CHANNEL, ECHO), 0);
}

/* One packet through the relay and back. */
static bool echoed(struct talker *t, uint32_t number)
{
	uint8_t packet[8] = {CHANNEL >> 8, CHANNEL & 0xff, 0, 4};

	memcpy(packet + 4, &number, 4);
	assert_int_equal(talker_send(t, packet, sizeof(packet)), 0);
	return !talker_receive(t, TALKER_WAIT_MS) && t->in.len == sizeof(packet) &&
	       !memcmp(t->in.buf, packet, sizeof(packet));
}

static uint32_t lifetime(struct talker *t)
{
	struct wire m;

	talker_request(t, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, 86400);
	assert_int_equal(talker_ask(t, &m), 0);
	return wire_get_u32(t->in.buf, t->in.len, ATTR_LIFETIME);
}

static int http_status(const char *more)
{
	char command[256], *said;
	int status;

	snprintf(command, sizeof(command),
	         "curl -s --noproxy * --max-time 10 -w %%{http_code} http://" SERVER4 "/turn%s",
	         more);
	said = rig_run(command, NULL);
	status = atoi(said + strlen(said) - 3);
	free(said);
	return status;
}

/* ---- nothing is lost ---- */

static void keeps_calls(void **state)
{
	static const char *const lives[] = {"", "max_lifetime = 1800\nrelay_deny = 9.9.9.9\n",
	                                    "user_quota = 7\nlog_level = debug\nguests = no\n",
	                                    "session_bandwidth = 9000000\nmobility = yes\n"};
	struct rig_program uclient;
	struct talker t, stream;
	uint32_t number = 0;
	char *said;
	int status;

	(void)state;
	start_with("calls", "");
	call(&t);
	talker_enter(&stream, SERVER4, true, "alice", "wonderland");
	/* a client that is not ours: 20 ms a packet, 8 s */
	rig_start(&uclient,
	          "turnutils_uclient -s -u alice -w wonderland -e " RIG_PEER4
	          " -r 3480 -n 400 -l 160 -m 2 -c " RIG_SERVER4,
	          NULL);
	for (unsigned int i = 0; i < RELOADS; i++) {
		reload(lives[i % 4], i ? "changed: " : "nothing has changed");
		for (unsigned int k = 0; k < PER_RELOAD; k++)
			if (!echoed(&t, ++number))
				fail_msg("packet %u is lost after %u reloads", number, i);
	}
	assert_int_equal(talker_refresh(&stream, 600), 0);
	status = rig_wait(&uclient, 30000);
	said = rig_output(&uclient);
	if (status || !strstr(said, "Total lost packets 0 (0.000000%)"))
		rig_fail(said, said, "turnutils_uclient has lost packets");
	free(said);
	talker_close(&stream);
	talker_close(&t);
	rig_server_stop(&server);
}

/* ---- everything changes ---- */

static void changes_at_once(void **state)
{
	struct talker t, u;

	(void)state;
	start_with("changes", "");
	call(&t);
	assert_true(echoed(&t, 1));
	assert_int_equal(lifetime(&t), 3600);
	reload("max_lifetime = 1234\n", "changed: max_lifetime");
	assert_int_equal(lifetime(&t), 1234);

	/* a quota that is full already, and wide again */
	alice(&u);
	reload("user_quota = 1\n", "user_quota");
	assert_int_equal(talker_allocate(&u, IPPROTO_UDP), 486);
	reload("total_quota = 1\n", "changed: user_quota,total_quota");
	assert_int_equal(talker_allocate(&u, IPPROTO_UDP), 486);
	reload("", "total_quota");
	assert_int_equal(talker_allocate(&u, IPPROTO_UDP), 0);
	assert_int_equal(talker_refresh(&u, 0), 0);

	/* the policy: also for permissions that there are */
	reload("relay_deny = " RIG_PEER4 "\n", "relay_deny");
	assert_int_equal(talker_permit_to(&t, ECHO), 403);
	assert_false(echoed(&t, 2));
	reload("", "relay_deny");
	assert_int_equal(talker_permit_to(&t, ECHO), 0);
	assert_true(echoed(&t, 3));
	assert_int_equal(talker_permit_to(&t, "10.1.1.1:9"), 403);
	reload("relay_allow = 10.1.0.0/16\n", "relay_allow");
	assert_int_equal(talker_permit_to(&t, "10.1.1.1:9"), 0);

	/* bandwidth: nothing passes that is larger than a second's worth, once the burst is spent
	 */
	reload("permissions_max = 1\n", "permissions_max");
	assert_int_equal(talker_permit_to(&t, "8.8.8.8:9"), 508);

	/* elsewhere */
	reload("alternate_server = 8.8.4.4:3478\n", "alternate_server");
	assert_int_equal(talker_allocate(&u, IPPROTO_UDP), 300);
	reload("alternate_server = 8.8.4.4:3478\nredirect = no\n", "redirect");
	assert_int_equal(talker_allocate(&u, IPPROTO_UDP), 0);
	talker_close(&u);
	talker_close(&t);
	rig_server_stop(&server);
}

static void changes_limits(void **state)
{
	struct talker t, tcp[3];
	struct wire m;
	unsigned long long since;
	unsigned int answers = 0;

	(void)state;
	start_with("limits", "");
	/* Binding replies: a burst of two seconds' worth, then one a second */
	reload("binding_rate = 1\n", "binding_rate");
	talker_open(&t, SERVER4, false, NULL, "", "");
	since = rig_now_ms();
	for (unsigned int i = 0; i < 10; i++) {
		wire_start(&m, W_BINDING, ++t.tid);
		assert_int_equal(talker_send(&t, m.buf, m.len), 0);
		answers += !talker_receive(&t, 50);
	}
	assert_in_range(answers, 1, 3 + (rig_now_ms() - since) / 1000);
	reload("", "binding_rate");
	for (unsigned int i = 0; i < 10; i++) {
		wire_start(&m, W_BINDING, ++t.tid);
		assert_int_equal(talker_send(&t, m.buf, m.len), 0);
		assert_int_equal(talker_receive(&t, TALKER_WAIT_MS), 0);
	}
	talker_close(&t);

	/* connections from one address; one more is closed at once */
	reload("connections_per_address = 2\nidle_timeout = 2\n", "connections_per_address");
	for (int i = 0; i < 3; i++)
		talker_open(&tcp[i], SERVER4, true, RIG_SERVER4B, "alice", "wonderland");
	assert_int_equal(talker_login(&tcp[0]), 401);
	assert_true(talker_login(&tcp[2]) < 0);
	/* and the time that an idle one may take; it has begun to count before */
	assert_true(talker_is_left(&tcp[0], SOON_MS));
	for (int i = 0; i < 3; i++)
		talker_close(&tcp[i]);
	rig_server_stop(&server);
}

static void changes_the_web(void **state)
{
	char *said;

	(void)state;
	start_with("web", "");
	assert_int_equal(http_status("?service=turn"), 401);
	reload("guests = public\npublic_host = turn.example.org\n", "changed: public_host,guests");
	assert_int_equal(http_status("?service=turn"), 200);
	said = rig_run("curl -s --noproxy * http://" SERVER4 "/turn?service=turn", NULL);
	assert_non_null(strstr(said, "turn:turn.example.org:3478"));
	assert_non_null(strstr(said, "\"ttl\":86400"));
	free(said);
	reload("guests = public\ncredential_ttl = 777\n", "credential_ttl");
	said = rig_run("curl -s --noproxy * http://" SERVER4 "/turn?service=turn", NULL);
	assert_non_null(strstr(said, "\"ttl\":777"));
	free(said);
	reload("guests = public\nmax_connections = 1\nlog_level = error\n", "max_connections");
	reload("guests = no\n", "guests");
	assert_int_equal(http_status("?service=turn"), 401);
	rig_server_stop(&server);
}

/* ---- nothing changes ---- */

static void names_what_needs_a_restart(void **state)
{
	char *log;

	(void)state;
	start_with("restart", "");
	reload("realm = other\nnat_discovery = no\nmax_lifetime = 1800\n",
	       "needs a restart: realm,nat_discovery");
	log = rig_output(&server.program);
	assert_non_null(strstr(log, "event=needs-a-restart options=realm,nat_discovery"));
	assert_non_null(strstr(log, "event=configuration-reloaded changed=max_lifetime"));
	free(log);
	/* still waiting */
	reload("realm = other\nmax_lifetime = 1800\n", "needs a restart: realm\n");
	rig_server_stop(&server);
}

static void refuses_as_a_whole(void **state)
{
	struct talker t;
	char *log;

	(void)state;
	start_with("refuses", "max_lifetime = 1800\n");
	call(&t);
	assert_int_equal(lifetime(&t), 1800);
	refused("max_lifetime = 1234\nuser_qota = 1\n", "turnpike.conf:5");
	assert_int_equal(lifetime(&t), 1800);
	refused("max_lifetime = 1234\ndefault_lifetime = 4000\n", "default_lifetime");
	assert_int_equal(lifetime(&t), 1800);
	refused("max_lifetime = 1234\ntls_cert = /nonexistent/c\ntls_key = /nonexistent/k\n",
	        "/nonexistent/c");
	assert_int_equal(lifetime(&t), 1800);
	/* well formed, but it would only hold together after a restart */
	refused("max_lifetime = 1234\nlisten = 127.0.0.1:9\nrelay_allow = 127.0.0.0/8\n",
	        "relay_allow");
	assert_int_equal(lifetime(&t), 1800);
	assert_int_equal(unlink(configure("")), 0);
	kill(server.program.pid, SIGHUP);
	assert_true(
	    rig_wait_output(&server.program, "cannot read the configuration file", SOON_MS));
	assert_int_equal(lifetime(&t), 1800);
	log = rig_output(&server.program);
	assert_null(strstr(log, "event=configuration-reloaded"));
	free(log);
	reload("max_lifetime = 1234\n", "changed: max_lifetime");
	assert_int_equal(lifetime(&t), 1234);
	assert_true(echoed(&t, 1));
	talker_close(&t);
	rig_server_stop(&server);
}

static char *secrets(void)
{
	return rig_verb(&server, "secret list", NULL);
}

/* A refused configuration's secret opens nothing; and looking for it hides no change of the store
 * that came a moment before. */
static void heeds_the_store_all_the_same(void **state)
{
	char *before, *after, verb[64], name[16];

	(void)state;
	start_with("store", "");
	free(rig_verb(&server, "secret add --value-stdin", "north\n"));
	free(rig_verb(&server, "secret add --value-stdin", "south\n"));
	before = secrets();
	refused("shared_secret = east\ntls_cert = /nonexistent/c\ntls_key = /nonexistent/k\n",
	        "/nonexistent/c");
	after = secrets();
	assert_string_equal(before, after);
	free(before);
	free(after);
	for (int i = 0; i < 5; i++) {
		configure(i % 2 ? "shared_secret = south\n" : "shared_secret = north\n");
		snprintf(name, sizeof(name), "u%d", i);
		snprintf(verb, sizeof(verb), "user add %s --password-stdin", name);
		free(rig_verb(&server, verb, "wonderland\n"));
		kill(server.program.pid, SIGHUP); /* sooner than the server looks by itself */
		SOON(talker_try(SERVER4, name, "wonderland") == 0);
	}
	rig_server_stop(&server);
}

static void finds_no_server(void **state)
{
	struct rig_program verb;
	char command[256], *said;

	(void)state;
	snprintf(command, sizeof(command), "%s --data %s/nobody reload", TURNPIKE_PROGRAM,
	         rig_dir());
	rig_start(&verb, command, NULL);
	assert_int_equal(rig_wait(&verb, 5000), 1);
	said = rig_output(&verb);
	assert_non_null(strstr(said, "no server runs on"));
	free(said);
	/* one that was killed has left its file, not its lock */
	start_with("killed", "");
	rig_signal_and_wait(&server.program, SIGKILL, 2000);
	snprintf(command, sizeof(command), "%s --data %s reload", TURNPIKE_PROGRAM, server.data);
	rig_start(&verb, command, NULL);
	assert_int_equal(rig_wait(&verb, 5000), 1);
	said = rig_output(&verb);
	assert_non_null(strstr(said, "no server runs on"));
	free(said);
}

/* The verb's words hold the text. */
static bool says(const struct rig_server *s, const char *verb, const char *text)
{
	char *said;
	bool found = !rig_try_verb(s, verb, NULL, &said) && strstr(said, text);

	free(said);
	return found;
}

/* A new server beside the old one, which still has calls: the verbs speak to the old one, and once
 * that has ended, to the new one. */
static void takes_over(void **state)
{
	struct rig_server old = {.data = ""};
	struct talker t;
	char *said;

	(void)state;
	rig_server_start(&old, "shared", "--listen " SERVER4 " --relay-ports 50000-50999");
	free(rig_verb(&old, "user add alice --password-stdin", "wonderland\n"));
	rig_server_start(&server, "shared",
	                 "--listen " SECOND4 " --relay-ports 51000-51999 --user-quota 7");
	assert_true(rig_wait_output(&server.program, "event=data-directory-shared", TAKE_OVER_MS));
	alice(&t);
	assert_int_equal(talker_allocate(&t, IPPROTO_UDP), 0);
	SOON(says(&server, "sessions", "alice"));
	rig_server_stop(&old);
	talker_close(&t);
	talker_open(&t, SECOND4, false, NULL, "alice", "wonderland");
	assert_int_equal(talker_allocate(&t, IPPROTO_UDP), 0);
	SOON(says(&server, "sessions", "alice"));
	said = rig_verb(&server, "reload", NULL);
	assert_non_null(strstr(said, "nothing has changed"));
	free(said);
	said = rig_verb(&server, "config --json", NULL);
	assert_non_null(strstr(said, SECOND4));
	free(said);
	talker_close(&t);
	rig_server_stop(&server);
}

static int setup(void **state)
{
	(void)state;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (server.program.pid)
		rig_signal_and_wait(&server.program, SIGKILL, 2000);
	return 0;
}

/* A verb that is told the file, and has to say the text and fail, or to succeed. */
static void say_of_file(const char *verb, int status, const char *says)
{
	char words[256], *said;
	int r;

	snprintf(words, sizeof(words), "--config %s/turnpike.conf %s", rig_dir(), verb);
	r = rig_try_verb(&server, words, NULL, &said);
	if (r != status || !strstr(said, says))
		rig_fail(said, said, "%s: status %d, and \"%s\" is to be said", verb, r, says);
	free(said);
}

static bool starts_again(void)
{
	struct rig_program p;
	char command[512];
	bool ready;

	snprintf(command, sizeof(command),
	         TURNPIKE_PROGRAM " serve --data %s --config %s/turnpike.conf", server.data,
	         rig_dir());
	rig_start(&p, command, NULL);
	ready = rig_wait_output(&p, "event=ready", SOON_MS);
	if (p.pid)
		rig_signal_and_wait(&p, SIGTERM, SOON_MS);
	return ready;
}

/* The secret of the file is retired: the check reports it, and the start does too. */
static void retired_secret_of_the_file(void **state)
{
	(void)state;
	start_with("retired", "shared_secret = the-secret-of-the-file\n");
	say_of_file("check-config", 0, "ok");
	reload("shared_secret = the-secret-of-the-file\n", "nothing has changed");
	say_of_file("secret retire 1", 0, "the next start is refused: shared_secret was retired");
	say_of_file("check-config", 1, "shared_secret was retired");
	say_of_file("doctor", 1, "the next start is refused: shared_secret was retired");
	refused("shared_secret = the-secret-of-the-file\n", "shared_secret was retired");
	assert_true(rig_wait_output(&server.program, "event=shared-secret-retired", SOON_MS));
	rig_server_stop(&server);
	assert_false(starts_again());
	say_of_file("check-config", 1, "shared_secret was retired");
	configure("shared_secret = another-secret-of-the-file\n");
	say_of_file("check-config", 0, "ok");
	assert_true(starts_again());
}

/* Served all the same, since TURN over UDP needs none; but never without a word. */
static void certificate_that_nobody_takes(void **state)
{
	static const struct {
		const char *days, *more, *says;
	} cases[] = {
	    {"-startdate 20200101000000Z -enddate 20200201000000Z", "", "expired on 2020-02-01"},
	    {"-startdate 20900101000000Z -enddate 20900201000000Z", "",
	     "is not valid before 2090-01-01"},
	    {"-startdate 20200101000000Z -enddate 20900101000000Z",
	     "public_host = turn.example.net\n", "is not for turn.example.net (public_host)"},
	};
	char script[1024], more[512];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		snprintf(
		    script, sizeof(script),
		    "cd %s\nrm -rf ca; mkdir ca; touch ca/index\necho 01 > ca/serial\n"
		    "printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=ca/index\\nserial=ca/serial\\n"
		    "new_certs_dir=ca\\ndefault_md=sha256\\npolicy=p\\n[p]\\ncommonName="
		    "supplied\\n' > ca/conf\n"
		    "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
		    "-keyout odd.key -out odd.csr -subj /CN=turn.example.org\n"
		    "openssl ca -batch -selfsign -config ca/conf -keyfile odd.key -in odd.csr "
		    "-out odd.pem -notext %s\nchmod 600 odd.key\n",
		    rig_dir(), cases[i].days);
		free(rig_run("sh -e", script));
		snprintf(more, sizeof(more), "tls_cert = %s/odd.pem\ntls_key = %s/odd.key\n%s",
		         rig_dir(), rig_dir(), cases[i].more);
		configure(more);
		say_of_file("check-config", 0, cases[i].says);
		if (i)
			reload(more, cases[i].says);
		else
			start_with("odd", more);
		assert_true(rig_wait_output(&server.program, cases[i].says, SOON_MS));
	}
	rig_server_stop(&server);
}

static int setup_echo(void **state)
{
	(void)state;
	rig_echo_start(&echo, ECHO_PORT);
	return 0;
}

int main(int argc, char **argv)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(keeps_calls),
	    T(changes_at_once),
	    T(changes_limits),
	    T(changes_the_web),
	    T(names_what_needs_a_restart),
	    T(refuses_as_a_whole),
	    T(heeds_the_store_all_the_same),
	    T(finds_no_server),
	    T(takes_over),
	    T(retired_secret_of_the_file),
	    T(certificate_that_nobody_takes),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup_echo, NULL);
}
