/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command line of turnpike-harness.
 */
#ifndef HARNESS_OPTIONS_H
#define HARNESS_OPTIONS_H

#include "harness/scenarios/against.h"
#include "harness/scenarios/plan.h"

#include <limits.h>
#include <stdio.h>

enum exit_status {
	EXIT_PASSED = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_LAB = 3,
	EXIT_INCONCLUSIVE = 4,
};

struct options {
	bool list; /* what there is, instead of a run */
	struct plan_options plan;
	unsigned soak_minutes; /* 0: the scenario's own */
	size_t jobs;           /* lanes; 0: as the machine bears */
	char *junit, *json, *html, *keep, *clients;
	char turnpike[PATH_MAX];
	char coturn[PATH_MAX];   /* "" unless it is a target */
	struct against *against; /* a deployed server instead of a lab, or NULL */
	char api_token[512];     /* its API token, or "" */
	struct target target[TARGETS_MAX];
	size_t target_n;
	char browser[BROWSER_PRODUCTS][PATH_MAX]; /* "" where none is installed */
	char artifacts[PATH_MAX];                 /* folder; "" for none */
	int artifacts_fd;
	bool capture;
	bool artifacts_vanish; /* the folder is ours: it goes once the reports are written */
};

/* Parses, finds the programs and proves the outputs: a wrong path should not cost a run. As
 * args_parse(), or EXIT_PASSED, or another status after saying why on standard error. */
int options_parse(struct options *o, int argc, char **argv);

/* Frees, and removes what is to vanish. */
void options_close(struct options *o);

/* "turnpike-harness: ..." and where to read more; returns EXIT_USAGE. */
__attribute__((format(printf, 1, 2))) int options_error(const char *fmt, ...);

#endif
