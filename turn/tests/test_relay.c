/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The data path on virtual time: both directions, both framings, both
 * families, and everything that must not get through.
 */
#include "base/tests/test.h"
#include "turn/tests/world.h"

#include <stdio.h>
#include <stdlib.h>

struct call {
	struct world w;
	struct host client, peer;
	struct addr relayed;
	char relayed_text[ADDR_STRLEN];
	const char *peer_addr, *server;
};

static const char *const peers[] = {"9.9.9.9:4000", "[2600::9]:4000"};

static void call_start(struct call *c, bool v6)
{
	world_start(&c->w);
	c->peer_addr = peers[v6];
	c->server = v6 ? SERVER6 : SERVER4;
	host_open(&c->w, &c->client, v6 ? "[2001:db8:1::5]:1" : "198.51.100.5:1", "alice",
	          "secret");
	host_open(&c->w, &c->peer, c->peer_addr, "", "");
	assert_int_equal(host_allocate(&c->client, &c->relayed), 0);
	addr_format(&c->relayed, c->relayed_text);
}

static void call_stop(struct call *c)
{
	host_close(&c->client);
	host_close(&c->peer);
	world_stop(&c->w);
	free(c);
}

static struct call *call_new(void)
{
	struct call *c = calloc(1, sizeof(*c));

	world_init(&c->w);
	return c;
}

/* Sends from the client; true when the peer gets exactly this, from the relayed address. */
static bool send_indication(struct call *c, const char *peer, const void *data, size_t len)
{
	struct wire m;

	wire_start(&m, W_SEND, ++c->w.tid);
	wire_add_peer(&m, peer);
	wire_add(&m, ATTR_DATA, data, len);
	c->peer.got = 0;
	host_send(&c->client, c->server, m.buf, m.len);
	return c->peer.got == 1 && c->peer.in.len == len && !memcmp(c->peer.in.buf, data, len) &&
	       addr_equal(&c->peer.from, &c->relayed);
}

static bool send_channel(struct call *c, uint16_t number, const void *data, size_t len, size_t pad)
{
	static uint8_t m[70000];

	m[0] = (uint8_t)(number >> 8);
	m[1] = (uint8_t)number;
	m[2] = (uint8_t)(len >> 8);
	m[3] = (uint8_t)len;
	memcpy(m + 4, data, len);
	memset(m + 4 + len, 0, pad);
	c->peer.got = 0;
	host_send(&c->client, c->server, m, 4 + len + pad);
	return c->peer.got == 1 && c->peer.in.len == len && !memcmp(c->peer.in.buf, data, len) &&
	       addr_equal(&c->peer.from, &c->relayed);
}

static bool peer_reaches_client(struct call *c, const void *data, size_t len, uint16_t channel)
{
	const uint8_t *in = c->client.in.buf, *v;
	struct addr from;
	size_t n;

	c->client.got = 0;
	host_send(&c->peer, c->relayed_text, data, len);
	if (c->client.got != 1)
		return false;
	if (channel)
		return (in[0] << 8 | in[1]) == channel && (size_t)(in[2] << 8 | in[3]) == len &&
		       c->client.in.len == 4 + len && !memcmp(in + 4, data, len);
	assert_true(wire_sound(in, c->client.in.len));
	assert_int_equal(wire_type(in), W_DATA);
	v = wire_get(in, c->client.in.len, ATTR_DATA, &n);
	assert_true(wire_get_xor_addr(in, c->client.in.len, ATTR_XOR_PEER_ADDRESS, &from));
	return n == len && !memcmp(v, data, len) && addr_equal(&from, &c->peer.udp->local);
}

static void relays(bool v6)
{
	struct call *c = call_new();
	static uint8_t big[60000];

	call_start(c, v6);
	memset(big, 0xb1, sizeof(big));
	/* without a permission nothing passes, either way */
	assert_false(send_indication(c, c->peer_addr, "hello", 5));
	assert_false(peer_reaches_client(c, "hello", 5, 0));
	assert_int_equal(turn_get_stats(c->w.turn)->permission_drops, 2);
	assert_int_equal(host_permit(&c->client, c->peer_addr), 0);
	for (size_t len = 0; len < 10; len++) {
		assert_true(send_indication(c, c->peer_addr, "123456789", len));
		assert_true(peer_reaches_client(c, "987654321", len, 0));
	}
	assert_true(send_indication(c, c->peer_addr, big, sizeof(big)));
	assert_true(peer_reaches_client(c, big, sizeof(big), 0));

	assert_false(send_channel(c, 0x4000, "x", 1, 0)); /* not bound yet */
	assert_int_equal(host_bind(&c->client, 0x4000, c->peer_addr), 0);
	for (size_t len = 0; len < 10; len++) {
		assert_true(send_channel(c, 0x4000, "123456789", len, len % 4));
		assert_true(peer_reaches_client(c, "987654321", len, 0x4000));
		assert_true(send_indication(c, c->peer_addr, "123456789", len));
	}
	assert_true(send_channel(c, 0x4000, big, sizeof(big), 0));
	assert_true(peer_reaches_client(c, big, sizeof(big), 0x4000));
	/* a length that lies */
	assert_int_equal(host_send(&c->client, c->server, "\x40\x00\x00\x09hello", 9), 0);
	assert_int_equal(c->peer.got, 0);
	/* another port of the permitted IP is not on the channel */
	struct host third;
	host_open(&c->w, &third, v6 ? "[2600::9]:4001" : "9.9.9.9:4001", "", "");
	c->client.got = 0;
	host_send(&third, c->relayed_text, "third", 5);
	assert_int_equal(c->client.got, 1);
	assert_int_equal(wire_type(c->client.in.buf), W_DATA);
	host_close(&third);
	/* another IP is dropped */
	host_open(&c->w, &third, v6 ? "[2600::a]:4000" : "9.9.9.8:4000", "", "");
	c->client.got = 0;
	host_send(&third, c->relayed_text, "third", 5);
	assert_int_equal(c->client.got, 0);
	host_close(&third);
	/* somebody else's 5-tuple cannot use the channel */
	host_open(&c->w, &third, v6 ? "[2001:db8:1::5]:2" : "198.51.100.5:2", "", "");
	c->peer.got = 0;
	host_send(&third, c->server, "\x40\x00\x00\x01x", 5);
	assert_int_equal(c->peer.got, 0);
	host_close(&third);
	call_stop(c);
}

static void relays_ipv4(void **state)
{
	(void)state;
	relays(false);
}

static void relays_ipv6(void **state)
{
	(void)state;
	relays(true);
}

/* A channel to the peer, and an allocation that lasts an hour. */
static struct call *call_bound(void)
{
	struct call *c = call_new();

	call_start(c, false);
	assert_int_equal(host_refresh(&c->client, 3600), 0);
	assert_int_equal(host_bind(&c->client, 0x4000, c->peer_addr), 0);
	return c;
}

static void a_permission_ends_after_300_seconds_of_traffic(void **state)
{
	struct call *c = call_bound();

	(void)state;
	world_run(&c->w, 299 * 1000);
	assert_true(send_channel(c, 0x4000, "x", 1, 0));
	assert_true(peer_reaches_client(c, "x", 1, 0x4000));
	world_run(&c->w, 2 * 1000);
	assert_false(send_channel(c, 0x4000, "x", 1, 0));
	assert_false(send_indication(c, c->peer_addr, "x", 1));
	assert_false(peer_reaches_client(c, "x", 1, 0x4000));
	/* the channel is still bound, the permission comes back */
	assert_int_equal(host_permit(&c->client, c->peer_addr), 0);
	assert_true(send_channel(c, 0x4000, "x", 1, 0));
	call_stop(c);
}

/* The permission may last longer, and no step of the wall clock ends it. */
static void a_channel_ends_after_600_seconds(void **state)
{
	struct call *c = call_bound();

	(void)state;
	world_run(&c->w, 301 * 1000);
	assert_int_equal(host_permit(&c->client, c->peer_addr), 0);
	world_run(&c->w, 298 * 1000);
	assert_true(send_channel(c, 0x4000, "x", 1, 0));
	assert_int_equal(host_permit(&c->client, c->peer_addr), 0);
	world_run(&c->w, 2 * 1000);
	assert_false(send_channel(c, 0x4000, "x", 1, 0));
	assert_true(peer_reaches_client(c, "x", 1, 0));
	env_virtual_step_wall(c->w.env, -1000000);
	assert_true(peer_reaches_client(c, "x", 1, 0));
	call_stop(c);
}

static void permissions_end_with_their_allocation(void **state)
{
	struct call *c = call_bound();

	(void)state;
	assert_int_equal(host_permit(&c->client, c->peer_addr), 0);
	assert_int_equal(host_refresh(&c->client, 0), 0);
	assert_false(peer_reaches_client(c, "x", 1, 0));
	assert_false(send_indication(c, c->peer_addr, "x", 1));
	assert_int_equal(host_allocate(&c->client, &c->relayed), 0);
	addr_format(&c->relayed, c->relayed_text);
	assert_false(send_indication(c, c->peer_addr, "x", 1));
	assert_false(peer_reaches_client(c, "x", 1, 0));
	call_stop(c);
}

/* The matrix of forbidden peers, by each of the ways: 403 or silence, and not one packet leaves. */
static void forbidden_peers(void **state)
{
	static const char *const v4[] = {"0.0.0.0:53",     "127.0.0.1:53",  "169.254.169.254:80",
	                                 "10.0.0.1:53",    "172.16.0.1:53", "192.168.0.1:53",
	                                 "100.64.0.1:53",  "224.0.0.1:53",  "255.255.255.255:53",
	                                 "192.0.2.1:3478", "203.0.113.1:53"};
	static const char *const v6[] = {"[::]:53",
	                                 "[::1]:53",
	                                 "[fe80::1]:53",
	                                 "[fc00::1]:53",
	                                 "[::ffff:10.0.0.1]:53",
	                                 "[::10.0.0.1]:53",
	                                 "[2002:a00:1::]:53",
	                                 "[2001::1]:53",
	                                 "[64:ff9b::a00:1]:53",
	                                 "[ff02::1]:53",
	                                 "[2001:db8:ffff::1]:3478"};

	(void)state;
	for (int family = 0; family < 2; family++) {
		struct call *c = call_new();
		const char *const *list = family ? v6 : v4;

		call_start(c, family);
		for (size_t i = 0; i < 11; i++) {
			struct host victim;
			struct wire m;
			bool own = i == (family ? 10 : 9);

			if (!own)
				host_open(&c->w, &victim, list[i], "", "");
			/* by its IP alone our own address is that of our relays: legal */
			assert_int_equal(host_permit(&c->client, list[i]), own ? 0 : 403);
			assert_int_equal(host_bind(&c->client, 0x4000, list[i]), 403);
			uint64_t sent = c->w.env->stats.sent;
			wire_start(&m, W_SEND, ++c->w.tid);
			wire_add_peer(&m, list[i]);
			wire_add_str(&m, ATTR_DATA, "attack");
			host_send(&c->client, c->server, m.buf, m.len);
			assert_int_equal(c->w.env->stats.sent, sent + 1); /* the client's own */
			if (!own) {
				assert_int_equal(victim.got, 0);
				host_close(&victim);
			}
		}
		assert_int_equal(turn_get_stats(c->w.turn)->to_peer_packets, 0);
		call_stop(c);
	}
}

/* Both ends relayed by us: each is the other's peer by its relayed address. */
static void hairpin(struct world *w)
{
	struct host a, b;
	struct addr ra, rb;
	char ta[ADDR_STRLEN], tb[ADDR_STRLEN], unleased[ADDR_STRLEN];
	struct wire m;
	uint16_t port;

	world_start(w);
	host_open(w, &a, "198.51.100.5:1", "alice", "secret");
	host_open(w, &b, "198.51.100.6:1", "bob", "hunter2");
	assert_int_equal(host_allocate(&a, &ra), 0);
	assert_int_equal(host_allocate(&b, &rb), 0);
	assert_true(addr_equal_ip(&ra, &w->conf.relay[0].external));
	addr_format(&ra, ta);
	addr_format(&rb, tb);
	assert_int_equal(host_permit(&a, tb), 0);
	assert_int_equal(host_bind(&b, 0x4000, ta), 0);
	wire_start(&m, W_SEND, 1);
	wire_add_peer(&m, tb);
	wire_add_str(&m, ATTR_DATA, "ping");
	b.got = 0;
	host_send(&a, SERVER4, m.buf, m.len);
	assert_int_equal(b.got, 1);
	assert_memory_equal(b.in.buf, "\x40\x00\x00\x04ping", 8);
	a.got = 0;
	host_send(&b, SERVER4, "\x40\x00\x00\x04pong", 8);
	assert_int_equal(a.got, 1);
	assert_int_equal(wire_type(a.in.buf), W_DATA);
	/* a port of the relay's address that nobody leased is some other program's */
	for (port = 50000; port == addr_port(&ra) || port == addr_port(&rb); port++)
		;
	rb = ra;
	addr_put_port(&rb, port);
	addr_format(&rb, unleased);
	assert_int_equal(host_bind(&a, 0x4001, unleased), 403);
	wire_start(&m, W_SEND, 2);
	wire_add_peer(&m, unleased);
	wire_add_str(&m, ATTR_DATA, "attack");
	uint64_t sent = w->env->stats.sent;
	host_send(&a, SERVER4, m.buf, m.len);
	assert_int_equal(w->env->stats.sent, sent + 1);
	host_close(&a);
	host_close(&b);
	world_stop(w);
}

static void hairpin_relays(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	hairpin(&w);
}

static void hairpin_behind_nat(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(addr_parse_ip(&w.conf.relay[0].external, "9.1.2.3", 0), 0);
	hairpin(&w);
}

/* A client on a stream: what the server sends, byte for byte. */
struct stream {
	uint8_t out[4096];
	size_t len, messages;
};

/* ChannelData on 0x4000. */
static void say(struct host *h, char c)
{
	uint8_t m[5] = {0x40, 0, 0, 1, (uint8_t)c};

	host_send(h, SERVER4, m, sizeof(m));
}

/* Three clients on a host with two ports for relays; the first two are in a call with each other
 * and have channels for it. */
struct two_ports {
	struct world w;
	struct host h[3];
	struct addr relayed[3];
	char text[3][ADDR_STRLEN];
};

static struct two_ports *two_ports_new(void)
{
	struct two_ports *p = calloc(1, sizeof(*p));
	char client[ADDR_STRLEN];

	world_init(&p->w);
	turn_ports_free(p->w.ports4);
	p->w.ports4 = turn_ports_new(50000, 50001);
	world_start(&p->w);
	for (int i = 0; i < 3; i++) {
		snprintf(client, sizeof(client), "198.51.100.5:%d", i + 1);
		host_open(&p->w, &p->h[i], client, "alice", "secret");
		if (i == 2)
			continue;
		assert_int_equal(host_allocate(&p->h[i], &p->relayed[i]), 0);
		addr_format(&p->relayed[i], p->text[i]);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(host_bind(&p->h[i], 0x4000, p->text[!i]), 0);
	return p;
}

static void two_ports_free(struct two_ports *p)
{
	for (int i = 0; i < 3; i++)
		host_close(&p->h[i]);
	world_stop(&p->w);
	free(p);
}

/* Whether `to` hears what `from` says on its channel. */
static bool hears(struct host *to, struct host *from)
{
	to->got = 0;
	say(from, 'x');
	return to->got == 1;
}

/* The second client has ended its allocation, and the third has got its port. */
static struct two_ports *port_given_on(void)
{
	struct two_ports *p = two_ports_new();

	assert_int_equal(host_refresh(&p->h[1], 0), 0);
	assert_int_equal(host_allocate(&p->h[2], &p->relayed[2]), 0);
	assert_int_equal(addr_port(&p->relayed[2]), addr_port(&p->relayed[1]));
	assert_int_equal(host_bind(&p->h[2], 0x4000, p->text[0]), 0);
	return p;
}

/* A channel, or a Send, to a relay of ours ends with the allocation there: a foreign program that
 * gets the port neither receives its data nor can send. */
static void a_foreign_program_gets_nothing_of_a_relay_that_is_gone(void **state)
{
	struct two_ports *p = two_ports_new();
	struct host foreign;
	struct wire m;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_true(hears(&p->h[!i], &p->h[i]));
	assert_int_equal(host_refresh(&p->h[1], 0), 0);
	host_open(&p->w, &foreign, p->text[1], "", "");
	p->h[0].got = 0;
	say(&p->h[0], 'x');
	wire_start(&m, W_SEND, 7);
	wire_add_peer(&m, p->text[1]);
	wire_add(&m, ATTR_DATA, "x", 1);
	host_send(&p->h[0], SERVER4, m.buf, m.len);
	assert_int_equal(foreign.got, 0);
	host_send(&foreign, p->text[0], "z", 1);
	assert_int_equal(p->h[0].got, 0);
	host_close(&foreign);
	two_ports_free(p);
}

/* It is permitted, but by its address, as anybody's. */
static void the_next_allocation_on_the_port_is_not_that_channels(void **state)
{
	struct two_ports *p = port_given_on();

	(void)state;
	assert_false(hears(&p->h[2], &p->h[0]));
	assert_true(hears(&p->h[0], &p->h[2]));
	assert_int_equal(wire_type(p->h[0].in.buf), W_DATA);
	two_ports_free(p);
}

static void a_channel_to_a_relay_that_is_gone_is_bound_anew(void **state)
{
	struct two_ports *p = port_given_on();

	(void)state;
	assert_int_equal(host_bind(&p->h[0], 0x4000, p->text[1]), 403); /* not refreshed unseen */
	assert_int_equal(host_bind(&p->h[0], 0x4000, p->text[1]), 0);
	assert_true(hears(&p->h[2], &p->h[0]));
	two_ports_free(p);
}

static void on_stream_send(void *ctx, const uint8_t *data, size_t len)
{
	struct stream *s = ctx;

	assert_true(len <= sizeof(s->out));
	memcpy(s->out, data, len);
	s->len = len;
	s->messages++;
}

static int ask(struct world *w, struct turn_link *link, struct stream *s, struct wire *m)
{
	uint8_t key[16];

	wire_key("alice", REALM, "secret", key);
	if (m->len > 28)
		wire_add_integrity(m, key);
	s->len = 0;
	turn_link_input(link, m->buf, m->len);
	world_run(w, 0);
	assert_true(wire_sound(s->out, s->len));
	return wire_error(s->out, s->len);
}

static void start_request(struct world *w, struct wire *m, uint16_t method, const char *nonce)
{
	wire_start(m, method, ++w->tid);
	wire_add_login(m, "alice", REALM, nonce);
}

static void relays_for_a_stream(void **state)
{
	static const struct turn_link_ops ops = {.send = on_stream_send};
	struct stream s = {.len = 0};
	struct turn_link_params params = {
	    .protocol = TURN_TCP, .relay6 = 1, .ops = &ops, .ctx = &s};
	struct world w;
	struct turn_link *link;
	struct host peer;
	struct wire m;
	struct addr relayed;
	char text[ADDR_STRLEN], nonce[64] = "";

	(void)state;
	world_init(&w);
	world_start(&w);
	host_open(&w, &peer, "9.9.9.9:4000", "", "");
	assert_int_equal(addr_parse(&params.client, "198.51.100.5:1"), 0);
	link = turn_link_new(w.turn, &params);
	wire_start(&m, W_ALLOCATE, ++w.tid);
	wire_add_transport(&m, IPPROTO_UDP);
	assert_int_equal(ask(&w, link, &s, &m), 401);
	assert_true(wire_get_str(s.out, s.len, ATTR_NONCE, nonce, sizeof(nonce)));
	start_request(&w, &m, W_ALLOCATE, nonce);
	wire_add_transport(&m, IPPROTO_UDP);
	assert_int_equal(ask(&w, link, &s, &m), 0);
	assert_true(wire_get_xor_addr(s.out, s.len, ATTR_XOR_RELAYED_ADDRESS, &relayed));
	start_request(&w, &m, W_CHANNEL_BIND, nonce);
	wire_add_channel(&m, 0x4000);
	wire_add_peer(&m, "9.9.9.9:4000");
	assert_int_equal(ask(&w, link, &s, &m), 0);
	for (size_t len = 0; len < 9; len++) {
		_Alignas(8) uint8_t data[16] = {0x40, 0, 0, (uint8_t)len, 'a', 'b', 'c', 'd'};

		peer.got = 0;
		turn_link_input(link, data, 4 + ((len + 3) & ~(size_t)3));
		world_run(&w, 0);
		assert_int_equal(peer.got, 1);
		assert_int_equal(peer.in.len, len);
		memset(s.out, 0xee, sizeof(s.out));
		host_send(&peer, addr_format(&relayed, text), "12345678", len);
		/* on a stream ChannelData is padded to four, with zeros */
		assert_int_equal(s.len, 4 + ((len + 3) & ~(size_t)3));
		assert_int_equal(s.out[3], len);
		for (size_t i = 4 + len; i < s.len; i++)
			assert_int_equal(s.out[i], 0);
	}
	assert_int_equal(turn_allocations(w.turn), 1);
	turn_link_free(link);
	turn_link_free(NULL);
	assert_int_equal(turn_allocations(w.turn), 0);
	host_close(&peer);
	world_stop(&w);
}

/* Every drop has a name, also when the allocation is gone. */
static void send_drops_are_counted(void **state)
{
	struct call *c = call_new();
	const struct turn_stats *s;
	struct wire m;

	(void)state;
	call_start(c, false);
	s = turn_get_stats(c->w.turn);
	assert_int_equal(host_permit(&c->client, c->peer_addr), 0);
	wire_start(&m, W_SEND, 1);
	wire_add_peer(&m, c->peer_addr);
	wire_add_str(&m, ATTR_DATA, "hello");
	wire_add_u32(&m, 0x7ffe, 0); /* to be comprehended, and nobody does */
	assert_int_equal(host_send(&c->client, c->server, m.buf, m.len), 0);
	assert_int_equal(c->peer.got, 0);
	assert_int_equal(s->malformed, 1);
	assert_int_equal(host_refresh(&c->client, 0), 0);
	assert_false(send_indication(c, c->peer_addr, "hello", 5));
	assert_int_equal(s->permission_drops, 1);
	assert_int_equal(s->to_peer_packets, 0);
	call_stop(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(relays_ipv4),
	    cmocka_unit_test(relays_ipv6),
	    cmocka_unit_test(a_permission_ends_after_300_seconds_of_traffic),
	    cmocka_unit_test(a_channel_ends_after_600_seconds),
	    cmocka_unit_test(permissions_end_with_their_allocation),
	    cmocka_unit_test(forbidden_peers),
	    cmocka_unit_test(hairpin_relays),
	    cmocka_unit_test(hairpin_behind_nat),
	    cmocka_unit_test(a_foreign_program_gets_nothing_of_a_relay_that_is_gone),
	    cmocka_unit_test(the_next_allocation_on_the_port_is_not_that_channels),
	    cmocka_unit_test(a_channel_to_a_relay_that_is_gone_is_bound_anew),
	    cmocka_unit_test(relays_for_a_stream),
	    cmocka_unit_test(send_drops_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
