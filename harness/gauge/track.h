/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What happened when: arrivals by way of the relay and of the echo, and how
 * long the server has waited for a core. Figures are drawn from it at the end.
 */
#ifndef GAUGE_TRACK_H
#define GAUGE_TRACK_H

#include <stddef.h>

#define TRACK_MAX 16384

/* Arrivals in the order in which they came. */
struct track {
	size_t n;
	struct arrival {
		double at_ms, took_ms;
	} arrival[TRACK_MAX];
};

void track_add(struct track *t, double at_ms, double took_ms);

/* The quantile of the arrivals at that part (0..1); 0 without arrivals. */
double track_quantile(const struct track *t, double part);

/* The longest time without an arrival between two moments. */
double track_gap(const struct track *t, double from_ms, double to_ms);

/* A counter that rises, as it was at some moments: at[] and count[] in order, n of them. How much
 * it rose between two moments, as far as they show. */
struct climb {
	size_t n;
	double at_ms[TRACK_MAX / 8], count[TRACK_MAX / 8];
};

void climb_add(struct climb *c, double at_ms, double count);
double climb_between(const struct climb *c, double from_ms, double to_ms);

/* The longest gap of the relay that the echo's own does not explain. */
struct gap {
	double from_ms, ms, echo_ms;
};

void track_worst_gap(const struct track *relay, const struct track *echo, double from_ms,
                     double to_ms, struct gap *out);

#endif
