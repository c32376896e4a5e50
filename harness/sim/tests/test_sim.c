/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The simulator on itself: short runs hold, a seed repeats a run, and each check
 * fires when what it looks at is broken.
 */
#include "base/tests/test.h"
#include "harness/sim/nat.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define SMALL " --quick --allocations 500 --hours 0.2 "

static char said[200000];

/* Runs the program, both outputs in said. Its exit status. */
static int sim(const char *args)
{
	char command[1024];
	size_t n;
	FILE *f;
	int status;

	snprintf(command, sizeof(command), "'%s' %s 2>&1", SIM_PROGRAM, args);
	f = popen(command, "r"); /* NOLINT: the arguments are ours */
	assert_non_null(f);
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = 0;
	while (fgetc(f) != EOF)
		;
	status = pclose(f);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Text from the nth occurrence of a mark to the end of its line. */
static void take(const char *mark, char *out, size_t size)
{
	const char *at = strstr(said, mark);

	assert_non_null(at);
	snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void short_runs_hold(void **state)
{
	(void)state;
	if (sim("--quick"))
		fail_msg("%s", said);
	if (sim("--quick --seed 2 --nodes 1 --loss 5"))
		fail_msg("%s", said);
}

static void a_seed_repeats_a_run(void **state)
{
	char first[64], again[64], other[64];

	(void)state;
	assert_int_equal(sim(SMALL "--seed 11"), 0);
	take("event hash", first, sizeof(first));
	assert_int_equal(sim(SMALL "--seed 11"), 0);
	take("event hash", again, sizeof(again));
	assert_int_equal(sim(SMALL "--seed 12"), 0);
	take("event hash", other, sizeof(other));
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
	/* every bit of it counts */
	assert_int_equal(sim("--seed 9007199254740993" SMALL), 0);
	assert_non_null(strstr(said, "seed 9007199254740993,"));
	assert_int_equal(sim(SMALL "--seed 18446744073709551615"), 0);
	assert_non_null(strstr(said, "seed 18446744073709551615,"));
}

/* The failure comes again by its seed, with the events of the call that it is about. */
static void a_failure_is_replayed(void **state)
{
	char first[300], again[300];

	(void)state;
	assert_int_equal(sim(SMALL "--seed 5 --break payload-bit"), 1);
	take("broken: payload", first, sizeof(first));
	assert_non_null(strstr(said, "again with: turnpike-sim --seed 5 "));
	assert_non_null(strstr(said, " events of call "));
	assert_non_null(strstr(said, " arrives "));
	assert_int_equal(sim(SMALL "--seed 5 --break payload-bit"), 1);
	take("broken: payload", again, sizeof(again));
	assert_string_equal(first, again);
}

static void each_check_fires(void **state)
{
	static const struct {
		const char *what, *invariant;
	} rows[] = {
	    {"permission-expiry", "permission"},
	    {"channel-expiry", "channel"},
	    {"payload-bit", "payload"},
	    {"wrong-peer", "peer"},
	    {"relayed-twice", "peer"},
	    {"early-death", "leak"},
	    {"late-death", "lifetime"},
	    {"shared-port", "port"},
	    {"odd-port", "port"},
	    {"quota-overrun", "quota"},
	    {"lost-release", "leak"},
	    {"lost-bytes", "memory"},
	    {"uncounted", "counter"},
	    {"unsigned", "reply"},
	    {"no-channels", "cause"},
	    {"no-permissions", "cause"},
	    {"stale-nonces", "cause"},
	    {"strangers", "cause"},
	    {"few-ports", "cause"},
	    {"small-quota", "cause"},
	    {"silence", "cause"},
	    {"warm-up", "payload"},
	    {"hub-twice", "hub-once"},
	    {"hub-misroute", "hub-once"},
	    {"hub-swap", "hub-order"},
	    {"hub-silent", "hub-gone"},
	    {"stream-lost", "framing"},
	    {"stream-twice", "framing"},
	    {"lost-stream-end", "leak"},
	    {"uncounted-stream", "counter"},
	    {"backlog-overrun", "backlog"},
	    {"slow-uncounted", "backlog"},
	    {"slow-for-all", "delay"},
	    {"data-byte", "data"},
	    {"data-lost", "data"},
	    {"half-open", "joined"},
	    {"unbound-early", "joined"},
	    {"stranger-joins", "joined"},
	    {"connect-unanswered", "cause"},
	    {"uncounted-bytes", "counter"},
	    {"other-nat", "theory"},
	    {"deaf", "through"},
	};
	bool seen[SIM_INVARIANTS] = {false};
	static const char *const names[] = {
#define X(name, text, what) text,
	    SIM_INVARIANT_TABLE(X)
#undef X
	};

	(void)state;
	assert_int_equal(sizeof(rows) / sizeof(*rows), BREAKS - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char args[200], mark[64];

		snprintf(args, sizeof(args), SMALL "--break %s", rows[i].what);
		snprintf(mark, sizeof(mark), "broken: %s (", rows[i].invariant);
		if (sim(args) != 1 || !strstr(said, mark))
			fail_msg("--break %s did not break %s: %s", rows[i].what, rows[i].invariant,
			         said);
		for (int k = 0; k < SIM_INVARIANTS; k++)
			seen[k] |= !strcmp(names[k], rows[i].invariant);
	}
	for (int k = 0; k < SIM_INVARIANTS; k++)
		if (!seen[k])
			fail_msg("nothing breaks %s", names[k]);
}

static void wrong_usage_names_the_fix(void **state)
{
	(void)state;
	assert_int_equal(sim("--loss lots"), 2);
	assert_non_null(strstr(said, "--loss lots: not a number"));
	assert_int_equal(sim("--nodes 99"), 2);
	assert_int_equal(sim("--seed 12x"), 2);
	assert_int_equal(sim("--seed 18446744073709551616"), 2);
	assert_int_equal(sim("--seed -1"), 2);
	assert_int_equal(sim("--break nothing-known"), 2);
	assert_non_null(strstr(said, "--break list"));
	assert_int_equal(sim("--nonsense"), 2);
	assert_int_equal(sim("nonsense"), 2);
	assert_int_equal(sim("--help"), 0);
	assert_non_null(strstr(said, "--seed=N"));
	assert_int_equal(sim("--memory 50"), 0);
	assert_non_null(strstr(said, "bytes each when idle"));
}

/* RFC 4787's words by their initials: endpoint-independent, address-dependent, address and port. */
enum { EI = NAT_MAP_ENDPOINT_INDEPENDENT, AD, APD };

static const struct nat_behaviour *behaviour(int mapping, int filtering)
{
	static struct nat_behaviour b[2];
	static int turn;

	turn = !turn;
	b[turn] = (struct nat_behaviour){.udp = true,
	                                 .mapping = (enum nat_mapping)mapping,
	                                 .filtering = (enum nat_filtering)(filtering - EI)};
	return &b[turn];
}

/* What people know by heart. */
static void theory(void **state)
{
	static const struct nat_behaviour blocked = {.udp = false};

	(void)state;
	assert_true(sim_nat_direct(behaviour(EI, APD), behaviour(EI, APD)));
	assert_true(sim_nat_direct(behaviour(NAT_MAP_NONE, EI), behaviour(APD, APD)));
	assert_true(sim_nat_direct(behaviour(EI, AD), behaviour(APD, APD)));
	assert_false(sim_nat_direct(behaviour(EI, APD), behaviour(APD, APD)));
	assert_false(sim_nat_direct(behaviour(APD, APD), behaviour(APD, APD)));
	assert_false(sim_nat_direct(&blocked, behaviour(NAT_MAP_NONE, EI)));
	/* found out by the simulator's packets: both map by address and port, and never settle */
	assert_false(sim_nat_direct(behaviour(APD, EI), behaviour(APD, EI)));
	assert_true(sim_nat_direct(behaviour(AD, EI), behaviour(APD, EI)));
}

/* With an argument, the tests of that name; without, all but the long one. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(theory),
	    cmocka_unit_test(wrong_usage_names_the_fix),
	    cmocka_unit_test(short_runs_hold),
	    cmocka_unit_test(a_seed_repeats_a_run),
	    cmocka_unit_test(a_failure_is_replayed),
	    cmocka_unit_test(each_check_fires),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	else
		cmocka_set_skip_filter("each_check_fires");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
