/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The web side over real sockets: WebSockets with and without TLS, the HTTP
 * interface, and clients that do everything wrong.
 */
#include "base/log.h"
#include "daemon/tests/web_client.h"
#include "daemon/web.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct event_base *base;
	struct web *web;
	struct event *accept_plain;
	struct event *accept_tls;
	int listen_plain;
	int listen_tls;
	uint16_t port;
	uint16_t tls_port;
	char dir[64];
	char cert[96];
	char key[96];
	/* what the last grant was asked for, and what it gives */
	struct web_caller caller;
	char caller_key[64];
	char name[128];
	char host[256];
	int64_t ttl_s;
	int grant_rc;
	unsigned grants;
};

/* Doubles: the real ones make credentials, which is not our subject. */
json_t *ice_grant_servers(const struct ice_grant *g)
{
	return json_pack("[{s:[s],s:s,s:s}]", "urls", g->uri[0], "username", g->credential.username,
	                 "credential", g->credential.password);
}

json_t *ice_grant_rest(const struct ice_grant *g)
{
	return json_pack("{s:s,s:s,s:I,s:[s]}", "username", g->credential.username, "password",
	                 g->credential.password, "ttl", (json_int_t)g->ttl_s, "uris", g->uri[0]);
}

static int on_grant(void *ctx, const struct web_caller *caller, const char *name, int64_t ttl_s,
                    const char *host, struct ice_grant *out)
{
	struct fixture *f = ctx;

	f->grants++;
	f->caller = *caller;
	snprintf(f->caller_key, sizeof(f->caller_key), "%s", caller->key ? caller->key : "(none)");
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->host, sizeof(f->host), "%s", host);
	f->ttl_s = ttl_s;
	if (f->grant_rc)
		return f->grant_rc;
	memset(out, 0, sizeof(*out));
	snprintf(out->credential.username, sizeof(out->credential.username), "99:%.64s", name);
	snprintf(out->credential.password, sizeof(out->credential.password), "secret");
	out->ttl_s = ttl_s ? ttl_s : 3600;
	out->uri_n = 1;
	snprintf(out->uri[0], sizeof(out->uri[0]), "turn:%s:3478", host);
	return 0;
}

static void on_accept(evutil_socket_t fd, short what, void *ctx)
{
	struct fixture *f = ctx;
	int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (conn >= 0)
		web_adopt(f->web, conn, fd == f->listen_tls);
}

static int listen_on_loopback(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void make_cert(const char *cert_path, const char *key_path, const char *cn)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	FILE *file;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_sign(x, key, EVP_sha256());
	file = fopen(cert_path, "w");
	PEM_write_X509(file, x);
	fclose(file);
	file = fopen(key_path, "w");
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void start(struct fixture *f, const struct web_conf *conf)
{
	static const struct web_ops ops = {.grant = on_grant};
	struct why why = {""};

	if (web_start(f->base, conf, &ops, f, &f->web, &why))
		fail_msg("web_start: %s", why.text);
}

static void default_conf(const struct fixture *f, struct web_conf *conf)
{
	web_conf_default(conf);
	conf->cert_path = f->cert;
	conf->key_path = f->key;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct web_conf conf;

	strcpy(f->dir, "/tmp/turnpike-test-web-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->cert, sizeof(f->cert), "%s/cert.pem", f->dir);
	snprintf(f->key, sizeof(f->key), "%s/key.pem", f->dir);
	make_cert(f->cert, f->key, "first");
	f->base = event_base_new();
	f->listen_plain = listen_on_loopback(&f->port);
	f->listen_tls = listen_on_loopback(&f->tls_port);
	f->accept_plain = event_new(f->base, f->listen_plain, EV_READ | EV_PERSIST, on_accept, f);
	f->accept_tls = event_new(f->base, f->listen_tls, EV_READ | EV_PERSIST, on_accept, f);
	event_add(f->accept_plain, NULL);
	event_add(f->accept_tls, NULL);
	default_conf(f, &conf);
	start(f, &conf);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	web_stop(f->web);
	event_free(f->accept_plain);
	event_free(f->accept_tls);
	event_base_free(f->base);
	close(f->listen_plain);
	close(f->listen_tls);
	unlink(f->cert);
	unlink(f->key);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void restart(struct fixture *f, const struct web_conf *conf)
{
	web_stop(f->web);
	f->web = NULL;
	start(f, conf);
}

static void expect_text(struct client *c, const char *prefix)
{
	struct ws_frame f = {0};

	if (!ws_recv(c, &f))
		fail_msg("nothing came, expected %s", prefix);
	assert_int_equal(f.opcode, WS_TEXT);
	if (strncmp(f.data, prefix, strlen(prefix)) != 0)
		fail_msg("got %s, expected %s", f.data, prefix);
	free(f.data);
}

static void expect_close(struct client *c, unsigned code)
{
	struct ws_frame f = {0};

	if (!ws_recv(c, &f))
		fail_msg("no close frame, expected %u", code);
	assert_int_equal(f.opcode, WS_CLOSE);
	assert_true(f.len >= 2);
	assert_int_equal((uint8_t)f.data[0] << 8 | (uint8_t)f.data[1], code);
	free(f.data);
}

static struct client *open_ws(struct fixture *f, bool tls)
{
	struct client *c = client_open(f->base, tls ? f->tls_port : f->port, tls);
	char *head = ws_upgrade(c, "/", "Sec-WebSocket-Protocol: json\r\n");

	if (strncmp(head, "HTTP/1.1 101 ", 13) != 0)
		fail_msg("no upgrade: %s", head);
	free(head);
	expect_text(c, "{\"type\":\"id\",\"id\":");
	return c;
}

static struct client *sign_in(struct fixture *f, const char *name, bool tls)
{
	struct client *c = open_ws(f, tls);
	char text[200];

	snprintf(text, sizeof(text), "{\"name\":\"%s\",\"type\":\"username\"}", name);
	ws_say(c, text);
	expect_text(c, "{\"type\":\"userlist\",");
	return c;
}

static char *get(struct fixture *f, bool tls, const char *request)
{
	struct client *c = client_open(f->base, tls ? f->tls_port : f->port, tls);
	char *response = client_talk(c, request);

	client_close(c);
	return response;
}

static void expect_status(struct fixture *f, const char *request, int status, const char *part)
{
	char *response = get(f, false, request), line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	if (strncmp(response, line, strlen(line)) != 0 || (part && !strstr(response, part)))
		fail_msg("asked %s\nwanted %d with %s, got %s", request, status,
		         part ? part : "anything", response);
	free(response);
}

/* After every attack: it still serves, and both ends of a call hear each other. */
static void still_serves(struct fixture *f)
{
	struct client *a, *b;

	expect_status(f, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, "{\"status\":\"ok\"}");
	a = sign_in(f, "still-a", false);
	b = sign_in(f, "still-b", true);
	ws_say(b, "{\"type\":\"wave\",\"target\":\"still-a\"}");
	expect_text(a, "{\"type\":\"userlist\"");
	expect_text(a, "{\"type\":\"wave\",\"target\":\"still-a\",\"name\":\"still-b\"}");
	client_close(a);
	client_close(b);
	client_pump(f->base, 30);
}

static void test_upgrade(void **state)
{
	struct fixture *f = *state;
	struct client *c;
	char *head;

	for (int tls = 0; tls < 2; tls++) {
		c = client_open(f->base, tls ? f->tls_port : f->port, tls);
		head = ws_upgrade(c, tls ? "/ws" : "/", "Sec-WebSocket-Protocol: json\r\n");
		assert_non_null(strstr(head, "HTTP/1.1 101 "));
		/* RFC 6455 section 1.3's example */
		assert_non_null(strstr(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
		assert_non_null(strstr(head, "Sec-WebSocket-Protocol: json\r\n"));
		assert_null(strstr(head, "Extensions"));
		free(head);
		expect_text(c, "{\"type\":\"id\",\"id\":");
		client_close(c);

		c = client_open(f->base, tls ? f->tls_port : f->port, tls);
		head = ws_upgrade(c, "/any/path?x=1",
		                  "Sec-WebSocket-Extensions: permessage-deflate\r\n");
		assert_non_null(strstr(head, "HTTP/1.1 101 "));
		assert_null(strstr(head, "Sec-WebSocket-Protocol"));
		assert_null(strstr(head, "Extensions"));
		free(head);
		expect_text(c, "{\"type\":\"id\",\"id\":");
		client_close(c);
	}
	still_serves(f);
}

static void test_call_between_plain_and_tls(void **state)
{
	struct fixture *f = *state;
	struct client *a = sign_in(f, "alice", false), *b = sign_in(f, "bob", true);
	size_t len = 12072; /* the largest offer of the sample */
	char *offer = malloc(len + 1), *heard = malloc(len + 1);
	struct ws_frame frame;

	expect_text(a, "{\"type\":\"userlist\",\"users\":[\"alice\",\"bob\"]}");
	memset(offer, 'x', len);
	memcpy(offer, "{\"name\":\"alice\",\"target\":\"bob\",\"type\":\"video-offer\",\"sdp\":\"",
	       59);
	memcpy(offer + len - 2, "\"}", 3);
	strcpy(heard, offer);
	ws_say(a, offer);
	for (int i = 0; i < 20; i++)
		ws_say(a, "{\"type\":\"new-ice-candidate\",\"target\":\"bob\",\"candidate\":0}");
	assert_true(ws_recv(b, &frame));
	assert_string_equal(frame.data, heard);
	free(frame.data);
	for (int i = 0; i < 20; i++)
		expect_text(b, "{\"type\":\"new-ice-candidate\",\"target\":\"bob\",\"candidate\":0,"
		               "\"name\":\"alice\"}");
	ws_say(b,
	       "{\"name\":\"mallory\",\"target\":\"alice\",\"type\":\"video-answer\",\"sdp\":1}");
	expect_text(a, "{\"name\":\"bob\",\"target\":\"alice\",\"type\":\"video-answer\"");
	assert_int_equal(web_call_count(f->web), 1);
	client_close(a); /* without a word */
	expect_text(b, "{\"name\":\"alice\",\"target\":\"bob\",\"type\":\"hang-up\"}");
	expect_text(b, "{\"type\":\"userlist\",\"users\":[\"bob\"]}");
	client_close(b);
	free(offer);
	free(heard);
	still_serves(f);
	assert_int_equal(web_peer_count(f->web), 0);
	assert_int_equal(web_call_count(f->web), 0);
}

static void test_fragments(void **state)
{
	struct fixture *f = *state;
	struct client *c = sign_in(f, "alice", true);
	char big[40000];

	ws_send(c, false, WS_TEXT, "{\"type\":\"wa", 11);
	ws_send(c, true, WS_PING, "p", 1); /* may come between */
	ws_send(c, false, WS_CONT, "ve\",\"target\":", 13);
	ws_send(c, false, WS_CONT, "", 0);
	ws_send(c, true, WS_CONT, "\"alice\"}", 8);
	/* the pong and the text may come in either order */
	for (int i = 0; i < 2; i++) {
		struct ws_frame frame;

		assert_true(ws_recv(c, &frame));
		if (frame.opcode == WS_TEXT)
			assert_string_equal(frame.data, "{\"type\":\"wave\",\"target\":"
			                                "\"alice\",\"name\":\"alice\"}");
		else
			assert_int_equal(frame.opcode, WS_PONG);
		free(frame.data);
	}
	memset(big, ' ', sizeof(big));
	memcpy(big, "{\"type\":\"wave\"", 14);
	ws_send(c, false, WS_TEXT, big, sizeof(big));
	ws_send(c, true, WS_CONT, "}", 1);
	expect_text(c, "{\"type\":\"wave\"    ");
	client_close(c);
	still_serves(f);
}

static void test_oversize(void **state)
{
	struct fixture *f = *state;
	size_t len = 64 * 1024;
	char *big = calloc(1, len + 1);
	struct client *c;

	memset(big, 'x', len);
	/* in one frame: judged by its header */
	c = sign_in(f, "alice", false);
	client_send(c, "\x81\xff\0\0\0\0\x7f\xff\xff\xff\0\0\0\0x", 15);
	expect_text(c, "{\"type\":\"error\",\"code\":\"too-big\"");
	expect_close(c, 1009);
	client_close(c);
	/* in fragments */
	c = sign_in(f, "alice", true);
	ws_send(c, false, WS_TEXT, big, len);
	ws_send(c, true, WS_CONT, big, 1);
	expect_text(c, "{\"type\":\"error\",\"code\":\"too-big\"");
	expect_close(c, 1009);
	client_close(c);
	free(big);
	still_serves(f);
}

static void test_bad_frames(void **state)
{
	struct fixture *f = *state;
	struct client *c;

	c = sign_in(f, "alice", false);
	ws_send(c, true, WS_BINARY, "\0\1\2", 3);
	expect_text(c, "{\"type\":\"error\",\"code\":\"binary-refused\"");
	expect_close(c, 1003);
	client_close(c);

	c = sign_in(f, "alice", false);
	ws_send(c, true, WS_TEXT, "{\"type\":\"\xff\xfe\"}", 13);
	expect_close(c, 1007);
	client_close(c);

	c = sign_in(f, "alice", false);
	ws_send(c, true, 3, "x", 1); /* a reserved opcode */
	expect_close(c, 1002);
	client_close(c);

	c = sign_in(f, "alice", false);
	ws_send(c, true, WS_CONT, "x", 1); /* of nothing */
	expect_close(c, 1002);
	client_close(c);
	still_serves(f);
}

static void test_bad_messages(void **state)
{
	static const char *const bad[] = {
	    "",
	    "{",
	    "null",
	    "[]",
	    "7",
	    "{}",
	    "{\"type\":null}",
	    "{\"type\":\"message\",\"id\":42}",
	    "{\"type\":\"userlist\",\"users\":[\"x\"]}",
	    "{\"type\":\"id\",\"id\":1}",
	    "{\"type\":\"video-offer\",\"target\":\"nobody\"}",
	};
	struct fixture *f = *state;
	struct client *c = sign_in(f, "alice", true);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ws_say(c, bad[i]);
		expect_text(c, "{\"type\":\"error\",\"code\":");
	}
	ws_say(c, "{\"type\":\"message\",\"text\":\"hi <b>x</b>\",\"name\":\"bob\"}");
	expect_text(c, "{\"type\":\"message\",\"text\":\"hi x\",\"name\":\"alice\"}");
	client_close(c);
	still_serves(f);
}

static void test_close_handshake(void **state)
{
	struct fixture *f = *state;
	struct client *a = sign_in(f, "alice", false), *b = sign_in(f, "bob", false);

	expect_text(a, "{\"type\":\"userlist\"");
	ws_send(b, true, WS_CLOSE, "\x03\xe8", 2);
	expect_close(b, 1000);
	expect_text(a, "{\"type\":\"userlist\",\"users\":[\"alice\"]}");
	client_close(a);
	client_close(b);
	still_serves(f);
}

static void test_ice_servers_over_websocket(void **state)
{
	struct fixture *f = *state;
	struct client *c = client_open(f->base, f->tls_port, true);

	free(ws_upgrade(c, "/ws", "Origin: https://relay.example:6503\r\n"));
	expect_text(c, "{\"type\":\"id\"");
	ws_say(c, "{\"type\":\"username\",\"name\":\"alice\"}");
	expect_text(c, "{\"type\":\"userlist\"");
	ws_say(c, "{\"type\":\"ice-servers\",\"key\":\"k1\"}");
	expect_text(c, "{\"type\":\"ice-servers\",\"iceServers\":[{\"urls\":"
	               "[\"turn:relay.example:3478\"],\"username\":\"99:alice\","
	               "\"credential\":\"secret\"}],\"ttl\":3600}");
	assert_string_equal(f->caller_key, "k1");
	assert_true(f->caller.tls);
	assert_false(f->caller.foreign_origin);
	assert_false(f->caller.forwarded);
	assert_true(addr_is_loopback(&f->caller.peer));
	f->grant_rc = -E_DENIED;
	ws_say(c, "{\"type\":\"ice-servers\"}");
	expect_text(c, "{\"type\":\"error\",\"code\":\"access-key-needed\"");
	client_close(c);

	c = client_open(f->base, f->port, false);
	free(ws_upgrade(c, "/", "Origin: http://evil.example\r\nX-Forwarded-For: 203.0.113.9\r\n"));
	expect_text(c, "{\"type\":\"id\"");
	ws_say(c, "{\"type\":\"ice-servers\"}");
	expect_text(c, "{\"type\":\"error\"");
	assert_true(f->caller.foreign_origin);
	assert_true(f->caller.forwarded);
	assert_false(f->caller.tls);
	client_close(c);
}

static void test_full_house(void **state)
{
	struct fixture *f = *state;
	struct web_conf conf;
	struct client *a, *b;
	char *head;

	default_conf(f, &conf);
	conf.hub.hub.max_peers = 1;
	restart(f, &conf);
	a = sign_in(f, "alice", false);
	b = client_open(f->base, f->port, false);
	head = ws_upgrade(b, "/", "");
	assert_non_null(strstr(head, "HTTP/1.1 503 "));
	free(head);
	client_close(b);
	client_close(a);
	client_pump(f->base, 50);
	a = sign_in(f, "alice", false);
	client_close(a);
}

static void test_silent_client_is_pinged_and_dropped(void **state)
{
	struct fixture *f = *state;
	struct web_conf conf;
	struct client *a;
	struct ws_frame frame;

	default_conf(f, &conf);
	conf.hub.ping_s = 1;
	conf.hub.ping_grace_s = 1;
	restart(f, &conf);
	a = sign_in(f, "alice", true);
	assert_true(ws_recv(a, &frame));
	assert_int_equal(frame.opcode, WS_PING);
	ws_send(a, true, WS_PONG, frame.data, frame.len);
	free(frame.data);
	assert_true(ws_recv(a, &frame)); /* the pong kept it; now we say nothing */
	assert_int_equal(frame.opcode, WS_PING);
	free(frame.data);
	while (client_more(a, 4000))
		;
	assert_true(a->eof);
	client_close(a);
	assert_int_equal(web_peer_count(f->web), 0);
	still_serves(f);
}

static void test_slow_client_does_not_hurt_the_others(void **state)
{
	struct fixture *f = *state;
	struct web_conf conf;
	struct client *slow, *fast, *sender;
	char text[9000], line[64];

	default_conf(f, &conf);
	conf.hub.stall_ms = 300;
	conf.hub.hub.rate_burst = 0;
	restart(f, &conf);
	slow = sign_in(f, "slow", true);
	fast = sign_in(f, "fast", true);
	sender = sign_in(f, "sender", false);
	setsockopt(slow->fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
	expect_text(fast, "{\"type\":\"userlist\"");
	memset(text, 'x', sizeof(text));
	/* Broadcasts until the slow one's queue stands still; the fast one hears every one. */
	for (unsigned i = 0; i < 3000 && web_peer_count(f->web) == 3; i++) {
		int n = snprintf(text, sizeof(text), "{\"type\":\"b\",\"n\":%u,\"x\":\"", i);

		text[n] = 'x';
		memcpy(text + sizeof(text) - 3, "\"}", 3);
		ws_say(sender, text);
		snprintf(line, sizeof(line), "{\"type\":\"b\",\"n\":%u,", i);
		expect_text(fast, line);
		expect_text(sender, line);
	}
	for (int i = 0; i < 80 && web_peer_count(f->web) == 3; i++)
		client_pump(f->base, 100);
	assert_int_equal(web_peer_count(f->web), 2);
	expect_text(fast, "{\"type\":\"userlist\",\"users\":[\"fast\",\"sender\"]}");
	client_close(slow);
	client_close(fast);
	client_close(sender);
	still_serves(f);
}

static void test_many_joins_do_not_overflow_queues(void **state)
{
	struct fixture *f = *state;
	struct client *c[150], *first;
	struct ws_frame frame;
	char text[100], *last = NULL;

	first = sign_in(f, "first", false); /* reads nothing while the others come */
	for (int i = 0; i < 150; i++) {
		c[i] = open_ws(f, i & 1);
		snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"member-%d\"}", i);
		ws_say(c[i], text);
	}
	client_pump(f->base, 300);
	assert_int_equal(web_peer_count(f->web), 151);
	ws_say(first, "{\"type\":\"end\",\"target\":\"first\"}");
	for (;;) {
		assert_true(ws_recv(first, &frame));
		if (strstr(frame.data, "\"end\""))
			break;
		free(last);
		last = frame.data;
	}
	free(frame.data);
	assert_non_null(strstr(last, "\"member-149\"]}")); /* the latest list arrived */
	free(last);
	for (int i = 0; i < 150; i++)
		client_close(c[i]);
	client_close(first);
	still_serves(f);
}

static void test_health_and_page(void **state)
{
	struct fixture *f = *state;
	char *response;

	expect_status(f, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200,
	              "Content-Type: application/json\r\n");
	expect_status(f, "GET /healthz HTTP/1.0\r\n\r\n", 200, "{\"status\":\"ok\"}");
	expect_status(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200,
	              "Content-Type: text/html; charset=utf-8\r\n");
	expect_status(f, "GET /app.js HTTP/1.1\r\nHost: x\r\n\r\n", 200,
	              "Content-Type: text/javascript");
	expect_status(f, "GET /turnpike.js HTTP/1.1\r\nHost: x\r\n\r\n", 200,
	              "X-Content-Type-Options: nosniff\r\n");
	expect_status(f, "GET /style.css HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/css");
	expect_status(f, "GET /icon.svg HTTP/1.1\r\nHost: x\r\n\r\n", 200, "image/svg+xml");
	expect_status(f, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "\"code\":\"not-found\"");
	expect_status(f, "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404, NULL);
	expect_status(f, "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 426, "Upgrade: websocket\r\n");

	response = get(f, true, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_non_null(strstr(response, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(response, "frame-ancestors 'none'"));
	assert_non_null(strstr(response, "Referrer-Policy: no-referrer"));
	assert_null(strstr(response, "unsafe-inline"));
	assert_non_null(strstr(response, "</html>"));
	assert_null(strstr(response, "<script>"));
	assert_null(strstr(response, "style=\""));
	free(response);

	response = get(f, true, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_non_null(strstr(response, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(response, "Content-Length: "));
	assert_null(strstr(response, "Content-Length: 0"));
	assert_string_equal(strstr(response, "\r\n\r\n"), "\r\n\r\n");
	free(response);
}

static void test_turn_credentials(void **state)
{
	struct fixture *f = *state;

	expect_status(f,
	              "GET /turn?service=turn&username=al%26ice+x&key=k%3D1 HTTP/1.1\r\n"
	              "Host: turn.example:8443\r\n\r\n",
	              200,
	              "{\"username\":\"99:al&ice x\",\"password\":\"secret\",\"ttl\":3600,"
	              "\"uris\":[\"turn:turn.example:3478\"]}");
	assert_string_equal(f->caller_key, "k=1");
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n", 200,
	              "Cache-Control: no-store\r\n");
	assert_string_equal(f->caller_key, "(none)");
	assert_string_equal(f->host, "2001:db8::1");
	expect_status(
	    f,
	    "POST /turn HTTP/1.1\r\nHost: h\r\nAuthorization: bearer  tok\r\n"
	    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 41\r\n\r\n"
	    "service=turn&username=bob%40x&ttl=600&k=1",
	    200, "\"ttl\":600");
	assert_string_equal(f->caller_key, "tok");
	assert_string_equal(f->name, "bob@x");
	expect_status(f, "POST /turn?username=c&api=a HTTP/1.1\r\nHost: h\r\n\r\n", 200, "99:c");
	assert_string_equal(f->caller_key, "a");

	expect_status(f, "GET /turn?service=stun HTTP/1.1\r\nHost: h\r\n\r\n", 400, "bad-request");
	expect_status(f, "GET /turn?ttl=-1 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "bad-request");
	expect_status(f, "GET /turn?ttl=99999999999999999999 HTTP/1.1\r\nHost: h\r\n\r\n", 400,
	              NULL);
	expect_status(f, "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\nusername=%zz",
	              400, "bad-request");
	expect_status(f, "PUT /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 405,
	              "Allow: GET, HEAD, POST\r\n");
	expect_status(f, "OPTIONS /turn HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\n\r\n", 405,
	              "Allow: GET, HEAD, POST\r\n");
	f->grant_rc = -E_DENIED;
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: h\r\n\r\n", 401, "WWW-Authenticate: Bearer");
	f->grant_rc = -E_LIMIT;
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: h\r\n\r\n", 429, "rate-limited");
	f->grant_rc = -E_INVAL;
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: h\r\n\r\n", 400, "bad-request");
	f->grant_rc = -E_CORRUPT;
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: h\r\n\r\n", 500, "stored data is damaged");
	f->grant_rc = 0;
	/* a Host that is no host is not put into URIs */
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: a\"b<c>\r\n\r\n", 200, "turn:127.0.0.1:3478");
	expect_status(f, "GET /turn HTTP/1.1\r\n\r\n", 200, "turn:127.0.0.1:3478");
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: h\r\nForwarded: for=192.0.2.1\r\n\r\n", 200,
	              NULL);
	assert_true(f->caller.forwarded);
}

static void test_ice_servers_api(void **state)
{
	struct fixture *f = *state;

	expect_status(f,
	              "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n"
	              "Content-Length: 12\r\n\r\n{\"ttl\":86400",
	              400, "bad-json"); /* one byte is missing: the length lies */
	expect_status(f,
	              "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n"
	              "Content-Length: 13\r\n\r\n{\"ttl\":86400}",
	              201, "{\"iceServers\":[{\"urls\":[\"turn:h:3478\"]");
	assert_int_equal(f->ttl_s, 86400);
	assert_string_equal(f->caller_key, "t");
	expect_status(f, "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n\r\n", 201, "no-store");
	assert_int_equal(f->ttl_s, 0);
	expect_status(f,
	              "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"
	              "{\"ttl\":0}",
	              400, "bad-request");
	expect_status(f,
	              "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n"
	              "{\"ttl\":\"1\"}",
	              400, "bad-request");
	expect_status(
	    f, "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nnull", 400,
	    "bad-json");
	expect_status(f, "GET /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n\r\n", 405,
	              "Allow: POST\r\n");
	f->grant_rc = -E_DENIED;
	expect_status(f, "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n\r\n", 401,
	              "unauthorized");
}

static void test_lying_lengths(void **state)
{
	static const char *const lies[] = {"-1", "1x", "99999999999999999999999", "0x10", "1, 2"};
	struct fixture *f = *state;
	struct client *c;
	char text[200], *big;

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		snprintf(text, sizeof(text),
		         "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: %s\r\n\r\n", lies[i]);
		expect_status(f, text, 400, NULL);
	}
	expect_status(f,
	              "POST /turn HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	              "5\r\nhello\r\n0\r\n\r\n",
	              411, "length-required");
	/* more than is announced: the rest is not a second request */
	expect_status(f,
	              "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nxGET /healthz "
	              "HTTP/1.1\r\nHost: h\r\n\r\n",
	              200, "\"uris\"");
	/* too much: the client can read why, and then it is closed */
	big = calloc(1, 70000);
	snprintf(big, 200, "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n");
	memset(big + strlen(big), 'x', 60000);
	expect_status(f, big, 413, "too-big");
	free(big);
	c = client_open(f->base, f->port, false);
	client_send(c, "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 17000\r\n\r\n", 56);
	while (!strstr((char *)c->in, "too-big"))
		assert_true(client_more(c, CLIENT_WAIT_MS));
	client_close(c); /* in the middle */
	still_serves(f);
}

static void test_unfinished_requests_time_out(void **state)
{
	static const char *const begun[] = {
	    "", "GET / HT", "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"};
	struct fixture *f = *state;
	struct web_conf conf;
	struct client *c[3];

	default_conf(f, &conf);
	conf.request_timeout_s = 1;
	restart(f, &conf);
	for (int i = 0; i < 3; i++) {
		c[i] = client_open(f->base, f->port, false);
		client_send(c[i], begun[i], strlen(begun[i]));
	}
	for (int i = 0; i < 3; i++) {
		while (client_more(c[i], 7000))
			;
		assert_true(c[i]->eof);
		client_close(c[i]);
	}
	still_serves(f);
}

static void test_garbage(void **state)
{
	static const char *const garbage[] = {
	    "\x16\x03\x01 not really TLS\r\n\r\n",
	    "FOO / HTTP/1.1\r\n\r\n",
	    "GET http://elsewhere/ HTTP/1.1\r\nHost: h\r\n\r\n",
	    "CONNECT example.com:443 HTTP/1.1\r\nHost: h\r\n\r\n",
	    "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
	    "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: :\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"
	    "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n",
	    "POST / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
	    "Sec-WebSocket-Key: x\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
	    "Sec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: soap\r\n\r\n",
	    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	    "\r\n\r\n\r\n\r\n",
	};
	struct fixture *f = *state;
	unsigned seed = 1;
	char noise[4096];

	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
		for (int tls = 0; tls < 2; tls++) {
			struct client *c = client_open(f->base, tls ? f->tls_port : f->port, tls);

			client_send(c, garbage[i], strlen(garbage[i]));
			while (client_more(c, 100))
				;
			client_close(c);
		}
	}
	for (int i = 0; i < 40; i++) {
		struct client *c = client_open(f->base, i & 1 ? f->tls_port : f->port, false);

		for (size_t j = 0; j < sizeof(noise); j++)
			noise[j] = (char)rand_r(&seed);
		client_send(c, noise, sizeof(noise));
		client_more(c, 20);
		client_close(c);
	}
	/* a header without end */
	for (int i = 0; i < 2; i++) {
		struct client *c = client_open(f->base, f->port, false);

		client_send(c, "GET / HTTP/1.1\r\nHost: ", 22);
		memset(noise, 'a', sizeof(noise));
		for (int j = 0; j < 100 && client_send(c, noise, sizeof(noise)); j++)
			client_pump(f->base, 1);
		while (client_more(c, 1000))
			;
		assert_true(c->eof);
		client_close(c);
	}
	still_serves(f);
}

static void test_noise_after_the_upgrade(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 7;
	char noise[2000];

	for (int i = 0; i < 60; i++) {
		struct client *c = open_ws(f, i & 1);
		size_t len = (size_t)rand_r(&seed) % sizeof(noise);

		for (size_t j = 0; j < len; j++)
			noise[j] = (char)rand_r(&seed);
		client_send(c, noise, len);
		client_pump(f->base, 2);
		client_close(c);
	}
	client_pump(f->base, 50);
	still_serves(f);
}

static void test_goodbye(void **state)
{
	struct fixture *f = *state;
	struct client *a = sign_in(f, "alice", false), *b = sign_in(f, "bob", true);

	expect_text(a, "{\"type\":\"userlist\"");
	web_stop(f->web);
	f->web = NULL;
	expect_close(a, 1001);
	expect_close(b, 1001);
	client_close(a);
	client_close(b);
}

static char *common_name(struct fixture *f)
{
	struct client *c = client_open(f->base, f->tls_port, true);
	X509 *x = SSL_get1_peer_certificate(c->ssl);
	char text[64] = "";

	X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, text, sizeof(text));
	X509_free(x);
	client_close(c);
	return strdup(text);
}

static void test_certificate_reload(void **state)
{
	struct fixture *f = *state;
	struct client *old = sign_in(f, "alice", true);
	struct why why;
	char *cn = common_name(f);
	FILE *file;

	assert_string_equal(cn, "first");
	free(cn);
	make_cert(f->cert, f->key, "second");
	assert_int_equal(web_reload_cert(f->web, &why), 0);
	cn = common_name(f);
	assert_string_equal(cn, "second");
	free(cn);
	/* a broken file does no harm */
	file = fopen(f->key, "w");
	fputs("nonsense\n", file);
	fclose(file);
	assert_int_equal(web_reload_cert(f->web, &why), -E_INVAL);
	assert_non_null(strstr(why.text, f->key));
	cn = common_name(f);
	assert_string_equal(cn, "second");
	free(cn);
	ws_say(old, "{\"type\":\"wave\",\"target\":\"alice\"}");
	expect_text(old, "{\"type\":\"wave\"");
	client_close(old);
}

static void test_start_without_tls_or_with_bad_files(void **state)
{
	static const struct web_ops ops = {.grant = on_grant};
	struct fixture *f = *state;
	struct web_conf conf;
	struct why why;
	struct web *w = NULL;
	int fd;

	web_stop(f->web);
	f->web = NULL;
	web_conf_default(&conf);
	conf.cert_path = f->cert;
	assert_int_equal(web_start(f->base, &conf, &ops, f, &w, &why), -E_INVAL);
	conf.key_path = "/nonexistent/key.pem";
	assert_int_equal(web_start(f->base, &conf, &ops, f, &w, &why), -E_INVAL);
	assert_non_null(strstr(why.text, "/nonexistent/key.pem"));
	assert_null(w);
	conf.cert_path = conf.key_path = NULL;
	start(f, &conf);
	assert_int_equal(web_reload_cert(f->web, &why), -E_UNSUPPORTED);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(web_adopt(f->web, fd, true), -E_UNSUPPORTED);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	expect_status(f, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, "ok");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_upgrade),
	    T(test_call_between_plain_and_tls),
	    T(test_fragments),
	    T(test_oversize),
	    T(test_bad_frames),
	    T(test_bad_messages),
	    T(test_close_handshake),
	    T(test_ice_servers_over_websocket),
	    T(test_full_house),
	    T(test_silent_client_is_pinged_and_dropped),
	    T(test_slow_client_does_not_hurt_the_others),
	    T(test_many_joins_do_not_overflow_queues),
	    T(test_health_and_page),
	    T(test_turn_credentials),
	    T(test_ice_servers_api),
	    T(test_lying_lengths),
	    T(test_unfinished_requests_time_out),
	    T(test_garbage),
	    T(test_noise_after_the_upgrade),
	    T(test_goodbye),
	    T(test_certificate_reload),
	    T(test_start_without_tls_or_with_bad_files),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
