/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The harness's command line and its exit statuses, on the built program.
 */
#include "harness/lab/contain.h"
#include "harness/lab/proc.h"
#include "harness/tests/harness_run.h"
#include "harness/tests/namespaces.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOT_WELL "/bin/false" /* stands in for a server that cannot start */

static struct harness_run run;

/* Runs to the end and expects the exit status and a part of what is said. */
static void expect(const char *const args[], int status, const char *says)
{
	int got;

	assert_int_equal(harness_start(&run, args), 0);
	got = harness_end(&run, 60000);
	assert_int_equal(harness_clear(&run), 0);
	if (!WIFEXITED(got) || WEXITSTATUS(got) != status || !strstr(run.said, says))
		fail_msg("status %x instead of exit %d, or no \"%s\" in: %s", got, status, says,
		         run.said);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_help_version_list(void **state)
{
	(void)state;
	expect(ARGS("--help"), 0, "--only=NAME");
	expect(ARGS("--version"), 0, "turnpike-harness " TURNPIKE_VERSION "\n");
	expect(ARGS("list"), 0, "call-symmetric-relay");
}

static void test_wrong_usage(void **state)
{
	static const char *const nothing[] = {NULL};

	(void)state;
	expect(nothing, 2, "say what to do");
	expect(ARGS("frobnicate"), 2, "there is no command frobnicate");
	expect(ARGS("list", "more"), 2, "unexpected argument more");
	expect(ARGS("run", "--only", "no-such"), 2, "there is no scenario no-such");
	expect(ARGS("run", "--no-such-option"), 2, "unrecognized option");
	expect(ARGS("run", "--capture"), 2, "add --html FILE or --keep DIR");
	expect(ARGS("run", "--kinds", "none,cone"), 2, "there is no NAT kind cone");
	expect(ARGS("run", "--shard", "3/2"), 2, "--shard wants I/N");
	expect(ARGS("run", "--repeat", "0"), 2, "--repeat 0: not a number from 1");
	expect(ARGS("run", "--browsers", "chromium,lynx"), 2, "there is no browser lynx");
	expect(ARGS("run", "--target", "cotrun"), 2, "there is no target cotrun");
	expect(ARGS("run", "--target", "coturn", "--coturn", "/no/such"), 2,
	       "there is no program /no/such: name coturn's turnserver");
	expect(ARGS("run", "--turn", "turn:203.0.113.13"), 2, "--turn needs --user");
	expect(ARGS("run", "--start", "true"), 2, "belong to --turn or --ice-servers");
	expect(ARGS("run", "--ice-servers", "/dev/null", "--start", "true"), 2,
	       "/dev/null: it is empty");
	expect(ARGS("run", "--ice-servers", "http://127.0.0.1:1/", "--start", "true"), 2,
	       "http://127.0.0.1:1/: Failed to connect");
	expect(ARGS("run", "--turnpike", "/no/such"), 2, "there is no program /no/such");
	expect(ARGS("run", "--turnpike", NOT_WELL, "--browser", "/no/such"), 2,
	       "there is no browser at /no/such");
	expect(ARGS("run", "--turnpike", NOT_WELL, "--junit", "/no/such/file"), 2,
	       "cannot write /no/such/file: No such file or directory");
	expect(ARGS("run", "--turnpike", NOT_WELL, "--keep", "/no/such/folder"), 2,
	       "cannot make the folder /no/such/folder");
}

static void test_server_that_does_not_start(void **state)
{
	(void)state;
	expect(ARGS("run", "--only", "call-direct", "--turnpike", NOT_WELL), 1,
	       "While starting the appliance: turnpike serve exited with status 1");
}

/* Inside a user namespace the limit is ours to set: as on a machine that gives none. */
static int forbid_namespaces(void)
{
	FILE *f = fopen("/proc/sys/user/max_net_namespaces", "we");

	return f && fputs("0", f) != EOF && fclose(f) == 0 ? 0 : -1;
}

static int run_without_namespaces(void *arg)
{
	(void)arg;
	if (forbid_namespaces() != 0)
		return 100;
	if (harness_start(&run, ARGS("run", "--only", "call-direct", "--turnpike", NOT_WELL)) != 0)
		return 101;
	int status = harness_end(&run, 30000);

	if (harness_clear(&run) != 0)
		return 102;
	if (!strstr(run.said, "this machine gives no user, network and PID namespaces: clone: No "
	                      "space left on device")) {
		fprintf(stderr, "%s\n", run.said);
		return 103;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 104;
}

/* Reports and artifacts on a disk with room for nothing: the verdict is told all the same. */
static int run_on_full_disk(void *arg)
{
	(void)arg;
	if (mount("tmpfs", "/mnt", "tmpfs", 0, "size=4k") != 0)
		return 100;
	FILE *f = fopen("/mnt/filler", "we");

	for (int i = 0; f && i < 8192; i++)
		putc('x', f);
	if (f)
		fclose(f);
	/* A program that leaves at once, but not without a word for the log. */
	if (harness_start(&run, ARGS("run", "--only", "call-direct", "--turnpike", "/bin/ls",
	                             "--keep", "/mnt/keep", "--json", "/mnt/report.json")) != 0)
		return 101;
	int status = harness_end(&run, 30000);

	if (harness_clear(&run) != 0)
		return 102;
	if (!strstr(run.said, "artifacts are incomplete: call-direct/") ||
	    access("/mnt/report.json", F_OK) == 0 ||
	    !strstr(run.said, "writing /mnt/report.json failed: is the disk full?") ||
	    !strstr(run.said, "While starting the appliance: turnpike serve exited")) {
		fprintf(stderr, "%s\n", run.said);
		return 103;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 104;
}

/* Nothing but what is whole: not even an empty file where a run did not begin. */
static void test_no_report_of_a_run_that_did_not_begin(void **state)
{
	const char *path = "/tmp/turnpike-cli-report.json";

	(void)state;
	unlink(path);
	expect(ARGS("run", "--json", path, "--only", "no-such", "--turnpike", NOT_WELL), 2,
	       "there is no scenario no-such");
	assert_int_not_equal(access(path, F_OK), 0);
}

static int hide(const char *name)
{
	char path[64], real[PATH_MAX];

	snprintf(path, sizeof(path), "/usr/bin/%s", name);
	if (!realpath(path, real))
		return 0; /* not here anyway */
	return mount("/dev/null", real, NULL, MS_BIND, NULL);
}

/* As on a machine with Chromium alone: the default plan leaves the other browsers out, with a
 * notice; asking for one by name is an error, and there is no report. */
static int run_without_firefox(void *arg)
{
	char text[100000] = "";
	int status;
	FILE *f;

	(void)arg;
	if (hide("firefox-esr") != 0 || hide("firefox") != 0 ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, NULL) != 0)
		return 100;
	/* A call of Chromium, which fails, and two of Firefox. */
	if (harness_start(&run, ARGS("run", "--only", "call-f*", "--turnpike", NOT_WELL, "--json",
	                             "/mnt/report.json")) != 0)
		return 101;
	status = harness_end(&run, 60000);
	f = fopen("/mnt/report.json", "re");
	if (f) {
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
	}
	if (harness_clear(&run) != 0 || WEXITSTATUS(status) != 1 ||
	    !strstr(run.said, "Firefox is not installed") || !strstr(run.said, "2 left out") ||
	    !strstr(text, "\"skipped\": 2")) {
		fprintf(stderr, "%s\n%s\n", run.said, text);
		return 102;
	}
	if (harness_start(&run, ARGS("run", "--only", "call-firefox", "--only", "call-direct",
	                             "--turnpike", NOT_WELL, "--json", "/mnt/named.json")) != 0)
		return 103;
	status = harness_end(&run, 60000);
	if (harness_clear(&run) != 0 || WEXITSTATUS(status) != 3 ||
	    !strstr(run.said, "call-firefox wants a browser: Firefox is not installed") ||
	    access("/mnt/named.json", F_OK) == 0) {
		fprintf(stderr, "%s\n", run.said);
		return 104;
	}
	return 0;
}

static int gate_status(const char *ci)
{
	const char *const argv[] = {GATE_PROGRAM, "/bin/true", NULL};
	struct proc_opt po = PROC_OPT_DEFAULT;
	struct why why;
	int status;
	pid_t pid;

	if (setenv("CI", ci, 1) != 0 || proc_spawn(argv, &po, &pid, &why) != 0 ||
	    proc_wait(pid, 30000, &status) != 0 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Skipped where it may be, failed in CI. */
static int gate_without_namespaces(void *arg)
{
	(void)arg;
	if (gate_status("") != 0 || forbid_namespaces() != 0)
		return 100;
	return gate_status("") == 77 && gate_status("true") == 1 ? 0 : 101;
}

static void expect_inside(int (*fn)(void *arg), int want)
{
	struct contain c;
	struct why why;
	int status;

	if (contain_start(&c, fn, NULL, &why) != 0)
		fail_msg("%s", why.text);
	assert_int_equal(contain_wait(&c, 60000, -1, &status), 0);
	contain_kill(&c);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), want);
}

static void test_machine_without_namespaces(void **state)
{
	(void)state;
	expect_inside(run_without_namespaces, 3);
	expect_inside(gate_without_namespaces, 0);
}

static void test_machine_without_firefox(void **state)
{
	(void)state;
	expect_inside(run_without_firefox, 0);
}

static void test_full_disk(void **state)
{
	(void)state;
	expect_inside(run_on_full_disk, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_help_version_list),
	    cmocka_unit_test(test_wrong_usage),
	    cmocka_unit_test(test_server_that_does_not_start),
	    cmocka_unit_test(test_machine_without_namespaces),
	    cmocka_unit_test(test_full_disk),
	    cmocka_unit_test(test_no_report_of_a_run_that_did_not_begin),
	    cmocka_unit_test(test_machine_without_firefox),
	};
	int missing = namespaces_missing();

	if (missing)
		return missing;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
