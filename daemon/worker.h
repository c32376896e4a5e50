/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A relay worker: a thread with its own loop, environment and TURN server. It
 * shares nothing with the others but the port pools and the quota; everything
 * else reaches it through its mailbox.
 */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include "base/error.h"
#include "store/snapshot.h"
#include "turn/turn.h"

struct worker;

/* Copies conf and listeners (whose sockets it takes over, also on failure); takes a reference of
 * users. Starts the thread. 0 or a code with why set. */
int worker_start(const struct turn_conf *conf, const struct turn_listener_conf *listeners, size_t n,
		 struct store_snapshot *users, const uint8_t nonce_key[TURN_NONCE_KEY_LEN],
		 struct worker **out, struct why *why);

/* Users, secrets or tokens have changed: takes a reference; the allocations of users that are
 * gone are closed. */
void worker_set_users(struct worker *w, struct store_snapshot *users);

void worker_set_nonce_key(struct worker *w, const uint8_t key[TURN_NONCE_KEY_LEN]);

/* Closes every allocation, ends the thread, frees. NULL is legal. */
void worker_stop(struct worker *w);

#endif
