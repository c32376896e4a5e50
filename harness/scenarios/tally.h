/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tally of a call's signaling: what each page gave out and what the other
 * one got, and what should not have happened to a call that nothing disturbed.
 */
#ifndef SCENARIOS_TALLY_H
#define SCENARIOS_TALLY_H

#include "harness/scenarios/stage.h"

#include <jansson.h>

/* Looks into both pages and notes failures in the stage's result. since_ms: Unix time at which the
 * call began. What is under way is waited for. 0 or the code of a browser's fault. */
int tally_check(struct stage *st, int64_t since_ms, struct why *why);

/* How many of the candidates that one page sent the other has not got. *first (may be NULL): one of
 * them, borrowed. Pure. */
size_t tally_missing(const json_t *from, const json_t *to, const char **first);

/* Judges harness.tally() of both pages. Pure. */
void tally_judge(json_t *const tally[LAB_SIDES], const struct end_mark mark[LAB_SIDES],
                 struct result *r);

#endif
