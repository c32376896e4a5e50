/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Counts the allocations per user and in total, and the bandwidth that they use, shared by all
 * workers (thread safe). RFC 8656 section 7.2: 486 beyond the limit.
 *
 * A reserved port (EVEN-PORT) takes a place like an allocation, until a client claims it or the
 * reservation ends.
 */
#ifndef TURN_QUOTA_H
#define TURN_QUOTA_H

#include "turn/rate.h"

#include <stddef.h>
#include <stdint.h>

#define TURN_QUOTA_REALMS   16
#define TURN_QUOTA_NAME_MAX 508

struct turn_quota;
struct turn_quota_user;

/* The limits of a user and of all; 0: none. NULL when out of memory. */
struct turn_quota *turn_quota_new(uint32_t user_quota, uint32_t total_quota);
void turn_quota_free(struct turn_quota *q);

/* Sets all three limits, 0 for none: per user, for the users of one realm together, and for all.
 * Users above a new limit keep their allocations. */
void turn_quota_set_limits(struct turn_quota *q, uint32_t user_quota, uint32_t realm_quota,
                           uint32_t total_quota);

/* Counts one more allocation of the user named (any bytes) in the realm, a number below
 * TURN_QUOTA_REALMS: one name in two realms is two users. 0 and the user to give back,
 * -E_LIMIT, or -E_NOMEM. */
int turn_quota_take(struct turn_quota *q, unsigned int realm, const char *name, size_t len,
                    struct turn_quota_user **out);

/* The place that from holds goes over to the user named, as turn_quota_take() names it; to the
 * same one, always. 0 and the user to give back, or -E_LIMIT or -E_NOMEM: then it is still
 * from's. */
int turn_quota_pass(struct turn_quota *q, struct turn_quota_user *from, unsigned int realm,
                    const char *name, size_t len, struct turn_quota_user **out);

/* NULL user is legal. */
void turn_quota_give(struct turn_quota *q, struct turn_quota_user *user);

/* The rate that all allocations of a user, or all there are, use in one direction: shared by the
 * workers without a lock. The user is valid while a place of it is held. */
struct turn_rate *turn_quota_user_rate(struct turn_quota_user *user, enum turn_direction to);
struct turn_rate *turn_quota_rate(struct turn_quota *q, enum turn_direction to);

size_t turn_quota_total(struct turn_quota *q);
size_t turn_quota_users(struct turn_quota *q);

#endif
