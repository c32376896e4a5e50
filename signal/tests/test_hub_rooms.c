/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rooms: how one comes into them, what stays inside, and their limits.
 */
#include "base/error.h"
#include "signal/tests/hub_house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void set(struct house *h, struct hub_conf *conf)
{
	conf->first_id = 1;
	hub_set_conf(h->hub, conf);
}

static struct hub_conf conf_default(void)
{
	struct hub_conf conf;

	hub_conf_default(&conf);
	return conf;
}

/* By its address, by its message, or by neither. */
static void into_a_room(void **state)
{
	struct house *h = *state;

	join_from(h, &h->a, 0, "team", NULL);
	sign_in(&h->a, "\"name\":\"alice\"");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\"]}");
	join_from(h, &h->b, 0, NULL, NULL);
	sign_in(&h->b, "\"name\":\"bob\",\"room\":\"team\"");
	expect(&h->b, "{\"type\":\"signed-in\",\"id\":1795326215786,\"name\":\"bob\",\"room\":"
	              "\"team\",\"proven\":false,\"may\":[\"call\",\"chat\",\"list\"],\"resumed\":"
	              "false,\"missed\":0,\"lost\":0,\"last\":0,\"calls\":[]}");
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\"]}");
	join_from(h, &h->c, 0, "", NULL);
	sign_in(&h->c, "\"name\":\"carol\"");
	expect(&h->c, "{\"type\":\"userlist\",\"users\":[\"carol\"]}");
	assert_string_equal(hub_member_room(h->b.member), "team");
	assert_string_equal(hub_member_room(h->c.member), HUB_DEFAULT_ROOM);
	assert_int_equal(hub_room_count(h->hub), 2);
	/* the path and the message agree, or nobody comes in */
	join_from(h, &h->d, 0, "team", NULL);
	sign_in(&h->d, "\"name\":\"dave\",\"room\":\"other\"");
	expect_error(&h->d, "bad-room");
	sign_in(&h->d, "\"name\":\"dave\",\"room\":\"team\"");
	assert_string_equal(hub_member_name(h->d.member), "dave");
	forget_frames(&h->d);
	/* and it is for the whole connection */
	sign_in(&h->d, "\"name\":\"dave\",\"room\":\"other\"");
	expect_error(&h->d, "bad-room");
}

static void names_of_rooms(void **state)
{
	static const char *const bad[] = {
	    "\"\"",
	    "\"a b\"",
	    "\"a/b\"",
	    "\"\\u00e9\"",
	    "7",
	    "[\"team\"]",
	    "\"0123456789012345678901234567890123456789012345678901234567890123x\""};
	struct hub_visit visit = {.room = "a/b"};
	struct house *h = *state;
	char members[200];

	join_from(h, &h->a, 0, NULL, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(members, sizeof(members), "\"name\":\"alice\",\"room\":%s", bad[i]);
		sign_in(&h->a, members);
		expect_error(&h->a, "bad-room");
	}
	assert_int_equal(hub_room_count(h->hub), 0);
	sign_in(&h->a, "\"name\":\"alice\",\"room\":\"A.z_~-9\"");
	assert_string_equal(hub_member_room(h->a.member), "A.z_~-9");
	assert_int_equal(hub_join(h->hub, &h->b, &visit, &h->b.member), -E_INVAL);
}

/* alice and bob in team, another bob and carol in the default room. */
static struct house *two_rooms(void **state)
{
	struct house *h = *state;

	join_from(h, &h->a, 0, "team", NULL);
	sign_in(&h->a, "\"name\":\"alice\"");
	join_from(h, &h->b, 0, "team", NULL);
	sign_in(&h->b, "\"name\":\"bob\"");
	join_from(h, &h->c, 0, NULL, NULL);
	sign_in(&h->c, "\"name\":\"bob\"");
	join_from(h, &h->d, 0, NULL, NULL);
	sign_in(&h->d, "\"name\":\"carol\"");
	forget_frames(&h->a);
	forget_frames(&h->b);
	forget_frames(&h->c);
	forget_frames(&h->d);
	return h;
}

static void what_stays_inside(void **state)
{
	struct house *h = two_rooms(state);

	assert_string_equal(hub_member_name(h->b.member), "bob");
	assert_string_equal(hub_member_name(h->c.member), "bob"); /* not bob1 */
	say(&h->a, "{\"type\":\"message\",\"text\":\"hi\"}");
	assert_int_equal(h->b.n, 1);
	expect_nothing(&h->c);
	expect_nothing(&h->d);
	forget_frames(&h->a);
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"carol\"}");
	expect_error(&h->a, "unknown-target");
	say(&h->d, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	assert_int_equal(h->b.n, 1);
	assert_int_equal(h->c.n, 1);
	forget_frames(&h->c);
	leave(&h->b);
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\"]}");
	expect_nothing(&h->c);
	expect_nothing(&h->d);
}

static void an_empty_room_is_gone(void **state)
{
	struct house *h = two_rooms(state);

	assert_int_equal(hub_room_count(h->hub), 2);
	leave(&h->a);
	assert_int_equal(hub_room_count(h->hub), 2);
	leave(&h->b);
	assert_int_equal(hub_room_count(h->hub), 1);
	leave(&h->c);
	leave(&h->d);
	assert_int_equal(hub_room_count(h->hub), 0);
	assert_string_equal(h->events,
	                    "room-opened team alice; named team alice; named team bob; "
	                    "room-opened default bob; named default bob; named default "
	                    "carol; left team alice; left team bob; room-closed team ; "
	                    "left default bob; left default carol; room-closed default ; ");
	/* a name that is refused opens none */
	join_from(h, &h->a, 0, "team", NULL);
	sign_in(&h->a, "\"name\":\" \"");
	expect_error(&h->a, "bad-name");
	assert_int_equal(hub_room_count(h->hub), 0);
}

static void limits(void **state)
{
	struct hub_conf conf = conf_default();
	struct house *h = *state;

	conf.room_users = 2;
	conf.rooms_per_address = 2;
	set(h, &conf);
	join_from(h, &h->a, 1, "r1", NULL);
	sign_in(&h->a, "\"name\":\"a\"");
	join_from(h, &h->b, 2, "r1", NULL);
	sign_in(&h->b, "\"name\":\"b\"");
	join_from(h, &h->c, 3, "r1", NULL);
	sign_in(&h->c, "\"name\":\"c\"");
	expect_error(&h->c, "room-full");
	leave(&h->c);
	join_from(h, &h->c, 200, "r2", NULL);
	sign_in(&h->c, "\"name\":\"c\"");
	assert_string_equal(hub_member_room(h->c.member), "r2");
	join_from(h, &h->d, 4, "r3", NULL); /* the third of 192.0.2.0/24 */
	sign_in(&h->d, "\"name\":\"d\"");
	expect_error(&h->d, "too-many-rooms");
	/* one of them is empty again; then there is room */
	leave(&h->c);
	sign_in(&h->d, "\"name\":\"d\"");
	assert_string_equal(hub_member_room(h->d.member), "r3");
}

static void the_default_room_may_be_shut(void **state)
{
	struct hub_conf conf = conf_default();
	struct house *h = *state;

	conf.default_room = false;
	set(h, &conf);
	join_from(h, &h->a, 0, NULL, NULL);
	sign_in(&h->a, "\"name\":\"alice\"");
	expect_error(&h->a, "bad-room");
	sign_in(&h->a, "\"name\":\"alice\",\"room\":\"default\"");
	expect_error(&h->a, "bad-room");
	sign_in(&h->a, "\"name\":\"alice\",\"room\":\"team\"");
	assert_string_equal(hub_member_room(h->a.member), "team");
}

static void guests_may_not_open_rooms(void **state)
{
	struct hub_conf conf = conf_default();
	struct house *h = *state;

	conf.guest_rooms = false;
	set(h, &conf);
	join_from(h, &h->a, 0, "team", NULL);
	sign_in(&h->a, "\"name\":\"alice\"");
	expect_error(&h->a, "not-allowed");
	/* nor does a ticket that does not say so; one that names the room may */
	sign_in(&h->a, "\"ticket\":\"u1/alice/*/7\"");
	expect_error(&h->a, "not-allowed");
	join_from(h, &h->b, 0, "other", NULL);
	sign_in(&h->b, "\"ticket\":\"u2/bob/*/15\"");
	assert_string_equal(hub_member_room(h->b.member), "other");
	join_from(h, &h->c, 0, NULL, NULL);
	sign_in(&h->c, "\"ticket\":\"u3/carol/team/7\"");
	assert_string_equal(hub_member_room(h->c.member), "team");
	sign_in(&h->a, "\"name\":\"alice\""); /* it is open now */
	assert_string_equal(hub_member_room(h->a.member), "team");
	join_from(h, &h->d, 0, NULL, NULL);
	sign_in(&h->d, "\"name\":\"dave\"");
	assert_string_equal(hub_member_room(h->d.member), HUB_DEFAULT_ROOM);
}

/* A user sees only themselves and those they are in a call with. */
static void lists_may_be_off(void **state)
{
	struct hub_conf conf = conf_default();
	struct house *h = *state;

	conf.room_lists = false;
	set(h, &conf);
	join_from(h, &h->a, 0, NULL, NULL);
	sign_in(&h->a, "\"name\":\"alice\"");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\"]}");
	join_from(h, &h->b, 0, NULL, NULL);
	sign_in(&h->b, "\"name\":\"bob\",\"presence\":\"delta\"");
	h->b.seen++; /* signed-in */
	expect(&h->b, "{\"type\":\"presence\",\"version\":3,\"users\":[{\"name\":\"bob\"}]}");
	expect_nothing(&h->a);
	/* but they can be called by their names */
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	h->b.seen++;
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\"]}");
	expect(&h->b, "{\"type\":\"presence\",\"version\":3,\"users\":[{\"name\":\"bob\"},"
	              "{\"name\":\"alice\"}]}");
	h->now_ms += 1000;
	sign_in(&h->b, "\"name\":\"robert\"");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\",\"robert\"]}");
	forget_frames(&h->b);
	say(&h->a, "{\"type\":\"hang-up\",\"target\":\"robert\"}");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\"]}");
	h->b.seen++;
	expect(&h->b, "{\"type\":\"presence\",\"version\":4,\"users\":[{\"name\":\"robert\"}]}");
	leave(&h->b);
	expect_nothing(&h->a);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(into_a_room),
	    T(names_of_rooms),
	    T(what_stays_inside),
	    T(an_empty_room_is_gone),
	    T(limits),
	    T(the_default_room_may_be_shut),
	    T(guests_may_not_open_rooms),
	    T(lists_may_be_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
