/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The faults of the sample server, bad input and limits.
 */
#include "base/error.h"
#include "signal/tests/hub_house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
		h->now_ms += 1000;
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
		assert_string_equal(hub_member_name(h->a.member), names[i].given);
	}
	/* a variant of a full-length name still fits */
	h->now_ms += 1000;
	join(h, &h->b);
	forget_frames(&h->b);
	say(&h->b, "{\"name\":\"0123456789012345678901234567890123456789012345678901234567890\xc3"
	           "\xa9\",\"type\":\"username\"}");
	say(&h->a, "{\"name\":\"0123456789012345678901234567890123456789012345678901234567890\xc3"
	           "\xa9\",\"type\":\"username\"}");
	assert_string_equal(hub_member_name(h->a.member),
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
		assert_string_equal(hub_member_name(h->a.member), "alice");
	}
	expect_nothing(&h->b);
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

static void test_unknown_target(void **state)
{
	struct house *h = three(state);

	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"nobody\",\"sdp\":1}");
	expect(&h->a,
	       "{\"type\":\"error\",\"code\":\"unknown-target\",\"message\":\"No user of that "
	       "name is signed in.\",\"target\":\"nobody\",\"for\":\"video-offer\"}");
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
	conf.max_connections = 3;
	conf.max_calls = 1;
	setup_with(state, &conf);
	h = three(state);
	assert_int_equal(hub_join(h->hub, &h->d, &(struct hub_visit){0}, &h->d.member), -E_LIMIT);
	assert_null(h->d.member);
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	forget_frames(&h->b);
	/* what others offer does not keep bob from being called */
	say(&h->c, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	expect(&h->b, "{\"type\":\"video-offer\",\"target\":\"bob\",\"name\":\"carol\"}");
	/* but each may have so many offers under way, and so many calls */
	say(&h->c, "{\"type\":\"video-offer\",\"target\":\"alice\"}");
	expect_error(&h->c, "too-many-calls");
	say(&h->b, "{\"type\":\"video-answer\",\"target\":\"alice\"}");
	say(&h->b, "{\"type\":\"video-answer\",\"target\":\"carol\"}");
	expect_error(&h->b, "too-many-calls");
	assert_int_equal(hub_call_count(h->hub), 2);
	leave(&h->c);
	join(h, &h->d);
	teardown(state);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_names_are_cleaned),
	    T(test_no_name_left),
	    T(test_tags_are_stripped),
	    T(test_forged_name_is_overwritten),
	    T(test_server_only_types),
	    T(test_unknown_target),
	    T(test_bad_input_is_answered),
	    T(test_longest_message_passes),
	    T(test_slow_receiver_is_closed),
	    T(test_one_client_cannot_fill_anothers_queue),
	    T(test_rate),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
