/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The question to the operator's program before somebody joins, with a real one that allows,
 * refuses, errs, hangs and closes.
 */
#include "daemon/tests/hooks_scene.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void start_asking(struct scene *s, const char *more)
{
	char options[256];

	snprintf(options, sizeof(options),
	         "--join-url http://127.0.0.1:%u/join --join-timeout 1 %s",
	         receiver_port(s->receiver), more);
	scene_start_bare(s, KEY_A, options);
	assert_true(hooks_asks(s->hooks));
}

static bool has_answers(struct scene *s, size_t n)
{
	event_base_loop(s->base, EVLOOP_NONBLOCK);
	return s->answer_n >= n;
}

/* Asks, and waits for what it is answered with. */
static struct hooks_answer ask(struct scene *s, int status, const char *body)
{
	size_t n = s->answer_n;

	if (s->receiver)
		receiver_answer(s->receiver, status, NULL, body);
	assert_int_equal(hooks_ask(s->hooks, 7 + n, json_pack("{ss}", "name", "alice")), 0);
	SOON(has_answers(s, n + 1));
	assert_int_equal(s->answers[n].member_id, 7 + n);
	return s->answers[n];
}

static void a_question_is_signed(void **state)
{
	char expected[64], signature[80];
	struct scene *s = *state;
	struct receiver_post p;
	json_t *body;

	start_asking(s, "");
	assert_int_equal(ask(s, 200, "{\"allow\":true}").err, 0);
	p = receiver_at(s->receiver, 0);
	assert_string_equal(p.path, "/join");
	scene_sign(s, &p, KEY_A_HEX, expected);
	snprintf(signature, sizeof(signature), "v1,%s", expected);
	assert_string_equal(p.signature, signature);
	body = scene_body(&p);
	assert_string_equal(json_string_value(json_object_get(body, "id")), p.id);
	assert_string_equal(json_string_value(json_object_get(body, "name")), "alice");
	json_decref(body);
}

static void an_answer_may_change_name_and_rights(void **state)
{
	struct scene *s = *state;
	struct hooks_answer a;

	start_asking(s, "");
	a = ask(s, 200, "{\"allow\":true,\"name\":\"Dr. A\",\"may\":[\"call\",\"list\"],\"x\":1}");
	assert_int_equal(a.err, 0);
	assert_string_equal(a.name, "Dr. A");
	assert_true(a.has_may);
	assert_string_equal(a.may, "call,list");
	a = ask(s, 200, "{\"allow\":true,\"name\":null,\"may\":[]}");
	assert_int_equal(a.err, 0);
	assert_string_equal(a.name, "");
	assert_true(a.has_may);
	assert_string_equal(a.may, "");
	a = ask(s, 200, "{\"allow\":true}");
	assert_false(a.has_may);
}

static void a_no_has_its_reason(void **state)
{
	char body[1200] = "{\"allow\":false,\"message\":\"";
	struct scene *s = *state;
	struct hooks_answer a;

	start_asking(s, "");
	a = ask(s, 200, "{\"allow\":false,\"message\":\"Pay\\u0007 first\\n\"}");
	assert_int_equal(a.err, -E_DENIED);
	assert_string_equal(a.message, "Pay⟨U+0007⟩ first⟨U+000A⟩");
	a = ask(s, 403, "{\"message\":\"No.\"}");
	assert_int_equal(a.err, -E_DENIED);
	assert_string_equal(a.message, "No.");
	a = ask(s, 403, "{\"allow\":true}");
	assert_int_equal(a.err, -E_DENIED);
	memset(body + strlen(body), 'x', 1000);
	strcat(body, "\"}");
	a = ask(s, 200, body);
	assert_int_equal(strlen(a.message), HOOK_MESSAGE_STRLEN - 1);
	SOON(scene_stats(s).asked[HOOK_ASKED_REFUSED] == 4);
}

/* Nothing but a clear yes is a yes. */
static void anything_else_is_a_no(void **state)
{
	static const struct {
		int status;
		const char *body;
	} answers[] = {
	    {500, "{\"allow\":true}"},
	    {302, "{\"allow\":true}"},
	    {204, ""},
	    {201, "{\"allow\":true}"},
	    {429, "{\"allow\":true}"},
	    {200, ""},
	    {200, "yes"},
	    {200, "[true]"},
	    {200, "{\"allow\":\"true\"}"},
	    {200, "{\"allow\":1}"},
	    {200, "{\"allow\":false,\"allow\":true}"},
	    {200, "{\"allow\":true} {\"allow\":true}"},
	    {200, "{\"allow\":true,\"name\":7}"},
	    {200, "{\"allow\":true,\"name\":\"\"}"},
	    {200, "{\"allow\":true,\"name\":\"a\\u0000b\"}"},
	    {200, "{\"allow\":true,\"may\":\"call\"}"},
	    {200, "{\"allow\":true,\"may\":[1]}"},
	    {200, "{\"allow\":true,\"may\":[\"call,open\"]}"},
	    {RECEIVER_CLOSES, ""},
	    {RECEIVER_HANGS, ""},
	};
	struct scene *s = *state;
	char *body = calloc(1, 60000);

	start_asking(s, "");
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct hooks_answer a = ask(s, answers[i].status, answers[i].body);

		if (a.err != -E_UNREACHABLE)
			fail_msg("%d %s: %d", answers[i].status, answers[i].body, a.err);
	}
	/* too long to be read whole */
	snprintf(body, 60000, "{\"allow\":true,\"x\":\"%050000d\"}", 0);
	assert_int_equal(ask(s, 200, body).err, -E_UNREACHABLE);
	free(body);
	assert_int_equal(ask(s, 200, "{\"allow\":true}").err, 0);
	receiver_stop(s->receiver);
	s->receiver = NULL;
	assert_int_equal(ask(s, 0, NULL).err, -E_UNREACHABLE);
}

static void a_slow_webhook_delays_no_question(void **state)
{
	struct receiver *slow = receiver_start(0, NULL, NULL);
	struct scene *s = *state;
	int64_t since;
	char more[96];

	receiver_answer(slow, RECEIVER_HANGS, NULL, NULL);
	snprintf(more, sizeof(more), "--webhook-url http://127.0.0.1:%u/", receiver_port(slow));
	start_asking(s, more);
	scene_tell(s, 0);
	SOON(receiver_count(slow) == 1);
	since = test_now_ms();
	assert_int_equal(ask(s, 200, "{\"allow\":true}").err, 0);
	assert_true(test_now_ms() - since < 5000); /* a tenth of what the other may take */
	assert_int_equal(receiver_count(slow), 1);
	receiver_stop(slow);
}

/* 256 at a time; who comes then is refused at once, and the 256 within their second. */
static void questions_are_bounded(void **state)
{
	struct scene *s = *state;
	json_t *question;

	receiver_answer(s->receiver, RECEIVER_HANGS, NULL, NULL);
	start_asking(s, "");
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(hooks_ask(s->hooks, i, json_pack("{ss}", "name", "a")), 0);
	question = json_pack("{ss}", "name", "b");
	assert_int_equal(hooks_ask(s->hooks, 256, question), -E_LIMIT);
	SOON(has_answers(s, 256));
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(s->answers[i].err, -E_UNREACHABLE);
	SOON(scene_stats(s).asked[HOOK_ASKED_FAILED] == 257);
	s->answer_n = 0;
	assert_int_equal(ask(s, 200, "{\"allow\":true}").err, 0);
}

/* Nothing is answered, and nothing is left, when the server stops meanwhile. */
static void a_stop_forgets_questions(void **state)
{
	struct scene *s = *state;

	receiver_answer(s->receiver, RECEIVER_HANGS, NULL, NULL);
	start_asking(s, "");
	assert_int_equal(hooks_ask(s->hooks, 1, json_pack("{ss}", "name", "a")), 0);
	SOON(receiver_count(s->receiver) == 1);
	scene_stop(s);
	assert_int_equal(s->answer_n, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_question_is_signed),
	    TEST(an_answer_may_change_name_and_rights),
	    TEST(a_no_has_its_reason),
	    TEST(anything_else_is_a_no),
	    TEST(a_slow_webhook_delays_no_question),
	    TEST(questions_are_bounded),
	    TEST(a_stop_forgets_questions),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
