/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What went wrong, in one plain sentence, from what is known of a session and
 * of the call that it was for.
 */
#ifndef DAEMON_VERDICT_H
#define DAEMON_VERDICT_H

#include "daemon/observe/explain.h"
#include "turn/journal.h"

#define VERDICT_STRLEN 512

/* call may be NULL, and so may r (then the call had no session here). to_peer and to_client of r
 * are as they stand now. Returns buf. */
const char *verdict(const struct turn_record *r, const struct explain_call *call,
                    char buf[VERDICT_STRLEN]);

#endif
