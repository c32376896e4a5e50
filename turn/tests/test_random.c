/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Thousands of random steps, valid and not, of several clients and peers on virtual time. After
 * each step the test checks the world's invariants, and that no client gets data from a peer
 * without a permission. TURNPIKE_SEED repeats a run.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "turn/tests/world.h"

#include <stdio.h>
#include <stdlib.h>

#define STEPS          30000
#define CLIENTS        5
#define PEERS          5
#define FORBIDDEN_PEER (PEERS - 1)

static const char *const peer_text[PEERS] = {"9.9.9.9:4000", "9.9.9.10:4000", "[2600::9]:4000",
                                             "[2600::a]:4000", "10.0.0.1:53"};

struct random_client {
	struct host host;
	struct addr relayed[2]; /* of the last Allocate that worked */
	uint8_t ticket[64];
	size_t ticket_len;
	struct wire last;
};

struct game {
	struct world w;
	struct random_client client[CLIENTS];
	struct host peer[PEERS];
	uint64_t permitted_ms[PEERS]; /* when anybody last got a permission for it */
	uint64_t state;
	size_t allocations, moves, relayed, refused;
};

static uint32_t dice(struct game *g, uint32_t sides)
{
	g->state ^= g->state << 13;
	g->state ^= g->state >> 7;
	g->state ^= g->state << 17;
	return (uint32_t)(g->state >> 20) % sides;
}

static uint64_t now_ms(struct game *g)
{
	return env_now_ms(g->w.env);
}

/* "no permission outlives" its five minutes, and there is none for forbidden peers. */
static void check_peer_heard(struct game *g, size_t i)
{
	if (!g->peer[i].got)
		return;
	assert_int_not_equal(i, FORBIDDEN_PEER);
	assert_true(g->permitted_ms[i] && now_ms(g) - g->permitted_ms[i] <= 300 * 1000);
	g->relayed += g->peer[i].got;
	g->peer[i].got = 0;
}

static void check_heard(struct game *g)
{
	for (size_t i = 0; i < PEERS; i++)
		check_peer_heard(g, i);
}

static int ask(struct random_client *c, struct wire *m)
{
	struct host *h = &c->host;
	uint8_t key[16];
	const uint8_t *v;
	size_t n;

	if (*h->nonce) {
		wire_key(h->user, REALM, h->password, key);
		wire_add_integrity(m, key);
	}
	c->last = *m;
	if (!host_send(h, SERVER4, m->buf, m->len))
		return -1;
	assert_true(wire_sound(h->in.buf, h->in.len));
	wire_get_str(h->in.buf, h->in.len, ATTR_NONCE, h->nonce, sizeof(h->nonce));
	v = wire_get(h->in.buf, h->in.len, ATTR_MOBILITY_TICKET, &n);
	if (v) {
		memcpy(c->ticket, v, n);
		c->ticket_len = n;
	}
	return host_reply_code(h);
}

static void allocate(struct game *g, struct random_client *c)
{
	struct wire m;

	host_request(&c->host, &m, W_ALLOCATE);
	wire_add_u32(&m, ATTR_REQUESTED_TRANSPORT, dice(g, 20) ? 17u << 24 : dice(g, 256) << 24);
	if (!dice(g, 4))
		wire_add_u32(&m, ATTR_REQUESTED_ADDRESS_FAMILY, dice(g, 4) << 24);
	if (!dice(g, 4))
		wire_add_u32(&m, ATTR_ADDITIONAL_ADDRESS_FAMILY, (1 + dice(g, 8) % 7 % 2) << 24);
	if (!dice(g, 5)) {
		uint8_t even = dice(g, 2) ? 0x80 : 0;

		wire_add(&m, ATTR_EVEN_PORT, &even, 1);
	}
	if (!dice(g, 12))
		wire_add(&m, ATTR_RESERVATION_TOKEN, "tokentok", 8);
	if (!dice(g, 2))
		wire_add(&m, ATTR_MOBILITY_TICKET, NULL, 0);
	if (!dice(g, 8))
		wire_add_u32(&m, ATTR_LIFETIME, dice(g, 5000));
	if (ask(c, &m))
		return;
	g->allocations++;
	wire_get_xor_addr(c->host.in.buf, c->host.in.len, ATTR_XOR_RELAYED_ADDRESS, &c->relayed[0]);
}

static void refresh(struct game *g, struct random_client *c)
{
	static const uint32_t lifetimes[] = {0, 1, 600, 3600, 0xffffffff};
	struct wire m;

	host_request(&c->host, &m, W_REFRESH);
	if (dice(g, 3))
		wire_add_u32(&m, ATTR_LIFETIME, lifetimes[dice(g, 5)]);
	if (!dice(g, 3))
		wire_add_u32(&m, ATTR_REQUESTED_ADDRESS_FAMILY, dice(g, 4) << 24);
	ask(c, &m);
}

/* With somebody's ticket, fresh or used. */
static void move(struct game *g, struct random_client *c)
{
	struct random_client *from = &g->client[dice(g, CLIENTS)];
	struct wire m;

	host_request(&c->host, &m, W_REFRESH);
	if (dice(g, 4))
		wire_add_u32(&m, ATTR_LIFETIME, 600);
	if (!dice(g, 10) && from->ticket_len)
		from->ticket[dice(g, (uint32_t)from->ticket_len)] ^= 1;
	wire_add(&m, ATTR_MOBILITY_TICKET, from->ticket, from->ticket_len);
	g->moves += !ask(c, &m);
}

static void permit(struct game *g, struct random_client *c, bool channel)
{
	static const uint16_t numbers[] = {0x4000, 0x4001, 0x4002, 0x4003, 0x4fff, 0x5000, 0x3fff};
	uint32_t p = dice(g, PEERS);
	struct wire m;

	host_request(&c->host, &m, channel ? W_CHANNEL_BIND : W_CREATE_PERMISSION);
	if (channel)
		wire_add_channel(&m, numbers[dice(g, 7)]);
	wire_add_peer(&m, peer_text[p]);
	if (!ask(c, &m)) {
		assert_int_not_equal(p, FORBIDDEN_PEER);
		g->permitted_ms[p] = now_ms(g);
	} else {
		g->refused++;
	}
}

static void send_data(struct game *g, struct random_client *c)
{
	struct wire m;

	if (dice(g, 2)) {
		uint8_t data[] = {0x40, (uint8_t)dice(g, 5), 0, (uint8_t)dice(g, 7), 1, 2, 3, 4, 5};

		host_send(&c->host, SERVER4, data, sizeof(data));
		return;
	}
	wire_start(&m, W_SEND, dice(g, 1000));
	wire_add_peer(&m, peer_text[dice(g, PEERS)]);
	if (!dice(g, 4))
		wire_add(&m, ATTR_DONT_FRAGMENT, NULL, 0);
	if (dice(g, 10))
		wire_add(&m, ATTR_DATA, "payload", dice(g, 8));
	host_send(&c->host, SERVER4, m.buf, m.len);
}

static void answer(struct game *g, struct random_client *c)
{
	uint32_t p = dice(g, PEERS);
	char text[ADDR_STRLEN];
	size_t heard = 0;

	if (addr_family(&c->relayed[0]) != addr_family(&g->peer[p].udp->local))
		return;
	for (size_t i = 0; i < CLIENTS; i++)
		g->client[i].host.got = 0;
	host_send(&g->peer[p], addr_format(&c->relayed[0], text), "answer", 6);
	for (size_t i = 0; i < CLIENTS; i++)
		heard += g->client[i].host.got;
	assert_in_range(heard, 0, 1);
	if (heard) {
		assert_int_not_equal(p, FORBIDDEN_PEER);
		assert_true(now_ms(g) - g->permitted_ms[p] <= 300 * 1000);
		g->relayed++;
	}
}

static void icmp(struct game *g, struct random_client *c)
{
	struct env_udp_error e = {.type = (uint8_t)dice(g, 13), .code = (uint8_t)dice(g, 16)};

	assert_int_equal(addr_parse(&e.peer, peer_text[dice(g, PEERS)]), 0);
	if (addr_family(&c->relayed[0]) == addr_family(&e.peer))
		env_virtual_icmp(g->w.env, &c->relayed[0], &e);
}

/* The last request once more, as it was, cut or with a bit turned. */
static void again(struct game *g, struct random_client *c)
{
	struct wire m = c->last;

	if (!m.len)
		return;
	switch (dice(g, 3)) {
	case 0:
		break;
	case 1:
		m.len -= dice(g, (uint32_t)m.len);
		break;
	default:
		m.buf[dice(g, (uint32_t)m.len)] ^= (uint8_t)(1u << dice(g, 8));
		break;
	}
	/* whatever it does to permissions, it does to those of a request that was right */
	for (size_t i = 0; i < PEERS; i++)
		if (g->permitted_ms[i] && !m.buf[0] && wire_type(m.buf) >= W_CREATE_PERMISSION)
			g->permitted_ms[i] = now_ms(g);
	host_send(&c->host, SERVER4, m.buf, m.len);
}

static void step(struct game *g)
{
	struct random_client *c = &g->client[dice(g, CLIENTS)];

	switch (dice(g, 14)) {
	case 0:
	case 1:
		allocate(g, c);
		break;
	case 2:
		refresh(g, c);
		break;
	case 3:
		move(g, c);
		break;
	case 4:
		permit(g, c, false);
		break;
	case 5:
	case 6:
		permit(g, c, true);
		break;
	case 7:
	case 8:
		send_data(g, c);
		break;
	case 9:
	case 10:
		answer(g, c);
		break;
	case 11:
		icmp(g, c);
		break;
	case 12:
		again(g, c);
		break;
	default:
		if (!dice(g, 20))
			env_virtual_fail_open(g->w.env, 1 + dice(g, 3), -E_IN_USE);
		world_run(&g->w, dice(g, 3) ? dice(g, 2000) : dice(g, 200000));
		break;
	}
	world_run(&g->w, 0);
	check_heard(g);
}

static void play(uint64_t seed)
{
	struct game *g = calloc(1, sizeof(*g));

	print_message("seed %llu\n", (unsigned long long)seed);
	g->state = seed * 0x9e3779b97f4a7c15u + 1;
	world_init(&g->w);
	g->w.conf.mobility = true;
	g->w.conf.session_bandwidth = 100000;
	g->w.conf.user_bandwidth = 200000;
	world_start(&g->w);
	for (size_t i = 0; i < CLIENTS; i++) {
		char text[ADDR_STRLEN];

		snprintf(text, sizeof(text), "198.51.100.%zu:1", i + 1);
		host_open(&g->w, &g->client[i].host, text, i == 4 ? "bob" : "alice",
		          i == 4 ? "hunter2" : "secret");
	}
	for (size_t i = 0; i < PEERS; i++)
		host_open(&g->w, &g->peer[i], peer_text[i], "", "");
	for (int i = 0; i < STEPS; i++)
		step(g);
	print_message("allocated %zu, moved %zu, relayed %zu, refused %zu\n", g->allocations,
	              g->moves, g->relayed, g->refused);
	/* it was no idle talk */
	assert_true(g->allocations > 100 && g->moves > 5 && g->relayed > 20 && g->refused > 50);
	env_virtual_fail_open(g->w.env, 0, 0);
	world_run(&g->w, 3700 * 1000);
	assert_int_equal(turn_allocations(g->w.turn), 0);
	assert_int_equal(turn_ports_leased(g->w.ports4) + turn_ports_leased(g->w.ports6), 0);
	for (size_t i = 0; i < CLIENTS; i++)
		host_close(&g->client[i].host);
	for (size_t i = 0; i < PEERS; i++)
		host_close(&g->peer[i]);
	world_stop(&g->w);
	free(g);
}

static void random_steps(void **state)
{
	const char *seed = getenv("TURNPIKE_SEED");

	(void)state;
	if (seed) {
		play(strtoull(seed, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= 3; i++)
		play(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
