/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The books: usage and the last use of tokens. Any thread adds to sums in memory; a thread of their
 * own writes them to the store in batches, so that a slow, full or locked disk stops no other
 * thread. Failed writes are kept and tried again.
 */
#ifndef DAEMON_BOOKS_H
#define DAEMON_BOOKS_H

#include "base/error.h"
#include "store/usage.h"

#include <stddef.h>
#include <stdint.h>

struct books;
struct wall;

struct books_conf {
	const char *dir;           /* of the store, which exists; copied */
	struct wall *wall;         /* borrowed; the thread keeps its floor */
	unsigned usage_interval_s; /* between two batches */
	int64_t usage_users;       /* rows per day, and in memory; 0: no limit */
	int64_t usage_days;        /* kept; 0: all */
	int64_t audit_rows;        /* kept; 0: all */
	int64_t audit_days;        /* kept; 0: all */
};

/* Since the start. */
struct books_stats {
	uint64_t batches, failures; /* written; failed */
};

/* Starts the thread. 0 or -E_NOMEM with why set. */
int books_start(const struct books_conf *conf, struct books **out, struct why *why);

/* From any thread; they never wait for the disk. user: any bytes; the name of a time-limited
 * credential or of a static user, without the expiry. */
void books_usage(struct books *b, int64_t day, const char *user, size_t len,
                 const struct store_usage_counts *n);
void books_token_used(struct books *b, int64_t token_id);
void books_get_stats(struct books *b, struct books_stats *out);

/* Writes the rest, ends the thread, frees. NULL is legal. */
void books_stop(struct books *b);

#endif
