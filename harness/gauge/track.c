/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Quantiles and gaps. Pure.
 */
#include "harness/gauge/track.h"

#include <stdlib.h>
#include <string.h>

void track_add(struct track *t, double at_ms, double took_ms)
{
	if (t->n < TRACK_MAX)
		t->arrival[t->n++] = (struct arrival){at_ms, took_ms};
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double track_quantile(const struct track *t, double part)
{
	double *took = malloc((t->n + 1) * sizeof(*took)), result = 0;

	if (!took)
		return 0;
	for (size_t i = 0; i < t->n; i++)
		took[i] = t->arrival[i].took_ms;
	qsort(took, t->n, sizeof(*took), by_size);
	if (t->n > 0)
		result = took[(size_t)((double)(t->n - 1) * part)];
	free(took);
	return result;
}

double track_gap(const struct track *t, double from_ms, double to_ms)
{
	double last = from_ms, longest = 0;

	for (size_t i = 0; i < t->n && t->arrival[i].at_ms < to_ms; i++) {
		if (t->arrival[i].at_ms <= from_ms)
			continue;
		if (t->arrival[i].at_ms - last > longest)
			longest = t->arrival[i].at_ms - last;
		last = t->arrival[i].at_ms;
	}
	return to_ms - last > longest ? to_ms - last : longest;
}

void climb_add(struct climb *c, double at_ms, double count)
{
	if (c->n == sizeof(c->count) / sizeof(*c->count))
		return;
	c->at_ms[c->n] = at_ms;
	c->count[c->n++] = count;
}

double climb_between(const struct climb *c, double from_ms, double to_ms)
{
	double first = 0, last = 0;
	size_t i;

	if (c->n == 0)
		return 0;
	first = c->count[0];
	for (i = 0; i < c->n && c->at_ms[i] <= from_ms; i++)
		first = c->count[i];
	/* The first look behind the end belongs to it. */
	for (last = first; i < c->n; i++) {
		last = c->count[i];
		if (c->at_ms[i] >= to_ms)
			break;
	}
	return last - first;
}

void track_worst_gap(const struct track *relay, const struct track *echo, double from_ms,
                     double to_ms, struct gap *out)
{
	double last = from_ms;

	*out = (struct gap){.from_ms = from_ms};
	for (size_t i = 0; i <= relay->n; i++) {
		double at = i < relay->n ? relay->arrival[i].at_ms : to_ms;
		double own;

		if (at > to_ms)
			at = to_ms;
		if (at - last > out->ms - out->echo_ms) {
			own = track_gap(echo, last, at);
			if (at - last - own > out->ms - out->echo_ms)
				*out = (struct gap){last, at - last, own};
		}
		if (at > last)
			last = at;
	}
}
