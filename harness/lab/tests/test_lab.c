/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The lab on real namespaces: every NAT kind of the table is built and probed,
 * and a lab that is not what it claims is found out.
 */
#include "harness/lab/contain.h"
#include "harness/lab/lab.h"
#include "harness/lab/probe.h"
#include "harness/lab/proc.h"
#include "harness/tests/namespaces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What the inside tells the test: cmocka cannot assert across processes. */
struct inside {
	int err[16];
	struct why why[16];
};

static struct inside *inside;

static int build_every_kind(void *arg)
{
	struct inside *in = arg;
	struct lab *lab = NULL;
	int err = lab_new(&lab, &in->why[15]);

	in->err[15] = err;
	for (size_t i = 0; i < nat_kinds_n && err == 0; i++) {
		/* The same router is turned from kind to kind, as a matrix run does. */
		in->err[i] = lab_set_nat(lab, i % 2 ? LAB_B : LAB_A, &nat_kinds[i], &in->why[i]);
		if (in->err[i] == 0)
			in->err[i] = lab_verify_nat(lab, i % 2 ? LAB_B : LAB_A, &in->why[i]);
	}
	lab_free(lab);
	return 0;
}

/* A kind whose rules do not do what its row says. */
static int build_a_liar(void *arg)
{
	struct inside *in = arg;
	struct nat_kind liar = *nat_find("port-restricted");
	struct lab *lab = NULL;

	liar.behaviour = nat_find("symmetric")->behaviour;
	in->err[15] = lab_new(&lab, &in->why[15]);
	if (in->err[15] == 0)
		in->err[15] = lab_set_nat(lab, LAB_A, &liar, &in->why[15]);
	if (in->err[15] == 0)
		in->err[0] = lab_verify_nat(lab, LAB_A, &in->why[0]);
	lab_free(lab);
	return 0;
}

static int load_bad_rules(void *arg)
{
	struct inside *in = arg;
	struct nat_kind bad = *nat_find("port-restricted");
	struct lab *lab = NULL;

	bad.nat = "chain post { no such rule; }\n";
	in->err[15] = lab_new(&lab, &in->why[15]);
	if (in->err[15] == 0)
		in->err[0] = lab_set_nat(lab, LAB_A, &bad, &in->why[0]);
	lab_free(lab);
	return 0;
}

static void run_inside(int (*fn)(void *arg))
{
	struct contain c;
	struct why why;
	int status = 0;

	memset(inside, 0, sizeof(*inside));
	if (contain_start(&c, fn, inside, &why) != 0)
		fail_msg("%s", why.text);
	assert_int_equal(contain_wait(&c, 60000, -1, &status), 0);
	contain_kill(&c);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	if (inside->err[15] != 0)
		fail_msg("%s", inside->why[15].text);
}

static void test_every_kind_behaves_as_claimed(void **state)
{
	(void)state;
	run_inside(build_every_kind);
	for (size_t i = 0; i < nat_kinds_n; i++) {
		if (inside->err[i] != 0)
			fail_msg("%s: %s", nat_kinds[i].name, inside->why[i].text);
	}
}

static void test_broken_lab_is_found_out(void **state)
{
	(void)state;
	run_inside(build_a_liar);
	assert_int_equal(inside->err[0], -E_CORRUPT);
	assert_non_null(strstr(inside->why[0].text, "endpoint-independent mapping"));
}

static void test_refused_rule_is_named(void **state)
{
	(void)state;
	run_inside(load_bad_rules);
	assert_int_not_equal(inside->err[0], 0);
	assert_non_null(strstr(inside->why[0].text, "no such rule"));
}

static int sleep_forever(void *arg)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	struct proc_opt opt = PROC_OPT_DEFAULT;
	struct inside *in = arg;
	pid_t pid;

	in->err[0] = proc_spawn(argv, &opt, &pid, &in->why[0]);
	pause();
	return 0;
}

static void test_wait_ends_at_its_limit_and_kill_ends_all(void **state)
{
	struct contain c;
	struct why why;
	int status;

	(void)state;
	memset(inside, 0, sizeof(*inside));
	if (contain_start(&c, sleep_forever, inside, &why) != 0)
		fail_msg("%s", why.text);
	assert_int_equal(contain_wait(&c, 300, -1, &status), -E_TIMEOUT);
	contain_kill(&c);
	assert_int_equal(inside->err[0], 0);
}

static void test_missing_program_is_named(void **state)
{
	const char *const argv[] = {"no-such-program", NULL};
	struct why why;

	(void)state;
	assert_int_equal(proc_run(argv, -1, NULL, 1000, &why), -E_NOTFOUND);
	assert_string_equal(why.text, "the program no-such-program is not installed");
}

static void test_failing_program_is_quoted(void **state)
{
	const char *const argv[] = {"sh", "-s", NULL};
	struct why why;

	(void)state;
	assert_int_equal(proc_run(argv, -1, "echo broken pipe dream >&2; exit 3\n", 5000, &why),
	                 -E_IO);
	assert_string_equal(why.text, "sh -s exited with status 3: broken pipe dream");
	assert_int_equal(proc_run(argv, -1, "sleep 10\n", 100, &why), -E_TIMEOUT);
	assert_int_equal(proc_run(argv, -1, "exit 0\n", 5000, &why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_missing_program_is_named),
	    cmocka_unit_test(test_failing_program_is_quoted),
	    cmocka_unit_test(test_wait_ends_at_its_limit_and_kill_ends_all),
	    cmocka_unit_test(test_every_kind_behaves_as_claimed),
	    cmocka_unit_test(test_broken_lab_is_found_out),
	    cmocka_unit_test(test_refused_rule_is_named),
	};
	int missing = namespaces_missing();

	if (missing)
		return missing;
	inside =
	    mmap(NULL, sizeof(*inside), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (inside == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
