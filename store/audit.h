/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A row for each administrative act and its actor, written in the act's own transaction. Never a
 * secret.
 */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "store/store.h"

struct store_audit {
	int64_t id, at_s;
	const char *actor;  /* as in store_set_actor() */
	const char *act;    /* "user add", "secret retire", "revoke user" */
	const char *object; /* "alice@turnpike", "secret 3" */
};

/* For acts outside of the store ("drain", "reload"). Takes texts of any length and bytes: cuts them
 * and replaces control characters. */
int store_audit_add(struct store *s, const char *act, const char *object, struct why *why);

/* The newest max rows (0: all), oldest first. As store_user_list(). */
int store_audit_list(struct store *s, int64_t max,
                     int (*each)(void *ctx, const struct store_audit *row), void *ctx,
                     struct why *why);

/* Keeps the newest max_rows, and of these the ones up to max_age_s old (0: no limit, for either).
 */
int store_audit_prune(struct store *s, int64_t max_rows, int64_t max_age_s, struct why *why);

#endif
