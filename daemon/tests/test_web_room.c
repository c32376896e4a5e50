/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The room, the ticket and the dialect of a WebSocket's opening handshake, over real sockets.
 */
#include "base/log.h"
#include "daemon/tests/web_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The first frame after "username" has this in it. */
static void expect_in(struct fixture *f, bool tls, const char *path, const char *headers,
                      const char *part)
{
	struct web_client *c = client_open(f->base, tls ? f->tls_port : f->port);
	struct ws_frame frame;
	char *head = ws_upgrade(c, path, headers);

	if (!strstr(head, "HTTP/1.1 101 "))
		fail_msg("%s: %s", path, head);
	free(head);
	expect_text(c, "{\"type\":\"id\",\"id\":");
	ws_say(c, "{\"type\":\"username\",\"name\":\"alice\",\"presence\":\"delta\"}");
	assert_true(ws_recv(c, &frame));
	if (!strstr(frame.data, part))
		fail_msg("%s: %s, without %s", path, frame.data, part);
	free(frame.data);
	client_close(c);
}

static void test_rooms(void **state)
{
	static const struct {
		const char *path, *room;
	} good[] = {
	    {"/", "default"},
	    {"/any/path", "default"},
	    {"/ws", "default"},
	    {"/ws/", "default"},
	    {"/ws/team", "team"},
	    {"/ws/A.z_~-9", "A.z_~-9"},
	    {"/ws/te%61m", "team"},
	    {"/ws?room=team", "team"},
	    {"/ws?x=1&room=te%61m&y", "team"},
	    {"/?room=team", "team"},
	    {"/ws/team?room=team", "team"},
	    {"/ws?room=", "default"},
	    {"/wsteam", "default"},
	};
	struct fixture *f = *state;
	char part[80];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		snprintf(part, sizeof(part), "\"room\":\"%s\"", good[i].room);
		expect_in(f, i % 2, good[i].path, "", part);
	}
	still_serves(f);
}

static void expect_refused(struct fixture *f, const char *path, const char *headers)
{
	struct web_client *c = client_open(f->base, f->port);
	char *head = ws_upgrade(c, path, headers);

	if (!strstr(head, "HTTP/1.1 400 "))
		fail_msg("%s: %s", path, head);
	while (!strstr((char *)c->in, "\"bad-room\"") && client_more(c, 3000))
		;
	assert_non_null(strstr((char *)c->in, "\"bad-room\""));
	free(head);
	client_close(c);
}

static void test_bad_rooms(void **state)
{
	static const char *const bad[] = {
	    "/ws/a/b",
	    "/ws/a%20b",
	    "/ws/%c3%a9",
	    "/ws?room=a%2fb",
	    "/ws/team?room=other",
	    "/ws?room=team&room=other",
	    "/ws/0123456789012345678901234567890123456789012345678901234567890123x",
	    "/ws?room=0123456789012345678901234567890123456789012345678901234567890123x",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect_refused(f, bad[i], "");
	still_serves(f);
}

/* This server takes no tickets, and so says which one it has seen. An API token is none. */
static void test_tickets(void **state)
{
	struct fixture *f = *state;
	char path[5000] = "/ws?ticket=", request[6000];
	struct web_client *c;

	expect_in(f, false, "/ws?ticket=eyJx.y.z", "", "\"bad-ticket\"");
	expect_in(f, true, "/ws", "Authorization: Bearer eyJx.y.z\r\n", "\"bad-ticket\"");
	expect_in(f, false, "/ws/team", "authorization: bearer eyJx.y.z\r\n", "\"bad-ticket\"");
	expect_in(f, false, "/ws", "Authorization: Bearer tp_x\r\n", "\"signed-in\"");
	expect_in(f, false, "/ws", "Authorization: Basic eyJx\r\n", "\"signed-in\"");
	memset(path + strlen(path), 'x', 4097);
	snprintf(request, sizeof(request),
	         "GET %s HTTP/1.1\r\nHost: relay.example:6503\r\nConnection: Upgrade\r\n"
	         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	         path);
	c = client_open(f->base, f->port);
	client_send(c, request, strlen(request));
	while (!strstr((char *)c->in, "too long") && client_more(c, 3000))
		;
	assert_non_null(strstr((char *)c->in, "HTTP/1.1 400 "));
	assert_non_null(strstr((char *)c->in, "The ticket is too long."));
	client_close(c);
	still_serves(f);
}

static struct web_client *dialect_open(struct fixture *f, const char *path, const char *status)
{
	struct web_client *c = client_open(f->base, f->port);
	char *head = ws_upgrade(c, path, "");

	if (!strstr(head, status))
		fail_msg("%s: %s", path, head);
	free(head);
	return c;
}

static void test_dialects(void **state)
{
	struct fixture *f = *state;
	struct web_client *a, *b, *c;

	a = dialect_open(f, "/peerjs?key=peerjs&id=alic%65&token=t1&version=1.5.5", " 101 ");
	expect_text(a, "{\"type\":\"OPEN\"}");
	b = dialect_open(f, "/peerjs?token=t2&id=bob&key=peerjs", " 101 ");
	expect_text(b, "{\"type\":\"OPEN\"}");
	ws_say(b, "{\"type\":\"OFFER\",\"dst\":\"alice\"}");
	expect_text(a, "{\"type\":\"OFFER\",\"dst\":\"alice\",\"src\":\"bob\"}");
	c = dialect_open(f, "/peerjs?key=peerjs&id=alice&token=t3", " 101 ");
	expect_text(c, "{\"type\":\"ID-TAKEN\"");
	expect_close(c, 1008);
	client_close(c);
	/* the loop wakes by itself when a message has waited long enough */
	ws_say(b, "{\"type\":\"OFFER\",\"dst\":\"carol\"}");
	c = dialect_open(f, "/peerjs?key=peerjs&id=alice&token=t1", " 101 ");
	expect_text(c, "{\"type\":\"OPEN\"}");
	expect_close(a, 4001);
	client_close(a);
	client_close(c);
	expect_text(b, "{\"type\":\"EXPIRE\",\"src\":\"carol\",\"dst\":\"bob\"}");
	client_close(b);

	a = dialect_open(f, "/topics?ticket=", " 101 ");
	ws_say(a, "{\"type\":\"subscribe\",\"topics\":[\"x\"]}");
	ws_say(a, "{\"type\":\"publish\",\"topic\":\"x\"}");
	expect_text(a, "{\"type\":\"publish\",\"topic\":\"x\",\"clients\":1}");
	client_close(a);
	a = dialect_open(f, "/topics?ticket=eyJx.y.z", " 101 ");
	expect_text(a, "{\"type\":\"error\",\"code\":\"bad-ticket\"");
	expect_close(a, 1008);
	client_close(a);
	client_close(dialect_open(
	    f,
	    "/peerjs?key=k&token=t&id=0123456789012345678901234567890123456789012345678901234567"
	    "890123x",
	    " 400 "));
	still_serves(f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_rooms),
	    T(test_bad_rooms),
	    T(test_tickets),
	    T(test_dialects),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
