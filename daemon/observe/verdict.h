/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Explains a failure in one plain sentence, from the data of a session and of its call.
 */
#ifndef DAEMON_VERDICT_H
#define DAEMON_VERDICT_H

#include "daemon/observe/explain.h"
#include "turn/journal.h"

#define VERDICT_STRLEN 512

/* call may be NULL, and so may r (then the call had no session here). r's to_peer and to_client
 * must be current. Returns buf. */
const char *verdict(const struct turn_record *r, const struct explain_call *call,
                    char buf[VERDICT_STRLEN]);

#endif
