/* SPDX-License-Identifier: BSD-3-Clause
 *
 * NAT behaviour discovery (RFC 5780) on two addresses with two ports each.
 */
#include "base/tests/test.h"
#include "turn/tests/world.h"

#include <stdlib.h>

static const char *const at4[] = {"192.0.2.7:3478", "192.0.2.7:3479", "192.0.2.8:3478",
                                  "192.0.2.8:3479"};
static const char *const at6[] = {"[2001:db8:ffff::7]:3478", "[2001:db8:ffff::7]:3479",
                                  "[2001:db8:ffff::8]:3478", "[2001:db8:ffff::8]:3479"};

static struct world *open_world(size_t n)
{
	struct world *w = malloc(sizeof(*w));

	world_init(w);
	world_start(w);
	for (size_t i = 0; i < n; i++) {
		struct turn_listener_conf l = {.fd = -1, .relay6 = 1, .discovery = true};

		assert_int_equal(addr_parse(&l.local, at4[i]), 0);
		if (i >= 2)
			assert_int_equal(addr_parse_ip(&l.external, "203.0.113.8", 0), 0);
		assert_int_equal(turn_listen(w->turn, &l), 0);
		memset(&l.external, 0, sizeof(l.external));
		assert_int_equal(addr_parse(&l.local, at6[i]), 0);
		assert_int_equal(turn_listen(w->turn, &l), 0);
	}
	w->more_listeners = 2 * n;
	return w;
}

static void close_world(struct world *w)
{
	world_stop(w);
	free(w);
}

static bool plain_addr(const struct wire *in, uint16_t type, struct addr *out)
{
	size_t n;
	const uint8_t *v = wire_get(in->buf, in->len, type, &n);

	if (!v)
		return false;
	addr_from_bytes(out, v + 4, n - 4, (uint16_t)(v[2] << 8 | v[3]));
	return true;
}

static void expect_addr(const struct host *h, uint16_t type, const char *text)
{
	struct addr want, got;

	assert_int_equal(addr_parse(&want, text), 0);
	assert_true(plain_addr(&h->in, type, &got));
	assert_true(addr_equal(&want, &got));
}

/* Everything in one answer, and with the headers of IP and UDP not three times what was asked. */
static void expect_whole(const struct host *h, const struct wire *request, size_t headers)
{
	struct addr mapped;

	assert_true(wire_get_xor_addr(h->in.buf, h->in.len, ATTR_XOR_MAPPED_ADDRESS, &mapped));
	assert_true(addr_equal(&mapped, &h->udp->local));
	assert_true(plain_addr(&h->in, ATTR_MAPPED_ADDRESS, &mapped));
	assert_true(addr_equal(&mapped, &h->udp->local));
	assert_true(plain_addr(&h->in, ATTR_RESPONSE_ORIGIN, &mapped));
	assert_true(plain_addr(&h->in, ATTR_OTHER_ADDRESS, &mapped));
	assert_true(h->in.len + headers <= 3 * (request->len + headers));
}

static void answers_from_the_other_side(void **state)
{
	/* flags of ATTR_CHANGE_REQUEST-REQUEST, and which listener then answers the first */
	static const struct {
		uint32_t flags;
		int from;
		const char *origin;
	} table[] = {{0, 0, "192.0.2.7:3478"},
	             {2, 1, "192.0.2.7:3479"},
	             {4, 2, "203.0.113.8:3478"},
	             {6, 3, "203.0.113.8:3479"}};
	struct world *w = open_world(4);
	struct host h;
	struct wire m;
	struct addr a;

	(void)state;
	host_open(w, &h, "198.51.100.5:1", "", "");
	for (size_t i = 0; i < 4; i++) {
		wire_start(&m, W_BINDING, 1);
		if (table[i].flags)
			wire_add_u32(&m, ATTR_CHANGE_REQUEST, table[i].flags);
		assert_int_equal(host_send(&h, at4[0], m.buf, m.len), 1);
		assert_int_equal(host_reply_code(&h), 0);
		assert_true(wire_sound(h.in.buf, h.in.len));
		assert_int_equal(addr_parse(&a, at4[table[i].from]), 0);
		assert_true(addr_equal(&h.from, &a));
		expect_addr(&h, ATTR_RESPONSE_ORIGIN, table[i].origin);
		expect_addr(&h, ATTR_OTHER_ADDRESS, "203.0.113.8:3479");
		expect_whole(&h, &m, 28);
	}
	/* seen from the last, everything is the other way round */
	wire_start(&m, W_BINDING, 1);
	wire_add_u32(&m, ATTR_CHANGE_REQUEST, 6);
	assert_int_equal(host_send(&h, at4[3], m.buf, m.len), 1);
	expect_addr(&h, ATTR_OTHER_ADDRESS, at4[0]);
	expect_addr(&h, ATTR_RESPONSE_ORIGIN, at4[0]);
	host_close(&h);
	/* IPv6 */
	host_open(w, &h, "[2001:db8:1::5]:1", "", "");
	wire_start(&m, W_BINDING, 1);
	wire_add_u32(&m, ATTR_CHANGE_REQUEST, 6);
	wire_add_fingerprint(&m);
	assert_int_equal(host_send(&h, at6[0], m.buf, m.len), 1);
	expect_addr(&h, ATTR_OTHER_ADDRESS, at6[3]);
	assert_int_equal(addr_parse(&a, at6[3]), 0);
	assert_true(addr_equal(&h.from, &a));
	expect_whole(&h, &m, 48);
	wire_start(&m, W_BINDING, 1);
	assert_int_equal(host_send(&h, at6[0], m.buf, m.len), 1);
	expect_whole(&h, &m, 48);
	host_close(&h);
	close_world(w);
}

static void answers_to_another_port(void **state)
{
	struct world *w = open_world(4);
	struct host h, second;
	struct wire m;

	(void)state;
	host_open(w, &h, "198.51.100.5:1", "", "");
	host_open(w, &second, "198.51.100.5:7777", "", "");
	wire_start(&m, W_BINDING, 1);
	wire_add(&m, ATTR_RESPONSE_PORT, "\x1e\x61", 2);
	second.got = 0;
	assert_int_equal(host_send(&h, at4[0], m.buf, m.len), 0);
	assert_int_equal(second.got, 1);
	assert_int_equal(host_reply_code(&second), 0);
	/* not with PADDING, not to port 0, not in another length */
	wire_start(&m, W_BINDING, 2);
	wire_add(&m, ATTR_RESPONSE_PORT, "\x1e\x61", 2);
	wire_add(&m, ATTR_PADDING, "1234", 4);
	second.got = 0;
	assert_int_equal(host_send(&h, at4[0], m.buf, m.len), 1);
	assert_int_equal(host_reply_code(&h), 400);
	assert_int_equal(second.got, 0);
	wire_start(&m, W_BINDING, 3);
	wire_add(&m, ATTR_RESPONSE_PORT, "\0\0\0\0", 4);
	assert_int_equal(host_send(&h, at4[0], m.buf, m.len), 1);
	assert_int_equal(host_reply_code(&h), 400);
	wire_start(&m, W_BINDING, 4);
	wire_add(&m, ATTR_RESPONSE_PORT, "123", 3);
	assert_int_equal(host_send(&h, at4[0], m.buf, m.len), 1);
	assert_int_equal(host_reply_code(&h), 400);
	wire_start(&m, W_BINDING, 5);
	wire_add(&m, ATTR_CHANGE_REQUEST, "123", 3);
	assert_int_equal(host_send(&h, at4[0], m.buf, m.len), 1);
	assert_int_equal(host_reply_code(&h), 400);
	host_close(&h);
	host_close(&second);
	close_world(w);
}

/* "a Binding with PADDING drew 65 times as much" elsewhere. */
static void padding_multiplies_nothing(void **state)
{
	struct world *w = open_world(4);
	struct host h;
	static uint8_t zeros[4000], pad[4000];
	size_t n;

	(void)state;
	memset(pad, 0xee, sizeof(pad));
	host_open(w, &h, "198.51.100.5:1", "", "");
	for (size_t len = 0; len < 2000; len += 331) {
		struct wire m;
		const uint8_t *v;

		wire_start(&m, W_BINDING, 1);
		wire_add(&m, ATTR_PADDING, pad, len);
		assert_int_equal(host_send(&h, at4[0], m.buf, m.len), 1);
		v = wire_get(h.in.buf, h.in.len, ATTR_PADDING, &n);
		assert_non_null(v);
		assert_int_equal(n, len);
		assert_memory_equal(v, zeros, n);
		expect_whole(&h, &m, 28);
		assert_true(wire_sound(h.in.buf, h.in.len));
	}
	host_close(&h);
	close_world(w);
}

static void expect_unknown(struct host *h, const char *to, uint16_t type, const struct wire *m)
{
	size_t n;
	const uint8_t *v;

	assert_int_equal(host_send(h, to, m->buf, m->len), 1);
	assert_int_equal(host_reply_code(h), 420);
	v = wire_get(h->in.buf, h->in.len, ATTR_UNKNOWN_ATTRIBUTES, &n);
	assert_non_null(v);
	assert_int_equal(n, 2);
	assert_int_equal(v[0] << 8 | v[1], type);
}

static void needs_four_listeners(void **state)
{
	static const uint16_t types[] = {ATTR_CHANGE_REQUEST, ATTR_PADDING, ATTR_RESPONSE_PORT};

	(void)state;
	for (size_t listeners = 0; listeners < 4; listeners++) {
		struct world *w = open_world(listeners);
		const char *to = listeners ? at4[0] : SERVER4;
		struct host h;
		struct wire m;
		size_t n;

		host_open(w, &h, "198.51.100.5:1", "alice", "secret");
		for (size_t i = 0; i < 3; i++) {
			wire_start(&m, W_BINDING, 1);
			wire_add_u32(&m, types[i], 6);
			expect_unknown(&h, to, types[i], &m);
		}
		wire_start(&m, W_BINDING, 1);
		assert_int_equal(host_send(&h, to, m.buf, m.len), 1);
		assert_null(wire_get(h.in.buf, h.in.len, ATTR_OTHER_ADDRESS, &n));
		/* and in no other request, wherever */
		assert_int_equal(host_login(&h), 401);
		host_request(&h, &m, W_ALLOCATE);
		wire_add_transport(&m, IPPROTO_UDP);
		wire_add_u32(&m, ATTR_CHANGE_REQUEST, 6);
		assert_int_equal(host_ask(&h, &m), 420);
		host_close(&h);
		close_world(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_from_the_other_side),
	    cmocka_unit_test(answers_to_another_port),
	    cmocka_unit_test(padding_multiplies_nothing),
	    cmocka_unit_test(needs_four_listeners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
