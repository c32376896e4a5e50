/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Somebody else decides who joins: at once or later, with a name and rights of their choice, or not
 * at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "signal/tests/hub_house.h"

#include <stdio.h>
#include <string.h>

static int admit_rc;
static uint64_t asked; /* whom about */
static unsigned questions;
static char asked_name[80], asked_room[80], asked_sub[HUB_SUB_MAX + 1];
static bool asked_opens;

static int on_admit(void *ctx, uint64_t member_id, const struct hub_admission *who)
{
	(void)ctx;
	asked = member_id;
	questions++;
	snprintf(asked_name, sizeof(asked_name), "%s", who->name);
	snprintf(asked_room, sizeof(asked_room), "%s", who->room);
	snprintf(asked_sub, sizeof(asked_sub), "%s", who->identity ? who->identity->sub : "");
	asked_opens = who->opens;
	return admit_rc;
}

/* A ticket is the name that it proves. */
static int on_identify(void *ctx, const char *ticket, struct hub_identity *out, const char **why)
{
	(void)ctx;
	(void)why;
	*out = (struct hub_identity){.any_room = true,
	                             .may = HUB_MAY_CALL | HUB_MAY_CHAT | HUB_MAY_LIST};
	snprintf(out->sub, sizeof(out->sub), "sub-%s", ticket);
	snprintf(out->name, sizeof(out->name), "%s", ticket);
	return 0;
}

static int setup_admit(void **state)
{
	static const struct hub_ops more = {.identify = on_identify, .admit = on_admit};
	struct hub_conf conf;

	admit_rc = -E_LATER;
	questions = 0;
	hub_conf_default(&conf);
	conf.first_id = 1;
	return setup_asking(state, &conf, &more);
}

#define ALICE  "{\"type\":\"username\",\"name\":\"alice\",\"ack\":1}"
#define HELLO  "{\"type\":\"message\",\"name\":\"alice\",\"text\":\"hello\"}"
#define TICKET "{\"type\":\"username\",\"ticket\":\"ann\"}"

static void comes(struct house *h, struct hub_client *c, const char *text)
{
	join(h, c);
	say(c, text);
	forget_frames(c);
}

/* The last frame of a client of that type; fails the test when there is none. */
static json_t *last(struct hub_client *c, const char *type)
{
	for (unsigned i = c->n; i--;) {
		json_t *frame = json_loads(c->frame[i], 0, NULL);

		if (!strcmp(json_string_value(json_object_get(frame, "type")), type))
			return frame;
		json_decref(frame);
	}
	fail_msg("no %s came", type);
	return NULL;
}

static void says(struct hub_client *c, const char *type, const char *member, const char *value)
{
	json_t *frame = last(c, type);
	const char *said = json_string_value(json_object_get(frame, member));

	assert_non_null(said);
	assert_string_equal(said, value);
	json_decref(frame);
}

static void who_may_join_joins_with_what_they_have_said_meanwhile(void **state)
{
	struct house *h = *state;

	comes(h, &h->b, "{\"type\":\"username\",\"name\":\"bob\"}");
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = 0});
	comes(h, &h->a, ALICE);
	assert_string_equal(asked_name, "alice");
	assert_string_equal(asked_room, HUB_DEFAULT_ROOM);
	assert_string_equal(asked_sub, "");
	assert_false(asked_opens);
	forget_frames(&h->b);
	say(&h->a, HELLO);
	expect_nothing(&h->a);
	expect_nothing(&h->b);
	assert_string_equal(hub_member_name(h->a.member), "");
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = 0});
	assert_string_equal(hub_member_name(h->a.member), "alice");
	says(&h->a, "signed-in", "name", "alice");
	says(&h->b, "message", "text", "hello");
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = -E_DENIED}); /* too late */
	assert_string_equal(hub_member_name(h->a.member), "alice");
}

static void who_may_not_hears_why(void **state)
{
	struct house *h = *state;

	comes(h, &h->a, ALICE);
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = -E_DENIED, .message = "Pay first."});
	says(&h->a, "error", "code", "refused");
	says(&h->a, "error", "message", "Pay first.");
	assert_string_equal(hub_member_name(h->a.member), "");
	forget_frames(&h->a);
	say(&h->a, ALICE);
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = -E_UNREACHABLE});
	says(&h->a, "error", "code", "refused");
	assert_int_equal(questions, 2);
	assert_int_equal(hub_room_count(h->hub), 0);
}

static void at_once(void **state)
{
	struct house *h = *state;

	admit_rc = 0;
	comes(h, &h->a, ALICE);
	assert_string_equal(hub_member_name(h->a.member), "alice");
	admit_rc = -E_LIMIT;
	join(h, &h->b);
	say(&h->b, "{\"type\":\"username\",\"name\":\"bob\"}");
	says(&h->b, "error", "code", "refused");
}

static void another_name_stays(void **state)
{
	struct house *h = *state;

	comes(h, &h->a, ALICE);
	hub_admit(h->hub, asked, &(struct hub_verdict){.name = "Dr. Alice"});
	assert_string_equal(hub_member_name(h->a.member), "Dr. Alice");
	says(&h->a, "rejectusername", "name", "Dr. Alice");
	say(&h->a, "{\"type\":\"username\",\"name\":\"bob\"}");
	assert_string_equal(hub_member_name(h->a.member), "Dr. Alice");
	assert_int_equal(questions, 1);
}

/* Whom the operator's program has let in as alice is nobody else later. */
static void a_fixed_name_is_not_left(void **state)
{
	struct house *h = *state;

	comes(h, &h->a, ALICE);
	hub_admit(h->hub, asked, &(struct hub_verdict){.fixed = true});
	assert_string_equal(hub_member_name(h->a.member), "alice");
	h->now_ms += 2000;
	say(&h->a, "{\"type\":\"username\",\"name\":\"bob\"}");
	assert_string_equal(hub_member_name(h->a.member), "alice");
	forget_frames(&h->a);
	say(&h->a, TICKET);
	says(&h->a, "error", "code", "refused");
	assert_string_equal(hub_member_name(h->a.member), "alice");
}

static void rights_are_those_of_the_answer(void **state)
{
	struct house *h = *state;
	json_t *frame;

	comes(h, &h->a, TICKET);
	assert_string_equal(asked_name, "ann");
	assert_string_equal(asked_sub, "sub-ann");
	hub_admit(h->hub, asked,
	          &(struct hub_verdict){.fixed = true, .has_may = true, .may = HUB_MAY_CHAT});
	assert_string_equal(hub_member_name(h->a.member), "ann");
	frame = last(&h->a, "signed-in");
	assert_true(json_is_true(json_object_get(frame, "proven")));
	assert_int_equal(json_array_size(json_object_get(frame, "may")), 1);
	json_decref(frame);
	forget_frames(&h->a);
	say(&h->a, TICKET); /* says more, and does not count */
	frame = last(&h->a, "signed-in");
	assert_int_equal(json_array_size(json_object_get(frame, "may")), 1);
	json_decref(frame);
}

static void who_leaves_meanwhile_is_forgotten(void **state)
{
	struct house *h = *state;

	comes(h, &h->a, ALICE);
	leave(&h->a);
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = 0});
	assert_int_equal(hub_member_count(h->hub), 0);
	assert_int_equal(hub_room_count(h->hub), 0);
}

static void only_so_much_is_kept(void **state)
{
	struct house *h = *state;

	comes(h, &h->a, ALICE);
	for (int i = 0; i < 8; i++)
		say(&h->a, HELLO);
	expect_nothing(&h->a);
	say(&h->a, HELLO);
	expect_error(&h->a, "rate-limited");
}

/* Joining is a message like any other: its sender hears that it was done, or why not. */
static void an_ack_waits_for_the_answer(void **state)
{
	struct house *h = *state;
	json_t *frame;

	comes(h, &h->a, ALICE);
	expect_nothing(&h->a);
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = 0});
	frame = last(&h->a, "ack");
	assert_int_equal(json_integer_value(json_object_get(frame, "ack")), 1);
	json_decref(frame);
	comes(h, &h->b, "{\"type\":\"username\",\"name\":\"bob\",\"ack\":\"b\"}");
	say(&h->b, "{\"type\":\"wave\",\"ack\":\"c\"}");
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = -E_DENIED});
	expect(&h->b, "{\"type\":\"error\",\"code\":\"refused\",\"message\":\"You may not "
	              "join.\",\"for\":\"username\",\"ack\":\"b\"}");
	expect_error(&h->b, "no-name");
	expect_nothing(&h->b);
}

/* One question at a time: the answer about one name lets nobody in under another. */
static void an_answer_is_for_its_question(void **state)
{
	struct house *h = *state;

	comes(h, &h->a, ALICE);
	say(&h->a, "{\"type\":\"username\",\"name\":\"good\",\"ack\":2}");
	say(&h->a, "{\"type\":\"username\",\"name\":\"evil\",\"ack\":3}");
	say(&h->a, HELLO);
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = -E_DENIED});
	assert_int_equal(questions, 2);
	assert_string_equal(asked_name, "good");
	hub_admit(h->hub, asked, &(struct hub_verdict){.fixed = true});
	assert_int_equal(questions, 2);
	assert_string_equal(hub_member_name(h->a.member), "good");
	says(&h->a, "message", "name", "good");
}

/* Whose connection the server ends meanwhile does not come in. */
static void nobody_comes_in_on_the_way_out(void **state)
{
	struct house *h = *state;

	comes(h, &h->a, ALICE);
	h->a.send_rc = -E_LIMIT;
	for (int i = 0; i < 9; i++)
		say(&h->a, HELLO);
	assert_int_equal(h->a.close_code, HUB_CLOSE_POLICY);
	hub_admit(h->hub, asked, &(struct hub_verdict){.err = 0});
	assert_string_equal(hub_member_name(h->a.member), "");
	assert_int_equal(hub_room_count(h->hub), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_admit, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(who_may_join_joins_with_what_they_have_said_meanwhile),
	    TEST(who_may_not_hears_why),
	    TEST(at_once),
	    TEST(another_name_stays),
	    TEST(a_fixed_name_is_not_left),
	    TEST(rights_are_those_of_the_answer),
	    TEST(who_leaves_meanwhile_is_forgotten),
	    TEST(only_so_much_is_kept),
	    TEST(an_ack_waits_for_the_answer),
	    TEST(an_answer_is_for_its_question),
	    TEST(nobody_comes_in_on_the_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
