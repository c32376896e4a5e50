/* SPDX-License-Identifier: BSD-3-Clause
 *
 * turnpike-load signal, with few clients: every step runs, its counters are right, and a server
 * that loses a message or a client is found out. Nothing here depends on how fast the machine is.
 */
#include "base/tests/test.h"
#include "harness/lab/contain.h"
#include "harness/lab/proc.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS     24
#define LIMIT_MS 400000
#define OUT_MAX  16384

static char out[OUT_MAX];

/* Splits at blanks and runs; what it wrote is in out. Its exit status. */
static int load(const char *args, const char *json)
{
	struct proc_opt po = PROC_OPT_DEFAULT;
	const char *argv[ARGS] = {LOAD_PROGRAM, "signal", "--json", json};
	char words[512];
	struct why why;
	pid_t pid = 0;
	int status = -1;
	size_t n = 4;
	ssize_t len;

	snprintf(words, sizeof(words), "%s", args);
	for (char *w = strtok(words, " "); w && n + 1 < ARGS; w = strtok(NULL, " "))
		argv[n++] = w;
	po.fd[1] = po.fd[2] = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(po.fd[1] >= 0);
	assert_int_equal(proc_spawn(argv, &po, &pid, &why), 0);
	if (proc_wait(pid, LIMIT_MS, &status))
		proc_stop(pid, 0);
	len = pread(po.fd[1], out, sizeof(out) - 1, 0);
	out[len < 0 ? 0 : len] = 0;
	close(po.fd[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The figures of a run that has to end with that status. */
static json_t *figures(const char *args, int want)
{
	char path[] = "/tmp/test-signal-XXXXXX";
	int fd = mkstemp(path), status;
	json_t *all;

	assert_true(fd >= 0);
	status = load(args, path);
	if (status != want)
		print_message("turnpike-load signal %s: %d\n%s\n", args, status, out);
	assert_int_equal(status, want);
	all = json_load_file(path, 0, NULL);
	close(fd);
	unlink(path);
	return all;
}

static const json_t *at(const json_t *all, const char *step, const char *server)
{
	const json_t *o = json_object_get(json_object_get(all, step), server);

	if (!o)
		print_message("no %s of %s\n%s\n", server, step, out);
	assert_non_null(o);
	return o;
}

static double real(const json_t *o, const char *key)
{
	const json_t *value = json_object_get(o, key);

	assert_true(json_is_number(value));
	return json_number_value(value);
}

static void check_round(const json_t *all, const char *step, const char *server, const char *tls)
{
	const json_t *rounds = json_object_get(json_object_get(all, step), "rounds");
	const json_t *m = json_object_get(json_array_get(rounds, 0), server);
	const char *has = json_string_value(json_object_get(m, "tls"));

	assert_int_equal(json_array_size(rounds), 1);
	assert_true(real(m, "done") > 0);
	assert_true(real(m, "lost") == 0);
	assert_true(real(m, "cpu_us") > 0);
	assert_true(real(m, "p99_us") >= real(m, "p50_us"));
	assert_non_null(has);
	assert_int_equal(strncmp(has, tls, strlen(tls)), 0);
	assert_int_equal(!*has, !*tls);
}

static void check_ratio(const json_t *all, const char *step, const char *key, const char *server)
{
	double want =
	    real(json_object_get(all, step), "turnpike") / real(json_object_get(all, step), server);
	double is = real(json_object_get(all, step), key);

	assert_true(is > 0.999 * want && is < 1.001 * want);
}

/* By a window and by a timetable. */
static void messages(void **state)
{
	json_t *all = figures("--only signal --only signal-slow --against node --rounds 1 "
	                      "--seconds 0.3",
	                      0);
	static const char *const servers[] = {"floor", "turnpike", "node"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		check_round(all, "signal", servers[i], "");
		check_round(all, "signal-slow", servers[i], "");
	}
	check_ratio(all, "signal", "to_floor", "floor");
	check_ratio(all, "signal", "to_node", "node");
	json_decref(all);
}

static void messages_over_tls(void **state)
{
	static const char *const wires[] = {"tls", "tls-alpn"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char args[128], step[32];
		json_t *all;

		snprintf(args, sizeof(args),
		         "--only signal --transport %s --against node --rounds 1 --seconds 0.3",
		         wires[i]);
		snprintf(step, sizeof(step), "signal-%s", wires[i]);
		all = figures(args, 0);
		check_round(all, step, "turnpike", "TLSv1.3, ");
		check_round(all, step, "node", "TLSv1.3, ");
		check_ratio(all, step, "to_node", "node");
		json_decref(all);
	}
}

static void joining(void **state)
{
	json_t *all = figures("--join-storm 40 --against node", 0);
	static const char *const servers[] = {"turnpike", "node"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const json_t *o = at(all, "join-storm-40", servers[i]);

		assert_true(real(o, "clients") == 40);
		assert_true(real(o, "lost") == 0);
		assert_true(real(o, "closed") == 0);
		assert_true(real(o, "told") >= 40); /* each had a list */
		assert_true(real(o, "seconds") > 0);
		assert_true(real(o, "cpu_s") > 0);
		assert_true(real(o, "peak_kb") > 0);
	}
	json_decref(all);
}

/* Long enough for a ping (20 s); a client that did not answer would be closed later. */
static void idle(void **state)
{
	json_t *all = figures("--idle 20 --seconds 27 --transport tls-alpn", 0);
	const json_t *o = at(all, "idle-20-tls-alpn", "turnpike");

	(void)state;
	assert_true(real(o, "clients") == 20);
	assert_true(real(o, "pings") >= 20);
	assert_true(real(o, "closed") == 0);
	assert_true(real(o, "share") > 0);
	assert_true(real(o, "kb_each") > 0);
	assert_true(real(o, "seconds") >= 27);
	json_decref(all);
}

static void check_probe(const json_t *o)
{
	assert_true(real(o, "n") > 0);
	assert_true(real(o, "p50_ms") > 0);
	assert_true(real(o, "p99_ms") >= real(o, "p50_ms"));
	assert_true(real(o, "max_ms") >= real(o, "p99_ms"));
}

static void check_attack(const json_t *all, const char *step)
{
	const json_t *o = json_object_get(all, step);

	check_probe(at(all, step, "healthz"));
	check_probe(at(all, step, "call"));
	check_probe(at(all, step, "calm_healthz"));
	check_probe(at(all, step, "calm_call"));
	assert_true(real(at(all, step, "calm_call"), "failed") == 0);
	assert_true(real(o, "hostile") == 6);
	assert_true(real(o, "innocent") == 12);
	assert_true(real(o, "connected") >= 6);
	assert_true(real(o, "closed") == 0);
	/* it is an attack: they act, and are stopped where there is something to stop */
	assert_true(real(o, "acts") > 0 || !strcmp(step, "attack-half"));
}

/* All steps, with an eightieth of their clients. */
static void everything(void **state)
{
	static const char *const steps[] = {"signal",        "signal-1000",     "signal-slow",
	                                    "signal-large",  "signal-tls",      "signal-tls-alpn",
	                                    "join-storm-12", "join-storm-50",   "join-storm-125",
	                                    "idle-122",      "idle-25-tls-alpn"};
	static const char *const attacks[] = {"attack-rename",    "attack-chat", "attack-crowd",
	                                      "attack-oversized", "attack-half", "attack-slow"};
	json_t *all = figures("--all --scale 0.0125 --rounds 1 --seconds 0.4", 0);

	(void)state;
	assert_int_equal(json_object_size(all), 11 + 6);
	for (size_t i = 0; i < 11; i++) {
		if (!json_object_get(all, steps[i]))
			print_message("no %s\n%s\n", steps[i], out);
		assert_non_null(json_object_get(all, steps[i]));
	}
	for (size_t i = 0; i < 6; i++)
		check_attack(all, attacks[i]);
	assert_true(real(json_object_get(all, "attack-oversized"), "hostile_closed") > 0);
	assert_true(real(json_object_get(all, "attack-rename"), "refused") > 0);
	json_decref(all);
}

/* A router that does something wrong: what is to be said then. */
static void a_liar_is_found_out(void **state)
{
	static const struct {
		const char *args, *says;
	} cases[] = {
	    {"--only signal --lie drop", "messages or clients were lost"},
	    {"--only signal --lie double", "twice or out of order"},
	    {"--only signal --lie close", "closed a client's connection (code 1008)"},
	    {"--join-storm 20 --lie list", "messages or clients were lost"},
	    {"--join-storm 20 --lie namesake", "messages or clients were lost"},
	    {"--join-storm 20 --lie refuse", "messages or clients were lost"},
	    {"--idle 20 --lie close-idle", "messages or clients were lost"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char args[160];

		snprintf(args, sizeof(args),
		         "%s --against node --rounds 1 --seconds 1 --patience 4", cases[i].args);
		json_decref(figures(args, 1));
		if (!strstr(out, cases[i].says))
			print_message("%s: %s\n", args, out);
		assert_non_null(strstr(out, cases[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages),
	    cmocka_unit_test(messages_over_tls),
	    cmocka_unit_test(joining),
	    cmocka_unit_test(idle),
	    cmocka_unit_test(a_liar_is_found_out),
	    cmocka_unit_test(everything),
	};
	struct why why;

	if (contain_supported(&why)) {
		fprintf(stderr, "%s\n", why.text);
		return getenv("CI") ? 1 : 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
