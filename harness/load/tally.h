/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Counts while a load runs, from the end of its warm-up on.
 */
#ifndef LOAD_TALLY_H
#define LOAD_TALLY_H

#include "harness/load/load.h"

#define TALLY_WARM_NS 300000000u /* not counted */
#define TALLY_SAMPLES (1u << 19)
/* Extra time if nothing has come through: a busy machine may have delayed the server. */
#define TALLY_PATIENCE_NS UINT64_C(5000000000)

struct tally {
	struct server *server;
	uint64_t warm_ns, end_ns, lasts_ns;
	uint64_t run_ns; /* of the server: at warm_ns, and once it is over, between the two */
	bool counting, over;
	uint64_t done, lost, held, late;
	uint32_t *sample; /* µs */
	size_t sample_n, every, seen;
};

/* Starts the clock. 0 or -E_NOMEM. */
int tally_start(struct tally *t, struct server *s, double seconds, struct why *why);

/* False when the time is over. To be asked often: it also notes the end of the warm-up. What comes
 * through later still counts, if it was sent before. */
bool tally_goes_on(struct tally *t, uint64_t now_ns);

/* One came through that left at sent_ns. */
void tally_done(struct tally *t, uint64_t sent_ns, uint64_t now_ns);

/* The sums; frees. why is set, and a code returned, when nothing came through. */
int tally_end(struct tally *t, struct measure *m, struct why *why);

/* Sorts. */
double tally_median(double *v, int n);

#endif
