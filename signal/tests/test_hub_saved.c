/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What was saved, edited by hand or damaged: each value in turn becomes another one.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "signal/tests/hub_house.h"

#include <stdlib.h>

#define ALICE "\"name\":\"alice\",\"room\":\"team\",\"resume\":\"fedcba9876543210\",\"seen\":0"
#define BOB   "\"name\":\"bob\",\"room\":\"team\",\"resume\":\"0123456789abcdef\",\"seen\":0"

static const char *const values[] = {
    "null",
    "true",
    "false",
    "\"\"",
    "\"x\"",
    "[]",
    "{}",
    "[null]",
    "0",
    "1",
    "-1",
    "1.5",
    "17",
    "9007199254740991",
    "9223372036854775807",
    "-9223372036854775808",
    "\"0000000000000000000000000000000000000000000000000000000000000000000000\"",
};

/* Two members in an answered call, one who is away with a message that waits, and a ban. */
static json_t *a_saved_state(void **state)
{
	struct house *h = *state;
	unsigned n;

	join_from(h, &h->a, 1, "team", "s1/alice/*/15");
	sign_in(&h->a, ALICE);
	join_from(h, &h->b, 2, NULL, NULL);
	sign_in(&h->b, BOB);
	say(&h->a, "{\"type\":\"video-offer\",\"target\":\"bob\"}");
	say(&h->b, "{\"type\":\"video-answer\",\"target\":\"alice\"}");
	join_from(h, &h->c, 3, "team", NULL);
	sign_in(&h->c, "\"name\":\"mallory\"");
	assert_int_equal(hub_ban(h->hub, "team", "mallory", 60, NULL, &n), 0);
	leave(&h->c);
	leave(&h->b);
	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\",\"ack\":1}");
	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\",\"ack\":2}");
	return hub_save(h->hub);
}

/* The hub works on: those who come are not taken for others. */
static void is_alive(struct house *h)
{
	struct hub_client *all[] = {&h->a, &h->b, &h->c, &h->d};

	for (unsigned i = 0; i < 4; i++) {
		join_from(h, all[i], 10 + i, NULL, NULL);
		for (unsigned k = 0; k < i; k++)
			assert_true(hub_member_id(all[k]->member) != hub_member_id(all[i]->member));
	}
	sign_in(&h->a, ALICE);
	sign_in(&h->b, BOB);
	sign_in(&h->c, "\"name\":\"carol\",\"room\":\"team\"");
	sign_in(&h->d, "\"name\":\"dave\",\"room\":\"other\"");
	assert_string_equal(hub_member_name(h->d.member), "dave");
	forget_frames(&h->d);
	say(&h->c, "{\"type\":\"wave\",\"target\":\"bob\"}");
	say(&h->a, "{\"type\":\"wave\",\"target\":\"bob\"}");
	say(&h->a, "{\"type\":\"hang-up\",\"target\":null}");
	say(&h->d, "{\"type\":\"message\",\"text\":\"hello\"}");
	expect(&h->d, "{\"type\":\"message\",\"text\":\"hello\",\"name\":\"dave\"}");
	expect_nothing(&h->d);
	h->now_ms += 200000;
	hub_tick(h->hub);
	json_decref(hub_save(h->hub));
	json_decref(hub_people(h->hub, NULL));
}

static void load_edited(const json_t *saved)
{
	json_t *copy = json_deep_copy(saved);
	void *other;

	setup(&other);
	hub_load(((struct house *)other)->hub, copy);
	json_decref(copy);
	is_alive(other);
	teardown(&other);
}

/* Each value of the tree under at, and the tree itself, through that place. */
static void edit_all(const json_t *whole, json_t *at)
{
	json_t *child, *kept;
	const char *key;
	size_t i, k;

	json_object_foreach (at, key, child) {
		kept = json_incref(child);
		for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
			json_object_set_new(at, key, json_loads(values[i], JSON_DECODE_ANY, NULL));
			load_edited(whole);
		}
		json_object_set_new(at, key, kept);
		edit_all(whole, kept);
	}
	json_array_foreach (at, k, child) {
		kept = json_incref(child);
		for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
			json_array_set_new(at, k, json_loads(values[i], JSON_DECODE_ANY, NULL));
			load_edited(whole);
		}
		json_array_set_new(at, k, kept);
		edit_all(whole, kept);
	}
}

static void every_value(void **state)
{
	json_t *saved = a_saved_state(state);

	load_edited(saved);
	edit_all(saved, saved);
	json_decref(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_value, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
