/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Coming back: after a loss, a reload, a crash of the tab, and a restart of the server.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "signal/tests/hub_house.h"

#include <stdlib.h>

#define SECRET "0123456789abcdef-bob"
#define BOB    "\"name\":\"bob\",\"resume\":\"" SECRET "\",\"seen\":0"
#define ALICE  "\"name\":\"alice\",\"resume\":\"fedcba9876543210\",\"seen\":0"

static struct house *two(void **state)
{
	struct house *h = *state;

	join(h, &h->a);
	sign_in(&h->a, ALICE);
	join(h, &h->b);
	sign_in(&h->b, BOB);
	forget_frames(&h->a);
	forget_frames(&h->b);
	return h;
}

static void again(struct house *h, struct hub_client *c, const char *members)
{
	join(h, c);
	forget_frames(c);
	sign_in(c, members);
}

/* What "signed-in" says. */
static bool says(const struct hub_client *c, const char *part)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (strstr(c->frame[i], "\"signed-in\""))
			return strstr(c->frame[i], part);
	}
	return false;
}

static void call(struct house *h, bool answered)
{
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	if (answered)
		say(&h->b, "{\"type\":\"video-answer\",\"target\":\"alice\"}");
}

/* By what the client closes with. */
static void the_grace_is_by_the_close(void **state)
{
	static const struct {
		unsigned code;
		int64_t ms;
	} closes[] = {{HUB_CLOSE_ABNORMAL, 30000},
	              {HUB_CLOSE_GOING_AWAY, 10000},
	              {1002, 30000},
	              {HUB_CLOSE_NORMAL, 0},
	              {HUB_CLOSE_NO_CODE, 0}};
	struct house *h = *state;

	join(h, &h->a);
	sign_in(&h->a, "\"name\":\"alice\"");
	for (size_t i = 0; i < sizeof(closes) / sizeof(*closes); i++) {
		again(h, &h->b, BOB);
		hub_leave(h->b.member, closes[i].code);
		if (closes[i].ms) {
			assert_int_equal(hub_tick(h->hub), closes[i].ms);
			h->now_ms += closes[i].ms - 1;
			hub_tick(h->hub);
			again(h, &h->c, "\"name\":\"bob\"");
			assert_string_equal(hub_member_name(h->c.member), "bob1");
			leave(&h->c);
			h->now_ms++;
			hub_tick(h->hub);
		}
		again(h, &h->c, "\"name\":\"bob\"");
		assert_string_equal(hub_member_name(h->c.member), "bob");
		leave(&h->c);
		forget_frames(&h->a);
	}
	/* it says so itself */
	again(h, &h->b, BOB);
	say(&h->b, "{\"type\":\"leave\"}");
	assert_int_equal(h->b.close_code, HUB_CLOSE_NORMAL);
	hub_leave(h->b.member, HUB_CLOSE_ABNORMAL);
	assert_int_equal(hub_member_count(h->hub), 1);
	assert_int_equal(hub_tick(h->hub), -1);
}

/* In no call: its name waits, and the list does not show it. */
static void anybody_may_come_back(void **state)
{
	struct house *h = two(state);

	leave(&h->b);
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\"]}");
	again(h, &h->c, "\"name\":\"bob\"");
	assert_string_equal(hub_member_name(h->c.member), "bob1");
	again(h, &h->d, BOB);
	assert_string_equal(hub_member_name(h->d.member), "bob");
	assert_true(says(&h->d, "\"resumed\":true"));
	assert_true(says(&h->d, "\"calls\":[]"));
	leave(&h->c);
}

/* The fault: after a crash it was "bob1", and could not be called. */
static void a_reloaded_tab_has_its_calls(void **state)
{
	struct house *h = two(state);

	call(h, true);
	hub_leave(h->b.member, HUB_CLOSE_GOING_AWAY);
	h->b.member = NULL;
	assert_int_equal(hub_call_count(h->hub), 1);
	again(h, &h->d, BOB ",\"reloaded\":true");
	assert_string_equal(hub_member_name(h->d.member), "bob");
	assert_true(says(
	    &h->d, "\"calls\":[{\"name\":\"alice\",\"state\":\"answered\",\"caller\":false}]"));
	assert_string_equal(h->calls, "begun alice bob; answered bob alice; ");
	say(&h->d, "{\"type\":\"hang-up\",\"target\":\"alice\",\"reason\":\"failed\"}");
	assert_string_equal(h->calls, "begun alice bob; answered bob alice; "
	                              "ended alice bob failed 0 1; ");
}

static void not_in_time(void **state)
{
	struct house *h = two(state);

	call(h, true);
	say(&h->b, "{\"type\":\"seen\",\"seq\":1}");
	leave(&h->b);
	h->now_ms += 30000;
	forget_frames(&h->a);
	hub_tick(h->hub);
	expect(&h->a, "{\"name\":\"bob\",\"target\":\"alice\",\"type\":\"hang-up\",\"reason\":"
	              "\"gone\",\"seq\":2}");
	assert_string_equal(h->calls, "begun alice bob; answered bob alice; "
	                              "ended alice bob gone 30 1; ");
	assert_non_null(strstr(h->events, "left default bob; "));
	again(h, &h->d, BOB);
	assert_true(says(&h->d, "\"resumed\":false"));
}

static void the_old_connection_is_replaced(void **state)
{
	struct house *h = two(state);

	call(h, true);
	again(h, &h->d, BOB);
	assert_int_equal(h->b.close_code, HUB_CLOSE_REPLACED);
	assert_string_equal(hub_member_name(h->b.member), "");
	leave(&h->b); /* it has no way back of its own */
	assert_int_equal(hub_tick(h->hub), -1);
	assert_string_equal(hub_member_name(h->d.member), "bob");
	assert_int_equal(hub_call_count(h->hub), 1);
	forget_frames(&h->d);
	say(&h->a, "{\"type\":\"new-ice-candidate\",\"target\":\"bob\"}");
	assert_int_equal(h->d.n, 1);
}

static void another_secret_is_nobodys(void **state)
{
	struct house *h = two(state);

	leave(&h->b);
	again(h, &h->d, "\"name\":\"bob\",\"resume\":\"0123456789abcdef-bo\",\"seen\":0");
	assert_string_equal(hub_member_name(h->d.member), "bob1");
	leave(&h->d);
	/* the same secret in another room is another way back */
	again(h, &h->d, BOB ",\"room\":\"team\"");
	assert_string_equal(hub_member_room(h->d.member), "team");
	assert_true(says(&h->d, "\"resumed\":false"));
}

static void kicked_ones_have_no_way_back(void **state)
{
	struct house *h = two(state);

	assert_int_equal(hub_kick(h->hub, NULL, "bob", NULL), 1);
	assert_int_equal(h->b.close_code, HUB_CLOSE_KICKED);
	leave(&h->b);
	assert_int_equal(hub_tick(h->hub), -1);
	again(h, &h->d, BOB);
	assert_true(says(&h->d, "\"resumed\":false"));
}

/* The hub of the server that starts anew: what was saved is all that it knows. */
static void restart(struct house *h, void **state)
{
	json_t *saved = hub_save(h->hub), *read;
	struct hub_conf conf;
	struct house *fresh;
	char *text;

	assert_non_null(saved);
	text = json_dumps(saved, 0);
	assert_null(strstr(text, SECRET));
	json_decref(saved);
	teardown(state);
	hub_conf_default(&conf);
	setup_with(state, &conf);
	fresh = *state;
	fresh->now_ms = 77;
	read = json_loads(text, 0, NULL);
	assert_int_equal(hub_load(fresh->hub, read), 0);
	json_decref(read);
	free(text);
}

static void a_restart_while_it_rings(void **state)
{
	struct house *h = two(state);
	uint64_t bob;

	call(h, false); /* bob's client got the offer, and did not confirm it */
	bob = hub_member_id(h->b.member);
	restart(h, state);
	h = *state;
	assert_int_equal(hub_member_count(h->hub), 0);
	assert_int_equal(hub_call_count(h->hub), 1);
	assert_string_equal(h->calls, ""); /* it is no news */
	again(h, &h->a, ALICE);
	assert_string_equal(hub_member_name(h->a.member), "alice");
	assert_true(
	    says(&h->a, "\"calls\":[{\"name\":\"bob\",\"state\":\"ringing\",\"caller\":true}]"));
	again(h, &h->b, BOB);
	assert_int_equal(hub_member_id(h->b.member), bob);
	assert_true(says(&h->b, "\"resumed\":true,\"missed\":1,\"lost\":0,"));
	assert_string_equal(h->b.frame[1], "{\"type\":\"video-offer\",\"target\":\"bob\",\"name\":"
	                                   "\"alice\",\"seq\":1}");
	forget_frames(&h->a);
	say(&h->b, "{\"type\":\"video-answer\",\"target\":\"alice\"}");
	expect(&h->a,
	       "{\"type\":\"video-answer\",\"target\":\"alice\",\"name\":\"bob\",\"seq\":1}");
	assert_string_equal(h->calls, "answered bob alice; ");
	say(&h->b, "{\"type\":\"hang-up\",\"target\":null}");
	assert_string_equal(h->calls, "answered bob alice; ended alice bob - 0 1; ");
}

/* Nobody comes back: what waited is refused, or gone with its sender; the call ends once. */
static void a_restart_that_nobody_survives(void **state)
{
	struct house *h = two(state);

	call(h, true);
	leave(&h->b);
	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\",\"ack\":1}");
	restart(h, state);
	h = *state;
	again(h, &h->a, ALICE);
	forget_frames(&h->a);
	assert_int_equal(hub_tick(h->hub), 30000);
	h->now_ms += 30000;
	hub_tick(h->hub);
	assert_non_null(strstr(h->a.frame[0], "\"video-offer\""));
	expect_error(&h->a, "target-gone");
	assert_non_null(strstr(h->a.frame[1], "\"for\":\"wave\",\"ack\":1"));
	expect_error(&h->a, "target-gone");
	assert_non_null(strstr(h->a.frame[2], "\"reason\":\"gone\""));
	assert_string_equal(h->calls, "ended alice bob gone 30 1; ");
	assert_int_equal(hub_call_count(h->hub), 0);
}

/* Two devices of one person, and who is proven. */
static void devices_survive_a_restart(void **state)
{
	struct house *h = *state;

	join_from(h, &h->a, 0, "team", "s1/bob/*/15");
	sign_in(&h->a, BOB);
	join_from(h, &h->b, 0, "team", "s1/bob/*/15");
	sign_in(&h->b, "\"resume\":\"another-one-of-bobs\",\"seen\":0");
	restart(h, state);
	h = *state;
	again(h, &h->a, BOB ",\"room\":\"team\"");
	again(h, &h->b, "\"resume\":\"another-one-of-bobs\",\"seen\":0,\"room\":\"team\"");
	assert_string_equal(hub_member_name(h->a.member), "bob");
	assert_string_equal(hub_member_name(h->b.member), "bob");
	assert_true(says(&h->b, "\"proven\":true"));
	/* a guest cannot take it while they are away */
	again(h, &h->c, "\"name\":\"bob\",\"room\":\"team\"");
	assert_string_equal(hub_member_name(h->c.member), "bob1");
}

/* Somebody with a name takes the place of another connection of theirs. */
static void a_name_given_up_has_left(void **state)
{
	struct house *h = two(state);

	join(h, &h->c);
	sign_in(&h->c, "\"name\":\"carol\"");
	*h->events = '\0';
	h->now_ms += 1000;
	sign_in(&h->c, BOB);
	assert_string_equal(hub_member_name(h->c.member), "bob");
	assert_string_equal(h->events, "left default carol; ");
	assert_int_equal(h->b.close_code, HUB_CLOSE_REPLACED);
	leave(&h->b);
	assert_string_equal(h->events, "left default carol; ");
}

/* The way back is none around a ban: the name they come back with is a new one. */
static void a_banned_name_is_not_taken_on_the_way(void **state)
{
	struct house *h = two(state);
	unsigned n;

	assert_int_equal(hub_ban(h->hub, NULL, "mallory", 60, NULL, &n), 0);
	leave(&h->b);
	again(h, &h->b, "\"name\":\"mallory\",\"resume\":\"" SECRET "\",\"seen\":0");
	assert_string_not_equal(hub_member_name(h->b.member), "mallory");
}

static void what_is_damaged_is_refused(void **state)
{
	static const char *const bad[] = {
	    "{}",
	    "{\"version\":2,\"members\":[]}",
	    "{\"version\":\"1\"}",
	};
	static const char *const harmless[] = {
	    "{\"version\":1}",
	    "{\"version\":1,\"members\":7,\"next_id\":\"x\"}",
	    "{\"version\":1,\"members\":[1,null,{},[]]}",
	    "{\"version\":1,\"members\":[{\"origin\":1,\"room\":\"a b\",\"name\":\"x\",\"secret\":"
	    "\"00\"}]}",
	};
	struct house *h = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		json_t *saved = json_loads(bad[i], 0, NULL);

		assert_int_equal(hub_load(h->hub, saved), -E_CORRUPT);
		json_decref(saved);
	}
	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++) {
		json_t *saved = json_loads(harmless[i], 0, NULL);

		assert_int_equal(hub_load(h->hub, saved), 0);
		json_decref(saved);
	}
	assert_int_equal(hub_room_count(h->hub), 0);
	two(state);
}

/* Any change of one value in what was saved: some may not come back, and nothing else happens. */
static void every_damage(void **state)
{
	struct house *h = two(state);
	char *text, *at;
	json_t *saved;

	call(h, true);
	leave(&h->b);
	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\"}");
	saved = hub_save(h->hub);
	text = json_dumps(saved, JSON_COMPACT);
	json_decref(saved);
	for (at = text; *at; at++) {
		char kept = *at;

		if (!strchr("0123456789abcdef", kept))
			continue;
		*at = kept == '9' ? '0' : '9';
		saved = json_loads(text, 0, NULL);
		*at = kept;
		if (!saved)
			continue;
		teardown(state);
		setup(state);
		h = *state;
		hub_load(h->hub, saved);
		json_decref(saved);
		again(h, &h->a, ALICE);
		again(h, &h->b, BOB);
		say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\"}");
		h->now_ms += 200000;
		hub_tick(h->hub);
	}
	free(text);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(the_grace_is_by_the_close),      T(anybody_may_come_back),
	    T(a_reloaded_tab_has_its_calls),   T(not_in_time),
	    T(the_old_connection_is_replaced), T(another_secret_is_nobodys),
	    T(kicked_ones_have_no_way_back),   T(a_restart_while_it_rings),
	    T(a_restart_that_nobody_survives), T(devices_survive_a_restart),
	    T(a_name_given_up_has_left),       T(a_banned_name_is_not_taken_on_the_way),
	    T(what_is_damaged_is_refused),     T(every_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
