/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Mobility between workers (RFC 8016): a ticket may land on another worker than
 * the one that has the allocation, which is then handed over. Opt-in by
 * turn_conf.mobility; without these ops a foreign ticket is refused with 400.
 */
#ifndef TURN_MOBILITY_H
#define TURN_MOBILITY_H

#include "turn/turn.h"

struct turn_alloc;

/* Plain data: may be copied to the thread of the worker that is asked. */
struct turn_fetch {
	unsigned int asker; /* worker that wants it */
	uint64_t ticket;    /* for turn_take() there */
	uint64_t serial;
	uint8_t chance[5];
	unsigned int realm;
	bool third_party;
	struct stun_key key; /* a third party's: its username says nothing of the user */
	size_t username_len;
	uint8_t username[TURN_NAME_MAX];
};

struct turn_mobility_ops {
	/* Has the worker's turn_give() asked and the asker's turn_take() told, both later and on
	 * their own threads. Copies f. 0, or a code when there is no such worker. */
	int (*fetch)(void *ctx, unsigned int worker, const struct turn_fetch *f);
};

/* To be called before anything is served. */
void turn_set_mobility(struct turn *t, const struct turn_mobility_ops *ops, void *ctx);

/* Hands the allocation out: it belongs to the caller, for turn_take(). 0, or the STUN error code to
 * answer with. */
int turn_give(struct turn *t, const struct turn_fetch *f, struct turn_alloc **out);

/* What became of the fetch with this ticket: the allocation, or NULL and turn_give()'s code. The
 * request that waits is answered; an allocation that no request waits for closes. */
void turn_take(struct turn *t, uint64_t ticket, struct turn_alloc *a, int code);

#endif
