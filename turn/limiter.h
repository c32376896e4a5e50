/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How often a source may be answered, on two levels:
 *  - an address has a rate of its own, so that a flood from it is its own affair;
 *  - its prefix (/24 of IPv4, /64 of IPv6) has TURN_LIMITER_PREFIX times as much for all, so that a
 *    network is not flooded by way of many of its addresses.
 * An IPv4 address that asks seldom, less than the TURN_LIMITER_QUIET-th part of its rate, needs
 * nothing of its prefix: it is answered whatever happens in its neighbours' names. So a /24 gets at
 * most 16 + 256 / 16 = 32 times the rate of one address. An IPv6 prefix has too many addresses for
 * that: where all of it is forged, its part is drawn by lot.
 *
 * The tables are of a fixed size, so a flood from forged addresses costs no memory; where a source
 * falls in them depends on a secret, so nobody can choose whom to crowd out.
 */
#ifndef TURN_LIMITER_H
#define TURN_LIMITER_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define TURN_LIMITER_PREFIX   16
#define TURN_LIMITER_QUIET    16
#define TURN_LIMITER_BURST_MS 2000 /* what was not used for so long may be used at once */

struct env;
struct turn_limiter;

/* per_s answers each second and address; 0: no limit. NULL when out of memory. */
struct turn_limiter *turn_limiter_new(struct env *env, uint32_t per_s);

/* From now on; what was counted stays. */
void turn_limiter_set_rate(struct turn_limiter *l, uint32_t per_s);
void turn_limiter_free(struct turn_limiter *l); /* NULL is legal */

/* Counts an answer that weighs as much as "weight" of them; false: none is left. Who has been
 * silent for the burst's time gets one of any weight. Loopback is never limited: no packet from
 * outside comes from there. */
bool turn_limiter_take(struct turn_limiter *l, const struct addr *from, uint64_t now_ms,
                       unsigned int weight);

#endif
