/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A cell's files in its folder, as JSON for the HTML report. Programs under test wrote them, so the
 * report trusts nothing in them: not the encoding, not the size, not that the content is what the
 * name says.
 */
#ifndef REPORT_ARTIFACTS_H
#define REPORT_ARTIFACTS_H

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#define ARTIFACT_LINES       200          /* of a log, its last */
#define ARTIFACT_LOG_BYTES   (48 * 1024)  /* and no more than that of it */
#define ARTIFACT_STEPS_BYTES (256 * 1024) /* of steps.log and evidence every line counts */
#define ARTIFACT_JSON_BYTES  (2 * 1024 * 1024)
#define ARTIFACT_FILE_BYTES  (2 * 1024 * 1024) /* a picture or a capture */

enum artifact_kind {
	ARTIFACT_STEPS,
	ARTIFACT_LOG,
	ARTIFACT_EVIDENCE,
	ARTIFACT_PICTURE,
	ARTIFACT_CAPTURE,
	ARTIFACT_OTHER,
};

/* From the name. */
enum artifact_kind artifact_kind(const char *name);

/* Reads the file NAME in the folder and adds what the page shows of it to the cell's object, under
 * "steps", "logs", "evidence", "shots" or "captures". A capture beyond the limit is added without
 * its data. 0; -E_LIMIT if it is too large, -E_PARSE if it is not what its name says, -E_IO:
 * nothing was added then. */
int artifact_add(json_t *cell, int folder_fd, const char *name);

#endif
