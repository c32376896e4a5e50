/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who causes work pays for it: by recipients, by prefix, and from what the whole hub has.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "signal/hub.h"

#include <stdio.h>
#include <string.h>

#define CROWD 1000
#define CHAT  "{\"type\":\"message\",\"text\":\"hi\"}"

struct client {
	struct hub_member *member;
	unsigned said;    /* chat that it got */
	unsigned refused; /* errors: rate-limited */
	unsigned acked;   /* of them, about a message with "ack":"a7" */
	unsigned closed;
};

static int64_t now_ms;
static struct client crowd[CROWD];

static int on_send(void *ctx, void *conn, enum hub_frame frame, struct hub_text *text)
{
	struct client *c = conn;

	(void)ctx;
	(void)frame;
	c->said += strstr(text->data, "\"text\":\"hi\"") != NULL;
	c->acked += strstr(text->data, "\"for\":\"wave\",\"ack\":\"a7\"") != NULL;
	c->refused += strstr(text->data, "\"code\":\"rate-limited\"") != NULL;
	return 0;
}

static void on_close(void *ctx, void *conn, enum hub_close code, const char *reason)
{
	(void)ctx;
	(void)reason;
	((struct client *)conn)->closed = code;
}

static int64_t on_now(void *ctx)
{
	(void)ctx;
	return now_ms;
}

static void on_later(void *ctx, int64_t ms)
{
	(void)ctx;
	(void)ms;
}

static void say(struct client *c, const char *text)
{
	hub_text(c->member, text, strlen(text));
}

/* From 192.0.HOST/256.HOST%256; host 0: from nowhere that is known. */
static void come(struct hub *h, struct client *c, unsigned host)
{
	struct hub_visit visit = {.room = NULL};
	char text[32];

	memset(c, 0, sizeof(*c));
	if (host) {
		snprintf(text, sizeof(text), "192.0.%u.%u", host / 256, host % 256);
		assert_int_equal(addr_parse_ip(&visit.client, text, 1), 0);
	}
	assert_int_equal(hub_join(h, c, &visit, &c->member), 0);
}

/* n users, named at a time that is long past. */
static struct hub *full_house(unsigned n)
{
	static const struct hub_ops ops = {
	    .send = on_send, .close = on_close, .now_ms = on_now, .later = on_later};
	struct hub_conf conf;
	struct hub *h;
	char text[80];

	now_ms = 1000;
	hub_conf_default(&conf);
	h = hub_new(&conf, &ops, NULL);
	assert_non_null(h);
	for (unsigned i = 0; i < n; i++) {
		come(h, &crowd[i], 0);
		snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"m%u\"}", i);
		say(&crowd[i], text);
	}
	now_ms += 60000;
	return h;
}

/* How often c can do it before it is refused. */
static unsigned how_often(struct client *c, const char *text)
{
	unsigned n = 0;

	for (c->refused = 0; !c->refused; n++)
		say(c, text);
	return n - 1;
}

/* 300 tokens: a line to 100 costs 1 + 10. */
static void chat_costs_by_recipients(void **state)
{
	struct hub *h = full_house(100);

	(void)state;
	assert_int_equal(how_often(&crowd[0], CHAT), 27);
	assert_int_equal(crowd[1].said, 27);
	/* what goes to one costs 1 */
	assert_true(how_often(&crowd[2], "{\"type\":\"wave\",\"target\":\"m3\"}") == 300);
	/* 50 tokens more */
	now_ms += 1000;
	assert_int_equal(how_often(&crowd[0], CHAT), 4);
	assert_int_equal(crowd[1].closed, 0);
	hub_free(h);
}

static void renames_cost_by_users(void **state)
{
	struct hub *h = full_house(CROWD);
	unsigned n = 0;
	char text[80];

	(void)state;
	/* 1 + 100 each, and 50 a second come in */
	for (crowd[0].refused = 0; !crowd[0].refused; n++) {
		snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"x%u\"}", n);
		say(&crowd[0], text);
		now_ms += 1000;
	}
	assert_in_range(n, 4, 7);
	hub_free(h);
}

/* Whose sender waits for an answer gets one, each time; others hear of it once. */
static void refused_by_name(void **state)
{
	struct hub *h = full_house(2);

	(void)state;
	how_often(&crowd[0], "{\"type\":\"wave\",\"target\":\"m1\"}");
	for (unsigned i = 0; i < 5; i++)
		say(&crowd[0], "{\"type\":\"wave\",\"target\":\"m1\"}");
	assert_int_equal(crowd[0].refused, 1);
	for (unsigned i = 0; i < 5; i++)
		say(&crowd[0], "{\"type\":\"wave\",\"target\":\"m1\",\"ack\":\"a7\"}");
	assert_int_equal(crowd[0].refused, 6);
	assert_int_equal(crowd[0].acked, 5);
	hub_free(h);
}

/* Connections without a name share what their /24 has; who has a name does not feel it. */
static void unnamed_ones_share(void **state)
{
	struct hub *h = full_house(2);
	struct client named, *junk = crowd + 10;
	unsigned n = 0;

	(void)state;
	come(h, &named, 200);
	say(&named, "{\"type\":\"username\",\"name\":\"named\"}");
	now_ms += 60000;
	for (unsigned i = 0; i < 20; i++) {
		come(h, &junk[i], 100 + i);
		n += how_often(&junk[i], "{\"type\":\"x\"}");
	}
	assert_int_equal(n, 8 * 300);
	assert_true(hub_pause_ms(junk[19].member) > 0);
	assert_int_equal(how_often(&named, "{\"type\":\"wave\",\"target\":\"m0\"}"), 300);
	/* elsewhere all is as before */
	come(h, &junk[30], 300);
	assert_int_equal(how_often(&junk[30], "{\"type\":\"x\"}"), 300);
	/* and the share comes back: 8 * 50 a second */
	now_ms += 500;
	come(h, &junk[31], 150);
	assert_int_equal(how_often(&junk[31], "{\"type\":\"x\"}"), 200);
	hub_free(h);
}

/* 30,000 recipients at once: half of them for anybody, the rest for those who have said little. */
static void the_hub_has_so_much(void **state)
{
	struct hub *h = full_house(CROWD);
	unsigned n = 0;

	(void)state;
	/* two lines each: the first 15 in all */
	for (unsigned i = 0; i < 8; i++) {
		for (unsigned k = 0; k < 2; k++) {
			say(&crowd[i], CHAT);
			n += !crowd[i].refused;
		}
	}
	assert_int_equal(n, 16);
	say(&crowd[20], CHAT);
	say(&crowd[20], CHAT); /* 101 of 300 are spent: not now */
	assert_int_equal(crowd[20].refused, 1);
	for (unsigned i = 21; i < 60; i++) {
		say(&crowd[i], CHAT);
		n += !crowd[i].refused;
	}
	assert_int_equal(n + 1, 30);
	/* a call is not a message to all */
	say(&crowd[70], "{\"type\":\"video-offer\",\"target\":\"m71\"}");
	assert_int_equal(hub_call_count(h), 1);
	hub_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chat_costs_by_recipients), cmocka_unit_test(renames_cost_by_users),
	    cmocka_unit_test(refused_by_name),          cmocka_unit_test(unnamed_ones_share),
	    cmocka_unit_test(the_hub_has_so_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
