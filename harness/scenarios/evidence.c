/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fetching a page's evidence, also from one that has just failed.
 */
#include "harness/scenarios/evidence.h"

#include <stdio.h>

#define LIMIT_MS 4000 /* a page that hangs is no reason to wait */

int evidence_save(struct browser *b, int64_t started_ms, int fd, struct why *why)
{
	json_t *evidence = NULL;
	char js[64];
	int err;

	snprintf(js, sizeof(js), "harness.evidence(%lld)", (long long)started_ms);
	err = browser_eval(b, js, LIMIT_MS, &evidence, why);
	if (err == 0 && json_object_set_new(evidence, "started_ms", json_integer(started_ms)) != 0)
		err = why_set(why, -E_PARSE, "the page gave no evidence");
	if (err == 0 && json_dumpfd(evidence, fd, JSON_COMPACT) != 0)
		err = why_set(why, -E_IO, "cannot write the evidence");
	json_decref(evidence);
	return err;
}
