/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bandwidth: the bytes that may pass in a second. A rate is one number, the time up to which it is
 * spent; threads can share it without a lock. A datagram over the limit is dropped: a call over its
 * limit gets worse, not refused. A stream waits: it passes what it has read and pays for it
 * afterwards.
 */
#ifndef TURN_RATE_H
#define TURN_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum turn_direction { TURN_TO_PEER, TURN_TO_CLIENT };

/* Zeroed at first. */
struct turn_rate {
	_Atomic uint64_t spent_until_ns; /* monotonic */
};

/* Spends len bytes of bytes_per_s. False, and nothing spent, when the budget is too small. After a
 * pause a second's worth may pass at once, and never less than TURN_RATE_BURST. Thread safe. */
#define TURN_RATE_BURST 65536
bool turn_rate_take(struct turn_rate *r, uint64_t bytes_per_s, uint64_t now_ms, size_t len);

/* For a stream: 0 when it may read and pass something, or the ms until the next try. A yielding
 * stream takes at most half of the burst and leaves the rest to datagrams, which cannot wait. Both
 * this and the next are thread safe. */
uint64_t turn_rate_wait_ms(struct turn_rate *r, uint64_t bytes_per_s, uint64_t now_ms, bool yields);

/* Spends len bytes that have passed already, even beyond the budget. */
void turn_rate_charge(struct turn_rate *r, uint64_t bytes_per_s, uint64_t now_ms, size_t len);

/* Like turn_rate_take(), but takes from *credit, a supply that one thread holds, and asks the
 * shared rate only when the supply is used up. A supply is a small part of a second's worth. */
bool turn_rate_lease(struct turn_rate *shared, uint32_t *credit, uint64_t bytes_per_s,
                     uint64_t now_ms, size_t len);

#endif
