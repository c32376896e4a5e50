/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who somebody is: tickets, names that they prove, devices, look-alikes.
 */
#include "base/error.h"
#include "signal/tests/hub_house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_signed_in(struct hub_client *c, const char *name, const char *room, bool proven)
{
	json_t *m;

	if (c->seen == c->n)
		fail_msg("nothing came, expected signed-in");
	m = json_loads(c->frame[c->seen++], 0, NULL);
	assert_string_equal(json_string_value(json_object_get(m, "type")), "signed-in");
	assert_string_equal(json_string_value(json_object_get(m, "name")), name);
	assert_string_equal(json_string_value(json_object_get(m, "room")), room);
	assert_int_equal(json_is_true(json_object_get(m, "proven")), proven);
	json_decref(m);
}

static void a_ticket(void **state)
{
	struct house *h = *state;

	join_from(h, &h->a, 0, NULL, NULL);
	sign_in(&h->a, "\"ticket\":\"u1/alice/*/3\"");
	expect(&h->a, "{\"type\":\"signed-in\",\"id\":1795326215785,\"name\":\"alice\",\"room\":"
	              "\"default\",\"proven\":true,\"may\":[\"call\",\"chat\"],\"resumed\":false,"
	              "\"missed\":0,\"lost\":0,\"last\":0,\"calls\":[]}");
	/* it may not see the list */
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\"],\"proven\":[\"alice\"]}");
	/* the client's name is not needed, and not used */
	join_from(h, &h->b, 0, NULL, NULL);
	sign_in(&h->b, "\"name\":\"mallory\",\"ticket\":\"u2/bob/*/7\"");
	expect(&h->b, "{\"id\":1795326215786,\"type\":\"rejectusername\",\"name\":\"bob\"}");
	expect_signed_in(&h->b, "bob", "default", true);
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\"],\"proven\":[\"alice\","
	              "\"bob\"]}");
	sign_in(&h->b, "\"name\":\"mallory\"");
	assert_string_equal(hub_member_name(h->b.member), "bob");
	/* with the address; the ticket's room is the one that it is good for */
	join_from(h, &h->c, 0, NULL, "u3/carol/team/7");
	sign_in(&h->c, "\"name\":\"carol\"");
	assert_string_equal(hub_member_room(h->c.member), "team");
	join_from(h, &h->d, 0, "other", "u3/carol/team/7");
	sign_in(&h->d, "\"name\":\"carol\"");
	expect_error(&h->d, "bad-ticket");
}

static void bad_tickets(void **state)
{
	static const char *const bad[] = {"\"stale\"", "\"x\"", "\"\"", "7", "[]"};
	struct house *h = *state;
	char members[100];

	join_from(h, &h->a, 0, NULL, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(members, sizeof(members), "\"name\":\"alice\",\"ticket\":%s", bad[i]);
		sign_in(&h->a, members);
		if (!i)
			assert_non_null(strstr(h->a.frame[h->a.seen], "The ticket has expired."));
		expect_error(&h->a, "bad-ticket");
		assert_string_equal(hub_member_name(h->a.member), "");
	}
}

static void no_guests(void **state)
{
	struct house *h = *state;
	struct hub_conf conf;

	hub_conf_default(&conf);
	conf.guests = false;
	hub_set_conf(h->hub, &conf);
	join_from(h, &h->a, 0, NULL, NULL);
	sign_in(&h->a, "\"name\":\"alice\"");
	expect_error(&h->a, "ticket-needed");
	sign_in(&h->a, "\"ticket\":\"u1/alice/*/7\",\"resume\":\"0123456789abcdef\"");
	expect_signed_in(&h->a, "alice", "default", true);
	/* the secret of a connection is as good: a ticket may have expired meanwhile */
	join_from(h, &h->b, 0, NULL, NULL);
	sign_in(&h->b, "\"name\":\"alice\",\"ticket\":\"stale\",\"resume\":\"0123456789abcdef\"");
	expect_signed_in(&h->b, "alice", "default", true);
}

static void what_guests_may(void **state)
{
	struct house *h = *state;
	struct hub_conf conf;

	hub_conf_default(&conf);
	conf.guest_may = HUB_MAY_CHAT;
	hub_set_conf(h->hub, &conf);
	join_from(h, &h->a, 0, NULL, NULL);
	sign_in(&h->a, "\"ticket\":\"u1/alice/*/5\"");
	join_from(h, &h->b, 0, NULL, NULL);
	sign_in(&h->b, "\"name\":\"bob\"");
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"bob\"]}"); /* not alice */
	forget_frames(&h->a);
	say(&h->b, "{\"type\":\"video-offer\",\"target\":\"alice\"}");
	expect_error(&h->b, "not-allowed");
	expect_nothing(&h->a);
	say(&h->b, "{\"type\":\"message\",\"text\":\"hi\",\"target\":\"alice\"}");
	expect(&h->a,
	       "{\"type\":\"message\",\"text\":\"hi\",\"target\":\"alice\",\"name\":\"bob\"}");
	/* alice may call, and not chat; bob may answer */
	say(&h->a, "{\"type\":\"message\",\"text\":\"hi\"}");
	expect_error(&h->a, "not-allowed");
	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\"}");
	expect_error(&h->a, "not-allowed");
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	say(&h->b, "{\"type\":\"video-answer\",\"target\":\"alice\"}");
	expect(&h->a, "{\"type\":\"video-answer\",\"target\":\"alice\",\"name\":\"bob\"}");
	/* within a call its page may tell what it likes */
	forget_frames(&h->b);
	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\"}");
	expect(&h->b, "{\"type\":\"wave\",\"target\":\"bob\",\"name\":\"alice\"}");
}

/* A guest makes way for the owner of a name, and cannot take it or one that reads the same. */
static void a_proven_name(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	say(&h->c, "{\"type\":\"username\",\"name\":\"carol\",\"ack\":1}"); /* extended */
	say(&h->c, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	forget_frames(&h->a);
	forget_frames(&h->b);
	forget_frames(&h->c);
	*h->events = '\0';
	join_from(h, &h->d, 0, NULL, NULL);
	sign_in(&h->d, "\"ticket\":\"u9/Bob/*/7\"");
	expect(&h->b, "{\"id\":1795326215786,\"type\":\"rejectusername\",\"name\":\"bob1\"}");
	expect_signed_in(&h->d, "Bob", "default", true);
	expect(&h->c, "{\"type\":\"renamed\",\"name\":\"bob\",\"to\":\"bob1\"}");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob1\",\"carol\",\"Bob\"],"
	              "\"proven\":[\"Bob\"]}");
	assert_string_equal(h->events, "named default bob1 was bob; named default Bob; ");
	h->now_ms += 1000;
	sign_in(&h->b, "\"name\":\"BOB\"");
	assert_string_equal(hub_member_name(h->b.member), "BOB1");
	h->now_ms += 1000;
	sign_in(&h->b, "\"name\":\"B\\u043eb\""); /* a Cyrillic o */
	assert_string_not_equal(hub_member_name(h->b.member), "B\xd0\xbe"
	                                                      "b");
}

/* Another person of the same name has a ticket, too. */
static void two_owners(void **state)
{
	struct house *h = *state;

	join_from(h, &h->a, 0, NULL, NULL);
	sign_in(&h->a, "\"ticket\":\"u1/bob/*/7\"");
	join_from(h, &h->b, 0, NULL, NULL);
	sign_in(&h->b, "\"ticket\":\"u2/bob/*/7\"");
	expect_signed_in(&h->b, "bob1", "default", false);
	assert_string_equal(hub_member_name(h->a.member), "bob");
	/* and this one owns bob1 */
	join_from(h, &h->c, 0, NULL, NULL);
	sign_in(&h->c, "\"ticket\":\"u3/bob1/*/7\"");
	expect_signed_in(&h->c, "bob1", "default", true);
	assert_string_not_equal(hub_member_name(h->b.member), "bob1");
}

static void devices(void **state)
{
	struct house *h = *state;

	join_from(h, &h->a, 0, NULL, NULL);
	sign_in(&h->a, "\"ticket\":\"u1/alice/*/7\",\"presence\":\"delta\"");
	join_from(h, &h->b, 0, NULL, NULL);
	sign_in(&h->b, "\"ticket\":\"u1/alice/*/7\"");
	expect_signed_in(&h->b, "alice", "default", true);
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"alice\"],\"proven\":[\"alice\"]}");
	h->a.seen += 2;
	expect(&h->a, "{\"type\":\"presence\",\"version\":3,\"from\":2,\"joined\":[{\"name\":"
	              "\"alice\",\"proven\":true,\"devices\":2}],\"left\":[],\"renamed\":[]}");
	/* the same person elsewhere is another user */
	join_from(h, &h->c, 0, "team", NULL);
	sign_in(&h->c, "\"ticket\":\"u1/alice/*/7\"");
	expect_signed_in(&h->c, "alice", "team", true);
	/* the user is there until the last device has left */
	*h->events = '\0';
	leave(&h->a);
	assert_string_equal(h->events, "");
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"alice\"],\"proven\":[\"alice\"]}");
	leave(&h->b);
	assert_string_equal(h->events, "left default alice; room-closed default ; ");
}

/* Their ticket has another name now: so have all their devices. */
static void a_new_name_by_ticket(void **state)
{
	struct house *h = *state;

	join_from(h, &h->a, 0, NULL, NULL);
	sign_in(&h->a, "\"ticket\":\"u1/alice/*/7\"");
	forget_frames(&h->a);
	join_from(h, &h->b, 0, NULL, NULL);
	sign_in(&h->b, "\"ticket\":\"u1/alicia/*/7\"");
	expect_signed_in(&h->b, "alicia", "default", true);
	expect(&h->a, "{\"id\":1795326215785,\"type\":\"rejectusername\",\"name\":\"alicia\"}");
	assert_string_equal(hub_member_name(h->a.member), "alicia");
	/* a connection is one person's */
	sign_in(&h->a, "\"ticket\":\"u2/bob/*/7\"");
	h->a.seen = h->a.n - 1;
	expect_error(&h->a, "bad-ticket");
	/* a guest may show a ticket later */
	join_from(h, &h->c, 0, NULL, NULL);
	sign_in(&h->c, "\"name\":\"carol\"");
	forget_frames(&h->c);
	sign_in(&h->c, "\"ticket\":\"u3/carol/*/7\"");
	expect_signed_in(&h->c, "carol", "default", true);
}

static void too_many_devices(void **state)
{
	struct hub_member *members[17];
	struct house *h = *state;
	struct hub_client many[17] = {{0}};

	for (unsigned i = 0; i < 17; i++) {
		join_from(h, &many[i], 0, NULL, "u1/alice/*/7");
		sign_in(&many[i], "\"name\":\"alice\"");
		members[i] = many[i].member;
	}
	assert_string_equal(hub_member_name(members[15]), "alice");
	assert_string_equal(hub_member_name(members[16]), "");
	expect_error(&many[16], "not-allowed");
	/* nor by a ticket that a guest shows later */
	join_from(h, &h->b, 0, NULL, NULL);
	sign_in(&h->b, "\"name\":\"bob\"");
	forget_frames(&h->b);
	sign_in(&h->b, "\"ticket\":\"u1/alice/*/7\"");
	expect_error(&h->b, "not-allowed");
	assert_string_equal(hub_member_name(h->b.member), "bob");
	for (unsigned i = 0; i < 17; i++) {
		leave(&many[i]);
		forget_frames(&many[i]);
	}
}

static void renames_are_rationed(void **state)
{
	struct house *h = three(state);

	sign_in(&h->b, "\"name\":\"robert\"");
	assert_string_equal(hub_member_name(h->b.member), "robert");
	h->now_ms += 999;
	forget_frames(&h->b);
	sign_in(&h->b, "\"name\":\"bob\"");
	expect_error(&h->b, "rate-limited");
	sign_in(&h->b, "\"name\":\"robert\""); /* is none */
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"alice\",\"robert\",\"carol\"]}");
	h->now_ms += 1;
	sign_in(&h->b, "\"name\":\"bob\"");
	assert_string_equal(hub_member_name(h->b.member), "bob");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_ticket),         T(bad_tickets),          T(no_guests), T(what_guests_may),
	    T(a_proven_name),    T(two_owners),           T(devices),   T(a_new_name_by_ticket),
	    T(too_many_devices), T(renames_are_rationed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
