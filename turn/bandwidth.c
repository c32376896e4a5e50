/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The bandwidth of an allocation, of its user and of all. Payload counts. A datagram beyond a limit
 * is dropped; a stream (RFC 6062) is not read until it may go on.
 */
#include "turn/state.h"

#include "turn/quota.h"

#define NEVER_STARVE_MS 1000 /* from then on a stream has no less right than datagrams */
#define TURNS_MS        16   /* the longest extra delay of a stream that has just begun to wait */

bool turn_bandwidth_take(struct turn_alloc *a, enum turn_direction to, size_t len)
{
	struct turn *t = a->turn;
	const struct turn_conf *c = &t->conf;

	if (c->session_bandwidth &&
	    !turn_rate_take(&a->rate[to], c->session_bandwidth, t->now_ms, len))
		t->stats.session_bandwidth_drops++;
	else if (c->user_bandwidth &&
	         !turn_rate_lease(turn_quota_user_rate(a->quota_user, to), &a->user_credit[to],
	                          c->user_bandwidth, t->now_ms, len))
		t->stats.user_bandwidth_drops++;
	else if (c->total_bandwidth &&
	         !turn_rate_lease(turn_quota_rate(c->quota, to), &t->total_credit[to],
	                          c->total_bandwidth, t->now_ms, len))
		t->stats.total_bandwidth_drops++;
	else
		return true;
	a->bandwidth_drops++;
	return false;
}

/* The three limits that hold for an allocation. */
struct limit {
	struct turn_rate *rate;
	uint64_t bytes_per_s; /* 0: there is none */
};

static void limits_of(struct turn_alloc *a, enum turn_direction to, struct limit out[3])
{
	const struct turn_conf *c = &a->turn->conf;

	out[0] = (struct limit){&a->rate[to], c->session_bandwidth};
	out[1] = (struct limit){turn_quota_user_rate(a->quota_user, to), c->user_bandwidth};
	out[2] = (struct limit){turn_quota_rate(c->quota, to), c->total_bandwidth};
}

uint64_t turn_bandwidth_wait_ms(struct turn_alloc *a, enum turn_direction to, uint64_t waited_ms)
{
	struct limit limit[3];
	uint64_t longest = 0;

	limits_of(a, to, limit);
	for (int i = 0; i < 3; i++) {
		uint64_t ms = !limit[i].bytes_per_s
		                  ? 0
		                  : turn_rate_wait_ms(limit[i].rate, limit[i].bytes_per_s,
		                                      a->turn->now_ms, waited_ms < NEVER_STARVE_MS);

		if (ms > longest)
			longest = ms;
	}
	if (!longest)
		return 0;
	if (waited_ms > NEVER_STARVE_MS)
		waited_ms = NEVER_STARVE_MS;
	return longest + TURNS_MS - waited_ms * TURNS_MS / NEVER_STARVE_MS;
}

void turn_bandwidth_charge(struct turn_alloc *a, enum turn_direction to, size_t len)
{
	struct limit limit[3];

	limits_of(a, to, limit);
	for (int i = 0; i < 3; i++)
		if (limit[i].bytes_per_s)
			turn_rate_charge(limit[i].rate, limit[i].bytes_per_s, a->turn->now_ms, len);
}
