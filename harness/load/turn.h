/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Loads for the relay, compared with coturn.
 */
#ifndef LOAD_TURN_H
#define LOAD_TURN_H

#include "harness/load/link.h"
#include "harness/load/load.h"

#include <jansson.h>

#define ROUNDS_MAX 25

struct turn_plan {
	const char *turnpike; /* the program */
	const char *against;  /* coturn's, or NULL */
	enum link_transport transport;
	double seconds;
	int rounds; /* up to ROUNDS_MAX */
};

/* Plays a load, prints what it cost, and adds it to out. The servers take turns to be first, since
 * the machine's speed drifts. 0, or why it could not. */
int turn_compare(const struct turn_plan *plan, const struct load *l, json_t *out, struct why *why);

#endif
