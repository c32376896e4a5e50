/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Locks: which peers the allocations of a locked credential may relay towards. Somebody who knows
 * what their holder is up to tells the server, and what it has not been told is refused with 403.
 * Relayed addresses of this server are always legal, and so is the address that the client itself
 * comes from. The policy on peers (turn/peer_policy.h) applies on top.
 */
#ifndef TURN_LOCK_H
#define TURN_LOCK_H

#include "base/addr.h"

#include <stddef.h>
#include <stdint.h>

#define TURN_LOCK_PEERS_MAX 64

struct turn;

/* Replaces the peers of a lock: IPs, without ports, as permissions are. Copies them. Permissions,
 * channels and connections to others end at once. Without memory the lock has no peers; n is 0 when
 * it is over. 0, -E_NOMEM, or -E_LIMIT above TURN_LOCK_PEERS_MAX. */
int turn_lock_set(struct turn *t, uint64_t lock, const struct addr *peers, size_t n);

#endif
