/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Presence as differences: each version leads to the next, whatever happened between them.
 */
#include "base/error.h"
#include "signal/tests/hub_house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* alice, bob and carol as MDN's clients, and dave, who gets differences. */
static struct house *with_dave(void **state)
{
	struct house *h = three(state);

	join_from(h, &h->d, 0, NULL, NULL);
	sign_in(&h->d, "\"name\":\"dave\",\"presence\":\"delta\"");
	h->d.seen++; /* signed-in */
	expect(&h->d, "{\"type\":\"presence\",\"version\":5,\"users\":[{\"name\":\"alice\"},"
	              "{\"name\":\"bob\"},{\"name\":\"carol\"},{\"name\":\"dave\"}]}");
	forget_frames(&h->a);
	forget_frames(&h->b);
	forget_frames(&h->c);
	forget_frames(&h->d);
	return h;
}

static void changes(void **state)
{
	struct house *h = with_dave(state);

	leave(&h->c);
	expect(&h->d, "{\"type\":\"presence\",\"version\":6,\"from\":5,\"joined\":[],\"left\":["
	              "\"carol\"],\"renamed\":[]}");
	expect(&h->a, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\",\"dave\"]}");
	sign_in(&h->b, "\"name\":\"ro\\\\bert\"");
	expect(&h->d, "{\"type\":\"presence\",\"version\":7,\"from\":6,\"joined\":[],\"left\":[],"
	              "\"renamed\":[[\"bob\",\"ro\\\\bert\"]]}");
	join_from(h, &h->c, 0, NULL, NULL);
	sign_in(&h->c, "\"name\":\"erin\"");
	expect(&h->d, "{\"type\":\"presence\",\"version\":8,\"from\":7,\"joined\":[{\"name\":"
	              "\"erin\"}],\"left\":[],\"renamed\":[]}");
	/* nothing has changed */
	forget_frames(&h->a);
	sign_in(&h->c, "\"name\":\"erin\"");
	expect_nothing(&h->d);
	expect_nothing(&h->a);
	h->c.seen = h->c.n - 1;
	expect(&h->c,
	       "{\"type\":\"userlist\",\"users\":[\"alice\",\"ro\\\\bert\",\"dave\",\"erin\"]}");
	say(&h->d, "{\"type\":\"presence\"}");
	expect(&h->d, "{\"type\":\"presence\",\"version\":8,\"users\":[{\"name\":\"alice\"},"
	              "{\"name\":\"ro\\\\bert\"},{\"name\":\"dave\"},{\"name\":\"erin\"}]}");
	expect_nothing(&h->c);
}

/* What does not reach dave would leave a gap: he gets the whole list. */
static void a_gap(void **state)
{
	struct house *h = with_dave(state);

	h->d.busy = true;
	leave(&h->c);
	expect(&h->d, "{\"type\":\"presence\",\"version\":6,\"users\":[{\"name\":\"alice\"},"
	              "{\"name\":\"bob\"},{\"name\":\"dave\"}]}");
	h->d.busy = false;
	leave(&h->b);
	expect(&h->d, "{\"type\":\"presence\",\"version\":7,\"from\":6,\"joined\":[],\"left\":["
	              "\"bob\"],\"renamed\":[]}");
}

/* A client that follows the differences, as turnpike.js does. */
struct follower {
	char name[16][HUB_NAME_MAX + 1];
	unsigned n;
	json_int_t version;
};

static int find(const struct follower *f, const char *name)
{
	for (unsigned i = 0; i < f->n; i++) {
		if (!strcmp(f->name[i], name))
			return (int)i;
	}
	return -1;
}

static void put(struct follower *f, const char *name)
{
	if (find(f, name) < 0)
		snprintf(f->name[f->n++], HUB_NAME_MAX + 1, "%s", name);
}

static void drop(struct follower *f, const char *name)
{
	int at = find(f, name);

	assert_true(at >= 0);
	memmove(f->name[at], f->name[--f->n], sizeof(f->name[0]));
}

static void follow(struct follower *f, const json_t *m)
{
	json_t *users = json_object_get(m, "users"), *e;
	size_t i;

	if (users)
		f->n = 0;
	else
		assert_int_equal(json_integer_value(json_object_get(m, "from")), f->version);
	f->version = json_integer_value(json_object_get(m, "version"));
	json_array_foreach (json_object_get(m, "left"), i, e)
		drop(f, json_string_value(e));
	json_array_foreach (json_object_get(m, "renamed"), i, e) {
		drop(f, json_string_value(json_array_get(e, 0)));
		assert_int_equal(find(f, json_string_value(json_array_get(e, 1))), -1);
		put(f, json_string_value(json_array_get(e, 1)));
	}
	json_array_foreach (users ? users : json_object_get(m, "joined"), i, e)
		put(f, json_string_value(json_object_get(e, "name")));
}

static void read_all(struct follower *f, struct hub_client *c)
{
	for (; c->seen < c->n; c->seen++) {
		json_t *m = json_loads(c->frame[c->seen], 0, NULL);

		assert_non_null(m);
		if (!strcmp(json_string_value(json_object_get(m, "type")), "presence"))
			follow(f, m);
		json_decref(m);
	}
	forget_frames(c);
}

/* Chance names people, swaps and passes on their names, and gathers it all. */
static void whatever_happens(void **state)
{
	static const char *const names[] = {"\"name\":\"ann\"", "\"name\":\"ben\"",
	                                    "\"name\":\"cid\"", "\"name\":\"dan\""};
	struct house *h = *state;
	struct hub_client *const clients[] = {&h->a, &h->b, &h->c};
	struct follower f = {.n = 0};
	unsigned seed = 7;

	join_from(h, &h->d, 0, NULL, NULL);
	sign_in(&h->d, "\"name\":\"dora\",\"presence\":\"delta\"");
	for (unsigned i = 0; i < 4000; i++) {
		struct hub_client *c = clients[rand_r(&seed) % 3];
		unsigned what = (unsigned)rand_r(&seed) % 8;

		if (!c->member)
			join_from(h, c, 0, NULL, NULL);
		if (!what)
			leave(c);
		else if (!*hub_member_name(c->member) || what < 6)
			sign_in(c, names[what % 4]);
		forget_frames(c);
		h->now_ms += rand_r(&seed) % (rand_r(&seed) % 2 ? 20 : 1400);
		if (h->later_at_ms && h->later_at_ms <= h->now_ms) {
			h->later_at_ms = 0;
			hub_list_due(h->hub);
		}
		read_all(&f, &h->d);
		if (h->later_at_ms)
			continue;
		assert_int_equal(f.n, 1 + !!h->a.member + !!h->b.member + !!h->c.member);
		for (unsigned k = 0; k < 3; k++) {
			if (clients[k]->member)
				assert_true(find(&f, hub_member_name(clients[k]->member)) >= 0);
		}
	}
	assert_true(f.version > 1000);
}

/* Two in one difference. */
static void together(void **state)
{
	struct house *h = *state;

	join_from(h, &h->d, 0, NULL, NULL);
	sign_in(&h->d, "\"name\":\"dora\",\"presence\":\"delta\"");
	forget_frames(&h->d);
	join_from(h, &h->a, 0, NULL, NULL);
	sign_in(&h->a, "\"name\":\"alice\"");
	join_from(h, &h->b, 0, NULL, NULL);
	sign_in(&h->b, "\"name\":\"bob\"");
	h->now_ms = h->later_at_ms;
	hub_list_due(h->hub);
	expect(&h->d, "{\"type\":\"presence\",\"version\":3,\"from\":2,\"joined\":[{\"name\":"
	              "\"alice\"},{\"name\":\"bob\"}],\"left\":[],\"renamed\":[]}");
	leave(&h->a);
	leave(&h->b);
	h->now_ms = h->later_at_ms;
	hub_list_due(h->hub);
	expect(&h->d, "{\"type\":\"presence\",\"version\":4,\"from\":3,\"joined\":[],\"left\":["
	              "\"alice\",\"bob\"],\"renamed\":[]}");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(changes),
	    T(a_gap),
	    cmocka_unit_test_setup_teardown(together, setup_later, teardown),
	    cmocka_unit_test_setup_teardown(whatever_happens, setup_later, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
