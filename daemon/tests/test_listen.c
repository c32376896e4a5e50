/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The whole program on one port: every protocol is understood, a balancer is
 * believed if it is ours, nobody gets more connections than allowed, and data
 * connections of RFC 6062 find their worker.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "turn/wire/talker.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READ_MS  5000
#define BALANCER "127.0.0.2"
#define NAMED    "203.0.113.7:1234"

static char dir[64];
static pid_t server;
static struct addr at; /* where it listens */

/* ---- the server ---- */

static int spawn_stderr = -1; /* what it gets for stderr; -1: ours */

static pid_t spawn(char *const argv[], const char *input, int *out)
{
	int in[2], o[2];
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(o, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		dup2(in[0], 0);
		dup2(o[1], 1);
		if (spawn_stderr >= 0)
			dup2(spawn_stderr, 2);
		execv(argv[0], argv);
		_exit(127);
	}
	close(in[0]);
	close(o[1]);
	assert_int_equal(write(in[1], input, strlen(input)), strlen(input));
	close(in[1]);
	*out = o[0];
	return pid;
}

static void server_start(char *const extra[])
{
	char *add[] = {TURNPIKE_PROGRAM, "--data",           dir, "user", "add",
	               "alice",          "--password-stdin", NULL};
	char *argv[32] = {TURNPIKE_PROGRAM, "serve",       "--data",       dir,
	                  "--listen",       "127.0.0.1:0", "--workers",    "2",
	                  "--relay-allow",  "127.0.0.0/8", "--proxy-from", BALANCER};
	char log[8192] = "", *line;
	size_t n = 12, len = 0;
	int out, status;
	pid_t pid;

	snprintf(dir, sizeof(dir), "/tmp/turnpike-listen-XXXXXX");
	assert_non_null(mkdtemp(dir));
	pid = spawn(add, "secret", &out);
	close(out);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (size_t i = 0; extra && extra[i]; i++)
		argv[n++] = extra[i];
	server = spawn(argv, "", &out);
	while (!strstr(log, "event=ready")) {
		ssize_t got = read(out, log + len, sizeof(log) - 1 - len);

		assert_true(got > 0);
		len += (size_t)got;
		log[len] = 0;
	}
	line = strstr(log, "event=listening address=");
	assert_non_null(line);
	line += strlen("event=listening address=");
	line[strcspn(line, "\n")] = 0;
	assert_int_equal(addr_parse(&at, line), 0);
	/* nobody reads on: a full pipe must not stop it */
	fcntl(out, F_SETFL, O_NONBLOCK);
}

static void server_stop(void)
{
	char command[100];
	int status;

	kill(server, SIGTERM);
	assert_int_equal(waitpid(server, &status, 0), server);
	server = 0;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(status, 0);
}

static int teardown(void **state)
{
	(void)state;
	if (server) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		server = 0;
	}
	return 0;
}

/* ---- clients ---- */

static void client_open(struct talker *c, const char *from_ip, enum talker_transport transport)
{
	static const struct timeval limit = {.tv_sec = READ_MS / 1000};
	struct addr from;

	assert_int_equal(addr_parse_ip(&from, from_ip, 0), 0);
	assert_int_equal(talker_connect(c, transport, &at, &from), 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	c->wait_ms = READ_MS;
	c->user = "alice";
	c->password = "secret";
}

static void put(struct talker *c, const void *data, size_t len)
{
	assert_int_equal(talker_send(c, data, len), 0);
}

static bool get_all(struct talker *c, void *to, size_t len)
{
	return !talker_read(c, to, len, SOON_MS);
}

static bool is_at_its_end(struct talker *c)
{
	uint8_t byte;

	return talker_read(c, &byte, 1, SOON_MS) == -E_CLOSED;
}

/* From now on the bytes of the connection are TLS's. */
static bool start_tls(struct talker *c, const char *alpn)
{
	c->transport = TALKER_TLS;
	c->alpn = alpn;
	return !talker_handshake(c);
}

static bool tls_open(struct talker *c, const char *from_ip, const char *alpn)
{
	client_open(c, from_ip, TALKER_TCP);
	return start_tls(c, alpn);
}

static bool binding_works(struct talker *c)
{
	struct addr seen, own = {.in6 = {0}};
	socklen_t len = sizeof(own);

	getsockname(c->fd, &own.sa, &len);
	return !talker_binding(c, &seen) && addr_equal(&seen, &own);
}

/* The status of the reply; 0 when the connection is closed instead. */
static int http(struct talker *c, const char *request)
{
	char line[14] = "";

	put(c, request, strlen(request));
	if (!get_all(c, line, 13))
		return 0;
	assert_memory_equal(line, "HTTP/1.1 ", 9);
	return atoi(line + 9);
}

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define GRANT  "GET /turn?service=turn&username=x HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define UPGRADE                                                                                    \
	"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"       \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"             \
	"Sec-WebSocket-Protocol: json\r\n\r\n"
#define HTTP1 "\x08http/1.1"

/* A value of the server's metrics. */
static int metric(const char *series)
{
	char *argv[] = {TURNPIKE_PROGRAM, "--data", dir, "metrics", NULL};
	char text[65536], line[100], *found;
	size_t len = 0;
	int out, status;
	pid_t pid = spawn(argv, "", &out);

	for (ssize_t n; (n = read(out, text + len, sizeof(text) - 1 - len)) > 0;)
		len += (size_t)n;
	text[len] = 0;
	close(out);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	snprintf(line, sizeof(line), "\n%s ", series);
	found = strstr(text, line);
	assert_non_null(found);
	return atoi(found + strlen(line));
}

/* ---- tests ---- */

static void one_port(void **state)
{
	static const struct {
		bool tls;
		const char *alpn;
		const char *request;
		int status;
	} web[] = {
	    {false, NULL, HEALTH, 200},  {true, HTTP1, HEALTH, 200},
	    {true, NULL, HEALTH, 200},   {true, HTTP1 "\x09stun.turn", HEALTH, 200},
	    {false, NULL, UPGRADE, 101}, {true, HTTP1, UPGRADE, 101},
	    {true, NULL, UPGRADE, 101},  {true, "\x02h2\x08http/1.1", HEALTH, 200},
	};
	static const char *const turn_alpn[] = {NULL, "\x09stun.turn", "\x12stun.nat-discovery",
	                                        HTTP1 "\x09stun.turn"};
	struct talker c;

	(void)state;
	server_start(NULL);
	client_open(&c, "127.0.0.1", TALKER_UDP);
	assert_true(binding_works(&c));
	/* from the same UDP port: DTLS */
	c.transport = TALKER_DTLS;
	c.alpn = "\x09stun.turn";
	assert_int_equal(talker_handshake(&c), 0);
	assert_true(binding_works(&c));
	talker_close(&c);
	client_open(&c, "127.0.0.1", TALKER_TCP);
	assert_true(binding_works(&c));
	talker_close(&c);
	for (size_t i = 0; i < sizeof(turn_alpn) / sizeof(*turn_alpn); i++) {
		assert_true(tls_open(&c, "127.0.0.1", turn_alpn[i]));
		assert_true(binding_works(&c));
		talker_close(&c);
	}
	for (size_t i = 0; i < sizeof(web) / sizeof(*web); i++) {
		if (web[i].tls)
			assert_true(tls_open(&c, "127.0.0.1", web[i].alpn));
		else
			client_open(&c, "127.0.0.1", TALKER_TCP);
		assert_int_equal(http(&c, web[i].request), web[i].status);
		talker_close(&c);
	}
	/* none of them */
	client_open(&c, "127.0.0.1", TALKER_TCP);
	put(&c, "\x05\x01\x00", 3);
	assert_true(talker_is_left(&c, SOON_MS));
	talker_close(&c);
	server_stop();
}

static void pause_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* The hello comes in pieces; and one that never ends, ends. */
static void slow_hello(void **state)
{
	char *const extra[] = {"--first-message-timeout", "2", NULL};
	static const char *const alpn[] = {HTTP1, "\x09stun.turn"};
	struct talker c;

	(void)state;
	server_start(extra);
	for (int i = 0; i < 2; i++) {
		uint8_t hello[4096];
		int len, sent = 0;

		client_open(&c, "127.0.0.1", TALKER_TCP);
		c.ctx = SSL_CTX_new(TLS_client_method());
		c.ssl = SSL_new(c.ctx);
		SSL_set_alpn_protos(c.ssl, (const uint8_t *)alpn[i], (unsigned)strlen(alpn[i]));
		SSL_set_connect_state(c.ssl);
		SSL_set_bio(c.ssl, BIO_new_socket(c.fd, BIO_NOCLOSE), BIO_new(BIO_s_mem()));
		BIO_set_nbio(SSL_get_rbio(c.ssl), 1);
		fcntl(c.fd, F_SETFL, O_NONBLOCK);
		SSL_do_handshake(c.ssl);
		fcntl(c.fd, F_SETFL, 0);
		len = BIO_read(SSL_get_wbio(c.ssl), hello, sizeof(hello));
		for (int step = 1; sent < len; step *= 3) {
			int n = len - sent < step ? len - sent : step;

			assert_int_equal(send(c.fd, hello + sent, (size_t)n, 0), n);
			sent += n;
			pause_ms(20);
		}
		SSL_set0_wbio(c.ssl, BIO_new_socket(c.fd, BIO_NOCLOSE));
		assert_int_equal(SSL_do_handshake(c.ssl), 1);
		if (i)
			assert_true(binding_works(&c));
		else
			assert_int_equal(http(&c, HEALTH), 200);
		talker_close(&c);
	}
	client_open(&c, "127.0.0.1", TALKER_TCP);
	put(&c, "\x16\x03\x01\x02", 4);
	assert_true(talker_is_left(&c, SOON_MS));
	talker_close(&c);
	/* half a hello, and no more to come: at once */
	client_open(&c, "127.0.0.1", TALKER_TCP);
	put(&c, "\x16\x03\x01\x02", 4);
	shutdown(c.fd, SHUT_WR);
	assert_true(talker_is_left(&c, SOON_MS));
	talker_close(&c);
	server_stop();
}

#define V1         "PROXY TCP4 203.0.113.7 198.51.100.1 1234 443\r\n"
#define V1_NEAR    "PROXY TCP4 127.0.0.1 127.0.0.1 1234 443\r\n"
#define V1_UNKNOWN "PROXY UNKNOWN\r\n"
static const char v2[] =
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\7\xc6\x33\x64\1\x04\xd2\1\xbb";
static const char v2_local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

static bool names_us(struct talker *c)
{
	char text[ADDR_STRLEN];
	struct addr seen;

	return !talker_binding(c, &seen) && !strcmp(addr_format(&seen, text), NAMED);
}

static void proxies(void **state)
{
	static const struct {
		const char *header;
		size_t len;
	} h[] = {{V1, sizeof(V1) - 1}, {v2, sizeof(v2) - 1}};
	struct talker c;

	(void)state;
	server_start(NULL);
	for (size_t i = 0; i < 2; i++) {
		/* TURN/TCP, TURN/TLS, HTTP, HTTPS, and HTTPS without ALPN; guests are local only */
		client_open(&c, BALANCER, TALKER_TCP);
		put(&c, h[i].header, h[i].len);
		assert_true(names_us(&c));
		talker_close(&c);
		for (int k = 0; k < 4; k++) {
			client_open(&c, BALANCER, TALKER_TCP);
			for (size_t b = 0; b < h[i].len; b++) { /* and slowly */
				assert_int_equal(send(c.fd, h[i].header + b, 1, 0), 1);
				if (!k)
					pause_ms(2);
			}
			if (k) {
				assert_true(start_tls(&c, k == 1 ? HTTP1 : NULL));
			}
			if (k == 3)
				assert_true(names_us(&c));
			else
				assert_int_equal(http(&c, GRANT), 401);
			talker_close(&c);
		}
	}
	/* a client behind the balancer is not local, whatever the header says: on its own machine,
	 * unknown, or the balancer itself */
	for (int i = 0; i < 6; i++) {
		static const struct {
			const char *header;
			size_t len;
		} near[] = {{V1_NEAR, sizeof(V1_NEAR) - 1},
		            {V1_UNKNOWN, sizeof(V1_UNKNOWN) - 1},
		            {v2_local, sizeof(v2_local) - 1}};

		client_open(&c, BALANCER, TALKER_TCP);
		put(&c, near[i / 2].header, near[i / 2].len);
		if (i % 2) {
			assert_true(start_tls(&c, NULL));
		}
		assert_int_equal(http(&c, GRANT), 401);
		talker_close(&c);
	}
	/* a health check of the balancer's own */
	client_open(&c, BALANCER, TALKER_TCP);
	put(&c, v2_local, sizeof(v2_local) - 1);
	assert_true(binding_works(&c));
	talker_close(&c);
	/* the balancer has to say it */
	client_open(&c, BALANCER, TALKER_TCP);
	assert_int_equal(http(&c, HEALTH), 0);
	talker_close(&c);
	client_open(&c, BALANCER, TALKER_TCP);
	put(&c, "PROXY TCP4 nobody\r\n", 19);
	assert_true(talker_is_left(&c, SOON_MS));
	talker_close(&c);
	/* nobody else may: neither is it believed nor do its bytes become a request */
	client_open(&c, "127.0.0.1", TALKER_TCP);
	put(&c, v2, sizeof(v2) - 1);
	assert_true(talker_is_left(&c, SOON_MS));
	talker_close(&c);
	client_open(&c, "127.0.0.1", TALKER_TCP);
	assert_int_equal(http(&c, V1 HEALTH), 0);
	talker_close(&c);
	/* neither its source nor its Host makes a client local */
	for (size_t i = 0; i < 6; i++) {
		static const char *const hosts[] = {"localhost", "127.0.0.1", "rebound.example:80"};
		char request[200];

		snprintf(request, sizeof(request),
		         "GET /turn?service=turn HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i / 2]);
		if (i % 2)
			assert_true(tls_open(&c, "127.0.0.1", NULL));
		else
			client_open(&c, "127.0.0.1", TALKER_TCP);
		assert_int_equal(http(&c, request), 401);
		talker_close(&c);
	}
	server_stop();
}

static void limits(void **state)
{
	char *const extra[] = {"--connections-per-address", "4", "--max-tcp-connections", "6",
	                       NULL};
	struct talker c[6], more;
	bool again = false;

	(void)state;
	server_start(extra);
	for (int i = 0; i < 4; i++) { /* one of each kind */
		if (i % 2)
			assert_true(tls_open(&c[i], "127.0.0.1", i == 1 ? HTTP1 : NULL));
		else
			client_open(&c[i], "127.0.0.1", TALKER_TCP);
		if (i < 2)
			assert_int_equal(http(&c[i], UPGRADE), 101);
		else
			assert_true(binding_works(&c[i]));
	}
	client_open(&more, "127.0.0.1", TALKER_TCP);
	assert_true(talker_is_left(&more, SOON_MS));
	talker_close(&more);
	/* others are not kept out, until there are too many in all */
	for (int i = 4; i < 6; i++) {
		client_open(&c[i], "127.0.0.3", TALKER_TCP);
		assert_true(binding_works(&c[i]));
	}
	client_open(&more, "127.0.0.3", TALKER_TCP);
	assert_true(talker_is_left(&more, SOON_MS));
	talker_close(&more);
	/* a closed connection makes room: the web's and the workers' */
	for (int i = 0; i < 6; i++)
		talker_close(&c[i]);
	for (int tries = 0; tries < 100 && !again; tries++) {
		int n = 0;

		pause_ms(20);
		for (int i = 0; i < 4; i++) {
			client_open(&c[i], "127.0.0.1", TALKER_TCP);
			n += binding_works(&c[i]);
		}
		for (int i = 0; i < 4; i++)
			talker_close(&c[i]);
		again = n == 4;
	}
	assert_true(again);
	/* and it is told how many were turned away; the four may not be gone yet */
	assert_true(metric("turnpike_connections_refused_total") >= 2);
	server_stop();
}

/* Where to click is told to a terminal, and to no log. */
static void links(void **state)
{
	for (int terminal = 0; terminal < 2; terminal++) {
		int fd[2], flags, n = 0;
		char said[4096] = "";
		size_t len = 0;

		(void)state;
		if (terminal)
			assert_int_equal(openpty(&fd[0], &fd[1], NULL, NULL, NULL), 0);
		else
			assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
		spawn_stderr = fd[1];
		server_start(NULL);
		spawn_stderr = -1;
		server_stop();
		close(fd[1]);
		flags = fcntl(fd[0], F_GETFL);
		fcntl(fd[0], F_SETFL, flags | O_NONBLOCK);
		for (ssize_t got; len < sizeof(said) - 1 &&
		                  (got = read(fd[0], said + len, sizeof(said) - 1 - len)) > 0;)
			len += (size_t)got;
		said[len] = 0;
		close(fd[0]);
		assert_non_null(strstr(said, "First start."));
		for (const char *link = said; (link = strstr(link, "http://localhost:")); link++)
			n += strspn(strchr(link + 17, '/'), "/link0123456789abcdef") == 38;
		assert_int_equal(n, terminal ? 2 : 0);
	}
}

/* ---- RFC 6062 ---- */

/* A ConnectionBind, with what the client has to say right behind it. */
static void bind_data(struct talker *c, const struct talker *control, uint32_t id,
                      const void *ahead, size_t len)
{
	uint8_t key[16];
	struct wire m;

	memcpy(c->realm, control->realm, sizeof(c->realm));
	memcpy(c->nonce, control->nonce, sizeof(c->nonce));
	talker_key(c, key);
	talker_request(c, &m, W_CONNECTION_BIND);
	wire_add_u32(&m, ATTR_CONNECTION_ID, id);
	wire_add_integrity(&m, key);
	memcpy(m.buf + m.len, ahead, len);
	m.len += len;
	assert_int_equal(talker_say(c, &m), 0);
}

static int open_peer(struct addr *where)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = 5};
	socklen_t len = sizeof(*where);

	assert_int_equal(addr_parse(where, "127.0.0.9:0"), 0);
	assert_int_equal(bind(fd, &where->sa, addr_len(where)), 0);
	assert_int_equal(getsockname(fd, &where->sa, &len), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

/* Both ways at once and more than the buffers hold; nothing is lost, nothing is changed. */
static void exchange(struct talker *c, int peer)
{
	enum { BYTES = 2000000, STEP = 8192 };
	static uint8_t data[BYTES], in[BYTES];
	pid_t pid;
	int status;

	for (size_t i = 0; i < BYTES; i++)
		data[i] = (uint8_t)(i * 13 + i / 255);
	pid = fork();
	if (!pid) { /* the peer echoes, after a while */
		struct timespec t = {.tv_nsec = 200000000};
		size_t n = 0;

		nanosleep(&t, NULL); /* until the buffers on the way are full */
		while (n < BYTES) {
			ssize_t r = recv(peer, in + n, BYTES - n, 0);

			if (r <= 0)
				_exit(1);
			n += (size_t)r;
		}
		for (n = 0; n < BYTES;) {
			ssize_t w = send(peer, in + n, BYTES - n, MSG_NOSIGNAL);

			if (w <= 0)
				_exit(2);
			n += (size_t)w;
		}
		_exit(0);
	}
	for (size_t n = 0; n < BYTES; n += STEP)
		put(c, data + n, BYTES - n < STEP ? BYTES - n : STEP);
	pause_ms(200); /* a slow reader on this side */
	memset(in, 0, BYTES);
	assert_true(get_all(c, in, BYTES));
	assert_memory_equal(in, data, BYTES);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void control_open(struct talker *c)
{
	client_open(c, "127.0.0.1", TALKER_TCP);
	assert_int_equal(talker_allocate(c, IPPROTO_TCP), 0);
}

static uint32_t connection_id(const struct talker *control)
{
	return wire_get_u32(control->in.buf, control->in.len, ATTR_CONNECTION_ID);
}

static int connect_to(struct talker *control, const struct addr *peer)
{
	struct wire m;

	talker_request(control, &m, W_CONNECT);
	wire_add_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, peer);
	return talker_ask(control, &m);
}

static void data_connections(void **state)
{
	enum { N = 6 };
	struct talker control, data;
	struct addr peer, from;
	socklen_t len = sizeof(from);
	int listener, conn;
	char buf[16];

	(void)state;
	server_start(NULL);
	control_open(&control);
	listener = open_peer(&peer);
	assert_int_equal(connect_to(&control, &peer), 447); /* nobody listens */
	assert_int_equal(listen(listener, 10), 0);
	/* with two workers in turn, half of these come to the wrong one first */
	for (int i = 0; i < N; i++) {
		assert_int_equal(connect_to(&control, &peer), 0);
		conn = accept4(listener, &from.sa, &len, SOCK_CLOEXEC);
		assert_true(
		    addr_equal(&from, &control.relayed)); /* it comes from the relayed address */
		assert_int_equal(send(conn, "early", 5, 0), 5); /* before anybody is there */
		if (i < N / 2)
			client_open(&data, "127.0.0.1", TALKER_TCP);
		else
			assert_true(tls_open(&data, "127.0.0.1", NULL));
		bind_data(&data, &control, connection_id(&control), "ahead", 5);
		assert_true(get_all(&data, buf, 5));
		assert_memory_equal(buf, "early", 5);
		assert_int_equal(recv(conn, buf, sizeof(buf), MSG_WAITALL & 0), 5);
		assert_memory_equal(buf, "ahead", 5);
		exchange(&data, conn);
		if (i % 2) { /* the peer goes: so does the client's; and the other way round */
			close(conn);
			assert_true(is_at_its_end(&data));
			talker_close(&data);
		} else {
			talker_close(&data);
			assert_true(recv(conn, buf, 1, 0) <= 0);
			close(conn);
		}
		pause_ms(100);
	}
	talker_close(&control);
	close(listener);
	server_stop();
}

static void peers_connect(void **state)
{
	struct talker control, data;
	struct addr peer, shown;
	char buf[8];
	int fd;

	(void)state;
	server_start(NULL);
	control_open(&control);
	fd = open_peer(&peer);
	assert_int_equal(connect(fd, &control.relayed.sa, addr_len(&control.relayed)), 0);
	assert_true(recv(fd, buf, 1, 0) <= 0); /* no permission: closed at once */
	close(fd);
	assert_int_equal(talker_permit(&control, &peer), 0);
	fd = open_peer(&peer);
	assert_int_equal(connect(fd, &control.relayed.sa, addr_len(&control.relayed)), 0);
	assert_int_equal(talker_receive(&control, READ_MS), 0);
	assert_int_equal(wire_type(control.in.buf), W_CONNECTION_ATTEMPT);
	assert_true(
	    wire_get_xor_addr(control.in.buf, control.in.len, ATTR_XOR_PEER_ADDRESS, &shown));
	assert_true(addr_equal(&shown, &peer));
	client_open(&data, "127.0.0.1", TALKER_TCP);
	bind_data(&data, &control, connection_id(&control), "", 0);
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	assert_true(get_all(&data, buf, 5));
	/* the control connection ends the allocation, and that everything else */
	talker_close(&control);
	assert_true(is_at_its_end(&data));
	assert_true(recv(fd, buf, 1, 0) <= 0);
	talker_close(&data);
	close(fd);
	server_stop();
}

/* Open connections of every kind do not hold up the end. */
static void stops_at_once(void **state)
{
	char *const extra[] = {"--drain-timeout", "600", NULL};
	struct talker c[4];
	int64_t began;

	(void)state;
	server_start(extra);
	client_open(&c[0], "127.0.0.1", TALKER_TCP); /* silent */
	assert_true(tls_open(&c[1], "127.0.0.1", NULL));
	assert_int_equal(http(&c[1], UPGRADE), 101);
	assert_true(tls_open(&c[2], "127.0.0.1", NULL));
	assert_true(binding_works(&c[2]));
	client_open(&c[3], "127.0.0.1", TALKER_TCP);
	put(&c[3], "\x16", 1);
	began = test_now_ms();
	server_stop();
	assert_in_range(test_now_ms() - began, 0, SOON_MS);
	for (int i = 0; i < 4; i++)
		talker_close(&c[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(one_port, teardown),
	    cmocka_unit_test_teardown(slow_hello, teardown),
	    cmocka_unit_test_teardown(proxies, teardown),
	    cmocka_unit_test_teardown(limits, teardown),
	    cmocka_unit_test_teardown(links, teardown),
	    cmocka_unit_test_teardown(data_connections, teardown),
	    cmocka_unit_test_teardown(peers_connect, teardown),
	    cmocka_unit_test_teardown(stops_at_once, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
