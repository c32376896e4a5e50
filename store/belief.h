/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whether the clock is believed. What is forgotten once (usage, audit,
 * revocations) does not come back when somebody sets the clock right, and what
 * has expired would be open again once it is set back.
 *
 * The clock is believed while it goes as the monotonic one does, from where it
 * was believed last (the store keeps that). One that has jumped is believed
 * once it has gone evenly for BELIEF_PROOF_S, or when it is back.
 */
#ifndef STORE_BELIEF_H
#define STORE_BELIEF_H

#include "store/store.h"

#define BELIEF_PROOF_S 86400 /* so long it goes evenly ... */
#define BELIEF_LOOKS   24    /* ... and is seen to, so many times at least */
#define BELIEF_GAP_S   86400 /* a server that was off for longer starts with doubts */
#define BELIEF_SLACK_S 3600  /* a pause of the machine, a step of NTP */

struct belief {
	bool believed; /* now */
	/* The line that is believed: when it began, and where it was last (Unix time; 0: nothing is
	 * known), at which monotonic time. */
	int64_t since_s, mark_s, mark_at_s;
	bool seen; /* by this process, not only by one before */
	/* The line that it keeps to instead. */
	int64_t other_s, other_at_s, other_since_s;
	unsigned other_looks;
};

/* What the store knows: both 0 in a new one. */
void belief_start(struct belief *b, int64_t since_s, int64_t mark_s);

/* Looks at the clocks: Unix time, and a monotonic one that nobody sets. synchronized: somebody
 * keeps the clock, so that it is believed at once where it went back. Returns whether what is
 * older than now may be forgotten. */
bool belief_look(struct belief *b, int64_t wall_s, int64_t boot_s, bool synchronized);

/* It is later than this for certain (Unix time); 0: nothing is certain. */
int64_t belief_floor_s(const struct belief *b);

/* As the store keeps it. A store of an older schema knows the time of its newest audit. */
int store_belief_get(struct store *s, struct belief *b, struct why *why);
int store_belief_put(struct store *s, const struct belief *b, struct why *why);

#endif
