/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The running server behind real proxies: nginx, HAProxy, socat. No source address makes a client
 * local; a trusted proxy is believed about its clients, any other about none; the PROXY protocol is
 * spoken where a listener says so.
 */
#include "daemon/tests/server/rig.h"

#include "base/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PLAIN   "127.0.0.1:8080" /* where the server is, and what stands in front of it: */
#define MARKED  "127.0.0.1:8443"
#define NGINX   RIG_SERVER4 ":80"
#define GUIDE   RIG_SERVER4 ":81" /* nginx as the guide has it, */
#define GUIDE_S RIG_SERVER4 ":82" /* and over TLS to the server */
#define SOCAT   RIG_SERVER4 ":90"
#define TCP     RIG_SERVER4 ":91" /* HAProxy */
#define TCP_V1  RIG_SERVER4 ":92"
#define TCP_V2  RIG_SERVER4 ":93"
#define HTTP    RIG_SERVER4 ":94"
#define HTTP_S  RIG_SERVER4 ":95"
#define WEB     RIG_SERVER4 ":96" /* HAProxy, with Forwarded */
#define NEAR    "77.7.0.1"
#define FAR     "77.7.0.2"
#define RATE    30
#define FEW     4 /* connections_per_address, in some of the tests */

static struct rig_server server;
static struct rig_program nginx, haproxy, socat;
static char guest[RIG_COOKIE_MAX];

/* ---- the scene ---- */

static void configure(const char *more)
{
	rig_file("turnpike.conf",
	         "listen = " MARKED " proxy, " PLAIN "\nworkers = 1\nrelay_ports = 50000-50999\n"
	         "public_host = turn.example.org\nissue_rate_address = 30\n%s",
	         more);
}

static void reload(const char *more)
{
	configure(more);
	free(rig_verb(&server, "reload", NULL));
}

#define NGINX_HEADERS                                                                              \
	"proxy_http_version 1.1; proxy_set_header Host $http_host; "                               \
	"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; "                            \
	"proxy_set_header X-Forwarded-Proto $scheme; "                                             \
	"proxy_set_header Forwarded \"\"; "                                                        \
	"proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "                     \
	"$connection_upgrade; "

static void start_nginx(void)
{
	char command[256];
	const char *path =
	    rig_file("nginx.conf",
	             "daemon off; master_process off; user root; pid %s/nginx.pid;\n"
	             "error_log stderr; events { worker_connections 256; }\n"
	             "http { access_log off; client_body_temp_path %s; proxy_temp_path %s;\n"
	             "fastcgi_temp_path %s; uwsgi_temp_path %s; scgi_temp_path %s;\n"
	             "map $http_upgrade $connection_upgrade { default upgrade; \"\" \"\"; }\n"
	             "server { listen " NGINX "; location / { proxy_pass http://" PLAIN "; } }\n"
	             "server { listen " GUIDE "; location / { proxy_pass http://" PLAIN
	             "; " NGINX_HEADERS "} }\n"
	             "server { listen " GUIDE_S "; location / { proxy_pass https://" PLAIN
	             "; " NGINX_HEADERS "} }\n}\n",
	             rig_dir(), rig_dir(), rig_dir(), rig_dir(), rig_dir(), rig_dir());

	snprintf(command, sizeof(command), "/usr/sbin/nginx -c %s -e stderr", path);
	rig_start(&nginx, command, NULL);
}

static void start_haproxy(void)
{
	static const char tcp[] =
	    "listen %s\n bind " RIG_SERVER4 ":%d\n mode %s\n%s server s %s %s\n";
	char text[4096] =
	    "global\n maxconn 200\ndefaults\n timeout connect 5s\n timeout client 1m\n"
	    " timeout server 1m\n";
	static const struct {
		const char *name;
		int port;
		const char *mode, *more, *to, *how;
	} all[] = {
	    {"tcp", 91, "tcp", "", PLAIN, ""},
	    {"v1", 92, "tcp", "", MARKED, "send-proxy"},
	    {"v2", 93, "tcp", "", MARKED, "send-proxy-v2"},
	    {"http", 94, "http", " option forwardfor\n", PLAIN, ""},
	    {"https", 95, "http", " option forwardfor\n", PLAIN, "ssl verify none alpn http/1.1"},
	    /* as HAProxy's own option does it: behind what the client has sent */
	    {"web", 96, "http", " http-request add-header Forwarded for=\"%[src]\";proto=https\n",
	     PLAIN, ""},
	};
	char command[256];

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		size_t at = strlen(text);

		snprintf(text + at, sizeof(text) - at, tcp, all[i].name, all[i].port, all[i].mode,
		         all[i].more, all[i].to, all[i].how);
	}
	snprintf(command, sizeof(command), "/usr/sbin/haproxy -db -f %s",
	         rig_file("haproxy.cfg", "%s", text));
	rig_start(&haproxy, command, NULL);
}

static void await_tcp(const char *at);

static int setup(void **state)
{
	static const char *const fronts[] = {NGINX, GUIDE, SOCAT, TCP, HTTP};
	char options[160];

	*state = &server;
	configure("");
	snprintf(options, sizeof(options), "--config %s/turnpike.conf", rig_dir());
	rig_server_start(&server, "proxies", options);
	start_nginx();
	start_haproxy();
	rig_start(&socat,
	          "/usr/bin/socat TCP-LISTEN:90,bind=" RIG_SERVER4 ",fork,reuseaddr TCP:" PLAIN,
	          NULL);
	for (size_t i = 0; i < sizeof(fronts) / sizeof(*fronts); i++)
		await_tcp(fronts[i]);
	rig_guest(&server, "http://" PLAIN, guest);
	return 0;
}

static int teardown(void **state)
{
	struct rig_program *all[] = {&nginx, &haproxy, &socat};

	for (size_t i = 0; i < 3; i++)
		if (all[i]->pid)
			rig_signal_and_wait(all[i], SIGTERM, 5000);
	return rig_server_end(state);
}

/* ---- clients ---- */

static int dial(const char *from, const char *to)
{
	struct timeval limit = {.tv_sec = 10};
	struct addr a, own;
	int fd;

	assert_int_equal(addr_parse(&a, to), 0);
	assert_int_equal(addr_parse_ip(&own, from, 0), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(bind(fd, &own.sa, addr_len(&own)), 0);
	if (!connect(fd, &a.sa, addr_len(&a)))
		return fd;
	close(fd);
	return -1;
}

static void await_tcp(const char *at)
{
	int fd = -1;

	SOON((fd = dial(NEAR, at)) >= 0);
	close(fd);
}

/* Says it, reads the answer's head and what comes with it into said; the status, 0 when it is
 * closed instead. */
static int talk(int fd, const char *text, char said[4096])
{
	size_t len = 0;
	ssize_t n;

	said[0] = 0;
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	while (len < 4095 && !strstr(said, "\r\n\r\n")) {
		n = recv(fd, said + len, 4095 - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
		said[len] = 0;
	}
	return strncmp(said, "HTTP/1.", 7) != 0 ? 0 : atoi(said + 9);
}

/* One request; more: further header lines, each with its end. */
static int ask(const char *from, const char *to, const char *what, const char *host,
               const char *more)
{
	char text[2048], said[4096];
	int fd = dial(from, to), status;

	assert_true(fd >= 0);
	snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: 0\r\n\r\n", what,
	         host, more);
	status = talk(fd, text, said);
	close(fd);
	return status;
}

#define UPGRADE                                                                                    \
	"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"               \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* A WebSocket that stays open: its descriptor, or -1. */
static int open_ws(const char *from, const char *to, const char *more)
{
	char text[1024], said[4096];
	int fd = dial(from, to);

	assert_true(fd >= 0);
	snprintf(text, sizeof(text),
	         "GET /ws HTTP/1.1\r\nHost: turn.example.org\r\n" UPGRADE "%s\r\n", more);
	if (talk(fd, text, said) == 101)
		return fd;
	close(fd);
	return -1;
}

/* How often the log has it, once it has it at all: it is written later than what it tells of. */
static int times_logged(const char *event)
{
	char line[64], *log;
	int n = 0;

	snprintf(line, sizeof(line), "event=%s", event);
	if (!rig_wait_output(&server.program, line, SOON_MS))
		return 0;
	log = rig_output(&server.program);
	for (const char *at = log; (at = strstr(at, line)); at++)
		n++;
	free(log);
	return n;
}

static int metric(const char *series)
{
	char *text = rig_verb(&server, "metrics", NULL), line[128], *at;
	int value;

	snprintf(line, sizeof(line), "\n%s ", series);
	at = strstr(text, line);
	assert_non_null(at);
	value = atoi(at + strlen(line));
	free(text);
	return value;
}

/* ---- tests ---- */

static const char *const secrets[] = {"GET /turn?service=turn", "GET /?service=turn",
                                      "POST /api/v1/ice-servers", "GET /metrics"};
#define SECRETS (sizeof(secrets) / sizeof(*secrets))

/* Over every proxy, under every name, with and without headers. */
static void nobody_is_local(void **state)
{
	static const char *const ways[] = {PLAIN, NGINX, GUIDE,  GUIDE_S, SOCAT,
	                                   TCP,   HTTP,  HTTP_S, WEB,     TCP_V1};
	static const char *const hosts[] = {"localhost",    "localhost:8080", "127.0.0.1",
	                                    "127.0.0.1:80", "[::1]",          RIG_SERVER4,
	                                    "call.example"};
	static const char *const more[] = {"", "X-Forwarded-For: 127.0.0.1\r\n",
	                                   "Forwarded: for=127.0.0.1\r\n", "X-Real-IP: ::1\r\n",
	                                   "X: 1\r\n"}; /* (which must hide no other: lws_head.h) */

	(void)state;
	for (int trust = 0; trust < 2; trust++) {
		reload(trust ? "trusted_proxy = 127.0.0.0/8\n" : "");
		for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++)
			for (size_t h = 0; h < sizeof(hosts) / sizeof(*hosts); h++) {
				const char *what = secrets[(w + h) % SECRETS];
				const char *with = more[(w + h / 2) % 5];
				int status = ask(strcmp(ways[w], PLAIN) != 0 ? NEAR : "127.0.0.1",
				                 ways[w], what, hosts[h], with);

				if (status != 401)
					fail_msg("%s over %s as %s with %s: %d", what, ways[w],
					         hosts[h], with, status);
			}
	}
	/* a browser that has proven it is let in, over any of them */
	for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
		char with[RIG_COOKIE_MAX + 4];

		snprintf(with, sizeof(with), "%s\r\n", guest);
		if (strcmp(ways[w], WEB) !=
		    0) /* it says that the client spoke TLS, and that has its own cookie */
			assert_int_equal(ask(strcmp(ways[w], PLAIN) != 0 ? NEAR : "127.0.0.1",
			                     ways[w], secrets[w % SECRETS], "localhost", with),
			                 secrets[w % SECRETS][0] == 'P' ? 201 : 200);
	}
}

static void no_host_name(void **state)
{
	char longest[320];
	const char *hosts[] = {"a!b.evil.example", "user@evil.example", "a b",  "[::1",
	                       "127.0.0.1:x",      "\x80.example",      longest};

	(void)state;
	memset(longest, 'a', 300);
	longest[300] = 0;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		assert_int_equal(ask("127.0.0.1", PLAIN, "GET /turn", hosts[i], ""), 400);
		assert_int_equal(ask("127.0.0.1", PLAIN, "GET /ws", hosts[i], UPGRADE), 400);
	}
}

/* A credential from one address counts against that address's rate: which address is it? */
static void rates(void **state)
{
	static const char *const ways[] = {GUIDE, GUIDE_S, HTTP, HTTP_S, WEB};
	static const char *const lies[] = {"X-Forwarded-For: 203.0.113.%d\r\n",
	                                   "X-Forwarded-For: 203.0.113.%d, 127.0.0.1\r\n",
	                                   "Forwarded: for=203.0.113.%d\r\n"};
	char from[32], lie[96];

	(void)state;
	reload("guests = public\ntrusted_proxy = 127.0.0.1\nlog_level = info\n");
	for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
		int got = 0, status = 200;

		bool by_element = !strcmp(ways[w], WEB);

		/* a minute's worth at once, whatever the client writes into the header */
		snprintf(from, sizeof(from), "77.%zu.1.1", 10 + w);
		for (; got < RATE + 10 && status == 200; got++) {
			const char *text = lies[by_element ? 2 : got % 2];

			snprintf(lie, sizeof(lie), text, got % 250);
			status = ask(from, ways[w], "GET /turn", "turn.example.org", lie);
		}
		if (status != 429 || got < RATE)
			fail_msg("over %s: %d after %d", ways[w], status, got);
		snprintf(from, sizeof(from), "77.%zu.2.1", 10 + w); /* another one is another one */
		assert_int_equal(ask(from, ways[w], "GET /turn", "turn.example.org", ""), 200);
	}
	/* from a proxy that is not ours the headers mean nothing */
	reload("guests = public\ntrusted_proxy = 127.0.0.9\n");
	{
		int status = 200;

		for (int i = 0; i < RATE + 10 && status == 200; i++) {
			snprintf(lie, sizeof(lie), lies[0], i % 250);
			status = ask("127.0.0.1", PLAIN, "GET /turn", "turn.example.org", lie);
		}
		assert_int_equal(status, 429);
	}
	assert_int_equal(times_logged("proxy-not-trusted peer=127.0.0.1:"), 1);
}

/* Many WebSockets from one proxy are many clients. */
static void connections(void **state)
{
	static const char *const ways[] = {GUIDE, GUIDE_S, HTTP, TCP_V2};
	char conf[128], from[32];
	int fd[3 * FEW], refused;

	(void)state;
	snprintf(conf, sizeof(conf), "connections_per_address = %d\ntrusted_proxy = 127.0.0.1\n",
	         FEW);
	reload(conf);
	for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
		for (int i = 0; i < 3 * FEW; i++) {
			snprintf(from, sizeof(from), "77.%zu.3.%d", 10 + w, 1 + i / FEW);
			fd[i] = open_ws(from, ways[w], i % 2 ? "X: 1\r\n" : "");
			if (fd[i] < 0)
				fail_msg("number %d over %s is refused", i, ways[w]);
		}
		refused = metric("turnpike_connections_refused_total");
		snprintf(from, sizeof(from), "77.%zu.3.1", 10 + w);
		assert_int_equal(open_ws(from, ways[w], ""),
		                 -1); /* this address has used up its places */
		assert_true(metric("turnpike_connections_refused_total") > refused);
		for (int i = 0; i < 3 * FEW; i++)
			close(fd[i]);
		SOON(metric("turnpike_signal_connections") == 0);
	}
	/* without the word, they are one; and the log says what to do */
	snprintf(conf, sizeof(conf), "connections_per_address = %d\n", FEW);
	reload(conf);
	for (int i = 0; i < FEW; i++) {
		snprintf(from, sizeof(from), "77.20.3.%d", 1 + i);
		fd[i] = open_ws(from, GUIDE, "");
		assert_true(fd[i] >= 0);
	}
	assert_int_equal(open_ws("77.20.3.9", GUIDE, ""), -1);
	assert_int_equal(open_ws("77.20.3.9", GUIDE, ""), -1);
	for (int i = 0; i < FEW; i++)
		close(fd[i]);
	assert_int_equal(times_logged("connection-refused client=127.0.0.1:"), 1);
	SOON(metric("turnpike_signal_connections") == 0);
	reload("");
}

/* Where the header has to be, and where nobody may send one. */
static void marked_listener(void **state)
{
	static const char get[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
	char said[4096], text[256];
	int fd;

	(void)state;
	assert_int_equal(ask(NEAR, TCP_V1, "GET /healthz", "h", ""), 200);
	assert_int_equal(ask(NEAR, TCP_V2, "GET /healthz", "h", ""), 200);
	/* a head that is taken off the socket begins behind that header */
	assert_int_equal(ask(NEAR, TCP_V1, "GET /healthz", "h", "X: 1\r\n"), 200);
	assert_int_equal(ask(NEAR, TCP_V2, "GET /healthz", "h", "X: 1\r\n"), 200);
	/* and beside them, on one host, the plain proxy */
	assert_int_equal(ask(NEAR, GUIDE, "GET /healthz", "h", ""), 200);
	for (int i = 0; i < 2; i++) {
		fd = dial("127.0.0.1", MARKED);
		assert_int_equal(talk(fd, get, said), 0);
		close(fd);
	}
	assert_int_equal(metric("turnpike_proxy_header_faults_total{reason=\"missing\"}"), 2);
	assert_int_equal(times_logged("proxy-header-missing"), 1);
	snprintf(text, sizeof(text), "PROXY TCP4 203.0.113.7 198.51.100.1 1 2\r\n%s", get);
	for (int i = 0; i < 2; i++) {
		fd = dial("127.0.0.1", PLAIN);
		assert_int_equal(talk(fd, text, said), 0);
		close(fd);
	}
	assert_int_equal(metric("turnpike_proxy_header_faults_total{reason=\"unexpected\"}"), 2);
	assert_int_equal(times_logged("proxy-header-unexpected"), 1);
	fd = dial("127.0.0.1", MARKED);
	assert_int_equal(talk(fd, "PROXY TCP4 nobody\r\n", said), 0);
	close(fd);
	assert_int_equal(metric("turnpike_proxy_header_faults_total{reason=\"malformed\"}"), 1);
	/* with a list, nobody else is believed there */
	reload("proxy_from = 127.0.0.9\n");
	fd = dial("127.0.0.1", MARKED);
	assert_int_equal(talk(fd, text, said), 0);
	close(fd);
	assert_int_equal(metric("turnpike_proxy_header_faults_total{reason=\"stranger\"}"), 1);
	assert_int_equal(times_logged("proxy-header-stranger"), 1);
	fd = dial("127.0.0.9", MARKED);
	assert_int_equal(talk(fd, text, said), 200);
	close(fd);
	free(rig_verb(&server, "health", NULL)); /* which asks where it may */
	reload("");
}

/* A page of another site comes through a proxy with its visitor's cookies. */
static void pages(void **state)
{
	static const struct {
		const char *to, *origin;
		bool in;
	} cases[] = {
	    {GUIDE, "https://evil.example", false},
	    {GUIDE, "null", false},
	    {TCP, "http://evil.example", false},
	    {GUIDE, "https://turn.example.org", true},
	    {NGINX, "https://turn.example.org", true}, /* its Host is 127.0.0.1:8080 */
	    {GUIDE, "https://app.example.net", true},
	    {GUIDE, "https://app.example.net:8443", false},
	};
	char more[200];

	(void)state;
	reload("cors_origin = https://app.example.net\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int status;

		snprintf(more, sizeof(more), UPGRADE "Origin: %s\r\n", cases[i].origin);
		status = ask(NEAR, cases[i].to, "GET /ws", "turn.example.org", more);
		/* its plainest form passes no upgrade on */
		if (status != (!cases[i].in ? 403 : strcmp(cases[i].to, NGINX) != 0 ? 101 : 426))
			fail_msg("%s over %s: %d", cases[i].origin, cases[i].to, status);
		snprintf(more, sizeof(more), "Origin: %s\r\n%s\r\n", cases[i].origin, guest);
		status = ask(NEAR, cases[i].to, "GET /turn", "turn.example.org", more);
		if (!cases[i].in)
			assert_int_equal(status, 403);
	}
	reload("");
}

/* A password is taken where a trusted proxy says that it came over TLS. */
static void passwords(void **state)
{
	static const char body[] = "{\"name\":\"nobody\",\"password\":\"x\"}";
	static const struct {
		const char *to, *more;
		int status;
	} cases[] = {
	    {GUIDE, "", 403},                             /* it spoke plain HTTP, and says so */
	    {GUIDE, "X-Forwarded-Proto: https\r\n", 403}, /* nginx replaces it */
	    {WEB, "", 202},                               /* it says that it spoke TLS */
	    {SOCAT, "X-Forwarded-Proto: https\r\n", 403}, /* a forwarder, once it is not trusted */
	    {PLAIN, "", 403},
	};
	char text[1024], said[4096];

	(void)state;
	reload("trusted_proxy = 127.0.0.1\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int fd = dial(strcmp(cases[i].to, PLAIN) != 0 ? NEAR : "127.0.0.2", cases[i].to),
		    status;

		if (!strcmp(cases[i].to, SOCAT))
			reload("");
		snprintf(text, sizeof(text),
		         "POST /api/v1/admin/login HTTP/1.1\r\nHost: turn.example.org\r\n%s"
		         "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		         cases[i].more, sizeof(body) - 1, body);
		status = talk(fd, text, said);
		close(fd);
		if (status != cases[i].status)
			fail_msg("%s %s: %s", cases[i].to, cases[i].more, said);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_is_local), cmocka_unit_test(no_host_name),
	    cmocka_unit_test(rates),           cmocka_unit_test(connections),
	    cmocka_unit_test(marked_listener), cmocka_unit_test(pages),
	    cmocka_unit_test(passwords),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
