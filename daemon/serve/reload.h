/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Applies changes of the configuration and of the certificate to a running server: all of them or,
 * on any error, none.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "daemon/conf/conf_reload.h"
#include "daemon/process/lockfile.h"
#include "daemon/relay/settings.h"

struct cert_watch;
struct event_base;
struct front;
struct hooks;
struct store;
struct web;
struct worker;

/* The parts that a reload changes: borrowed, except what reload_start() makes. */
struct reload {
	struct conf_live *live;
	const struct topology *topo;
	struct settings_base *base;
	struct settings *settings; /* one reference; made by the start, for the workers */
	struct store *store;
	struct front *front;
	struct web *web;
	struct hooks *hooks;
	struct worker **workers;
	size_t worker_n;
	void (*applied)(void *ctx); /* by a start and a reload */
	void (*reread)(void *ctx);  /* the store was read again: apply the result */
	void *ctx;
	struct cert_watch *watch;
	struct lockfile *lock;
	bool refused;        /* the last reload was refused */
	int64_t loaded_at_s; /* Unix time of the configuration in effect */
};

/* A start's last step: applies the configuration as a reload does, watches the certificate's files
 * and takes the lock of the data directory. A lock that another server has is a warning. -E_NOMEM,
 * or lockfile_take()'s codes. */
int reload_start(struct reload *r, struct event_base *base, struct why *why);

/* While another server holds the lock: tries to take it. True when that server has ended. */
bool reload_succeed(struct reload *r);

/* Reads everything again, and logs what became of it; report (may be NULL) is told, too. */
void reload_run(struct reload *r, struct reload_report *report);

/* The host has changed, and so the meaning of an unchanged configuration: makes settings from it
 * and the topology, and hands them to the workers. -E_NOMEM. */
int reload_settings(struct reload *r, struct why *why);

/* Undoes reload_start(), and releases the settings. */
void reload_stop(struct reload *r);

#endif
