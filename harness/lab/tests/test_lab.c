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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/tests/inside.h"

/* The inside's report to the test: cmocka cannot assert across processes. */
struct inside {
	int err[64];
	struct why why[64];
};

#define SETUP 63 /* the test's own ground: must be well */

static struct inside *inside;

static void lie_mapping(struct nat_kind *k)
{
	k->claim.v4.mapping = NAT_MAP_ADDRESS_PORT_DEPENDENT;
}

static void lie_hairpin(struct nat_kind *k)
{
	k->claim.hairpin = true;
}

/* The claim stays, the rules do not: no cone, no IPv6 firewall. */
static void lie_rules(struct nat_kind *k)
{
	if (k->nat[0])
		k->nat = nat_find("port-restricted")->nat;
	else
		k->filtered = false;
}

static void lie_443(struct nat_kind *k)
{
	k->claim.tcp = NAT_TCP_443;
}

static void lie_tcp(struct nat_kind *k)
{
	k->claim.tcp = NAT_TCP_ALL;
}

static void lie_ping(struct nat_kind *k)
{
	k->claim.no_ping = true;
}

static void lie_rejected(struct nat_kind *k)
{
	k->claim.rejected = true;
}

static void lie_no_ipv6(struct nat_kind *k)
{
	k->claim.v6.udp = false;
}

/* The same router is turned from kind to kind, as a matrix run does. */
static int build_every_kind(void *arg)
{
	struct inside *in = arg;
	struct lab *lab = NULL;
	int err = lab_new(&lab, &in->why[SETUP]);

	in->err[SETUP] = err;
	for (size_t i = 0; i < nat_kinds_n * LAB_SIDES && err == 0; i++) {
		/* The other side in the other order: what one does must not touch the other. */
		enum lab_side side = i % 2;
		const struct nat_kind *kind =
		    &nat_kinds[side == LAB_A ? i / 2 : nat_kinds_n - 1 - i / 2];

		in->err[i] = lab_set_nat(lab, side, kind, &in->why[i]);
		if (in->err[i] == 0)
			in->err[i] = lab_verify_nat(lab, side, &in->why[i]);
	}
	lab_free(lab);
	return 0;
}

/* Kinds whose rules do not do what their row says. */
static const struct lie {
	const char *kind;
	void (*tell)(struct nat_kind *kind);
	const char *found;
} lies[] = {
    {"port-restricted", lie_mapping, "endpoint-independent mapping"},
    {"port-restricted", lie_hairpin, "; TCP"},
    {"full-cone", lie_rules, "address- and port-dependent filtering"},
    {"tcp-only", lie_443, "; TCP, no ping"},
    {"http-proxy", lie_tcp, "TCP through the proxy only"},
    {"udp-blocked", lie_ping, "no UDP; TCP"},
    {"udp-blocked", lie_rejected, "no UDP; TCP"},
    {"ipv6-only", lie_rules, "IPv6: no translation, endpoint-independent filtering"},
    {"dual-stack", lie_no_ipv6, "IPv6: no translation, address- and port-dependent filtering"},
};

#define LIES (sizeof(lies) / sizeof(*lies))

static int build_liars(void *arg)
{
	struct inside *in = arg;
	struct lab *lab = NULL;

	in->err[SETUP] = lab_new(&lab, &in->why[SETUP]);
	for (size_t i = 0; i < LIES && in->err[SETUP] == 0; i++) {
		struct nat_kind liar = *nat_find(lies[i].kind);

		lies[i].tell(&liar);
		in->err[SETUP] = lab_set_nat(lab, LAB_A, &liar, &in->why[SETUP]);
		if (in->err[SETUP] == 0)
			in->err[i] = lab_verify_nat(lab, LAB_A, &in->why[i]);
	}
	lab_free(lab);
	return 0;
}

static int load_bad_rules(void *arg)
{
	struct inside *in = arg;
	struct nat_kind bad = *nat_find("port-restricted");
	struct lab *lab = NULL;

	bad.nat = "chain post { no such rule; }\n";
	in->err[SETUP] = lab_new(&lab, &in->why[SETUP]);
	if (in->err[SETUP] == 0)
		in->err[0] = lab_set_nat(lab, LAB_A, &bad, &in->why[0]);
	lab_free(lab);
	return 0;
}

/* A machine with ip and nft, and no more. */
static int bare_path(struct why *why)
{
	static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
	static const char *const programs[] = {"ip", "nft"};
	char from[64], to[64];

	mkdir(CONTAIN_WORK "/bin", 0700);
	for (size_t p = 0; p < 2; p++) {
		snprintf(to, sizeof(to), CONTAIN_WORK "/bin/%s", programs[p]);
		for (size_t i = 0; i < 4 && access(to, X_OK) != 0; i++) {
			snprintf(from, sizeof(from), "%s/%s", folders[i], programs[p]);
			if (access(from, X_OK) == 0 && symlink(from, to) != 0)
				return why_set(why, -E_IO, "symlink");
		}
	}
	return setenv("PATH", CONTAIN_WORK "/bin", 1);
}

static int build_on_a_bare_machine(void *arg)
{
	static const struct lab_link slow = {.delay_ms = 10};
	struct inside *in = arg;
	struct lab *lab = NULL;
	struct why *setup = &in->why[SETUP];
	int err = bare_path(setup);

	if (err == 0)
		err = lab_new(&lab, setup);
	if (err == 0) {
		in->err[0] = lab_set_nat(lab, LAB_A, nat_find("nat64"), &in->why[0]);
		in->err[1] = lab_set_nat(lab, LAB_A, nat_find("http-proxy"), &in->why[1]);
		err = lab_set_nat(lab, LAB_A, nat_find("symmetric"), setup);
	}
	if (err == 0)
		err = lab_verify_nat(lab, LAB_A, setup);
	if (err == 0)
		in->err[2] = lab_set_link(lab, LAB_A, &slow, &in->why[2]);
	lab_free(lab);
	in->err[SETUP] = err;
	return 0;
}

static void run_inside(int (*fn)(void *arg))
{
	int status;

	memset(inside, 0, sizeof(*inside));
	status = inside_run(fn, inside, 60000);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	if (inside->err[SETUP] != 0)
		fail_msg("%s", inside->why[SETUP].text);
}

static void test_every_kind_behaves_as_claimed(void **state)
{
	(void)state;
	run_inside(build_every_kind);
	for (size_t i = 0; i < nat_kinds_n * LAB_SIDES; i++) {
		if (inside->err[i] != 0 && !tun_missing(inside->why[i].text))
			fail_msg("%s", inside->why[i].text);
	}
}

static void test_broken_lab_is_found_out(void **state)
{
	(void)state;
	run_inside(build_liars);
	for (size_t i = 0; i < LIES; i++) {
		const char *found = strstr(inside->why[i].text, "but probing found ");

		if (inside->err[i] != -E_CORRUPT || !found || !strstr(found, lies[i].found))
			fail_msg("lie %zu about %s: %s", i, lies[i].kind, inside->why[i].text);
		assert_non_null(strstr(inside->why[i].text, lies[i].kind));
	}
}

static void test_refused_rule_is_named(void **state)
{
	(void)state;
	run_inside(load_bad_rules);
	assert_int_not_equal(inside->err[0], 0);
	assert_non_null(strstr(inside->why[0].text, "no such rule"));
}

static void test_only_the_kind_that_needs_a_program_asks_for_it(void **state)
{
	static const char *const package[] = {
	    "Debian package tayga", "Debian package tinyproxy-bin", "Debian package iptables"};

	(void)state;
	run_inside(build_on_a_bare_machine);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(inside->err[i], -E_NOTFOUND);
		if (!strstr(inside->why[i].text, package[i]))
			fail_msg("%s", inside->why[i].text);
	}
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

static void test_what_a_program_says(void **state)
{
	const char *const good[] = {"sh", "-c", "echo loud >&2; echo well said", NULL};
	const char *const bad[] = {"sh", "-c", "echo half; echo of it broke >&2; exit 3", NULL};
	char said[32] = "";
	struct why why;
	int fd = -1;

	(void)state;
	assert_int_equal(proc_ask(good, -1, 5000, &fd, &why), 0);
	assert_int_equal(read(fd, said, sizeof(said)), strlen("well said\n"));
	assert_string_equal(said, "well said\n");
	close(fd);
	fd = -1;
	assert_int_equal(proc_ask(bad, -1, 5000, &fd, &why), -E_IO);
	assert_string_equal(why.text, "sh -c exited with status 3: of it broke");
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_missing_program_is_named),
	    cmocka_unit_test(test_failing_program_is_quoted),
	    cmocka_unit_test(test_what_a_program_says),
	    cmocka_unit_test(test_wait_ends_at_its_limit_and_kill_ends_all),
	    cmocka_unit_test(test_every_kind_behaves_as_claimed),
	    cmocka_unit_test(test_broken_lab_is_found_out),
	    cmocka_unit_test(test_refused_rule_is_named),
	    cmocka_unit_test(test_only_the_kind_that_needs_a_program_asks_for_it),
	};
	int missing = namespaces_missing();

	if (missing)
		return missing;
	inside = inside_new(sizeof(*inside));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
