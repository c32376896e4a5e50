/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hub against the model of its protocol: moves by chance, and each of the checks is seen to
 * fire. test_hub_model STEPS [SEED [trace]] plays longer, and prints what is said and heard.
 */
#include "base/tests/test.h"
#include "signal/tests/model.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned long steps = 30000;
static uint64_t seed = 12;
static bool trace;

/* One run without restarts of the server, and one with some. */
static void the_hub_keeps_its_promises(void **state)
{
	struct model_plan plan = {.steps = (unsigned)steps, .trace = trace};
	struct verdict v;

	(void)state;
	for (plan.seed = seed; plan.seed < seed + 2; plan.seed++) {
		model_run(&plan, &v);
		print_message("seed %llu: %lu messages, %lu frames, %lu errors, %lu calls, "
		              "%lu renames, %lu returns to %lu kept frames, %lu restarts\n",
		              (unsigned long long)plan.seed, v.notes, v.frames, v.errors, v.calls,
		              v.renames, v.returns, v.kept, v.restarts);
		if (v.broken)
			fail_msg("step %u: %s: %s", v.step, model_invariant_name(v.invariant),
			         v.text);
		assert_true(v.notes > steps / 10 && v.errors > steps / 100);
		assert_true(v.calls > steps / 200 && v.renames > steps / 500);
		assert_true(v.returns > steps / 500 && v.kept > steps / 100);
		assert_true((v.restarts > 0) == (plan.seed % 2));
	}
}

static const struct {
	const char *name;
	enum model_break broken;
	enum model_invariant invariant;
} faults[] = {
#define X(name, invariant) {#name, BREAK_##name, MODEL_##invariant},
    MODEL_BREAK_TABLE(X)
#undef X
};

static void each_check_fires(void **state)
{
	bool fired[MODEL_INVARIANTS] = {false};
	struct verdict v;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct model_plan plan = {.steps = 15000, .broken = faults[i].broken};

		for (unsigned k = 0; k < 5; k++) {
			plan.seed = seed + k;
			model_run(&plan, &v);
			if (v.broken)
				break;
		}
		if (!v.broken)
			fail_msg("nothing sees %s", faults[i].name);
		if (v.invariant != faults[i].invariant)
			fail_msg("%s is seen as %s: %s", faults[i].name,
			         model_invariant_name(v.invariant), v.text);
		fired[v.invariant] = true;
	}
	for (int i = 0; i < MODEL_INVARIANTS; i++) {
		if (!fired[i])
			fail_msg("no fault for %s", model_invariant_name((enum model_invariant)i));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_hub_keeps_its_promises),
	    cmocka_unit_test(each_check_fires),
	};

	if (argc > 1)
		steps = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 10);
	trace = argc > 3;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
