/* SPDX-License-Identifier: BSD-3-Clause
 *
 * `run --against` on a server that this test deploys on loopback: what is well
 * passes, what is broken is named, and nothing is left whatever happens.
 */
#include "harness/clock.h"
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

static int deploy(struct deployed *d, const char *guests, const char *quota)
{
	int64_t deadline = clock_mono_ms() + READY_MS;
	struct proc_opt po = PROC_OPT_DEFAULT;
	struct why why = {"no free port"};
	char listen[32], cert[96], key[96];
	const char *argv[] = {program, "serve", "--data", d->data, "--listen", listen,
	                      /* turns: is offered with a certificate from outside alone. */
	                      "--tls-cert", cert, "--tls-key", key,
	                      /* Both ends of the calls are on this machine. */
	                      "--relay-allow", "0.0.0.0/0", "--relay-allow", "::/0", "--guests",
	                      guests, "--user-quota", quota, NULL};

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

static int set_up(void **state)
{
	struct deployed *d = calloc(1, sizeof(*d));

	*state = d;
	return d ? deploy(d, "local", "128") : -1;
}

static int set_up_with_key(void **state)
{
	struct deployed *d = calloc(1, sizeof(*d));

	*state = d;
	return d ? deploy(d, "no", "128") : -1;
}

static int set_up_with_quota(void **state)
{
	struct deployed *d = calloc(1, sizeof(*d));

	*state = d;
	return d ? deploy(d, "local", "1") : -1;
}

static int tear_down(void **state)
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
	expect_says("6 of 6 passed");
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
	expect_says("guests need an access key: give --key");
	play(ARGS("--insecure", "--only", "against-relay*", "--key", "wrong-key"), 1);
	expect_says("but refuses the access key");
	assert_null(strstr(run.said, "wrong-key"));
}

/* The server looks for new keys now and then. */
static void await_key(const struct deployed *d, const char *key)
{
	int64_t deadline = clock_mono_ms() + READY_MS;
	static struct http_answer answer;
	char url[128];
	struct http_request req = {
	    .url = url, .post = "{}", .bearer = key, .insecure = true, .limit_ms = 2000};
	struct why why;

	snprintf(url, sizeof(url), "%s/api/v1/ice-servers", d->url);
	while ((http_ask(&req, &answer, &why) != 0 || answer.status / 100 != 2) &&
	       clock_mono_ms() < deadline)
		clock_sleep_ms(50);
}

static void test_key_opens_the_relay(void **state)
{
	struct deployed *d = *state;
	const char *const argv[] = {program, "--data", d->data, "token", "add", NULL};
	struct proc_opt po = PROC_OPT_DEFAULT;
	char name[64], key[256] = "";
	struct why why;
	pid_t pid;
	int status;

	po.fd[1] = memfd_create("key", MFD_CLOEXEC);
	assert_int_equal(proc_spawn(argv, &po, &pid, &why), 0);
	assert_int_equal(proc_wait(pid, 10000, &status), 0);
	assert_true(pread(po.fd[1], key, sizeof(key) - 1, 0) > 0);
	close(po.fd[1]);
	key[strcspn(key, "\n")] = '\0';
	await_key(d, key);
	snprintf(name, sizeof(name), "against-relay-tls-%u", d->port);
	play(ARGS("--insecure", "--key", key, "--only", name), 0);
	expect_says("1 of 1 passed");
	assert_null(strstr(run.said, key));
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
	expect_says("The quota of this user is reached (486).");
	assert_null(strstr(run.said, "Most often a firewall"));
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
	    cmocka_unit_test_setup_teardown(test_what_is_well_passes_over_every_transport, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(test_self_made_certificate_is_named, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_missing_and_wrong_keys_are_named, set_up_with_key,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(test_key_opens_the_relay, set_up_with_key, tear_down),
	    cmocka_unit_test_setup_teardown(test_server_that_does_not_run_is_named, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(test_what_the_self_test_finds_is_told,
	                                    set_up_with_quota, tear_down),
	    cmocka_unit_test_setup_teardown(test_nothing_is_left_when_the_harness_is_killed, set_up,
	                                    tear_down),
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
