/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Limits how often a source gets an answer, on two levels:
 *
 * - an address has its own rate, so that a flood from it affects nobody else;
 * - its prefix (/24 of IPv4, /64 of IPv6) has TURN_LIMITER_PREFIX times that rate in total, so that
 *   nobody can flood a network through many of its addresses.
 *
 * An IPv4 address that asks seldom, at less than the TURN_LIMITER_QUIET-th part of its rate, uses
 * nothing of its prefix's budget: it gets its answer whatever an attacker forges in its neighbours'
 * names. So a /24 gets at most 16 + 256 / 16 = 32 times the rate of one address. An IPv6 prefix has
 * too many addresses for that: if all of its traffic is forged, its budget goes to random sources.
 *
 * The tables have a fixed size, so a flood from forged addresses costs no memory. A secret decides
 * where a source falls in them, so nobody can choose which sources to crowd out.
 */
#ifndef TURN_LIMITER_H
#define TURN_LIMITER_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define TURN_LIMITER_PREFIX   16
#define TURN_LIMITER_QUIET    16
#define TURN_LIMITER_BURST_MS 2000 /* budget unused for this long may be used at once */

struct env;
struct turn_limiter;

/* per_s answers each second and address; 0: no limit. NULL when out of memory. */
struct turn_limiter *turn_limiter_new(struct env *env, uint32_t per_s);

/* Takes effect now; existing counts stay. */
void turn_limiter_set_rate(struct turn_limiter *l, uint32_t per_s);
void turn_limiter_free(struct turn_limiter *l); /* NULL is legal */

/* Counts an answer that costs `weight` ordinary ones; false: the budget is used up. A source that
 * was silent for the burst's time gets one answer of any weight. Loopback is never limited: no
 * packet from outside comes from there. */
bool turn_limiter_take(struct turn_limiter *l, const struct addr *from, uint64_t now_ms,
                       unsigned int weight);

#endif
