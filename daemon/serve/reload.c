/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reload, in three steps: read and check; make what the new values need and may
 * fail; then apply it, which cannot fail. A start ends with that last step, too.
 */
#include "daemon/serve/reload.h"

#include "base/log.h"
#include "daemon/cert/cert.h"
#include "daemon/cert/cert_watch.h"
#include "daemon/cert/setup.h"
#include "daemon/conf/conf_served.h"
#include "daemon/hooks/hooks.h"
#include "daemon/relay/worker.h"
#include "daemon/serve/front.h"
#include "daemon/web/web.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* For the log, one line each; for `turnpike reload`, together. */
__attribute__((format(printf, 2, 3))) static void note(struct reload_report *report,
                                                       const char *fmt, ...)
{
	size_t len = strlen(report->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(report->text + len, sizeof(report->text) - len, fmt, ap);
	va_end(ap);
	len = strlen(report->text);
	if (len && report->text[len - 1] != '\n')
		report->text[len < sizeof(report->text) - 1 ? len : len - 1] = '\n';
}

static void on_problem(void *ctx, const char *text)
{
	log_error(NULL, "configuration-refused", LOG_STR("error", text));
	note(ctx, "%s\n", text);
}

/* Web and TURN get the new pair, or both keep the old one. */
static int load_pair(struct reload *r, struct why *why)
{
	struct setup_cert paths;
	struct net_tls *tls;
	int err;

	setup_cert_paths(&r->live->conf, &paths);
	if ((err = cert_check(paths.cert, paths.key, NULL, why)) ||
	    (err = net_tls_load(paths.cert, paths.key, &tls, why)))
		return err;
	err = web_load_cert(r->web, paths.cert, why);
	if (!err)
		front_set_tls(r->front, tls);
	net_tls_unref(tls);
	return err;
}

static int on_watch(void *ctx, struct why *why)
{
	return load_pair(ctx, why);
}

static void note_paths(struct reload *r)
{
	struct setup_cert paths;

	setup_cert_paths(&r->live->conf, &paths);
	cert_watch_note(r->watch, paths.cert, paths.key);
}

/* A pair that cannot be read is the configuration's mistake only where the configuration newly
 * names it; else a renewal is under way. */
static int change_pair(struct reload *r, const struct conf_changes *changes,
                       struct reload_report *report, struct why *why)
{
	struct why fault = {{0}};
	int err;

	note_paths(r);
	err = load_pair(r, &fault);
	if (!err) {
		log_info(NULL, "certificate-reloaded");
		return 0;
	}
	if (conf_changed(changes, "tls_cert") || conf_changed(changes, "tls_key")) {
		*why = fault;
		if (err == -E_DENIED && r->live->conf.sandbox)
			why_set(why, err,
			        "%.380s; if the sandbox is on, a new folder needs a restart",
			        fault.text);
		return err;
	}
	log_error(NULL, "certificate-kept", LOG_STR("error", fault.text));
	note(report, "the old certificate stays in use: %s\n", fault.text);
	cert_watch_retry(r->watch, &fault);
	return 0;
}

/* A secret of a configuration that is then refused for its certificate would stay. */
static int change_secret(struct reload *r, const struct conf_changes *changes, struct why *why)
{
	struct setup_cert paths;
	int err = 0;

	/* One that was retired meanwhile would be refused at the next start. */
	if (!conf_changed(changes, "shared_secret"))
		return setup_secret_check(&r->live->conf, r->store, why);
	setup_cert_paths(&r->live->conf, &paths);
	if (conf_changed(changes, "tls_cert") || conf_changed(changes, "tls_key"))
		err = cert_check(paths.cert, paths.key, NULL, why);
	if (!err)
		err = setup_secret(&r->live->conf, r->store, why);
	r->reread(r->ctx);
	return err;
}

/* Takes the reference of fresh. */
static void give_settings(struct reload *r, struct settings *fresh)
{
	settings_unref(r->settings);
	r->settings = fresh;
	for (size_t i = 0; i < r->worker_n; i++)
		worker_set_settings(r->workers[i], fresh, &front_worker_net(r->front)->conf);
}

static void apply_hub(struct web *w, const struct conf *c)
{
	struct hub_conf hub;

	hub_conf_default(&hub);
	hub.max_connections = (unsigned)c->max_connections;
	hub.signal_rate = (unsigned)c->signal_rate;
	hub.room_users = (unsigned)c->room_users;
	hub.rooms_per_address = (unsigned)c->rooms_per_address;
	hub.guests = c->signal_guests;
	hub.guest_may = c->guest_may;
	hub.guest_rooms = c->guest_rooms;
	hub.default_room = c->default_room;
	hub.room_lists = c->room_lists;
	web_set_hub(w, &hub);
}

/* The one place, for a start and for a reload, where what was copied from the configuration is put
 * to use; what borrows it needs nothing. */
static void apply(struct reload *r, struct settings *fresh)
{
	const struct conf *c = &r->live->conf;

	log_set_level(c->log_level);
	turn_quota_set_limits(r->base->quota, (uint32_t)c->user_quota, (uint32_t)c->realm_quota,
	                      (uint32_t)c->total_quota);
	apply_hub(r->web, c);
	front_reconfigure(r->front);
	give_settings(r, fresh);
	r->applied(r->ctx);
}

int reload_settings(struct reload *r, struct why *why)
{
	struct settings *fresh;
	int err = settings_new(&r->live->conf, r->topo, r->base, &fresh, why);

	if (!err)
		give_settings(r, fresh);
	return err;
}

/* For the command line. Two servers on one data directory: it speaks to the first. */
static void note_served(const struct reload *r)
{
	struct why why;

	if (r->lock && conf_served_write(&r->live->conf, r->live->sources, &why))
		log_warn(
		    NULL, "settings-not-noted", LOG_STR("error", why.text),
		    LOG_STR("hint",
		            "from now on turnpike user add and similar commands need --realm"));
}

static int run(struct reload *r, struct reload_report *report, struct why *why)
{
	struct conf_changes changes;
	struct conf_pending *pending;
	struct hook_settings *hooks = NULL;
	struct settings *fresh = NULL;
	struct why doubt;
	int err = conf_reload_begin(r->live, &pending, &changes, on_problem, report, why);

	if (err)
		return err;
	err = settings_new(&r->live->conf, r->topo, r->base, &fresh, why);
	if (!err)
		err = hooks_prepare(r->hooks, &r->live->conf, &hooks, why);
	if (!err)
		err = change_secret(r, &changes, why);
	if (!err)
		err = change_pair(r, &changes, report, why);
	if (!err)
		apply(r, fresh);
	if (!err)
		hooks_apply(r->hooks, hooks);
	conf_reload_end(r->live, pending, !err);
	if (err) {
		settings_unref(fresh);
		hook_settings_free(hooks);
		note_paths(r);
		on_problem(report, why->text);
		return err;
	}
	note_served(r);
	if (setup_cert_doubt(&r->live->conf, &doubt)) {
		log_warn(NULL, "certificate", LOG_STR("problem", doubt.text));
		note(report, "warning: %s\n", doubt.text);
	}
	log_info(NULL, "configuration-reloaded", LOG_STR("changed", changes.changed));
	if (*changes.changed)
		note(report, "changed: %s\n", changes.changed);
	if (*changes.restart) {
		log_warn(NULL, "needs-a-restart", LOG_STR("options", changes.restart));
		note(report, "needs a restart: %s\n", changes.restart);
	}
	return 0;
}

void reload_run(struct reload *r, struct reload_report *out)
{
	struct reload_report report = {.ok = false};
	struct why why = {{0}};

	report.ok = !run(r, &report, &why);
	r->refused = !report.ok;
	if (report.ok)
		r->loaded_at_s = time(NULL);
	if (!report.ok)
		log_error(NULL, "configuration-kept",
		          LOG_STR("hint", "the new configuration is refused as a whole; the old "
		                          "one stays in effect"));
	if (out)
		*out = report;
}

int reload_start(struct reload *r, struct event_base *base, struct why *why)
{
	struct setup_cert paths;
	pid_t other = 0;
	int err;

	r->loaded_at_s = time(NULL);
	apply(r, settings_ref(r->settings));
	setup_cert_paths(&r->live->conf, &paths);
	r->watch = cert_watch_new(base, paths.cert, paths.key, on_watch, r);
	if (!r->watch)
		return why_set(why, -E_NOMEM, "out of memory");
	err = lockfile_take(r->live->conf.data, &r->lock, &other, why);
	if (err == -E_EXISTS) {
		log_warn(NULL, "data-directory-shared", LOG_INT("with_process", (uint64_t)other),
		         LOG_STR("hint", "until that one ends, turnpike reload and other commands "
		                         "reach only it: send SIGHUP to this one"));
		err = 0;
	}
	if (!err)
		note_served(r);
	return err;
}

bool reload_succeed(struct reload *r)
{
	struct why why;
	pid_t other;

	if (lockfile_take(r->live->conf.data, &r->lock, &other, &why))
		return false;
	log_info(
	    NULL, "data-directory-taken-over",
	    LOG_STR("hint", "the other server has ended: the command line reaches this one now"));
	note_served(r);
	return true;
}

void reload_stop(struct reload *r)
{
	cert_watch_free(r->watch);
	lockfile_free(r->lock);
	settings_unref(r->settings);
}
