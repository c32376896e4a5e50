/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Calls: several devices ring, the first answer has the call, and each call ends once.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "signal/tests/hub_house.h"

#define OFFER(to)           "{\"type\":\"video-offer\",\"target\":\"" to "\"}"
#define ANSWER(to)          "{\"type\":\"video-answer\",\"target\":\"" to "\"}"
#define BYE(to)             "{\"type\":\"hang-up\",\"target\":\"" to "\"}"
#define BECAUSE(to, reason) "{\"type\":\"hang-up\",\"target\":\"" to "\",\"reason\":\"" reason "\"}"

#define FROM(from, to, type) "{\"type\":\"" type "\",\"target\":\"" to "\",\"name\":\"" from "\"}"
#define HUNG_UP(from, to, reason)                                                                  \
	"{\"name\":\"" from "\",\"target\":\"" to "\",\"type\":\"hang-up\",\"reason\":\"" reason   \
	"\"}"

/* alice is a guest; bob has three devices: b, c and d. */
static struct house *devices(void **state)
{
	struct house *h = *state;
	struct hub_client *bob[] = {&h->b, &h->c, &h->d};

	join_from(h, &h->a, 0, NULL, NULL);
	sign_in(&h->a, "\"name\":\"alice\"");
	for (int i = 0; i < 3; i++) {
		join_from(h, bob[i], 0, NULL, "s1/bob/*/15");
		sign_in(bob[i], "\"name\":\"bob\"");
	}
	for (int i = 0; i < 3; i++)
		forget_frames(bob[i]);
	forget_frames(&h->a);
	return h;
}

static void expect_calls(struct house *h, const char *want)
{
	assert_string_equal(h->calls, want);
	h->calls[0] = '\0';
}

static void ring_all(struct house *h)
{
	say(&h->a, OFFER("bob"));
	expect(&h->b, FROM("alice", "bob", "video-offer"));
	expect(&h->c, FROM("alice", "bob", "video-offer"));
	expect(&h->d, FROM("alice", "bob", "video-offer"));
	expect_calls(h, "begun alice bob; ");
}

static void expect_quiet(struct house *h)
{
	expect_nothing(&h->a);
	expect_nothing(&h->b);
	expect_nothing(&h->c);
	expect_nothing(&h->d);
}

static void the_first_answer_has_the_call(void **state)
{
	struct house *h = devices(state);

	ring_all(h);
	say(&h->c, ANSWER("alice"));
	expect(&h->a, FROM("bob", "alice", "video-answer"));
	expect(&h->b, HUNG_UP("alice", "bob", "taken"));
	expect(&h->d, HUNG_UP("alice", "bob", "taken"));
	expect_calls(h, "answered bob alice; ");
	assert_int_equal(hub_call_count(h->hub), 1);
	/* a later answer of another device, and its candidates, do not reach the call */
	say(&h->b, ANSWER("alice"));
	expect_error(&h->b, "target-busy");
	/* what alice sends now goes to that device alone */
	say(&h->a, "{\"type\":\"new-ice-candidate\",\"target\":\"bob\"}");
	expect(&h->c, FROM("alice", "bob", "new-ice-candidate"));
	/* the callee's own offer, inside the call, as MDN's client does */
	say(&h->c, OFFER("alice"));
	expect(&h->a, FROM("bob", "alice", "video-offer"));
	say(&h->a, ANSWER("bob"));
	expect(&h->c, FROM("alice", "bob", "video-answer"));
	expect_calls(h, "");
	h->now_ms += 200000;
	hub_tick(h->hub);
	say(&h->c, BYE("alice"));
	expect(&h->a, FROM("bob", "alice", "hang-up"));
	expect_calls(h, "ended alice bob - 200 1; ");
	expect_quiet(h);
	assert_int_equal(hub_call_count(h->hub), 0);
}

/* They have pressed "decline" before they heard that it was taken: the caller, who knows both
 * devices by one name, goes on with the call. */
static void a_device_that_is_late_ends_no_call(void **state)
{
	struct house *h = devices(state);

	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	say(&h->c, "{\"type\":\"video-answer\",\"target\":\"alice\"}");
	forget_frames(&h->a);
	forget_frames(&h->b);
	say(&h->b, "{\"type\":\"new-ice-candidate\",\"target\":\"alice\"}");
	expect_error(&h->b, "target-busy");
	say(&h->b, "{\"type\":\"hang-up\",\"target\":\"alice\",\"reason\":\"declined\"}");
	expect_error(&h->b, "target-busy");
	expect_nothing(&h->a);
	say(&h->c, "{\"type\":\"hang-up\",\"target\":\"alice\"}");
	assert_int_equal(h->a.n, 1);
	say(&h->b, "{\"type\":\"hang-up\",\"target\":\"alice\"}"); /* nobody's: passed on */
	assert_int_equal(h->a.n, 2);
}

static void a_decline_is_for_all_devices(void **state)
{
	struct house *h = devices(state);

	ring_all(h);
	say(&h->b, BECAUSE("alice", "declined"));
	expect(&h->a, "{\"type\":\"hang-up\",\"target\":\"alice\",\"reason\":\"declined\","
	              "\"name\":\"bob\"}");
	expect(&h->c, HUNG_UP("alice", "bob", "taken"));
	expect(&h->d, HUNG_UP("alice", "bob", "taken"));
	expect_calls(h, "ended alice bob declined 0 0; ");
	expect_quiet(h);
	assert_int_equal(hub_call_count(h->hub), 0);
}

static void other_reasons_are_for_one_device(void **state)
{
	struct house *h = devices(state);

	ring_all(h);
	say(&h->b, BECAUSE("alice", "busy"));
	say(&h->c, BYE("alice"));
	expect_quiet(h);
	expect_calls(h, "");
	say(&h->d, BECAUSE("alice", "failed"));
	expect(&h->a, "{\"type\":\"hang-up\",\"target\":\"alice\",\"reason\":\"failed\","
	              "\"name\":\"bob\"}");
	expect_calls(h, "ended alice bob failed 0 0; ");
	expect_quiet(h);
}

static void the_caller_gives_up(void **state)
{
	struct house *h = devices(state);
	const char *bye = "{\"type\":\"hang-up\",\"target\":\"bob\",\"reason\":\"cancelled\","
	                  "\"name\":\"alice\"}";

	ring_all(h);
	say(&h->a, BECAUSE("bob", "cancelled"));
	expect(&h->b, bye);
	expect(&h->c, bye);
	expect(&h->d, bye);
	expect_calls(h, "ended alice bob cancelled 0 0; ");
	/* an answer that comes too late makes no call */
	say(&h->b, ANSWER("alice"));
	expect(&h->a, FROM("bob", "alice", "video-answer"));
	assert_int_equal(hub_call_count(h->hub), 0);
	expect_calls(h, "");
	expect_quiet(h);
}

static void nobody_answers(void **state)
{
	struct house *h = devices(state);

	ring_all(h);
	h->now_ms += 119999;
	assert_int_equal(hub_tick(h->hub), 1);
	expect_quiet(h);
	h->now_ms++;
	assert_int_equal(hub_tick(h->hub), -1);
	expect(&h->a, HUNG_UP("bob", "alice", "no-answer"));
	expect(&h->b, HUNG_UP("alice", "bob", "no-answer"));
	expect(&h->c, HUNG_UP("alice", "bob", "no-answer"));
	expect(&h->d, HUNG_UP("alice", "bob", "no-answer"));
	expect_calls(h, "ended alice bob no-answer 0 0; ");
	expect_quiet(h);
}

static void devices_that_leave_stop_to_ring(void **state)
{
	struct house *h = devices(state);

	ring_all(h);
	leave(&h->b);
	leave(&h->c);
	assert_non_null(strstr(h->a.frame[h->a.n - 1], "\"userlist\""));
	h->a.seen = h->a.n;
	expect_calls(h, "");
	leave(&h->d);
	expect(&h->a, HUNG_UP("bob", "alice", "gone"));
	expect_calls(h, "ended alice bob gone 0 0; ");
}

/* One of the two offers loses, so the answer may come from the caller's side: it is a call like any
 * other, and does not ring for ever. */
static void both_call_at_once(void **state)
{
	struct house *h = three(state);

	say(&h->a, OFFER("bob"));
	say(&h->b, OFFER("alice"));
	expect(&h->b, FROM("alice", "bob", "video-offer"));
	expect(&h->a, FROM("bob", "alice", "video-offer"));
	assert_int_equal(hub_call_count(h->hub), 1);
	say(&h->a, ANSWER("bob"));
	expect(&h->b, FROM("alice", "bob", "video-answer"));
	expect_calls(h, "begun alice bob; answered bob alice; ");
	h->now_ms += 120000;
	hub_tick(h->hub);
	expect_nothing(&h->a);
	expect_nothing(&h->b);
	say(&h->b, "{\"type\":\"hang-up\",\"target\":null}");
	expect(&h->a, "{\"name\":\"bob\",\"target\":\"alice\",\"type\":\"hang-up\"}");
	expect_calls(h, "ended alice bob - 120 1; ");
}

/* The device that called back has the call. */
static void a_device_calls_back_at_once(void **state)
{
	struct house *h = devices(state);

	ring_all(h);
	say(&h->d, OFFER("alice"));
	expect(&h->a, FROM("bob", "alice", "video-offer"));
	say(&h->a, ANSWER("bob"));
	expect(&h->b, HUNG_UP("alice", "bob", "taken"));
	expect(&h->c, HUNG_UP("alice", "bob", "taken"));
	expect(&h->d, FROM("alice", "bob", "video-answer"));
	expect_quiet(h);
	expect_calls(h, "answered bob alice; ");
}

/* The caller cannot answer its own offer. */
static void nobody_answers_themselves(void **state)
{
	struct house *h = three(state);

	say(&h->a, OFFER("bob"));
	say(&h->a, ANSWER("bob"));
	expect_calls(h, "begun alice bob; ");
	say(&h->b, ANSWER("alice"));
	expect_calls(h, "answered bob alice; ");
}

static void strangers_do_not_block(void **state)
{
	struct hub_client crowd[20] = {{.n = 0}};
	struct house *h = three(state);
	char text[64];

	for (int i = 0; i < 20; i++) {
		join(h, &crowd[i]);
		snprintf(text, sizeof(text), "\"name\":\"stranger%d\"", i);
		sign_in(&crowd[i], text);
		say(&crowd[i], OFFER("bob"));
	}
	forget_frames(&h->b);
	say(&h->a, OFFER("bob"));
	expect(&h->b, FROM("alice", "bob", "video-offer"));
	say(&h->b, ANSWER("alice"));
	assert_string_equal(h->a.frame[h->a.n - 1], FROM("bob", "alice", "video-answer"));
	for (int i = 0; i < 20; i++) {
		leave(&crowd[i]);
		forget_frames(&crowd[i]);
	}
	assert_int_equal(hub_call_count(h->hub), 1);
}

static void a_caller_has_a_limit(void **state)
{
	struct hub_conf conf;
	struct house *h;

	hub_conf_default(&conf);
	conf.max_calls = 1;
	setup_with(state, &conf);
	h = three(state);
	say(&h->a, OFFER("bob"));
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"carol\",\"ack\":7}");
	expect(&h->a, "{\"type\":\"error\",\"code\":\"too-many-calls\",\"message\":\"You have too "
	              "many calls at a time.\",\"target\":\"carol\",\"for\":\"video-offer\","
	              "\"ack\":7}");
	expect_nothing(&h->c);
	say(&h->a, BYE("bob"));
	say(&h->a, OFFER("carol"));
	expect(&h->c, FROM("alice", "carol", "video-offer"));
	teardown(state);
}

/* MDN's client goes on to say the old name; another one is told the new one. */
static void a_partner_has_another_name(void **state)
{
	struct house *h = *state;

	join(h, &h->a);
	sign_in(&h->a, "\"name\":\"alice\"");
	join(h, &h->b);
	sign_in(&h->b, "\"name\":\"bob\"");
	join(h, &h->c);
	sign_in(&h->c, "\"name\":\"carol\",\"room\":\"default\"");
	say(&h->b, OFFER("alice"));
	say(&h->a, ANSWER("bob"));
	say(&h->c, OFFER("bob"));
	say(&h->b, ANSWER("carol"));
	forget_frames(&h->a);
	forget_frames(&h->c);
	h->now_ms += 1000;
	sign_in(&h->b, "\"name\":\"robert\"");
	expect(&h->c, "{\"type\":\"renamed\",\"name\":\"bob\",\"to\":\"robert\"}");
	/* somebody else takes the old one */
	join(h, &h->d);
	sign_in(&h->d, "\"name\":\"bob\"");
	assert_string_equal(hub_member_name(h->d.member), "bob");
	forget_frames(&h->a);
	forget_frames(&h->b);
	forget_frames(&h->c);
	forget_frames(&h->d);
	say(&h->a, "{\"type\":\"new-ice-candidate\",\"target\":\"bob\"}");
	expect(&h->b, FROM("alice", "bob", "new-ice-candidate"));
	say(&h->c, "{\"type\":\"new-ice-candidate\",\"target\":\"robert\"}");
	expect(&h->b, FROM("carol", "robert", "new-ice-candidate"));
	say(&h->c, "{\"type\":\"wave\",\"target\":\"bob\"}");
	expect(&h->d, FROM("carol", "bob", "wave"));
	h->calls[0] = '\0';
	say(&h->a, BYE("bob"));
	expect(&h->b, FROM("alice", "bob", "hang-up"));
	expect_nothing(&h->d);
	expect_calls(h, "ended robert alice - 1 1; ");
	/* without the call, the name is its holder's */
	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\"}");
	expect(&h->d, FROM("alice", "bob", "wave"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(the_first_answer_has_the_call),
	    T(a_device_that_is_late_ends_no_call),
	    T(a_decline_is_for_all_devices),
	    T(other_reasons_are_for_one_device),
	    T(the_caller_gives_up),
	    T(nobody_answers),
	    T(devices_that_leave_stop_to_ring),
	    T(both_call_at_once),
	    T(a_device_calls_back_at_once),
	    T(nobody_answers_themselves),
	    T(strangers_do_not_block),
	    cmocka_unit_test(a_caller_has_a_limit),
	    T(a_partner_has_another_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
