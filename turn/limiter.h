/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How often a source prefix (/24 of IPv4, /64 of IPv6) may be answered. The
 * table is of a fixed size, so a flood from forged addresses costs no memory;
 * where a prefix falls in it depends on a secret, so nobody can choose whom to
 * crowd out.
 */
#ifndef TURN_LIMITER_H
#define TURN_LIMITER_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define TURN_LIMITER_BURST_MS 2000 /* what was not used for so long may be used at once */

struct env;
struct turn_limiter;

/* per_s answers each second and prefix; 0: no limit. NULL when out of memory. */
struct turn_limiter *turn_limiter_new(struct env *env, uint32_t per_s);

/* From now on; what was counted stays. */
void turn_limiter_set_rate(struct turn_limiter *l, uint32_t per_s);
void turn_limiter_free(struct turn_limiter *l); /* NULL is legal */

/* Counts one answer; false: none is left. Loopback is never limited: no packet from outside comes
 * from there. */
bool turn_limiter_take(struct turn_limiter *l, const struct addr *from, uint64_t now_ms);

#endif
