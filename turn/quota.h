/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How many allocations an account holds and how many there are in all, shared
 * by all workers (thread safe). RFC 8656 section 7.2: past it, 486.
 */
#ifndef TURN_QUOTA_H
#define TURN_QUOTA_H

#include <stddef.h>
#include <stdint.h>

struct turn_quota;
struct turn_account;

/* 0 means no limit. NULL when out of memory. */
struct turn_quota *turn_quota_new(uint32_t per_account, uint32_t total);
void turn_quota_free(struct turn_quota *q);

/* Counts one more allocation of the named account (any bytes). 0 and the account to give back,
 * -E_LIMIT, or -E_NOMEM. */
int turn_quota_take(struct turn_quota *q, const char *name, size_t len, struct turn_account **out);

/* NULL account is legal. */
void turn_quota_give(struct turn_quota *q, struct turn_account *account);

size_t turn_quota_total(struct turn_quota *q);
size_t turn_quota_accounts(struct turn_quota *q);

#endif
