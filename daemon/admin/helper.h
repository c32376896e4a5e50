/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Runs slow jobs one after the other on a thread of its own, away from the loops: hashing a
 * password (Argon2id) takes some 100 ms and 64 MiB.
 */
#ifndef DAEMON_HELPER_H
#define DAEMON_HELPER_H

#include "base/error.h"

struct event_base;
struct helper;
struct store;

#define HELPER_QUEUE_MAX 16 /* waiting and running jobs */

/* Embed it as the first member of the job's struct. */
struct helper_job {
	/* On the helper's thread. store: a handle for this job alone. */
	int (*work)(struct helper_job *j, struct store *store, struct why *why);
	/* On the loop's. err: what work said, or why the store cannot be opened. */
	void (*done)(struct helper_job *j, int err, const struct why *why);
	/* Frees it. The last call, and the only one when helper_free() comes before its turn. */
	void (*release)(struct helper_job *j);
	/* the helper's own */
	int err;
	struct why why;
	struct helper_job *prev, *next;
};

/* Copies dir, the store's. NULL when out of memory. */
struct helper *helper_new(struct event_base *base, const char *dir);

/* Takes the job: calls none of its functions before the caller is back in the loop. -E_LIMIT: too
 * many jobs wait; the caller keeps it. */
int helper_run(struct helper *h, struct helper_job *j);

/* Waits for the running job and does not call done any more. NULL is legal. Not from inside done.
 */
void helper_free(struct helper *h);

#endif
