/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The self-test page (/check), opened by both sides: what it must say there.
 */
#ifndef SCENARIOS_CHECK_H
#define SCENARIOS_CHECK_H

#include "harness/lab/lab.h"

#define CHECK_STEPS 5

/* A page reports "VERDICT: ROW=LEVEL ROW=LEVEL:CAUSE ..." (check-words.js); it must match word for
 * word. */
struct check {
	const char *finds[LAB_SIDES];
	const char *server_rules; /* for nft on the server; the pages check again under them */
	/* A's next steps in its page, after which it checks again: a field and its text, or (no
	 * text) an element to click. */
	struct {
		const char *selector, *text;
	} steps[CHECK_STEPS];
};

#endif
