/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The gauge beside a real relay, in the lab: silent about a good one, and each
 * judge fires on its fault, which is really there.
 */
#include "harness/gauge/gauge.h"

#include "base/clock.h"
#include "harness/lab/contain.h"
#include "harness/lab/pressure.h"
#include "harness/lab/proc.h"
#include "harness/scenarios/appliance.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/tests/inside.h"

#define LIMIT_MS   120000
#define MEASURE_MS 1500
#define STALL_MS   800
#define LIAR_IP    LAB_TURN_IP

static const struct liar_case {
	const char *fault, *sentence; /* NULL: nothing is to be said */
} cases[] = {
    {"none", NULL},
    {"loss", "should lose nothing on a network that loses nothing, but lost"},
    {"delay", "the relay delays packets"},
    {"double", "should pass each datagram once"},
    {"corrupt", "arrived changed over UDP"},
    {"deaf", "pass none (odd port numbers"},
    {"refresh", "should refresh live allocations, but did not: Refresh: error 437"},
    {"stall", "the server hung or restarted"},
};

#define CASES (sizeof(cases) / sizeof(*cases))

/* The inside's report to the test: cmocka cannot assert across processes. */
struct inside {
	struct result direct, result[CASES];
	int open_before, open_after, open_leaked;
	struct why why;
};

static struct inside *inside;
static char turnpike[PATH_MAX], liar[PATH_MAX];

static int take_credentials(struct appliance *a, struct gauge_options *opt, struct why *why)
{
	static const char *const words[] = {"credentials", "gauge", "--json", NULL};
	json_t *said = NULL;
	int err = appliance_verb(a, words, &said, why);

	snprintf(opt->user, sizeof(opt->user), "%s",
	         err ? "" : json_string_value(json_object_get(said, "username")));
	snprintf(opt->password, sizeof(opt->password), "%s",
	         err ? "" : json_string_value(json_object_get(said, "password")));
	json_decref(said);
	return err;
}

static void measure(const struct gauge_options *opt, pid_t stall, struct result *r)
{
	struct gauge *g = gauge_start(opt);
	struct gauge_facts facts;

	clock_sleep_ms(MEASURE_MS / 2); /* what is measured in this time */
	if (stall > 0) {
		kill(stall, SIGSTOP);
		clock_sleep_ms(STALL_MS);
		kill(stall, SIGCONT);
	}
	clock_sleep_ms(MEASURE_MS / 2);
	gauge_stop(g, &facts);
	gauge_judge(&facts, r);
}

/* Through a liar in the server's namespace. */
static int measure_liar(struct lab *lab, const char *fault, struct gauge_options *opt,
                        struct result *r, struct why *why)
{
	bool stalls = !strcmp(fault, "stall");
	const char *argv[] = {liar, stalls ? "none" : fault, LIAR_IP, "3478", LAB_SERVER_IP, "3478",
	                      NULL};
	struct proc_opt po = PROC_OPT_DEFAULT;
	pid_t pid;
	int err;

	po.netns_fd = lab_server_ns(lab);
	po.fd[2] = STDERR_FILENO;
	err = proc_spawn(argv, &po, &pid, why);
	if (err != 0)
		return err;
	opt->server_pid = pid;
	measure(opt, stalls ? pid : 0, r);
	proc_stop(pid, 0);
	return 0;
}

static int play(void *arg)
{
	struct inside *in = arg;
	struct gauge_options opt = {.ip = LAB_SERVER_IP, .peer_ip = LAB_OUTSIDE_IP};
	struct appliance *a = NULL;
	struct lab *lab = NULL;
	struct result ignored;
	int err = lab_new(&lab, &in->why);

	if (err == 0)
		err = appliance_start(&a, turnpike, NULL, lab, memfd_create("log", MFD_CLOEXEC),
		                      &in->why);
	if (err == 0)
		err = take_credentials(a, &opt, &in->why);
	if (err != 0)
		return 1;
	opt.server_ns = lab_server_ns(lab);
	opt.port[GAUGE_UDP] = opt.port[GAUGE_TCP] = 3478;
	in->open_before = lab_udp_sockets(opt.server_ns, &in->why);
	measure(&opt, 0, &in->direct);
	for (int i = 0; i < 100 && in->open_after != in->open_before; i++) {
		clock_sleep_ms(50);
		in->open_after = lab_udp_sockets(opt.server_ns, &in->why);
	}
	snprintf(opt.ip, sizeof(opt.ip), "%s", LIAR_IP);
	opt.port[GAUGE_TCP] = 0;
	for (size_t i = 0; i < CASES && err == 0; i++)
		err = measure_liar(lab, cases[i].fault, &opt, &in->result[i], &in->why);
	result_init(&ignored, "leak", "");
	if (err == 0)
		err = measure_liar(lab, "leak", &opt, &ignored, &in->why);
	in->open_leaked = lab_udp_sockets(opt.server_ns, &in->why);
	if (err == 0)
		err = appliance_stop(a, &in->why);
	lab_free(lab);
	return err != 0;
}

static int setup(void **state)
{
	struct contain c;
	struct why why;
	int status = 0;

	(void)state;
	result_init(&inside->direct, "direct", "");
	for (size_t i = 0; i < CASES; i++)
		result_init(&inside->result[i], cases[i].fault, "");
	if (contain_start(&c, play, inside, &why) != 0) {
		fprintf(stderr, "%s\n", why.text);
		return -1;
	}
	contain_wait(&c, LIMIT_MS, -1, &status);
	contain_kill(&c);
	if (status != 0)
		fprintf(stderr, "inside: %s\n", inside->why.text);
	return status ? -1 : 0;
}

static void print_measures(const struct result *r)
{
	print_message("%s: %s", r->name, result_state_text(r->state));
	for (size_t i = 0; i < r->measure_n; i++)
		print_message(", %s %.1f %s", r->measure[i].name, r->measure[i].value,
		              r->measure[i].unit);
	print_message("\n");
	for (size_t i = 0; i < r->failure_n; i++)
		print_message("    %s\n", r->failure[i]);
}

static void expect_silence(const struct result *r)
{
	print_measures(r);
	/* A server without a core may be excused, but never accused. */
	if (r->state != RESULT_PASSED && r->state != RESULT_INCONCLUSIVE)
		fail_msg("%s", r->failure[0]);
	assert_non_null(result_find(r, "relay_round_trip"));
}

static void test_a_good_relay_is_not_accused(void **state)
{
	(void)state;
	expect_silence(&inside->direct);
	assert_int_equal(inside->open_after, inside->open_before);
}

static void test_each_fault_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		const struct result *r = &inside->result[i];
		bool told = false;

		if (!cases[i].sentence) {
			expect_silence(r);
			continue;
		}
		print_measures(r);
		for (size_t k = 0; k < r->failure_n; k++)
			told = told || strstr(r->failure[k], cases[i].sentence);
		if (!told)
			fail_msg("%s: not told; first: %s", cases[i].fault,
			         r->failure_n ? r->failure[0] : "nothing");
		if (r->state != RESULT_INCONCLUSIVE)
			assert_int_equal(r->state, RESULT_FAILED);
	}
}

/* The gauge cannot know it, the host of the relay does. */
static void test_a_leak_is_seen_by_its_sockets(void **state)
{
	(void)state;
	assert_true(inside->open_leaked >= inside->open_before + 5);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_good_relay_is_not_accused),
	    cmocka_unit_test(test_each_fault_is_told),
	    cmocka_unit_test(test_a_leak_is_seen_by_its_sockets),
	};

	if (argc != 3 || !realpath(argv[1], turnpike) || !realpath(argv[2], liar)) {
		fprintf(stderr, "Usage: harness-gauge TURNPIKE LIAR\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	inside = inside_new(sizeof(*inside));
	return cmocka_run_group_tests(tests, setup, NULL);
}
