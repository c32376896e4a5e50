/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The signaling of PeerJS and of y-webrtc, over the same hub.
 */
#include "base/error.h"
#include "signal/tests/hub_house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPEN    "{\"type\":\"OPEN\"}"
#define TAKEN   "{\"type\":\"ID-TAKEN\",\"payload\":{\"msg\":\"ID is taken\"}}"
#define WAIT_MS 5000

static void set(struct house *h, struct hub_conf *conf)
{
	hub_set_conf(h->hub, conf);
}

static struct hub_conf conf_default(void)
{
	struct hub_conf conf;

	hub_conf_default(&conf);
	return conf;
}

static void come(struct house *h, struct hub_client *c, const struct hub_visit *visit)
{
	c->close_code = 0;
	forget_frames(c);
	assert_int_equal(hub_join(h->hub, c, visit, &c->member), 0);
}

/* From an address of 192.0.2.0/24. */
static void peer_with(struct house *h, struct hub_client *c, const char *key, const char *id,
                      const char *token)
{
	struct hub_visit visit = {.dialect = hub_dialect_find("/peerjs"),
	                          .room = "",
	                          .key = key,
	                          .id = id,
	                          .token = token};

	assert_non_null(visit.dialect);
	assert_int_equal(addr_parse_ip(&visit.client, "192.0.2.9", 1), 0);
	come(h, c, &visit);
}

static void peer(struct house *h, struct hub_client *c, const char *id)
{
	peer_with(h, c, "peerjs", id, id);
	expect(c, OPEN);
}

static void topic_visitor(struct house *h, struct hub_client *c, const char *ticket)
{
	struct hub_visit visit = {
	    .dialect = hub_dialect_find("/topics"), .room = "", .ticket = ticket};

	assert_non_null(visit.dialect);
	assert_int_equal(addr_parse_ip(&visit.client, "192.0.2.9", 1), 0);
	come(h, c, &visit);
}

/* An ERROR with this in it, and the close. */
static void expect_no(struct hub_client *c, const char *part, unsigned code)
{
	if (c->n != 1 || !strstr(c->frame[0], part))
		fail_msg("%s, without %s", c->n ? c->frame[0] : "nothing", part);
	assert_int_equal(c->close_code, code);
	assert_string_equal(hub_member_name(c->member), "");
	leave(c);
}

static void expect_error_and_leave(struct hub_client *c, const char *msg)
{
	char text[200];

	snprintf(text, sizeof(text), "{\"type\":\"ERROR\",\"payload\":{\"msg\":\"%s\"}}", msg);
	expect_no(c, text, HUB_CLOSE_POLICY);
}

static void paths(void **state)
{
	(void)state;
	assert_null(hub_dialect_find("/ws"));
	assert_null(hub_dialect_find("/peerjs/"));
	assert_null(hub_dialect_find(""));
}

static void peers_talk(void **state)
{
	struct house *h = *state;

	peer(h, &h->a, "alice");
	peer(h, &h->b, "bob");
	assert_string_equal(hub_member_room(h->a.member), "peerjs:peerjs");
	assert_string_equal(h->events, "room-opened peerjs:peerjs alice; named peerjs:peerjs "
	                               "alice; named peerjs:peerjs bob; ");
	/* whoever it says that it is, it is alice; all else goes on as it came */
	say(&h->a, "{\"type\":\"OFFER\",\"src\":\"carol\",\"dst\":\"bob\",\"payload\":{\"sdp\":"
	           "[\"<b>\",1.5]},\"more\":null}");
	expect(&h->b, "{\"type\":\"OFFER\",\"src\":\"alice\",\"dst\":\"bob\",\"payload\":{\"sdp\":"
	              "[\"<b>\",1.5]},\"more\":null}");
	say(&h->b, "{\"type\":\"ANSWER\",\"dst\":\"alice\"}");
	expect(&h->a, "{\"type\":\"ANSWER\",\"dst\":\"alice\",\"src\":\"bob\"}");
	say(&h->b, "{\"type\":\"CANDIDATE\",\"dst\":\"alice\"}");
	expect(&h->a, "{\"type\":\"CANDIDATE\",\"dst\":\"alice\",\"src\":\"bob\"}");
	say(&h->b, "{\"type\":\"LEAVE\",\"dst\":\"alice\"}");
	expect(&h->a, "{\"type\":\"LEAVE\",\"dst\":\"alice\",\"src\":\"bob\"}");
	say(&h->b, "{\"type\":\"HEARTBEAT\"}");
	expect_nothing(&h->a);
	expect_nothing(&h->b);
	say(&h->b, "{\"type\":\"LEAVE\"}");
	assert_int_equal(h->b.close_code, HUB_CLOSE_NORMAL);
	leave(&h->b);
	leave(&h->a);
	assert_non_null(strstr(h->events, "left peerjs:peerjs bob; left peerjs:peerjs alice; "
	                                  "room-closed peerjs:peerjs ; "));
	assert_int_equal(hub_room_count(h->hub), 0);
}

/* Neither protocol reaches the other; and nobody gets a list. */
static void peers_are_apart(void **state)
{
	struct house *h = *state;

	peer(h, &h->a, "alice");
	peer_with(h, &h->b, "team", "alice", "x");
	expect(&h->b, OPEN);
	join_from(h, &h->c, 0, "team", NULL);
	sign_in(&h->c, "\"name\":\"alice\"");
	expect(&h->c, "{\"type\":\"userlist\",\"users\":[\"alice\"]}");
	say(&h->c, "{\"type\":\"message\",\"text\":\"hello\"}");
	assert_int_equal(hub_room_count(h->hub), 3);
	say(&h->b, "{\"type\":\"username\",\"name\":\"bob\"}");
	expect_error(&h->b, "bad-message");
	say(&h->b, "{\"type\":\"userlist\",\"dst\":\"alice\"}");
	expect_error(&h->b, "bad-message");
	expect_nothing(&h->a);
	expect_nothing(&h->b);
	assert_int_equal(
	    hub_join(h->hub, &h->d, &(struct hub_visit){.room = "peerjs:team"}, &h->d.member),
	    -E_INVAL);
	h->d.member = NULL;
	join_from(h, &h->d, 0, NULL, NULL);
	sign_in(&h->d, "\"name\":\"dave\",\"room\":\"peerjs:team\"");
	expect_error(&h->d, "bad-room");
}

static void ids(void **state)
{
	struct house *h = *state;

	peer_with(h, &h->a, "peerjs", "alice", "one");
	expect(&h->a, OPEN);
	peer_with(h, &h->b, "peerjs", "alice", "two");
	expect_no(&h->b, TAKEN, HUB_CLOSE_POLICY);
	/* it reads the same */
	peer_with(h, &h->b, "peerjs", "ALICE", "two");
	expect_no(&h->b, TAKEN, HUB_CLOSE_POLICY);
	peer_with(h, &h->b, "peerjs", " b", "two");
	expect_error_and_leave(&h->b, "This id has characters that no name may have.");
	peer_with(h, &h->b, "peerjs", "", "two");
	expect_error_and_leave(&h->b, "No id, token, or key supplied to websocket server");
	peer_with(h, &h->b, "peerjs", "bob", "");
	expect_error_and_leave(&h->b, "No id, token, or key supplied to websocket server");
	peer_with(h, &h->b, "a:b", "bob", "two");
	expect_error_and_leave(&h->b, "Invalid key provided");
	peer_with(h, &h->b, "0123456789012345678901234567890123456789012345678901234567", "bob",
	          "two");
	expect_error_and_leave(&h->b, "Invalid key provided");
	assert_int_equal(hub_member_count(h->hub), 1);
	assert_int_equal(h->a.close_code, 0);
	expect_nothing(&h->a);
}

static void the_same_token_takes_over(void **state)
{
	struct house *h = *state;

	peer_with(h, &h->a, "peerjs", "alice", "secret");
	expect(&h->a, OPEN);
	peer_with(h, &h->b, "peerjs", "alice", "secret");
	expect(&h->b, OPEN);
	assert_int_equal(h->a.close_code, HUB_CLOSE_REPLACED);
	peer(h, &h->c, "carol");
	say(&h->c, "{\"type\":\"OFFER\",\"dst\":\"alice\"}");
	expect(&h->b, "{\"type\":\"OFFER\",\"dst\":\"alice\",\"src\":\"carol\"}");
	leave(&h->a);
	assert_string_equal(hub_member_name(h->b.member), "alice");
	assert_null(strstr(h->events, "left"));
	/* a token that is too long to be kept proves nothing */
	peer_with(h, &h->a, "peerjs", "long",
	          "0123456789012345678901234567890123456789012345678901234567890123x");
	expect(&h->a, OPEN);
	peer_with(h, &h->d, "peerjs", "long",
	          "0123456789012345678901234567890123456789012345678901234567890123x");
	expect_no(&h->d, TAKEN, HUB_CLOSE_POLICY);
}

static void tick(struct house *h, int64_t ms)
{
	h->now_ms += ms;
	hub_tick(h->hub);
}

static void who_is_not_there(void **state)
{
	struct house *h = *state;

	peer(h, &h->a, "alice");
	say(&h->a, "{\"type\":\"OFFER\",\"dst\":\"bob\"}");
	assert_int_equal(hub_tick(h->hub), WAIT_MS);
	tick(h, 1000);
	say(&h->a, "{\"type\":\"CANDIDATE\",\"dst\":\"bob\"}");
	say(&h->a, "{\"type\":\"LEAVE\",\"dst\":\"bob\"}");
	tick(h, WAIT_MS - 1001);
	expect_nothing(&h->a);
	tick(h, 1);
	expect(&h->a, "{\"type\":\"EXPIRE\",\"src\":\"bob\",\"dst\":\"alice\"}");
	expect_nothing(&h->a);
	tick(h, 1000);
	expect(&h->a, "{\"type\":\"EXPIRE\",\"src\":\"bob\",\"dst\":\"alice\"}");
	assert_int_equal(hub_tick(h->hub), -1);
	expect_nothing(&h->a);
	/* nobody can have such an id */
	say(&h->a, "{\"type\":\"OFFER\",\"dst\":"
	           "\"0123456789012345678901234567890123456789012345678901234567890123x\"}");
	assert_int_equal(h->a.n, 4);
	assert_non_null(strstr(h->a.frame[3], "\"EXPIRE\""));
}

static void letters_are_handed_over(void **state)
{
	struct house *h = *state;

	peer(h, &h->a, "alice");
	say(&h->a, "{\"type\":\"OFFER\",\"dst\":\"bob\",\"n\":1}");
	say(&h->a, "{\"type\":\"CANDIDATE\",\"dst\":\"bob\",\"n\":2}");
	say(&h->a, "{\"type\":\"OFFER\",\"dst\":\"dave\"}");
	peer_with(h, &h->c, "other", "bob", "x"); /* of another key */
	expect(&h->c, OPEN);
	expect_nothing(&h->c);
	peer(h, &h->b, "bob");
	expect(&h->b, "{\"type\":\"OFFER\",\"dst\":\"bob\",\"n\":1,\"src\":\"alice\"}");
	expect(&h->b, "{\"type\":\"CANDIDATE\",\"dst\":\"bob\",\"n\":2,\"src\":\"alice\"}");
	leave(&h->a); /* what its sender has left behind, nobody gets */
	peer(h, &h->d, "dave");
	expect_nothing(&h->d);
	tick(h, WAIT_MS);
	expect_nothing(&h->b);
	assert_int_equal(hub_tick(h->hub), -1);
}

static void letters_have_a_limit(void **state)
{
	struct house *h = *state;

	peer(h, &h->a, "alice");
	for (int i = 0; i < 32; i++)
		say(&h->a, "{\"type\":\"OFFER\",\"dst\":\"bob\"}");
	expect_nothing(&h->a);
	say(&h->a, "{\"type\":\"OFFER\",\"dst\":\"bob\"}");
	expect(&h->a, "{\"type\":\"EXPIRE\",\"src\":\"bob\",\"dst\":\"alice\"}");
	/* one who cannot take them all */
	h->b.busy = true;
	peer(h, &h->b, "bob");
	for (int i = 0; i < 32; i++)
		expect(&h->a, "{\"type\":\"EXPIRE\",\"src\":\"bob\",\"dst\":\"alice\"}");
	say(&h->a, "{\"type\":\"OFFER\",\"dst\":\"bob\"}");
	expect(&h->a, "{\"type\":\"EXPIRE\",\"src\":\"bob\",\"dst\":\"alice\"}");
	h->b.busy = false;
	say(&h->a, "{\"type\":\"OFFER\",\"dst\":\"bob\"}");
	expect(&h->b, "{\"type\":\"OFFER\",\"dst\":\"bob\",\"src\":\"alice\"}");
	expect_nothing(&h->a);
}

static void bad_messages(void **state)
{
	static const struct {
		const char *text, *code;
	} bad[] = {
	    {"", "bad-json"},
	    {"[]", "bad-message"},
	    {"{}", "bad-message"},
	    {"{\"type\":7}", "bad-message"},
	    {"{\"type\":\"OFFER\"}", "bad-message"},
	    {"{\"type\":\"OFFER\",\"dst\":7}", "bad-message"},
	    {"{\"type\":\"OPEN\"}", "bad-message"},
	    {"{\"type\":\"subscribe\"}", "bad-message"},
	    {"{\"type\":\"subscribe\",\"topics\":\"x\"}", "bad-message"},
	    {"{\"type\":\"ping\",\"type\":\"ping\"}", "bad-json"},
	    {"{\"type\":\"ping\",\"x\":{\"y\":1,\"y\":1}}", "bad-json"},
	    {"{\"type\":\"OFFER\",\"dst\":\"b\\u0000\"}", "bad-json"},
	    {"{\"type\":\"x\",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
	     "]]]]]}",
	     "bad-json"},
	};
	struct house *h = *state;
	struct hub_conf conf = conf_default();
	char *big = malloc(conf.max_message + 64);

	peer(h, &h->a, "alice");
	topic_visitor(h, &h->b, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		say(&h->a, bad[i].text);
		expect_error(&h->a, bad[i].code);
		say(&h->b, bad[i].text);
		expect_error(&h->b, bad[i].code);
	}
	sprintf(big, "{\"type\":\"ping\",\"x\":\"%0*d\"}", (int)conf.max_message, 0);
	say(&h->a, big);
	expect_error(&h->a, "too-big");
	say(&h->b, big);
	expect_error(&h->b, "too-big");
	free(big);
	for (int i = 0; i < 400; i++)
		say(&h->a, "{\"type\":\"HEARTBEAT\"}");
	expect_error(&h->a, "rate-limited");
	expect_nothing(&h->a);
	expect_nothing(&h->b);
}

/* A ticket is PeerJS's token; it is for one id, and one key if it names a room. */
static void peers_with_tickets(void **state)
{
	struct house *h = *state;
	struct hub_conf conf = conf_default();
	json_t *people;

	peer(h, &h->a, "alice"); /* a guest, who has somebody's id */
	peer_with(h, &h->b, "peerjs", "alice", "eyJs1/alice/*/1");
	expect(&h->b, OPEN);
	assert_int_equal(h->a.close_code, HUB_CLOSE_REPLACED);
	leave(&h->a);
	/* neither a guest nor another person gets it; they themselves do, by a newer ticket */
	peer_with(h, &h->a, "peerjs", "alice", "alice");
	expect_no(&h->a, TAKEN, HUB_CLOSE_POLICY);
	peer_with(h, &h->a, "peerjs", "alice", "eyJs2/alice/*/1");
	expect_no(&h->a, TAKEN, HUB_CLOSE_POLICY);
	peer_with(h, &h->a, "peerjs", "alice", "eyJs1/alice/peerjs/3");
	expect(&h->a, OPEN);
	assert_int_equal(h->b.close_code, HUB_CLOSE_REPLACED);
	leave(&h->b);
	people = hub_people(h->hub, "peerjs:peerjs");
	assert_int_equal(json_array_size(people), 1);
	assert_true(json_is_true(json_object_get(json_array_get(people, 0), "proven")));
	assert_string_equal(json_string_value(json_object_get(json_array_get(people, 0), "sub")),
	                    "eyJs1");
	json_decref(people);

	peer_with(h, &h->b, "peerjs", "bob", "eyJs1/alice/*/1");
	expect_error_and_leave(&h->b, "The ticket is for another id or key.");
	peer_with(h, &h->b, "peerjs", "bob", "eyJs3/bob/team/1");
	expect_error_and_leave(&h->b, "The ticket is for another id or key.");
	peer_with(h, &h->b, "peerjs", "bob", "eyJx");
	expect_error_and_leave(&h->b, "The ticket is not valid.");
	peer_with(h, &h->b, "peerjs", "bob", "eyJs3/bob/*/6");
	expect_error_and_leave(&h->b, "You may not call here.");
	conf.guests = false;
	set(h, &conf);
	peer_with(h, &h->b, "peerjs", "bob", "bob");
	expect_error_and_leave(&h->b, "This server needs a ticket.");
	peer_with(h, &h->b, "team", "bob", "eyJs3/bob/team/1");
	expect(&h->b, OPEN);
	conf.guests = true;
	conf.guest_may = HUB_MAY_CHAT;
	set(h, &conf);
	peer_with(h, &h->c, "peerjs", "carol", "carol");
	expect_error_and_leave(&h->c, "You may not call here.");
}

/* PeerJS's own key is the default room; any other one is a room like others. */
static void keys_are_rooms(void **state)
{
	struct house *h = *state;
	struct hub_conf conf = conf_default();

	conf.guest_rooms = conf.default_room = false;
	conf.room_users = 2;
	set(h, &conf);
	peer_with(h, &h->a, "team", "alice", "x");
	expect_error_and_leave(&h->a, "There is no such room, and you may not open one.");
	peer_with(h, &h->a, "team", "alice", "eyJs1/alice/team/1");
	expect(&h->a, OPEN);
	peer_with(h, &h->b, "team", "bob", "x");
	expect(&h->b, OPEN);
	peer_with(h, &h->c, "team", "carol", "x");
	expect_error_and_leave(&h->c, "The room is full.");
	conf.rooms_per_address = 1;
	set(h, &conf);
	peer_with(h, &h->c, "peerjs", "carol", "x");
	expect_error_and_leave(&h->c, "Your network has too many rooms open.");
	topic_visitor(h, &h->c, NULL); /* it opens none */
	assert_int_equal(h->c.close_code, 0);
	expect_nothing(&h->c);
}

static bool is_of_key_0(void *ctx, int64_t key, const char *sub)
{
	(void)ctx;
	return key == 7 && !strcmp(sub, "s1");
}

static int identify_keyed(void *ctx, const char *ticket, struct hub_identity *out, const char **why)
{
	(void)ctx;
	(void)why;
	*out = (struct hub_identity){.any_room = true, .may = 7, .key = 7};
	return sscanf(ticket, "eyJ/%255[^/]/%64s", out->sub, out->name) == 2 ? 0 : -E_DENIED;
}

static int setup_keyed(void **state)
{
	struct hub_conf conf = conf_default();

	return setup_asking(state, &conf, &(struct hub_ops){.identify = identify_keyed});
}

static void the_operator(void **state)
{
	struct house *h = *state;
	json_t *hello = json_pack("{s:s}", "type", "hello");
	unsigned n;

	peer_with(h, &h->a, "peerjs", "alice", "eyJ/s1/alice");
	expect(&h->a, OPEN);
	topic_visitor(h, &h->b, "eyJ/s1/alice");
	peer(h, &h->c, "carol");
	/* words of our protocol are not for them */
	assert_int_equal(hub_say(h->hub, NULL, NULL, hello, &n), 0);
	assert_int_equal(n, 0);
	json_decref(hello);
	/* a ticket that is not valid any more */
	assert_int_equal(hub_revoke(h->hub, is_of_key_0, NULL), 2);
	assert_int_equal(h->a.close_code, HUB_CLOSE_REVOKED);
	assert_int_equal(h->b.close_code, HUB_CLOSE_REVOKED);
	leave(&h->a);
	leave(&h->b);
	assert_int_equal(hub_kick(h->hub, "peerjs:peerjs", "carol", NULL), 1);
	expect_error(&h->c, "kicked");
	assert_int_equal(h->c.close_code, HUB_CLOSE_KICKED);
	/* who is on the way out is not there any more */
	peer(h, &h->d, "dave");
	say(&h->d, "{\"type\":\"OFFER\",\"dst\":\"carol\"}");
	leave(&h->c);
	peer(h, &h->c, "carol");
	expect(&h->c, "{\"type\":\"OFFER\",\"dst\":\"carol\",\"src\":\"dave\"}");
	assert_int_equal(hub_ban(h->hub, "peerjs:peerjs", "carol", 60, NULL, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(h->c.close_code, HUB_CLOSE_BANNED);
	leave(&h->c);
	peer_with(h, &h->c, "peerjs", "eve", "x"); /* the address */
	expect_no(&h->c, "keeps you out", HUB_CLOSE_BANNED);
	topic_visitor(h, &h->c, NULL); /* the ban is for the room */
	assert_int_equal(h->c.close_code, 0);
	assert_int_equal(hub_ban(h->hub, NULL, "carol", 60, NULL, &n), 0);
	leave(&h->c);
	assert_int_equal(hub_ban(h->hub, "no:room", "carol", 60, NULL, &n), -E_INVAL);
	assert_int_equal(hub_ban(h->hub, NULL, "dave", 60, NULL, &n), 0);
	assert_int_equal(n, 1);
	leave(&h->d);
	topic_visitor(h, &h->c, NULL);
	expect_error(&h->c, "banned");
	assert_int_equal(h->c.close_code, HUB_CLOSE_BANNED);
	assert_int_equal(hub_close_room(h->hub, "peerjs:peerjs", NULL), 0);
}

static uint64_t asked;
static char question[300];

static int admit_later(void *ctx, uint64_t member_id, const struct hub_admission *who)
{
	(void)ctx;
	asked = member_id;
	snprintf(question, sizeof(question), "%s %s %d %s", who->room, who->name, who->opens,
	         who->identity ? who->identity->sub : "-");
	return -E_LATER;
}

static int setup_admitting(void **state)
{
	struct hub_conf conf = conf_default();

	return setup_asking(state, &conf,
	                    &(struct hub_ops){.identify = identify_keyed, .admit = admit_later});
}

/* The operator's own program is asked about them, too. */
static void who_is_let_in(void **state)
{
	struct house *h = *state;

	peer_with(h, &h->a, "peerjs", "alice", "x");
	assert_string_equal(question, "peerjs:peerjs alice 1 -");
	expect_nothing(&h->a);
	say(&h->a, "{\"type\":\"OFFER\",\"dst\":\"alice\"}"); /* it waits */
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = 0});
	expect(&h->a, OPEN);
	expect(&h->a, "{\"type\":\"OFFER\",\"dst\":\"alice\",\"src\":\"alice\"}");
	peer_with(h, &h->b, "peerjs", "bob", "x");
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = -E_DENIED, .message = "No."});
	expect_error_and_leave(&h->b, "No.");
	peer_with(h, &h->b, "peerjs", "bob", "x");
	hub_admit(h->hub, asked, &(struct hub_verdict){.name = "carol"});
	expect_error_and_leave(&h->b, "This id is not for you.");
	peer_with(h, &h->b, "peerjs", "bob", "x");
	hub_admit(h->hub, asked, &(struct hub_verdict){.has_may = true, .may = HUB_MAY_CHAT});
	expect_error_and_leave(&h->b, "You may not call here.");
	peer_with(h, &h->b, "peerjs", "bob", "eyJ/s1/bob");
	assert_string_equal(question, "peerjs:peerjs bob 0 s1");
	leave(&h->b); /* before the answer */
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = 0});

	topic_visitor(h, &h->c, NULL);
	assert_string_equal(question, "topics:  0 -");
	say(&h->c, "{\"type\":\"ping\"}");
	expect_nothing(&h->c);
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = 0});
	expect(&h->c, "{\"type\":\"pong\"}");
	topic_visitor(h, &h->d, NULL);
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = -E_DENIED});
	expect_error(&h->d, "refused");
	assert_int_equal(h->d.close_code, HUB_CLOSE_POLICY);
}

static void topics(void **state)
{
	struct house *h = *state;

	topic_visitor(h, &h->a, NULL);
	topic_visitor(h, &h->b, NULL);
	topic_visitor(h, &h->c, NULL);
	expect_nothing(&h->a);
	say(&h->a, "{\"type\":\"ping\"}");
	expect(&h->a, "{\"type\":\"pong\"}");
	say(&h->a, "{\"type\":\"subscribe\",\"topics\":[\"x\",\"x\",\"y\"]}");
	say(&h->a, "{\"type\":\"subscribe\",\"topics\":[\"x\"]}");
	say(&h->b, "{\"type\":\"subscribe\",\"topics\":[\"x\"]}");
	say(&h->a, "{\"type\":\"publish\",\"topic\":\"x\",\"data\":\"<1>\"}");
	expect(&h->a, "{\"type\":\"publish\",\"topic\":\"x\",\"data\":\"<1>\",\"clients\":2}");
	expect(&h->b, "{\"type\":\"publish\",\"topic\":\"x\",\"data\":\"<1>\",\"clients\":2}");
	/* one need not have subscribed; what nobody hears is no fault */
	say(&h->c, "{\"type\":\"publish\",\"topic\":\"y\",\"clients\":-1}");
	expect(&h->a, "{\"type\":\"publish\",\"topic\":\"y\",\"clients\":1}");
	say(&h->c, "{\"type\":\"publish\",\"topic\":\"z\"}");
	say(&h->a, "{\"type\":\"unsubscribe\",\"topics\":[\"x\",\"never\",7]}");
	say(&h->b, "{\"type\":\"publish\",\"topic\":\"x\"}");
	expect(&h->b, "{\"type\":\"publish\",\"topic\":\"x\",\"clients\":1}");
	leave(&h->b);
	say(&h->a, "{\"type\":\"publish\",\"topic\":\"x\"}");
	expect_nothing(&h->a);
	expect_nothing(&h->c);
	assert_int_equal(hub_room_count(h->hub), 0);
}

static void topics_have_limits(void **state)
{
	struct house *h = *state;
	char text[8192], *at;

	topic_visitor(h, &h->a, NULL);
	at = text + sprintf(text, "{\"type\":\"subscribe\",\"topics\":[\"t\"");
	for (int i = 1; i < 64; i++)
		at += sprintf(at, ",\"t%d\"", i);
	strcpy(at, "]}");
	say(&h->a, text);
	expect_nothing(&h->a);
	strcpy(at, ",\"one more\"]}");
	say(&h->a, text);
	expect_error(&h->a, "too-many-topics");
	say(&h->a, "{\"type\":\"subscribe\",\"topics\":[\"one more\",\"two\"]}");
	expect_error(&h->a, "too-many-topics");
	expect_nothing(&h->a);
	say(&h->a, "{\"type\":\"unsubscribe\",\"topics\":[\"t\"]}");
	say(&h->a, "{\"type\":\"subscribe\",\"topics\":[\"one more\"]}");
	expect_nothing(&h->a);
	say(&h->a, "{\"type\":\"publish\",\"topic\":\"one more\"}");
	expect(&h->a, "{\"type\":\"publish\",\"topic\":\"one more\",\"clients\":1}");
	/* one error, however many are wrong */
	say(&h->a, "{\"type\":\"subscribe\",\"topics\":[\"\",7,null]}");
	expect_error(&h->a, "bad-topic");
	say(&h->a, "{\"type\":\"publish\"}");
	expect_error(&h->a, "bad-topic");
	sprintf(text, "{\"type\":\"publish\",\"topic\":\"%0257d\"}", 0);
	say(&h->a, text);
	expect_error(&h->a, "bad-topic");
	expect_nothing(&h->a);
}

static void topics_with_tickets(void **state)
{
	struct house *h = *state;
	struct hub_conf conf = conf_default();

	topic_visitor(h, &h->a, "s1/alice/x/1");
	say(&h->a, "{\"type\":\"subscribe\",\"topics\":[\"y\"]}");
	expect_error(&h->a, "not-allowed");
	say(&h->a, "{\"type\":\"publish\",\"topic\":\"y\"}");
	expect_error(&h->a, "not-allowed");
	say(&h->a, "{\"type\":\"subscribe\",\"topics\":[\"x\"]}");
	say(&h->a, "{\"type\":\"publish\",\"topic\":\"x\"}");
	expect(&h->a, "{\"type\":\"publish\",\"topic\":\"x\",\"clients\":1}");
	topic_visitor(h, &h->b, "stale");
	expect_error(&h->b, "bad-ticket");
	assert_int_equal(h->b.close_code, HUB_CLOSE_POLICY);
	leave(&h->b);
	conf.guests = false;
	set(h, &conf);
	topic_visitor(h, &h->b, NULL);
	expect_error(&h->b, "ticket-needed");
	assert_int_equal(h->b.close_code, HUB_CLOSE_POLICY);
	leave(&h->b);
	topic_visitor(h, &h->b, "s2/bob/*/1");
	say(&h->b, "{\"type\":\"subscribe\",\"topics\":[\"x\",\"y\"]}");
	expect_nothing(&h->b);
	topic_visitor(h, &h->c, "s3/carol/*/6");
	expect_error(&h->c, "not-allowed");
}

/* Who publishes to many pays for them. */
static void publishing_is_dear(void **state)
{
	enum { MANY = 100, PAID = 300 / (1 + MANY / 10) };
	static struct hub_client many[MANY];
	struct house *h = *state;

	memset(many, 0, sizeof(many));
	for (int i = 0; i < MANY; i++) {
		topic_visitor(h, &many[i], NULL);
		say(&many[i], "{\"type\":\"subscribe\",\"topics\":[\"x\"]}");
	}
	topic_visitor(h, &h->a, NULL);
	for (int i = 0; i < PAID; i++)
		say(&h->a, "{\"type\":\"publish\",\"topic\":\"x\"}");
	expect_nothing(&h->a);
	say(&h->a, "{\"type\":\"publish\",\"topic\":\"x\"}");
	expect_error(&h->a, "rate-limited");
	expect_nothing(&h->a);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(many[i].n, PAID);
		leave(&many[i]);
		forget_frames(&many[i]);
	}
}

/* One who does not keep up misses some, and is not closed. */
static void who_cannot_keep_up(void **state)
{
	struct house *h = *state;

	topic_visitor(h, &h->a, NULL);
	topic_visitor(h, &h->b, NULL);
	say(&h->a, "{\"type\":\"subscribe\",\"topics\":[\"x\"]}");
	say(&h->b, "{\"type\":\"subscribe\",\"topics\":[\"x\"]}");
	h->a.busy = true;
	say(&h->b, "{\"type\":\"publish\",\"topic\":\"x\"}");
	expect_nothing(&h->a);
	expect(&h->b, "{\"type\":\"publish\",\"topic\":\"x\",\"clients\":2}");
	assert_int_equal(h->a.close_code, 0);
}

/* A restart of the server ends them: these clients know no way back. */
static void nothing_is_saved(void **state)
{
	struct house *h = *state;
	json_t *saved;

	peer(h, &h->a, "alice");
	topic_visitor(h, &h->b, NULL);
	say(&h->a, "{\"type\":\"OFFER\",\"dst\":\"bob\"}");
	saved = hub_save(h->hub);
	assert_int_equal(json_array_size(json_object_get(saved, "members")), 0);
	json_decref(saved);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths),
	    T(peers_talk),
	    T(peers_are_apart),
	    T(ids),
	    T(the_same_token_takes_over),
	    T(who_is_not_there),
	    T(letters_are_handed_over),
	    T(letters_have_a_limit),
	    T(bad_messages),
	    T(peers_with_tickets),
	    T(keys_are_rooms),
	    cmocka_unit_test_setup_teardown(the_operator, setup_keyed, teardown),
	    cmocka_unit_test_setup_teardown(who_is_let_in, setup_admitting, teardown),
	    T(topics),
	    T(topics_have_limits),
	    T(topics_with_tickets),
	    T(publishing_is_dear),
	    T(who_cannot_keep_up),
	    T(nothing_is_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
