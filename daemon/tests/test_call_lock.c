/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Locks of credentials to calls, on virtual time: which addresses the workers are told.
 */
#include "base/tests/test.h"
#include "daemon/relay/call_lock.h"
#include "turn/lock.h"

#include <stdio.h>
#include <stdlib.h>

#define LOCKS 16

enum { ALICE = 1, BOB, CAROL, ALICE_AGAIN };

/* What a worker knows. */
struct told {
	uint64_t lock;
	char peers[TURN_LOCK_PEERS_MAX * 16];
	size_t n;
};

struct scene {
	struct call_locks *l;
	struct told told[LOCKS];
	size_t told_n, mails;
	int64_t now_ms;
};

static uint64_t next_number;

static void random_number(void *to, size_t len)
{
	next_number++;
	assert_int_equal(len, sizeof(next_number));
	memcpy(to, &next_number, len);
}

static struct told *told_of(struct scene *s, uint64_t lock)
{
	for (size_t i = 0; i < s->told_n; i++)
		if (s->told[i].lock == lock)
			return &s->told[i];
	assert_true(s->told_n < LOCKS);
	s->told[s->told_n].lock = lock;
	return &s->told[s->told_n++];
}

static void on_tell(void *ctx, uint64_t lock, const struct addr *peers, size_t n)
{
	struct scene *s = ctx;
	struct told *t = told_of(s, lock);
	char text[ADDR_STRLEN];

	assert_true(n <= TURN_LOCK_PEERS_MAX);
	s->mails++;
	t->n = n;
	t->peers[0] = 0;
	for (size_t i = 0; i < n; i++) {
		size_t at = strlen(t->peers);

		snprintf(t->peers + at, sizeof(t->peers) - at, "%s%s", i ? " " : "",
		         addr_format_ip(&peers[i], text));
	}
}

static const struct call_lock_ops ops = {.tell = on_tell, .random = random_number};

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	next_number = 100;
	s->l = call_locks_new(&ops, s);
	s->now_ms = 1000;
	call_locks_set_on(s->l, true);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	call_locks_free(s->l);
	free(s);
	return 0;
}

static uint64_t lock_of(struct scene *s, uint64_t member)
{
	uint64_t lock = 0;

	assert_int_equal(call_lock_of(s->l, member, &lock), 0);
	assert_true(lock != CALL_LOCK_NONE);
	return lock;
}

static void signal_ip(struct scene *s, uint64_t from, uint64_t to, const char *ip)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "{\"candidate\":{\"candidate\":\"candidate:1 1 udp 1 %s 9 typ host\"}}", ip);
	call_lock_signaled(s->l, from, to, text, strlen(text));
}

static void wait_ms(struct scene *s, int64_t ms)
{
	s->now_ms += ms;
	call_locks_tick(s->l, s->now_ms);
}

static void what_one_end_signals_opens_the_other_ends_lock(void **state)
{
	struct scene *s = *state;
	uint64_t alices = lock_of(s, ALICE), bobs = lock_of(s, BOB);

	assert_true(alices != bobs);
	assert_true(lock_of(s, ALICE) == alices); /* for all its credentials */
	signal_ip(s, ALICE, BOB, "192.0.2.1");
	signal_ip(s, BOB, ALICE, "2001:db8::2");
	assert_string_equal(told_of(s, bobs)->peers, "192.0.2.1");
	assert_string_equal(told_of(s, alices)->peers, "2001:db8::2");
	signal_ip(s, ALICE, BOB, "192.0.2.3");
	assert_string_equal(told_of(s, bobs)->peers, "192.0.2.1 192.0.2.3");
	/* nothing new: no mail */
	assert_int_equal(s->mails, 3);
	signal_ip(s, ALICE, BOB, "192.0.2.1");
	signal_ip(s, ALICE, BOB, "x.local");
	assert_int_equal(s->mails, 3);
}

/* A callee asks for a credential when it answers. */
static void a_credential_may_come_later_than_the_candidates(void **state)
{
	struct scene *s = *state;
	uint64_t bobs;

	signal_ip(s, ALICE, BOB, "192.0.2.1");
	assert_int_equal(s->mails, 0);
	bobs = lock_of(s, BOB);
	assert_string_equal(told_of(s, bobs)->peers, "192.0.2.1");
}

static void it_counts_until_the_call_is_over_and_a_little_longer(void **state)
{
	struct scene *s = *state;
	uint64_t alices = lock_of(s, ALICE), bobs = lock_of(s, BOB);

	signal_ip(s, ALICE, BOB, "192.0.2.1");
	signal_ip(s, CAROL, BOB, "192.0.2.1"); /* both behind one NAT */
	signal_ip(s, CAROL, BOB, "192.0.2.3");
	signal_ip(s, BOB, ALICE, "192.0.2.2");
	wait_ms(s, 3600 * 1000);
	assert_string_equal(told_of(s, bobs)->peers, "192.0.2.1 192.0.2.3");
	call_lock_ended(s->l, BOB, ALICE, s->now_ms);
	wait_ms(s, CALL_LOCK_GRACE_MS - 1);
	assert_string_equal(told_of(s, alices)->peers, "192.0.2.2");
	wait_ms(s, 1);
	assert_int_equal(told_of(s, alices)->n, 0);
	assert_string_equal(told_of(s, bobs)->peers, "192.0.2.1 192.0.2.3");
	/* one that is called again in time keeps what it says again */
	call_lock_ended(s->l, BOB, CAROL, s->now_ms);
	signal_ip(s, CAROL, BOB, "192.0.2.3");
	wait_ms(s, CALL_LOCK_GRACE_MS);
	assert_string_equal(told_of(s, bobs)->peers, "192.0.2.3");
	/* the lock stays with its member */
	assert_true(lock_of(s, ALICE) == alices);
}

static void who_is_gone_has_no_lock(void **state)
{
	struct scene *s = *state;
	uint64_t bobs = lock_of(s, BOB);

	signal_ip(s, ALICE, BOB, "192.0.2.1");
	call_lock_gone(s->l, BOB);
	assert_int_equal(told_of(s, bobs)->n, 0);
	assert_true(lock_of(s, BOB) != bobs);
}

/* By another connection, which may have asked for a credential before it said whose it is. */
static void who_comes_back_has_one_lock_more(void **state)
{
	struct scene *s = *state;
	uint64_t alices = lock_of(s, ALICE), fresh;

	signal_ip(s, BOB, ALICE, "192.0.2.2");
	fresh = lock_of(s, ALICE_AGAIN);
	assert_true(fresh != alices);
	call_lock_moved(s->l, ALICE_AGAIN, ALICE);
	call_lock_gone(s->l, ALICE_AGAIN);
	assert_string_equal(told_of(s, alices)->peers, "192.0.2.2");
	assert_string_equal(told_of(s, fresh)->peers, "192.0.2.2");
	signal_ip(s, BOB, ALICE, "192.0.2.3");
	assert_string_equal(told_of(s, alices)->peers, "192.0.2.2 192.0.2.3");
	assert_string_equal(told_of(s, fresh)->peers, "192.0.2.2 192.0.2.3");
	call_lock_ended(s->l, ALICE, BOB, s->now_ms);
	wait_ms(s, CALL_LOCK_GRACE_MS);
	assert_int_equal(told_of(s, alices)->n, 0);
	assert_int_equal(told_of(s, fresh)->n, 0);
	/* one without a credential may come back, too */
	call_lock_moved(s->l, 77, CAROL);
	signal_ip(s, BOB, CAROL, "192.0.2.4");
	assert_string_equal(told_of(s, lock_of(s, CAROL))->peers, "192.0.2.4");
}

/* A client that comes back again and again, with a new credential each time. */
static void old_locks_of_one_member_end(void **state)
{
	struct scene *s = *state;
	uint64_t first = lock_of(s, ALICE), last = 0;

	signal_ip(s, BOB, ALICE, "192.0.2.2");
	for (uint64_t member = 11; member < 15; member++) {
		assert_string_equal(told_of(s, first)->peers, "192.0.2.2");
		last = lock_of(s, member);
		call_lock_moved(s->l, member, ALICE);
	}
	assert_int_equal(told_of(s, first)->n, 0);
	assert_string_equal(told_of(s, last)->peers, "192.0.2.2");
}

/* Somebody who rings with many addresses cannot push out the ones of a running call. */
static void nobody_pushes_out_all_of_another(void **state)
{
	struct scene *s = *state;
	uint64_t bobs = lock_of(s, BOB);
	char ip[32];

	signal_ip(s, ALICE, BOB, "192.0.2.1");
	signal_ip(s, ALICE, BOB, "192.0.2.2");
	for (int i = 0; i < 500; i++) {
		snprintf(ip, sizeof(ip), "203.0.%d.%d", 113 + i / 250, i % 250);
		signal_ip(s, CAROL, BOB, ip);
	}
	assert_int_equal(told_of(s, bobs)->n, TURN_LOCK_PEERS_MAX);
	assert_memory_equal(told_of(s, bobs)->peers, "192.0.2.1 192.0.2.2 203.0.114.", 30);
	/* first of all go those of calls that have ended */
	call_lock_ended(s->l, ALICE, BOB, s->now_ms);
	signal_ip(s, CAROL, BOB, "192.0.2.3");
	signal_ip(s, CAROL, BOB, "192.0.2.4");
	assert_memory_equal(told_of(s, bobs)->peers, "203.0.114.", 10);
	assert_non_null(strstr(told_of(s, bobs)->peers, " 192.0.2.3 192.0.2.4"));
}

/* A reload may turn the option off: locked credentials stay locked, and their calls go on. */
static void switched_off_locks_that_exist_go_on(void **state)
{
	struct scene *s = *state;
	uint64_t bobs = lock_of(s, BOB);

	call_locks_set_on(s->l, false);
	signal_ip(s, ALICE, BOB, "192.0.2.1");
	signal_ip(s, BOB, ALICE, "192.0.2.2");
	assert_string_equal(told_of(s, bobs)->peers, "192.0.2.1");
	assert_int_equal(s->mails, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(what_one_end_signals_opens_the_other_ends_lock),
	    T(a_credential_may_come_later_than_the_candidates),
	    T(it_counts_until_the_call_is_over_and_a_little_longer),
	    T(who_is_gone_has_no_lock),
	    T(who_comes_back_has_one_lock_more),
	    T(old_locks_of_one_member_end),
	    T(nobody_pushes_out_all_of_another),
	    T(switched_off_locks_that_exist_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
