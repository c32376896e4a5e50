/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Limits the credentials per caller: a minute's worth at once, then the rate. The table has a fixed
 * size, so that many callers cost no memory; a secret decides where a caller falls in it.
 */
#ifndef DAEMON_ISSUE_RATE_H
#define DAEMON_ISSUE_RATE_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

struct issue_rate;

/* Each per minute, 0: no limit. NULL when out of memory. */
struct issue_rate *issue_rate_new(int64_t issue_rate_token, int64_t issue_rate_address);
void issue_rate_free(struct issue_rate *r); /* NULL is legal */

/* Counts one credential for a token, or (token_id 0) for the source prefix (/24, /64) of from. 0,
 * or the seconds until the next one. */
unsigned issue_rate_take(struct issue_rate *r, int64_t token_id, const struct addr *from,
                         uint64_t now_ms);

#endif
