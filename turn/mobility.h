/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Mobility between workers (RFC 8016). A ticket may arrive at another worker than the one that
 * holds the allocation; the holder then hands it over. Opt-in by turn_conf.mobility; without these
 * ops the server refuses a foreign ticket with 400.
 */
#ifndef TURN_MOBILITY_H
#define TURN_MOBILITY_H

#include "turn/turn.h"

struct turn_alloc;

/* Plain data: may be copied to the thread of the holding worker. */
struct turn_fetch {
	unsigned int asker; /* the worker that wants the allocation */
	uint64_t ticket;    /* for turn_take() there */
	uint64_t serial;
	uint8_t chance[5];
	unsigned int realm;
	bool third_party;
	struct stun_key key; /* a third party's key: its username does not name the user */
	size_t username_len;
	uint8_t username[TURN_NAME_MAX];
};

struct turn_mobility_ops {
	/* Calls turn_give() on the given worker and then turn_take() on the asker, both later and
	 * on their own threads. Copies f. 0, or a code when there is no such worker. */
	int (*fetch)(void *ctx, unsigned int worker, const struct turn_fetch *f);
};

/* Call it before the server serves anything. */
void turn_set_mobility(struct turn *t, const struct turn_mobility_ops *ops, void *ctx);

/* Hands the allocation out: the caller owns it and passes it to turn_take(). 0, or the STUN error
 * code to answer with. */
int turn_give(struct turn *t, const struct turn_fetch *f, struct turn_alloc **out);

/* The result of the fetch with this ticket: the allocation, or NULL and turn_give()'s code. Answers
 * the waiting request; closes an allocation that no request waits for. */
void turn_take(struct turn *t, uint64_t ticket, struct turn_alloc *a, int code);

#endif
