/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How many credentials a caller gets: a minute's worth at once, then so many a
 * minute. The table is of a fixed size, so that many callers cost no memory;
 * where one falls in it depends on a secret.
 */
#ifndef DAEMON_ISSUE_RATE_H
#define DAEMON_ISSUE_RATE_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

struct issue_rate;

/* Each a minute, 0: no limit. NULL when out of memory. */
struct issue_rate *issue_rate_new(int64_t issue_rate_token, int64_t issue_rate_address);
void issue_rate_free(struct issue_rate *r); /* NULL is legal */

/* Counts one credential for a token, or (token_id 0) for the source prefix (/24, /64) of from.
 * 0, or after how many seconds there is one again. */
unsigned issue_rate_take(struct issue_rate *r, int64_t token_id, const struct addr *from,
                         uint64_t now_ms);

#endif
