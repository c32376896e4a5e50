/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests that are none, clients that take their time, and headers with names
 * that libwebsockets misreads, before the real server, plain and inside TLS:
 * each is answered, in time, and takes no place that others need.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/addr.h"
#include "daemon/listen/http_head.h"
#include "daemon/tests/server/rig.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <libwebsockets.h>
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

/* What comes until that text, or until the server ends it. */
static void hear_until(struct http_client *c, const char *text)
{
	int n = 1;

	while (n > 0 && c->len + 1 < sizeof(c->in) && !(text && strstr(c->in, text))) {
		n = c->ssl ? SSL_read(c->ssl, c->in + c->len, (int)(sizeof(c->in) - 1 - c->len))
		           : (int)recv(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len, 0);
		c->len += n > 0 ? (size_t)n : 0;
		c->in[c->len] = '\0';
	}
}

static void hear(struct http_client *c)
{
	hear_until(c, NULL);
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

#define CLOSE_ECHO "\x88\x02\x03\xe8"
#define CLOSE_FRAME                                                                                \
	"\x88\x82"                                                                                 \
	"abcd"                                                                                     \
	"\x62\x8a" /* 1000, masked */

static int ask(int tls, struct http_client *c, const char *text, const char *later)
{
	open_client(c, tls);
	put(c, text);
	if (later && *later == *CLOSE_FRAME)
		hear_until(c, "\r\n\r\n"); /* RFC 6455 section 4.1: no frame comes before */
	else if (later)
		rig_sleep_ms(50);
	if (later)
		put(c, later);
	hear(c);
	close_client(c);
	return strncmp(c->in, "HTTP/1.1 ", 9) != 0 ? 0 : atoi(c->in + 9);
}

/* As the first line and the last, since libwebsockets takes what comes behind it for its rest. */
static void is_passed_over(int tls, const char *name, size_t len, const char *rest)
{
	struct http_client c;
	char text[512];

	snprintf(text, sizeof(text),
	         "GET /healthz HTTP/1.1\r\n%.*s%s: 1\r\nHost: h\r\n%.*s%s: 2\r\n\r\n", (int)len,
	         name, rest, (int)len, name, rest);
	if (ask(tls, &c, text, NULL) != 200)
		fail_msg("%s %.*s%s: \"%s\"", tls ? "TLS" : "plain", (int)len, name, rest, c.in);
}

/* Every name that is the beginning of one that libwebsockets knows, or goes on behind one. */
static void names_are_passed_over(void **state)
{
	const char *known, *before = "";

	(void)state;
	for (int i = 0; (known = (const char *)lws_token_to_string((enum lws_token_indexes)i));
	     i++) {
		size_t len = strcspn(known, ": \r\n/"), common = 0; /* as far as it is a name */

		if (!len)
			continue; /* of HTTP/2 */
		while (common < len && known[common] == before[common])
			common++;
		for (size_t n = common + 1; n < len; n++)
			is_passed_over(PLAIN, known, n, "");
		if (known[strlen(known) - 1] != ':')
			is_passed_over(PLAIN, known, len, "");
		is_passed_over(PLAIN, known, len, "-x");
		if (len > 4) /* which is no whole name by itself */
			is_passed_over(TLS, known, len - 1, "");
		is_passed_over(TLS, known, len, "-x");
		before = known;
	}
}

/* No line is lost behind such a one, nor a body that comes with the head or later. */
static void what_follows_is_read(void **state)
{
	static const char *const names[] = {"X",   "Ac",          "x-forwarded",
	                                    "Put", "Patch-Level", "Uri-Args"};
	static const struct {
		const char *text, *later; /* %1$s: the line; %2$s: the token */
		int status;
	} t[] = {
	    {"GET /nothing HTTP/1.1\r\n%1$sHost: h\r\n%1$s%1$s\r\n", NULL, 404},
	    {"GET /healthz HTTP/1.1\nHost: h\n%1$s\n", NULL, 200},
	    {"POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n%1$sAuthorization: Bearer %2$s\r\n"
	     "%1$sContent-Type: application/json\r\n%1$sContent-Length: 12\r\n%1$s\r\n"
	     "{\"ttl\": 600}",
	     NULL, 201},
	    {"POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n%1$sAuthorization: Bearer %2$s\r\n"
	     "%1$sContent-Type: application/json\r\n%1$sContent-Length: 12\r\n%1$s\r\n",
	     "{\"ttl\": 600}", 201},
	    {"POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n%1$sAuthorization: Bearer %2$s\r\n"
	     "%1$sContent-Type: application/json\r\n%1$sContent-Length: 12\r\n%1$s\r\n{\"ttl\"",
	     ": \"a\"}", 400},
	    {"POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n%1$sAuthorization: Bearer %2$s\r\n"
	     "%1$sExpect: 100-continue\r\nContent-Length: 12\r\n%1$s\r\n{\"ttl\": 600}",
	     NULL, 201},
	    {"POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n%1$sContent-Length: x\r\n\r\n", NULL,
	     400},
	    {"POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n%1$sTransfer-Encoding: "
	     "chunked\r\n\r\n",
	     "0\r\n\r\n", 411},
	    {"GET /ws HTTP/1.1\r\nHost: " RIG_SERVER4 "\r\n%1$sUpgrade: websocket\r\n%1$s"
	     "Connection: Upgrade\r\n%1$sSec-WebSocket-Version: 13\r\n%1$s"
	     "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%1$s\r\n",
	     CLOSE_FRAME, 101},
	};
	char token[RIG_TOKEN_MAX], line[64], text[2048];
	struct http_client c;

	(void)state;
	rig_token_add(&server, token, "names");
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		for (size_t n = 0; n < 2 * sizeof(names) / sizeof(*names); n++) {
			/* No query string, though libwebsockets has that name for it. */
			snprintf(line, sizeof(line), "%s: room=&token=a\r\n", names[n / 2]);
			snprintf(text, sizeof(text), t[i].text, line, token);
			if (ask((int)n % 2, &c, text, t[i].later) != t[i].status)
				fail_msg("not %d with %s, %s: \"%s\"", t[i].status, names[n / 2],
				         n % 2 ? "TLS" : "plain", c.in);
			if (t[i].status == 101) /* the frame was read, too */
				assert_non_null(memmem(c.in, c.len, CLOSE_ECHO, 4));
		}
	}
}

/* The longest head, with as many such lines as there may be; and the connection ends with its
 * answer, whatever comes behind. */
static void many_in_one_head(void **state)
{
	char text[2 * HTTP_HEAD_MAX];
	struct http_client c;

	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		size_t len = (size_t)snprintf(text, sizeof(text), "GET /healthz HTTP/1.1\r\n");

		for (int i = 0; i < HTTP_LINES_MAX - 1; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "X: %0115d\r\n", i);
		snprintf(text + len, sizeof(text) - len, "Host: %0*d\r\n\r\n",
		         (int)(HTTP_HEAD_MAX - len - 10), 1);
		assert_int_equal(strlen(text), HTTP_HEAD_MAX);
		if (ask(tls, &c, text, NULL) != 400) /* of that host's name */
			fail_msg("\"%s\"", c.in);
		assert_int_equal(ask(tls, &c,
		                     "GET /healthz HTTP/1.1\r\nX: 1\r\nHost: h\r\n\r\n"
		                     "GET /nothing HTTP/1.1\r\nX: 1\r\nHost: h\r\n\r\n",
		                     "GET /nothing HTTP/1.1\r\nX: 1\r\nHost: h\r\n\r\n"),
		                 200);
		assert_null(strstr(c.in + 1, "HTTP/1.1 "));
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
	    cmocka_unit_test(each_is_answered),     cmocka_unit_test(names_are_passed_over),
	    cmocka_unit_test(what_follows_is_read), cmocka_unit_test(many_in_one_head),
	    cmocka_unit_test(curl_offers_h2c),      cmocka_unit_test(slow_ones_are_told),
	    cmocka_unit_test(the_silent_give_way),  cmocka_unit_test(finished_is_answered),
	    cmocka_unit_test(stops_among_visits),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}
