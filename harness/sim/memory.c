/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bytes on the heap.
 */
#include "harness/sim/memory.h"

#include "base/env_virtual.h"
#include "base/error.h"
#include "turn/peer_policy.h"
#include "turn/ports.h"
#include "turn/quota.h"
#include "turn/turn.h"
#include "turn/wire/wire.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REALM "sim.example"
#define NODE  "5.0.0.1:3478"
#define PEER  "20.0.0.1:4000"

/* With AddressSanitizer, the heap belongs to it. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

size_t memory_in_use(void)
{
	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

void memory_lose(size_t bytes)
{
	static void *volatile kept; /* still reachable: no leak checker minds */

	kept = malloc(bytes);
	memset(kept, 1, bytes);
}

/* The one server, and what the client asked last. */
struct bench {
	struct env *env;
	struct turn *turn;
	struct turn_ports *ports;
	struct turn_quota *quota;
	struct peer_policy *policy;
	struct env_udp **client;
	uint32_t n;
	uint8_t key[16];
	char nonce[64];
	int code;
	struct wire wire;
};

static int keys(void *ctx, const struct turn_auth_query *q, struct turn_auth_answer *out)
{
	struct bench *b = ctx;

	out->username = out->quota_user = q->username;
	out->username_len = out->quota_user_len = q->username_len;
	out->expires_at_s = 0;
	out->key_n = 1;
	out->key[0].len = sizeof(b->key);
	memcpy(out->key[0].bytes, b->key, sizeof(b->key));
	return 0;
}

static const struct turn_auth_ops auth = {.keys = keys};

static void on_reply(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	struct bench *b = arg;

	(void)u;
	(void)n;
	b->code = wire_error(d->data, d->len);
	wire_get_str(d->data, d->len, ATTR_NONCE, b->nonce, sizeof(b->nonce));
}

/* 0, or the error's code, or -E_TIMEOUT. */
static int ask(struct bench *b, uint32_t i, uint16_t method)
{
	struct wire *m = &b->wire;
	struct addr to;

	wire_start(m, method, i + 1);
	if (method == W_ALLOCATE)
		wire_add_transport(m, IPPROTO_UDP);
	if (method == W_CHANNEL_BIND) {
		wire_add_channel(m, 0x4000);
		wire_add_peer(m, PEER);
	}
	if (*b->nonce) {
		wire_add_login(m, "1795326215:someone", REALM, b->nonce);
		wire_add_integrity(m, b->key);
	}
	b->code = -E_TIMEOUT;
	addr_parse(&to, NODE);
	env_udp_send(b->client[i], &to, m->buf, m->len);
	env_virtual_run(b->env, 0);
	return b->code;
}

/* With a nonce for this client, which the first one to ask does not have yet. */
static int ask_twice(struct bench *b, uint32_t i, uint16_t method)
{
	int r = ask(b, i, method);

	return r == 401 || r == 438 ? ask(b, i, method) : r;
}

static int open_clients(struct bench *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct env_udp_params p = {.fd = -1, .on_batch = on_reply, .arg = b};
		int r;

		addr_parse(&p.local, "20.0.0.2:0");
		r = env_udp_open(b->env, &p, &b->client[i]);
		if (r)
			return r;
	}
	return 0;
}

static int start(struct bench *b)
{
	struct turn_listener_conf l = {.fd = -1, .relay6 = TURN_NO_RELAY};
	struct turn_conf conf = {.realm = {REALM},
	                         .realm_n = 1,
	                         .relay_n = 1,
	                         .policy = b->policy,
	                         .quota = b->quota,
	                         .default_lifetime_s = 600,
	                         .max_lifetime_s = 3600,
	                         .nonce_lifetime_s = 3600,
	                         .permissions_max = 64,
	                         .channels_max = 64};

	addr_parse(&l.local, NODE);
	conf.relay[0] =
	    (struct turn_relay){.local = l.local, .external = l.local, .ports = b->ports};
	b->turn = turn_new(b->env, &conf, &auth, b);
	return b->turn ? turn_listen(b->turn, &l) : -E_NOMEM;
}

static int measure(struct bench *b)
{
	size_t before = memory_in_use(), sock, idle, active;
	int r = open_clients(b);

	if (r)
		return r;
	sock = (memory_in_use() - before) / b->n;
	before = memory_in_use();
	for (uint32_t i = 0; i < b->n && !r; i++)
		r = ask_twice(b, i, W_ALLOCATE);
	idle = (memory_in_use() - before) / b->n - sock;
	for (uint32_t i = 0; i < b->n && !r; i++)
		r = ask_twice(b, i, W_CHANNEL_BIND);
	active = (memory_in_use() - before) / b->n - sock;
	if (!r)
		printf("%u allocations: %zu bytes each when idle, %zu with a permission and a "
		       "channel, sockets not counted\n",
		       b->n, idle, active);
	return r;
}

int memory_measure(uint32_t n)
{
	struct bench *b = calloc(1, sizeof(*b));
	int r = -E_NOMEM;

	if (!b)
		return r;
	b->n = n;
	b->client = calloc(n, sizeof(struct env_udp *));
	b->env = env_virtual_new(1);
	b->ports = turn_ports_new(49152, 65535);
	b->quota = turn_quota_new(0, 0);
	b->policy = peer_policy_new();
	if (b->client && b->env && b->ports && b->quota && b->policy)
		r = start(b);
	if (!r)
		r = measure(b);
	if (r)
		fprintf(stderr, "turnpike-sim: --memory: %s\n",
		        r < 0 ? error_text(r) : "the server refused");
	turn_free(b->turn);
	env_virtual_free(b->env);
	turn_ports_free(b->ports);
	turn_quota_free(b->quota);
	peer_policy_free(b->policy);
	free(b->client);
	free(b);
	return r;
}
