/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A relay worker: a thread with its own loop, environment and TURN server. It shares only the port
 * pools and the quota with the others; everything else reaches it through its mailbox.
 */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include "base/error.h"
#include "daemon/relay/settings.h"
#include "store/snapshot.h"
#include "turn/net/net.h"
#include "turn/turn.h"

struct books;
struct hooks;
struct wall;
struct worker;

/* For the worker's connections. */
struct worker_net {
	struct net_conf conf;
	struct net_tls *tls; /* a reference is taken */
	/* As in struct net_ops; called on the worker's thread. */
	void (*http)(void *ctx, int fd, const struct net_client *from);
	void *ctx;
	struct books *books; /* borrowed; gets the usage */
	struct hooks *hooks; /* borrowed; is told of each allocation's end; may be NULL */
	const struct wall *wall;
	unsigned usage_interval_s; /* how often live allocations report */
};

/* Copies conf and listeners (whose sockets it takes over, also on failure); takes a reference of
 * users. Starts the thread. 0 or a code with why set. */
int worker_start(const struct turn_conf *conf, const struct turn_listener_conf *listeners, size_t n,
                 struct store_snapshot *users, const uint8_t nonce_key[TURN_NONCE_KEY_LEN],
                 const struct worker_net *net, struct worker **out, struct why *why);

/* Users, secrets or tokens have changed: takes a reference; closes the allocations of deleted
 * users. */
void worker_set_users(struct worker *w, struct store_snapshot *users);

/* A new configuration: takes a reference, copies net's limits and times. */
void worker_set_settings(struct worker *w, struct settings *settings, const struct net_conf *net);

/* Replaces its listeners, as turn_set_listeners(): copies v, takes its sockets. */
void worker_set_listeners(struct worker *w, const struct turn_listener_conf *v, size_t n);

/* While true, sends new clients to the alternate, or answers 508; running sessions go on. */
void worker_set_draining(struct worker *w, bool draining);

/* The peers of a lock, as turn_lock_set(): copies them. What the worker receives after this call it
 * judges by them. From one thread only. */
void worker_set_lock(struct worker *w, uint64_t lock, const struct addr *peers, size_t n);

void worker_set_nonce_key(struct worker *w, const uint8_t key[TURN_NONCE_KEY_LEN]);

/* Serves an accepted connection; takes its socket and its source. */
void worker_accept(struct worker *w, const struct net_client *c);

/* For handshakes from now on; takes a reference. */
void worker_set_tls(struct worker *w, struct net_tls *tls);

/* A sign of life: worker_answered() is false from a ping until the worker has handled it. Both on
 * the main thread. */
void worker_ping(struct worker *w);
bool worker_answered(const struct worker *w);

/* Its counters, at most WORKER_REPORT_MS old. From any thread. */
#define WORKER_REPORT_MS 200
struct worker_report {
	struct turn_stats turn;
	struct env_stats env;
	uint64_t allocations; /* now */
	double cpu_s;         /* its thread's */
};
void worker_get_report(struct worker *w, struct worker_report *out);

/* All workers, ordered by number, for moves between them: borrowed. Call it before the first
 * worker_accept(). */
void worker_set_others(struct worker *w, struct worker *const *all, size_t n);

/* Calls fn with the worker's server, on its thread. fn frees arg. 0 or -E_NOMEM (then the caller
 * keeps arg). */
int worker_run(struct worker *w, void (*fn)(struct turn *t, void *arg), void *arg);

/* Closes every allocation, ends the threads, frees. All together, because each may have mail for
 * another. */
void workers_stop(struct worker **w, size_t n);

#endif
