/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The load program, shortly: what it counts, what it compares, and what it says
 * when it cannot. Nothing here depends on how fast the machine is.
 */
#include "base/tests/test.h"
#include "harness/lab/contain.h"
#include "harness/lab/proc.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS     24
#define LIMIT_MS 100000
#define TRIES    4

/* Splits at blanks, runs, and gives the exit status and all that it wrote. */
static int load(const char *args, char *out, size_t size)
{
	struct proc_opt po = PROC_OPT_DEFAULT;
	const char *argv[ARGS] = {LOAD_PROGRAM};
	char words[512];
	struct why why;
	pid_t pid = 0;
	int status = -1;
	size_t n = 1;
	ssize_t len;

	snprintf(words, sizeof(words), "%s", args);
	for (char *w = strtok(words, " "); w && n + 1 < ARGS; w = strtok(NULL, " "))
		argv[n++] = w;
	po.fd[1] = po.fd[2] = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(po.fd[1] >= 0);
	assert_int_equal(proc_spawn(argv, &po, &pid, &why), 0);
	if (proc_wait(pid, LIMIT_MS, &status))
		proc_stop(pid, 0);
	len = pread(po.fd[1], out, size - 1, 0);
	out[len < 0 ? 0 : len] = 0;
	close(po.fd[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The figures of one short run. */
static json_t *figures(const char *args)
{
	char path[] = "/tmp/test-load-XXXXXX", command[512], out[4096];
	int fd = mkstemp(path), status;
	json_t *all;

	assert_true(fd >= 0);
	snprintf(command, sizeof(command), "%s --rounds 1 --seconds 0.3 --json %s", args, path);
	status = load(command, out, sizeof(out));
	if (status)
		print_message("%s\n", out);
	assert_int_equal(status, 0);
	all = json_load_file(path, 0, NULL);
	close(fd);
	unlink(path);
	assert_non_null(all);
	return all;
}

static const json_t *round_of(const json_t *all, const char *name, const char *server)
{
	const json_t *rounds = json_object_get(json_object_get(all, name), "rounds");

	assert_int_equal(json_array_size(rounds), 1);
	return json_object_get(json_array_get(rounds, 0), server);
}

static void check(const json_t *m)
{
	double cpu = json_real_value(json_object_get(m, "cpu_us"));
	double busy = json_real_value(json_object_get(m, "busy"));
	double seconds = json_real_value(json_object_get(m, "seconds"));
	json_int_t done = json_integer_value(json_object_get(m, "done"));

	assert_true(done > 0);
	assert_true(seconds >= 0.3);
	assert_true(cpu > 0);
	/* the one follows from the other two */
	assert_true(busy * seconds * 1e6 > 0.99 * cpu * (double)done);
	assert_true(busy * seconds * 1e6 < 1.01 * cpu * (double)done);
	assert_true(json_integer_value(json_object_get(m, "p99_us")) >=
	            json_integer_value(json_object_get(m, "p50_us")));
}

/* One for each way of playing and each kind of packet. */
static void loads_of_the_relay(void **state)
{
	static const char *const names[] = {"webrtc-bursts", "one", "hairpin", "indications",
	                                    "churn"};
	json_t *all = figures("turn --only webrtc-bursts --only one --only hairpin "
	                      "--only indications --only churn");

	(void)state;
	assert_int_equal(json_object_size(all), sizeof(names) / sizeof(*names));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		check(round_of(all, names[i], "turnpike"));
	json_decref(all);
}

static const char *tls_of(const json_t *m)
{
	return json_string_value(json_object_get(m, "tls"));
}

/* What was put together left, both ways. */
static bool is_flushed(const json_t *all, const char *name)
{
	const json_t *m = round_of(all, name, "turnpike");

	return json_integer_value(json_object_get(m, "lost")) <
	       json_integer_value(json_object_get(m, "done")) / 3;
}

/* Streams and records, each way of playing. */
static void over(const char *transport, const char *tls)
{
	static const char *const names[] = {"webrtc-bursts", "one", "indications", "churn",
	                                    "binding"};
	bool flushed = false;
	char args[200];
	json_t *all = NULL;

	snprintf(args, sizeof(args),
	         "turn --transport %s --only webrtc-bursts --only one --only indications "
	         "--only churn --only binding",
	         transport);
	/* again: a server that gets no core for half a second loses windows, too */
	for (int i = 0; i < TRIES && !flushed; i++) {
		json_decref(all);
		all = figures(args);
		flushed = is_flushed(all, names[0]) && is_flushed(all, names[1]);
	}
	assert_true(flushed);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const json_t *load = json_object_get(all, names[i]),
		             *m = round_of(all, names[i], "turnpike");

		check(m);
		assert_string_equal(tls_of(m), tls);
		assert_string_equal(json_string_value(json_object_get(load, "transport")),
		                    transport);
	}
	json_decref(all);
}

static void over_tcp(void **state)
{
	(void)state;
	over("tcp", "");
}

static void over_tls(void **state)
{
	(void)state;
	over("tls", "TLSv1.2, ECDHE-ECDSA-AES128-GCM-SHA256");
}

static void over_dtls(void **state)
{
	(void)state;
	over("dtls", "DTLSv1.2, ECDHE-ECDSA-AES128-GCM-SHA256");
}

static void the_hub(void **state)
{
	json_t *all = figures("signal --only signal");

	(void)state;
	check(round_of(all, "signal", "turnpike"));
	json_decref(all);
}

static void against(const char *args, const char *tls)
{
	json_t *all = figures(args);

	for (int i = 0; i < 2; i++) {
		const char *name = i ? "binding" : "webrtc";
		const json_t *ours = round_of(all, name, "turnpike"),
		             *theirs = round_of(all, name, "coturn");
		double ratio =
		    json_real_value(json_object_get(json_object_get(all, name), "ratio"));
		double want = json_real_value(json_object_get(ours, "cpu_us")) /
		              json_real_value(json_object_get(theirs, "cpu_us"));

		check(ours);
		check(theirs);
		assert_string_equal(tls_of(ours), tls);
		assert_string_equal(tls_of(theirs), tls);
		assert_true(ratio > 0.999 * want && ratio < 1.001 * want);
	}
	json_decref(all);
}

static void against_coturn(void **state)
{
	(void)state;
	against("turn --only webrtc --only binding --against coturn", "");
}

/* The same version and cipher for both, or the ratio says nothing. */
static void against_coturn_over_tls(void **state)
{
	(void)state;
	against("turn --only webrtc --only binding --against coturn --transport tls",
	        "TLSv1.2, ECDHE-ECDSA-AES128-GCM-SHA256");
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		const char *args;
		int status;
		const char *text;
	} cases[] = {
	    {"", 2, "the verb is missing"},
	    {"fly", 2, "there is no verb fly"},
	    {"turn --fast yes", 2, "unrecognized option '--fast'"},
	    {"turn --only", 2, "'--only' requires an argument"},
	    {"turn --only signal", 2, "--only signal: turn has no such load"},
	    {"turn --seconds 0", 2, "--seconds 0: not a number from 0.1 to 120"},
	    {"turn --rounds many", 2, "--rounds many: not a number from 1 to 25"},
	    {"signal --against coturn", 2, "for the hub it is node"},
	    {"turn --join-storm 2", 2, "are for the hub"},
	    {"turn --all", 2, "are for the hub"},
	    {"signal --attack sleep", 2, "--attack sleep: there is no such attack"},
	    {"signal --only binding", 2, "--only binding: signal has no such load"},
	    {"signal --join-storm 1", 2, "--join-storm 1: not a number from 2 to 100000"},
	    {"turn --transport smoke", 2, "--transport smoke: it is udp, tcp, tls or dtls"},
	    {"signal --transport udp", 2,
	     "--transport udp: for the hub it is tcp, tls or tls-alpn"},
	    {"turn --turnpike /nowhere", 2, "there is no such file"},
	    {"turn --json /nowhere/x", 2, "cannot write it"},
	    {"turn --only binding --turnpike /bin/false", 1, "/bin/false"},
	    {"turn --only binding --against /bin/false --rounds 1 --seconds 0.1", 1, "coturn"},
	    {"list", 0, "webrtc-bursts"},
	    {"--help", 0, "Usage: turnpike-load"},
	};
	char out[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int status = load(cases[i].args, out, sizeof(out));

		if (status != cases[i].status || !strstr(out, cases[i].text))
			print_message("turnpike-load %s: %d\n%s\n", cases[i].args, status, out);
		assert_int_equal(status, cases[i].status);
		assert_non_null(strstr(out, cases[i].text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_what_is_wrong), cmocka_unit_test(loads_of_the_relay),
	    cmocka_unit_test(over_tcp),           cmocka_unit_test(over_tls),
	    cmocka_unit_test(over_dtls),          cmocka_unit_test(the_hub),
	    cmocka_unit_test(against_coturn),     cmocka_unit_test(against_coturn_over_tls),
	};
	struct why why;

	if (contain_supported(&why)) {
		fprintf(stderr, "%s\n", why.text);
		return getenv("CI") ? 1 : 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
