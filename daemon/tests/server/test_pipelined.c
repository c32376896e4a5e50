/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Over a stream, requests are answered in the order in which they came, also where one has to wait
 * for another worker; and what names a worker that is none, is answered.
 */
#include "base/tests/test.h"
#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"

#include <stdio.h>
#include <stdlib.h>

#define SERVER4 RIG_SERVER4 ":3478"
#define PEER    RIG_PEER4 ":4000"
#define MOVES   6 /* connections are dealt to the workers in turn: half of the moves cross */

static struct rig_server server;

static int setup(void **state)
{
	*state = &server;
	rig_server_start(&server, "pipelined",
	                 "--workers 2 --mobility --relay-ports 50000-50099 --listen " SERVER4);
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	return 0;
}

struct ticket {
	uint8_t bytes[64];
	size_t len;
};

static void take_ticket(const struct talker *t, struct ticket *out)
{
	const uint8_t *v = wire_get(t->in.buf, t->in.len, ATTR_MOBILITY_TICKET, &out->len);

	assert_non_null(v);
	memcpy(out->bytes, v, out->len);
}

static void append(struct talker *t, struct wire *all, struct wire *m)
{
	uint8_t key[16];

	talker_key(t, key);
	wire_add_integrity(m, key);
	memcpy(all->buf + all->len, m->buf, m->len);
	all->len += m->len;
}

static void expect(struct talker *t, uint16_t type)
{
	assert_int_equal(talker_receive(t, SOON_MS), 0);
	assert_int_equal(wire_error(t->in.buf, t->in.len), 0);
	assert_int_equal(wire_type(t->in.buf), type | W_SUCCESS);
}

/* A Refresh that moves the allocation, the same again, what rests on it, and a Binding: in one
 * write. */
static void move(struct talker *t, struct ticket *ticket)
{
	struct wire all = {.len = 0}, m;
	size_t refresh_len;

	talker_open(t, SERVER4, true, NULL, "alice", "wonderland");
	assert_int_equal(talker_login(t), 401);
	talker_request(t, &m, W_REFRESH);
	wire_add(&m, ATTR_MOBILITY_TICKET, ticket->bytes, ticket->len);
	append(t, &all, &m);
	refresh_len = all.len;
	memcpy(all.buf + all.len, all.buf, refresh_len);
	all.len += refresh_len;
	talker_request(t, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, PEER);
	append(t, &all, &m);
	talker_request(t, &m, W_CHANNEL_BIND);
	wire_add_channel(&m, 0x4000);
	wire_add_peer(&m, PEER);
	append(t, &all, &m);
	wire_start(&m, W_BINDING, 77);
	memcpy(all.buf + all.len, m.buf, m.len);
	all.len += m.len;
	assert_int_equal(talker_send(t, all.buf, all.len), 0);
	expect(t, W_REFRESH);
	take_ticket(t, ticket);
	expect(t, W_REFRESH);
	expect(t, W_CREATE_PERMISSION);
	expect(t, W_CHANNEL_BIND);
	expect(t, W_BINDING);
}

static void answers_come_in_order(void **state)
{
	struct talker t[MOVES + 1];
	struct ticket ticket;
	struct wire m;

	(void)state;
	talker_open(&t[0], SERVER4, true, NULL, "alice", "wonderland");
	assert_int_equal(talker_login(&t[0]), 401);
	talker_request(&t[0], &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add(&m, ATTR_MOBILITY_TICKET, NULL, 0);
	assert_int_equal(talker_ask(&t[0], &m), 0);
	take_ticket(&t[0], &ticket);
	for (int i = 1; i <= MOVES; i++)
		move(&t[i], &ticket);
	assert_int_equal(talker_refresh(&t[MOVES], 0), 0);
	for (int i = 0; i <= MOVES; i++)
		talker_close(&t[i]);
}

/* RFC 6062 section 5.4: "if this attribute does not refer to an existing pending connection, the
 * server MUST return a 400 (Bad Request) error." */
static void unknown_connections_are_answered(void **state)
{
	static const uint32_t ids[] = {0, 0x00123456, 0x01123456, 0x02123456, 0xff123456};
	struct talker t;
	struct wire m;

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		talker_open(&t, SERVER4, true, NULL, "alice", "wonderland");
		assert_int_equal(talker_login(&t), 401);
		for (int code = 438, tries = 0; code == 438; tries++) {
			talker_request(&t, &m, W_CONNECTION_BIND);
			wire_add_u32(&m, ATTR_CONNECTION_ID, ids[i]);
			code = talker_ask(&t, &m);
			/* where it has come to another worker, it may need another nonce */
			assert_true(code == 400 || (code == 438 && !tries));
		}
		/* and the connection is as good as before */
		assert_int_equal(talker_allocate(&t, IPPROTO_UDP), 0);
		talker_close(&t);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_come_in_order),
	    cmocka_unit_test(unknown_connections_are_answered),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}
