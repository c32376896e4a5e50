/* SPDX-License-Identifier: BSD-3-Clause
 *
 * `run --against` on a server that this test deploys on loopback: what is well
 * passes, what is broken is named, and nothing is left whatever happens.
 */
#include "base/clock.h"
#include "harness/lab/proc.h"
#include "harness/lab/selfcert.h"
#include "harness/scenarios/http.h"
#include "harness/tests/harness_run.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define READY_MS 20000
#define END_MS   150000
#define GONE_MS  10000
#define BROWSER  "--remote-debugging-pipe"

static const char *program; /* of the server */

struct deployed {
	pid_t pid;
	int log_fd;
	unsigned port;
	char data[64], url[64];
};

static struct harness_run run;

/* Free for UDP and TCP on loopback; another program may still be quicker, but hardly is. */
static unsigned free_port(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned port = 0;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(tcp, (void *)&sin, len) == 0 && getsockname(tcp, (void *)&sin, &len) == 0 &&
	    bind(udp, (void *)&sin, len) == 0)
		port = ntohs(sin.sin_port);
	close(tcp);
	close(udp);
	return port;
}

static bool answers(const struct deployed *d)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)d->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	yes = connect(fd, (void *)&sin, sizeof(sin)) == 0;
	close(fd);
	return yes;
}

/* certified: with a certificate from outside, without which no turns: is offered. */
static int deploy(struct deployed *d, const char *guests, const char *quota, bool certified)
{
	int64_t deadline = clock_mono_ms() + READY_MS;
	struct proc_opt po = PROC_OPT_DEFAULT;
	struct why why = {"no free port"};
	char listen[32], cert[96], key[96];
	const char *argv[] = {program, "serve", "--data", d->data, "--listen", listen,
	                      /* Both ends of the calls are on this machine. */
	                      "--relay-allow", "0.0.0.0/0", "--relay-allow", "::/0", "--guests",
	                      guests, "--user-quota", quota, certified ? "--tls-cert" : NULL, cert,
	                      "--tls-key", key, NULL};

	d->pid = -1;
	d->port = free_port();
	d->log_fd = memfd_create("server", MFD_CLOEXEC);
	snprintf(d->data, sizeof(d->data), "/tmp/turnpike-deployed-XXXXXX");
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", d->port);
	snprintf(d->url, sizeof(d->url), "https://127.0.0.1:%u", d->port);
	po.fd[1] = po.fd[2] = d->log_fd;
	if (!d->port || !mkdtemp(d->data))
		return -1;
	snprintf(cert, sizeof(cert), "%s/cert.pem", d->data);
	snprintf(key, sizeof(key), "%s/key.pem", d->data);
	if (selfcert_write("127.0.0.1", cert, key, &why) != 0 ||
	    proc_spawn(argv, &po, &d->pid, &why) != 0) {
		fprintf(stderr, "%s\n", why.text);
		return -1;
	}
	while (!answers(d) && clock_mono_ms() < deadline)
		clock_sleep_ms(20);
	return 0;
}

static int setup(void **state)
{
	struct deployed *d = calloc(1, sizeof(*d));

	*state = d;
	return d ? deploy(d, "yes", "128", true) : -1;
}

static int setup_without_certificate(void **state)
{
	struct deployed *d = calloc(1, sizeof(*d));

	*state = d;
	return d ? deploy(d, "yes", "128", false) : -1;
}

static int setup_with_key(void **state)
{
	struct deployed *d = calloc(1, sizeof(*d));

	*state = d;
	return d ? deploy(d, "no", "128", true) : -1;
}

static int setup_with_quota(void **state)
{
	struct deployed *d = calloc(1, sizeof(*d));

	*state = d;
	return d ? deploy(d, "yes", "1", true) : -1;
}

static int teardown(void **state)
{
	struct deployed *d = *state;
	const char *const argv[] = {"rm", "-rf", d->data, NULL};
	struct why why;
	int err;

	proc_stop(d->pid, 5000);
	close(d->log_fd);
	err = proc_run(argv, -1, NULL, 10000, &why);
	free(d);
	return err;
}

/* Runs the harness, and expects this exit status. */
static void play(const char *const args[], int expected)
{
	int status;

	assert_int_equal(harness_start(&run, args), 0);
	status = harness_end(&run, END_MS);
	assert_int_equal(harness_clear(&run), 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != expected)
		fail_msg("status %x: %s", status, run.said);
}

static void expect_says(const char *text)
{
	if (!strstr(run.said, text))
		fail_msg("no \"%s\" in: %s", text, run.said);
}

#define ARGS(...) ((const char *const[]){"run", "--against", d->url, __VA_ARGS__, NULL})

static void test_what_is_well_passes_over_every_transport(void **state)
{
	struct deployed *d = *state;
	char name[64];

	play(ARGS("--insecure"), 0);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "against-relay-%s-%u",
		         (const char *const[]){"udp", "tcp", "tls"}[i], d->port);
		expect_says(name);
		snprintf(name, sizeof(name), "relay %s, relay/relay",
		         (const char *const[]){"udp", "tcp", "tls"}[i]);
		expect_says(name);
	}
	expect_says("certificate expires in ");
	expect_says("direct, host/host");
	expect_says("Calls from this network will work: directly in most cases");
	expect_says("relay over udp, tcp, tls");
	expect_says("7 of 7 passed");
}

/* Each way that there is may be well, and one that a guest needs is not there. */
static void test_transports_that_are_not_offered_are_named(void **state)
{
	struct deployed *d = *state;

	play(ARGS("--insecure", "--only", "against-transports"), 1);
	expect_says("The server should offer its relay over tls, but no TURN URI of it does");
	expect_says("relay over udp, tcp");
	play(ARGS("--insecure", "--expect", "udp,tcp", "--only", "against-transports"), 0);
	play(ARGS("--expect", "udp,sctp"), 2);
	expect_says("there is no transport sctp");
}

static void test_self_made_certificate_is_named(void **state)
{
	struct deployed *d = *state;

	play(ARGS("--only", "against-server"), 1);
	expect_says("The certificate should verify, but it does not: https://127.0.0.1:");
	expect_says("--insecure lets it pass");
}

static void test_missing_and_wrong_keys_are_named(void **state)
{
	struct deployed *d = *state;

	play(ARGS("--insecure", "--only", "against-relay*"), 1);
	expect_says("guests need an API token: give --key");
	play(ARGS("--insecure", "--only", "against-relay*", "--key", "wrong-key"), 1);
	expect_says("but refuses the API token");
	assert_null(strstr(run.said, "wrong-key"));
}

/* The server looks for new tokens now and then. */
static void await_token(const struct deployed *d, const char *token)
{
	int64_t deadline = clock_mono_ms() + READY_MS;
	static struct http_answer answer;
	char url[128];
	struct http_request req = {
	    .url = url, .post = "{}", .api_token = token, .insecure = true, .limit_ms = 2000};
	struct why why;

	snprintf(url, sizeof(url), "%s/api/v1/ice-servers", d->url);
	while ((http_ask(&req, &answer, &why) != 0 || answer.status / 100 != 2) &&
	       clock_mono_ms() < deadline)
		clock_sleep_ms(50);
}

static void make_token(const struct deployed *d, char *token, size_t size)
{
	const char *const argv[] = {program, "--data", d->data, "token", "add", NULL};
	struct proc_opt po = PROC_OPT_DEFAULT;
	struct why why;
	pid_t pid;
	int status;
	ssize_t n;

	po.fd[1] = memfd_create("token", MFD_CLOEXEC);
	assert_int_equal(proc_spawn(argv, &po, &pid, &why), 0);
	assert_int_equal(proc_wait(pid, 10000, &status), 0);
	n = pread(po.fd[1], token, size - 1, 0);
	assert_true(n > 0);
	close(po.fd[1]);
	token[n] = '\0';
	token[strcspn(token, "\n")] = '\0';
	await_token(d, token);
}

/* ---- the API token ---- */

/* /proc's view of a process, open to every user. */
static void expect_hidden_from_processes(pid_t pid, const char *token)
{
	char path[48], line[4096] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return; /* it has ended */
	size_t n = fread(line, 1, sizeof(line) - 1, f);

	fclose(f);
	if (memmem(line, n, token, strlen(token)))
		fail_msg("process %d shows the token", (int)pid);
}

/* Plays the words with the token and every kind of report, and finds the token nowhere. */
static void play_secretly(const struct deployed *d, const char *const words[], const char *token,
                          int expected)
{
	char html[96], json[96], junit[96], keep[96], out[80];
	const char *const grep[] = {"grep", "-rlaF", "-e", token, out, NULL};
	const char *const remove[] = {"rm", "-rf", out, NULL};
	const char *args[30] = {"run",    "--against", d->url,    "--key", token,    "--html", html,
	                        "--json", json,        "--junit", junit,   "--keep", keep};
	struct processes ps;
	struct why why;
	size_t n = 13;
	int status;

	snprintf(out, sizeof(out), "%s/out", d->data);
	snprintf(html, sizeof(html), "%s/report.html", out);
	snprintf(json, sizeof(json), "%s/report.json", out);
	snprintf(junit, sizeof(junit), "%s/report.xml", out);
	snprintf(keep, sizeof(keep), "%s/keep", out);
	assert_int_equal(mkdir(out, 0700), 0);
	for (; *words; words++)
		args[n++] = *words;
	assert_int_equal(harness_start(&run, args), 0);
	do {
		clock_sleep_ms(100);
		processes_below(run.pid, &ps);
		for (size_t i = 0; i < ps.n; i++)
			expect_hidden_from_processes(ps.at[i].pid, token);
		/* By now it has read its words. */
		if (ps.n > 0)
			expect_hidden_from_processes(run.pid, token);
	} while (ps.n > 0);
	status = harness_end(&run, END_MS);
	assert_int_equal(harness_clear(&run), 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != expected)
		fail_msg("status %x: %s", status, run.said);
	assert_null(strstr(run.said, token));
	assert_int_equal(access(html, R_OK) | access(json, R_OK) | access(junit, R_OK), 0);
	if (proc_run(grep, -1, NULL, 10000, &why) == 0)
		fail_msg("the token stands in a file of %s", out);
	assert_int_equal(proc_run(remove, -1, NULL, 10000, &why), 0);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_token_opens_the_relay_and_is_written_nowhere(void **state)
{
	struct deployed *d = *state;
	char token[256], relay[64];

	snprintf(relay, sizeof(relay), "against-relay-tcp-%u", d->port);
	make_token(d, token, sizeof(token));
	play_secretly(d, WORDS("--insecure", "--only", relay, "--only", "against-check"), token, 0);
	/* The certificate does not verify; the token is of nobody. */
	play_secretly(d, WORDS("--only", "against-server"), token, 1);
	play_secretly(d, WORDS("--insecure", "--only", "against-d*", "--only", "against-r*"),
	              "tp_mistyped-mistyped", 1);
	/* Nobody answers. */
	proc_stop(d->pid, 5000);
	d->pid = -1;
	play_secretly(d, WORDS("--insecure"), token, 1);
}

static void test_what_was_said_is_not_repeated(void **state)
{
	static const char *const urls[] = {"https://user:hush-hush@127.0.0.1",
	                                   "https://127.0.0.1/#key=hush-hush",
	                                   "http://127.0.0.1/?hush-hush"};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		play(WORDS("run", "--against", urls[i]), 2);
		expect_says("--against wants https://HOST[:PORT]");
		assert_null(strstr(run.said, "hush"));
	}
}

static void test_server_that_does_not_run_is_named(void **state)
{
	struct deployed *d = *state;

	proc_stop(d->pid, 5000);
	d->pid = -1;
	play(ARGS("--insecure", "--only", "against-server", "--only", "against-relay*"), 1);
	expect_says("/healthz should answer, but does not: https://127.0.0.1:");
	expect_says("most likely: the server does not run");
}

/* One allocation a user: two ends of one page are one too many. */
static void test_what_the_self_test_finds_is_told(void **state)
{
	struct deployed *d = *state;

	play(ARGS("--insecure", "--only", "against-check"), 1);
	expect_says("The self-test page says: Relay over");
	expect_says("This user has reached the quota (486).");
	assert_null(strstr(run.said, "The usual cause is a firewall"));
}

/* In the middle of a call, with the browsers up. */
static void test_nothing_is_left_when_the_harness_is_killed(void **state)
{
	struct deployed *d = *state;
	int64_t deadline = clock_mono_ms() + READY_MS;
	static struct processes ps;
	const char *const look[] = {"ls", "-A", run.tmp, NULL};
	struct why why;

	assert_int_equal(harness_start(&run, ARGS("--insecure", "--only", "against-direct")), 0);
	do {
		clock_sleep_ms(100);
		processes_below(run.pid, &ps);
	} while (!processes_find(&ps, "--type=renderer", NULL) && clock_mono_ms() < deadline);
	clock_sleep_ms(2000);
	processes_below(run.pid, &ps);
	assert_non_null(processes_find(&ps, BROWSER, NULL));
	kill(run.pid, SIGKILL);
	harness_end(&run, END_MS);
	deadline = clock_mono_ms() + GONE_MS;
	while (processes_alive(&ps) > 0 && clock_mono_ms() < deadline)
		clock_sleep_ms(20);
	assert_int_equal(processes_alive(&ps), 0);
	assert_int_equal(proc_run(look, -1, NULL, 10000, &why), 0);
	assert_int_equal(harness_clear(&run), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_what_is_well_passes_over_every_transport, setup,
	                                    teardown),
	    cmocka_unit_test_setup_teardown(test_transports_that_are_not_offered_are_named,
	                                    setup_without_certificate, teardown),
	    cmocka_unit_test_setup_teardown(test_self_made_certificate_is_named, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_missing_and_wrong_keys_are_named, setup_with_key,
	                                    teardown),
	    cmocka_unit_test_setup_teardown(test_token_opens_the_relay_and_is_written_nowhere,
	                                    setup_with_key, teardown),
	    cmocka_unit_test(test_what_was_said_is_not_repeated),
	    cmocka_unit_test_setup_teardown(test_server_that_does_not_run_is_named, setup,
	                                    teardown),
	    cmocka_unit_test_setup_teardown(test_what_the_self_test_finds_is_told, setup_with_quota,
	                                    teardown),
	    cmocka_unit_test_setup_teardown(test_nothing_is_left_when_the_harness_is_killed, setup,
	                                    teardown),
	};

	if (argc < 2) {
		fprintf(stderr, "Usage: harness-against TURNPIKE\n");
		return 2;
	}
	program = argv[1];
	if (argc > 2) /* only those of this name */
		cmocka_set_test_filter(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
