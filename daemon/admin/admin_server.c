/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Verbs on the server as a whole.
 */
#include "daemon/admin/admin_internal.h"

#include "base/log.h"
#include "daemon/conf/conf_json.h"
#include "daemon/grant.h"
#include "daemon/guest_link.h"
#include "daemon/listen/front.h"
#include "daemon/metrics.h"
#include "daemon/relay/worker.h"
#include "daemon/reload.h"
#include "daemon/web/web.h"
#include "store/snapshot.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int admin_status(struct admin_task *t, struct why *why)
{
	const struct admin *a = t->admin;
	const struct history_sample *s, *last = NULL;
	struct metrics m = {.workers = 0};
	time_t now = time(NULL);

	metrics_collect(&m, a->workers, a->worker_n);
	for (size_t i = 0; (s = history_at(a->history, 1, i)); i++)
		last = s;
	return admin_done(
	    t,
	    json_pack("{ss si sI sI sI sb sI sI sI sI sI sI sI sI sI sI sI ss}", "version",
	              TURNPIKE_VERSION, "pid", (int)getpid(), "started_at",
	              (json_int_t)a->started_at_s, "uptime_s", (json_int_t)(now - a->started_at_s),
	              "workers", (json_int_t)a->worker_n, "draining", a->is_draining(a->ctx),
	              "allocations", (json_int_t)m.relay.allocations, "allocations_made",
	              (json_int_t)metrics_allocations_made(&m), "connections",
	              (json_int_t)front_connections(a->front), "signal_connections",
	              (json_int_t)web_peer_count(a->web), "signal_calls",
	              (json_int_t)web_call_count(a->web), "to_peer_bytes",
	              (json_int_t)m.relay.turn.to_peer_bytes, "to_client_bytes",
	              (json_int_t)m.relay.turn.to_client_bytes, "to_peer_bytes_per_s",
	              (json_int_t)(last ? last->to_peer_rate : 0), "to_client_bytes_per_s",
	              (json_int_t)(last ? last->to_client_rate : 0), "users",
	              (json_int_t)store_snapshot_user_n(a->grant->users), "secrets",
	              (json_int_t)store_snapshot_secret_n(a->grant->users), "realm",
	              a->live->conf.realm.v[0]),
	    why);
}

/* Columns, not rows: a day of minutes is 1440 of them. */
int admin_samples(struct admin_task *t, struct why *why)
{
	int64_t step = admin_number(t, "step", 1), since = admin_number(t, "since", 0);
	json_t *at = json_array(), *to_peer = json_array(), *to_client = json_array();
	json_t *allocations = json_array(), *calls = json_array();
	const struct history_sample *s;

	for (size_t i = 0;
	     (step == 1 || step == 60) && (s = history_at(t->admin->history, (int)step, i)); i++) {
		if (s->at_s <= since)
			continue;
		json_array_append_new(at, json_integer((json_int_t)s->at_s));
		json_array_append_new(to_peer, json_integer((json_int_t)s->to_peer_rate));
		json_array_append_new(to_client, json_integer((json_int_t)s->to_client_rate));
		json_array_append_new(allocations, json_integer((json_int_t)s->allocations));
		json_array_append_new(calls, json_integer((json_int_t)s->calls));
	}
	t->result = json_pack("{sI so so so so so}", "step_s", (json_int_t)step, "at", at,
	                      "to_peer_bytes_per_s", to_peer, "to_client_bytes_per_s", to_client,
	                      "allocations", allocations, "calls", calls);
	if (step != 1 && step != 60)
		return why_set(why, -E_INVAL, "samples: step is 1 or 60");
	return admin_done(t, t->result, why);
}

int admin_metrics(struct admin_task *t, struct why *why)
{
	char *text = t->admin->metrics(t->admin->ctx);
	json_t *result = text ? json_pack("{ss}", "text", text) : NULL;

	free(text);
	return admin_done(t, result, why);
}

/* The audit does not have the link itself. */
int admin_link(struct admin_task *t, struct why *why)
{
	struct guest_url url;
	int r = t->admin->link(t->admin->ctx, &url, why);

	if (r)
		return r;
	admin_audit(t, "link", "");
	return admin_done(t,
	                  json_pack("{ss ss* ss si}", "url", *url.here ? url.here : url.path,
	                            "elsewhere", *url.elsewhere ? url.elsewhere : NULL, "path",
	                            url.path, "expires_in_s", GUEST_LINK_S),
	                  why);
}

static int drain(struct admin_task *t, bool draining, struct why *why)
{
	struct metrics m = {.workers = 0};

	admin_audit(t, draining ? "drain" : "drain cancel", "");
	t->admin->set_draining(t->admin->ctx, draining);
	metrics_collect(&m, t->admin->workers, t->admin->worker_n);
	return admin_done(t,
	                  json_pack("{sb sI}", "draining", draining, "allocations",
	                            (json_int_t)m.relay.allocations),
	                  why);
}

int admin_drain(struct admin_task *t, struct why *why)
{
	return drain(t, true, why);
}

int admin_drain_cancel(struct admin_task *t, struct why *why)
{
	return drain(t, false, why);
}

int admin_heed(struct admin_task *t, struct why *why)
{
	t->admin->heed(t->admin->ctx);
	return admin_done(t, json_object(), why);
}

int admin_reload(struct admin_task *t, struct why *why)
{
	struct lockfile_report report;

	admin_audit(t, "reload", "");
	reload_run(t->admin->reload, &report);
	if (!report.ok)
		return why_set(why, -E_INVAL, "the old configuration runs on: %.400s", report.text);
	return admin_done(
	    t, json_pack("{so}", "text", admin_string(report.text, strlen(report.text))), why);
}

int admin_config(struct admin_task *t, struct why *why)
{
	const struct conf_live *live = t->admin->live;

	return admin_done(t, conf_json(&live->conf, live->origins), why);
}

int admin_log_level(struct admin_task *t, struct why *why)
{
	const char *name = admin_text(t, "level");
	enum log_level level;

	if (log_level_parse(name, &level))
		return why_set(why, -E_INVAL, "log level: write error, warn, info or debug");
	admin_audit(t, "log level", name);
	log_set_level(level);
	return admin_done(t, json_pack("{ss}", "level", name), why);
}
