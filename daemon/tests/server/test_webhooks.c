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
	         "listen = " SERVER4 "\nworkers = 1\nrelay_ports = 50000-50999\n%s%s\n%s",
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

static void used_relays_are_told(void **state)
{
	struct receiver_post p;
	json_t *body;

	(void)state;
	use_relay();
	SOON(receiver_count(receiver) == 1);
	p = receiver_at(receiver, 0);
	assert_string_equal(p.path, "/turnpike");
	body = json_loads(p.body, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(body, "event")), "relay-used");
	assert_string_equal(json_string_value(json_object_get(body, "name")), "alice");
	assert_string_equal(json_string_value(json_object_get(body, "realm")), "turnpike");
	assert_in_range(json_integer_value(json_object_get(body, "to_peer_bytes")), 120, 1000);
	assert_true(json_is_integer(json_object_get(body, "to_client_bytes")));
	assert_true(json_is_integer(json_object_get(body, "seconds")));
	json_decref(body);
	SOON(metric("turnpike_webhooks_delivered_total") == 1);
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
	SOON(receiver_count(receiver) == 2);
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
	SOON(receiver_count(receiver) == n + 1);
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
	};

	(void)argc;
	rig_enter(argv);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
