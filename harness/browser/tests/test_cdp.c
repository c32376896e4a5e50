/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CDP framing and calls, over real pipes.
 */
#include "harness/browser/cdp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_frames_arrive_in_any_pieces(void **state)
{
	static const char stream[] = "{\"a\":1}\0\0{\"b\":[2]}"; /* the literal's NUL ends it */
	static const char *const want[] = {"{\"a\":1}", "", "{\"b\":[2]}"};

	(void)state;
	for (size_t piece = 1; piece <= sizeof(stream); piece++) {
		struct cdp_frames f = {0};
		size_t got = 0, len;

		for (size_t at = 0; at < sizeof(stream); at += piece) {
			size_t n = sizeof(stream) - at < piece ? sizeof(stream) - at : piece;
			const char *msg;

			assert_int_equal(cdp_frames_add(&f, stream + at, n), 0);
			while ((msg = cdp_frames_next(&f, &len)) != NULL) {
				assert_true(got < 3);
				assert_int_equal(len, strlen(want[got]));
				assert_string_equal(msg, want[got++]);
			}
		}
		assert_int_equal(got, 3);
		cdp_frames_clear(&f);
	}
}

static void test_endless_message_is_refused(void **state)
{
	size_t chunk_len = 1 << 20, added = 0;
	char *chunk = malloc(chunk_len);
	struct cdp_frames f = {0};
	int err = 0;

	(void)state;
	memset(chunk, 'x', chunk_len);
	while (err == 0 && added < 2 * (size_t)CDP_MESSAGE_MAX) {
		err = cdp_frames_add(&f, chunk, chunk_len);
		added += chunk_len;
	}
	assert_int_equal(err, -E_LIMIT);
	assert_true(added <= CDP_MESSAGE_MAX + chunk_len);
	cdp_frames_clear(&f);
	free(chunk);
}

struct talk {
	struct cdp *cdp;
	int say;  /* the browser's end */
	int hear; /* what the harness sent */
	int events;
	char method[64];
};

static void on_event(void *arg, const char *method, const json_t *params)
{
	struct talk *t = arg;

	(void)params;
	t->events++;
	snprintf(t->method, sizeof(t->method), "%s", method);
}

static int setup(void **state)
{
	struct talk *t = calloc(1, sizeof(*t));
	int to[2], from[2];

	if (!t || pipe(to) != 0 || pipe(from) != 0 ||
	    cdp_new(&t->cdp, from[0], to[1], on_event, t) != 0)
		return -1;
	t->hear = to[0];
	t->say = from[1];
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct talk *t = *state;

	cdp_free(t->cdp);
	if (t->say >= 0)
		close(t->say);
	close(t->hear);
	free(t);
	return 0;
}

static void say(struct talk *t, const char *text)
{
	size_t len = strlen(text) + 1;

	assert_int_equal(write(t->say, text, len), len);
}

static void test_call_and_events(void **state)
{
	struct talk *t = *state;
	json_t *result = NULL, *sent;
	char heard[512];
	struct why why;
	ssize_t n;

	say(t, "{\"method\":\"Page.loadEventFired\",\"params\":{}}");
	say(t, "{\"id\":77,\"result\":{\"not\":\"ours\"}}");
	say(t, "not JSON at all");
	say(t, "{\"id\":1,\"result\":{\"value\":42}}");
	assert_int_equal(cdp_call(t->cdp, "S1", "Runtime.evaluate",
	                          json_pack("{s:s}", "expression", "6*7"), 1000, &result, &why),
	                 0);
	assert_int_equal(json_integer_value(json_object_get(result, "value")), 42);
	assert_int_equal(t->events, 1);
	assert_string_equal(t->method, "Page.loadEventFired");
	json_decref(result);

	n = read(t->hear, heard, sizeof(heard));
	assert_true(n > 1);
	assert_int_equal(heard[n - 1], '\0');
	sent = json_loads(heard, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(sent, "sessionId")), "S1");
	assert_string_equal(json_string_value(json_object_get(sent, "method")), "Runtime.evaluate");
	assert_int_equal(json_integer_value(json_object_get(sent, "id")), 1);
	json_decref(sent);
}

static void test_error_answer(void **state)
{
	struct talk *t = *state;
	json_t *result = NULL;
	struct why why;

	say(t, "{\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no such method\"}}");
	assert_int_equal(cdp_call(t->cdp, NULL, "Foo.bar", NULL, 1000, &result, &why), -E_INVAL);
	assert_string_equal(why.text, "Foo.bar: no such method");
	assert_null(result);
}

static void test_late_answer_is_not_the_next_calls(void **state)
{
	struct talk *t = *state;
	json_t *result = NULL;
	struct why why;

	assert_int_equal(cdp_call(t->cdp, NULL, "Slow.call", NULL, 20, &result, &why), -E_TIMEOUT);
	say(t, "{\"id\":1,\"result\":{\"v\":1}}");
	say(t, "{\"id\":2,\"result\":{\"v\":2}}");
	assert_int_equal(cdp_call(t->cdp, NULL, "Next.call", NULL, 1000, &result, &why), 0);
	assert_int_equal(json_integer_value(json_object_get(result, "v")), 2);
	json_decref(result);
}

static void test_death_is_noticed(void **state)
{
	struct talk *t = *state;
	struct why why;

	close(t->say);
	t->say = -1;
	assert_int_equal(cdp_call(t->cdp, NULL, "Any.call", NULL, 1000, NULL, &why), -E_CLOSED);
	assert_int_equal(cdp_pump(t->cdp, 10), -E_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_frames_arrive_in_any_pieces),
	    cmocka_unit_test(test_endless_message_is_refused),
	    cmocka_unit_test_setup_teardown(test_call_and_events, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_error_answer, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_late_answer_is_not_the_next_calls, setup,
	                                    teardown),
	    cmocka_unit_test_setup_teardown(test_death_is_noticed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
