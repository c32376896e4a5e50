/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Counts, and the delays of a sample of them.
 */
#include "harness/load/tally.h"

#include "harness/load/server.h"

#include <stdlib.h>
#include <time.h>

uint64_t load_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int tally_start(struct tally *t, struct server *s, double seconds, struct why *why)
{
	*t = (struct tally){.server = s, .every = 1};
	t->sample = malloc(TALLY_SAMPLES * sizeof(*t->sample));
	if (!t->sample)
		return why_set(why, -E_NOMEM, "out of memory");
	t->lasts_ns = (uint64_t)(seconds * 1e9);
	t->warm_ns = load_now_ns() + TALLY_WARM_NS;
	return 0;
}

bool tally_goes_on(struct tally *t, uint64_t now_ns)
{
	if (!t->counting && now_ns >= t->warm_ns) {
		t->counting = true;
		t->warm_ns = now_ns;
		t->end_ns = now_ns + t->lasts_ns;
		t->run_ns = server_run_ns(t->server);
	}
	if (t->counting && !t->over && now_ns >= t->end_ns + (t->done ? 0 : TALLY_PATIENCE_NS)) {
		t->over = true;
		t->end_ns = now_ns;
		t->run_ns = server_run_ns(t->server) - t->run_ns;
	}
	return !t->over;
}

/* When the array is full, half of it makes room, and from then on half as many are kept. */
static void keep(struct tally *t, uint32_t us)
{
	if (t->seen++ % t->every)
		return;
	if (t->sample_n == TALLY_SAMPLES) {
		for (size_t i = 0; i < TALLY_SAMPLES / 2; i++)
			t->sample[i] = t->sample[2 * i];
		t->sample_n = TALLY_SAMPLES / 2;
		t->every *= 2;
	}
	t->sample[t->sample_n++] = us;
}

void tally_done(struct tally *t, uint64_t sent_ns, uint64_t now_ns)
{
	if (!t->counting)
		return;
	t->done++;
	keep(t, (uint32_t)((now_ns - sent_ns) / 1000));
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int tally_end(struct tally *t, struct measure *m, struct why *why)
{
	double ns = (double)(t->end_ns - t->warm_ns);
	int r = 0;

	*m = (struct measure){.done = t->done, .lost = t->lost, .held = t->held, .late = t->late};
	if (!t->done || !t->over) {
		r = server_check(t->server, why);
		if (!r)
			r = why_set(why, -E_TIMEOUT, "nothing came through %s", t->server->name);
	} else {
		m->seconds = ns / 1e9;
		m->cpu_us = (double)t->run_ns / 1e3 / (double)t->done;
		m->busy = (double)t->run_ns / ns;
		qsort(t->sample, t->sample_n, sizeof(*t->sample), by_size);
		m->p50_us = t->sample[t->sample_n / 2];
		m->p99_us = t->sample[t->sample_n * 99 / 100];
	}
	free(t->sample);
	t->sample = NULL;
	return r;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double tally_median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}
