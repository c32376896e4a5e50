/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the hub tells of who signals to whom (hub_ops.link).
 */
#include "base/tests/test.h"
#include "signal/tests/hub_house.h"

#define OFFER     "{\"type\":\"video-offer\",\"target\":\"%s\"}"
#define ANSWER    "{\"type\":\"video-answer\",\"target\":\"%s\"}"
#define CANDIDATE "{\"type\":\"new-ice-candidate\",\"target\":\"%s\"}"

static void say_to(struct hub_client *c, const char *form, const char *target)
{
	char text[128], *at = strstr(form, "%s");

	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - form), form, target, at + 2);
	say(c, text);
}

/* "a", "b", "c", "d" in want stand for the clients' members, as their ids were at the start. */
static void expect_links(struct house *h, const uint64_t id[4], const char *want)
{
	char text[sizeof(h->links)] = "";

	for (; *want; want++) {
		size_t at = strlen(text);

		if (*want >= 'a' && *want <= 'd')
			snprintf(text + at, sizeof(text) - at, "%llu",
			         (unsigned long long)id[*want - 'a']);
		else
			snprintf(text + at, sizeof(text) - at, "%c", *want);
	}
	assert_string_equal(h->links, text);
	h->links[0] = 0;
}

static void note_ids(struct house *h, uint64_t id[4])
{
	struct hub_client *c[] = {&h->a, &h->b, &h->c, &h->d};

	for (int i = 0; i < 4; i++)
		id[i] = c[i]->member ? hub_member_id(c[i]->member) : 0;
}

static void each_signal_of_a_call_is_told(void **state)
{
	struct house *h = three(state);
	uint64_t id[4];

	note_ids(h, id);
	say_to(&h->a, OFFER, "bob");
	expect_links(h, id, "a>b ");
	say_to(&h->a, CANDIDATE, "bob");
	say_to(&h->b, ANSWER, "alice");
	say_to(&h->b, CANDIDATE, "alice");
	expect_links(h, id, "a>b b>a b>a ");
	/* somebody else's does not count before there is a call */
	say_to(&h->c, CANDIDATE, "bob");
	say_to(&h->c, ANSWER, "alice");
	expect_links(h, id, "");
	say(&h->b, "{\"type\":\"hang-up\",\"target\":\"alice\"}");
	expect_links(h, id, "a|b ");
	say_to(&h->a, CANDIDATE, "bob");
	expect_links(h, id, "");
}

/* It counts before the other end can have it. */
static void it_is_told_before_it_is_sent(void **state)
{
	struct house *h = three(state);
	uint64_t id[4];

	note_ids(h, id);
	h->sent_first = false;
	say_to(&h->a, OFFER, "bob");
	assert_int_equal(h->b.n, 1);
	assert_false(h->sent_first);
	expect_links(h, id, "a>b ");
	say_to(&h->b, CANDIDATE, "alice");
	assert_int_equal(h->a.n, 1);
	assert_false(h->sent_first);
}

static void who_goes_is_told(void **state)
{
	struct house *h = three(state);
	uint64_t id[4];

	note_ids(h, id);
	say_to(&h->a, OFFER, "bob");
	say_to(&h->c, OFFER, "bob");
	expect_links(h, id, "a>b c>b ");
	leave(&h->b);
	expect_links(h, id, "a|b c|b bx ");
	leave(&h->a);
	expect_links(h, id, "ax ");
}

static void who_comes_back_is_told(void **state)
{
	static const char again[] =
	    "{\"type\":\"username\",\"name\":\"alice\",\"resume\":\"0123456789abcdef\"}";
	struct house *h = three(state);
	uint64_t id[4];

	say(&h->a, again);
	say_to(&h->a, OFFER, "bob");
	join(h, &h->d);
	note_ids(h, id);
	h->links[0] = 0;
	leave(&h->a);
	expect_links(h, id, "");
	say(&h->d, again);
	/* it is what it was: only the id of the new connection is gone */
	expect_links(h, id, "d=a dx ");
	say_to(&h->b, ANSWER, "alice");
	expect_links(h, id, "b>a ");
	say(&h->d, "{\"type\":\"hang-up\",\"target\":null}");
	expect_links(h, id, "a|b ");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(each_signal_of_a_call_is_told),
	    T(it_is_told_before_it_is_sent),
	    T(who_goes_is_told),
	    T(who_comes_back_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
