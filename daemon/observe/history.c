/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Two rings of samples.
 */
#include "daemon/observe/history.h"

static struct history_sample sample(int64_t now_s, int64_t since_s, const struct history_input *now,
                                    const struct history_input *before)
{
	uint64_t s = (uint64_t)(now_s - since_s);

	return (struct history_sample){
	    .at_s = now_s,
	    .to_peer_rate = (now->to_peer_bytes - before->to_peer_bytes) / s,
	    .to_client_rate = (now->to_client_bytes - before->to_client_bytes) / s,
	    .allocations = now->allocations,
	    .calls = now->calls,
	};
}

void history_add(struct history *h, int64_t now_s, const struct history_input *now)
{
	if (!h->last_s || now_s < h->last_s) { /* the first time, or the clock was set back */
		h->last_s = h->last_minute_s = now_s;
		h->last = h->last_minute = *now;
		return;
	}
	if (now_s == h->last_s)
		return;
	h->second[h->second_n++ % HISTORY_SECONDS] = sample(now_s, h->last_s, now, &h->last);
	h->last_s = now_s;
	h->last = *now;
	if (now_s - h->last_minute_s < 60)
		return;
	h->minute[h->minute_n++ % HISTORY_MINUTES] =
	    sample(now_s, h->last_minute_s, now, &h->last_minute);
	h->last_minute_s = now_s;
	h->last_minute = *now;
}

const struct history_sample *history_at(const struct history *h, int step_s, size_t i)
{
	size_t size = step_s == 60 ? HISTORY_MINUTES : HISTORY_SECONDS;
	size_t n = step_s == 60 ? h->minute_n : h->second_n;
	const struct history_sample *ring = step_s == 60 ? h->minute : h->second;
	size_t kept = n < size ? n : size;

	return i < kept ? &ring[(n - kept + i) % size] : NULL;
}
