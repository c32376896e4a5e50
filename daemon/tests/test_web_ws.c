/* SPDX-License-Identifier: BSD-3-Clause
 *
 * WebSockets over real sockets, with and without TLS, and clients that do
 * everything wrong on them.
 */
#include "base/clock.h"
#include "daemon/tests/web_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static void test_upgrade(void **state)
{
	struct fixture *f = *state;
	struct web_client *c;
	char *head;

	for (int tls = 0; tls < 2; tls++) {
		c = client_open(f->base, tls ? f->tls_port : f->port);
		head = ws_upgrade(c, tls ? "/ws" : "/", "Sec-WebSocket-Protocol: json\r\n");
		assert_non_null(strstr(head, "HTTP/1.1 101 "));
		/* RFC 6455 section 1.3's example */
		assert_non_null(strstr(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
		assert_non_null(strstr(head, "Sec-WebSocket-Protocol: json\r\n"));
		assert_null(strstr(head, "Extensions"));
		free(head);
		expect_text(c, "{\"type\":\"id\",\"id\":");
		client_close(c);

		c = client_open(f->base, tls ? f->tls_port : f->port);
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
	struct web_client *a = sign_in(f, "alice", false), *b = sign_in(f, "bob", true);
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
	expect_text(
	    b, "{\"name\":\"alice\",\"target\":\"bob\",\"type\":\"hang-up\",\"reason\":\"gone\"}");
	expect_text(b, "{\"type\":\"userlist\",\"users\":[\"bob\"]}");
	client_close(b);
	free(offer);
	free(heard);
	still_serves(f);
	assert_int_equal(web_member_count(f->web), 0);
	assert_int_equal(web_call_count(f->web), 0);
}

static void test_fragments(void **state)
{
	struct fixture *f = *state;
	struct web_client *c = sign_in(f, "alice", true);
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
	struct web_client *c;

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
	struct web_client *c;

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
	struct web_client *c = sign_in(f, "alice", true);

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
	struct web_client *a = sign_in(f, "alice", false), *b = sign_in(f, "bob", false);

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
	struct web_client *c = client_open(f->base, f->tls_port);

	free(ws_upgrade(c, "/ws", "Origin: https://relay.example:6503\r\n"));
	expect_text(c, "{\"type\":\"id\"");
	ws_say(c, "{\"type\":\"username\",\"name\":\"alice\"}");
	expect_text(c, "{\"type\":\"userlist\"");
	ws_say(c, "{\"type\":\"ice-servers\",\"key\":\"k1\"}");
	expect_text(c, "{\"type\":\"ice-servers\",\"iceServers\":[{\"urls\":"
	               "[\"turn:relay.example:3478\"],\"username\":\"99:alice\","
	               "\"credential\":\"secret\"}],\"ttl\":3600,\"strict\":true}");
	assert_string_equal(f->api_token, "k1");
	assert_true(f->caller.own);
	assert_int_equal(f->caller.page, CALLER_PAGE_OWN);
	assert_true(addr_is_loopback(&f->caller.client));
	f->grant_err = -E_DENIED;
	ws_say(c, "{\"type\":\"ice-servers\"}");
	expect_text(c, "{\"type\":\"error\",\"code\":\"api-token-needed\"");
	client_close(c);
}

#define N(array) (sizeof(array) / sizeof(*(array)))

/* Which pages may come in, and as what. */
static void test_pages(void **state)
{
	static const struct {
		const char *host, *origin; /* NULL: not sent */
		int status;
		enum caller_page page;
	} cases[] = {
	    /* no browser */
	    {"relay.example:6503", NULL, 101, CALLER_PAGE_NONE},
	    {"whatever.example", NULL, 101, CALLER_PAGE_NONE},
	    /* our own, by what the operator calls us, by address, on the same machine */
	    {"relay.example:6503", "http://relay.example:6503", 101, CALLER_PAGE_OWN},
	    {"Relay.Example.:6503", "http://relay.example:6503", 101, CALLER_PAGE_OWN},
	    {"relay.example", "https://relay.example", 101, CALLER_PAGE_OWN},
	    {"relay.example:443", "https://relay.example", 101, CALLER_PAGE_OWN},
	    {"192.0.2.7:8080", "http://192.0.2.7:8080", 101, CALLER_PAGE_OWN},
	    {"[2001:db8::7]:8080", "http://[2001:db8::7]:8080", 101, CALLER_PAGE_OWN},
	    {"localhost:8080", "http://localhost:8080", 101, CALLER_PAGE_OWN},
	    {"first.example", "https://first.example", 101, CALLER_PAGE_OWN},
	    /* MDN's client: served by a neighbour on the same host; and by a proxy's name for us */
	    {"relay.example:6503", "https://relay.example", 101, CALLER_PAGE_SIBLING},
	    {"localhost:6503", "http://localhost:3000", 101, CALLER_PAGE_SIBLING},
	    {"127.0.0.1:8080", "https://relay.example", 101, CALLER_PAGE_SIBLING},
	    /* named by the operator */
	    {"relay.example", "https://app.example", 101, CALLER_PAGE_NAMED},
	    {"app.example", "https://app.example", 101, CALLER_PAGE_OWN}, /* through a proxy */
	    /* anybody's: of another site, and by a name that was made to lead here */
	    {"relay.example", "https://evil.example", 403, 0},
	    {"rebound.example:8080", "http://rebound.example:8080", 403, 0},
	    {"relay.example", "https://relay.example.evil.example", 403, 0},
	    {"relay.example", "http://app.example", 403, 0},
	    {"relay.example", "https://app.example:444", 403, 0},
	    {"localhost:8080", "http://127.0.0.1:8080", 403, 0},
	    {"192.0.2.7", "http://localhost:3000", 403, 0},
	    {"relay.example", "null", 403, 0},
	    {"relay.example", "file://", 403, 0},
	    {"relay.example", "https://relay.example@evil.example", 403, 0},
	    {"relay.example", "https://", 403, 0},
	    /* no host names */
	    {"a!b.evil.example", NULL, 400, 0},
	    {"user@evil.example", NULL, 400, 0},
	    {"relay.example:", NULL, 400, 0},
	    {"relay.example:70000", NULL, 400, 0},
	    {"relay.example:80:80", NULL, 400, 0},
	    {"[::1", NULL, 400, 0},
	    {"[relay.example]", NULL, 400, 0},
	    {"2001:db8::7", NULL, 400, 0},
	    {"relay.example, evil.example", NULL, 400, 0},
	    {"%6cocalhost", NULL, 400, 0},
	    {"127.1", NULL, 400, 0},
	    {"0x7f000001", NULL, 101, CALLER_PAGE_NONE}, /* a name, of whomever */
	};
	/* The rule is of the server, whatever the path says. */
	static const struct {
		const char *path;
		const char *hello, *answer; /* of a dialect, to a ping; NULL: it is none */
	} paths[] = {{"/ws", NULL, NULL},
	             {"/ws/room-1", NULL, NULL},
	             {"/peerjs?key=k&id=i&token=t", "{\"type\":\"OPEN\"}", "{\"type\":\"error\""},
	             {"/topics", NULL, "{\"type\":\"pong\"}"},
	             {"/", NULL, NULL}};
	struct fixture *f = *state;
	char extra[700], wanted[16];

	f->grant_err = -E_DENIED;
	for (size_t k = 0; k < N(cases) * N(paths); k++) {
		const size_t i = k / N(paths);
		struct web_client *c = client_open(f->base, f->port);
		char *head;

		snprintf(extra, sizeof(extra), "Host: %s\r\n%s%s%s", cases[i].host,
		         cases[i].origin ? "Origin: " : "", cases[i].origin ? cases[i].origin : "",
		         cases[i].origin ? "\r\n" : "");
		head = ws_upgrade(c, paths[k % N(paths)].path, extra);
		snprintf(wanted, sizeof(wanted), "HTTP/1.1 %d ", cases[i].status);
		if (strncmp(head, wanted, strlen(wanted)) != 0)
			fail_msg("%swanted %d, got %s", extra, cases[i].status, head);
		free(head);
		if (cases[i].status == 101 && paths[k % N(paths)].answer) {
			if (paths[k % N(paths)].hello)
				expect_text(c, paths[k % N(paths)].hello);
			ws_say(c, "{\"type\":\"ping\"}");
			expect_text(c, paths[k % N(paths)].answer);
		} else if (cases[i].status == 101) {
			expect_text(c, "{\"type\":\"id\"");
			ws_say(c, "{\"type\":\"ice-servers\"}");
			expect_text(c, "{\"type\":\"error\"");
			if (f->caller.page != cases[i].page)
				fail_msg("%sis page %d", extra, (int)f->caller.page);
		}
		client_close(c);
	}
	memset(extra, 'a', sizeof(extra));
	memcpy(extra, "Host: ", 6);
	for (size_t i = 50; i < 300; i += 50)
		extra[i] = '.';
	memcpy(extra + 306, "\r\n", 3);
	{
		struct web_client *c = client_open(f->base, f->port);
		char *head = ws_upgrade(c, "/ws", extra);

		assert_int_equal(strncmp(head, "HTTP/1.1 400 ", 13), 0);
		free(head);
		client_close(c);
	}
	still_serves(f);
}

/* cors_origin = *: a neighbour on our own host may do no less than a page of anybody else's. */
static void test_any_page(void **state)
{
	static const char *const origins[] = {"https://evil.example", "https://relay.example",
	                                      "null"};
	struct fixture *f = *state;
	char extra[128];

	f->any_page = true;
	f->grant_err = -E_DENIED;
	for (size_t i = 0; i < sizeof(origins) / sizeof(*origins); i++) {
		struct web_client *c = client_open(f->base, f->port);

		snprintf(extra, sizeof(extra), "Host: relay.example:6503\r\nOrigin: %s\r\n",
		         origins[i]);
		free(ws_upgrade(c, "/ws", extra));
		expect_text(c, "{\"type\":\"id\"");
		ws_say(c, "{\"type\":\"ice-servers\"}");
		expect_text(c, "{\"type\":\"error\"");
		if (f->caller.page != CALLER_PAGE_ANY)
			fail_msg("%s is page %d", origins[i], (int)f->caller.page);
		client_close(c);
	}
}

static void test_full_house(void **state)
{
	struct fixture *f = *state;
	struct web_conf conf;
	struct web_client *a, *b;
	char *head;

	default_conf(f, &conf);
	conf.hub.hub.max_connections = 1;
	restart(f, &conf);
	a = sign_in(f, "alice", false);
	b = client_open(f->base, f->port);
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
	struct web_client *a;
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
	while (client_more(a, CLIENT_WAIT_MS))
		;
	assert_true(a->eof);
	client_close(a);
	assert_int_equal(web_member_count(f->web), 0);
	still_serves(f);
}

static const char without_slow[] = "{\"type\":\"userlist\",\"users\":[\"fast\",\"sender\"]}";

/* The broadcast, or (true) the news that the slow one is gone, which may come in between. */
static bool expect_line_or_leaving(struct web_client *c, const char *line)
{
	static const char busy[] = "{\"type\":\"error\",\"code\":\"target-busy\"";
	struct ws_frame frame = {0};
	bool left;

	assert_true(ws_recv(c, &frame));
	while (!strncmp(frame.data, busy, sizeof(busy) - 1)) { /* not all could have it */
		free(frame.data);
		assert_true(ws_recv(c, &frame));
	}
	left = !strcmp(frame.data, without_slow);
	assert_true(left || !strncmp(frame.data, line, strlen(line)));
	free(frame.data);
	return left;
}

static void test_slow_client_does_not_hurt_the_others(void **state)
{
	struct fixture *f = *state;
	struct web_conf conf;
	struct web_client *slow, *fast, *sender;
	char text[9000], line[64];
	int64_t until_ms = clock_mono_ms() + CLIENT_WAIT_MS;
	bool told = false;

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
	for (unsigned i = 0; clock_mono_ms() < until_ms && !told && web_member_count(f->web) == 3;
	     i++) {
		int n = snprintf(text, sizeof(text), "{\"type\":\"b\",\"n\":%u,\"x\":\"", i);

		text[n] = 'x';
		memcpy(text + sizeof(text) - 3, "\"}", 3);
		ws_say(sender, text);
		snprintf(line, sizeof(line), "{\"type\":\"b\",\"n\":%u,", i);
		told = expect_line_or_leaving(fast, line);
		if (expect_line_or_leaving(sender, line) && !told) {
			expect_text(fast, without_slow);
			told = true;
		}
	}
	for (int i = 0; i < 80 && web_member_count(f->web) == 3; i++)
		client_pump(f->base, 100);
	assert_int_equal(web_member_count(f->web), 2);
	if (!told)
		expect_text(fast, without_slow);
	client_close(slow);
	client_close(fast);
	client_close(sender);
	still_serves(f);
}

static void test_many_joins_do_not_overflow_queues(void **state)
{
	struct fixture *f = *state;
	struct web_client *c[150], *first;
	struct ws_frame frame;
	char text[100], *last = NULL;

	first = sign_in(f, "first", false); /* reads nothing while the others come */
	for (int i = 0; i < 150; i++) {
		c[i] = open_ws(f, i & 1);
		snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"member-%d\"}", i);
		ws_say(c[i], text);
	}
	client_pump(f->base, 300);
	assert_int_equal(web_member_count(f->web), 151);
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

/* What a connection has taken and not sent when it dies, its sender hears of. */
static void test_unsent_frames_are_refused(void **state)
{
	struct fixture *f = *state;
	struct web_client *alice, *bob;
	struct web_conf conf;
	struct ws_frame frame;
	const char *head = "{\"type\":\"b\",\"target\":\"bob\",\"x\":\"";
	char text[9000];
	bool busy = false;

	default_conf(f, &conf);
	conf.hub.hub.rate_burst = 0;
	restart(f, &conf);
	alice = sign_in(f, "alice", false);
	bob = sign_in(f, "bob", false);
	setsockopt(bob->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
	           sizeof(struct linger));
	memset(text, 'x', sizeof(text));
	memcpy(text, head, strlen(head));
	memcpy(text + sizeof(text) - 3, "\"}", 3);
	for (int i = 0; i < 3000 && !busy; i++) {
		ws_say(alice, text);
		client_more(alice, 0);
		busy = memmem(alice->in, alice->in_len, "\"target-busy\"", 13);
	}
	assert_true(busy);
	client_close(bob);
	for (busy = true; busy;) {
		assert_true(ws_recv(alice, &frame));
		busy = !strstr(frame.data, "\"target-gone\"");
		free(frame.data);
	}
	client_close(alice);
	still_serves(f);
}

static void test_noise_after_the_upgrade(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 7;
	char noise[2000];

	for (int i = 0; i < 60; i++) {
		struct web_client *c = open_ws(f, i & 1);
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
	struct web_client *a = sign_in(f, "alice", false), *b = sign_in(f, "bob", true);

	expect_text(a, "{\"type\":\"userlist\"");
	web_stop(f->web);
	f->web = NULL;
	expect_close(a, 1001);
	expect_close(b, 1001);
	client_close(a);
	client_close(b);
}

static bool is_ann(void *ctx, const char *name)
{
	(void)ctx;
	return !strcmp(name, "ann");
}

static void test_told_of_a_revocation(void **state)
{
	struct fixture *f = *state;
	struct web_client *ann = sign_in(f, "ann", false), *bob = sign_in(f, "bob", true);

	expect_text(ann, "{\"type\":\"userlist\"");
	assert_int_equal(web_tell_revoked(f->web, is_ann, NULL), 1);
	expect_text(ann, "{\"type\":\"error\",\"code\":\"credentials-revoked\"");
	/* and bob hears nothing of it */
	ws_say(ann, "{\"type\":\"wave\",\"target\":\"bob\"}");
	expect_text(bob, "{\"type\":\"wave\"");
	client_close(ann);
	client_close(bob);
}

/* A broken opening of a WebSocket gets an answer that says why. */
static void test_bad_openings(void **state)
{
	static const struct {
		const char *lines;
		int status;
		const char *part;
	} t[] = {
	    {"Host: h\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: "
	     "AAAAAAAAAAAAAAAAAAAAAA==\r\n",
	     426, "\r\nSec-WebSocket-Version: 13\r\n"},
	    {"Host: h\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", 426, "\"version\""},
	    {"Host: h\r\nSec-WebSocket-Version: 13\r\n", 400, "Sec-WebSocket-Key"},
	    {"Host: h\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n", 400, "base64"},
	    {"Host: h\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
	     "AAAAAAAAAAAAAAAAAAAAAAAA\r\n",
	     400, "base64"},
	    {"Host: h\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
	     "AAAAAAAAAAAAAAAAAAAA!A==\r\n",
	     400, "base64"},
	    {"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", 400,
	     "Host"},
	};
	struct fixture *f = *state;
	char text[400];

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		snprintf(text, sizeof(text),
		         "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%s\r\n",
		         t[i].lines);
		expect_status(f, text, t[i].status, t[i].part);
	}
}

static void test_close_of_one_byte(void **state)
{
	struct fixture *f = *state;
	struct web_client *c = sign_in(f, "ann", false);

	ws_send(c, true, WS_CLOSE, "\x03", 1);
	expect_close(c, 1002);
	client_close(c);
	still_serves(f);
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
	    T(test_pages),
	    T(test_any_page),
	    T(test_told_of_a_revocation),
	    T(test_bad_openings),
	    T(test_close_of_one_byte),
	    T(test_full_house),
	    T(test_silent_client_is_pinged_and_dropped),
	    T(test_slow_client_does_not_hurt_the_others),
	    T(test_many_joins_do_not_overflow_queues),
	    T(test_unsent_frames_are_refused),
	    T(test_noise_after_the_upgrade),
	    T(test_goodbye),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
