/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From words to cells. Cells of one NAT kind on side A come one after the
 * other: a lane then turns only side B.
 */
#include "harness/scenarios/plan.h"

#include "harness/scenarios/theory.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int plan_add(struct plan *plan, const struct cell *cell, struct why *why)
{
	struct cell *more = realloc(plan->cell, (plan->n + 1) * sizeof(*more));

	if (!more)
		return why_set(why, -E_NOMEM, "out of memory");
	plan->cell = more;
	plan->cell[plan->n++] = *cell;
	return 0;
}

/* Every cell is played against each target. A target that is not Turnpike shows in the name. */
static bool selected(const struct plan_options *opt, struct cell *cell, const char *name,
                     bool *matched)
{
	if (opt->only_n == 0)
		return opt->group[cell->scenario->group];
	for (size_t i = 0; i < opt->only_n; i++) {
		if (fnmatch(opt->only[i], name, 0) == 0 ||
		    fnmatch(opt->only[i], cell->name, 0) == 0) {
			matched[i] = true;
			cell->named |=
			    !strcmp(opt->only[i], name) || !strcmp(opt->only[i], cell->name);
			return true;
		}
	}
	return false;
}

static void name_cell(struct cell *cell, const char *name)
{
	/* Names of kinds, browsers and targets are short: the bounds are for the compiler. */
	if (cell->target->own)
		snprintf(cell->name, sizeof(cell->name), "%s", name);
	else
		snprintf(cell->name, sizeof(cell->name), "%.63s@%.31s", name, cell->target->name);
}

/* The target's own way of the scenario's kind. False if it has none: the cell is not for it. A
 * literal is none: Firefox takes no certificate for one. */
static bool find_only(struct cell *cell)
{
	const struct offer_entry *wanted = cell->scenario->only;
	const struct offer *o = &cell->target->offer;

	cell->only = wanted;
	if (!wanted || cell->target->own)
		return true;
	for (size_t i = 0; i < o->n; i++) {
		cell->only = &o->entry[i];
		if (cell->only->turn && cell->only->transport == wanted->transport &&
		    cell->only->port == wanted->port && cell->only->family == 0)
			return true;
	}
	return false;
}

/* The scenario table's expectations hold for Turnpike; for other targets they come from theory. */
static int expect_of_target(struct cell *cell, struct why *why)
{
	const char *query = cell->scenario->page_query;

	if (cell->target->own || cell->only)
		return 0;
	if (theory_expect_offer(cell->kind[0], cell->kind[1], cell->scenario->place,
	                        &cell->target->offer, query && strstr(query, "relay=1"),
	                        &cell->expect) != 0)
		return why_set(why, -E_INVAL, "theory.c has no place for NAT kind %s or %s",
		               cell->kind[0]->name, cell->kind[1]->name);
	return 0;
}

static int add_scenarios(struct plan *plan, const struct plan_options *opt,
                         const struct target *target, bool *matched, struct why *why)
{
	for (size_t i = 0; i < scenarios_n; i++) {
		const struct scenario *s = &scenarios[i];
		struct cell cell = {.scenario = s, .target = target, .expect = s->expect};
		int err;

		/* A mid-call fault usually hits the appliance; and the self-test's findings are for
		 * its ports. */
		if (((s->group == GROUP_FAULTS || s->check) && !target->own) || !find_only(&cell))
			continue;
		name_cell(&cell, s->name);
		if (!selected(opt, &cell, s->name, matched))
			continue;
		for (int side = 0; side < LAB_SIDES; side++) {
			cell.kind[side] = nat_find(s->kind[side]);
			cell.product[side] = s->product[side];
			if (!cell.kind[side])
				return why_set(why, -E_INVAL,
				               "scenario %s: there is no NAT kind %s", s->name,
				               s->kind[side]);
		}
		err = expect_of_target(&cell, why);
		if (err == 0)
			err = plan_add(plan, &cell, why);
		if (err != 0)
			return err;
	}
	return 0;
}

static bool in_kinds(const struct plan_options *opt, const struct nat_kind *kind)
{
	for (size_t i = 0; i < opt->kinds_n; i++) {
		if (!strcmp(opt->kinds[i], kind->name))
			return true;
	}
	return opt->kinds_n == 0;
}

static int add_pair(struct plan *plan, const struct plan_options *opt, const struct target *target,
                    bool *matched, const struct nat_kind *a, const struct nat_kind *b,
                    struct why *why)
{
	struct cell cell = {.scenario = &scenario_matrix, .target = target, .kind = {a, b}};
	char name[RESULT_NAME];
	const char *const *product = (const char *const[]){browser_product_word(opt->product[0]),
	                                                   browser_product_word(opt->product[1])};

	memcpy(cell.product, opt->product, sizeof(cell.product));
	snprintf(name, sizeof(name), "%s+%s", a->name, b->name);
	if (opt->product[0] != BROWSER_CHROMIUM || opt->product[1] != BROWSER_CHROMIUM)
		snprintf(name, sizeof(name), "%s+%s@%s+%s", a->name, b->name, product[0],
		         product[1]);
	name_cell(&cell, name);
	if (!selected(opt, &cell, name, matched))
		return 0;
	cell.named |= opt->product[0] != BROWSER_CHROMIUM || opt->product[1] != BROWSER_CHROMIUM;
	if (theory_expect_offer(a, b, PLACE_APART, &target->offer, false, &cell.expect) != 0)
		return why_set(why, -E_INVAL, "theory.c has no place for NAT kind %s or %s",
		               a->name, b->name);
	return plan_add(plan, &cell, why);
}

static int add_matrix(struct plan *plan, const struct plan_options *opt,
                      const struct target *target, bool *matched, struct why *why)
{
	/* Two unlike browsers make two unlike cells of a pair. */
	bool ordered = opt->product[0] != opt->product[1];
	int err = 0;

	for (size_t i = 0; i < opt->kinds_n; i++) {
		if (!nat_find(opt->kinds[i]))
			return why_set(why, -E_INVAL,
			               "there is no NAT kind %s (see 'turnpike-harness list')",
			               opt->kinds[i]);
	}
	for (size_t a = 0; a < nat_kinds_n && err == 0; a++) {
		if (!in_kinds(opt, &nat_kinds[a]))
			continue;
		for (size_t b = ordered ? 0 : a; b < nat_kinds_n && err == 0; b++) {
			if (in_kinds(opt, &nat_kinds[b]))
				err = add_pair(plan, opt, target, matched, &nat_kinds[a],
				               &nat_kinds[b], why);
		}
	}
	return err;
}

/* Every n-th cell: each shard gets its part of the slow kinds. */
static void keep_shard(struct plan *plan, unsigned shard, unsigned shards)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->n; i++) {
		if (i % shards == shard - 1)
			plan->cell[kept++] = plan->cell[i];
	}
	plan->n = kept;
}

static int repeat(struct plan *plan, unsigned times, struct why *why)
{
	size_t once = plan->n;
	int err = 0;

	for (unsigned k = 1; k < times; k++) {
		for (size_t i = 0; i < once && err == 0; i++) {
			struct cell cell = plan->cell[i];
			size_t len = strlen(cell.name);

			snprintf(cell.name + len, sizeof(cell.name) - len, "#%u", k + 1);
			err = plan_add(plan, &cell, why);
		}
	}
	return err;
}

static int finish(struct plan *plan, const struct plan_options *opt, const bool *matched,
                  struct why *why)
{
	for (size_t i = 0; i < opt->only_n; i++) {
		if (!matched[i])
			return why_set(why, -E_INVAL,
			               "there is no scenario %s (see 'turnpike-harness list')",
			               opt->only[i]);
	}
	if (opt->shards > 0)
		keep_shard(plan, opt->shard, opt->shards);
	return repeat(plan, opt->repeat, why);
}

int plan_choose(struct plan *plan, const struct plan_options *opt, struct why *why)
{
	bool matched[PLAN_WORDS] = {false};
	size_t kept = 0;

	for (size_t i = 0; i < plan->n; i++) {
		if (opt->only_n == 0 || selected(opt, &plan->cell[i], plan->cell[i].name, matched))
			plan->cell[kept++] = plan->cell[i];
	}
	plan->n = kept;
	return finish(plan, opt, matched, why);
}

int plan_make(struct plan *plan, const struct plan_options *asked, struct why *why)
{
	struct plan_options opt = *asked;
	bool matched[PLAN_WORDS] = {false};
	int err = 0;

	*plan = (struct plan){.n = 0};
	if (opt.kinds_n > 0)
		opt.group[GROUP_MATRIX] = true;
	if (!opt.group[GROUP_MATRIX] && !opt.group[GROUP_FAULTS])
		opt.group[GROUP_CALLS] = true;
	if (opt.target_n == 0)
		opt.target[opt.target_n++] = &target_turnpike;
	for (size_t i = 0; i < opt.target_n && err == 0; i++) {
		err = add_scenarios(plan, &opt, opt.target[i], matched, why);
		if (err == 0)
			err = add_matrix(plan, &opt, opt.target[i], matched, why);
	}
	if (err == 0)
		err = finish(plan, &opt, matched, why);
	if (err != 0)
		plan_free(plan);
	return err;
}

void plan_free(struct plan *plan)
{
	free(plan->cell);
	*plan = (struct plan){.n = 0};
}
