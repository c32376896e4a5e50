/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tickets from the real server: over HTTP, for an account, on the command line with and without a
 * server; their keys as they come and go; and against PyJWT, in both
 * directions.
 */
#include "base/tests/test.h"
#include "daemon/tests/server/rig.h"
#include "daemon/tests/web_client.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVER4 RIG_SERVER4 ":3478"
#define OPTIONS                                                                                    \
	"--workers 1 --relay-ports 50000-50999 --issue-rate-token 60 --ticket-ttl 900 "            \
	"--max-ticket-ttl 7200 --trusted-proxy " RIG_SERVER4 "/32 "                                \
	"--cors-origin https://app.example.org --listen " SERVER4 ",127.0.0.1:8080"
#define PASSWORD "correct horse"
#define SECRET   "a-secret-of-more-than-32-bytes-0123456789"

static struct rig_server server;
static char maker[RIG_TOKEN_MAX], issuer[RIG_TOKEN_MAX], admin[RIG_TOKEN_MAX];

static int setup(void **state)
{
	*state = &server;
	rig_server_prepare(&server, "tickets");
	rig_token_add(&server, maker, "maker --scope ticket");
	rig_token_add(&server, issuer, "issuer --scope issue,metrics");
	rig_token_add(&server, admin, "admin --scope admin");
	free(rig_verb(&server, "account add ann --password-stdin", PASSWORD "\n"));
	rig_server_start(&server, "tickets", OPTIONS);
	return 0;
}

/* ---- HTTP ---- */

/* A POST through a proxy of ours, of a client of that address: the status, and the answer's JSON in
 * *out (may be NULL), for json_decref(). */
static int post_from(const char *client, const char *path, const char *token, const char *more,
                     const char *body, json_t **out)
{
	char config[2048], *said;
	const char *at;
	json_t *value;
	int status;

	snprintf(config, sizeof(config),
	         "url = \"http://" SERVER4 "%s\"\nrequest = \"POST\"\n"
	         "header = \"X-Forwarded-For: %s\"\nheader = \"X-Forwarded-Proto: https\"\n"
	         "header = \"Content-Type: application/json\"\n%s%s%s%sdata = @%s\n",
	         path, client, token ? "header = \"Authorization: Bearer " : "", token ? token : "",
	         token ? "\"\n" : "", more, rig_file("body", "%s", body));
	said = rig_run("curl -s -i -g --max-time 30 --interface " RIG_SERVER4 " -K -", config);
	status = atoi(strchr(said, ' '));
	at = strstr(said, "\r\n\r\n");
	value = at ? json_loads(at + 4, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (!value)
		fail_msg("no JSON in: %s", said);
	if (strstr(more, "Origin"))
		json_object_set_new(value, "cors",
		                    json_boolean(!!strstr(said, "Access-Control-Allow-Origin: "
		                                                "https://app.example.org\r\n")));
	assert_non_null(strstr(said, "Cache-Control: no-store\r\n"));
	free(said);
	if (out)
		*out = value;
	else
		json_decref(value);
	return status;
}

static int post(const char *path, const char *token, const char *body, json_t **out)
{
	return post_from("198.51.100.1", path, token, "", body, out);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text)
		fail_msg("no %s", name);
	return text;
}

/* What the server says of a ticket; NULL: refused, with *why (may be NULL) for free(). */
static json_t *check(const char *ticket, char **why)
{
	char *said;
	int status = rig_try_verb(&server, "ticket-check --ticket-stdin --json", ticket, &said);
	json_t *value = status ? NULL : json_loads(said, 0, NULL);

	if (status && why)
		*why = said;
	else
		free(said);
	return value;
}

static void is_good(const char *ticket, const char *sub, const char *name, const char *room,
                    const char *may)
{
	char *why = NULL;
	json_t *who = check(ticket, &why);

	if (!who)
		fail_msg("%s: %s", ticket, why);
	assert_string_equal(text_of(who, "sub"), sub);
	assert_string_equal(text_of(who, "name"), name);
	if (room)
		assert_string_equal(text_of(who, "room"), room);
	else
		assert_true(json_is_null(json_object_get(who, "room")));
	assert_string_equal(text_of(who, "may"), may);
	json_decref(who);
}

static void is_refused(const char *ticket, const char *word)
{
	char *why = NULL;
	json_t *who = check(ticket, &why);

	if (who || !strstr(why, word))
		fail_msg("%s: %s", ticket, who ? "taken" : why);
	free(why);
}

static void a_program_gets_a_ticket(void **state)
{
	json_t *made;

	(void)state;
	assert_int_equal(post("/api/v1/tickets", maker, "{\"name\":\"Älice\"}", &made), 201);
	is_good(text_of(made, "ticket"), "Älice", "Älice", NULL, "call,chat,list,open");
	assert_int_equal(json_integer_value(json_object_get(made, "ttl")), 900);
	assert_true(json_integer_value(json_object_get(made, "expires")) > time(NULL) + 800);
	assert_null(json_object_get(made, "room"));
	json_decref(made);
	assert_int_equal(post("/api/v1/tickets", admin,
	                      "{\"name\":\"Al\",\"sub\":\"u-1\",\"room\":\"stage.1\",\"ttl\":60,"
	                      "\"may\":[\"chat\",\"call\"]}",
	                      &made),
	                 201);
	is_good(text_of(made, "ticket"), "u-1", "Al", "stage.1", "call,chat");
	assert_string_equal(text_of(made, "room"), "stage.1");
	assert_int_equal(json_integer_value(json_object_get(made, "ttl")), 60);
	json_decref(made);
}

static void other_tokens_get_none(void **state)
{
	static const char body[] = "{\"name\":\"alice\"}";
	char cookie[RIG_COOKIE_MAX], more[RIG_COOKIE_MAX + 32];

	(void)state;
	assert_int_equal(post("/api/v1/tickets", NULL, body, NULL), 401);
	assert_int_equal(post("/api/v1/tickets", "tp_wrong", body, NULL), 401);
	assert_int_equal(post("/api/v1/tickets", issuer, body, NULL), 403);
	/* Nor does a guest of a link, who gets relay credentials. */
	rig_guest(&server, "http://" SERVER4, cookie);
	snprintf(more, sizeof(more), "header = \"%s\"\n", cookie);
	assert_int_equal(post_from("198.51.100.1", "/api/v1/tickets", NULL, more, body, NULL), 401);
	/* And a token for tickets opens nothing else. */
	assert_int_equal(post("/api/v1/ice-servers", maker, "{}", NULL), 403);
	assert_int_equal(post("/api/v1/admin/ticket", maker, body, NULL), 403);
}

static void what_is_not_understood_is_refused(void **state)
{
	static const char *const bodies[] = {
	    "",
	    "[]",
	    "{}",
	    "{\"name\":1}",
	    "{\"name\":\"\"}",
	    "{\"name\":\"a\",\"tll\":60}",
	    "{\"name\":\"a\",\"name\":\"b\"}",
	    "{\"name\":\"a\",\"ttl\":0}",
	    "{\"name\":\"a\",\"ttl\":\"60\"}",
	    "{\"name\":\"a\",\"ttl\":7201}",
	    "{\"name\":\"a\",\"ttl\":99999999999}",
	    "{\"name\":\"a\",\"room\":1}",
	    "{\"name\":\"a\",\"room\":\"a b\"}",
	    "{\"name\":\"a\",\"room\":\"\"}",
	    "{\"name\":\"a\",\"room\":null}",
	    "{\"name\":\"a\",\"may\":\"call\"}",
	    "{\"name\":\"a\",\"may\":[]}",
	    "{\"name\":\"a\",\"may\":[\"fly\"]}",
	    "{\"name\":\"a\",\"may\":[\"call,chat\"]}",
	    "{\"name\":\"a\",\"sub\":\"\"}",
	    "{\"name\":\"a\",\"sub\":\"turnpike-account:ann\"}",
	    "{\"name\":\"turnpike-account:ann\"}",
	    "{\"name\":\"a\\u202eb\"}",
	    "{\"name\":\"a\",\"exp\":99999999999}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
		if (post("/api/v1/tickets", maker, bodies[i], NULL) != 400)
			fail_msg("taken: %s", bodies[i]);
	assert_int_equal(post("/api/v1/tickets?name=a", maker, "{\"name\":\"a\"}", NULL), 400);
}

static void a_token_has_its_rate(void **state)
{
	char other[RIG_TOKEN_MAX];
	int status = 201;

	(void)state;
	rig_token_add(&server, other, "busy --scope ticket");
	for (int i = 0; i < 200 && status == 201; i++)
		status = post("/api/v1/tickets", other, "{\"name\":\"a\"}", NULL);
	assert_int_equal(status, 429);
	assert_int_equal(post("/api/v1/tickets", maker, "{\"name\":\"a\"}", NULL), 201);
}

/* ---- accounts ---- */

static void an_account_gets_its_own(void **state)
{
	json_t *made, *refused;
	char old[4200];

	(void)state;
	assert_int_equal(post_from("198.51.100.2", "/api/v1/tickets/login", NULL,
	                           "header = \"Origin: https://app.example.org\"\n",
	                           "{\"name\":\"ann\",\"password\":\"" PASSWORD
	                           "\",\"room\":\"stage\",\"ttl\":600,\"may\":[\"call\"]}",
	                           &made),
	                 201);
	assert_true(json_is_true(json_object_get(made, "cors")));
	snprintf(old, sizeof(old), "%s", text_of(made, "ticket"));
	json_decref(made);
	is_good(old, "turnpike-account:ann", "ann", "stage", "call");
	assert_int_equal(post_from("198.51.100.2", "/api/v1/tickets/login", NULL, "",
	                           "{\"name\":\"ann\",\"password\":\"wrong horse\"}", &refused),
	                 401);
	json_decref(refused);
	assert_int_equal(post_from("198.51.100.2", "/api/v1/tickets/login", NULL, "",
	                           "{\"name\":\"nobody\",\"password\":\"" PASSWORD "\"}", NULL),
	                 401);
	free(rig_verb(&server, "account password ann --password-stdin", "battery staple\n"));
	is_refused(old, "account");
	assert_int_equal(post_from("198.51.100.3", "/api/v1/tickets/login", NULL, "",
	                           "{\"name\":\"ann\",\"password\":\"battery staple\"}", &made),
	                 201);
	snprintf(old, sizeof(old), "%s", text_of(made, "ticket"));
	json_decref(made);
	is_good(old, "turnpike-account:ann", "ann", NULL, "call,chat,list,open");
	free(rig_verb(&server, "account del ann", NULL));
	is_refused(old, "account");
	free(rig_verb(&server, "account add ann --password-stdin", PASSWORD "\n"));
	is_refused(old, "account");
}

/* A TURN user's password opens allocations, and proves nobody to people. */
static void a_turn_user_gets_none(void **state)
{
	(void)state;
	free(rig_verb(&server, "user add tom --password-stdin", PASSWORD "\n"));
	assert_int_equal(post_from("198.51.100.4", "/api/v1/tickets/login", NULL, "",
	                           "{\"name\":\"tom\",\"password\":\"" PASSWORD "\"}", NULL),
	                 401);
}

static void bad_logins_are_refused_at_once(void **state)
{
	static const char *const bodies[] = {
	    "{}",
	    "{\"name\":\"ann\"}",
	    "{\"password\":\"a\"}",
	    "{\"name\":\"\",\"password\":\"a\"}",
	    "{\"name\":\"ann\",\"password\":\"a\",\"sub\":\"root\"}",
	    "{\"name\":\"ann\",\"password\":\"a\",\"room\":\"a/b\"}",
	    "{\"name\":\"ann\",\"password\":[\"a\"]}",
	    "{\"name\":\"ann\",\"password\":\"a\\u0000b\"}",
	};

	(void)state;
	for (int round = 0; round < 3;
	     round++) /* more than the rate: none of them counts as a try */
		for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
			assert_int_equal(post_from("198.51.100.5", "/api/v1/tickets/login", NULL,
			                           "", bodies[i], NULL),
			                 400);
}

static void guesses_are_counted(void **state)
{
	static const char guess[] = "{\"name\":\"ann\",\"password\":\"guess\"}";
	int status = 401;
	json_t *body;

	(void)state;
	for (int i = 0; i < 30 && status == 401; i++)
		status = post_from("203.0.113.9", "/api/v1/tickets/login", NULL, "", guess, NULL);
	assert_int_equal(status, 429);
	/* The status page's login counts together with these. */
	assert_int_equal(post_from("203.0.113.10", "/api/v1/admin/login", NULL, "", guess, &body),
	                 429);
	json_decref(body);
	/* And its owner gets in from elsewhere. */
	assert_int_equal(post_from("198.51.100.6", "/api/v1/tickets/login", NULL, "",
	                           "{\"name\":\"ann\",\"password\":\"" PASSWORD "\"}", NULL),
	                 201);
}

static void no_password_in_the_open(void **state)
{
	char *said = rig_run("curl -s -i --max-time 10 -d {\"name\":\"ann\",\"password\":\"a\"} "
	                     "http://" SERVER4 "/api/v1/tickets/login",
	                     NULL);

	(void)state;
	assert_non_null(strstr(said, " 403 "));
	assert_non_null(strstr(said, "https-needed"));
	free(said);
}

/* ---- keys ---- */

static size_t key_count(void)
{
	char *said = rig_verb(&server, "ticket-key list --json", NULL);
	json_t *list = json_loads(said, 0, NULL);
	size_t n = json_array_size(json_object_get(list, "keys"));

	json_decref(list);
	free(said);
	return n;
}

static void a_start_makes_the_first_key_and_no_other(void **state)
{
	struct rig_server fresh;

	(void)state;
	assert_int_equal(key_count(), 1);
	fresh = server;
	rig_server_stop(&server);
	rig_server_start(&server, "tickets", OPTIONS);
	assert_string_equal(server.data, fresh.data);
	assert_int_equal(key_count(), 1);
}

/* The id of a key that was just added. */
static long add_key(const char *flags, const char *in, json_t **jwk)
{
	char verb[256], *said;
	json_t *made;
	long id;

	snprintf(verb, sizeof(verb), "ticket-key add --json %s", flags);
	said = rig_verb(&server, verb, in);
	made = json_loads(said, 0, NULL);
	assert_non_null(made);
	id = (long)json_integer_value(json_object_get(made, "id"));
	if (jwk)
		*jwk = json_loads(text_of(made, "jwk"), 0, NULL);
	json_decref(made);
	free(said);
	return id;
}

static void retire(long id)
{
	char verb[64];

	snprintf(verb, sizeof(verb), "ticket-key retire %ld", id);
	free(rig_verb(&server, verb, NULL));
}

/* Without its line end. */
static char *made_on_host(const char *verb)
{
	char *said = rig_verb(&server, verb, NULL), *at = strstr(said, "eyJ"), *ticket;

	assert_non_null(at);
	ticket = strndup(at, strcspn(at, "\r\n"));
	free(said);
	return ticket;
}

static void keys_come_and_go_while_it_runs(void **state)
{
	char *first = made_on_host("ticket bob"), *second, *es;
	long second_id, es_id;

	(void)state;
	second_id = add_key("", NULL, NULL);
	second = made_on_host("ticket bob --room r --may list --sub b");
	is_good(first, "bob", "bob", NULL, "call,chat,list,open");
	is_good(second, "b", "bob", "r", "list");
	es_id = add_key("--alg ES256", NULL, NULL);
	es = made_on_host("ticket bob --ttl 1m");
	is_good(es, "bob", "bob", NULL, "call,chat,list,open");
	retire(second_id);
	is_refused(second, "known key");
	is_good(first, "bob", "bob", NULL, "call,chat,list,open");
	retire(es_id);
	is_refused(es, "known key");
	free(first);
	free(second);
	free(es);
}

static void the_command_line_needs_no_server(void **state)
{
	char *made, *said;

	(void)state;
	rig_server_stop(&server);
	made = made_on_host("ticket bob");
	is_good(made, "bob", "bob", NULL, "call,chat,list,open");
	assert_int_equal(rig_try_verb(&server, "ticket bob --ttl 0", NULL, &said), 2);
	free(said);
	assert_int_equal(rig_try_verb(&server, "ticket bob --may fly", NULL, &said), 1);
	free(said);
	rig_server_start(&server, "tickets", OPTIONS);
	is_good(made, "bob", "bob", NULL, "call,chat,list,open");
	free(made);
}

/* A reload takes keys of the option, and leaves them. */
static void keys_of_the_configuration(void **state)
{
	static const char common[] =
	    "workers = 1\nrelay_ports = 50000-50999\nlisten = " SERVER4 "\n";
	char key[128], options[256], script[512], *ticket;
	const char *path = rig_file("turnpike.conf", "%s", common);

	(void)state;
	EVP_EncodeBlock((unsigned char *)key, (const unsigned char *)SECRET, (int)strlen(SECRET));
	snprintf(options, sizeof(options), "--config %s", path);
	rig_server_stop(&server);
	rig_server_start(&server, "tickets", options);
	snprintf(script, sizeof(script),
	         "import jwt, time\n"
	         "print(jwt.encode({'sub': 'py', 'exp': int(time.time()) + 60}, '" SECRET "', "
	         "'HS256', headers={'kid': 'elsewhere'}))\n");
	ticket = rig_run("/usr/bin/python3 -", script);
	ticket[strcspn(ticket, "\n")] = 0;
	is_refused(ticket, "known key");
	rig_file("turnpike.conf", "%sticket_key = elsewhere:HS256:%s\n", common, key);
	free(rig_verb(&server, "reload", NULL));
	is_good(ticket, "py", "py", NULL, "call,chat,list,open");
	rig_file("turnpike.conf", "%sticket_key = other:HS256:%s\n", common, key);
	free(rig_verb(&server, "reload", NULL));
	is_refused(ticket, "known key"); /* its kid names another */
	rig_file("turnpike.conf", "%s", common);
	free(rig_verb(&server, "reload", NULL));
	is_refused(ticket, "known key");
	free(ticket);
	rig_server_stop(&server);
	rig_server_start(&server, "tickets", OPTIONS);
}

/* ---- over the WebSocket ---- */

static struct web_client *open_ws(struct event_base *base, const char *path, const char *headers)
{
	struct web_client *c = client_open(base, 8080);
	char *head = ws_upgrade(c, path, headers);

	if (strncmp(head, "HTTP/1.1 101", 12) != 0)
		fail_msg("%s: %s", path, head);
	free(head);
	return c;
}

static void say(struct web_client *c, const char *ticket)
{
	char text[2048];

	snprintf(text, sizeof(text), "{\"type\":\"username\",\"presence\":\"delta\"%s%s%s}",
	         *ticket ? ",\"ticket\":\"" : "", ticket, *ticket ? "\"" : "");
	assert_true(ws_say(c, text));
}

/* The next message of that type, for json_decref(). */
static json_t *hear(struct web_client *c, const char *type)
{
	struct ws_frame f;
	json_t *m;

	while (ws_recv(c, &f)) {
		m = f.opcode == WS_TEXT ? json_loads(f.data, 0, NULL) : NULL;
		free(f.data);
		if (m && !strcmp(text_of(m, "type"), type))
			return m;
		json_decref(m);
	}
	fail_msg("never: %s", type);
	return NULL;
}

static void is_let_in(struct web_client *c, const char *name, const char *room)
{
	json_t *m = hear(c, "signed-in");

	assert_string_equal(text_of(m, "name"), name);
	assert_string_equal(text_of(m, "room"), room);
	assert_true(json_is_true(json_object_get(m, "proven")));
	json_decref(m);
	client_close(c);
}

static void is_turned_away(struct web_client *c, const char *word)
{
	json_t *m = hear(c, "error");

	assert_string_equal(text_of(m, "code"), "bad-ticket");
	if (!strstr(text_of(m, "message"), word))
		fail_msg("%s: %s", word, text_of(m, "message"));
	json_decref(m);
	client_close(c);
}

static bool has_ended(const char *ticket)
{
	json_t *who = check(ticket, NULL);

	json_decref(who);
	return !who;
}

static void people_sign_in_with_tickets(void **state)
{
	struct event_base *base = event_base_new();
	char path[2048], *ticket = made_on_host("ticket Bob --room stage"), *late;
	struct web_client *c;

	(void)state;
	c = open_ws(base, "/ws", "");
	say(c, ticket);
	is_let_in(c, "Bob", "stage");
	assert_true(rig_wait_output(&server.program, " name=Bob room=stage proven=yes ", SOON_MS));
	snprintf(path, sizeof(path), "/ws/stage?ticket=%s", ticket);
	c = open_ws(base, path, "");
	say(c, "");
	is_let_in(c, "Bob", "stage");
	snprintf(path, sizeof(path), "Authorization: Bearer %s\r\n", ticket);
	c = open_ws(base, "/ws", path);
	say(c, "");
	is_let_in(c, "Bob", "stage");
	c = open_ws(base, "/ws/other", "");
	say(c, ticket);
	is_turned_away(c, "not for this room");
	c = open_ws(base, "/ws", "");
	say(c, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.AAAA");
	is_turned_away(c, "not signed with a known key");
	late = made_on_host("ticket Bob --ttl 1");
	SOON(has_ended(late));
	c = open_ws(base, "/ws", "");
	say(c, late);
	is_turned_away(c, "has expired");
	free(late);
	free(ticket);
	event_base_free(base);
}

/* The connection is closed with that code. */
static void is_closed(struct web_client *c, unsigned code)
{
	struct ws_frame f = {.opcode = WS_TEXT};
	unsigned got = 0;

	while (!got && ws_recv(c, &f)) {
		if (f.opcode == WS_CLOSE && f.len >= 2)
			got = (unsigned)((uint8_t)f.data[0] << 8 | (uint8_t)f.data[1]);
		free(f.data);
	}
	assert_int_equal(got, code);
	client_close(c);
}

/* It is answered. */
static void is_present(struct web_client *c)
{
	assert_true(ws_say(c, "{\"type\":\"presence\"}"));
	json_decref(hear(c, "presence"));
}

static struct web_client *let_in(struct event_base *base, const char *ticket)
{
	struct web_client *c = open_ws(base, "/ws", "");

	say(c, ticket);
	json_decref(hear(c, "signed-in"));
	return c;
}

/* Those who are there by a key or an account that has ended, and nobody else. */
static void who_is_there_must_leave(void **state)
{
	struct event_base *base = event_base_new();
	char *first = made_on_host("ticket Bob"), *second, *zoe, account[2048], verb[64];
	long old = add_key("", NULL, NULL), id;
	struct web_client *stays, *late, *bob, *eve;
	json_t *made;

	(void)state;
	zoe = made_on_host("ticket Zoe");
	late = let_in(base, zoe);
	id = add_key("", NULL, NULL);
	second = made_on_host("ticket Carl");
	stays = let_in(base, first);
	bob = let_in(base, second);
	snprintf(verb, sizeof(verb), "ticket-key retire %ld --after 1", old);
	free(rig_verb(&server, verb, NULL)); /* it may stay */
	retire(id);
	is_closed(bob, 4005);
	free(rig_verb(&server, "account add eve --password-stdin", PASSWORD "\n"));
	assert_int_equal(post_from("198.51.101.77", "/api/v1/tickets/login", NULL, "",
	                           "{\"name\":\"eve\",\"password\":\"" PASSWORD "\"}", &made),
	                 201);
	snprintf(account, sizeof(account), "%s", text_of(made, "ticket"));
	json_decref(made);
	eve = let_in(base, account);
	free(rig_verb(&server, "account del eve", NULL));
	is_closed(eve, 4005);
	SOON(has_ended(zoe));
	is_present(stays);
	is_present(late);
	client_close(stays);
	client_close(late);
	free(zoe);
	free(first);
	free(second);
	event_base_free(base);
}

/* Nor does a secret bring back somebody whose connection was lost before. */
static void who_is_away_does_not_come_back(void **state)
{
	static const char again[] =
	    "{\"type\":\"username\",\"name\":\"Bob\",\"presence\":\"delta\","
	    "\"resume\":\"0123456789abcdef0123456789abcdef\"%s%s%s}";
	struct event_base *base = event_base_new();
	char text[2048], *ticket;
	struct web_client *c, *ann = ws_join(base, 8080, "Ann");
	json_t *m;

	(void)state;
	for (int retired = 0; retired < 2; retired++) {
		long id = add_key("", NULL, NULL);

		ticket = made_on_host("ticket Bob --sub bob");
		snprintf(text, sizeof(text), again, ",\"ticket\":\"", ticket, "\"");
		c = open_ws(base, "/ws", "");
		assert_true(ws_say(c, text));
		json_decref(hear(c, "signed-in"));
		assert_true(ws_say(c,
		                   "{\"type\":\"video-offer\",\"name\":\"Bob\",\"target\":\"Ann\","
		                   "\"sdp\":\"x\"}"));
		json_decref(hear(ann, "video-offer"));
		client_close(c); /* in a call */
		if (retired)
			retire(id);
		snprintf(text, sizeof(text), again, "", "", "");
		c = open_ws(base, "/ws", "");
		assert_true(ws_say(c, text));
		m = hear(c, "signed-in");
		assert_int_equal(json_is_true(json_object_get(m, "proven")), !retired);
		json_decref(m);
		client_close(c);
		free(ticket);
		if (!retired)
			retire(id);
	}
	client_close(ann);
	event_base_free(base);
}

/* PeerJS shows a ticket as its token, y-webrtc in the address; both end with its key. */
static void dialects_take_tickets(void **state)
{
	struct event_base *base = event_base_new();
	long id = add_key("", NULL, NULL);
	char *ticket = made_on_host("ticket Bob --room team"), path[2048];
	struct web_client *peer, *visitor, *other;
	json_t *m;

	(void)state;
	snprintf(path, sizeof(path), "/peerjs?key=team&id=Bob&token=%s", ticket);
	peer = open_ws(base, path, "");
	json_decref(hear(peer, "OPEN"));
	snprintf(path, sizeof(path), "/peerjs?key=team&id=Ann&token=%s", ticket);
	other = open_ws(base, path, "");
	json_decref(hear(other, "ERROR"));
	is_closed(other, 1008);
	snprintf(path, sizeof(path), "/topics?ticket=%s", ticket);
	visitor = open_ws(base, path, "");
	assert_true(ws_say(visitor, "{\"type\":\"subscribe\",\"topics\":[\"team\",\"other\"]}"));
	m = hear(visitor, "error");
	assert_string_equal(text_of(m, "code"), "not-allowed");
	json_decref(m);
	retire(id);
	is_closed(peer, 4005);
	is_closed(visitor, 4005);
	other = open_ws(base, path, "");
	m = hear(other, "error");
	assert_string_equal(text_of(m, "code"), "bad-ticket");
	json_decref(m);
	is_closed(other, 1008);
	free(ticket);
	event_base_free(base);
}

/* From then on: not when the ticket would have expired. */
static void a_key_and_an_account_end_for_people_too(void **state)
{
	struct event_base *base = event_base_new();
	long id = add_key("", NULL, NULL);
	char *ticket = made_on_host("ticket Bob"), account[2048];
	struct web_client *c;
	json_t *made;

	(void)state;
	c = open_ws(base, "/ws", "");
	say(c, ticket);
	is_let_in(c, "Bob", "default");
	retire(id);
	c = open_ws(base, "/ws", "");
	say(c, ticket);
	is_turned_away(c, "known key");
	free(ticket);
	free(rig_verb(&server, "account add eve --password-stdin", PASSWORD "\n"));
	assert_int_equal(post_from("198.51.100.77", "/api/v1/tickets/login", NULL, "",
	                           "{\"name\":\"eve\",\"password\":\"" PASSWORD "\"}", &made),
	                 201);
	snprintf(account, sizeof(account), "%s", text_of(made, "ticket"));
	json_decref(made);
	c = open_ws(base, "/ws", "");
	say(c, account);
	is_let_in(c, "eve", "default");
	free(rig_verb(&server, "account del eve", NULL));
	c = open_ws(base, "/ws", "");
	say(c, account);
	is_turned_away(c, "account was deleted");
	event_base_free(base);
}

/* ---- foreign programs ---- */

static char *python(const char *script)
{
	char *said = rig_run("/usr/bin/python3 -", script);

	said[strcspn(said, "\n")] = 0;
	return said;
}

static void python_reads_ours(void **state)
{
	static const char *const algs[] = {"HS256", "ES256"};
	char flags[64], script[4096], *ticket, *said, *jwk_text;
	json_t *jwk;
	long id;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		snprintf(flags, sizeof(flags), "--alg %s", algs[i]);
		id = add_key(flags, NULL, &jwk);
		assert_null(json_object_get(jwk, "d")); /* the private half stays here */
		jwk_text = json_dumps(jwk, JSON_COMPACT);
		ticket = made_on_host("ticket Bob --room r1 --may call,chat --sub b-1");
		snprintf(script, sizeof(script),
		         "import jwt\n"
		         "key = jwt.PyJWK.from_json('%s').key\n"
		         "c = jwt.decode('%s', key, algorithms=['%s'])\n"
		         "assert 0 < c['exp'] - c['iat'] <= 900\n"
		         "print(c['sub'], c['name'], c['room'], *c['may'])\n",
		         jwk_text, ticket, algs[i]);
		said = python(script);
		assert_string_equal(said, "b-1 Bob r1 call chat");
		free(said);
		free(ticket);
		free(jwk_text);
		json_decref(jwk);
		retire(id);
	}
}

/* The n-th block of Python that docs/tickets.md shows, for free(). */
static char *shown_python(int n)
{
	static const char fence[] = "```python\n";
	char *text = calloc(1, 65536), *at = text, *block;
	FILE *file = fopen(DOCS "/tickets.md", "re");

	assert_non_null(file);
	assert_true(fread(text, 1, 65535, file) > 0);
	fclose(file);
	for (int i = 0; i <= n; i++) {
		at = strstr(at, fence);
		assert_non_null(at);
		at += sizeof(fence) - 1;
	}
	block = strndup(at, (size_t)(strstr(at, "```") - at));
	free(text);
	return block;
}

/* What the guide shows makes tickets that are good here. */
static void we_read_pythons(void **state)
{
	static const char prelude[] = "import jwt, os, time\nSECRET = '" SECRET "'\n";
	char script[4096], flags[256], *hs = shown_python(0), *es = shown_python(1), *ticket;
	char *public;
	long id;

	(void)state;
	id = add_key("--alg HS256 --kid my-app --value-stdin", SECRET "\n", NULL);
	snprintf(script, sizeof(script), "%s%sprint(ticket)\n", prelude, hs);
	ticket = python(script);
	is_good(ticket, "u-1001", "Alice", "stage", "call,chat");
	retire(id);
	is_refused(ticket, "known key");
	free(ticket);
	snprintf(script, sizeof(script), "%s%sprint(jwt.encode(claims, None, 'none'))\n", prelude,
	         hs);
	ticket = python(script);
	is_refused(ticket, "malformed");
	free(ticket);
	/* The private key stays there, and only the public one comes here. */
	snprintf(script, sizeof(script),
	         "from cryptography.hazmat.primitives.asymmetric import ec\n"
	         "from cryptography.hazmat.primitives.serialization import *\n"
	         "k = ec.generate_private_key(ec.SECP256R1())\n"
	         "open('%s/private.pem', 'wb').write(k.private_bytes(Encoding.PEM, "
	         "PrivateFormat.PKCS8, NoEncryption()))\n"
	         "print(k.public_key().public_bytes(Encoding.PEM, "
	         "PublicFormat.SubjectPublicKeyInfo).decode())\n",
	         rig_dir());
	public = rig_run("/usr/bin/python3 -", script);
	snprintf(flags, sizeof(flags), "--kid my-own --public-key-file %s",
	         rig_file("public.pem", "%s", public));
	free(public);
	id = add_key(flags, NULL, NULL);
	memcpy(strstr(es, "my-app"), "my-own", 6); /* a kid is never used twice */
	snprintf(script, sizeof(script), "%sos.chdir('%s')\n%s%sprint(ticket)\n", prelude,
	         rig_dir(), hs, es);
	ticket = python(script);
	is_good(ticket, "u-1001", "Alice", "stage", "call,chat");
	retire(id);
	is_refused(ticket, "known key");
	free(ticket);
	free(hs);
	free(es);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_start_makes_the_first_key_and_no_other),
	    cmocka_unit_test(a_program_gets_a_ticket),
	    cmocka_unit_test(other_tokens_get_none),
	    cmocka_unit_test(what_is_not_understood_is_refused),
	    cmocka_unit_test(a_token_has_its_rate),
	    cmocka_unit_test(an_account_gets_its_own),
	    cmocka_unit_test(a_turn_user_gets_none),
	    cmocka_unit_test(bad_logins_are_refused_at_once),
	    cmocka_unit_test(guesses_are_counted),
	    cmocka_unit_test(no_password_in_the_open),
	    cmocka_unit_test(keys_come_and_go_while_it_runs),
	    cmocka_unit_test(the_command_line_needs_no_server),
	    cmocka_unit_test(people_sign_in_with_tickets),
	    cmocka_unit_test(a_key_and_an_account_end_for_people_too),
	    cmocka_unit_test(who_is_there_must_leave),
	    cmocka_unit_test(who_is_away_does_not_come_back),
	    cmocka_unit_test(dialects_take_tickets),
	    cmocka_unit_test(python_reads_ours),
	    cmocka_unit_test(we_read_pythons),
	    cmocka_unit_test(keys_of_the_configuration),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}
