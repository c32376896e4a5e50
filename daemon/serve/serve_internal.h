/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The running server, for the files that wire it: serve.c starts and stops it, serve_web.c answers
 * requests of the web side.
 */
#ifndef DAEMON_SERVE_INTERNAL_H
#define DAEMON_SERVE_INTERNAL_H

#include "base/wall.h"
#include "daemon/admin/admin_http.h"
#include "daemon/admin/admin_socket.h"
#include "daemon/admin/helper.h"
#include "daemon/hooks/hooks.h"
#include "daemon/issue/grant.h"
#include "daemon/issue/issue_rate.h"
#include "daemon/issue/ticket.h"
#include "daemon/listen/sockets.h"
#include "daemon/listen/told_once.h"
#include "daemon/listen/topology.h"
#include "daemon/observe/explain.h"
#include "daemon/records/books.h"
#include "daemon/relay/call_lock.h"
#include "daemon/relay/worker.h"
#include "daemon/serve/front.h"
#include "daemon/serve/reload.h"
#include "daemon/serve/supervise.h"
#include "daemon/web/web.h"
#include "store/snapshot.h"
#include "store/store.h"

#include <event2/event.h>

struct serve {
	const struct conf *conf;
	struct event_base *base;
	struct wall wall;
	struct store *store;
	struct store_snapshot *users;
	struct topology topo;
	struct sockets sockets;
	struct supervise *supervise;
	struct settings_base settings;
	struct reload reload;
	uint8_t nonce_key[TURN_NONCE_KEY_LEN];
	struct worker **workers;
	size_t worker_n;
	struct listener **listeners;
	size_t listener_n;
	struct web *web;
	struct front *front;
	struct grant grant;
	struct tickets *tickets;
	struct call_locks *locks; /* relay_lock */
	struct books *books;
	struct hooks *hooks;
	struct issue_rate *rate;
	struct refusals *refusals; /* the main thread's */
	struct history history;
	struct explain *explain;
	struct admin admin;
	struct helper *helper;
	struct admin_http admin_http;
	struct admin_socket *admin_socket;
	struct event *poll, *rotate, *sample, *lock_tick, *on_int, *on_term, *on_hup, *drain;
	int64_t rotate_s; /* how often rotate comes */
	uint64_t drain_polls;
	bool secret_retired;    /* the configuration's secret is retired */
	bool draining;          /* accepts nothing new */
	bool stopping;          /* and ends after the last running session */
	struct why store_error; /* of the last poll, empty on success */
	unsigned store_polls;   /* since the last try, while there is an error */
	uint64_t signal_events[HUB_EVENT_N];
	struct host_watch *host_watch;
	struct event *host_again;
	bool policy_late, sockets_late; /* failed at the last look at the host */
	struct told_once told_proxies;
};

/* ---- serve.c ---- */

/* The store has changed: reads users and secrets, and tells every worker before it returns. 0 or
 * the store's codes. */
int serve_heed(struct serve *s, struct why *why);

void serve_set_draining(void *ctx, bool draining);

/* 0 or -E_NOMEM. */
int serve_add_timer(struct serve *s, uint64_t every_ms, event_callback_fn fn, struct event **out);

/* ---- serve_host.c ---- */

/* A worker's listener for the i-th of the topology's addresses, without a socket. */
struct turn_listener_conf serve_listener_conf(const struct serve *s, size_t i);

/* Call it once the workers run: follows the changes of this host's addresses. */
int serve_start_host(struct serve *s, struct why *why);
void serve_stop_host(struct serve *s);

/* ---- serve_hooks.c ---- */

/* An event of the hub, for the webhooks. */
void serve_tell_hooks(struct serve *s, const struct hub_event *e);

/* The server runs. */
void serve_tell_started(struct serve *s);

/* web_ops.admit: asks join_url, if there is one. */
int serve_admit(void *ctx, uint64_t member_id, const struct hub_admission *who);

/* hooks_answer_fn: what it says. */
void serve_admitted(void *ctx, const struct hooks_answer *answer);

/* ---- serve_web.c ---- */

/* Call it before the web side starts, which uses it; its other parts come later. */
int serve_start_login(struct serve *s, struct why *why);
int serve_start_web(struct serve *s, struct why *why);
/* Prints the links to open, only on a terminal. */
void serve_tell_links(struct serve *s);
/* Call it once all of admin's parts exist. */
void serve_fill_admin(struct serve *s);
/* Call it after trying the lock of the data directory. */
int serve_start_admin(struct serve *s, struct why *why);

/* Locks that are over lose their peers. */
int serve_start_locks(struct serve *s, struct why *why);

/* grant.reissue, with a struct serve as ctx. */
int serve_reissue(void *ctx, const char *username);

#endif
