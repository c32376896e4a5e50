/* SPDX-License-Identifier: BSD-3-Clause
 *
 * "turnpike explain" about sessions and calls that went well or wrong, of real clients on a running
 * server with two workers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "daemon/tests/web_client.h"
#include "store/credential.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SERVER4   RIG_SERVER4 ":3478"
#define OPTIONS   "--workers 2 --relay-ports 50000-54999 --listen " SERVER4 " --listen 127.0.0.1:8080"
#define SECRET    "the-north-remembers-0123456789"
#define ECHO_PORT 3480
#define ECHO      RIG_PEER4 ":3480"
#define CHANNEL   0x4001

static struct rig_server server;
static struct rig_program echo;

static int setup(void **state)
{
	*state = &server;
	rig_server_prepare(&server, "explain");
	free(rig_verb(&server, "secret add --value-stdin", SECRET "\n"));
	rig_server_start(&server, "explain", OPTIONS);
	rig_echo_start(&echo, ECHO_PORT);
	return 0;
}

static int teardown(void **state)
{
	rig_signal_and_wait(&echo, 15, 2000);
	return rig_server_end(state);
}

/* Fails unless what is told of it comes to hold all the texts, in their order: what was sent may
 * not have arrived yet. */
static void tells(const char *of, size_t n, const char *const *texts)
{
	unsigned long long until = rig_now_ms() + SOON_MS;
	size_t found = 0;
	char verb[256];

	snprintf(verb, sizeof(verb), "explain %s", of);
	while (found < n) {
		char *said = NULL, *at;

		rig_try_verb(&server, verb, NULL, &said);
		at = said;
		for (found = 0; found < n && (at = strstr(at, texts[found])); found++)
			;
		if (found < n && rig_now_ms() > until)
			rig_fail(said, said, "explain %s does not say \"%s\"", of, texts[found]);
		free(said);
	}
}

#define TELLS(of, ...)                                                                             \
	do {                                                                                       \
		static const char *const texts_[] = {__VA_ARGS__};                                 \
		tells(of, sizeof(texts_) / sizeof(*texts_), texts_);                               \
	} while (0)

#define LONG_NAME                                                                                  \
	"@a-person-with-a-rather-long-name-0123456789012345678901234567890123456789:"              \
	"matrix.a-server-with-a-long-name.example.org"

struct who {
	struct talker t;
	char user[192], password[64];
};

static int allocate_as(struct who *w, const char *name, long long ttl_s, const char *secret)
{
	snprintf(w->user, sizeof(w->user), "%lld:%s", (long long)time(NULL) + ttl_s, name);
	credential_password(secret, strlen(secret), w->user, strlen(w->user), w->password);
	talker_open(&w->t, SERVER4, false, NULL, w->user, w->password);
	assert_int_equal(talker_login(&w->t), 401);
	return talker_allocate(&w->t, IPPROTO_UDP);
}

static void refusals(void **state)
{
	struct who w;

	(void)state;
	assert_int_equal(allocate_as(&w, "late", -200, SECRET), 401);
	talker_close(&w.t);
	TELLS("--user late", "Allocate refused: 401, credential expired",
	      "The credential expired 3 min before the Allocate");
	assert_int_equal(allocate_as(&w, "stranger", 600, "another secret"), 401);
	talker_close(&w.t);
	TELLS("--user stranger", "Allocate refused: 401, wrong password", "The password is wrong");
	free(rig_verb(&server, "revoke --user mallory", NULL));
	rig_server_settle(&server);
	assert_int_equal(allocate_as(&w, "mallory", 600, SECRET), 401);
	talker_close(&w.t);
	TELLS("--user mallory", "The user is unknown, disabled or revoked");
	/* a name as of Matrix, longer than what is kept of it */
	assert_int_equal(allocate_as(&w, LONG_NAME, 600, "another secret"), 401);
	talker_close(&w.t);
	TELLS("--user " LONG_NAME, "The password is wrong");
	/* at last the right one: the refusal is in the timeline of the session */
	snprintf(w.user, sizeof(w.user), "%lld:second", (long long)time(NULL) + 600);
	talker_open(&w.t, SERVER4, false, NULL, w.user, "wrong");
	assert_int_equal(talker_login(&w.t), 401);
	assert_int_equal(talker_allocate(&w.t, IPPROTO_UDP), 401);
	credential_password(SECRET, strlen(SECRET), w.user, strlen(w.user), w.password);
	w.t.password = w.password;
	assert_int_equal(talker_allocate(&w.t, IPPROTO_UDP), 0);
	TELLS("--user second", "Allocate refused: 401, wrong password", "allocated " RIG_SERVER4,
	      "asked for no permission");
	talker_close(&w.t);
}

/* RFC 5766 had channels that RFC 8656 has no more. */
static void an_old_client(void **state)
{
	struct who w;

	(void)state;
	assert_int_equal(allocate_as(&w, "methuselah", 600, SECRET), 0);
	assert_int_equal(talker_bind_to(&w.t, 0x7000, ECHO), 400);
	TELLS("--user methuselah", "ChannelBind refused: 400", "needs the option legacy_channels");
	talker_close(&w.t);
}

static void echo_once(struct who *w)
{
	uint8_t packet[8] = {CHANNEL >> 8, CHANNEL & 0xff, 0, 4, 'p', 'i', 'n', 'g'};

	assert_int_equal(talker_send(&w->t, packet, sizeof(packet)), 0);
	assert_int_equal(talker_receive(&w->t, TALKER_WAIT_MS), 0);
}

static void it_went_well(void **state)
{
	struct who w;

	(void)state;
	assert_int_equal(allocate_as(&w, "alice", 600, SECRET), 0);
	assert_int_equal(talker_bind_to(&w.t, CHANNEL, ECHO), 0);
	echo_once(&w);
	TELLS("--user alice", "allocated " RIG_SERVER4, "channel 0x4001 for " ECHO,
	      "first data to a peer, " ECHO, "first data from a peer, " ECHO,
	      "Data flowed both ways; the session goes on.");
	for (int i = 0; i < 3; i++)
		assert_int_equal(talker_refresh(&w.t, 600), 0);
	assert_int_equal(talker_refresh(&w.t, 0), 0);
	talker_close(&w.t);
	TELLS("--user alice", "refreshed (3 times", "closed: deleted",
	      "Data flowed both ways; the client ended the session.");
}

/* One datagram from a port of the lab's peer to the relayed address. */
static void knock(const struct addr *relayed)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(40001)};

	inet_pton(AF_INET, RIG_PEER4, &from.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(sendto(fd, "knock", 5, 0, &relayed->sa, addr_len(relayed)), 5);
	close(fd);
}

static void nothing_came(void **state)
{
	struct who w;

	(void)state;
	assert_int_equal(allocate_as(&w, "deaf", 600, SECRET), 0);
	knock(&w.t.relayed);
	TELLS("--user deaf", "data from " RIG_PEER4 ":40001 dropped: no permission",
	      "never asked for a permission for the peer that answered (" RIG_PEER4 ":40001)");
	talker_close(&w.t);

	assert_int_equal(allocate_as(&w, "homebound", 600, SECRET), 0);
	assert_int_equal(talker_permit_to(&w.t, "10.0.0.1:9"), 403);
	TELLS("--user homebound", "peer 10.0.0.1:9 refused: 403", "403 Forbidden IP, 10.0.0.1",
	      "private addresses");
	talker_close(&w.t);

	assert_int_equal(allocate_as(&w, "ignored", 600, SECRET), 0);
	assert_int_equal(talker_permit_to(&w.t, RIG_PEER4 ":9"), 0);
	talker_send_to(&w.t, RIG_PEER4 ":9", "anybody?");
	TELLS("--user ignored", "first data to a peer, " RIG_PEER4 ":9", "but nothing came back");
	talker_close(&w.t);

	assert_int_equal(allocate_as(&w, "fired", 600, SECRET), 0);
	assert_int_equal(talker_permit_to(&w.t, RIG_PEER4 ":9"), 0);
	free(rig_verb(&server, "revoke --user fired", NULL));
	TELLS("--user fired", "closed: revoked", "revoked, disabled or deleted");
	talker_close(&w.t);
}

/* By session, too, as JSON; with the id that "sessions" tells. */
static void by_session(void **state)
{
	char verb[64], *said;
	json_t *sessions, *story;
	const char *id;
	struct who w;

	(void)state;
	assert_int_equal(allocate_as(&w, "zoe", 600, SECRET), 0);
	said = rig_verb(&server, "sessions --user zoe --json", NULL);
	sessions = json_loads(strchr(said, '{'), 0, NULL);
	free(said);
	id = json_string_value(
	    json_object_get(json_array_get(json_object_get(sessions, "sessions"), 0), "id"));
	assert_non_null(id);
	snprintf(verb, sizeof(verb), "session close %s", id);
	free(rig_verb(&server, verb, NULL));
	snprintf(verb, sizeof(verb), "explain %s --json", id);
	said = rig_verb(&server, verb, NULL);
	story = json_loads(strchr(said, '{'), 0, NULL);
	free(said);
	assert_int_equal(json_array_size(json_object_get(story, "events")), 2);
	assert_string_equal(json_string_value(json_object_get(story, "verdict")),
	                    "The operator closed the session.");
	json_decref(story);
	json_decref(sessions);
	talker_close(&w.t);
	assert_int_equal(rig_try_verb(&server, "explain t9-99", NULL, &said), 1);
	assert_non_null(strstr(said, "nothing is remembered"));
	free(said);
	assert_int_equal(rig_try_verb(&server, "explain", NULL, &said), 2);
	free(said);
}

static void say(struct web_client *c, const char *type, const char *name, const char *target)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "{\"type\":\"%s\",\"name\":\"%s\",\"target\":\"%s\",\"sdp\":\"x\"}", type, name,
	         target);
	assert_true(ws_say(c, text));
}

static void calls(void **state)
{
	struct event_base *base = event_base_new();
	struct web_client *ann = ws_join(base, 8080, "ann"), *ben = ws_join(base, 8080, "ben");
	struct who w;

	(void)state;
	say(ann, "video-offer", "ann", "ben");
	assert_int_equal(allocate_as(&w, "ann", 600, SECRET), 0);
	TELLS("--call c1", "signaling  c1", "ann sent an offer", "allocated",
	      "the call was never answered");
	say(ben, "video-answer", "ben", "ann");
	say(ann, "new-ice-candidate", "ann", "ben");
	say(ann, "new-ice-candidate", "ann", "ben");
	TELLS("--call c1", "ben sent an answer", "ann sent a candidate (2 times",
	      "ben sent no candidate: candidates did not arrive");
	say(ben, "hang-up", "ben", "ann");
	TELLS("--user ben", "ben hung up");
	TELLS("--user ann", "ann sent an offer", "allocated", "candidates did not arrive");
	talker_refresh(&w.t, 0);
	talker_close(&w.t);
	/* another call, that nobody answers; and one to nobody */
	say(ben, "video-offer", "ben", "ann");
	TELLS("--call c2", "ben sent an offer");
	say(ben, "video-offer", "ben", "nobody");
	TELLS("--call c3", "ben did not reach the other", "nobody was not there.");
	TELLS("--user ben", "nobody was not there.");
	client_close(ann);
	client_close(ben);
	event_base_free(base);
}

/* Opens /ws/ROOM and signs in; more: further members of "username". */
static struct web_client *joins(struct event_base *base, const char *room, const char *name,
                                const char *more)
{
	struct web_client *c = client_open(base, 8080);
	char path[64], text[256];

	snprintf(path, sizeof(path), "/ws/%s", room);
	free(ws_upgrade(c, path, "Sec-WebSocket-Protocol: json\r\n"));
	snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"%s\"%s}", name, more);
	assert_true(ws_say(c, text));
	assert_true(ws_hears(c, "{\"type\":\"userlist\""));
	return c;
}

/* The calls of a room, the newest first. */
static json_t *calls_in(const char *room)
{
	char *said = rig_verb(&server, "calls --json", NULL);
	json_t *all = json_loads(said, 0, NULL), *found = json_array(), *call;
	size_t i;

	if (!all)
		rig_fail(said, said, "no JSON");
	free(said);
	json_array_foreach (json_object_get(all, "calls"), i, call) {
		if (!strcmp(json_string_value(json_object_get(call, "room")), room))
			json_array_append(found, call);
	}
	json_decref(all);
	return found;
}

/* The newest call of a room is so, as JSON; the members that want does not name are not compared.
 */
static bool call_is(const char *room, const char *want)
{
	json_t *found = calls_in(room), *call = json_array_get(found, 0), *value;
	json_t *wanted = json_loads(want, 0, NULL);
	const char *name;
	bool is = call != NULL;

	assert_non_null(wanted);
	json_object_foreach (wanted, name, value)
		is = is && json_equal(json_object_get(call, name), value);
	json_decref(wanted);
	json_decref(found);
	return is;
}

static size_t calls_of(const char *room)
{
	json_t *found = calls_in(room);
	size_t n = json_array_size(found);

	json_decref(found);
	return n;
}

static void the_same_names_in_two_rooms(void **state)
{
	struct event_base *base = event_base_new();
	struct web_client *red[] = {joins(base, "red", "ann", ""), joins(base, "red", "ben", "")};
	struct web_client *blue[] = {joins(base, "blue", "ann", ""),
	                             joins(base, "blue", "ben", "")};

	(void)state;
	say(red[0], "video-offer", "ann", "ben");
	SOON(call_is("red", "{\"live\":true,\"from\":\"ann\"}"));
	say(blue[1], "video-offer", "ben", "ann");
	SOON(call_is("blue", "{\"live\":true,\"from\":\"ben\",\"answered\":false}"));
	assert_true(ws_say(blue[0], "{\"type\":\"hang-up\",\"target\":\"ben\","
	                            "\"reason\":\"declined\"}"));
	SOON(call_is("blue", "{\"live\":false,\"reason\":\"declined\",\"ended_by\":\"ann\","
	                     "\"answered\":false}"));
	assert_true(call_is("red", "{\"live\":true,\"reason\":null,\"ended_by\":null,"
	                           "\"ended_by_connection\":null,\"answered\":false}"));
	say(red[1], "video-answer", "ben", "ann");
	SOON(call_is("red", "{\"live\":true,\"answered\":true}"));
	assert_true(ws_say(red[0], "{\"type\":\"hang-up\",\"target\":null}"));
	SOON(call_is("red", "{\"live\":false,\"reason\":null,\"ended_by\":\"ann\","
	                    "\"answered\":true}"));
	assert_int_equal(calls_of("red"), 1);
	assert_int_equal(calls_of("blue"), 1);
	for (int i = 0; i < 2; i++) {
		client_close(red[i]);
		client_close(blue[i]);
	}
	event_base_free(base);
}

/* The connection that "people" has for the only device of a name. */
static json_int_t connection_of(const char *room, const char *name)
{
	json_t *all, *row;
	json_int_t id = 0;
	char verb[64], *said;
	size_t i;

	snprintf(verb, sizeof(verb), "people --room %s --json", room);
	said = rig_verb(&server, verb, NULL);
	all = json_loads(said, 0, NULL);
	free(said);
	json_array_foreach (json_object_get(all, "people"), i, row) {
		json_t *device = json_array_get(json_object_get(row, "devices"), 0);

		if (!strcmp(json_string_value(json_object_get(row, "name")), name))
			id = json_integer_value(json_object_get(device, "connection"));
	}
	json_decref(all);
	assert_int_not_equal(id, 0);
	return id;
}

/* Written in another way, and renamed: it is the same call, whose end nobody says. */
static void a_call_under_other_names(void **state)
{
	struct event_base *base = event_base_new();
	struct web_client *ann = joins(base, "green", "ann", ""), *ben;
	json_int_t id;
	char want[128];

	(void)state;
	ben = joins(base, "green", "ben", "");
	say(ann, "video-offer", "ann", "BEN");
	SOON(call_is("green", "{\"live\":true,\"to\":\"ben\"}"));
	say(ben, "video-answer", "ben", "Ann");
	SOON(call_is("green", "{\"answered\":true}"));
	id = connection_of("green", "ben");
	assert_true(ws_say(ben, "{\"type\":\"username\",\"name\":\"benjamin\"}"));
	SOON(call_is("green", "{\"live\":true,\"to\":\"benjamin\"}"));
	say(ann, "new-ice-candidate", "ann", "ben"); /* MDN's client knows the old name */
	SOON(call_is("green", "{\"candidates_from\":1}"));
	client_close(ben);
	snprintf(want, sizeof(want),
	         "{\"live\":false,\"reason\":\"gone\",\"ended_by\":\"benjamin\","
	         "\"ended_by_connection\":%lld,\"answered\":true}",
	         (long long)id);
	SOON(call_is("green", want));
	assert_int_equal(calls_of("green"), 1);
	TELLS("--user benjamin", "benjamin took this name", "benjamin ended the call: gone");
	client_close(ann);
	event_base_free(base);
}

static struct web_client *peer(struct event_base *base, const char *id)
{
	struct web_client *c = client_open(base, 8080);
	char path[96];

	snprintf(path, sizeof(path), "/peerjs?key=peerjs&id=%s&token=t", id);
	free(ws_upgrade(c, path, ""));
	assert_true(ws_hears(c, "{\"type\":\"OPEN\""));
	return c;
}

/* The hub keeps no calls of a dialect: they end with a word of a client, or with its connection. */
static void of_peerjs(void **state)
{
	struct event_base *base = event_base_new();
	struct web_client *p1 = peer(base, "p1"), *p2 = peer(base, "p2");

	(void)state;
	assert_true(ws_say(p1, "{\"type\":\"OFFER\",\"dst\":\"p2\",\"payload\":{}}"));
	assert_true(ws_say(p1, "{\"type\":\"LEAVE\",\"dst\":\"p2\"}"));
	SOON(call_is("peerjs:peerjs", "{\"live\":false,\"ended_by\":\"p1\"}"));
	assert_true(ws_say(p1, "{\"type\":\"OFFER\",\"dst\":\"p2\",\"payload\":{}}"));
	SOON(call_is("peerjs:peerjs", "{\"live\":true,\"answered\":false}"));
	assert_true(ws_say(p2, "{\"type\":\"ANSWER\",\"dst\":\"p1\",\"payload\":{}}"));
	SOON(call_is("peerjs:peerjs", "{\"live\":true,\"answered\":true}"));
	client_close(p2);
	SOON(call_is("peerjs:peerjs", "{\"live\":false,\"ended_by\":\"p2\"}"));
	assert_int_equal(calls_of("peerjs:peerjs"), 2);
	client_close(p1);
	event_base_free(base);
}

#define SECRET_OF(name) ",\"resume\":\"" name "-0123456789abcdef\""

/* What begins before a restart is not remembered; what is seen of it later has an end, too. */
static void over_a_restart(void **state)
{
	struct event_base *base = event_base_new();
	struct web_client *ann = joins(base, "grey", "ann", SECRET_OF("ann")), *ben;

	(void)state;
	ben = joins(base, "grey", "ben", SECRET_OF("ben"));
	say(ann, "video-offer", "ann", "ben");
	say(ben, "video-answer", "ben", "ann");
	SOON(call_is("grey", "{\"live\":true,\"answered\":true}"));
	rig_server_stop(&server);
	client_close(ann);
	client_close(ben);
	rig_server_start(&server, "explain", OPTIONS);
	assert_int_equal(calls_of("grey"), 0);
	ann = joins(base, "grey", "ann", SECRET_OF("ann"));
	ben = joins(base, "grey", "ben", SECRET_OF("ben"));
	say(ann, "video-offer", "ann", "ben"); /* an ICE restart */
	SOON(call_is("grey", "{\"live\":true}"));
	client_close(ben);
	assert_true(ws_say(ann, "{\"type\":\"hang-up\",\"target\":null}"));
	SOON(call_is("grey", "{\"live\":false,\"ended_by\":\"ann\"}"));
	client_close(ann);
	event_base_free(base);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refusals),
	    cmocka_unit_test(an_old_client),
	    cmocka_unit_test(it_went_well),
	    cmocka_unit_test(nothing_came),
	    cmocka_unit_test(by_session),
	    cmocka_unit_test(calls),
	    cmocka_unit_test(the_same_names_in_two_rooms),
	    cmocka_unit_test(a_call_under_other_names),
	    cmocka_unit_test(of_peerjs),
	    cmocka_unit_test(over_a_restart),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
