/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The self-test page (/check), opened by both sides: what it must say there.
 */
#ifndef SCENARIOS_CHECK_H
#define SCENARIOS_CHECK_H

#include "harness/lab/lab.h"

#define CHECK_STEPS 5

/* What a page finds is written "VERDICT: ROW=LEVEL ROW=LEVEL:CAUSE ..." (check-words.js), and must
 * be this word for word. */
struct check {
	const char *finds[LAB_SIDES];
	const char *server_rules; /* for nft on the server; the pages check again under them */
	/* What A then does in its page, at the end of which it checks again: a field and what is
	 * typed into it, or (no text) what is clicked. */
	struct {
		const char *selector, *text;
	} steps[CHECK_STEPS];
};

#endif
