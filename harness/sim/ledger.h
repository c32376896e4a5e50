/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A TURN node's promises, read from its replies: allocations with their ends, permissions,
 * channels, ports and reservations.
 */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "base/table.h"
#include "harness/sim/sim.h"

struct acc_perm {
	uint32_t ip;
	uint64_t until_ms;
};

struct acc_chan {
	uint16_t number;
	struct ep peer;
	uint64_t until_ms;
	uint64_t
	    lease; /* serial of the allocation that has the peer's address, one of the node's */
};

struct acc_alloc {
	UT_hash_handle hh_client, hh_relayed;
	struct acc_alloc *prev, *next; /* of the same user */
	struct ep client, relayed;
	uint32_t user;
	uint64_t serial;
	uint64_t expires_ms;
	bool tcp; /* RFC 6062 */
	uint8_t tid[12];
	struct acc_perm *perm;
	struct acc_chan *chan;
	uint16_t perm_n, chan_n;
};

struct ledger;

/* NULL when out of memory. */
struct ledger *ledger_new(struct sim *s, uint32_t node_ip);
void ledger_free(struct ledger *a);

/* Enters a reply, and checks that it was due. */
void ledger_reply(struct ledger *a, struct ep client, const uint8_t *request, size_t request_len,
                  const uint8_t *reply, size_t reply_len);

/* May still find an expired one, for a while. NULL: none. */
struct acc_alloc *ledger_by_client(struct ledger *a, struct ep client);
struct acc_alloc *ledger_by_relayed(struct ledger *a, struct ep relayed);
struct acc_chan *ledger_chan(struct acc_alloc *a, uint16_t number);
struct acc_chan *ledger_chan_to(struct acc_alloc *a, struct ep peer);
/* True when it is bound, to its first peer. */
bool ledger_chan_lasts(struct ledger *acc, const struct acc_chan *c);
bool ledger_permits(const struct ledger *acc, const struct acc_alloc *a, uint32_t ip);
/* The source of the client's data. */
struct ep ledger_server_end(const struct acc_alloc *a, unsigned int node);

void ledger_end(struct ledger *a, struct ep client);

/* Forgets what expired so long ago. */
void ledger_sweep(struct ledger *a, uint64_t after_ms);
/* How many allocations there must be, and may be. */
void ledger_count(const struct ledger *a, size_t *least, size_t *most);

#endif
