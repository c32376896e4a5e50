/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tells who used the relay, in deltas: at an allocation's end, and in between
 * whenever the owner asks.
 */
#include "turn/state.h"

#include "base/error.h"

#include <utlist.h>

void turn_set_usage(struct turn *t, turn_usage_fn *fn, void *ctx)
{
	t->usage = fn;
	t->usage_ctx = ctx;
}

void turn_usage_tell(struct turn_alloc *a, bool ended)
{
	struct turn *t = a->turn;
	struct turn_told *told = &a->told;
	struct turn_usage u = {.realm = t->conf.realm[a->realm],
	                       .username = a->username,
	                       .username_len = a->username_len,
	                       .third_party = a->third_party,
	                       .begun = !told->begun,
	                       .relays = a->relayed_s && !told->relayed_s,
	                       .ended = ended,
	                       .idle = ended && !a->relayed_s,
	                       .relayed_s = a->relayed_s - told->relayed_s,
	                       .to_peer_packets = a->to_peer_packets - told->to_peer_packets,
	                       .to_peer_bytes = a->to_peer_bytes - told->to_peer_bytes,
	                       .to_client_packets = a->to_client_packets - told->to_client_packets,
	                       .to_client_bytes = a->to_client_bytes - told->to_client_bytes,
	                       .all_to_peer_bytes = a->to_peer_bytes,
	                       .all_to_client_bytes = a->to_client_bytes};

	if (!t->usage)
		return;
	u.all_allocated_ms = t->now_ms - a->created_ms;
	u.allocated_ms = u.all_allocated_ms - told->allocated_ms;
	*told = (struct turn_told){.begun = true,
	                           .allocated_ms = told->allocated_ms + u.allocated_ms,
	                           .relayed_s = a->relayed_s,
	                           .to_peer_packets = a->to_peer_packets,
	                           .to_peer_bytes = a->to_peer_bytes,
	                           .to_client_packets = a->to_client_packets,
	                           .to_client_bytes = a->to_client_bytes};
	t->usage(t->usage_ctx, &u);
}

/* Every allocation waits in the wheel; one that moves to another slot meanwhile is told of a
 * round later, or twice: they are deltas. */
void turn_tell_usage(struct turn *t, unsigned part, unsigned parts)
{
	size_t from = (size_t)TURN_WHEEL_SLOTS * part / parts;
	size_t to = (size_t)TURN_WHEEL_SLOTS * (part + 1) / parts;
	struct turn_alloc *a;

	t->now_ms = env_now_ms(t->env);
	for (size_t i = from; i < to; i++)
		DL_FOREACH (t->wheel[i], a)
			turn_usage_tell(a, false);
}
