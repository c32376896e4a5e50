/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Delivery: each message arrives, or its sender gets exactly one error.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "signal/tests/hub_house.h"

#define SECRET_B "0123456789abcdef-bob"
#define BOB      "\"name\":\"bob\",\"resume\":\"" SECRET_B "\""
#define TO_BOB   "{\"type\":\"wave\",\"target\":\"bob\"}"

/* bob counts. */
static struct house *counting(void **state)
{
	struct house *h = *state;

	join(h, &h->a);
	sign_in(&h->a, "\"name\":\"alice\"");
	join(h, &h->b);
	sign_in(&h->b, BOB ",\"seen\":0");
	forget_frames(&h->a);
	forget_frames(&h->b);
	return h;
}

static void say_n(struct hub_client *c, int n)
{
	char text[96];

	snprintf(text, sizeof(text), "{\"type\":\"wave\",\"target\":\"bob\",\"n\":%d,\"ack\":%d}",
	         n, n);
	say(c, text);
}

static void expect_n(struct hub_client *c, int n, int seq)
{
	char text[128];

	snprintf(text, sizeof(text),
	         "{\"type\":\"wave\",\"target\":\"bob\",\"n\":%d,\"ack\":%d,\"name\":\"alice\","
	         "\"seq\":%d}",
	         n, n, seq);
	expect(c, text);
}

static void expect_ack(struct hub_client *c, int n)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"type\":\"ack\",\"ack\":%d}", n);
	expect(c, text);
}

static void expect_lost(struct hub_client *c, const char *code, int n)
{
	json_t *e = c->seen < c->n ? json_loads(c->frame[c->seen], 0, NULL) : NULL;

	expect_error(c, code);
	assert_string_equal(json_string_value(json_object_get(e, "for")), "wave");
	assert_string_equal(json_string_value(json_object_get(e, "target")), "bob");
	assert_int_equal(json_integer_value(json_object_get(e, "ack")), n);
	json_decref(e);
}

/* bob comes back on d. */
static void come_back(struct house *h, int seen, int missed, int lost)
{
	char text[256];

	join(h, &h->d);
	forget_frames(&h->d);
	snprintf(text, sizeof(text), BOB ",\"seen\":%d", seen);
	sign_in(&h->d, text);
	snprintf(text, sizeof(text), "\"resumed\":true,\"missed\":%d,\"lost\":%d,", missed, lost);
	assert_true(h->d.n > 0);
	assert_non_null(strstr(h->d.frame[0], "\"signed-in\""));
	if (!strstr(h->d.frame[0], text))
		fail_msg("%s in %s", text, h->d.frame[0]);
	h->d.seen = 1;
}

static void a_target_is_one_name(void **state)
{
	static const char *const bad[] = {"[\"bob\"]", "7", "{\"bob\":1}", "true", "[]", "-0.5"};
	static const char *const types[] = {"message",      "video-offer", "new-ice-candidate",
	                                    "video-answer", "hang-up",     "wave"};
	struct house *h = three(state);
	char text[128];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		for (size_t j = 0; j < sizeof(types) / sizeof(*types); j++) {
			snprintf(text, sizeof(text),
			         "{\"type\":\"%s\",\"text\":\"x\",\"ack\":\"k\",\"target\":%s}",
			         types[j], bad[i]);
			say(&h->a, text);
			assert_non_null(strstr(h->a.frame[h->a.seen], "\"ack\":\"k\""));
			expect_error(&h->a, "bad-target");
			expect_nothing(&h->a);
		}
	}
	expect_nothing(&h->b);
	expect_nothing(&h->c);
	say(&h->a, "{\"type\":\"wave\",\"target\":null}");
	expect(&h->b, "{\"type\":\"wave\",\"target\":null,\"name\":\"alice\"}");
	say(&h->a, "{\"type\":\"wave\",\"target\":\"\"}");
	expect(&h->b, "{\"type\":\"wave\",\"target\":\"\",\"name\":\"alice\"}");
}

static void an_ack_is_answered_once(void **state)
{
	static const char *const bad[] = {"1.5", "null", "[1]", "{}", "true", "1e3"};
	struct house *h = three(state);
	char text[128];

	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\",\"ack\":\"x\\n1\"}");
	expect(&h->a, "{\"type\":\"ack\",\"ack\":\"x\\n1\"}");
	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\",\"ack\":-3}");
	expect(&h->a, "{\"type\":\"ack\",\"ack\":-3}");
	say(&h->a, "{\"type\":\"wave\",\"target\":\"nobody\",\"ack\":4}");
	assert_non_null(strstr(h->a.frame[h->a.seen], "\"for\":\"wave\",\"ack\":4}"));
	expect_error(&h->a, "unknown-target");
	forget_frames(&h->b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "{\"type\":\"wave\",\"target\":\"bob\",\"ack\":%s}",
		         bad[i]);
		say(&h->a, text);
		expect_error(&h->a, "bad-message");
	}
	expect_nothing(&h->a);
	expect_nothing(&h->b);
}

/* Any type, the likes of chat among them. */
static void who_is_away_gets_all_later(void **state)
{
	struct house *h = counting(state);

	say_n(&h->a, 1);
	expect_n(&h->b, 1, 1);
	expect_ack(&h->a, 1);
	leave(&h->b);
	for (int i = 2; i <= 5; i++) {
		forget_frames(&h->a);
		say_n(&h->a, i);
		expect_ack(&h->a, i);
		expect_nothing(&h->a);
	}
	come_back(h, 1, 4, 0);
	for (int i = 2; i <= 5; i++)
		expect_n(&h->d, i, i);
	say_n(&h->a, 6);
	h->d.seen++; /* the list */
	expect_n(&h->d, 6, 6);
	expect_nothing(&h->d);
	/* what it confirms is not sent again */
	say(&h->d, "{\"type\":\"seen\",\"seq\":4}");
	leave(&h->d);
	come_back(h, 4, 2, 0);
	expect_n(&h->d, 5, 5);
	expect_n(&h->d, 6, 6);
}

/* What bob has seen and had no time to say so. */
static void nothing_comes_twice(void **state)
{
	struct house *h = counting(state);

	for (int i = 1; i <= 3; i++)
		say_n(&h->a, i);
	leave(&h->b);
	come_back(h, 3, 0, 0);
	say_n(&h->a, 4);
	h->d.seen++;
	expect_n(&h->d, 4, 4);
	/* a client that claims to have seen what was never sent */
	leave(&h->d);
	say_n(&h->a, 5);
	come_back(h, 4000, 0, 0);
}

static void a_full_ring_refuses(void **state)
{
	struct house *h = counting(state);

	leave(&h->b);
	for (int i = 1; i <= 64; i++) {
		say_n(&h->a, i);
		forget_frames(&h->a);
		h->now_ms += 20;
	}
	say_n(&h->a, 65);
	expect_lost(&h->a, "target-busy", 65);
	expect_nothing(&h->a);
	come_back(h, 0, 64, 0);
	for (int i = 1; i <= 64; i++)
		expect_n(&h->d, i, i);
}

static void a_ring_has_bytes_too(void **state)
{
	struct house *h = counting(state);
	static const char head[] = "{\"type\":\"wave\",\"ack\":9,\"target\":\"bob\",\"n\":\"";
	size_t len = 60 * 1024;
	char *text = malloc(len + 1);

	leave(&h->b);
	forget_frames(&h->a);
	memset(text, 'x', len);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + len - 2, "\"}", 3);
	for (int i = 0; i < 4; i++) {
		say(&h->a, text);
		expect_ack(&h->a, 9);
	}
	say(&h->a, text);
	expect_lost(&h->a, "target-busy", 9);
	expect_nothing(&h->a);
	free(text);
}

/* What was kept for somebody who does not come back. */
static void each_sender_hears_once(void **state)
{
	struct house *h = counting(state);

	say_n(&h->a, 1);
	say(&h->b, "{\"type\":\"seen\",\"seq\":1}");
	leave(&h->b);
	say_n(&h->a, 2);
	say_n(&h->a, 3);
	say(&h->a, "{\"type\":\"message\",\"text\":\"to all\"}");
	forget_frames(&h->a);
	h->now_ms += 30000;
	hub_tick(h->hub);
	expect_lost(&h->a, "target-gone", 2);
	expect_lost(&h->a, "target-gone", 3);
	say_n(&h->a, 4);
	expect_lost(&h->a, "unknown-target", 4);
	hub_tick(h->hub);
	expect_nothing(&h->a);
}

/* It has a way back, and comes without counting. */
static void who_does_not_count_any_more(void **state)
{
	struct house *h = counting(state);

	leave(&h->b);
	say_n(&h->a, 1);
	forget_frames(&h->a);
	join(h, &h->d);
	forget_frames(&h->d);
	sign_in(&h->d, BOB);
	expect_lost(&h->a, "target-gone", 1);
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\"]}");
	expect_nothing(&h->a);
	say(&h->a, TO_BOB);
	assert_string_equal(h->d.frame[h->d.n - 1],
	                    "{\"type\":\"wave\",\"target\":\"bob\",\"name\":\"alice\"}");
}

static void who_never_counted_is_away(void **state)
{
	struct house *h = *state;

	join(h, &h->a);
	sign_in(&h->a, "\"name\":\"alice\"");
	join(h, &h->b);
	sign_in(&h->b, BOB);
	leave(&h->b);
	forget_frames(&h->a);
	say_n(&h->a, 1);
	expect_lost(&h->a, "target-away", 1);
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	expect_error(&h->a, "target-away");
	expect_nothing(&h->a);
	assert_int_equal(hub_call_count(h->hub), 0);
}

static struct hub_text *frame_of(struct house *h, const char *text)
{
	struct hub_text *t = hub_text_new(text, strlen(text));

	t->from = hub_member_id(h->a.member);
	return t;
}

/* Frames that were still in the binding's queue when the connection broke. */
static void what_was_not_sent_is_not_lost(void **state)
{
	struct house *h = counting(state);
	struct hub_text *t = frame_of(
	    h, "{\"type\":\"wave\",\"target\":\"bob\",\"ack\":2,\"name\":\"alice\",\"seq\":2}");

	say_n(&h->a, 1);
	say_n(&h->a, 2);
	forget_frames(&h->a);
	t->seq = 2;
	hub_unsent(h->b.member, t);
	expect_nothing(&h->a);
	hub_leave(h->b.member, HUB_CLOSE_NORMAL); /* it does not come back */
	h->b.member = NULL;
	expect_lost(&h->a, "target-gone", 2);
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\"]}");
	expect_nothing(&h->a);
	hub_text_unref(t);
}

static void a_client_without_a_way_back(void **state)
{
	struct house *h = three(state);
	struct hub_text *t =
	    frame_of(h, "{\"type\":\"wave\",\"target\":\"bob\",\"ack\":5,\"name\":\"alice\"}");

	hub_unsent(h->b.member, t);
	expect_lost(&h->a, "target-gone", 5);
	t->from = 0; /* to everybody */
	hub_unsent(h->b.member, t);
	expect_nothing(&h->a);
	hub_text_unref(t);
}

/* The old connection's queue is in the ring of the new one. */
static void a_replaced_queue_is_no_loss(void **state)
{
	struct house *h = counting(state);
	struct hub_text *t = frame_of(
	    h, "{\"type\":\"wave\",\"target\":\"bob\",\"ack\":1,\"name\":\"alice\",\"seq\":1}");

	say_n(&h->a, 1);
	come_back(h, 0, 1, 0);
	expect_n(&h->d, 1, 1);
	assert_int_equal(h->b.close_code, HUB_CLOSE_REPLACED);
	forget_frames(&h->a);
	t->seq = 1;
	hub_unsent(h->b.member, t);
	leave(&h->b);
	expect_nothing(&h->a);
	hub_text_unref(t);
}

/* A client that never confirms: the oldest make way, and it is told how many. */
static void the_oldest_make_way(void **state)
{
	struct house *h = counting(state);

	for (int i = 1; i <= 70; i++) {
		say_n(&h->a, i);
		forget_frames(&h->a);
		h->now_ms += 20;
	}
	leave(&h->b);
	come_back(h, 0, 64, 6);
	for (int i = 7; i <= 70; i++)
		expect_n(&h->d, i, i);
}

static void a_broadcast_has_one_error(void **state)
{
	struct house *h = three(state);

	h->b.busy = h->c.busy = true;
	say(&h->a, "{\"type\":\"message\",\"text\":\"x\",\"ack\":1}");
	expect(&h->a, "{\"type\":\"message\",\"text\":\"x\",\"ack\":1,\"name\":\"alice\"}");
	expect(&h->a, "{\"type\":\"error\",\"code\":\"target-busy\",\"message\":\"Not all could "
	              "receive the message now.\",\"for\":\"message\",\"ack\":1,\"missed\":2}");
	expect_nothing(&h->a);
}

/* It lost its connection before it had the answers, and sends all again. */
static void a_message_is_not_taken_twice(void **state)
{
	struct house *h = counting(state);

	say(&h->b, "{\"type\":\"wave\",\"target\":\"alice\",\"ack\":1}");
	say(&h->b, "{\"type\":\"wave\",\"target\":\"alice\",\"ack\":2}");
	leave(&h->b);
	h->a.seen = h->a.n;
	come_back(h, 0, 0, 0);
	assert_non_null(strstr(h->d.frame[0], "\"last\":2"));
	h->a.seen = h->a.n;
	h->d.seen = h->d.n;
	say(&h->d, "{\"type\":\"wave\",\"target\":\"alice\",\"ack\":2}");
	say(&h->d, "{\"type\":\"wave\",\"target\":\"alice\",\"ack\":3}");
	expect_ack(&h->d, 2);
	expect_ack(&h->d, 3);
	expect(&h->a, "{\"type\":\"wave\",\"target\":\"alice\",\"ack\":3,\"name\":\"bob\"}");
	expect_nothing(&h->a);
}

/* Sends n bytes to the xth of the crowd. False: they were refused. */
static bool fill(struct house *h, int x, size_t n)
{
	char *text = malloc(n + 1), head[64];
	bool refused;

	snprintf(head, sizeof(head), "{\"type\":\"wave\",\"target\":\"x%d\",\"n\":\"", x);
	memset(text, 'x', n);
	memcpy(text, head, strlen(head));
	memcpy(text + n - 2, "\"}", 3);
	forget_frames(&h->a);
	say(&h->a, text);
	free(text);
	refused = h->a.n > 0;
	if (refused)
		expect_error(&h->a, "target-busy");
	return !refused;
}

/* Those who are away have taken all the memory that the hub has for it: who is there goes on to get
 * everything, numbered. */
static void a_full_hub_keeps_nothing(void **state)
{
	static const size_t smaller[] = {8192, 1024, 128, 64};
	struct hub_client c = {.n = 0};
	struct hub_conf conf;
	struct house *h;
	char text[96];
	int x = -1, n = 4;

	hub_conf_default(&conf);
	conf.rate_burst = 0; /* no limit */
	setup_with(state, &conf);
	h = counting(state);
	while (n == 4) {
		assert_true(++x < 300);
		snprintf(text, sizeof(text),
		         "\"name\":\"x%d\",\"resume\":\"0123456789abcdef%d\",\"seen\":0", x, x);
		join(h, &c);
		sign_in(&c, text);
		leave(&c);
		forget_frames(&c);
		forget_frames(&h->b);
		for (n = 0; n < 4 && fill(h, x, 60 * 1024);)
			n++;
	}
	for (size_t i = 0; i < sizeof(smaller) / sizeof(*smaller); i++) {
		while (fill(h, x, smaller[i]))
			;
	}
	forget_frames(&h->a);
	forget_frames(&h->b);
	say_n(&h->a, 1);
	expect_n(&h->b, 1, 1);
	say_n(&h->a, 2);
	expect_n(&h->b, 2, 2);
	leave(&h->b);
	come_back(h, 1, 0, 1);
	teardown(state);
}

/* Who may not call reaches a stranger by no message of a call. */
static void no_message_of_a_call_goes_round(void **state)
{
	static const char *const types[] = {"video-offer", "video-answer", "new-ice-candidate",
	                                    "hang-up"};
	struct house *h = *state;
	char text[96];

	join_from(h, &h->a, 0, NULL, "s/alice/*/0");
	sign_in(&h->a, "\"name\":\"alice\"");
	join_from(h, &h->b, 0, NULL, "t/bob/*/15");
	sign_in(&h->b, "\"name\":\"bob\"");
	forget_frames(&h->a);
	forget_frames(&h->b);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		snprintf(text, sizeof(text), "{\"type\":\"%s\",\"target\":\"bob\"}", types[i]);
		say(&h->a, text);
		expect_error(&h->a, "not-allowed");
	}
	expect_nothing(&h->b);
	/* but may answer, and hang up */
	say(&h->b, "{\"type\":\"video-offer\",\"target\":\"alice\"}");
	for (size_t i = 1; i < sizeof(types) / sizeof(*types); i++) {
		snprintf(text, sizeof(text), "{\"type\":\"%s\",\"target\":\"bob\"}", types[i]);
		say(&h->a, text);
	}
	while (h->b.seen < h->b.n && strstr(h->b.frame[h->b.seen], "userlist"))
		h->b.seen++;
	assert_int_equal(h->b.n - h->b.seen, 3);
}

/* Clients do not number each other's frames. */
static void a_number_is_the_servers(void **state)
{
	struct house *h = counting(state);

	say(&h->a, "{\"type\":\"wave\",\"seq\":99,\"target\":\"bob\"}");
	expect(&h->b, "{\"type\":\"wave\",\"target\":\"bob\",\"name\":\"alice\",\"seq\":1}");
}

/* It would confirm it, which is refused for want of a name, with the next number: for ever. */
static void a_refused_client_gets_no_number(void **state)
{
	struct house *h = *state;

	join(h, &h->a);
	forget_frames(&h->a);
	sign_in(&h->a, "\"name\":\"<>\",\"resume\":\"" SECRET_B "\",\"seen\":0");
	assert_null(strstr(h->a.frame[h->a.seen], "\"seq\""));
	expect_error(&h->a, "bad-name");
	say(&h->a, "{\"type\":\"seen\",\"seq\":1}");
	assert_null(strstr(h->a.frame[h->a.seen], "\"seq\""));
	expect_error(&h->a, "no-name");
	expect_nothing(&h->a);

	sign_in(&h->a, BOB ",\"seen\":0");
	forget_frames(&h->a);
	say(&h->a, "{\"type\":\"wave\",\"target\":\"nobody\"}");
	assert_non_null(strstr(h->a.frame[h->a.seen], "\"seq\":1}"));
	expect_error(&h->a, "unknown-target");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_target_is_one_name),
	    T(an_ack_is_answered_once),
	    T(who_is_away_gets_all_later),
	    T(nothing_comes_twice),
	    T(a_full_ring_refuses),
	    T(a_ring_has_bytes_too),
	    T(each_sender_hears_once),
	    T(who_does_not_count_any_more),
	    T(who_never_counted_is_away),
	    T(what_was_not_sent_is_not_lost),
	    T(a_client_without_a_way_back),
	    T(a_replaced_queue_is_no_loss),
	    T(the_oldest_make_way),
	    T(a_broadcast_has_one_error),
	    T(a_message_is_not_taken_twice),
	    T(a_number_is_the_servers),
	    T(a_refused_client_gets_no_number),
	    T(no_message_of_a_call_goes_round),
	    cmocka_unit_test(a_full_hub_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
