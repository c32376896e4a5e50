/* SPDX-License-Identifier: BSD-3-Clause
 *
 * However a run ends, nothing is left: the harness, a browser or the appliance
 * is killed in the middle of a call, and every process is looked for by its id.
 */
#include "base/clock.h"
#include "harness/lab/proc.h"
#include "harness/tests/harness_run.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define MID_RUN_MS 30000
#define GONE_MS    10000
#define END_MS     150000
#define BROWSER    "--remote-debugging-pipe"
#define CHILD      "--type=" /* a browser's own child */
#define APPLIANCE  " serve --data "

static struct harness_run run;
static struct processes ps;

static const char *program; /* of the appliance */

static char keep[] = "/tmp/turnpike-keep-XXXXXX";

static void start(struct harness_run *h, bool with_keep)
{
	const char *const args[] = {"run",   "--only", "call-direct", "--turnpike",
	                            program, "--keep", keep,          NULL};
	const char *const plain[] = {"run", "--only", "call-direct", "--turnpike", program, NULL};

	assert_int_equal(harness_start(h, with_keep ? args : plain), 0);
}

static size_t count_browsers(void)
{
	size_t n = 0;

	for (size_t i = 0; i < ps.n; i++)
		n += strstr(ps.at[i].command, BROWSER) && !strstr(ps.at[i].command, CHILD);
	return n;
}

/* True once the run has come to watching its call. */
static bool watching(void)
{
	char path[128], text[4096];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/call-direct/steps.log", keep);
	f = fopen(path, "re");
	if (f) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	return strstr(text, "watching the call") != NULL;
}

static void clear_keep(void)
{
	const char *const argv[] = {"rm", "-rf", keep, NULL};
	struct why why;

	if (proc_run(argv, -1, NULL, 10000, &why) != 0)
		fail_msg("%s", why.text);
}

/* Starts a run and waits until it is in the middle of its call. */
static void reach_mid_run(void)
{
	int64_t deadline = clock_mono_ms() + MID_RUN_MS;

	clear_keep();
	start(&run, true);
	while (!watching() && clock_mono_ms() < deadline)
		clock_sleep_ms(50);
	processes_below(run.pid, &ps);
	if (count_browsers() != 2 || !processes_find(&ps, APPLIANCE, NULL)) {
		harness_end(&run, 0);
		fail_msg("never got to a call: %s", run.said);
	}
}

static void expect_nothing_left(void)
{
	int64_t deadline = clock_mono_ms() + GONE_MS;

	while (processes_alive(&ps) > 0 && clock_mono_ms() < deadline)
		clock_sleep_ms(20);
	assert_int_equal(processes_alive(&ps), 0);
	assert_int_equal(processes_in_their_namespaces(&ps), 0);
	assert_int_equal(harness_clear(&run), 0);
}

static void kill_harness(int sig)
{
	int status;

	reach_mid_run();
	kill(run.pid, sig);
	status = harness_end(&run, 20000);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), sig);
	expect_nothing_left();
	if (sig != SIGKILL)
		assert_non_null(strstr(run.said, "interrupted"));
}

static void test_ctrl_c(void **state)
{
	(void)state;
	kill_harness(SIGINT);
}

static void test_sigterm(void **state)
{
	(void)state;
	kill_harness(SIGTERM);
}

static void test_kill_9(void **state)
{
	(void)state;
	kill_harness(SIGKILL);
}

/* Kills the run's processes whose command line holds part and not no; the run must fail and say
 * so. */
static void kill_inside(const char *part, const char *no, const char *says)
{
	int status;

	reach_mid_run();
	assert_non_null(processes_find(&ps, part, no));
	for (size_t i = 0; i < ps.n; i++) {
		if (strstr(ps.at[i].command, part) && (!no || !strstr(ps.at[i].command, no)))
			kill(ps.at[i].pid, SIGKILL);
	}
	status = harness_end(&run, END_MS);
	expect_nothing_left();
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 1 || !strstr(run.said, says))
		fail_msg("status %x, or no \"%s\" in: %s", status, says, run.said);
}

static void test_browser_crash(void **state)
{
	(void)state;
	kill_inside(BROWSER, CHILD, "was killed by signal 9 (Killed)");
}

static void test_page_crash(void **state)
{
	(void)state;
	kill_inside("--type=renderer", NULL, "the page's process crashed");
}

static void test_appliance_crash(void **state)
{
	(void)state;
	kill_inside(APPLIANCE, NULL, "turnpike serve was killed by signal 9 (Killed)");
}

/* The first process of the lane's container: everything in it ends with it. */
static void test_lane_crash(void **state)
{
	const struct process *lane;
	int status;

	(void)state;
	reach_mid_run();
	lane = processes_find(&ps, "turnpike-harness run", NULL);
	assert_non_null(lane);
	kill(lane->pid, SIGKILL);
	status = harness_end(&run, END_MS);
	expect_nothing_left();
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 1 ||
	    !strstr(run.said, "The harness itself was killed by signal 9 (Killed) at: watching"))
		fail_msg("status %x: %s", status, run.said);
}

static void test_two_at_once(void **state)
{
	struct harness_run other;
	int status[2];

	(void)state;
	start(&run, false);
	start(&other, false);
	status[0] = harness_end(&run, END_MS);
	status[1] = harness_end(&other, END_MS);
	assert_int_equal(harness_clear(&run), 0);
	assert_int_equal(harness_clear(&other), 0);
	if (status[0] != 0)
		fail_msg("%s", run.said);
	if (status[1] != 0)
		fail_msg("%s", other.said);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ctrl_c),     cmocka_unit_test(test_sigterm),
	    cmocka_unit_test(test_kill_9),     cmocka_unit_test(test_browser_crash),
	    cmocka_unit_test(test_page_crash), cmocka_unit_test(test_appliance_crash),
	    cmocka_unit_test(test_lane_crash), cmocka_unit_test(test_two_at_once),
	};

	int status;

	if (argc != 2) {
		fprintf(stderr, "Usage: harness-cleanup APPLIANCE\n");
		return 2;
	}
	program = argv[1];
	if (!mkdtemp(keep))
		return 1;
	status = cmocka_run_group_tests(tests, NULL, NULL);
	clear_keep();
	return status;
}
