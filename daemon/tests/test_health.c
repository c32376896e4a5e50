/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verb "health" against what may stand on the port: the real server, a
 * stopped one, another program, one that is unwell, and nothing.
 */
#include "base/tests/test.h"
#include "store/tests/tmpdir.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[64];
static pid_t server;
static int log_fd = -1;
static char said[1024]; /* by the verb, both streams */

static int setup(void **state)
{
	(void)state;
	tmpdir_make(dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		server = 0;
	}
	if (log_fd >= 0)
		close(log_fd);
	log_fd = -1;
	tmpdir_remove(dir);
	return 0;
}

/* Its exit status. */
static int health(const char *listen, const char *flag)
{
	char command[512];
	size_t n;
	FILE *p;

	snprintf(command, sizeof(command), "%s --data %s/data --listen %s health %s 2>&1",
	         TURNPIKE_PROGRAM, dir, listen, flag);
	p = popen(command, "r");
	n = fread(said, 1, sizeof(said) - 1, p);
	said[n] = 0;
	return WEXITSTATUS(pclose(p));
}

static bool says(const char *text)
{
	if (!strstr(said, text))
		print_error("said: %s", said);
	return strstr(said, text);
}

/* A listening socket on a free port, and its address as text. */
static int listen_on(char text[32])
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(text, 32, "127.0.0.1:%d", ntohs(sin.sin_port));
	return fd;
}

/* A program that answers every connection so; NULL: not at all. */
static void pretend(const char *answer, char at[32])
{
	int fd = listen_on(at);

	server = fork();
	if (!server) {
		for (;;) {
			int c = answer ? accept(fd, NULL, NULL) : (pause(), -1);
			char request[256];

			if (c < 0)
				continue;
			if (read(c, request, sizeof(request)) > 0 &&
			    write(c, answer, strlen(answer)) < 0)
				_exit(1);
			close(c);
		}
	}
	close(fd);
}

/* Starts the real one. */
static void serve(char at[32], char *proxy_from)
{
	char log[8192] = "", data[80];
	char *argv[] = {TURNPIKE_PROGRAM, "serve",    "--data",      data,   "--listen", at,
	                "--proxy-from",   proxy_from, "--log-level", "info", NULL};
	size_t len = 0;
	int out[2];

	snprintf(data, sizeof(data), "%s/data", dir);
	close(listen_on(at));
	assert_int_equal(pipe(out), 0);
	server = fork();
	if (!server) {
		dup2(out[1], 1);
		execv(argv[0], argv);
		_exit(127);
	}
	close(out[1]);
	while (!strstr(log, "event=ready")) {
		ssize_t n = read(out[0], log + len, sizeof(log) - 1 - len);

		assert_true(n > 0);
		log[len += (size_t)n] = 0;
	}
	log_fd = out[0]; /* its next lines have room in the pipe */
}

static void real(void **state)
{
	char at[32], both[80];

	(void)state;
	serve(at, "192.0.2.1/32");
	assert_int_equal(health(at, ""), 0);
	assert_true(says("healthy: 127.0.0.1:"));
	assert_int_equal(health(at, "--json"), 0);
	assert_true(says("\"ok\": true"));
	assert_true(says("\"status\": 200"));
	/* a wildcard is reached by loopback; what nobody answers is passed over */
	snprintf(both, sizeof(both), "127.0.0.1:1,0.0.0.0:%s", strchr(at, ':') + 1);
	assert_int_equal(health(both, ""), 0);
	kill(server, SIGSTOP);
	assert_int_equal(health(at, ""), 1);
	assert_true(says("timed out"));
	kill(server, SIGCONT);
	assert_int_equal(health(at, ""), 0);
}

/* Behind a proxy on the same host: connections from there must say for whom. */
static void proxied(void **state)
{
	char at[32];

	(void)state;
	serve(at, "127.0.0.1/32");
	assert_int_equal(health(at, "--proxy-from 192.0.2.1/32"), 1);
	assert_int_equal(health(at, "--proxy-from 127.0.0.1/32"), 0);
	assert_int_equal(health(at, ""), 0); /* it is known what the server was started with */
}

static void others(void **state)
{
	char at[32];

	(void)state;
	pretend("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", at);
	assert_int_equal(health(at, ""), 1);
	assert_true(says("with 503: see the server's log"));
	assert_int_equal(health(at, "--json"), 1);
	assert_true(says("\"ok\": false"));
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	pretend("SSH-2.0-OpenSSH_9.2p1\r\n", at);
	assert_int_equal(health(at, ""), 1);
	assert_true(says("another program answers"));
}

static void nobody(void **state)
{
	int64_t began;
	char at[32];

	(void)state;
	close(listen_on(at));
	assert_int_equal(health(at, ""), 1);
	assert_true(says("Connection refused"));
	assert_true(says("does the server run"));
	assert_int_equal(health("127.0.0.1:0", ""), 1);
	assert_true(says("give one a number"));
	/* accepted by the kernel and never answered: three seconds, since Docker would kill it
	 * without a word after five */
	pretend(NULL, at);
	began = test_now_ms();
	assert_int_equal(health(at, ""), 1);
	assert_true(says("timed out"));
	assert_in_range(test_now_ms() - began, 2000, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(real, setup, teardown),
	    cmocka_unit_test_setup_teardown(proxied, setup, teardown),
	    cmocka_unit_test_setup_teardown(others, setup, teardown),
	    cmocka_unit_test_setup_teardown(nobody, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
