/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests that are none, and clients that take their time, before the real
 * server, plain and inside TLS: each is answered in JSON, in time, and takes no
 * place that others need.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/addr.h"
#include "daemon/tests/server/rig.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT    8080
#define SERVER4 RIG_SERVER4 ":8080"
#define WAIT_MS 20000
/* A loopback address each: strangers to each other. */
#define SILENT "77.7.1.1"
#define OTHER  "77.7.2.%d"

static struct rig_server server;

static int setup(void **state)
{
	*state = &server;
	rig_server_start(
	    &server, "bad-http",
	    "--workers 1 --guests no --max-tcp-connections 200 "
	    "--connections-per-address 150 --first-message-timeout 4 --listen " SERVER4);
	return 0;
}

struct http_client {
	int fd;
	SSL *ssl;
	SSL_CTX *ctx;
	char in[65536];
	size_t len;
};

static int dial(const char *from)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)}, own = to;
	struct timeval limit = {.tv_sec = WAIT_MS / 1000};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	inet_pton(AF_INET, RIG_SERVER4, &to.sin_addr);
	own.sin_port = 0;
	if (from) {
		inet_pton(AF_INET, from, &own.sin_addr);
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
		assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	}
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

enum { PLAIN, TLS, TLS_NO_ALPN };

static void open_client(struct http_client *c, int tls)
{
	memset(c, 0, sizeof(*c));
	c->fd = dial(NULL);
	if (!tls)
		return;
	c->ctx = SSL_CTX_new(TLS_client_method());
	c->ssl = SSL_new(c->ctx);
	if (tls == TLS)
		SSL_set_alpn_protos(c->ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
	SSL_set_fd(c->ssl, c->fd);
	assert_int_equal(SSL_connect(c->ssl), 1);
}

static void close_client(struct http_client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
}

static void put(struct http_client *c, const char *text)
{
	size_t len = strlen(text);

	if (c->ssl)
		SSL_write(c->ssl, text, (int)len);
	else
		send(c->fd, text, len, MSG_NOSIGNAL);
}

/* All that comes until the server ends it. */
static void hear(struct http_client *c)
{
	int n = 1;

	while (n > 0 && c->len + 1 < sizeof(c->in)) {
		n = c->ssl ? SSL_read(c->ssl, c->in + c->len, (int)(sizeof(c->in) - 1 - c->len))
		           : (int)recv(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len, 0);
		c->len += n > 0 ? (size_t)n : 0;
	}
	c->in[c->len] = '\0';
}

/* It is an error of ours, with that status. */
static void is_error(const struct http_client *c, int status)
{
	const char *body = strstr(c->in, "\r\n\r\n");
	json_t *value = body ? json_loads(body + 4, 0, NULL) : NULL;
	json_t *error = json_object_get(value, "error");

	if (strncmp(c->in, "HTTP/1.1 ", 9) != 0 || atoi(c->in + 9) != status ||
	    !strstr(c->in, "\r\nContent-Type: application/json\r\n") ||
	    !json_is_string(json_object_get(error, "code")) ||
	    !json_is_string(json_object_get(error, "message")))
		fail_msg("no error with %d: \"%s\"", status, c->in);
	json_decref(value);
}

static void each_is_answered(void **state)
{
	static const struct {
		const char *text;
		int status;
	} t[] = {
	    {"GET /turn?username=%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET / HTTP/1.1\r\n\r\n", 400},
	    {"GET /\r\n\r\n", 400},
	    {"GET http://h/turn HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET /healthz HTTP/1.1\r\nHost: h\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n",
	     426},
	    {"BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n", 501},
	    {"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 501},
	    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
	    {"GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505},
	    {"POST /turn HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 411},
	    {"POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400},
	    {"POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n", 413},
	    {"DELETE /turn HTTP/1.1\r\nHost: h\r\n\r\n", 405},
	    {"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	    {"GET /ws HTTP/1.1\r\nHost: " RIG_SERVER4
	     "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n"
	     "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
	     426},
	    {"GET /ws HTTP/1.1\r\nHost: " RIG_SERVER4
	     "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
	     400},
	};
	char long_head[12000];

	(void)state;
	memset(long_head, 'x', sizeof(long_head) - 1);
	long_head[sizeof(long_head) - 1] = '\0';
	memcpy(long_head, "GET /", 5);
	for (int tls = 0; tls < 2; tls++) {
		struct http_client c;

		for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
			open_client(&c, tls);
			put(&c, t[i].text);
			hear(&c);
			is_error(&c, t[i].status);
			close_client(&c);
		}
		open_client(&c, tls);
		put(&c, long_head);
		hear(&c);
		is_error(&c, 414);
		close_client(&c);
	}
}

/* curl offers HTTP/2 by Upgrade, also with a body. */
static void curl_offers_h2c(void **state)
{
	char *said = rig_run("curl -s -i --http2 --max-time 20 http://" SERVER4 "/healthz", NULL);

	(void)state;
	assert_non_null(strstr(said, "HTTP/1.1 200 "));
	free(said);
	said = rig_run(
	    "curl -s -i --http2 --max-time 20 -d {} http://" SERVER4 "/api/v1/ice-servers", NULL);
	assert_non_null(strstr(said, "HTTP/1.1 401 "));
	assert_non_null(strstr(said, "{\"error\":{\"code\":\"unauthorized\""));
	free(said);
}

/* A byte of the head now and then, and one in the very moment in which the time is up, plain and
 * inside TLS. (Of a body: test_web_http.c.) */
static void slow_ones_are_told(void **state)
{
	const struct timespec often = {.tv_nsec = 200000};
	unsigned long long began = rig_now_ms();
	struct http_client c[2];
	int one = 1;

	(void)state;
	for (int i = 0; i < 2; i++) {
		open_client(&c[i], i);
		setsockopt(c[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		put(&c[i], "GET / HTTP/1.1\r\nHost: h\r\nX: ");
	}
	while (rig_now_ms() - began < 4300) { /* until after the limit of 4 s */
		if (rig_now_ms() - began < 3400)
			rig_sleep_ms(500); /* slowly, until the time is nearly up */
		nanosleep(&often, NULL);
		put(&c[0], "y");
		put(&c[1], "y");
	}
	for (int i = 0; i < 2; i++) {
		hear(&c[i]);
		is_error(&c[i], 408);
		close_client(&c[i]);
	}
}

/* One source that opens all that it may and says nothing, and many that come at once and do: nobody
 * of these is turned away. */
static void the_silent_give_way(void **state)
{
	static const char health[] = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
	int silent[150], others[120];
	char from[32], in[512];

	(void)state;
	for (size_t i = 0; i < sizeof(silent) / sizeof(*silent); i++)
		silent[i] = dial(SILENT);
	for (int i = 0; i < 120; i++) {
		snprintf(from, sizeof(from), OTHER, i + 1);
		others[i] = dial(from);
	}
	for (int i = 0; i < 120; i++)
		assert_int_equal(send(others[i], health, strlen(health), MSG_NOSIGNAL),
		                 strlen(health));
	for (int i = 0; i < 120; i++) {
		ssize_t n = recv(others[i], in, sizeof(in) - 1, 0);

		if (n < 15 || strncmp(in, "HTTP/1.1 200 OK", 15) != 0)
			fail_msg("the %dth of those who asked was not answered", i);
		close(others[i]);
	}
	for (size_t i = 0; i < sizeof(silent) / sizeof(*silent); i++)
		close(silent[i]);
}

/* A client of TLS 1.3 without TCP_NODELAY sends its request when its Finished was acknowledged: at
 * once, not when the server's TCP gives up waiting for something to send with it. The best of many,
 * since the machine may be busy. */
static void finished_is_answered(void **state)
{
	(void)state;
	for (int tls = TLS; tls <= TLS_NO_ALPN; tls++) {
		unsigned long long best = ~0ull;

		for (int i = 0; i < 40 && best > 25; i++) {
			unsigned long long at;
			struct http_client c;

			open_client(&c, tls);
			assert_int_equal(SSL_version(c.ssl), TLS1_3_VERSION);
			at = rig_now_ms();
			put(&c, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
			assert_int_equal(SSL_read(c.ssl, c.in, 1), 1);
			at = rig_now_ms() - at;
			best = at < best ? at : best;
			close_client(&c);
		}
		if (best > 25)
			fail_msg("%llu ms to the first answer", best);
	}
}

/* A process that asks inside TLS, one request after the other, until it is killed. */
static pid_t start_visitor(void)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	SSL_CTX *ctx;
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	inet_pton(AF_INET, RIG_SERVER4, &to.sin_addr);
	ctx = SSL_CTX_new(TLS_client_method());
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		SSL *ssl = SSL_new(ctx);

		SSL_set_fd(ssl, fd);
		if (!connect(fd, (struct sockaddr *)&to, sizeof(to)) && SSL_connect(ssl) == 1)
			SSL_write(ssl, text, (int)strlen(text));
		SSL_free(ssl);
		close(fd);
	}
}

/* A visit that a worker hands over while the server stops finds no house; the stop is a clean one.
 */
static void stops_among_visits(void **state)
{
	pid_t visitor[4];

	for (int i = 0; i < 4; i++)
		assert_true((visitor[i] = start_visitor()) > 0);
	for (int i = 0; i < 5; i++) {
		rig_sleep_ms(200); /* in the middle of some visit */
		rig_server_stop(&server);
		setup(state);
	}
	for (int i = 0; i < 4; i++) {
		kill(visitor[i], SIGKILL);
		waitpid(visitor[i], NULL, 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_is_answered),     cmocka_unit_test(curl_offers_h2c),
	    cmocka_unit_test(slow_ones_are_told),   cmocka_unit_test(the_silent_give_way),
	    cmocka_unit_test(finished_is_answered), cmocka_unit_test(stops_among_visits),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}
