/* SPDX-License-Identifier: BSD-3-Clause
 *
 * relay_lock = call on a running server with two workers: two WebSocket clients in a call, TURN
 * clients with their credentials, a leaked credential, and a restart.
 */
#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "daemon/tests/web_client.h"

#include <event2/event.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVER4   RIG_SERVER4 ":3478"
#define ECHO_PORT 3480
#define ECHO      RIG_PEER4 ":3480"
#define INTERNET  "8.8.8.8:9"
#define CHANNEL   0x4001
#define TALKERS   6 /* their ports spread them over the workers */
#define HTTP_PORT 8080
#define OPTIONS                                                                                    \
	"--workers 2 --relay-ports 50000-54999 --guests public --relay-lock call "                 \
	"--listen " SERVER4 " --listen 127.0.0.1:8080"

static struct rig_server server;
static struct rig_program echo;

/* Somebody at a browser: the signaling connection, and the credential that it has got. */
struct person {
	struct web_client *ws;
	char name[16], user[96], password[64];
};

struct scene {
	struct event_base *base;
	struct person alice, bob;
};

static int start(void **state)
{
	rig_server_start(&server, "lock", OPTIONS);
	rig_echo_start(&echo, ECHO_PORT);
	*state = &server;
	return 0;
}

static int end(void **state)
{
	rig_signal_and_wait(&echo, SIGKILL, 5000);
	return rig_server_end(state);
}

/* The next message that holds the text; what comes before it is passed over. For free(). */
static char *hear(struct web_client *c, const char *what)
{
	struct ws_frame f;

	while (ws_recv(c, &f)) {
		if (f.opcode == WS_TEXT && strstr(f.data, what))
			return f.data;
		free(f.data);
	}
	fail_msg("no message with %s came", what);
	return NULL;
}

static void take_credential(struct person *p, const json_t *m, const char *password)
{
	snprintf(p->user, sizeof(p->user), "%s", json_string_value(json_object_get(m, "username")));
	snprintf(p->password, sizeof(p->password), "%s",
	         json_string_value(json_object_get(m, password)));
}

static void get_credential(struct person *p)
{
	char *said;
	json_t *m;

	assert_true(ws_say(p->ws, "{\"type\":\"ice-servers\"}"));
	said = hear(p->ws, "\"iceServers\"");
	m = json_loads(said, 0, NULL);
	take_credential(p, json_array_get(json_object_get(m, "iceServers"), 1), "credential");
	json_decref(m);
	free(said);
}

static void sign_in(struct scene *s, struct person *p, const char *name)
{
	char text[128];

	snprintf(p->name, sizeof(p->name), "%s", name);
	p->ws = client_open(s->base, HTTP_PORT);
	free(ws_upgrade(p->ws, "/ws", "Host: localhost:8080\r\nSec-WebSocket-Protocol: json\r\n"));
	snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"%s\"}", name);
	assert_true(ws_say(p->ws, text));
	free(hear(p->ws, "\"userlist\""));
	get_credential(p);
}

static struct scene *scene_new(void)
{
	static int scenes; /* the server may not have noticed yet that the last one is over */
	struct scene *s = calloc(1, sizeof(*s));
	char name[24];

	s->base = event_base_new();
	snprintf(name, sizeof(name), "alice-%d", ++scenes);
	sign_in(s, &s->alice, name);
	snprintf(name, sizeof(name), "bob-%d", scenes);
	sign_in(s, &s->bob, name);
	return s;
}

static void leave(struct person *p)
{
	if (p->ws)
		client_close(p->ws);
	p->ws = NULL;
}

static void scene_free(struct scene *s)
{
	leave(&s->alice);
	leave(&s->bob);
	event_base_free(s->base);
	free(s);
}

static void enter(struct talker *t, const struct person *p)
{
	talker_enter(t, SERVER4, false, p->user, p->password);
}

/* Says it to the other end, which has heard it on return. */
static void signal_to(struct person *from, struct person *to, const char *type, const char *ip)
{
	char text[512];

	snprintf(
	    text, sizeof(text),
	    "{\"type\":\"%s\",\"target\":\"%s\",\"candidate\":{\"candidate\":\"candidate:1 1 udp "
	    "2122252543 %s 40000 typ host generation 0\"}}",
	    type, to->name, ip);
	assert_true(ws_say(from->ws, text));
	free(hear(to->ws, ip));
}

static void call(struct scene *s)
{
	signal_to(&s->alice, &s->bob, "video-offer", RIG_PEER4);
	signal_to(&s->bob, &s->alice, "video-answer", "10.1.2.3");
}

static bool echoes(struct talker *t, const char *text)
{
	struct addr to;

	assert_int_equal(addr_parse(&to, ECHO), 0);
	assert_int_equal(talker_relay(t, CHANNEL, &to, text, strlen(text)), 0);
	return !talker_await(t, text, strlen(text), TALKER_SILENCE_MS);
}

/* What "explain" says of the last session of that user. */
static void expect_explained(const char *user, const char *first, const char *second)
{
	char verb[64], *said;

	snprintf(verb, sizeof(verb), "explain --user %s", user);
	said = rig_verb(&server, verb, NULL);
	if (!strstr(said, first) || !strstr(said, second))
		fail_msg("%s and %s are not in: %s", first, second, said);
	free(said);
}

static void only_what_the_other_end_has_signaled_is_legal(void **state)
{
	struct scene *s = scene_new();
	struct talker alice, bob;
	char *log;

	(void)state;
	assert_non_null(strstr(s->alice.user, ":lock="));
	enter(&bob, &s->bob);
	assert_int_equal(talker_permit_to(&bob, ECHO), 403);
	assert_int_equal(talker_bind_to(&bob, CHANNEL, ECHO), 403);
	expect_explained(s->bob.name, "peer " RIG_PEER4 ":3480 refused: 403, relay_lock",
	                 "locked to its holder's calls");
	log = rig_output(&server.program);
	assert_non_null(strstr(log, "event=peer-locked"));
	free(log);
	call(s);
	assert_int_equal(talker_bind_to(&bob, CHANNEL, ECHO), 0);
	assert_true(echoes(&bob, "hello"));
	assert_int_equal(talker_permit_to(&bob, INTERNET), 403);
	/* what opens bob's does not open alice's */
	enter(&alice, &s->alice);
	assert_int_equal(talker_permit_to(&alice, ECHO), 403);
	assert_int_equal(talker_permit_to(&alice, "10.1.2.3:1"), 403); /* the policy */
	talker_close(&alice);
	talker_close(&bob);
	scene_free(s);
}

/* A hundred candidates, each used in the moment when it has arrived: on both workers. */
static void a_candidate_counts_when_it_arrives(void **state)
{
	struct scene *s = scene_new();
	struct talker bob[TALKERS];
	char ip[32], peer[40];

	(void)state;
	call(s);
	for (int i = 0; i < TALKERS; i++)
		enter(&bob[i], &s->bob);
	for (int i = 0; i < 100; i++) {
		snprintf(ip, sizeof(ip), "77.8.%d.1", i);
		snprintf(peer, sizeof(peer), "%s:9", ip);
		signal_to(&s->alice, &s->bob, "new-ice-candidate", ip);
		assert_int_equal(talker_permit_to(&bob[i % TALKERS], peer), 0);
	}
	for (int i = 0; i < TALKERS; i++)
		talker_close(&bob[i]);
	scene_free(s);
}

static void relay_to_relay(struct person *a, struct person *b)
{
	struct talker one, other;

	enter(&one, a);
	enter(&other, b);
	assert_int_equal(talker_bind(&one, CHANNEL, &other.relayed), 0);
	assert_int_equal(talker_bind(&other, CHANNEL, &one.relayed), 0);
	assert_int_equal(talker_relay(&one, CHANNEL, &other.relayed, "ping", 4), 0);
	assert_int_equal(talker_await(&other, "ping", 4, TALKER_WAIT_MS), 0);
	talker_close(&one);
	talker_close(&other);
}

static void both_ends_may_relay(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	relay_to_relay(&s->alice, &s->bob);
	scene_free(s);
}

/* At once, also for a permission that there is. */
static void who_leaves_takes_the_lock_along(void **state)
{
	struct scene *s = scene_new();
	struct talker bob;

	(void)state;
	call(s);
	enter(&bob, &s->bob);
	assert_int_equal(talker_bind_to(&bob, CHANNEL, ECHO), 0);
	assert_true(echoes(&bob, "before"));
	leave(&s->bob);
	free(hear(s->alice.ws, "hang-up"));
	SOON(!echoes(&bob, "after"));
	assert_int_equal(talker_permit_to(&bob, ECHO), 403);
	talker_close(&bob);
	scene_free(s);
}

static void two_of_one_name_have_two_locks(void **state)
{
	struct scene *s = scene_new();
	struct person other = {0};

	(void)state;
	sign_in(s, &other, s->bob.name);
	assert_memory_not_equal(strchr(other.user, ':'), strchr(s->bob.user, ':'),
	                        sizeof(":lock=0123456789abcdef") - 1);
	leave(&other);
	scene_free(s);
}

/* The mark is under the MAC. */
static void the_mark_cannot_be_taken_away(void **state)
{
	struct scene *s = scene_new();
	const char *name = strrchr(s->bob.user, ':');
	char bare[96], verb[64];

	(void)state;
	snprintf(bare, sizeof(bare), "%.*s%s", (int)(strchr(s->bob.user, ':') - s->bob.user),
	         s->bob.user, name);
	assert_int_equal(talker_try(SERVER4, bare, s->bob.password), 401);
	assert_int_equal(talker_try(SERVER4, s->bob.user, s->bob.password), 0);
	snprintf(verb, sizeof(verb), "revoke --user %s", s->bob.name);
	free(rig_verb(&server, verb, NULL));
	SOON(talker_try(SERVER4, s->bob.user, s->bob.password) == 401);
	snprintf(verb, sizeof(verb), "unrevoke --user %s", s->bob.name);
	free(rig_verb(&server, verb, NULL));
	SOON(talker_try(SERVER4, s->bob.user, s->bob.password) == 0);
	scene_free(s);
}

static void get_over_http(struct person *p, const char *header)
{
	char config[256], *said;
	json_t *m;

	snprintf(config, sizeof(config), "url = \"http://127.0.0.1:8080/turn?username=henry\"\n%s",
	         header);
	said = rig_run("curl -s -g --max-time 10 -K -", config);
	m = json_loads(said, 0, NULL);
	assert_non_null(m);
	take_credential(p, m, "password");
	json_decref(m);
	free(said);
}

/* A guest without a call has no peers; an application vouches for its users. */
static void over_http(void **state)
{
	struct person guest = {0}, app = {0};
	char token[RIG_TOKEN_MAX], header[128];
	struct talker t;

	(void)state;
	get_over_http(&guest, "");
	enter(&t, &guest);
	assert_int_equal(talker_permit_to(&t, INTERNET), 403);
	talker_close(&t);
	relay_to_relay(&guest, &guest);
	rig_token_add(&server, token, "app --scope issue");
	snprintf(header, sizeof(header), "header = \"Authorization: Bearer %s\"\n", token);
	get_over_http(&app, header);
	assert_null(strstr(app.user, "lock="));
	enter(&t, &app);
	assert_int_equal(talker_permit_to(&t, INTERNET), 0);
	talker_close(&t);
}

/* It knows of no call yet, and the credential is still good. */
static void a_restarted_server_refuses(void **state)
{
	struct scene *s = scene_new();
	struct person alice, bob;
	struct talker t;

	(void)state;
	call(s);
	enter(&t, &s->bob);
	assert_int_equal(talker_permit_to(&t, ECHO), 0);
	talker_close(&t);
	alice = s->alice;
	bob = s->bob;
	scene_free(s);
	rig_server_stop(&server);
	rig_server_start(&server, "lock", OPTIONS);
	enter(&t, &bob);
	assert_int_equal(talker_permit_to(&t, ECHO), 403);
	talker_close(&t);
	relay_to_relay(&alice, &bob);
	/* a call that begins anew goes on anew */
	s = scene_new();
	call(s);
	enter(&t, &s->bob);
	assert_int_equal(talker_permit_to(&t, ECHO), 0);
	talker_close(&t);
	scene_free(s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_the_other_end_has_signaled_is_legal),
	    cmocka_unit_test(a_candidate_counts_when_it_arrives),
	    cmocka_unit_test(both_ends_may_relay),
	    cmocka_unit_test(who_leaves_takes_the_lock_along),
	    cmocka_unit_test(two_of_one_name_have_two_locks),
	    cmocka_unit_test(the_mark_cannot_be_taken_away),
	    cmocka_unit_test(over_http),
	    cmocka_unit_test(a_restarted_server_refuses),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, start, end);
}
