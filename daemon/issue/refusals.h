/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One line of the log for each refused login, whatever it was for, so that
 * fail2ban can read who guesses (docs/examples/fail2ban-filter.conf):
 *
 *   event=login-refused client=192.0.2.7:40000 kind=turn reason=password user=alice
 *
 * The address comes first: nothing that a stranger chooses stands before it.
 * A source prefix gets so many lines a minute and no more; the next line that
 * is written says how many were left out.
 */
#ifndef DAEMON_REFUSALS_H
#define DAEMON_REFUSALS_H

#include "base/addr.h"

#include <stddef.h>
#include <stdint.h>

#define REFUSALS_PER_SOURCE 30  /* per minute; more than any filter needs to act */
#define REFUSALS_PER_MINUTE 600 /* all sources together */

struct refusals;

/* Belongs to one thread. NULL when out of memory. */
struct refusals *refusals_new(void);
void refusals_free(struct refusals *r); /* NULL is legal */

/* kind: "turn", "account", "api-token". user: any bytes; NULL for none. NULL r is legal: no line.
 */
void refusals_log(struct refusals *r, const struct addr *client, const char *kind,
                  const char *reason, const char *user, size_t user_len);

#endif
