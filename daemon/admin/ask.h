/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A question to every worker, answered on its own thread between two batches
 * of packets. The caller waits a bounded time; an answer that comes too late goes
 * to memory that nobody reads.
 */
#ifndef DAEMON_ASK_H
#define DAEMON_ASK_H

#include "daemon/relay/worker.h"

#define ASK_WAIT_MS 500

struct ask;

/* Reads the question (shared: do not write to it) and fills the part's answer, which starts as
 * zeros. Neither may hold memory that must be freed. */
typedef void ask_fn(struct turn *t, const void *question, void *answer);

/* Copies the question; NULL when out of memory. */
struct ask *ask_new(size_t parts, const void *question, size_t question_len, size_t answer_len);

/* Asks n workers (parts of them at most), waits up to ASK_WAIT_MS, and returns the number of
 * answers. */
size_t ask_workers(struct ask *a, struct worker *const *workers, size_t n, ask_fn *fn);

/* The part's answer, or NULL when it was late. */
void *ask_answer(struct ask *a, size_t part);

/* NULL is legal. */
void ask_free(struct ask *a);

#endif
