/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The operator: sees rooms and people, sends to them, sends them away, and keeps them out.
 */
#include "base/error.h"
#include "signal/tests/hub_house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* alice (a ticket's, two devices) and bob in team, carol in the default room. */
static struct house *people(void **state)
{
	struct house *h = *state;

	join_from(h, &h->a, 1, "team", "u1/alice/*/15");
	sign_in(&h->a, "\"name\":\"alice\"");
	join_from(h, &h->b, 2, "team", NULL);
	sign_in(&h->b, "\"name\":\"bob\",\"resume\":\"0123456789abcdef\"");
	join_from(h, &h->c, 3, NULL, NULL);
	sign_in(&h->c, "\"name\":\"carol\"");
	join_from(h, &h->d, 4, "team", "u1/alice/*/15");
	sign_in(&h->d, "\"name\":\"alice\"");
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	say(&h->b, "{\"type\":\"video-answer\",\"target\":\"alice\"}");
	forget_frames(&h->a);
	forget_frames(&h->b);
	forget_frames(&h->c);
	forget_frames(&h->d);
	*h->events = '\0';
	return h;
}

static void expect_json(json_t *is, const char *text)
{
	char *dump = json_dumps(is, JSON_COMPACT);

	assert_string_equal(dump, text);
	free(dump);
	json_decref(is);
}

static void who_is_there(void **state)
{
	struct house *h = people(state);

	h->now_ms += 5000;
	expect_json(hub_rooms(h->hub),
	            "[{\"room\":\"team\",\"users\":2,\"connections\":3,\"away\":0},{\"room\":"
	            "\"default\",\"users\":1,\"connections\":1,\"away\":0}]");
	expect_json(hub_people(h->hub, "team"),
	            "[{\"room\":\"team\",\"name\":\"alice\",\"proven\":true,\"sub\":\"u1\","
	            "\"seconds\":5,\"devices\":[{\"id\":1795326215785,\"address\":\"192.0.2.1\","
	            "\"away\":false,\"calls\":1},{\"id\":1795326215788,\"address\":\"192.0.2.4\","
	            "\"away\":false,\"calls\":0}]},{\"room\":\"team\",\"name\":\"bob\",\"proven\":"
	            "false,\"sub\":null,\"seconds\":5,\"devices\":[{\"id\":1795326215786,"
	            "\"address\":\"192.0.2.2\",\"away\":false,\"calls\":1}]}]");
	expect_json(hub_people(h->hub, "nowhere"), "[]");
	leave(&h->b);
	expect_json(hub_rooms(h->hub),
	            "[{\"room\":\"team\",\"users\":1,\"connections\":2,\"away\":1},{\"room\":"
	            "\"default\",\"users\":1,\"connections\":1,\"away\":0}]");
}

static void a_kick(void **state)
{
	struct house *h = people(state);

	assert_int_equal(hub_kick(h->hub, "team", "carol", NULL), 0);
	assert_int_equal(hub_kick(h->hub, NULL, "ALICE", "enough"), 2);
	assert_non_null(strstr(h->a.frame[0], "\"message\":\"enough\""));
	expect_error(&h->a, "kicked");
	expect_error(&h->d, "kicked");
	assert_int_equal(h->a.close_code, HUB_CLOSE_KICKED);
	assert_int_equal(h->d.close_code, HUB_CLOSE_KICKED);
	assert_int_equal(h->b.close_code, 0);
	assert_string_equal(h->events, "kicked team alice; ");
	leave(&h->a);
	leave(&h->d);
	/* nobody waits for them */
	assert_int_equal(hub_call_count(h->hub), 0);
	assert_string_equal(h->events, "kicked team alice; left team alice; ");
	/* and they may come again */
	join_from(h, &h->a, 1, "team", "u1/alice/*/15");
	sign_in(&h->a, "\"name\":\"alice\"");
	assert_string_equal(hub_member_name(h->a.member), "alice");
}

/* Whose secret is good no more: not while the connection closes, nor when it is away. */
static void a_kick_is_for_good(void **state)
{
	static const char again[] = "\"name\":\"bob\",\"resume\":\"0123456789abcdef\"";
	struct house *h = people(state);

	leave(&h->b);
	assert_int_equal(hub_call_count(h->hub), 1); /* is away */
	assert_int_equal(hub_kick(h->hub, NULL, "bob", NULL), 1);
	assert_int_equal(hub_call_count(h->hub), 0);
	assert_int_equal(hub_tick(h->hub), -1);
	join_from(h, &h->b, 2, "team", NULL);
	sign_in(&h->b, again);
	assert_string_equal(hub_member_name(h->b.member), "bob");
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	hub_kick(h->hub, NULL, "bob", NULL);
	leave(&h->b);
	assert_int_equal(hub_call_count(h->hub), 0);
}

static void a_closed_room(void **state)
{
	struct house *h = people(state);

	assert_int_equal(hub_close_room(h->hub, "team", NULL), 3);
	expect_error(&h->b, "room-closed");
	assert_int_equal(h->b.close_code, HUB_CLOSE_ROOM_CLOSED);
	assert_int_equal(h->c.close_code, 0);
	leave(&h->a);
	leave(&h->b);
	leave(&h->d);
	assert_int_equal(hub_room_count(h->hub), 1);
	assert_int_equal(hub_close_room(h->hub, "team", NULL), 0);
}

static void a_word_from_the_operator(void **state)
{
	json_t *word = json_pack("{s:s,s:s}", "type", "notice", "text", "we restart");
	struct house *h = people(state);
	unsigned n;

	assert_int_equal(hub_say(h->hub, NULL, NULL, word, &n), 0);
	assert_int_equal(n, 4);
	expect(&h->c, "{\"type\":\"notice\",\"text\":\"we restart\"}");
	assert_int_equal(hub_say(h->hub, "team", "bob", word, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(h->b.n, 2);
	assert_int_equal(h->c.n, 1);
	assert_int_equal(hub_say(h->hub, "default", "bob", word, &n), 0);
	assert_int_equal(n, 0);
	json_decref(word);
}

static void expect_banned(struct house *h, struct hub_client *c, unsigned host, const char *room,
                          const char *ticket, const char *members)
{
	c->close_code = 0;
	join_from(h, c, host, room, ticket);
	sign_in(c, members);
	expect_error(c, "banned");
	assert_int_equal(c->close_code, HUB_CLOSE_BANNED);
	assert_string_equal(hub_member_name(c->member), "");
	leave(c);
	c->close_code = 0;
}

static void expect_let_in(struct house *h, struct hub_client *c, unsigned host, const char *room,
                          const char *ticket, const char *members)
{
	join_from(h, c, host, room, ticket);
	sign_in(c, members);
	assert_true(*hub_member_name(c->member));
	assert_int_equal(c->close_code, 0);
	leave(c);
}

/* By the name, and by the address; people with a ticket are not meant. */
static void a_banned_guest(void **state)
{
	struct house *h = people(state);
	unsigned n;

	assert_int_equal(hub_ban(h->hub, "team", "bob", 60, "go", &n), 0);
	assert_int_equal(n, 1);
	expect_error(&h->b, "banned");
	assert_int_equal(h->b.close_code, HUB_CLOSE_BANNED);
	leave(&h->b);
	h->b.close_code = 0;
	expect_banned(h, &h->b, 9, "team", NULL, "\"name\":\"BOB\"");
	expect_banned(h, &h->b, 2, "team", NULL, "\"name\":\"other\"");
	expect_banned(h, &h->b, 9, "team", NULL,
	              "\"name\":\"bob\",\"resume\":\"0123456789abcdef\"");
	expect_let_in(h, &h->b, 2, NULL, NULL, "\"name\":\"bob\"");
	expect_let_in(h, &h->b, 9, "team", NULL, "\"name\":\"other\"");
	expect_let_in(h, &h->b, 2, "team", "u7/bob/*/7", "\"name\":\"bob\"");
	/* nor by another name first */
	join_from(h, &h->b, 9, "team", NULL);
	sign_in(&h->b, "\"name\":\"other\"");
	forget_frames(&h->b);
	sign_in(&h->b, "\"name\":\"bob\"");
	expect_error(&h->b, "banned");
	leave(&h->b);
	h->b.close_code = 0;
	h->now_ms += 59999;
	expect_banned(h, &h->b, 9, "team", NULL, "\"name\":\"bob\"");
	h->now_ms += 1;
	expect_let_in(h, &h->b, 2, "team", NULL, "\"name\":\"bob\"");
}

static void a_banned_person(void **state)
{
	struct house *h = people(state);
	unsigned n;

	assert_int_equal(hub_ban(h->hub, NULL, "alice", 60, NULL, &n), 0);
	assert_int_equal(n, 2);
	leave(&h->a);
	leave(&h->d);
	h->a.close_code = h->d.close_code = 0;
	expect_banned(h, &h->a, 9, NULL, "u1/another/*/7", "\"name\":\"x\"");
	expect_let_in(h, &h->a, 1, NULL, "u2/alice/*/7", "\"name\":\"x\"");
	expect_let_in(h, &h->a, 1, NULL, NULL, "\"name\":\"y\""); /* the address is not meant */
	expect_banned(h, &h->a, 1, NULL, NULL, "\"name\":\"alice\"");
	expect_json(hub_bans(h->hub),
	            "[{\"name\":\"alice\",\"by\":\"name\",\"key\":\"alice\",\"seconds\":60},"
	            "{\"name\":\"alice\",\"by\":\"sub\",\"key\":\"u1\",\"seconds\":60}]");
	assert_int_equal(hub_unban(h->hub, "team", "alice"), 0);
	assert_int_equal(hub_unban(h->hub, NULL, "alice"), 2);
	expect_let_in(h, &h->a, 9, NULL, "u1/another/*/7", "\"name\":\"x\"");
}

/* A restart is no way in. */
static void bans_are_saved(void **state)
{
	struct house *h = people(state);
	struct hub_conf conf;
	void *other_state;
	struct house *other;
	json_t *saved;
	unsigned n;

	assert_int_equal(hub_ban(h->hub, "team", "bob", 60, NULL, &n), 0);
	assert_int_equal(hub_ban(h->hub, NULL, "alice", 30, NULL, &n), 0);
	h->now_ms += 10000;
	saved = hub_save(h->hub);
	hub_conf_default(&conf);
	setup_with(&other_state, &conf);
	other = other_state;
	assert_int_equal(hub_load(other->hub, saved), 0);
	expect_banned(other, &other->a, 2, "team", NULL, "\"name\":\"x\"");
	expect_banned(other, &other->a, 9, "team", NULL, "\"name\":\"Bob\"");
	expect_banned(other, &other->a, 9, "r", "u1/al/*/7", "\"name\":\"x\"");
	other->now_ms += 20000;
	expect_let_in(other, &other->a, 9, "r", "u1/al/*/7", "\"name\":\"x\"");
	expect_banned(other, &other->a, 9, "team", NULL, "\"name\":\"Bob\"");
	json_decref(saved);
	teardown(&other_state);
}

static void bad_bans(void **state)
{
	struct house *h = people(state);
	char name[32];
	unsigned n;

	assert_int_equal(hub_ban(h->hub, "a/b", "bob", 60, NULL, &n), -E_INVAL);
	assert_int_equal(hub_ban(h->hub, NULL, "", 60, NULL, &n), -E_INVAL);
	assert_int_equal(hub_ban(h->hub, NULL, "bob", 0, NULL, &n), -E_INVAL);
	assert_int_equal(h->b.close_code, 0);
	for (unsigned i = 0; i < 4096; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(hub_ban(h->hub, NULL, name, 60, NULL, &n), 0);
	}
	assert_int_equal(hub_ban(h->hub, NULL, "n1", 60, NULL, &n), 0); /* the same again */
	assert_int_equal(hub_ban(h->hub, NULL, "bob", 60, NULL, &n), -E_LIMIT);
	assert_int_equal(h->b.close_code, HUB_CLOSE_BANNED);
	h->now_ms += 60000;
	assert_int_equal(hub_ban(h->hub, NULL, "dora", 60, NULL, &n), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(who_is_there),
	    T(a_kick),
	    T(a_kick_is_for_good),
	    T(a_closed_room),
	    T(a_word_from_the_operator),
	    T(a_banned_guest),
	    T(a_banned_person),
	    T(bans_are_saved),
	    T(bad_bans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
