/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The user list among many: a storm of names costs few lists, after quiet everybody hears at once,
 * and the last list is the true one.
 */
#include "signal/hub.h"

#include "base/tests/test.h"

#include <string.h>
#include <time.h>

#define PEERS 300
#define PAUSE 50   /* ms, between two lists */
#define STORM 1000 /* renames, EACH ms apart: a member's own ones are more than a second apart */
#define EACH  4

static struct {
	int64_t now_ms, due_ms;
	unsigned lists;
	char last[65536];
} house;

static int on_send(void *ctx, void *conn, enum hub_frame frame, struct hub_text *text)
{
	(void)ctx;
	(void)conn;
	if (frame == HUB_FRAME_USERLIST) {
		house.lists++;
		assert_true(text->len < sizeof(house.last));
		memcpy(house.last, text->data, text->len + 1);
	}
	return 0;
}

static void on_close(void *ctx, void *conn, enum hub_close code, const char *reason)
{
	(void)ctx;
	(void)conn;
	(void)code;
	(void)reason;
}

static int64_t now_ms(void *ctx)
{
	(void)ctx;
	return house.now_ms;
}

static void on_later(void *ctx, int64_t ms)
{
	(void)ctx;
	assert_true(ms > 0);
	assert_int_equal(house.due_ms, 0);
	house.due_ms = house.now_ms + ms;
}

static void pass(struct hub *h, int64_t ms)
{
	house.now_ms += ms;
	if (house.due_ms && house.due_ms <= house.now_ms) {
		house.due_ms = 0;
		hub_list_due(h);
	}
}

static void name(struct hub_member *p, const char *prefix, unsigned i)
{
	char text[80];

	snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"%s%u\"}", prefix, i);
	hub_text(p, text, strlen(text));
}

static void a_storm_of_names(void **state)
{
	static const struct hub_ops ops = {
	    .send = on_send, .close = on_close, .now_ms = now_ms, .later = on_later};
	static struct hub_member *members[PEERS];
	struct hub_conf conf;
	struct hub *h;

	(void)state;
	hub_conf_default(&conf);
	conf.rate_burst = 0;
	conf.max_connections = PEERS;
	h = hub_new(&conf, &ops, NULL);
	assert_non_null(h);
	house.now_ms = 1000;
	/* after quiet: at once */
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(hub_join(h, NULL, &(struct hub_visit){0}, &members[i]), 0);
		house.lists = 0;
		name(members[i], "p", i);
		assert_int_equal(house.lists, i + 1);
		pass(h, PAUSE);
	}
	for (unsigned i = 10; i < PEERS; i++) {
		assert_int_equal(hub_join(h, NULL, &(struct hub_visit){0}, &members[i]), 0);
		name(members[i], "p", i);
		pass(h, 1);
	}
	pass(h, PAUSE);
	/* a storm of renames: one list a pause */
	house.lists = 0;
	for (unsigned i = 0; i < STORM; i++) {
		name(members[i % PEERS], "q", i);
		pass(h, EACH);
	}
	assert_in_range(house.lists, PEERS, (STORM * EACH / PAUSE + 2) * PEERS);
	pass(h, PAUSE);
	assert_non_null(strstr(house.last, "\"q999\""));
	assert_null(strstr(house.last, "\"p1\""));
	/* who leaves is missed, once the pause is over, and nothing is owed then */
	hub_leave(members[0], HUB_CLOSE_ABNORMAL);
	pass(h, PAUSE);
	assert_null(strstr(house.last, "\"q900\""));
	house.lists = 0;
	pass(h, 10000);
	assert_int_equal(house.lists, 0);
	hub_free(h);
}

#define CROWD 1000

/* All at once: no more texts than lists, and no list in between for each who comes. */
static void a_crowd_at_once(void **state)
{
	static const struct hub_ops ops = {
	    .send = on_send, .close = on_close, .now_ms = now_ms, .later = on_later};
	static struct hub_member *members[CROWD];
	struct hub_conf conf;
	clock_t cpu;
	struct hub *h;

	(void)state;
	memset(&house, 0, sizeof(house));
	house.now_ms = 1000;
	hub_conf_default(&conf);
	conf.room_users = CROWD;
	h = hub_new(&conf, &ops, NULL);
	assert_non_null(h);
	cpu = clock();
	for (unsigned i = 0; i < CROWD; i++) {
		assert_int_equal(hub_join(h, NULL, &(struct hub_visit){0}, &members[i]), 0);
		name(members[i], "p", 0); /* each wants the same one */
	}
	pass(h, PAUSE);
	print_message("%d came in %ld ms of the processor\n", CROWD,
	              (long)(clock() - cpu) * 1000 / CLOCKS_PER_SEC);
	/* the first one's, and the one after the pause */
	assert_int_equal(house.lists, 1 + CROWD);
	assert_non_null(strstr(house.last, "\"p0\""));
	assert_non_null(strstr(house.last, "\"p0999\""));
	hub_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_storm_of_names),
	                                   cmocka_unit_test(a_crowd_at_once)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
