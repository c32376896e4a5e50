/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who has a turn when many want one: clients that flood, crowds that listen, and everybody else on
 * the thread. It counts messages and turns, not milliseconds.
 */
#include "base/clock.h"
#include "daemon/tests/web_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FLOODERS 8
#define FLOOD    200 /* messages of each */
#define CROWD    100

/* Each part of a turn ends as soon as anything was done in it. */
static void start_in_small_steps(struct fixture *f)
{
	struct web_conf conf;

	default_conf(f, &conf);
	conf.hub.turn_us = 0;
	conf.hub.hub.rate_burst = 0;
	restart(f, &conf);
}

/* The next message of one of these types; others are passed over. To be freed. */
static char *next_of(struct web_client *c, const char *type, const char *other)
{
	char a[64], b[64];

	snprintf(a, sizeof(a), "{\"type\":\"%s\"", type);
	snprintf(b, sizeof(b), "{\"type\":\"%s\"", other ? other : type);
	for (;;) {
		struct ws_frame frame;

		if (!ws_recv(c, &frame))
			fail_msg("no %s came", type);
		if (!strncmp(frame.data, a, strlen(a)) || !strncmp(frame.data, b, strlen(b)))
			return frame.data;
		free(frame.data);
	}
}

/* Into the socket, which takes all of it: the server's loop does not run. */
static void flood(struct web_client *c, unsigned n, const char *type)
{
	char text[128];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "{\"type\":\"%s\",\"target\":\"sink\",\"n\":%u}", type,
		         i);
		assert_true(ws_say(c, text));
	}
}

static void open_flooders(struct fixture *f, struct web_client *c[FLOODERS])
{
	char name[32];

	for (int i = 0; i < FLOODERS; i++) {
		snprintf(name, sizeof(name), "flooder-%d", i);
		c[i] = sign_in(f, name, i & 1);
	}
	client_pump(f->base, 100); /* the lists that follow */
}

static void close_all(struct web_client **c, int n)
{
	for (int i = 0; i < n; i++)
		client_close(c[i]);
}

/* A word that comes behind 1,600 others is not the last to be read. */
static void test_a_flood_does_not_delay_others(void **state)
{
	struct fixture *f = *state;
	struct web_client *c[FLOODERS], *sink, *quiet;
	unsigned before = 0, after = 0;
	bool heard = false;

	start_in_small_steps(f);
	sink = sign_in(f, "sink", false);
	quiet = sign_in(f, "quiet", false);
	open_flooders(f, c);
	for (int i = 0; i < FLOODERS; i++)
		flood(c[i], FLOOD, "flood");
	flood(quiet, 1, "word");
	while (before + after < FLOODERS * FLOOD) {
		char *text = next_of(sink, "flood", "word");
		bool word = !strncmp(text, "{\"type\":\"word\"", 14);

		heard |= word;
		before += !heard;
		after += heard && !word;
		free(text);
	}
	assert_true(heard);
	/* Four of each, in which they may be ahead twice. */
	assert_in_range(before, 0, FLOODERS * 4 * 2);
	close_all(c, FLOODERS);
	client_close(sink);
	client_close(quiet);
	still_serves(f);
}

/* What another socket of the loop has to say, and what it found then. */
struct watch {
	struct event *readable, *timer;
	struct web_client *seen;
	int seen_bytes; /* that had come to `seen` */
	unsigned turns;
};

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)what;
	if (w->seen)
		assert_int_equal(ioctl(w->seen->fd, FIONREAD, &w->seen_bytes), 0);
	evtimer_del(w->timer);
}

/* Comes once in each turn of the loop; not for ever, or the loop would not end. */
static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)what;
	if (++w->turns < CROWD * 20)
		evtimer_add(w->timer, &(struct timeval){0});
}

static void start_watch(struct watch *w, struct event_base *base, const struct web_client *c,
                        struct web_client *seen)
{
	*w = (struct watch){.seen = seen, .seen_bytes = -1};
	w->timer = evtimer_new(base, on_turn, w);
	w->readable = event_new(base, c->fd, EV_READ, on_readable, w);
	event_add(w->readable, NULL);
	evtimer_add(w->timer, &(struct timeval){0});
}

static void end_watch(struct watch *w)
{
	event_free(w->readable);
	event_free(w->timer);
}

/* Nor is a request. */
static void test_a_flood_does_not_delay_requests(void **state)
{
	struct fixture *f = *state;
	struct web_client *c[FLOODERS], *sink, *asker;
	struct watch w;
	size_t all;

	start_in_small_steps(f);
	sink = sign_in(f, "sink", false);
	open_flooders(f, c);
	for (int i = 0; i < FLOODERS; i++)
		flood(c[i], FLOOD, "flood");
	asker = client_open(f->base, f->port);
	start_watch(&w, f->base, asker, sink);
	client_send(asker, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 35);
	assert_true(client_more(asker, CLIENT_WAIT_MS));
	assert_non_null(strstr((char *)asker->in, "{\"status\":\"ok\"}"));
	flood(c[0], 1, "last");
	client_pump(f->base, 100);
	while (client_more(sink, 100))
		;
	all = sink->in_len;
	free(next_of(sink, "last", NULL)); /* all the rest comes, too */
	assert_in_range(w.seen_bytes, 0, all / 4);
	end_watch(&w);
	close_all(c, FLOODERS);
	client_close(sink);
	client_close(asker);
	still_serves(f);
}

/* A message to many is written in slices: other events of the thread come in between. */
static void test_a_crowd_is_served_in_slices(void **state)
{
	struct fixture *f = *state;
	struct web_client *crowd[CROWD], *speaker;
	struct watch w;
	char name[32];

	start_in_small_steps(f);
	for (int i = 0; i < CROWD; i++) {
		snprintf(name, sizeof(name), "listener-%d", i);
		crowd[i] = sign_in(f, name, false);
	}
	speaker = sign_in(f, "speaker", false);
	client_pump(f->base, 100);
	for (int i = 0; i < CROWD; i++)
		while (client_more(crowd[i], 0))
			;
	start_watch(&w, f->base, crowd[CROWD - 1], NULL);
	ws_say(speaker, "{\"type\":\"said\"}");
	for (int i = 0; i < CROWD; i++)
		free(next_of(crowd[i], "said", NULL));
	free(next_of(speaker, "said", NULL));
	assert_in_range(w.turns, CROWD / 2, CROWD * 20);
	end_watch(&w);
	close_all(crowd, CROWD);
	client_close(speaker);
	still_serves(f);
}

/* Who has sent all that they may is read more slowly. No message is lost, and their order stays. */
static void test_too_many_messages_wait(void **state)
{
	struct fixture *f = *state;
	struct web_conf conf;
	const unsigned rate = 100, burst = 10, n = 60;

	default_conf(f, &conf);
	conf.hub.hub.rate_burst = burst;
	conf.hub.hub.signal_rate = rate;
	restart(f, &conf);
	for (int tls = 0; tls < 2; tls++) {
		struct web_client *sink = sign_in(f, "sink", false);
		struct web_client *c = sign_in(f, "flooder", tls);
		int64_t began_ms = clock_mono_ms();

		flood(c, n, "flood");
		for (unsigned i = 0; i < n; i++) {
			char *text = next_of(sink, "flood", NULL), wanted[64];

			snprintf(wanted, sizeof(wanted), "\"n\":%u,", i);
			assert_non_null(strstr(text, wanted));
			free(text);
		}
		assert_in_range(clock_mono_ms() - began_ms, (n - burst) * 1000 / rate / 2,
		                CLIENT_WAIT_MS);
		client_close(c);
		client_close(sink);
		client_pump(f->base, 50);
	}
	still_serves(f);
}

/* Sends what the server takes, while it runs and the sink (if any) hears. Returns the number of
 * messages. */
static unsigned push(struct web_client *c, unsigned n, unsigned from, int ms,
                     struct web_client *sink)
{
	static const char head[] = "{\"type\":\"flood\",\"target\":\"sink\",\"n\":";
	int64_t until_ms = clock_mono_ms() + ms;
	unsigned char frame[8 + 1024];
	size_t len = 1024, at = 0;
	unsigned sent = from;

	while (sent < n && (at || clock_mono_ms() < until_ms)) {
		ssize_t put;

		memset(frame, 0, 8);
		memcpy(frame, "\x81\xfe\x04\x00", 4); /* 1,024 bytes under a mask of zeros */
		memset(frame + 8, ' ', len);
		snprintf((char *)frame + 8, len, "%s%u", head, sent);
		frame[8 + strlen((char *)frame + 8)] = ' ';
		frame[8 + len - 1] = '}';
		put = send(c->fd, frame + at, sizeof(frame) - at, MSG_NOSIGNAL);
		at += put > 0 ? (size_t)put : 0;
		if (at == sizeof(frame)) {
			at = 0;
			sent++;
		} else {
			client_pump(c->base, 1);
			while (sink && client_more(sink, 0))
				;
		}
	}
	return sent;
}

/* The server stops to read: what it does not read, fills the socket, and the client waits. */
static void test_a_flood_is_held_back(void **state)
{
	struct fixture *f = *state;
	struct web_conf conf;
	struct web_client *c, *sink, *a, *b;
	const unsigned n = 20000;
	unsigned sent, now;

	default_conf(f, &conf);
	conf.hub.hub.rate_burst = 100;
	conf.hub.hub.signal_rate = 100;
	conf.hub.queue_bytes = 64 << 20; /* the sink does not read all the time */
	conf.hub.queue_frames = 100000;
	restart(f, &conf);
	sink = sign_in(f, "sink", false);
	a = sign_in(f, "a", false);
	b = sign_in(f, "b", true);
	c = sign_in(f, "flooder", false);
	sent = push(c, n, 0, 500, sink);
	assert_in_range(sent, 100, n - 1);                 /* 20 MB do not fit in between */
	ws_say(a, "{\"type\":\"word\",\"target\":\"b\"}"); /* the others feel nothing */
	free(next_of(b, "word", NULL));
	conf.hub.hub.signal_rate = 100000;
	web_set_hub(f->web, &conf.hub.hub);
	now = push(c, sent + 500, sent, CLIENT_WAIT_MS, sink);
	assert_int_equal(now, sent + 500);
	for (unsigned i = 0; i < now; i++) {
		char *text = next_of(sink, "flood", NULL), wanted[64];

		snprintf(wanted, sizeof(wanted), "\"n\":%u ", i);
		assert_non_null(strstr(text, wanted));
		free(text);
	}
	client_close(c);
	client_close(sink);
	client_close(a);
	client_close(b);
	still_serves(f);
}

/* One that goes away while it is held back. */
static void test_a_held_client_leaves(void **state)
{
	struct fixture *f = *state;
	struct web_conf conf;
	struct web_client *c;

	default_conf(f, &conf);
	conf.hub.hub.rate_burst = 10;
	conf.hub.hub.signal_rate = 1000;
	conf.hub.ping_s = 1;
	conf.hub.ping_grace_s = 1;
	restart(f, &conf);
	for (int way = 0; way < 3; way++) {
		c = sign_in(f, "flooder", way == 1);
		push(c, 2000, 0, 100, NULL);
		if (way == 0)
			ws_send(c, true, WS_CLOSE, "\x03\xe8", 2);
		if (way == 2)
			setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
			           sizeof(struct linger));
		client_close(c);
		for (int i = 0; i < 300 && web_member_count(f->web); i++)
			client_pump(f->base, 100);
		assert_int_equal(web_member_count(f->web), 0);
	}
	still_serves(f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_a_flood_does_not_delay_others), T(test_a_flood_does_not_delay_requests),
	    T(test_a_crowd_is_served_in_slices),   T(test_too_many_messages_wait),
	    T(test_a_flood_is_held_back),          T(test_a_held_client_leaves),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
