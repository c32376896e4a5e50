/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hub against the exact bytes of the MDN protocol, and its traps.
 */
#include "base/error.h"
#include "signal/tests/hub_house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
	expect_nothing(&h->a); /* a client without a name is not in the list */
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
	h->now_ms += 1000;
	say(&h->c, "{\"name\":\"alice\",\"type\":\"username\"}");
	h->c.seen++; /* userlist of the step before */
	expect(&h->c, "{\"id\":1795326215787,\"type\":\"rejectusername\",\"name\":\"alice1\"}");
	leave(&h->d);
	forget_frames(&h->c);
	h->now_ms += 1000;
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
	assert_string_equal(hub_member_name(h->c.member), "bob1");
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

static void test_unknown_types_pass(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"type\":\"wave\",\"n\":1,\"target\":\"bob\"}");
	expect(&h->b, "{\"type\":\"wave\",\"n\":1,\"target\":\"bob\",\"name\":\"alice\"}");
	expect_nothing(&h->c);
	say(&h->a, "{\"type\":\"wave\",\"target\":\"\"}");
	expect(&h->c, "{\"type\":\"wave\",\"target\":\"\",\"name\":\"alice\"}");
	say(&h->a, "{\"type\":\"wave\",\"target\":null}");
	expect(&h->c, "{\"type\":\"wave\",\"target\":null,\"name\":\"alice\"}");
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
	expect(&h->a, "{\"name\":\"bob\",\"target\":\"alice\",\"type\":\"hang-up\","
	              "\"reason\":\"gone\"}");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\",\"carol\"]}");
	expect(&h->c, "{\"type\":\"userlist\",\"users\":[\"alice\",\"carol\"]}");
	assert_int_equal(hub_call_count(h->hub), 0);
	/* and not twice */
	say(&h->a, "{\"type\":\"hang-up\",\"target\":null}");
	leave(&h->a);
	expect(&h->c, "{\"type\":\"userlist\",\"users\":[\"carol\"]}");
}

/* The answer of a call that was hung up meanwhile, or was never offered: it makes no call, or the
 * next hang-up of its target would end another call of its sender. */
static void test_late_answer_makes_no_call(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	say(&h->a, "{\"type\":\"hang-up\",\"target\":null}");
	say(&h->b, "{\"type\":\"video-answer\",\"target\":\"alice\"}");
	expect(&h->a, "{\"type\":\"video-answer\",\"target\":\"alice\",\"name\":\"bob\"}");
	assert_int_equal(hub_call_count(h->hub), 0);
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"carol\"}");
	forget_frames(&h->b);
	say(&h->a, "{\"type\":\"hang-up\",\"target\":null}");
	expect_nothing(&h->b);
}

static void test_rename_in_a_call(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	say(&h->b, "{\"type\":\"username\",\"name\":\"robert\"}");
	forget_frames(&h->a);
	leave(&h->b);
	expect(&h->a, "{\"name\":\"robert\",\"target\":\"alice\",\"type\":\"hang-up\","
	              "\"reason\":\"gone\"}");
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
	assert_string_equal(hub_member_name(h->d.member), "alice1");
	say(&h->d, "{\"type\":\"username\",\"name\":\"alice\",\"resume\":\"0123456789abcdeX\"}");
	assert_string_equal(hub_member_name(h->d.member), "alice1");
	say(&h->d, "{\"type\":\"username\",\"name\":\"alice\",\"resume\":\"\"}");
	assert_string_equal(hub_member_name(h->d.member), "alice1");
	assert_int_equal(h->a.close_code, 0);
	forget_frames(&h->b);
	say(&h->d, again);
	assert_string_equal(hub_member_name(h->d.member), "alice");
	assert_int_equal(h->a.close_code, HUB_CLOSE_REPLACED);
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"bob\",\"carol\",\"alice\"]}");
	leave(&h->a);
	expect_nothing(&h->b); /* neither a hang-up nor a new list */
	assert_int_equal(hub_call_count(h->hub), 1);
	say(&h->b, "{\"type\":\"hang-up\",\"target\":null}");
	h->d.seen = h->d.n - 1;
	expect(&h->d, "{\"name\":\"bob\",\"target\":\"alice\",\"type\":\"hang-up\"}");
	assert_int_equal(hub_call_count(h->hub), 0);
}

static const char alice_again[] =
    "{\"type\":\"username\",\"name\":\"alice\",\"resume\":\"0123456789abcdef\"}";

/* alice, who has given a secret and is in a call with bob, loses her connection. */
static struct house *alice_is_cut_off(void **state)
{
	struct house *h = three(state);

	say(&h->a, alice_again);
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	say(&h->b, "{\"type\":\"video-answer\",\"target\":\"alice\"}");
	forget_frames(&h->b);
	assert_int_equal(hub_tick(h->hub), -1);
	leave(&h->a);
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"bob\",\"carol\"]}");
	expect_nothing(&h->b); /* no hang-up */
	assert_int_equal(hub_call_count(h->hub), 1);
	assert_int_equal(hub_member_count(h->hub), 2);
	return h;
}

static void test_coming_back_after_a_loss(void **state)
{
	struct house *h = alice_is_cut_off(state);

	h->now_ms += 29000;
	assert_int_equal(hub_tick(h->hub), 1000);
	/* meanwhile she cannot be reached, and nobody gets her name */
	say(&h->b, "{\"type\":\"video-offer\",\"target\":\"alice\"}");
	expect_error(&h->b, "target-away");
	join(h, &h->d);
	say(&h->d, "{\"type\":\"username\",\"name\":\"alice\",\"resume\":\"0123456789abcdeX\"}");
	assert_string_equal(hub_member_name(h->d.member), "alice1");
	say(&h->d, alice_again);
	assert_string_equal(hub_member_name(h->d.member), "alice");
	h->now_ms += 60000;
	forget_frames(&h->b);
	assert_int_equal(hub_tick(h->hub), -1);
	expect_nothing(&h->b);
	assert_int_equal(hub_call_count(h->hub), 1);
	forget_frames(&h->d);
	say(&h->b, "{\"type\":\"hang-up\",\"target\":\"alice\"}");
	expect(&h->d, "{\"type\":\"hang-up\",\"target\":\"alice\",\"name\":\"bob\"}");
}

static void test_not_coming_back(void **state)
{
	struct house *h = alice_is_cut_off(state);

	h->now_ms += 30000;
	assert_int_equal(hub_tick(h->hub), -1);
	expect(&h->b, "{\"name\":\"alice\",\"target\":\"bob\",\"type\":\"hang-up\","
	              "\"reason\":\"gone\"}");
	expect_nothing(&h->b);
	assert_int_equal(hub_call_count(h->hub), 0);
	join(h, &h->d);
	say(&h->d, "{\"type\":\"username\",\"name\":\"alice\"}");
	assert_string_equal(hub_member_name(h->d.member), "alice");
}

static void test_hanging_up_on_the_lost(void **state)
{
	struct house *h = alice_is_cut_off(state);

	say(&h->b, "{\"type\":\"hang-up\",\"target\":\"alice\"}");
	assert_int_equal(hub_call_count(h->hub), 0);
	/* without a call, too, she has her time to come back */
	join(h, &h->d);
	say(&h->d, "{\"type\":\"username\",\"name\":\"alice\"}");
	assert_string_equal(hub_member_name(h->d.member), "alice1");
	h->now_ms += 30000;
	assert_int_equal(hub_tick(h->hub), -1);
	say(&h->d, "{\"type\":\"username\",\"name\":\"alice\"}");
	assert_string_equal(hub_member_name(h->d.member), "alice");
}

static void test_secrets_are_not_passed_on(void **state)
{
	struct house *h = three(state);

	say(&h->b, "{\"type\":\"username\",\"name\":\"bob\",\"resume\":\"0123456789abcdef\"}");
	expect(&h->b, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\",\"carol\"]}");
	expect_nothing(&h->a);
}

static void test_ice_servers(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"type\":\"ice-servers\"}");
	assert_string_equal(h->ice_name, "alice");
	assert_string_equal(h->ice_token, "(none)");
	expect(&h->a,
	       "{\"type\":\"ice-servers\",\"iceServers\":[{\"urls\":[\"stun:203.0.113.1:3478\"]}]"
	       ",\"ttl\":600,\"strict\":true}");
	h->ice_rc = -E_DENIED;
	say(&h->a, "{\"type\":\"ice-servers\",\"key\":\"k%n\"}");
	assert_string_equal(h->ice_token, "k%n");
	expect_error(&h->a, "api-token-needed");
	h->ice_rc = -E_REVOKED;
	say(&h->a, "{\"type\":\"ice-servers\"}");
	expect_error(&h->a, "credentials-revoked");
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
	hub_ice_refuse(h->hub, h->ice_member, -E_DENIED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_sign_in),
	    T(test_nameless_leaves_unnoticed),
	    T(test_taken_names),
	    T(test_own_name_again),
	    T(test_chat),
	    T(test_call_is_routed_untouched),
	    T(test_unknown_types_pass),
	    T(test_targetless_hang_up),
	    T(test_partner_is_lost),
	    T(test_late_answer_makes_no_call),
	    T(test_rename_in_a_call),
	    T(test_coming_back),
	    T(test_coming_back_after_a_loss),
	    T(test_not_coming_back),
	    T(test_hanging_up_on_the_lost),
	    T(test_secrets_are_not_passed_on),
	    T(test_ice_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
