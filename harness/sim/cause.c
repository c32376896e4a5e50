/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Why a request may be refused. The clients here send what is right and know their passwords, so
 * each error code has few causes or none, and the ledger of promises knows them.
 */
#include "harness/sim/ledger_internal.h"

#include "harness/sim/net.h"
#include "harness/sim/node.h"

#include <stdlib.h>

#define NONCE_LEN_MAX 64
#define NONCE_MS      (NODE_NONCE_LIFETIME_S * UINT64_C(1000))
#define SECOND_MS     1000 /* nonces count in seconds */
#define BINDABLE      3    /* peers that a request may name, at most */

struct acc_nonce {
	UT_hash_handle hh;
	char text[NONCE_LEN_MAX];
	struct ep client;
	uint64_t given_ms;
	bool used; /* an allocation was made with it */
};

void cause_free(struct ledger *acc)
{
	struct acc_nonce *n, *next;

	HASH_ITER (hh, acc->nonces, n, next) {
		HASH_DEL(acc->nonces, n);
		free(n);
	}
}

/* They are in the order of their giving. */
void cause_sweep(struct ledger *acc)
{
	struct acc_nonce *n, *next;

	HASH_ITER (hh, acc->nonces, n, next) {
		if (n->given_ms + NONCE_MS + 2 * SECOND_MS > sim_now(acc->sim))
			break;
		HASH_DEL(acc->nonces, n);
		free(n);
	}
}

static bool get_nonce(const uint8_t *m, size_t len, char out[NONCE_LEN_MAX])
{
	memset(out, 0, NONCE_LEN_MAX);
	return wire_get_str(m, len, ATTR_NONCE, out, NONCE_LEN_MAX);
}

static void note_nonce(struct exchange *x)
{
	struct ledger *acc = x->acc;
	char text[NONCE_LEN_MAX];
	struct acc_nonce *n;

	if (!get_nonce(x->reply, x->reply_len, text))
		return;
	HASH_FIND(hh, acc->nonces, text, NONCE_LEN_MAX, n);
	if (n) {
		HASH_DEL(acc->nonces, n);
	} else {
		n = calloc(1, sizeof(*n));
		if (!n)
			return;
		memcpy(n->text, text, sizeof(n->text));
	}
	n->used = false;
	n->client = x->client;
	n->given_ms = sim_now(acc->sim);
	if (TABLE_ADD(hh, acc->nonces, text, NONCE_LEN_MAX, n))
		free(n);
}

static struct acc_nonce *shown_nonce(const struct exchange *x)
{
	char text[NONCE_LEN_MAX];
	struct acc_nonce *n = NULL;

	if (get_nonce(x->request, x->request_len, text))
		HASH_FIND(hh, x->acc->nonces, text, NONCE_LEN_MAX, n);
	return n;
}

/* 438: each port of a client needs a nonce of its own, and that ends with the allocation that was
 * made with it. */
static bool is_stale(const struct exchange *x)
{
	const struct acc_nonce *n = shown_nonce(x);

	return !n || !ep_equal(n->client, x->client) || (n->used && !x->alloc) ||
	       n->given_ms + NONCE_MS <= sim_now(x->acc->sim) + SECOND_MS;
}

/* No success may follow from a nonce that the node never gave, that it gave to another client, or
 * that is too old; and not two allocations. */
static bool is_good(const struct exchange *x)
{
	const struct acc_nonce *n = shown_nonce(x);

	return n && ep_equal(n->client, x->client) &&
	       !(n->used && x->method == W_ALLOCATE && !x->alloc) &&
	       n->given_ms + NONCE_MS + SECOND_MS >= sim_now(x->acc->sim);
}

static bool is_pool_full(const struct exchange *x, bool pair)
{
	struct ledger *acc = x->acc;
	uint32_t ports = HASH_CNT(hh_relayed, acc->by_relayed);

	for (size_t i = 0; i < RESERVED_MAX; i++)
		ports += acc->reserved[i].until_ms != 0;
	/* Each port that is taken may spoil a pair. */
	return ports >= (NODE_PORT_MAX - NODE_PORT_MIN + 1u) / (pair ? 2 : 1);
}

static bool allocate_508(const struct exchange *x)
{
	const uint8_t *even, *token;

	if (exchange_has(x, ATTR_RESERVATION_TOKEN, &token))
		return !ledger_reserved(x->acc, token, (struct ep){0, 0, 0});
	return is_pool_full(x, exchange_has(x, ATTR_EVEN_PORT, &even));
}

static bool permission_508(const struct exchange *x)
{
	uint32_t live = BINDABLE;

	for (uint16_t i = 0; x->alloc && i < x->alloc->perm_n; i++)
		live += x->alloc->perm[i].until_ms > sim_now(x->acc->sim);
	return live > NODE_PERMISSIONS_MAX;
}

static bool channel_508(const struct exchange *x)
{
	uint32_t live = 1;

	for (uint16_t i = 0; x->alloc && i < x->alloc->chan_n; i++)
		live += x->alloc->chan[i].until_ms > sim_now(x->acc->sim);
	return live > NODE_CHANNELS_MAX || permission_508(x);
}

static bool quota_486(const struct exchange *x)
{
	const uint8_t *even;
	uint32_t least, most, wanted = 1;

	if (exchange_has(x, ATTR_EVEN_PORT, &even) && *even & 0x80)
		wanted++;
	ledger_count_user(x->acc, exchange_user(x), &least, &most);
	return x->method == W_ALLOCATE && most + wanted > SIM_USER_QUOTA;
}

static bool conflict_400(const struct exchange *x)
{
	uint16_t number =
	    (uint16_t)(wire_get_u32(x->request, x->request_len, ATTR_CHANNEL_NUMBER) >> 16);
	struct addr peer;

	return x->method == W_CHANNEL_BIND && x->alloc &&
	       wire_get_xor_addr(x->request, x->request_len, ATTR_XOR_PEER_ADDRESS, &peer) &&
	       ledger_chan_taken(x->acc, x->alloc, number, ep_of(&peer));
}

/* RFC 6062 section 5.2: nothing listens there, or answers in time. */
static bool connect_447(const struct exchange *x)
{
	struct addr peer;

	return x->method == W_CONNECT &&
	       wire_get_xor_addr(x->request, x->request_len, ATTR_XOR_PEER_ADDRESS, &peer) &&
	       sim_net_is_deaf_peer(ep_of(&peer));
}

static bool capacity_508(const struct exchange *x)
{
	switch (x->method) {
	case W_ALLOCATE:
		return allocate_508(x);
	case W_CREATE_PERMISSION:
		return permission_508(x);
	case W_CHANNEL_BIND:
		return channel_508(x);
	default:
		return false;
	}
}

/* ledger.c decides about 403 and 437. */
static bool is_deserved(const struct exchange *x)
{
	const uint8_t *integrity;

	switch (x->code) {
	case 400:
		return conflict_400(x) ||
		       x->method == W_CONNECTION_BIND; /* watch_tcp.c knows more */
	case 401:
		return !exchange_has(x, ATTR_MESSAGE_INTEGRITY, &integrity);
	case 403:
		return x->method == W_CREATE_PERMISSION || x->method == W_CHANNEL_BIND;
	case 437:
		return true;
	case 438:
		return is_stale(x);
	case 447:
		return connect_447(x);
	case 486:
		return quota_486(x);
	case 508:
		return capacity_508(x);
	default:
		return false;
	}
}

void cause_check(struct exchange *x)
{
	const uint8_t *integrity;
	struct acc_nonce *n;

	if (x->code)
		sim_check(x->acc->sim, SIM_CAUSE, is_deserved(x), x->call,
		          "a request 0x%04x was refused with %d, without a cause", x->method,
		          x->code);
	else if (x->method != W_BINDING)
		sim_check(x->acc->sim, SIM_CAUSE,
		          exchange_has(x, ATTR_MESSAGE_INTEGRITY, &integrity) && is_good(x),
		          x->call, "a request 0x%04x without a good nonce was granted", x->method);
	if (x->code == 401 || x->code == 438)
		note_nonce(x);
	n = x->code || x->method != W_ALLOCATE ? NULL : shown_nonce(x);
	if (n)
		n->used = true;
}
