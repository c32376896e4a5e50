/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The time of day, for credentials that end at a time: never behind a floor that moves on by
 * itself, so that a clock that was set back opens nothing again. All threads share one.
 */
#ifndef BASE_WALL_H
#define BASE_WALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct wall {
	_Atomic int64_t ahead_s; /* from the seconds since boot to the floor; 0: no floor */
};

/* Unix time. NULL is a wall without a floor. */
int64_t wall_now_s(const struct wall *w);

/* The Unix time now is at least this; 0: remove the floor. NULL is legal. */
void wall_set_floor(struct wall *w, int64_t floor_s);

/* Seconds since boot, with sleep: a clock that nobody sets. */
int64_t wall_boot_s(void);

/* "2026-11-22T13:14:15Z" (RFC 3339, UTC), or with milliseconds. */
#define WALL_STRLEN 32
const char *wall_text(int64_t at_ms, bool with_ms, char out[WALL_STRLEN]);

/* True when the kernel says that a time service (NTP) keeps the clock. */
bool wall_is_synchronized(void);

#endif
