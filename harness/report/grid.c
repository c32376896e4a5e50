/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The matrix on the terminal: a letter a kind, one short word a cell.
 */
#include "harness/report/grid.h"

#include <stdbool.h>
#include <string.h>

#define KINDS_MAX 52 /* the number of letters */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

bool grid_has(const struct result *r)
{
	return !strcmp(r->group, "matrix") && r->kind[0][0] && r->kind[1][0];
}

/* One grid is of one target and one pair of browsers. */
static bool same_grid(const struct result *a, const struct result *b)
{
	return grid_has(a) && grid_has(b) && !strcmp(a->target, b->target) &&
	       !strcmp(a->browser[0], b->browser[0]) && !strcmp(a->browser[1], b->browser[1]);
}

static int severity(enum result_state state)
{
	switch (state) {
	case RESULT_FAILED:
		return 6;
	case RESULT_NO_LAB:
		return 5;
	case RESULT_INTERRUPTED:
		return 4;
	case RESULT_RUNNING:
		return 3;
	case RESULT_INCONCLUSIVE:
		return 2;
	case RESULT_SKIPPED:
	case RESULT_WAITING:
		return 1;
	case RESULT_PASSED:
		break;
	}
	return 0;
}

static const char *word(const struct result *r)
{
	const char *path;

	if (!r)
		return "";
	switch (r->state) {
	case RESULT_FAILED:
		return "FAIL";
	case RESULT_NO_LAB:
		return "lab!";
	case RESULT_INTERRUPTED:
		return "cut";
	case RESULT_INCONCLUSIVE:
		return "busy";
	case RESULT_SKIPPED:
	case RESULT_WAITING:
	case RESULT_RUNNING:
		return "-";
	case RESULT_PASSED:
		break;
	}
	path = result_path_word(r);
	if (!strcmp(path, "direct"))
		return "dir";
	return !strcmp(path, "relay") ? "rel" : *path ? path : "ok";
}

/* A cell that was played more than once shows its worst. */
static const struct result *find(const struct run *run, const struct result *like, const char *row,
                                 const char *col)
{
	const struct result *worst = NULL;

	for (size_t i = 0; i < run->result_n; i++) {
		const struct result *r = &run->result[i];

		if (same_grid(r, like) && !strcmp(r->kind[0], row) && !strcmp(r->kind[1], col) &&
		    (!worst || severity(r->state) > severity(worst->state)))
			worst = r;
	}
	return worst;
}

static void add_kind(const char *kinds[KINDS_MAX], size_t *n, const char *kind)
{
	for (size_t i = 0; i < *n; i++) {
		if (!strcmp(kinds[i], kind))
			return;
	}
	if (*n < KINDS_MAX)
		kinds[(*n)++] = kind;
}

static void put_grid(FILE *f, const struct run *run, const struct result *like)
{
	const char *kinds[KINDS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < run->result_n; i++) {
		if (!same_grid(&run->result[i], like))
			continue;
		add_kind(kinds, &n, run->result[i].kind[0]);
		add_kind(kinds, &n, run->result[i].kind[1]);
	}
	fprintf(f, "\nmatrix%s%s", like->target[0] ? ", " : "", like->target);
	if (like->browser[0][0])
		fprintf(f, ", %s and %s", like->browser[0], like->browser[1]);
	fprintf(f, "\n%-27s", "");
	for (size_t i = 0; i < n; i++)
		fprintf(f, " %-4c", letters[i]);
	fputc('\n', f);
	for (size_t i = 0; i < n; i++) {
		size_t last = 0;

		for (size_t k = 0; k < n; k++) {
			if (find(run, like, kinds[i], kinds[k]))
				last = k + 1;
		}
		fprintf(f, "%c %-25s", letters[i], kinds[i]);
		for (size_t k = 0; k < last; k++)
			fprintf(f, k + 1 < last ? " %-4s" : " %s",
			        word(find(run, like, kinds[i], kinds[k])));
		fputc('\n', f);
	}
}

bool grid_put(FILE *f, const struct run *run)
{
	bool any = false;

	for (size_t i = 0; i < run->result_n; i++) {
		bool seen = !grid_has(&run->result[i]);

		for (size_t k = 0; k < i && !seen; k++)
			seen = same_grid(&run->result[k], &run->result[i]);
		if (seen)
			continue;
		put_grid(f, run, &run->result[i]);
		any = true;
	}
	if (any)
		fputs("\ndir: direct; udp, tcp, tls: relayed, with this transport to the relay; "
		      "busy: the machine "
		      "was "
		      "too busy to judge; -: not run; none: no path, as theory says\n",
		      f);
	return any;
}
