/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The plan of a run: which cells, in which order.
 */
#ifndef SCENARIOS_PLAN_H
#define SCENARIOS_PLAN_H

#include "harness/scenarios/scenario.h"

#define PLAN_WORDS 64

struct plan_options {
	bool group[GROUPS];           /* none: GROUP_CALLS */
	const char *only[PLAN_WORDS]; /* names or patterns of cells (fnmatch), of any group */
	size_t only_n;
	const char *kinds[PLAN_WORDS]; /* the matrix over these; implies GROUP_MATRIX */
	size_t kinds_n;
	enum browser_product product[LAB_SIDES];  /* of the matrix */
	const struct target *target[TARGETS_MAX]; /* none: Turnpike. Borrowed by the plan. */
	size_t target_n;
	unsigned repeat;        /* each cell so often; 0 is 1 */
	unsigned shard, shards; /* the shard-th of shards parts, from 1; 0: all */
};

struct plan {
	struct cell *cell;
	size_t n;
};

/* 0; -E_INVAL: why names the word that fits nothing; -E_NOMEM. plan_free() releases it. */
int plan_make(struct plan *plan, const struct plan_options *opt, struct why *why);
/* For plans that are made by hand: adds a cell; of these, keeps what only_n, repeat and shard say.
 * -E_INVAL, -E_NOMEM. */
int plan_add(struct plan *plan, const struct cell *cell, struct why *why);
int plan_choose(struct plan *plan, const struct plan_options *opt, struct why *why);

void plan_free(struct plan *plan);

#endif
