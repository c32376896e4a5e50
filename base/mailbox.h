/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How one thread has another do something: a function and its argument are
 * posted, and run in order on the thread that owns the mailbox.
 */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

struct event_base;
struct mailbox;

typedef void mail_fn(void *owner, void *arg);

/* Belongs to the thread of base, where owner is handed to each function. NULL when out of memory
 * or descriptors. */
struct mailbox *mailbox_new(struct event_base *base, void *owner);

/* From any thread. fn must free arg. 0 or -E_NOMEM (then arg stays the caller's). */
int mailbox_post(struct mailbox *m, mail_fn *fn, void *arg);

/* Runs what is left, then frees. Nobody may post any more. NULL is legal. */
void mailbox_free(struct mailbox *m);

#endif
