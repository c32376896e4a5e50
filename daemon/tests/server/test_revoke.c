/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Revocation and usage on a running server with two workers: a revoked user is out within a second,
 * on each of them, over UDP and TCP, and stays out; the others do not notice. The books have each
 * user's traffic.
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
#include "store/store.h"

#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SERVER4 RIG_SERVER4 ":3478"
#define OPTIONS                                                                                    \
	"--workers 2 --relay-ports 50000-54999 --usage-interval 1 --listen " SERVER4               \
	" --max-credential-ttl 2592000 --listen 127.0.0.1:8080"
#define SECRET    "the-north-remembers-0123456789"
#define UDP_N     8  /* their ports spread them over the workers */
#define TALKERS_N 10 /* the last two by TCP */

static struct rig_server server;
static char guest[RIG_COOKIE_MAX]; /* the header of one */

struct person {
	char user[64], password[64];
	struct talker talkers[TALKERS_N];
};

static int setup(void **state)
{
	*state = &server;
	rig_server_prepare(&server, "revoke");
	free(rig_verb(&server, "secret add --value-stdin", SECRET "\n"));
	rig_server_start(&server, "revoke", OPTIONS);
	return 0;
}

static void credential(struct person *p, const char *name, long long ttl_s)
{
	snprintf(p->user, sizeof(p->user), "%lld:%s", (long long)time(NULL) + ttl_s, name);
	credential_password(SECRET, strlen(SECRET), p->user, strlen(p->user), p->password);
}

static void open_all(struct person *p)
{
	for (int i = 0; i < TALKERS_N; i++)
		talker_enter(&p->talkers[i], SERVER4, i >= UDP_N, p->user, p->password);
}

static void close_all(struct person *p)
{
	for (int i = 0; i < TALKERS_N; i++)
		talker_close(&p->talkers[i]);
}

/* The number of the person's allocations that take a Refresh. */
static int alive(struct person *p)
{
	int n = 0;

	for (int i = 0; i < TALKERS_N; i++)
		n += !talker_refresh(&p->talkers[i], 600);
	return n;
}

/* So many lines of the log say that an allocation of the user was closed as revoked. */
static int closed(const char *user)
{
	char line[128], *log = rig_output(&server.program);
	int found = 0;

	snprintf(line, sizeof(line), "event=closed reason=revoked user=%s ", user);
	for (char *at = log; (at = strstr(at, line)); at++)
		found++;
	free(log);
	return found;
}

/* Both workers had some of it: the test would else not show what it is for. */
static void on_both_workers(const char *user)
{
	char *log = rig_output(&server.program);
	bool on[2] = {false, false};
	char needle[96];

	snprintf(needle, sizeof(needle), "user=%s ", user);
	for (char *at = log; (at = strstr(at, needle)); at++) {
		char *line = at;

		while (line > log && line[-1] != '\n')
			line--;
		line = strstr(line, "id=t");
		if (line && line < at && (line[4] == '0' || line[4] == '1'))
			on[line[4] - '0'] = true;
	}
	free(log);
	assert_true(on[0] && on[1]);
}

static int try_to_allocate(const struct person *p)
{
	return talker_try(SERVER4, p->user, p->password);
}

static void one_credential(void **state)
{
	struct person *mallory = calloc(1, sizeof(*mallory)), *bob = calloc(1, sizeof(*bob));
	struct person other;
	char verb[96];

	(void)state;
	credential(mallory, "mallory", 3600);
	credential(bob, "bob", 3600);
	credential(&other, "mallory", 3700);
	open_all(mallory);
	open_all(bob);
	on_both_workers(mallory->user);
	snprintf(verb, sizeof(verb), "revoke %s", mallory->user);
	free(rig_verb(&server, verb, NULL));
	SOON(closed(mallory->user) >= TALKERS_N);
	assert_int_equal(alive(mallory), 0);
	assert_int_equal(alive(bob), TALKERS_N);
	assert_int_equal(try_to_allocate(mallory), 401);
	assert_int_equal(try_to_allocate(&other), 0); /* their other credential still opens */
	assert_int_equal(try_to_allocate(bob), 0);
	/* also after a restart */
	close_all(mallory);
	close_all(bob);
	rig_server_stop(&server);
	rig_server_start(&server, "revoke", OPTIONS);
	assert_int_equal(try_to_allocate(mallory), 401);
	assert_int_equal(try_to_allocate(bob), 0);
	free(mallory);
	free(bob);
}

/* A connection from the relay to a peer, bound to one of the client's (RFC 6062). */
struct relayed_tcp {
	struct talker control, data;
	int listener, peer;
};

static void relay_tcp(struct relayed_tcp *r, const struct person *p)
{
	struct addr at;
	struct wire m;
	uint32_t id;
	char heard[5];

	assert_int_equal(addr_parse(&at, RIG_PEER4 ":9998"), 0);
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->listener, &at.sa, addr_len(&at)), 0);
	assert_int_equal(listen(r->listener, 1), 0);
	talker_open(&r->control, SERVER4, true, NULL, p->user, p->password);
	talker_open(&r->data, SERVER4, true, NULL, p->user, p->password);
	assert_int_equal(talker_login(&r->control), 401);
	talker_request(&r->control, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_TCP);
	assert_int_equal(talker_ask(&r->control, &m), 0);
	talker_request(&r->control, &m, W_CONNECT);
	wire_add_peer(&m, RIG_PEER4 ":9998");
	assert_int_equal(talker_ask(&r->control, &m), 0);
	id = wire_get_u32(r->control.in.buf, r->control.in.len, ATTR_CONNECTION_ID);
	r->peer = accept(r->listener, NULL, NULL);
	assert_true(r->peer >= 0);
	memcpy(r->data.realm, r->control.realm, sizeof(r->data.realm));
	memcpy(r->data.nonce, r->control.nonce, sizeof(r->data.nonce));
	talker_request(&r->data, &m, W_CONNECTION_BIND);
	wire_add_u32(&m, ATTR_CONNECTION_ID, id);
	assert_int_equal(talker_ask(&r->data, &m), 0);
	assert_int_equal(talker_send(&r->data, "hello", 5), 0);
	assert_int_equal(recv(r->peer, heard, sizeof(heard), MSG_WAITALL), 5);
	assert_memory_equal(heard, "hello", 5);
}

/* Closed or reset by the server, and nothing before. */
static bool is_cut(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&p, 1, SOON_MS) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

static void tcp_to_peers(void **state)
{
	struct relayed_tcp r;
	struct person tess;

	(void)state;
	credential(&tess, "tess", 3600);
	relay_tcp(&r, &tess);
	free(rig_verb(&server, "revoke --user tess", NULL));
	SOON(closed(tess.user) >= 1);
	assert_true(is_cut(r.peer));
	assert_true(is_cut(r.data.fd));
	talker_close(&r.control);
	talker_close(&r.data);
	close(r.peer);
	close(r.listener);
}

/* The words of "secret add" hold the number: "secret 3 added". */
static int add_secret(const char *value)
{
	char line[96], *said;
	int id = 0;

	snprintf(line, sizeof(line), "%s\n", value);
	said = rig_verb(&server, "secret add --value-stdin", line);
	assert_int_equal(sscanf(strstr(said, "secret "), "secret %d", &id), 1);
	free(said);
	return id;
}

static void sign_with(struct person *p, const char *secret, const char *name)
{
	snprintf(p->user, sizeof(p->user), "%lld:%s", (long long)time(NULL) + 3600, name);
	credential_password(secret, strlen(secret), p->user, strlen(p->user), p->password);
}

/* A secret has leaked: retired, it opens nothing new, its thief is visible and lives on; --now ends
 * all of the thief's sessions, on both workers, over UDP and TCP and to TCP peers. No other user
 * notices. */
static void leaked_secret(void **state)
{
	static const char leaked[] = "leaked-0123456789";
	struct person *thief = calloc(1, sizeof(*thief)), *bob = calloc(1, sizeof(*bob));
	struct person over_tcp;
	struct relayed_tcp r;
	char verb[64], *said;
	int id = add_secret(leaked);

	(void)state;
	sign_with(thief, leaked, "thief");
	sign_with(&over_tcp, leaked, "thief2");
	credential(bob, "bob", 3600);
	rig_server_settle(&server);
	open_all(thief);
	open_all(bob);
	on_both_workers(thief->user);
	relay_tcp(&r, &over_tcp);
	snprintf(verb, sizeof(verb), "secret retire %d", id);
	said = rig_verb(&server, verb, NULL);
	assert_non_null(strstr(said, "11 allocations still live on it"));
	assert_non_null(strstr(said, ":thief "));
	assert_null(strstr(said, "bob"));
	free(said);
	assert_int_equal(try_to_allocate(thief), 401);
	assert_int_equal(alive(thief), TALKERS_N);
	/* It is retired already, and that is no reason to let it live. */
	snprintf(verb, sizeof(verb), "secret retire %d --now", id);
	said = rig_verb(&server, verb, NULL);
	assert_non_null(strstr(said, "11 allocations that lived on it have ended"));
	free(said);
	SOON(closed(thief->user) >= TALKERS_N);
	SOON(closed(over_tcp.user) >= 1);
	assert_true(is_cut(r.peer));
	assert_true(is_cut(r.data.fd));
	assert_int_equal(alive(thief), 0);
	assert_int_equal(alive(bob), TALKERS_N);
	assert_int_equal(try_to_allocate(bob), 0);
	said = rig_verb(&server, verb, NULL); /* once more: nothing is left to end */
	assert_non_null(strstr(said, "no allocation lives on it"));
	free(said);
	talker_close(&r.control);
	talker_close(&r.data);
	close(r.peer);
	close(r.listener);
	close_all(thief);
	close_all(bob);
	free(thief);
	free(bob);
}

/* Only a plain decimal in the future opens, whoever signs it. */
static void expiries(void **state)
{
	static const char *const formats[] = {
	    "0:zoe",
	    "0",
	    "00:zoe",
	    "1:zoe",
	    "-1:zoe",
	    "-%lld:zoe",
	    "+%lld:zoe",
	    " %lld:zoe",
	    "%lld :zoe",
	    "0%lld:zoe",
	    "000%lld",
	    "%lld.5:zoe",
	    "%lldx:zoe",
	    "0x7fffffff:zoe",
	    "9223372036854775808:zoe",
	    "18446744073709551617:zoe",
	    "99999999999999999999999%lld:zoe",
	    ":zoe",
	};
	struct person p;

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		snprintf(p.user, sizeof(p.user), formats[i], (long long)time(NULL) + 3600);
		credential_password(SECRET, strlen(SECRET), p.user, strlen(p.user), p.password);
		if (try_to_allocate(&p) != 401)
			fail_msg("\"%s\" opens", p.user);
	}
	snprintf(p.user, sizeof(p.user), "%lld", (long long)time(NULL) + 3600);
	credential_password(SECRET, strlen(SECRET), p.user, strlen(p.user), p.password);
	assert_int_equal(try_to_allocate(&p), 0);
}

/* A user deleted and added again between two looks of the server is a different one. */
static void user_of_the_same_name(void **state)
{
	struct person hugo = {"hugo", "first-password", {{0}}};
	struct store *s = NULL;

	(void)state;
	free(rig_verb(&server, "user add hugo --password-stdin", "first-password\n"));
	rig_server_settle(&server);
	open_all(&hugo);
	assert_int_equal(store_open(server.data, NULL, &s, NULL), 0);
	assert_int_equal(store_user_del(s, "turnpike", "hugo", NULL), 0);
	assert_int_equal(store_user_add(s, "turnpike", "hugo", "second-password", NULL), 0);
	store_close(s);
	SOON(closed("hugo") >= TALKERS_N);
	close_all(&hugo);
}

/* The CLI's answer, as a credential. */
static void issue(struct person *p, const char *name)
{
	char verb[96], *said;
	json_t *value;

	snprintf(verb, sizeof(verb), "credentials %s --ttl 1000", name);
	said = rig_verb(&server, verb, NULL);
	value = json_loads(strchr(said, '{'), 0, NULL);
	assert_non_null(value);
	snprintf(p->user, sizeof(p->user), "%s",
	         json_string_value(json_object_get(value, "username")));
	snprintf(p->password, sizeof(p->password), "%s",
	         json_string_value(json_object_get(value, "password")));
	json_decref(value);
	free(said);
}

static void all_of_a_user(void **state)
{
	struct person *eve = calloc(1, sizeof(*eve)), *bob = calloc(1, sizeof(*bob));
	struct person fixed = {"eve", "static-password", {{0}}}, fresh;

	(void)state;
	free(rig_verb(&server, "user add eve --password-stdin", "static-password\n"));
	credential(eve, "eve", 3600);
	credential(bob, "bobby", 3600);
	rig_server_settle(&server);
	open_all(eve);
	open_all(bob);
	open_all(&fixed);
	free(rig_verb(&server, "revoke --user eve", NULL));
	SOON(closed(eve->user) >= TALKERS_N);
	SOON(closed("eve") >= TALKERS_N);
	assert_int_equal(alive(eve), 0);
	assert_int_equal(alive(&fixed), 0);
	assert_int_equal(alive(bob), TALKERS_N);
	assert_int_equal(try_to_allocate(eve), 401);
	assert_int_equal(try_to_allocate(&fixed), 401);
	/* Credentials issued from now on open. */
	issue(&fresh, "eve");
	SOON(try_to_allocate(&fresh) == 0);
	assert_int_equal(try_to_allocate(eve), 401);
	free(rig_verb(&server, "unrevoke --user eve", NULL));
	free(rig_verb(&server, "user enable eve", NULL));
	SOON(try_to_allocate(eve) == 0);
	assert_int_equal(try_to_allocate(&fixed), 0);
	close_all(eve);
	close_all(bob);
	close_all(&fixed);
	free(eve);
	free(bob);
}

/* Longer than the command line, which is told of no configuration, knows of by itself. */
static void long_lasting(void **state)
{
	struct person *ida = calloc(1, sizeof(*ida));

	(void)state;
	credential(ida, "ida", 20 * 86400);
	open_all(ida);
	free(rig_verb(&server, "revoke --user ida", NULL));
	SOON(closed(ida->user) >= TALKERS_N);
	assert_int_equal(try_to_allocate(ida), 401);
	close_all(ida);
	free(ida);
}

static bool is_of_type(const char *text, const char *type)
{
	json_t *m = json_loads(text, 0, NULL);
	const char *its = json_string_value(json_object_get(m, "type"));
	bool is = its && !strcmp(its, type);

	json_decref(m);
	return is;
}

/* The next message of the type, to be freed; what comes before it is passed over. */
static char *hear(struct web_client *c, const char *type)
{
	struct ws_frame f;

	while (ws_recv(c, &f)) {
		if (f.opcode == WS_TEXT && is_of_type(f.data, type))
			return f.data;
		free(f.data);
	}
	fail_msg("no message of type %s came", type);
	return NULL;
}

static void hear_revoked(struct web_client *c)
{
	char *said = hear(c, "error");

	assert_non_null(strstr(said, "\"code\":\"credentials-revoked\""));
	free(said);
}

/* What the signaling connection is given, as a credential. */
static void ask_over(struct web_client *c, struct person *p)
{
	char *said;
	json_t *m, *turn;

	assert_true(ws_say(c, "{\"type\":\"ice-servers\"}"));
	said = hear(c, "ice-servers");
	m = json_loads(said, 0, NULL);
	assert_true(json_is_false(json_object_get(m, "strict")));
	turn = json_array_get(json_object_get(m, "iceServers"), 1);
	snprintf(p->user, sizeof(p->user), "%s",
	         json_string_value(json_object_get(turn, "username")));
	snprintf(p->password, sizeof(p->password), "%s",
	         json_string_value(json_object_get(turn, "credential")));
	json_decref(m);
	free(said);
}

/* A guest by a link. */
static struct web_client *sign_in(struct event_base *base, const char *name)
{
	struct web_client *c = client_open(base, 8080);
	char text[256];

	rig_guest(&server, "http://127.0.0.1:8080", guest);
	snprintf(text, sizeof(text),
	         "Host: localhost:8080\r\n%s\r\nSec-WebSocket-Protocol: json\r\n", guest);
	free(ws_upgrade(c, "/ws", text));
	snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"%s\"}", name);
	assert_true(ws_say(c, text));
	free(hear(c, "userlist"));
	return c;
}

/* The status of GET /turn?username=greta. */
static int ask_over_http(const char *header)
{
	char config[512], *said;
	int status;

	snprintf(config, sizeof(config),
	         "url = \"http://127.0.0.1:8080/turn?username=greta\"\nheader = \"%s\"\n%s", guest,
	         header);
	said = rig_run("curl -s -i -g --max-time 10 -K -", config);
	status = atoi(strchr(said, ' '));
	free(said);
	return status;
}

/* A user who asks for herself does not get around it by asking once more, with a token or without;
 * an application that issues to others may let her in again. */
static void guest_asks_again(void **state)
{
	struct event_base *base = event_base_new();
	struct web_client *c = sign_in(base, "greta"); /* as a guest */
	struct person *greta = calloc(1, sizeof(*greta)), fresh;
	char token[RIG_TOKEN_MAX], text[160], header[128];

	(void)state;
	rig_token_add(&server, token, "app --scope issue");
	snprintf(text, sizeof(text), "{\"type\":\"ice-servers\",\"key\":\"%s\"}", token);
	snprintf(header, sizeof(header), "header = \"Authorization: Bearer %s\"\n", token);
	ask_over(c, greta);
	open_all(greta);
	free(rig_verb(&server, "revoke --user greta", NULL));
	SOON(closed(greta->user) >= TALKERS_N);
	hear_revoked(c);
	assert_true(ws_say(c, "{\"type\":\"ice-servers\"}"));
	hear_revoked(c);
	assert_true(ws_say(c, text));
	hear_revoked(c);
	assert_int_equal(ask_over_http(""), 403);
	assert_int_equal(ask_over_http(header), 200);
	issue(&fresh, "greta");
	SOON(try_to_allocate(&fresh) == 0);
	/* Her newer credentials can be revoked, too, and she is told. */
	rig_sleep_ms(1100); /* revocations are of a second */
	free(rig_verb(&server, "revoke --user greta", NULL));
	hear_revoked(c);
	SOON(try_to_allocate(&fresh) == 401);
	free(rig_verb(&server, "unrevoke --user greta", NULL));
	ask_over(c, &fresh);
	SOON(try_to_allocate(&fresh) == 0);
	close_all(greta);
	free(greta);
	client_close(c);
	event_base_free(base);
}

/* The one that leaked ends; she is told to get another, which opens. Nobody else is. */
static void guest_gets_another(void **state)
{
	struct event_base *base = event_base_new();
	struct web_client *hanna = sign_in(base, "hanna"), *ann = sign_in(base, "ann");
	struct person *leaked = calloc(1, sizeof(*leaked)), fresh;
	char verb[96], *said;

	(void)state;
	ask_over(hanna, leaked);
	open_all(leaked);
	snprintf(verb, sizeof(verb), "revoke %s", leaked->user);
	free(rig_verb(&server, verb, NULL));
	SOON(closed(leaked->user) >= TALKERS_N);
	said = hear(hanna, "error");
	assert_non_null(strstr(said, "\"code\":\"ice-servers-stale\""));
	free(said);
	ask_over(hanna, &fresh);
	assert_string_not_equal(fresh.user, leaked->user);
	assert_int_equal(try_to_allocate(&fresh), 0);
	assert_int_equal(try_to_allocate(leaked), 401);
	/* The first error that she hears is her own. */
	assert_true(ws_say(ann, "{\"type\":\"error\"}"));
	said = hear(ann, "error");
	assert_non_null(strstr(said, "\"code\":\"server-only\""));
	free(said);
	close_all(leaked);
	free(leaked);
	client_close(hanna);
	client_close(ann);
	event_base_free(base);
}

static void disabled_user(void **state)
{
	struct person *dan = calloc(1, sizeof(*dan));

	(void)state;
	strcpy(dan->user, "dan");
	strcpy(dan->password, "static-password");
	free(rig_verb(&server, "user add dan --password-stdin", "static-password\n"));
	rig_server_settle(&server);
	open_all(dan);
	free(rig_verb(&server, "user disable dan", NULL));
	SOON(closed("dan") >= TALKERS_N);
	assert_int_equal(alive(dan), 0);
	assert_int_equal(try_to_allocate(dan), 401);
	free(rig_verb(&server, "user enable dan", NULL));
	rig_server_settle(&server);
	assert_int_equal(try_to_allocate(dan), 0);
	close_all(dan);
	free(dan);
}

/* A number of the only row of a user's usage; -1 when there is none. */
static long long usage_of(const char *user, const char *key)
{
	char verb[96], *said;
	long long n = -1;
	json_t *answer, *rows;

	snprintf(verb, sizeof(verb), "usage --user %s --json", user);
	said = rig_verb(&server, verb, NULL);
	answer = json_loads(said, 0, NULL);
	rows = json_object_get(answer, "usage");
	assert_true(json_is_array(rows));
	if (json_array_size(rows)) /* two at midnight; the sum of them is what counts */
		n = 0;
	for (size_t i = 0; i < json_array_size(rows); i++)
		n += json_integer_value(json_object_get(json_array_get(rows, i), key));
	json_decref(answer);
	free(said);
	return n;
}

static void books(void **state)
{
	struct rig_program echo;
	struct person uma, idle;
	struct talker t, lazy;
	unsigned long long since, lasted_s;

	(void)state;
	rig_echo_start(&echo, 9999);
	credential(&uma, "uma", 3600);
	credential(&idle, "idle", 3600);
	assert_int_equal(usage_of("uma", "allocations"), -1);
	talker_enter(&t, SERVER4, false, uma.user, uma.password);
	assert_int_equal(talker_permit_to(&t, RIG_PEER4 ":9999"), 0);
	talker_enter(&lazy, SERVER4, true, idle.user, idle.password);
	since = rig_now_ms();
	for (int i = 0; i < 25; i++) { /* 2.5 s */
		talker_send_to(&t, RIG_PEER4 ":9999", "0123456789");
		rig_sleep_ms(100);
	}
	lasted_s = (rig_now_ms() - since) / 1000;
	/* They live, and are told of. */
	SOON(usage_of("uma", "to_peer_packets") == 25 && usage_of("idle", "allocations") == 1);
	assert_int_equal(usage_of("uma", "allocations"), 1);
	assert_int_equal(usage_of("uma", "sessions"), 1);
	assert_int_equal(usage_of("uma", "to_peer_bytes"), 250);
	assert_in_range(usage_of("uma", "to_client_bytes"), 10, 250);
	assert_in_range(usage_of("uma", "relayed_s"), 2, lasted_s + 2);
	assert_in_range(usage_of("uma", "allocated_s"), 2, 60);
	assert_int_equal(usage_of("idle", "sessions"), 0);
	assert_int_equal(usage_of("idle", "idle_allocations"), 0); /* it may yet */
	talker_refresh(&lazy, 0);
	/* What is open when the server stops is told of then. */
	talker_send_to(&t, RIG_PEER4 ":9999", "0123456789");
	rig_sleep_ms(500);
	rig_server_stop(&server);
	assert_int_equal(usage_of("uma", "to_peer_packets"), 26);
	assert_int_equal(usage_of("uma", "allocations"), 1);
	assert_int_equal(usage_of("uma", "idle_allocations"), 0);
	assert_int_equal(usage_of("idle", "idle_allocations"), 1);
	assert_int_equal(usage_of("idle", "relayed_s"), 0);
	rig_signal_and_wait(&echo, SIGKILL, SOON_MS);
	talker_close(&t);
	talker_close(&lazy);
}

static void audited(void **state)
{
	char *said = rig_verb(&server, "audit", NULL);

	(void)state;
	assert_non_null(strstr(said, "\trevoke credential\t"));
	assert_non_null(strstr(said, "\tsocket uid 0\trevoke user\teve\n"));
	assert_non_null(strstr(said, "\tuser disable\tdan@turnpike\n"));
	assert_null(strstr(said, SECRET));
	free(said);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_credential),
	    cmocka_unit_test(all_of_a_user),
	    cmocka_unit_test(tcp_to_peers),
	    cmocka_unit_test(long_lasting),
	    cmocka_unit_test(guest_asks_again),
	    cmocka_unit_test(guest_gets_another),
	    cmocka_unit_test(disabled_user),
	    cmocka_unit_test(leaked_secret),
	    cmocka_unit_test(user_of_the_same_name),
	    cmocka_unit_test(expiries),
	    cmocka_unit_test(books),
	    cmocka_unit_test(audited),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}
