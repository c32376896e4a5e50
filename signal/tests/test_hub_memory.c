/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hub without memory: at every place where some is asked for, one who asked goes without, and
 * nothing else comes of it.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "base/tests/wrap.h"
#include "signal/hub.h"

#include <stdio.h>
#include <stdlib.h>

#define MEMBERS 400 /* enough for the tables to grow, more than once */

struct member {
	struct hub_member *member;
	bool closed;
};

static int on_send(void *ctx, void *conn, enum hub_frame frame, struct hub_text *text)
{
	(void)ctx;
	(void)conn;
	(void)frame;
	assert_int_equal(strlen(text->data), text->len);
	return 0;
}

static void on_close(void *ctx, void *conn, enum hub_close code, const char *reason)
{
	(void)ctx;
	(void)code;
	(void)reason;
	((struct member *)conn)->closed = true;
}

static int64_t now_ms;

static int64_t on_now(void *ctx)
{
	(void)ctx;
	return now_ms;
}

static int on_identify(void *ctx, const char *ticket, struct hub_identity *out, const char **why)
{
	(void)ctx;
	(void)why;
	*out = (struct hub_identity){.any_room = true, .may = 15};
	snprintf(out->sub, sizeof(out->sub), "%s", ticket);
	snprintf(out->name, sizeof(out->name), "n%s", ticket);
	return 0;
}

static int on_admit(void *ctx, uint64_t member_id, const struct hub_admission *who)
{
	(void)ctx;
	(void)member_id;
	(void)who;
	return 0;
}

static const struct hub_ops ops = {.send = on_send,
                                   .close = on_close,
                                   .now_ms = on_now,
                                   .identify = on_identify,
                                   .admit = on_admit};

static void say(struct member *g, const char *text)
{
	if (g->member && !g->closed)
		hub_text(g->member, text, strlen(text));
}

static void come(struct hub *h, struct member *g)
{
	int r = hub_join(h, g, &(struct hub_visit){0}, &g->member);

	assert_true(r == 0 || r == -E_NOMEM);
	if (r)
		g->member = NULL;
}

static void go(struct member *g)
{
	hub_leave(g->member, HUB_CLOSE_ABNORMAL);
	*g = (struct member){0};
}

/* Joins, names, renames, a call, a return with a secret, ends. */
static void visit(struct hub *h, struct member *g, int n)
{
	char text[128];

	for (int i = 0; i < n; i++) {
		come(h, &g[i]);
		snprintf(text, sizeof(text),
		         "{\"type\":\"username\",\"name\":\"n%d\",\"resume\":\"0123456789abcdef\"}",
		         i);
		say(&g[i], text);
	}
	say(&g[0], "{\"type\":\"username\",\"name\":\"n1\"}"); /* becomes n11 */
	now_ms += 1000;
	say(&g[0], "{\"type\":\"username\",\"name\":\"n0\"}");
	say(&g[0], "{\"type\":\"video-offer\",\"target\":\"n1\",\"name\":\"n0\",\"sdp\":{}}");
	go(&g[1]);
	come(h, &g[1]);
	say(&g[1], "{\"type\":\"username\",\"name\":\"n1\",\"resume\":\"0123456789abcdef\"}");
	for (int i = 0; i < n; i++)
		go(&g[i]);
}

static void come_to(struct hub *h, struct member *g, const char *ticket)
{
	struct hub_visit visit = {.room = "team", .ticket = ticket};
	int r;

	addr_parse_ip(&visit.client, "192.0.2.1", 1);
	r = hub_join(h, g, &visit, &g->member);
	assert_true(r == 0 || r == -E_NOMEM);
	if (r)
		g->member = NULL;
}

/* Rooms, guests who make way for a ticket's owner, devices, differences. */
static void visit_rooms(struct hub *h, struct member *g)
{
	come_to(h, &g[0], NULL);
	say(&g[0], "{\"type\":\"username\",\"name\":\"n1\",\"presence\":\"delta\"}");
	come_to(h, &g[1], "1");
	say(&g[1], "{\"type\":\"username\",\"presence\":\"delta\"}");
	come_to(h, &g[2], "1");
	say(&g[2], "{\"type\":\"username\",\"name\":\"n1\"}");
	now_ms += 1000;
	say(&g[0], "{\"type\":\"username\",\"name\":\"x\"}");
	say(&g[0], "{\"type\":\"video-offer\",\"target\":\"n1\"}");
	say(&g[0], "{\"type\":\"presence\"}");
	for (int i = 0; i < 3; i++)
		go(&g[i]);
}

static void come_by(struct hub *h, struct member *g, const char *path, const char *id,
                    const char *token)
{
	const struct hub_visit visit = {.dialect = hub_dialect_find(path),
	                                .key = "peerjs",
	                                .id = id,
	                                .token = token,
	                                .ticket = token};
	int r = hub_join(h, g, &visit, &g->member);

	assert_true(r == 0 || r == -E_NOMEM);
	if (r)
		g->member = NULL;
}

/* Peers who talk, wait for others, and take ids over; topics. */
static void visit_dialects(struct hub *h, struct member *g)
{
	come_by(h, &g[0], "/peerjs", "n1", NULL);
	go(&g[0]);
	come_by(h, &g[0], "/peerjs", "n1", "1");
	come_by(h, &g[1], "/peerjs", "n2", "2");
	say(&g[0], "{\"type\":\"OFFER\",\"dst\":\"n2\"}");
	say(&g[0], "{\"type\":\"OFFER\",\"dst\":\"n3\"}");
	say(&g[0], "{\"type\":\"OFFER\",\"dst\":\"n4\"}");
	come_by(h, &g[2], "/peerjs", "n3", "3");
	come_by(h, &g[3], "/peerjs", "n3", "3");
	now_ms += 5000;
	hub_tick(h);
	come_by(h, &g[4], "/topics", NULL, "4");
	come_by(h, &g[5], "/topics", NULL, NULL);
	say(&g[4], "{\"type\":\"subscribe\",\"topics\":[\"x\",\"y\"]}");
	say(&g[5], "{\"type\":\"subscribe\",\"topics\":[\"x\"]}");
	say(&g[4], "{\"type\":\"publish\",\"topic\":\"x\"}");
	say(&g[4], "{\"type\":\"unsubscribe\",\"topics\":[\"x\"]}");
	say(&g[5], "{\"type\":\"ping\"}");
	for (int i = 0; i < 6; i++)
		go(&g[i]);
	assert_int_equal(hub_room_count(h), 0);
}

static void come_back(struct hub *h, struct member *g, const char *name)
{
	char text[160];

	come(h, g);
	snprintf(text, sizeof(text),
	         "{\"type\":\"username\",\"name\":\"%s\",\"resume\":\"0123456789abcdef%s\","
	         "\"seen\":0}",
	         name, name);
	say(g, text);
}

/* Who counts, calls, is away, comes back, and comes back to a server that has started anew. */
static void visit_counting(struct hub **h, const struct hub_conf *conf, struct member *g)
{
	json_t *saved;

	come_back(*h, &g[0], "c0");
	come_back(*h, &g[1], "c1");
	say(&g[0], "{\"type\":\"video-offer\",\"target\":\"c1\",\"ack\":1}");
	say(&g[1], "{\"type\":\"video-answer\",\"target\":\"c0\",\"ack\":1}");
	go(&g[1]);
	say(&g[0], "{\"type\":\"wave\",\"target\":\"c1\",\"ack\":2}");
	say(&g[0], "{\"type\":\"wave\",\"target\":7,\"ack\":3}");
	come_back(*h, &g[2], "c1");
	go(&g[2]);
	saved = hub_save(*h);
	for (int i = 0; i < 3; i++)
		go(&g[i]);
	hub_free(*h);
	*h = hub_new(conf, &ops, NULL);
	if (*h && saved)
		hub_load(*h, saved);
	json_decref(saved);
	if (!*h)
		return;
	come_back(*h, &g[0], "c0");
	come_back(*h, &g[1], "c1");
	say(&g[0], "{\"type\":\"hang-up\",\"target\":\"c1\"}");
	go(&g[0]);
	now_ms += conf->return_ms;
	hub_tick(*h);
	go(&g[1]);
}

static void set_conf(struct hub_conf *conf, unsigned return_ms)
{
	hub_conf_default(conf);
	conf->return_ms = return_ms;
}

static struct hub *new_hub(void)
{
	struct hub_conf conf;

	set_conf(&conf, 0);
	return hub_new(&conf, &ops, NULL);
}

static void every_allocation_may_fail(void **state)
{
	struct member *g = calloc(MEMBERS, sizeof(*g));
	size_t n, held;

	(void)state;
	json_set_alloc_funcs(__wrap_malloc, __wrap_free);
	held = wrap_bytes();
	for (n = 1;; n++) {
		struct hub *h = new_hub();
		bool failed;

		wrap_fail(n);
		visit(h, g, 3);
		visit_rooms(h, g);
		visit_dialects(h, g);
		failed = wrap_failed();
		wrap_fail(0);
		hub_free(h);
		assert_int_equal(wrap_bytes(), held);
		if (!failed)
			break;
	}
	print_message("%zu allocations failed, one at a time\n", n - 1);
	assert_true(n > 20);
	free(g);
}

static void every_return_may_fail(void **state)
{
	struct member *g = calloc(MEMBERS, sizeof(*g));
	struct hub_conf conf;
	size_t n, held;

	(void)state;
	set_conf(&conf, 30000);
	json_set_alloc_funcs(__wrap_malloc, __wrap_free);
	held = wrap_bytes();
	for (n = 1;; n++) {
		struct hub *h = hub_new(&conf, &ops, NULL);
		bool failed;

		wrap_fail(n);
		visit_counting(&h, &conf, g);
		failed = wrap_failed();
		wrap_fail(0);
		hub_free(h);
		assert_int_equal(wrap_bytes(), held);
		if (!failed)
			break;
	}
	print_message("%zu allocations failed, one at a time\n", n - 1);
	assert_true(n > 100);
	free(g);
}

/* A table that does not grow: who came with it goes without a name or a place, the others keep
 * theirs. */
static void a_table_that_does_not_grow(void **state)
{
	struct member *g = calloc(MEMBERS, sizeof(*g));
	struct hub *h = new_hub();
	unsigned refused = 0, nameless = 0;
	char text[64];

	(void)state;
	json_set_alloc_funcs(__real_malloc, __real_free);
	for (int i = 0; i < MEMBERS; i++) {
		snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"m%d\"}", i);
		wrap_fail(3); /* after the member itself, and its origin */
		if (hub_join(h, &g[i], &(struct hub_visit){0}, &g[i].member)) {
			refused++;
			wrap_fail(0);
			assert_int_equal(hub_join(h, &g[i], &(struct hub_visit){0}, &g[i].member),
			                 0);
		}
		wrap_fail(0);
		if (g[i].closed) { /* the table had room: it was the text of its id that failed */
			go(&g[i]);
			come(h, &g[i]);
		}
		assert_int_equal(hub_member_count(h), i + 1);
		/* a name, and another one that does not fit: the first stays */
		say(&g[i], text);
		snprintf(text, sizeof(text), "m%d", i);
		assert_string_equal(hub_member_name(g[i].member), text);
		wrap_fail(2);
		snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"x%d\"}", i);
		say(&g[i], text);
		wrap_fail(0);
		snprintf(text, sizeof(text), "m%d", i);
		nameless += !strcmp(hub_member_name(g[i].member), text);
		assert_true(*hub_member_name(g[i].member) != 0);
	}
	print_message("%u refused, %u kept their name\n", refused, nameless);
	assert_true(refused > 0);
	for (int i = 0; i < MEMBERS; i++)
		go(&g[i]);
	hub_free(h);
	free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_allocation_may_fail),
	    cmocka_unit_test(every_return_may_fail),
	    cmocka_unit_test(a_table_that_does_not_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
