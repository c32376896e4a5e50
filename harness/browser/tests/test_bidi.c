/* SPDX-License-Identifier: BSD-3-Clause
 *
 * BiDi's values, and its calls over a real WebSocket to a server of the test's
 * own (RFC 6455), which says what it is told to.
 */
#include "base/clock.h"
#include "harness/browser/bidi.h"
#include "harness/browser/ws.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- values ---- */

static void test_remote_values(void **state)
{
	static const struct {
		const char *remote, *json;
	} rows[] = {
	    {"{'type':'undefined'}", "null"},
	    {"{'type':'null'}", "null"},
	    {"{'type':'string','value':'\xc3\xab \\\"'}", "\"\xc3\xab \\\"\""},
	    {"{'type':'boolean','value':true}", "true"},
	    {"{'type':'number','value':7}", "7"},
	    {"{'type':'number','value':1.5}", "1.5"},
	    {"{'type':'number','value':'NaN'}", "null"},
	    {"{'type':'number','value':'-Infinity'}", "null"},
	    {"{'type':'number','value':'-0'}", "0"},
	    {"{'type':'array','value':[{'type':'number','value':1},{'type':'undefined'}]}",
	     "[1,null]"},
	    {"{'type':'array','value':[]}", "[]"},
	    {"{'type':'object','value':[['a',{'type':'array','value':[]}],"
	     "['gone',{'type':'undefined'}],['b',{'type':'null'}]]}",
	     "{\"a\":[],\"b\":null}"},
	    {"{'type':'date','value':'2026-11-22T12:57:46.087Z'}", "\"2026-11-22T12:57:46.087Z\""},
	    {"{'type':'map','value':[[{'type':'number','value':1},{'type':'null'}]]}", "{}"},
	    {"{'type':'object'}", "{}"},
	    {"{'type':'array','value':[{'type':'object','internalId':'i','value':[['t',"
	     "{'type':'number','value':1}]]},{'type':'object','internalId':'i'}]}",
	     "[{\"t\":1},{\"t\":1}]"},
	    {"{'type':'node','value':{'nodeType':1}}", "{}"},
	    {"{}", "null"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[256];
		json_t *remote, *value;
		char *got;

		snprintf(text, sizeof(text), "%s", rows[i].remote);
		for (char *c = text; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		remote = json_loads(text, 0, NULL);
		assert_non_null(remote);
		value = bidi_value(remote);
		got = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		assert_string_equal(got, rows[i].json);
		free(got);
		json_decref(value);
		json_decref(remote);
	}
}

/* ---- calls ---- */

struct talk {
	pid_t server;
	struct bidi *bidi;
	int events;
	char method[64];
};

static void frame(int fd, unsigned first, const char *text, size_t len)
{
	unsigned char head[10] = {(unsigned char)first};
	size_t n = 2;

	if (len < 126) {
		head[1] = (unsigned char)len;
	} else {
		head[1] = 127;
		for (n = 2; n < 10; n++)
			head[n] = (unsigned char)((uint64_t)len >> (8 * (9 - n)));
	}
	if (write(fd, head, n) < 0 || write(fd, text, len) < 0)
		_exit(1);
}

static void say(int fd, const char *text)
{
	frame(fd, 0x81, text, strlen(text));
}

/* In two frames. */
static void say_in_pieces(int fd, const char *text)
{
	frame(fd, 0x01, text, 5);
	frame(fd, 0x80, text + 5, strlen(text) - 5);
}

static void hear(int fd, char *text, size_t size)
{
	unsigned char head[8];
	size_t len;

	if (recv(fd, head, 2, MSG_WAITALL) != 2 || head[0] != 0x81 || !(head[1] & 0x80))
		_exit(2);
	len = head[1] & 0x7f;
	if (len == 126) {
		if (recv(fd, head, 2, MSG_WAITALL) != 2)
			_exit(2);
		len = (size_t)head[0] << 8 | head[1];
	}
	if (len >= size || recv(fd, head, 4, MSG_WAITALL) != 4 ||
	    recv(fd, text, len, MSG_WAITALL) != (ssize_t)len)
		_exit(2);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(text[i] ^ head[i % 4]);
	text[len] = '\0';
}

static void shake_hands(int fd)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char request[2048], text[512], accept_key[64];
	unsigned char sha1[EVP_MAX_MD_SIZE];
	unsigned sha1_len;
	size_t len = 0;
	char *key;

	do {
		ssize_t n = read(fd, request + len, sizeof(request) - 1 - len);

		if (n <= 0)
			_exit(3);
		len += (size_t)n;
		request[len] = '\0';
	} while (!strstr(request, "\r\n\r\n"));
	key = strcasestr(request, "Sec-WebSocket-Key:");
	/* Firefox refuses a browser's page, which has an origin. */
	if (strncmp(request, "GET /session ", 13) != 0 || !key || strcasestr(request, "\nOrigin:"))
		_exit(4);
	key += strspn(key + 18, " ") + 18;
	snprintf(text, sizeof(text), "%.*s%s", (int)strcspn(key, "\r"), key, guid);
	EVP_Digest(text, strlen(text), sha1, &sha1_len, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)accept_key, sha1, (int)sha1_len);
	/* With Firefox's Content-Length, which belongs to no such answer. */
	snprintf(text, sizeof(text),
	         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	         "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nContent-Length: 0\r\n\r\n",
	         accept_key);
	if (write(fd, text, strlen(text)) < 0)
		_exit(5);
}

static void on_event(void *arg, const char *method, const json_t *params)
{
	struct talk *t = arg;

	t->events++;
	snprintf(t->method, sizeof(t->method), "%s", method);
	if (json_object_get(params, "gone"))
		bidi_interrupt(t->bidi);
}

/* play runs in a process of its own, as the browser's end. */
static void start(struct talk *t, void (*play)(int fd))
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	int listen_fd = socket(AF_INET, SOCK_STREAM, 0), fd;
	socklen_t len = sizeof(sin);
	struct why why;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(listen_fd, 1), 0);
	assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&sin, &len), 0);
	*t = (struct talk){.server = fork()};
	if (t->server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = accept(listen_fd, NULL, NULL);
		shake_hands(fd);
		play(fd);
		_exit(0);
	}
	close(listen_fd);
	if (bidi_connect(&t->bidi, -1, ntohs(sin.sin_port), on_event, t, 5000, &why) != 0)
		fail_msg("%s", why.text);
}

/* 0 if the server got what it expected. */
static int end(struct talk *t)
{
	int status;

	bidi_free(t->bidi);
	waitpid(t->server, &status, 0);
	return status;
}

static void play_call(int fd)
{
	char heard[512];

	hear(fd, heard, sizeof(heard));
	if (strcmp(heard, "{\"id\":1,\"method\":\"session.new\",\"params\":{\"a\":true}}") != 0)
		_exit(6);
	say(fd, "{\"type\":\"event\",\"method\":\"log.entryAdded\",\"params\":{}}");
	say(fd, "{\"type\":\"success\",\"id\":77,\"result\":{\"not\":\"ours\"}}");
	say(fd, "not JSON at all");
	say_in_pieces(fd, "{\"type\":\"success\",\"id\":1,\"result\":{\"value\":42}}");
	hear(fd, heard, sizeof(heard));
	say(fd, "{\"type\":\"error\",\"id\":2,\"error\":\"no such frame\",\"message\":\"gone\"}");
	recv(fd, heard, 1, 0);
}

static void test_calls_and_events(void **state)
{
	json_t *result = NULL;
	struct talk t;
	struct why why;

	(void)state;
	start(&t, play_call);
	assert_int_equal(
	    bidi_call(t.bidi, "session.new", json_pack("{s:b}", "a", 1), 5000, &result, &why), 0);
	assert_int_equal(json_integer_value(json_object_get(result, "value")), 42);
	assert_int_equal(t.events, 1);
	assert_string_equal(t.method, "log.entryAdded");
	json_decref(result);
	assert_int_equal(bidi_call(t.bidi, "a.b", NULL, 5000, &result, &why), -E_INVAL);
	assert_string_equal(why.text, "a.b: no such frame: gone");
	assert_int_equal(end(&t), 0);
}

static void play_late(int fd)
{
	char heard[512];

	hear(fd, heard, sizeof(heard));
	hear(fd, heard, sizeof(heard));
	say(fd, "{\"type\":\"success\",\"id\":1,\"result\":{\"v\":1}}");
	say(fd, "{\"type\":\"success\",\"id\":2,\"result\":{\"v\":2}}");
	hear(fd, heard, sizeof(heard));
	say(fd, "{\"type\":\"event\",\"method\":\"m\",\"params\":{\"gone\":true}}");
	recv(fd, heard, 1, 0);
}

static void test_no_answer_and_late_answer(void **state)
{
	json_t *result = NULL;
	struct talk t;
	struct why why;
	int64_t began;

	(void)state;
	start(&t, play_late);
	assert_int_equal(bidi_call(t.bidi, "slow", NULL, 50, &result, &why), -E_TIMEOUT);
	assert_int_equal(bidi_call(t.bidi, "next", NULL, 5000, &result, &why), 0);
	assert_int_equal(json_integer_value(json_object_get(result, "v")), 2);
	json_decref(result);
	began = clock_mono_ms();
	assert_int_equal(bidi_call(t.bidi, "gone", NULL, 60000, &result, &why), -E_STALE);
	assert_true(clock_mono_ms() - began < 30000); /* of 60 s */
	assert_int_equal(end(&t), 0);
}

#define LARGE (3u << 20)

static void play_large(int fd)
{
	char heard[512], *text = malloc(LARGE + 64);
	int n = snprintf(text, 64, "{\"id\":1,\"result\":{\"data\":\"");

	hear(fd, heard, sizeof(heard));
	memset(text + n, 'x', LARGE);
	memcpy(text + n + LARGE, "\"}}", 4);
	say(fd, text);
	shutdown(fd, SHUT_WR);
	recv(fd, heard, 1, 0);
}

static void test_large_answer_and_death(void **state)
{
	json_t *result = NULL;
	struct talk t;
	struct why why;

	(void)state;
	start(&t, play_large);
	assert_int_equal(bidi_call(t.bidi, "shot", NULL, 5000, &result, &why), 0);
	assert_int_equal(json_string_length(json_object_get(result, "data")), LARGE);
	json_decref(result);
	assert_int_equal(bidi_call(t.bidi, "any", NULL, 5000, NULL, &why), -E_CLOSED);
	assert_int_equal(bidi_pump(t.bidi, 10), -E_CLOSED);
	end(&t);
}

static void test_nobody_listens(void **state)
{
	struct bidi *b = NULL;
	struct why why;

	(void)state;
	assert_int_not_equal(bidi_connect(&b, -1, 1, on_event, NULL, 2000, &why), 0);
	assert_non_null(strstr(why.text, "no WebSocket at 127.0.0.1:1"));
	assert_null(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_remote_values),
	    cmocka_unit_test(test_calls_and_events),
	    cmocka_unit_test(test_no_answer_and_late_answer),
	    cmocka_unit_test(test_large_answer_and_death),
	    cmocka_unit_test(test_nobody_listens),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
