/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The time of day, for what may be open only until a time: never behind a floor
 * that moves on by itself, so that a clock that was set back opens nothing again.
 * One is shared by all threads.
 */
#ifndef BASE_WALL_H
#define BASE_WALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct wall {
	_Atomic int64_t ahead_s; /* of the floor, to the seconds since the boot; 0: no floor */
};

/* Unix time. NULL is a wall without a floor. */
int64_t wall_now_s(const struct wall *w);

/* It is so late now at least (Unix time); 0: no floor any more. NULL is legal. */
void wall_set_floor(struct wall *w, int64_t floor_s);

/* Seconds since the boot, those of a sleep included: a clock that nobody sets. */
int64_t wall_boot_s(void);

/* Whether the kernel says that the clock is kept by somebody (NTP). */
bool wall_is_synchronized(void);

#endif
