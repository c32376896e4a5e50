/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The relay's recent traffic, for charts: a sample a second for ten minutes, one a minute for a
 * day, in two rings of fixed size.
 */
#ifndef DAEMON_HISTORY_H
#define DAEMON_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#define HISTORY_SECONDS 600
#define HISTORY_MINUTES 1440

/* Counters as they stand now. */
struct history_input {
	uint64_t to_peer_bytes, to_client_bytes, allocations, calls;
};

/* One step: bytes per second each way, and the other values at its end. */
struct history_sample {
	int64_t at_s; /* Unix time of its end */
	uint64_t to_peer_rate, to_client_rate, allocations, calls;
};

struct history {
	struct history_sample second[HISTORY_SECONDS], minute[HISTORY_MINUTES];
	size_t second_n, minute_n; /* ever written */
	struct history_input last, last_minute;
	int64_t last_s, last_minute_s;
};

/* Call it about every second. */
void history_add(struct history *h, int64_t now_s, const struct history_input *now);

/* The i-th existing sample, oldest first; NULL past the end. step_s: 1 or 60. */
const struct history_sample *history_at(const struct history *h, int step_s, size_t i);

#endif
