/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A stage with Chromium on both sides, for tests that play on it.
 */
#ifndef HARNESS_SCENARIOS_TESTS_SCENE_H
#define HARNESS_SCENARIOS_TESTS_SCENE_H

#include "harness/scenarios/call.h"

#include <limits.h>
#include <sys/mman.h>

struct scene {
	struct scenario_options opt;
	char browser[PATH_MAX];
	struct stage st;
};

/* Returns 0 or a negative error; end it with stage_close(). turnpike: path of the server. */
static inline int scene_open(struct scene *s, const char *turnpike, struct why *why)
{
	int log_fd[STAGE_LOGS], err;

	*s = (struct scene){.opt = {.turnpike = turnpike, .artifacts_fd = -1}};
	for (int i = 0; i < STAGE_LOGS; i++)
		log_fd[i] = memfd_create("log", MFD_CLOEXEC);
	err = browser_find(BROWSER_CHROMIUM, NULL, s->browser, why);
	if (err != 0)
		return err;
	s->opt.browser[BROWSER_CHROMIUM] = s->browser;
	s->opt.browser[BROWSER_FIREFOX] = "";
	stage_init(&s->st, &s->opt, log_fd);
	return 0;
}

static inline void scene_nat(struct cell *cell, const char *kind)
{
	for (int i = 0; i < LAB_SIDES; i++)
		cell->kind[i] = nat_find(kind);
}

#endif
