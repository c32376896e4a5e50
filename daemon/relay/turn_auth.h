/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Answers the TURN server's question for keys from a snapshot of the store:
 * time-limited names ("expiry:name") with every live secret, static users by
 * their stored key.
 */
#ifndef DAEMON_TURN_AUTH_H
#define DAEMON_TURN_AUTH_H

#include "store/snapshot.h"
#include "turn/turn.h"

#include <stdatomic.h>

/* The ctx of turn_auth_ops. The owner swaps users for a newer snapshot. */
struct turn_auth {
	struct store_snapshot *users;
	struct refusals *refusals; /* borrowed; may be NULL: nothing is logged */
	/* News of locks: that were posted to this worker, by the main thread, and that it has
	 * taken. */
	atomic_uint locks_posted;
	unsigned locks_taken;
};

extern const struct turn_auth_ops turn_auth_ops;

#endif
