/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Webhooks of the running, confined server: what it tells over TLS, what operators see and do, a
 * reload, and a server that is killed before its receiver is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/receiver.h"
#include "daemon/tests/server/exposition.h"
#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "daemon/tests/web_client.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVER4   RIG_SERVER4 ":3478"
#define ECHO_PORT 3480
#define ECHO      RIG_PEER4 ":3480"
#define KEY       "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

static struct rig_server server;
static struct rig_program echo;
static struct receiver *receiver; /* speaks TLS */
static char cert[128], key[128];

/* url: the receiver's; more: further lines. */
static void configure(const char *url, const char *more)
{
	rig_file("turnpike.conf",
	         "listen = " SERVER4
	         ", 127.0.0.1:8080\nworkers = 1\nrelay_ports = 50000-50999\n%s%s\n%s",
	         *url ? "webhook_secret = " KEY "\nwebhook_url = " : "", url, more);
}

static void start(void)
{
	char options[160];

	snprintf(options, sizeof(options), "--config %s/turnpike.conf", rig_dir());
	rig_server_start(&server, "webhooks", options);
}

static const char *url_of(struct receiver *r)
{
	static char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%u/turnpike", receiver_port(r));
	return url;
}

static int setup(void **state)
{
	char command[512];

	*state = &server;
	snprintf(cert, sizeof(cert), "%s/ca/cert.pem", rig_dir());
	snprintf(key, sizeof(key), "%s/ca/key.pem", rig_dir());
	snprintf(command, sizeof(command), "%s/ca", rig_dir());
	assert_int_equal(mkdir(command, 0700), 0);
	snprintf(command, sizeof(command),
	         "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=receiver -addext "
	         "subjectAltName=IP:127.0.0.1 -keyout %s -out %s",
	         key, cert);
	free(rig_run(command, NULL));
	receiver = receiver_start(0, cert, key);
	rig_server_prepare(&server, "webhooks");
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	snprintf(command, sizeof(command), "webhook_ca = %s\n", cert);
	configure(url_of(receiver), command);
	start();
	rig_echo_start(&echo, ECHO_PORT);
	return 0;
}

static int teardown(void **state)
{
	receiver_stop(receiver);
	rig_signal_and_wait(&echo, SIGTERM, SOON_MS);
	return rig_server_end(state);
}

/* One that relays 300 bytes there, and back. */
static void use_relay(void)
{
	struct talker t;

	talker_enter(&t, SERVER4, false, "alice", "wonderland");
	assert_int_equal(talker_permit_to(&t, ECHO), 0);
	for (int i = 0; i < 3; i++)
		talker_send_to(&t, ECHO, "0123456789012345678901234567890123456789");
	assert_int_equal(talker_refresh(&t, 0), 0);
	talker_close(&t);
}

static json_t *verb(const char *words)
{
	char command[128], *said;
	json_t *value;

	snprintf(command, sizeof(command), "%s --json", words);
	said = rig_verb(&server, command, NULL);
	value = json_loads(said, 0, NULL);
	if (!value)
		rig_fail(said, said, "no JSON");
	free(said);
	return value;
}

/* Of the first row that the verb lists. */
static json_int_t number(const char *member)
{
	json_t *value = verb("webhooks");
	json_t *row = json_array_get(json_object_get(value, "webhooks"), 0);
	json_int_t n = json_integer_value(json_object_get(row, member));

	json_decref(value);
	return n;
}

static double metric(const char *name)
{
	json_t *families = exposition_of(&server);
	double value = exposition_value(families, name);

	json_decref(families);
	return value;
}

/* The text of the member in the first post from i on about that event; waits for it. "": it is not
 * there. The caller frees it. */
static char *told(size_t i, const char *event, const char *member)
{
	char *value = NULL;

	for (; !value; i++) {
		struct receiver_post p;
		json_t *body, *said;

		SOON(receiver_count(receiver) > i);
		p = receiver_at(receiver, i);
		body = json_loads(p.body, 0, NULL);
		said = json_object_get(body, member);
		if (!strcmp(json_string_value(json_object_get(body, "event")), event))
			value = json_is_string(said) ? strdup(json_string_value(said))
			                             : json_dumps(said, JSON_ENCODE_ANY);
		json_decref(body);
	}
	return value;
}

static void is_told(size_t i, const char *event, const char *member, const char *value)
{
	char *said = told(i, event, member);

	assert_string_equal(said, value);
	free(said);
}

static void used_relays_are_told(void **state)
{
	struct receiver_post p;
	json_t *body;

	(void)state;
	SOON(receiver_count(receiver) == 1);
	is_told(0, "started", "users", "0");
	use_relay();
	SOON(receiver_count(receiver) == 2);
	p = receiver_at(receiver, 1);
	assert_string_equal(p.path, "/turnpike");
	body = json_loads(p.body, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(body, "event")), "relay-used");
	assert_string_equal(json_string_value(json_object_get(body, "name")), "alice");
	assert_string_equal(json_string_value(json_object_get(body, "realm")), "turnpike");
	assert_in_range(json_integer_value(json_object_get(body, "to_peer_bytes")), 120, 1000);
	assert_true(json_is_integer(json_object_get(body, "to_client_bytes")));
	assert_true(json_is_integer(json_object_get(body, "seconds")));
	json_decref(body);
	SOON(metric("turnpike_webhooks_delivered_total") == 2);
	SOON(metric("turnpike_webhooks_waiting") == 0);
}

static json_int_t to_peer_bytes(size_t i)
{
	struct receiver_post p = receiver_at(receiver, i);
	json_t *body = json_loads(p.body, 0, NULL);
	json_int_t n = json_integer_value(json_object_get(body, "to_peer_bytes"));

	json_decref(body);
	return n;
}

/* Nothing was relayed: nothing is told. */
static void idle_ones_are_not(void **state)
{
	size_t n = receiver_count(receiver);
	struct talker t;

	(void)state;
	talker_enter(&t, SERVER4, false, "alice", "wonderland");
	assert_int_equal(talker_refresh(&t, 0), 0);
	talker_close(&t);
	use_relay();
	SOON(receiver_count(receiver) == n + 1);
	assert_in_range(to_peer_bytes(n), 120, 1000); /* they come in order */
}

static void operators_see_and_retry_dead_letters(void **state)
{
	size_t n = receiver_count(receiver);
	json_t *value, *row;
	char words[96], *said;

	(void)state;
	receiver_answer(receiver, 410, NULL, NULL);
	use_relay();
	SOON(number("dead") == 1);
	value = verb("webhooks dead");
	row = json_array_get(json_object_get(value, "dead"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "event")), "relay-used");
	assert_string_equal(json_string_value(json_object_get(row, "error")), "answered 410");
	assert_string_equal(json_string_value(json_object_get(row, "url")), url_of(receiver));
	assert_int_equal(metric("turnpike_webhooks_dead_total"), 1);
	receiver_answer(receiver, 200, NULL, NULL);
	snprintf(words, sizeof(words), "webhooks retry %s",
	         json_string_value(json_object_get(row, "id")));
	said = rig_verb(&server, words, NULL);
	assert_non_null(strstr(said, "1 dead letter waits again"));
	free(said);
	json_decref(value);
	SOON(receiver_count(receiver) == n + 2);
	SOON(number("dead") == 0);
	assert_int_equal(rig_try_verb(&server, words, NULL, &said), 1);
	assert_non_null(strstr(said, "see turnpike webhooks dead"));
	free(said);
	said = rig_verb(&server, "webhooks retry all", NULL);
	assert_non_null(strstr(said, "0 dead letters wait again"));
	free(said);
	said = rig_verb(&server, "audit --last 1", NULL);
	assert_non_null(strstr(said, "webhooks retry\tall"));
	free(said);
	free(rig_verb(&server, "webhooks", NULL));
	free(rig_verb(&server, "webhooks dead", NULL));
}

/* Its certificate is not one of webhook_ca's: nothing is sent to who cannot prove who they are. */
static void tls_is_verified(void **state)
{
	char command[512], other_cert[128], other_key[128];
	struct receiver *other;
	json_t *value;

	(void)state;
	snprintf(other_cert, sizeof(other_cert), "%s/other-cert.pem", rig_dir());
	snprintf(other_key, sizeof(other_key), "%s/other-key.pem", rig_dir());
	snprintf(command, sizeof(command),
	         "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -addext "
	         "subjectAltName=IP:127.0.0.1 -keyout %s -out %s",
	         other_key, other_cert);
	free(rig_run(command, NULL));
	other = receiver_start(0, other_cert, other_key);
	snprintf(command, sizeof(command), "webhook_ca = %s\n", cert);
	configure(url_of(other), command);
	free(rig_verb(&server, "reload", NULL));
	use_relay();
	SOON(number("failed") >= 1);
	value = verb("webhooks");
	assert_non_null(strstr(json_string_value(json_object_get(
	                           json_array_get(json_object_get(value, "webhooks"), 0), "error")),
	                       "certificate"));
	json_decref(value);
	assert_int_equal(receiver_count(other), 0);
	receiver_stop(other);
}

/* The sandbox does not let the server read there; a start would. */
static void a_reload_that_cannot_work_is_refused(void **state)
{
	char command[512], *said;

	(void)state;
	snprintf(command, sizeof(command), "webhook_ca = %s/none.pem\n", rig_dir());
	configure(url_of(receiver), command);
	assert_int_equal(rig_try_verb(&server, "reload", NULL, &said), 1);
	assert_non_null(strstr(said, "webhook_ca: cannot read"));
	free(said);
	snprintf(command, sizeof(command), "%s/empty.pem", rig_dir());
	rig_file("empty.pem", "nothing\n");
	snprintf(command, sizeof(command), "webhook_ca = %s/empty.pem\n", rig_dir());
	configure(url_of(receiver), command);
	assert_int_equal(rig_try_verb(&server, "reload", NULL, &said), 1);
	assert_non_null(strstr(said, "holds no certificate"));
	free(said);
	snprintf(command, sizeof(command), "webhook_ca = %s\nwebhook_events = joined\n", cert);
	configure(url_of(receiver), command);
	free(rig_verb(&server, "reload", NULL));
}

static void a_reload_chooses_the_events(void **state)
{
	size_t n = receiver_count(receiver);
	char more[256];

	(void)state;
	use_relay();
	snprintf(more, sizeof(more), "webhook_ca = %s\nwebhook_events = relay-used\n", cert);
	configure(url_of(receiver), more);
	free(rig_verb(&server, "reload", NULL));
	use_relay();
	SOON(receiver_count(receiver) == n + 1);
}

static void a_killed_server_goes_on(void **state)
{
	uint16_t port = receiver_port(receiver);
	char more[256];

	(void)state;
	snprintf(more, sizeof(more), "webhook_ca = %s\n", cert);
	configure(url_of(receiver), more);
	free(rig_verb(&server, "reload", NULL));
	receiver_stop(receiver);
	receiver = NULL;
	use_relay();
	use_relay();
	SOON(number("waiting") == 2);
	rig_signal_and_wait(&server.program, SIGKILL, SOON_MS);
	receiver = receiver_start(port, cert, key);
	start();
	SOON(receiver_count(receiver) == 3);
	is_told(2, "started", "users", "0"); /* behind what waited */
	SOON(number("waiting") == 0);
}

/* What is told while the server stops is sent after the next start: an allocation ends with it. */
static void a_stop_loses_nothing(void **state)
{
	size_t n = receiver_count(receiver);
	struct talker t;

	(void)state;
	talker_enter(&t, SERVER4, false, "alice", "wonderland");
	assert_int_equal(talker_permit_to(&t, ECHO), 0);
	talker_send_to(&t, ECHO, "0123456789");
	SOON(metric("turnpike_turn_to_peer_packets_total") >= 1);
	rig_signal_and_wait(&server.program, SIGTERM, SOON_MS);
	talker_close(&t);
	start();
	SOON(receiver_count(receiver) == n + 2);
	is_told(n, "relay-used", "name", "alice");
	is_told(n + 1, "started", "users", "0");
}

/* ---- signaling ---- */

static void users_are_told(void **state)
{
	struct event_base *base = event_base_new();
	size_t n = receiver_count(receiver);
	struct web_client *ann = ws_join(base, 8080, "ann");

	(void)state;
	is_told(n, "room-opened", "room", "default");
	is_told(n, "joined", "name", "ann");
	is_told(n, "joined", "room", "default");
	is_told(n, "joined", "proven", "false");
	assert_true(ws_say(ann, "{\"type\":\"username\",\"name\":\"anna\"}"));
	is_told(n, "renamed", "from", "ann");
	is_told(n, "renamed", "name", "anna");
	client_close(ann);
	is_told(n, "left", "name", "anna");
	is_told(n, "room-closed", "room", "default");
	event_base_free(base);
}

static void calls_are_told(void **state)
{
	struct event_base *base = event_base_new();
	size_t n = receiver_count(receiver);
	struct web_client *ann = ws_join(base, 8080, "ann"), *ben = ws_join(base, 8080, "ben");

	(void)state;
	assert_true(ws_say(ann, "{\"type\":\"video-offer\",\"name\":\"ann\",\"target\":\"ben\","
	                        "\"sdp\":\"x\"}"));
	is_told(n, "call-begun", "name", "ann");
	is_told(n, "call-begun", "target", "ben");
	assert_true(ws_hears(ben, "{\"type\":\"video-offer\""));
	assert_true(ws_say(ben, "{\"type\":\"video-answer\",\"name\":\"ben\",\"target\":\"ann\","
	                        "\"sdp\":\"x\"}"));
	is_told(n, "call-answered", "name", "ben");
	is_told(n, "call-answered", "target", "ann");
	assert_true(ws_say(
	    ann,
	    "{\"type\":\"hang-up\",\"name\":\"ann\",\"target\":\"ben\",\"reason\":\"failed\"}"));
	is_told(n, "call-ended", "answered", "true");
	is_told(n, "call-ended", "seconds", "0");
	is_told(n, "call-ended", "room", "default");
	is_told(n, "call-ended", "reason", "failed");
	is_told(n, "call-ended", "name", "ann");
	n = receiver_count(receiver);
	free(rig_verb(&server, "kick ben --reason Enough", NULL));
	is_told(n, "kicked", "reason", "Enough");
	is_told(n, "left", "name", "ben");
	client_close(ann);
	is_told(n, "room-closed", "room", "default");
	client_close(ben);
	event_base_free(base);
}

/* ---- join_url ---- */

static void ask_before_joining(const char *more)
{
	char lines[384];

	snprintf(lines, sizeof(lines),
	         "webhook_ca = %s\nwebhook_events = call-ended\njoin_url = %s/join\n%s", cert,
	         url_of(receiver), more);
	configure(url_of(receiver), lines);
	free(rig_verb(&server, "reload", NULL));
}

/* A client that has said who they are and waits. */
static struct web_client *comes(struct event_base *base, const char *says)
{
	struct web_client *c = client_open(base, 8080);
	char *head = ws_upgrade(c, "/ws", "Host: 127.0.0.1:8080\r\n");

	assert_non_null(strstr(head, " 101 "));
	free(head);
	assert_true(ws_say(c, says));
	return c;
}

/* A frame with that in it. */
static void hears_of(struct web_client *c, const char *text)
{
	struct ws_frame f;
	bool found = false;

	while (!found) {
		if (!ws_recv(c, &f))
			fail_msg("never: %s", text);
		found = strstr(f.data, text);
		free(f.data);
	}
}

static void the_program_decides_who_joins(void **state)
{
	struct event_base *base = event_base_new();
	size_t n = receiver_count(receiver);
	struct receiver_post p;
	struct web_client *c;
	json_t *body;

	(void)state;
	ask_before_joining("");
	receiver_answer(receiver, 200, NULL, "{\"allow\":true,\"name\":\"Dr. Ann\",\"may\":[]}");
	c = comes(base, "{\"type\":\"username\",\"name\":\"ann\",\"ack\":1}");
	hears_of(c, "\"name\":\"Dr. Ann\"");
	SOON(receiver_count(receiver) > n);
	p = receiver_at(receiver, n);
	assert_string_equal(p.path, "/turnpike/join");
	body = json_loads(p.body, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(body, "name")), "ann");
	assert_string_equal(json_string_value(json_object_get(body, "room")), "default");
	assert_string_equal(json_string_value(json_object_get(body, "address")), "127.0.0.1");
	assert_true(json_is_false(json_object_get(body, "proven")));
	assert_true(json_is_null(json_object_get(body, "ticket")));
	assert_true(json_is_true(json_object_get(body, "opens")));
	json_decref(body);
	client_close(c);
	receiver_answer(receiver, 200, NULL, "{\"allow\":false,\"message\":\"Pay first.\"}");
	c = comes(base, "{\"type\":\"username\",\"name\":\"ann\"}");
	assert_true(
	    ws_hears(c, "{\"type\":\"error\",\"code\":\"refused\",\"message\":\"Pay first.\""));
	client_close(c);
	event_base_free(base);
}

static void without_an_answer_nobody_joins(void **state)
{
	struct event_base *base = event_base_new();
	struct web_client *c;

	(void)state;
	ask_before_joining("join_timeout = 1\n");
	receiver_answer(receiver, RECEIVER_HANGS, NULL, NULL);
	c = comes(base, "{\"type\":\"username\",\"name\":\"ann\"}");
	assert_true(ws_hears(c, "{\"type\":\"error\",\"code\":\"refused\""));
	client_close(c);
	assert_int_equal(metric("turnpike_join_questions_total{answer=\"allowed\"}"), 1);
	assert_int_equal(metric("turnpike_join_questions_total{answer=\"refused\"}"), 1);
	assert_int_equal(metric("turnpike_join_questions_total{answer=\"failed\"}"), 1);
	event_base_free(base);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(used_relays_are_told),
	    cmocka_unit_test(idle_ones_are_not),
	    cmocka_unit_test(operators_see_and_retry_dead_letters),
	    cmocka_unit_test(tls_is_verified),
	    cmocka_unit_test(a_reload_that_cannot_work_is_refused),
	    cmocka_unit_test(a_reload_chooses_the_events),
	    cmocka_unit_test(a_killed_server_goes_on),
	    cmocka_unit_test(a_stop_loses_nothing),
	    cmocka_unit_test(users_are_told),
	    cmocka_unit_test(calls_are_told),
	    cmocka_unit_test(the_program_decides_who_joins),
	    cmocka_unit_test(without_an_answer_nobody_joins),
	};

	(void)argc;
	rig_enter(argv);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
