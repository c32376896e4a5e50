/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Use of the relay: a row for each user and UTC day.
 */
#ifndef STORE_USAGE_H
#define STORE_USAGE_H

#include "store/store.h"

#include <stddef.h>

#define USAGE_USER_STRLEN 256
#define USAGE_DAY_STRLEN  11 /* "2026-11-22" and NUL */

/* Stand in for users: people without a name, and those beyond a day's limit. */
#define USAGE_ANONYMOUS "(anonymous)"
#define USAGE_OTHERS    "(others)"

#define USAGE_TABLE(X)                                                                             \
	X(allocations)      /* made */                                                             \
	X(sessions)         /* of these, or of an earlier day's, those that relayed something */   \
	X(idle_allocations) /* ended without relaying anything */                                  \
	X(allocated_ms)     /* the allocations' lifetime */                                        \
	X(relayed_s)        /* seconds of it in which they relayed something */                    \
	X(to_peer_packets)                                                                         \
	X(to_peer_bytes)                                                                           \
	X(to_client_packets)                                                                       \
	X(to_client_bytes)

struct store_usage_counts {
#define X(name) int64_t name;
	USAGE_TABLE(X)
#undef X
};

struct store_usage {
	int64_t day; /* days since 1970-01-01, UTC */
	const char *user;
	struct store_usage_counts n;
};

void store_usage_sum(struct store_usage_counts *to, const struct store_usage_counts *more);

/* "2026-11-22" to a day and back. -E_INVAL. */
int store_day_parse(const char *text, int64_t *day, struct why *why);
const char *store_day_text(int64_t day, char buf[USAGE_DAY_STRLEN]);

/* Adds each row's counts to the existing ones, all in one transaction. For each day, usage_users
 * users get their own rows (0: no limit), the others are summed in USAGE_OTHERS. */
int store_usage_add(struct store *s, const struct store_usage *rows, size_t n, int64_t usage_users,
                    struct why *why);

/* NULL user: all; from and to: days, both included. As store_user_list(), by day and user. */
int store_usage_list(struct store *s, const char *user, int64_t from, int64_t to,
                     int (*each)(void *ctx, const struct store_usage *row), void *ctx,
                     struct why *why);

/* Deletes days before this one. */
int store_usage_prune(struct store *s, int64_t before_day, struct why *why);

#endif
