/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which peers a signaling connection's relay credentials are good for: the addresses that the other
 * ends of its calls have signaled as candidates. What it finds goes to the relay workers
 * (turn/lock.h). Times are the caller's, so that a test can own them.
 *
 * Each member of the hub that has got a credential has a lock, whose number is random: numbers of
 * members begin anew with each start of the server. An address counts while the call goes on that
 * it was signaled in, and CALL_LOCK_GRACE_MS longer.
 */
#ifndef DAEMON_CALL_LOCK_H
#define DAEMON_CALL_LOCK_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALL_LOCK_NONE     0 /* of no call: only relayed addresses of this server are legal */
#define CALL_LOCK_GRACE_MS 30000

struct call_locks;

struct call_lock_ops {
	/* The peers of a lock are now these, each once; none: it is over. Borrows peers. */
	void (*tell)(void *ctx, uint64_t lock, const struct addr *peers, size_t n);
	void (*random)(void *to, size_t len);
};

/* Borrows ops. NULL when out of memory. */
struct call_locks *call_locks_new(const struct call_lock_ops *ops, void *ctx);
void call_locks_free(struct call_locks *l); /* tells nothing; NULL is legal */

/* While false, locks that were given go on, and nothing is noted for other members. */
void call_locks_set_on(struct call_locks *l, bool on);

/* The lock for a credential that is issued to the member. 0 or -E_NOMEM. */
int call_lock_of(struct call_locks *l, uint64_t member, uint64_t *lock);

/* The news of hub_ops.link. Without memory an address stays unknown, and is refused. */
void call_lock_signaled(struct call_locks *l, uint64_t from, uint64_t to, const char *text,
                        size_t len);
void call_lock_ended(struct call_locks *l, uint64_t a, uint64_t b, int64_t now_ms);
void call_lock_moved(struct call_locks *l, uint64_t from, uint64_t to);
void call_lock_gone(struct call_locks *l, uint64_t member);

/* Takes away what has had its grace. Call it every few seconds. */
void call_locks_tick(struct call_locks *l, int64_t now_ms);

#endif
