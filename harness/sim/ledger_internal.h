/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by ledger.c and cause.c.
 */
#ifndef SIM_LEDGER_INTERNAL_H
#define SIM_LEDGER_INTERNAL_H

#include "harness/sim/ledger.h"

#define RESERVED_MAX 64

struct acc_nonce;

struct reserved {
	uint8_t token[8];
	struct ep relayed;
	uint32_t user;
	uint64_t until_ms; /* 0: free */
};

struct ledger {
	struct sim *sim;
	uint32_t node_ip;
	struct acc_alloc *by_client, *by_relayed;
	struct acc_alloc **by_user; /* by agent */
	struct reserved reserved[RESERVED_MAX];
	struct acc_nonce *nonces; /* that the node gave */
	uint64_t serials;
	uint32_t made;
	struct ep last_port;
};

/* A request and its reply, taken apart. */
struct exchange {
	struct ledger *acc;
	struct ep client;
	const uint8_t *request, *reply;
	size_t request_len, reply_len;
	struct acc_alloc *alloc; /* not expired, or NULL */
	uint16_t method;
	uint32_t call;
	int code;
};

/* ledger.c */
bool exchange_has(const struct exchange *x, uint16_t type, const uint8_t **value);
uint32_t exchange_user(const struct exchange *x);
struct reserved *ledger_reserved(struct ledger *acc, const uint8_t *token, struct ep relayed);
/* How many places a user has, reserved ports too; what has just expired may count. */
void ledger_count_user(const struct ledger *acc, uint32_t user, uint32_t *least, uint32_t *most);
/* A channel with the number, or one to the peer, says that these two cannot be bound. */
bool ledger_chan_taken(struct ledger *acc, struct acc_alloc *a, uint16_t number, struct ep peer);

/* cause.c: checks that a refusal had a cause and a success had none against it. To be called before
 * the reply is entered. */
void cause_check(struct exchange *x);
void cause_sweep(struct ledger *acc);
void cause_free(struct ledger *acc);

#endif
