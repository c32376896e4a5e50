/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lets one thread run a function on another: the mailbox takes functions with their arguments and
 * runs them in order on the thread that owns it.
 */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

struct event_base;
struct mailbox;

typedef void mail_fn(void *owner, void *arg);

/* Belongs to the thread of base; each function gets owner. NULL when out of memory or descriptors.
 */
struct mailbox *mailbox_new(struct event_base *base, void *owner);

/* From any thread. fn must free arg. 0 or -E_NOMEM (then the caller keeps arg). */
int mailbox_post(struct mailbox *m, mail_fn *fn, void *arg);

/* Runs the remaining functions, then frees. No thread may post any more. NULL is legal. */
void mailbox_free(struct mailbox *m);

#endif
