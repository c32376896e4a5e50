/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The judge of turnpike-load signal --all: what is reached, missed, and not measured.
 */
#include "base/tests/test.h"
#include "harness/load/signal.h"

#define TARGETS 27

static void set(json_t *all, const char *step, const char *server, const char *key, double value)
{
	json_t *o = json_object_get(all, step), *s;

	if (!o)
		json_object_set_new(all, step, o = json_object());
	s = server ? json_object_get(o, server) : o;
	if (!s)
		json_object_set_new(o, server, s = json_object());
	json_object_set_new(s, key, json_real(value));
}

/* Every figure is at its target. */
static json_t *good(void)
{
	static const char *const kinds[] = {"attack-rename",    "attack-chat", "attack-crowd",
	                                    "attack-oversized", "attack-half", "attack-slow"};
	json_t *all = json_object();

	set(all, "signal", NULL, "to_floor", 1.3);
	set(all, "signal-1000", NULL, "to_floor", 1.3);
	set(all, "signal-tls-alpn", NULL, "to_node", 0.55);
	set(all, "signal-tls", NULL, "to_node", 0.6);
	set(all, "join-storm-1000", "turnpike", "seconds", 0.5);
	set(all, "join-storm-4000", "turnpike", "seconds", 1.5);
	set(all, "join-storm-10000", "turnpike", "seconds", 6);
	set(all, "join-storm-1000", "turnpike", "lost", 0);
	set(all, "join-storm-4000", "turnpike", "lost", 0);
	set(all, "join-storm-10000", "turnpike", "lost", 0);
	set(all, "join-storm-10000", "turnpike", "closed", 0);
	set(all, "idle-9800", "turnpike", "share", 0.015);
	set(all, "idle-9800", "turnpike", "kb_each", 6);
	set(all, "idle-2000-tls-alpn", "turnpike", "kb_each", 32);
	for (size_t i = 0; i < 6; i++) {
		set(all, kinds[i], "healthz", "max_ms", 50);
		set(all, kinds[i], "call", "max_ms", 1000);
	}
	return all;
}

static void reached(void **state)
{
	json_t *all = good();

	(void)state;
	assert_int_equal(judge_print(all), 0);
	json_decref(all);
}

static void missed(void **state)
{
	json_t *all = good();

	(void)state;
	set(all, "signal", NULL, "to_floor", 1.31);
	assert_int_equal(judge_print(all), 1);
	set(all, "signal-tls-alpn", NULL, "to_node",
	    0.5); /* 0.6 without ALPN is dearer by a fifth */
	assert_int_equal(judge_print(all), 2);
	set(all, "idle-9800", "turnpike", "share", 0.016);
	assert_int_equal(judge_print(all), 3);
	set(all, "join-storm-4000", "turnpike", "lost", 1);
	assert_int_equal(judge_print(all), 4);
	set(all, "attack-slow", "call", "max_ms", 1001);
	assert_int_equal(judge_print(all), 5);
	json_decref(all);
}

static void not_measured(void **state)
{
	json_t *all = good(), *none = json_object();

	(void)state;
	json_object_del(json_object_get(all, "signal-tls"), "to_node");
	assert_int_equal(judge_print(all), 2); /* it, and what is divided by another */
	assert_int_equal(judge_print(none), TARGETS);
	json_decref(all);
	json_decref(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reached),
	    cmocka_unit_test(missed),
	    cmocka_unit_test(not_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
