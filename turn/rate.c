/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bandwidth (a token bucket told by its time of being empty).
 */
#include "turn/rate.h"

#define NS_PER_S  1000000000u
#define NS_PER_MS 1000000u

#define WAIT_MIN_MS 5    /* so that a fast stream is not woken for every packet */
#define WAIT_MAX_MS 1000 /* a limit may be raised meanwhile */

#define LEASE_PART 64 /* of a second's worth */
#define LEASE_MAX  65536u

/* In time: len is below 2^24 wherever it comes from, so that nothing overflows. */
static uint64_t cost_ns(uint64_t bytes_per_s, size_t len)
{
	return (uint64_t)len * NS_PER_S / bytes_per_s;
}

/* How much may pass at once after a pause, in time. */
static uint64_t burst_of(uint64_t bytes_per_s)
{
	uint64_t burst_ns = cost_ns(bytes_per_s, TURN_RATE_BURST);

	return burst_ns < NS_PER_S ? NS_PER_S : burst_ns;
}

bool turn_rate_take(struct turn_rate *r, uint64_t bytes_per_s, uint64_t now_ms, size_t len)
{
	uint64_t now_ns = now_ms * NS_PER_MS, burst_ns = burst_of(bytes_per_s);
	uint64_t seen = atomic_load_explicit(&r->spent_until_ns, memory_order_relaxed), next;

	do {
		next = (seen > now_ns ? seen : now_ns) + cost_ns(bytes_per_s, len);
		if (next - now_ns > burst_ns)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
	    &r->spent_until_ns, &seen, next, memory_order_relaxed, memory_order_relaxed));
	return true;
}

uint64_t turn_rate_wait_ms(struct turn_rate *r, uint64_t bytes_per_s, uint64_t now_ms, bool yields)
{
	uint64_t free_ns = now_ms * NS_PER_MS + burst_of(bytes_per_s) / (yields ? 2 : 1);
	uint64_t spent = atomic_load_explicit(&r->spent_until_ns, memory_order_relaxed), ms;

	if (spent < free_ns)
		return 0;
	ms = (spent - free_ns) / NS_PER_MS + 1;
	return ms < WAIT_MIN_MS ? WAIT_MIN_MS : ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms;
}

void turn_rate_charge(struct turn_rate *r, uint64_t bytes_per_s, uint64_t now_ms, size_t len)
{
	uint64_t now_ns = now_ms * NS_PER_MS;
	uint64_t seen = atomic_load_explicit(&r->spent_until_ns, memory_order_relaxed), next;

	do
		next = (seen > now_ns ? seen : now_ns) + cost_ns(bytes_per_s, len);
	while (!atomic_compare_exchange_weak_explicit(&r->spent_until_ns, &seen, next,
	                                              memory_order_relaxed, memory_order_relaxed));
}

bool turn_rate_lease(struct turn_rate *shared, uint32_t *credit, uint64_t bytes_per_s,
                     uint64_t now_ms, size_t len)
{
	uint64_t supply = bytes_per_s / LEASE_PART;

	if (*credit < len) {
		size_t missing = len - *credit;

		if (supply > LEASE_MAX)
			supply = LEASE_MAX;
		if (supply <= missing || !turn_rate_take(shared, bytes_per_s, now_ms, supply)) {
			supply = missing;
			if (!turn_rate_take(shared, bytes_per_s, now_ms, missing))
				return false;
		}
		*credit += (uint32_t)supply;
	}
	*credit -= (uint32_t)len;
	return true;
}
