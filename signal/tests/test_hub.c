/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hub against the exact bytes of the MDN protocol, its traps, and the
 * faults of the sample server.
 */
#include "base/error.h"
#include "signal/hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FRAMES_MAX 64

/* A client: what the hub sent it, and the state of its queue. */
struct client {
	struct hub_peer *peer;
	char *frame[FRAMES_MAX];
	unsigned n;
	unsigned seen;
	int send_rc;         /* what the next send() to it gives */
	unsigned close_code; /* 0 while it is open */
};

struct house {
	struct hub *hub;
	struct client a, b, c, d;
	int64_t now_ms;
	int ice_rc;
	bool ice_later;
	char ice_name[80];
	char ice_key[80];
	uint64_t ice_peer;
};

static int on_send(void *ctx, void *conn, enum hub_frame frame, const char *text, size_t len)
{
	struct client *c = conn;

	(void)ctx;
	(void)frame;
	if (c->send_rc)
		return c->send_rc;
	assert_true(c->n < FRAMES_MAX);
	assert_int_equal(strlen(text), len);
	c->frame[c->n++] = strdup(text);
	return 0;
}

static void on_close(void *ctx, void *conn, enum hub_close code, const char *reason)
{
	struct client *c = conn;

	(void)ctx;
	assert_non_null(reason);
	assert_int_equal(c->close_code, 0); /* once only */
	c->close_code = code;
}

static int64_t on_now(void *ctx)
{
	return ((struct house *)ctx)->now_ms;
}

static void answer(struct house *h)
{
	json_t *servers = json_pack("[{s:[s]}]", "urls", "stun:203.0.113.1:3478");

	hub_ice_answer(h->hub, h->ice_peer, servers, 600);
	json_decref(servers);
}

static int on_ice(void *ctx, void *conn, const struct hub_ice_request *r)
{
	struct house *h = ctx;

	(void)conn;
	h->ice_peer = r->peer_id;
	snprintf(h->ice_name, sizeof(h->ice_name), "%s", r->name);
	snprintf(h->ice_key, sizeof(h->ice_key), "%s", r->key ? r->key : "(none)");
	if (!h->ice_rc && !h->ice_later)
		answer(h);
	return h->ice_rc;
}

static const struct hub_ops ops = {
    .send = on_send, .close = on_close, .ice_servers = on_ice, .now_ms = on_now};

static void forget_frames(struct client *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->frame[i]);
	c->n = c->seen = 0;
}

static void expect(struct client *c, const char *text)
{
	if (c->seen == c->n)
		fail_msg("nothing came, expected %s", text);
	assert_string_equal(c->frame[c->seen++], text);
}

static void expect_nothing(struct client *c)
{
	if (c->seen < c->n)
		fail_msg("unexpected: %s", c->frame[c->seen]);
}

static void expect_error(struct client *c, const char *code)
{
	json_t *e;

	if (c->seen == c->n)
		fail_msg("nothing came, expected error %s", code);
	e = json_loads(c->frame[c->seen++], 0, NULL);
	assert_string_equal(json_string_value(json_object_get(e, "type")), "error");
	assert_string_equal(json_string_value(json_object_get(e, "code")), code);
	assert_true(json_string_length(json_object_get(e, "message")) > 0);
	json_decref(e);
}

static void say(struct client *c, const char *text)
{
	hub_text(c->peer, text, strlen(text));
}

static void join(struct house *h, struct client *c)
{
	assert_int_equal(hub_join(h->hub, c, &c->peer), 0);
}

static void leave(struct client *c)
{
	hub_leave(c->peer);
	c->peer = NULL;
}

static int setup_with(void **state, const struct hub_conf *conf)
{
	struct house *h = calloc(1, sizeof(*h));

	h->hub = hub_new(conf, &ops, h);
	assert_non_null(h->hub);
	*state = h;
	return 0;
}

static int setup(void **state)
{
	struct hub_conf conf;

	hub_conf_default(&conf);
	conf.first_id = 1795326215785;
	return setup_with(state, &conf);
}

static int teardown(void **state)
{
	struct house *h = *state;

	hub_free(h->hub);
	forget_frames(&h->a);
	forget_frames(&h->b);
	forget_frames(&h->c);
	forget_frames(&h->d);
	free(h);
	return 0;
}

/* alice, bob and carol are signed in; all they were told is forgotten. */
static struct house *three(void **state)
{
	struct house *h = *state;

	join(h, &h->a);
	say(&h->a, "{\"name\":\"alice\",\"date\":1,\"id\":1795326215785,\"type\":\"username\"}");
	join(h, &h->b);
	say(&h->b, "{\"name\":\"bob\",\"date\":1,\"id\":1795326215786,\"type\":\"username\"}");
	join(h, &h->c);
	say(&h->c, "{\"name\":\"carol\",\"date\":1,\"id\":1795326215787,\"type\":\"username\"}");
	forget_frames(&h->a);
	forget_frames(&h->b);
	forget_frames(&h->c);
	return h;
}

static void test_sign_in(void **state)
{
	struct house *h = *state;

	join(h, &h->a);
	expect(&h->a, "{\"type\":\"id\",\"id\":1795326215785}");
	expect_nothing(&h->a);
	say(&h->a, "{\"name\":\"alice\",\"date\":1,\"id\":1795326215785,\"type\":\"username\"}");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\"]}");
	join(h, &h->b);
	expect(&h->b, "{\"type\":\"id\",\"id\":1795326215786}");
	expect_nothing(&h->a); /* who has no name is not in the list */
	say(&h->b, "{\"name\":\"bob\",\"date\":1,\"id\":1795326215786,\"type\":\"username\"}");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\"]}");
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\"]}");
	leave(&h->a);
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"bob\"]}");
	expect_nothing(&h->b);
}

static void test_nameless_leaves_unnoticed(void **state)
{
	struct house *h = three(state);

	join(h, &h->d);
	forget_frames(&h->d);
	say(&h->d, "{\"type\":\"video-offer\",\"target\":\"bob\",\"name\":\"alice\"}");
	expect_error(&h->d, "no-name");
	say(&h->d, "{\"type\":\"message\",\"text\":\"hi\"}");
	expect_error(&h->d, "no-name");
	say(&h->a, "{\"type\":\"message\",\"text\":\"for members\"}");
	expect_nothing(&h->d);
	forget_frames(&h->b);
	leave(&h->d);
	expect_nothing(&h->b);
}

static void test_taken_names(void **state)
{
	struct house *h = three(state);

	join(h, &h->d);
	forget_frames(&h->d);
	say(&h->d, "{\"name\":\"bob\",\"date\":1,\"id\":1,\"type\":\"username\"}");
	expect(&h->d, "{\"id\":1795326215788,\"type\":\"rejectusername\",\"name\":\"bob1\"}");
	expect(&h->d, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\",\"carol\",\"bob1\"]}");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\",\"carol\",\"bob1\"]}");
	/* another one gets the next number */
	say(&h->c, "{\"name\":\"bob\",\"type\":\"username\"}");
	expect(&h->c, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\",\"carol\",\"bob1\"]}");
	expect(&h->c, "{\"id\":1795326215787,\"type\":\"rejectusername\",\"name\":\"bob2\"}");
	/* the counter is per name, and a freed variant is given again */
	say(&h->c, "{\"name\":\"alice\",\"type\":\"username\"}");
	h->c.seen++; /* userlist of the step before */
	expect(&h->c, "{\"id\":1795326215787,\"type\":\"rejectusername\",\"name\":\"alice1\"}");
	leave(&h->d);
	forget_frames(&h->c);
	say(&h->c, "{\"name\":\"bob\",\"type\":\"username\"}");
	expect(&h->c, "{\"id\":1795326215787,\"type\":\"rejectusername\",\"name\":\"bob1\"}");
}

static void test_own_name_again(void **state)
{
	struct house *h = three(state);

	say(&h->b, "{\"name\":\"bob\",\"type\":\"username\"}");
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\",\"carol\"]}");
	expect_nothing(&h->b);
	say(&h->c, "{\"name\":\"bob\",\"type\":\"username\"}");
	say(&h->c, "{\"name\":\"bob\",\"type\":\"username\"}"); /* bob1 stays bob1 */
	assert_string_equal(hub_peer_name(h->c.peer), "bob1");
}

static void test_names_are_cleaned(void **state)
{
	static const struct {
		const char *wanted;
		const char *given;
	} names[] = {
	    {"  dave\\t ", "dave"},
	    {"<img src=x onerror=alert(1)>", "img src=x onerror=alert(1)"},
	    {"a\\\"b'c`d&e", "abcde"},
	    {"\\u0000x", NULL}, /* refused by the parser */
	    {"x\\u0007y\\u0085z", "xyz"},
	    {"\\u202eevil", "evil"},
	    {"\\u00a0\\u00e9\\u00a0", "\xc3\xa9"},
	    {"%n%s'; DROP TABLE users", "%n%s; DROP TABLE users"},
	    {"0123456789012345678901234567890123456789012345678901234567890123456789",
	     "0123456789012345678901234567890123456789012345678901234567890123"},
	    {"012345678901234567890123456789012345678901234567890123456789012\\u00e9",
	     "012345678901234567890123456789012345678901234567890123456789012"},
	};
	struct house *h = *state;
	char text[300], reject[300];

	join(h, &h->a);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		forget_frames(&h->a);
		snprintf(text, sizeof(text), "{\"name\":\"%s\",\"type\":\"username\"}",
		         names[i].wanted);
		say(&h->a, text);
		if (!names[i].given) {
			expect_error(&h->a, "bad-json");
			continue;
		}
		snprintf(reject, sizeof(reject),
		         "{\"id\":1795326215785,\"type\":\"rejectusername\",\"name\":\"%s\"}",
		         names[i].given);
		expect(&h->a, reject);
		assert_string_equal(hub_peer_name(h->a.peer), names[i].given);
	}
	/* a variant of a full-length name still fits */
	join(h, &h->b);
	forget_frames(&h->b);
	say(&h->b, "{\"name\":\"0123456789012345678901234567890123456789012345678901234567890\xc3"
	           "\xa9\",\"type\":\"username\"}");
	say(&h->a, "{\"name\":\"0123456789012345678901234567890123456789012345678901234567890\xc3"
	           "\xa9\",\"type\":\"username\"}");
	assert_string_equal(hub_peer_name(h->a.peer),
	                    "0123456789012345678901234567890123456789012345678901234567890\xc3"
	                    "\xa9"
	                    "1");
}

static void test_no_name_left(void **state)
{
	static const char *const bad[] = {
	    "{\"name\":\"\",\"type\":\"username\"}",
	    "{\"name\":\" <> \",\"type\":\"username\"}",
	    "{\"name\":null,\"type\":\"username\"}",
	    "{\"name\":7,\"type\":\"username\"}",
	    "{\"type\":\"username\"}",
	};
	struct house *h = three(state);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		say(&h->a, bad[i]);
		expect_error(&h->a, "bad-name");
		assert_string_equal(hub_peer_name(h->a.peer), "alice");
	}
	expect_nothing(&h->b);
}

static void test_chat(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"text\":\"hi\",\"type\":\"message\",\"id\":1795326215785,\"date\":17}");
	expect(&h->a, "{\"text\":\"hi\",\"type\":\"message\",\"id\":1795326215785,\"date\":17,"
	              "\"name\":\"alice\"}");
	assert_string_equal(h->a.frame[0], h->b.frame[0]);
	assert_string_equal(h->a.frame[0], h->c.frame[0]);
	/* Neither the name nor the id of somebody else. */
	say(&h->a, "{\"text\":\"x\",\"name\":\"bob\",\"type\":\"message\",\"id\":1795326215786}");
	expect(&h->a,
	       "{\"text\":\"x\",\"name\":\"alice\",\"type\":\"message\",\"id\":1795326215785}");
	/* to one only */
	say(&h->a, "{\"text\":\"psst\",\"type\":\"message\",\"target\":\"bob\"}");
	expect_nothing(&h->a);
	assert_int_equal(h->b.n, 3);
	assert_int_equal(h->c.n, 2);
	say(&h->a, "{\"type\":\"message\"}");
	expect_error(&h->a, "bad-message");
	say(&h->a, "{\"type\":\"message\",\"text\":{\"toString\":1}}");
	expect_error(&h->a, "bad-message");
}

static void test_tags_are_stripped(void **state)
{
	static const struct {
		const char *said;
		const char *heard;
	} chat[] = {
	    {"hi <b>x</b>", "hi x"},
	    {"<script>alert(1)</script>", "alert(1)"},
	    {"1 < 2", "1 < 2"},
	    {"x <> 3", "x <> 3"},
	    {"a<b", "a< b"},
	    {"<<b>script>x", "script>x"},
	    {"<img src=x onerror=alert(1) ", "< img src=x onerror=alert(1) "},
	    {"</b", "< /b"},
	    {"caf\\u00e9", "caf\\u00e9"}, /* untouched: not even its spelling changes */
	    {"<i>caf\\u00e9</i>", "caf\xc3\xa9"},
	    {"<\\u0062>x", "x"},
	};
	struct house *h = three(state);
	char text[200];

	for (size_t i = 0; i < sizeof(chat) / sizeof(*chat); i++) {
		snprintf(text, sizeof(text), "{\"type\":\"message\",\"text\":\"%s\",\"date\":1}",
		         chat[i].said);
		say(&h->a, text);
		snprintf(text, sizeof(text),
		         "{\"type\":\"message\",\"text\":\"%s\",\"date\":1,\"name\":\"alice\"}",
		         chat[i].heard);
		expect(&h->b, text);
	}
}

static void test_call_is_routed_untouched(void **state)
{
	/* order, spacing, numbers and escapes of the payload are the sender's */
	static const char offer[] =
	    "{\"name\":\"alice\",\"target\":\"bob\",\"type\":\"video-offer\",\"sdp\":{\"type\":"
	    "\"offer\",\"sdp\":\"v=0\\r\\no=- 1e3 \\u00e9\\/\"},\"x\":1.00, \"y\" : "
	    "[1E2,{\"}\":0}]}";
	static const char candidate[] =
	    "{\"type\":\"new-ice-candidate\",\"target\":\"bob\",\"candidate\":{\"candidate\":\"\","
	    "\"sdpMid\":\"0\",\"sdpMLineIndex\":0,\"usernameFragment\":\"wK1e\"}}";
	struct house *h = three(state);

	say(&h->a, offer);
	say(&h->a, candidate);
	expect(&h->b, offer);
	expect(&h->b,
	       "{\"type\":\"new-ice-candidate\",\"target\":\"bob\",\"candidate\":{\"candidate\":"
	       "\"\",\"sdpMid\":\"0\",\"sdpMLineIndex\":0,\"usernameFragment\":\"wK1e\"},"
	       "\"name\":\"alice\"}");
	/* the sample's callee offers back (12 kB); its answer comes between */
	say(&h->b, "{\"name\":\"bob\",\"target\":\"alice\",\"type\":\"video-answer\",\"sdp\":1}");
	say(&h->b, "{\"name\":\"bob\",\"target\":\"alice\",\"type\":\"video-offer\",\"sdp\":2}");
	say(&h->a, "{\"name\":\"alice\",\"target\":\"bob\",\"type\":\"video-answer\",\"sdp\":3}");
	expect(&h->a,
	       "{\"name\":\"bob\",\"target\":\"alice\",\"type\":\"video-answer\",\"sdp\":1}");
	expect(&h->a, "{\"name\":\"bob\",\"target\":\"alice\",\"type\":\"video-offer\",\"sdp\":2}");
	expect(&h->b,
	       "{\"name\":\"alice\",\"target\":\"bob\",\"type\":\"video-answer\",\"sdp\":3}");
	assert_int_equal(hub_call_count(h->hub), 1);
	expect_nothing(&h->a);
	expect_nothing(&h->b);
	expect_nothing(&h->c);
}

static void test_forged_name_is_overwritten(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"name\":\"carol\",\"target\":\"bob\",\"type\":\"video-offer\"}");
	expect(&h->b, "{\"name\":\"alice\",\"target\":\"bob\",\"type\":\"video-offer\"}");
	say(&h->a, "{\"n\\u0061me\":\"carol\",\"target\":\"bob\",\"type\":\"video-offer\"}");
	expect(&h->b, "{\"n\\u0061me\":\"alice\",\"target\":\"bob\",\"type\":\"video-offer\"}");
	say(&h->a, "{\"name\":\"x\",\"n\\u0061me\":\"carol\",\"target\":\"bob\",\"type\":\"z\"}");
	expect_error(&h->a, "bad-json");
	/* a name further down is payload */
	say(&h->a, "{\"d\":{\"name\":\"carol\"},\"target\":\"bob\",\"type\":\"z\"}");
	expect(&h->b, "{\"d\":{\"name\":\"carol\"},\"target\":\"bob\",\"type\":\"z\","
	              "\"name\":\"alice\"}");
	say(&h->a, "{\"name\" : {\"a\":[\"]}\\\"\"]} ,\"target\":\"bob\",\"type\":\"z\"}");
	expect(&h->b, "{\"name\" : \"alice\" ,\"target\":\"bob\",\"type\":\"z\"}");
	expect_nothing(&h->b);
}

static void test_server_only_types(void **state)
{
	static const char *const types[] = {"id", "userlist", "rejectusername", "error"};
	struct house *h = three(state);
	char text[100];

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		snprintf(text, sizeof(text), "{\"type\":\"%s\",\"target\":\"bob\",\"users\":[]}",
		         types[i]);
		say(&h->a, text);
		expect_error(&h->a, "server-only");
	}
	expect_nothing(&h->b);
}

static void test_unknown_types_pass(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"type\":\"wave\",\"n\":1,\"target\":\"bob\"}");
	expect(&h->b, "{\"type\":\"wave\",\"n\":1,\"target\":\"bob\",\"name\":\"alice\"}");
	expect_nothing(&h->c);
	say(&h->a, "{\"type\":\"wave\",\"target\":\"\"}");
	expect(&h->c, "{\"type\":\"wave\",\"target\":\"\",\"name\":\"alice\"}");
	say(&h->a, "{\"type\":\"wave\",\"target\":7}");
	expect(&h->c, "{\"type\":\"wave\",\"target\":7,\"name\":\"alice\"}");
}

static void test_unknown_target(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"nobody\",\"sdp\":1}");
	expect(&h->a,
	       "{\"type\":\"error\",\"code\":\"unknown-target\",\"message\":\"Nobody of that "
	       "name is here.\",\"target\":\"nobody\",\"for\":\"video-offer\"}");
	say(&h->a, "{\"type\":\"new-ice-candidate\",\"target\":\"nobody\"}");
	expect_error(&h->a, "unknown-target");
	say(&h->a, "{\"type\":\"wave\",\"target\":\"nobody\"}");
	expect_error(&h->a, "unknown-target");
	say(&h->a, "{\"type\":\"video-offer\"}");
	expect_error(&h->a, "no-target");
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"alice\"}");
	expect_error(&h->a, "own-target");
	assert_int_equal(hub_call_count(h->hub), 0);
	expect_nothing(&h->b);
}

static void test_targetless_hang_up(void **state)
{
	static const char *const forms[] = {
	    "{\"name\":\"alice\",\"target\":null,\"type\":\"hang-up\"}",
	    "{\"name\":\"alice\",\"type\":\"hang-up\"}",
	    "{\"name\":\"alice\",\"target\":\"\",\"type\":\"hang-up\"}",
	};
	struct house *h = three(state);

	for (size_t i = 0; i < 3; i++) {
		say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
		forget_frames(&h->b);
		say(&h->a, forms[i]);
		expect(&h->b, "{\"name\":\"alice\",\"target\":\"bob\",\"type\":\"hang-up\"}");
		assert_int_equal(hub_call_count(h->hub), 0);
		say(&h->a, forms[i]); /* of no call: nobody is disturbed */
		expect_nothing(&h->b);
		expect_nothing(&h->c);
	}
	/* with a target, to that one only */
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	say(&h->c, "{\"type\":\"video-offer\",\"target\":\"alice\"}");
	assert_int_equal(hub_call_count(h->hub), 2);
	forget_frames(&h->b);
	say(&h->a, "{\"name\":\"alice\",\"target\":\"bob\",\"type\":\"hang-up\"}");
	expect(&h->b, "{\"name\":\"alice\",\"target\":\"bob\",\"type\":\"hang-up\"}");
	expect_nothing(&h->c);
	assert_int_equal(hub_call_count(h->hub), 1);
}

static void test_partner_is_lost(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	say(&h->b, "{\"type\":\"video-answer\",\"target\":\"alice\"}");
	forget_frames(&h->a);
	leave(&h->b);
	expect(&h->a, "{\"name\":\"bob\",\"target\":\"alice\",\"type\":\"hang-up\"}");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\",\"carol\"]}");
	expect(&h->c, "{\"type\":\"userlist\",\"users\":[\"alice\",\"carol\"]}");
	assert_int_equal(hub_call_count(h->hub), 0);
	/* and not twice */
	say(&h->a, "{\"type\":\"hang-up\",\"target\":null}");
	leave(&h->a);
	expect(&h->c, "{\"type\":\"userlist\",\"users\":[\"carol\"]}");
}

static void test_rename_in_a_call(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	say(&h->b, "{\"type\":\"username\",\"name\":\"robert\"}");
	forget_frames(&h->a);
	leave(&h->b);
	expect(&h->a, "{\"name\":\"robert\",\"target\":\"alice\",\"type\":\"hang-up\"}");
}

static void test_coming_back(void **state)
{
	static const char again[] =
	    "{\"type\":\"username\",\"name\":\"alice\",\"resume\":\"0123456789abcdef\"}";
	struct house *h = three(state);

	say(&h->a, again);
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	join(h, &h->d);
	forget_frames(&h->b);
	forget_frames(&h->d);
	/* without the secret, or with another one: a variant, as everybody gets */
	say(&h->d, "{\"type\":\"username\",\"name\":\"alice\"}");
	assert_string_equal(hub_peer_name(h->d.peer), "alice1");
	say(&h->d, "{\"type\":\"username\",\"name\":\"alice\",\"resume\":\"0123456789abcdeX\"}");
	assert_string_equal(hub_peer_name(h->d.peer), "alice1");
	say(&h->d, "{\"type\":\"username\",\"name\":\"alice\",\"resume\":\"\"}");
	assert_string_equal(hub_peer_name(h->d.peer), "alice1");
	assert_int_equal(h->a.close_code, 0);
	forget_frames(&h->b);
	say(&h->d, again);
	assert_string_equal(hub_peer_name(h->d.peer), "alice");
	assert_int_equal(h->a.close_code, HUB_CLOSE_POLICY);
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"bob\",\"carol\",\"alice\"]}");
	leave(&h->a);
	expect_nothing(&h->b); /* neither a hang-up nor a new list */
	assert_int_equal(hub_call_count(h->hub), 1);
	say(&h->b, "{\"type\":\"hang-up\",\"target\":null}");
	h->d.seen = h->d.n - 1;
	expect(&h->d, "{\"name\":\"bob\",\"target\":\"alice\",\"type\":\"hang-up\"}");
	assert_int_equal(hub_call_count(h->hub), 0);
}

static void test_secrets_are_not_passed_on(void **state)
{
	struct house *h = three(state);

	say(&h->b, "{\"type\":\"username\",\"name\":\"bob\",\"resume\":\"0123456789abcdef\"}");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\",\"carol\"]}");
	expect_nothing(&h->a);
}

static void test_bad_input_is_answered(void **state)
{
	static const struct {
		const char *text;
		const char *code;
	} bad[] = {
	    {"", "bad-json"},
	    {"{", "bad-json"},
	    {"null", "bad-json"},
	    {"\"x\"", "bad-json"},
	    {"{\"type\":\"message\",\"text\":\"x\"} x", "bad-json"},
	    {"{\"type\":\"a\",\"type\":\"b\"}", "bad-json"},
	    {"{\"type\":\"\xff\xfe\"}", "bad-json"},
	    {"\xc3", "bad-json"},
	    {"{\"type\":\"x\\ud800\"}", "bad-json"},
	    {"[]", "bad-message"},
	    {"[{\"type\":\"message\"}]", "bad-message"},
	    {"{}", "bad-message"},
	    {"{\"type\":null}", "bad-message"},
	    {"{\"type\":[\"id\"]}", "bad-message"},
	    {"{\"type\":\"message\",\"id\":99}", "bad-message"},
	};
	struct house *h = three(state);
	struct hub_conf conf;
	char *deep;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		say(&h->a, bad[i].text);
		expect_error(&h->a, bad[i].code);
		expect_nothing(&h->a);
	}
	hub_conf_default(&conf);
	deep = calloc(1, conf.max_message + 2);
	memset(deep, '[', conf.max_message);
	say(&h->a, deep);
	expect_error(&h->a, "bad-json");
	deep[conf.max_message] = '[';
	say(&h->a, deep);
	expect_error(&h->a, "too-big");
	/* a long type is not thrown back */
	memset(deep, 'x', conf.max_message);
	memcpy(deep, "{\"target\":\"nobody\",\"type\":\"", 27);
	memcpy(deep + conf.max_message - 2, "\"}", 3);
	say(&h->a, deep);
	assert_true(strlen(h->a.frame[h->a.seen]) < 200);
	expect_error(&h->a, "unknown-target");
	free(deep);
	assert_int_equal(h->a.close_code, 0);
	expect_nothing(&h->b);
	say(&h->a, "{\"type\":\"message\",\"text\":\"alive\"}");
	expect(&h->b, "{\"type\":\"message\",\"text\":\"alive\",\"name\":\"alice\"}");
}

static void test_longest_message_passes(void **state)
{
	struct house *h = three(state);
	size_t len = 64 * 1024;
	char *text = malloc(len + 1);

	memset(text, 'x', len);
	memcpy(text, "{\"target\":\"bob\",\"type\":\"video-offer\",\"sdp\":\"", 44);
	memcpy(text + len - 2, "\"}", 3);
	say(&h->a, text);
	assert_int_equal(h->b.n, 1);
	assert_int_equal(strlen(h->b.frame[0]), len + strlen(",\"name\":\"alice\""));
	free(text);
}

static void test_slow_receiver_is_closed(void **state)
{
	struct house *h = three(state);

	h->b.send_rc = -E_LIMIT;
	say(&h->a, "{\"type\":\"message\",\"text\":\"1\"}");
	assert_int_equal(h->b.close_code, HUB_CLOSE_POLICY);
	h->b.send_rc = 0;
	say(&h->a, "{\"type\":\"message\",\"text\":\"2\"}");
	assert_int_equal(h->b.n, 0); /* nothing more goes there */
	assert_int_equal(h->a.n, 2);
	assert_int_equal(h->c.n, 2);
	say(&h->b, "{\"type\":\"message\",\"text\":\"from the grave\"}");
	assert_int_equal(h->c.n, 2);
}

static void test_one_client_cannot_fill_anothers_queue(void **state)
{
	struct house *h = three(state);

	h->b.send_rc = -E_LATER;
	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\"}");
	expect_error(&h->a, "target-busy");
	say(&h->a, "{\"type\":\"wave\"}");
	assert_int_equal(h->b.close_code, 0);
	h->b.send_rc = 0;
	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\"}");
	assert_int_equal(h->b.n, 1);
}

static void test_rate(void **state)
{
	struct house *h = three(state);
	unsigned heard = 0;

	for (unsigned i = 0; i < 400; i++) {
		say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\"}");
		heard += h->b.n;
		forget_frames(&h->b);
	}
	assert_in_range(heard, 290, 300);
	expect_error(&h->a, "rate-limited");
	expect_nothing(&h->a); /* said once, not hundred times */
	h->now_ms += 100;      /* 5 tokens */
	for (unsigned i = 0; i < 10; i++)
		say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\"}");
	assert_int_equal(h->b.n, 5);
	assert_int_equal(h->a.close_code, 0);
	/* the others are not slowed */
	say(&h->c, "{\"type\":\"wave\",\"target\":\"bob\"}");
	assert_int_equal(h->b.n, 6);
	for (unsigned i = 0; i < 1100; i++)
		say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\"}");
	assert_int_equal(h->a.close_code, HUB_CLOSE_POLICY);
}

static void test_limits(void **state)
{
	struct house *h;
	struct hub_conf conf;

	hub_conf_default(&conf);
	conf.max_peers = 3;
	conf.max_calls = 1;
	setup_with(state, &conf);
	h = three(state);
	assert_int_equal(hub_join(h->hub, &h->d, &h->d.peer), -E_LIMIT);
	assert_null(h->d.peer);
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	forget_frames(&h->b);
	say(&h->c, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	expect_error(&h->c, "too-many-calls");
	expect_nothing(&h->b);
	assert_int_equal(hub_call_count(h->hub), 1);
	leave(&h->c);
	join(h, &h->d);
	teardown(state);
}

static void test_ice_servers(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"type\":\"ice-servers\"}");
	assert_string_equal(h->ice_name, "alice");
	assert_string_equal(h->ice_key, "(none)");
	expect(&h->a,
	       "{\"type\":\"ice-servers\",\"iceServers\":[{\"urls\":[\"stun:203.0.113.1:3478\"]}]"
	       ",\"ttl\":600}");
	h->ice_rc = -E_DENIED;
	say(&h->a, "{\"type\":\"ice-servers\",\"key\":\"k%n\"}");
	assert_string_equal(h->ice_key, "k%n");
	expect_error(&h->a, "access-key-needed");
	h->ice_rc = -E_LIMIT;
	say(&h->a, "{\"type\":\"ice-servers\"}");
	expect_error(&h->a, "rate-limited");
	h->ice_rc = -E_IO;
	say(&h->a, "{\"type\":\"ice-servers\"}");
	expect_error(&h->a, "ice-servers-failed");
	expect_nothing(&h->b);
	/* the answer comes later; then its asker is gone */
	h->ice_rc = 0;
	h->ice_later = true;
	say(&h->a, "{\"type\":\"ice-servers\"}");
	expect_nothing(&h->a);
	answer(h);
	assert_int_equal(h->a.n, h->a.seen + 1);
	leave(&h->a);
	answer(h);
	hub_ice_refuse(h->hub, h->ice_peer, -E_DENIED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_sign_in),
	    T(test_nameless_leaves_unnoticed),
	    T(test_taken_names),
	    T(test_own_name_again),
	    T(test_names_are_cleaned),
	    T(test_no_name_left),
	    T(test_chat),
	    T(test_tags_are_stripped),
	    T(test_call_is_routed_untouched),
	    T(test_forged_name_is_overwritten),
	    T(test_server_only_types),
	    T(test_unknown_types_pass),
	    T(test_unknown_target),
	    T(test_targetless_hang_up),
	    T(test_partner_is_lost),
	    T(test_rename_in_a_call),
	    T(test_coming_back),
	    T(test_secrets_are_not_passed_on),
	    T(test_bad_input_is_answered),
	    T(test_longest_message_passes),
	    T(test_slow_receiver_is_closed),
	    T(test_one_client_cannot_fill_anothers_queue),
	    T(test_rate),
	    cmocka_unit_test(test_limits),
	    T(test_ice_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
