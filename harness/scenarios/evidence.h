/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A page's memory of a cell (evidence.js), as a file beside the logs.
 */
#ifndef SCENARIOS_EVIDENCE_H
#define SCENARIOS_EVIDENCE_H

#include "harness/browser/browser.h"

#include <stdint.h>

/* Writes the browser's memory since a moment as JSON: {"started_ms", "events", "candidates",
 * "pairs", "series"}. started_ms: Unix time of the cell's beginning, the zero of steps.log. fd is
 * borrowed. Returns within a few seconds. 0, or a code if there is nothing: a cell does not fail
 * for want of evidence. */
int evidence_save(struct browser *b, int64_t started_ms, int fd, struct why *why);

#endif
