/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Decides whether the clock is right. Data deleted once (usage, audit, revocations) do not come
 * back when an administrator corrects the clock, and expired credentials would open again after it
 * is set back.
 *
 * The clock is believed while it moves with the monotonic one from the last time it was believed
 * (the store keeps that). A clock that has jumped is believed again after it has moved evenly for
 * BELIEF_PROOF_S, or when it is back.
 */
#ifndef STORE_BELIEF_H
#define STORE_BELIEF_H

#include "store/store.h"

#define BELIEF_PROOF_S 86400 /* it must move evenly for so long ... */
#define BELIEF_LOOKS   24    /* ... at no fewer checks than these */
#define BELIEF_GAP_S   86400 /* after a longer stop a server starts in doubt */
#define BELIEF_SLACK_S 3600  /* covers a pause of the machine or a step of NTP */

struct belief {
	bool believed; /* now */
	/* The believed line: its start, and its last point (Unix time; 0: unknown) with that
	 * point's monotonic time. */
	int64_t since_s, mark_s, mark_at_s;
	bool seen; /* by this process, not only by an earlier one */
	/* The other line that the clock follows now. */
	int64_t other_s, other_at_s, other_since_s;
	unsigned other_looks;
};

/* Starts from what the store knows: both 0 in a new one. */
void belief_start(struct belief *b, int64_t since_s, int64_t mark_s);

/* Checks the clocks: Unix time, and a monotonic one that nobody sets. synchronized: a time service
 * runs, so a clock that went back is believed at once. Returns true when data older than now may be
 * deleted. */
bool belief_look(struct belief *b, int64_t wall_s, int64_t boot_s, bool synchronized);

/* A Unix time that has certainly passed; 0: none is certain. */
int64_t belief_floor_s(const struct belief *b);

/* Reads it from the store. A store of an older schema knows the time of its newest audit row. */
int store_belief_get(struct store *s, struct belief *b, struct why *why);
int store_belief_put(struct store *s, const struct belief *b, struct why *why);

#endif
