/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The part of the command line that says against which servers to play.
 */
#ifndef HARNESS_OPTIONS_TARGET_H
#define HARNESS_OPTIONS_TARGET_H

#include "harness/options.h"

/* The target options as given, before any check. */
struct said_target {
	char *targets; /* words between commas; changed in place */
	char *coturn;
	const char *turn[OFFER_MAX];
	size_t turn_n;
	char *user;
	char *credential;  /* wiped once it was read */
	char *ice_servers; /* file or URL */
	char *start;
	char *against;
	char *api_token; /* wiped once it was read */
	char *expect;    /* words between commas; changed in place */
	bool insecure;
};

/* Makes the targets of a run, and has the plan play against them. EXIT_PASSED, or EXIT_USAGE after
 * saying why on standard error. */
int options_target(struct options *o, const struct said_target *said);

#endif
