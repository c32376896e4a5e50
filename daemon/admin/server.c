/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The server as a whole, and the verbs themselves.
 */
#include "base/log.h"
#include "daemon/admin/verb.h"
#include "daemon/conf/conf_json.h"
#include "daemon/issue/grant.h"
#include "daemon/issue/guest_link.h"
#include "daemon/observe/metrics.h"
#include "daemon/relay/worker.h"
#include "daemon/web/web.h"
#include "store/snapshot.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int status(struct admin_task *t, struct why *why)
{
	const struct admin *a = t->admin;
	const struct history_sample *s, *last = NULL;
	struct metrics m = {.workers = 0};
	time_t now = time(NULL);

	metrics_collect(&m, a->workers, a->worker_n);
	for (size_t i = 0; (s = history_at(a->history, 1, i)); i++)
		last = s;
	return task_done(
	    t,
	    json_pack("{ss si so sI sI sb sI sI sI sI sI sI sI sI sI sI sI ss}", "version",
	              TURNPIKE_VERSION, "pid", (int)getpid(), "started_at",
	              json_time(a->started_at_s), "uptime_s", (json_int_t)(now - a->started_at_s),
	              "workers", (json_int_t)a->worker_n, "draining", a->is_draining(a->ctx),
	              "allocations", (json_int_t)m.relay.allocations, "allocations_made",
	              (json_int_t)metrics_allocations_made(&m), "connections",
	              (json_int_t)a->connections(a->ctx), "signal_connections",
	              (json_int_t)web_member_count(a->web), "signal_calls",
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

static int workers(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = json_array()};
	struct worker_report w;
	int r = 0;

	for (size_t i = 0; !r && i < t->admin->worker_n; i++) {
		worker_get_report(t->admin->workers[i], &w);
		r = rows_add(&rows, NULL,
		             json_pack("{sI sI sI sI sI}", "worker", (json_int_t)i, "allocations",
		                       (json_int_t)w.allocations, "to_peer_bytes",
		                       (json_int_t)w.turn.to_peer_bytes, "to_client_bytes",
		                       (json_int_t)w.turn.to_client_bytes, "cpu_s",
		                       (json_int_t)w.cpu_s));
	}
	return rows_done(&rows, t, r, "workers", why);
}

/* Columns, not rows: a day of minutes is 1440 of them. */
static int samples(struct admin_task *t, struct why *why)
{
	int64_t step = task_number(t, "step", 1), since = task_number(t, "since", 0);
	json_t *at, *to_peer, *to_client, *allocations, *calls;
	const struct history_sample *s;

	if (step != 1 && step != 60)
		return why_set(why, -E_PARSE, "samples: step is 1 or 60");
	at = json_array(), to_peer = json_array(), to_client = json_array();
	allocations = json_array(), calls = json_array();
	for (size_t i = 0; (s = history_at(t->admin->history, (int)step, i)); i++) {
		if (s->at_s <= since)
			continue;
		json_array_append_new(at, json_time(s->at_s));
		json_array_append_new(to_peer, json_integer((json_int_t)s->to_peer_rate));
		json_array_append_new(to_client, json_integer((json_int_t)s->to_client_rate));
		json_array_append_new(allocations, json_integer((json_int_t)s->allocations));
		json_array_append_new(calls, json_integer((json_int_t)s->calls));
	}
	return task_done(t,
	                 json_pack("{sI so so so so so}", "step_s", (json_int_t)step, "at", at,
	                           "to_peer_bytes_per_s", to_peer, "to_client_bytes_per_s",
	                           to_client, "allocations", allocations, "calls", calls),
	                 why);
}

static int metrics(struct admin_task *t, struct why *why)
{
	char *text = t->admin->metrics(t->admin->ctx);
	json_t *result = text ? json_pack("{ss}", "text", text) : NULL;

	free(text);
	return task_done(t, result, why);
}

/* The audit does not have the link itself. */
static int make_link(struct admin_task *t, struct why *why)
{
	struct guest_url url;
	const char *here;
	int r = t->admin->link(t->admin->ctx, &url, why);

	if (r)
		return r;
	here = *url.here ? url.here : url.path;
	task_audit(t, "link", "");
	return task_done(
	    t,
	    json_pack("{ss ss? ss si}", "url", here, "elsewhere",
	              *url.elsewhere && strcmp(url.elsewhere, here) != 0 ? url.elsewhere : NULL,
	              "path", url.path, "expires_in_s", GUEST_LINK_S),
	    why);
}

static int set_drain(struct admin_task *t, bool draining, struct why *why)
{
	struct metrics m = {.workers = 0};

	task_audit(t, draining ? "drain" : "drain cancel", "");
	t->admin->set_draining(t->admin->ctx, draining);
	metrics_collect(&m, t->admin->workers, t->admin->worker_n);
	return task_done(t,
	                 json_pack("{sb sI}", "draining", draining, "allocations",
	                           (json_int_t)m.relay.allocations),
	                 why);
}

static int start_drain(struct admin_task *t, struct why *why)
{
	return set_drain(t, true, why);
}

static int end_drain(struct admin_task *t, struct why *why)
{
	return set_drain(t, false, why);
}

static int reload(struct admin_task *t, struct why *why)
{
	struct reload_report report;

	task_audit(t, "reload", "");
	t->admin->reload(t->admin->ctx, &report);
	if (report.ok) {
		json_t *text = json_string(report.text); /* several lines; NULL: not UTF-8 */

		return task_done(
		    t,
		    json_pack("{so}", "text",
		              text ? text : json_shown(report.text, strlen(report.text))),
		    why);
	}
	for (char *c = report.text; (c = strchr(c, '\n')); c++)
		*c = c[1] ? ';' : '\0';
	return why_set(why, -E_INVAL,
	               "the new configuration was refused; the old one stays in effect: %.350s "
	               "(turnpike check-config shows all its mistakes)",
	               report.text);
}

static int config(struct admin_task *t, struct why *why)
{
	const struct conf_live *live = t->admin->live;

	return task_done(t, conf_json(&live->conf, live->sources), why);
}

static int set_log_level(struct admin_task *t, struct why *why)
{
	const char *name = task_text(t, "level");
	enum log_level level;

	if (log_level_parse(name, &level))
		return why_set(why, -E_PARSE, "log level: write error, warn, info or debug");
	task_audit(t, "log level", name);
	log_set_level(level);
	return task_done(t, json_pack("{ss}", "level", name), why);
}

static json_t *describe_args(const struct verb *v)
{
	json_t *args = json_array();
	const struct verb_arg *arg;

	for (size_t i = 0; (arg = verb_arg(v, i)); i++)
		json_array_append_new(args, json_pack("{ss ss sb ss}", "name", arg->name, "type",
		                                      verb_type_text(arg->type), "required",
		                                      (arg->flags & ARG_REQUIRED) != 0, "help",
		                                      arg->help));
	return args;
}

static int list_verbs(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = json_array()};
	char path[VERB_PATH_STRLEN];
	const struct verb *v;
	int r = 0;

	for (size_t i = 0; !r && (v = verb_at(i)); i++)
		r = rows_add(&rows, NULL,
		             json_pack("{ss ss ss ss so ss}", "verb", v->name, "path",
		                       verb_path(v, path), "method",
		                       v->access == VERB_ACTS ? "POST" : "GET", "role",
		                       store_role_text(v->access == VERB_READS ? STORE_ROLE_USER
		                                                               : STORE_ROLE_ADMIN),
		                       "arguments", describe_args(v), "help", v->help));
	return rows_done(&rows, t, r, "verbs", why);
}

const struct verb server_verbs[] = {
    {VERB("status", VERB_READS, VERB_NEEDS_SERVER, status,
          "Say what the server carries: version, uptime, load, totals since the start"),
     .answer = MEMBERS(MEMBER("version", VERB_TEXT, "The program's version"),
                       MEMBER("pid", VERB_INTEGER, "The process"),
                       MEMBER("started_at", VERB_TIME, "When it started"),
                       MEMBER("uptime_s", VERB_INTEGER, "Seconds since then"),
                       MEMBER("workers", VERB_INTEGER, "Relay workers"),
                       MEMBER("draining", VERB_BOOLEAN, "Whether it takes no new allocations"),
                       MEMBER("allocations", VERB_INTEGER, "That live"),
                       MEMBER("allocations_made", VERB_INTEGER, "Since the start"),
                       MEMBER("connections", VERB_INTEGER, "TCP connections of all kinds"),
                       MEMBER("signal_connections", VERB_INTEGER, "Signaling connections"),
                       MEMBER("signal_calls", VERB_INTEGER, "Calls that are signaled here"),
                       MEMBER("to_peer_bytes", VERB_INTEGER, "Bytes to peers since the start"),
                       MEMBER("to_client_bytes", VERB_INTEGER, "Bytes to clients since the start"),
                       MEMBER("to_peer_bytes_per_s", VERB_INTEGER, "In the last second"),
                       MEMBER("to_client_bytes_per_s", VERB_INTEGER, "In the last second"),
                       MEMBER("users", VERB_INTEGER, "Static users"),
                       MEMBER("secrets", VERB_INTEGER, "Shared secrets that verify"),
                       MEMBER("realm", VERB_TEXT, "The first realm")),
     .text =
         {.print =
              "turnpike {version}, process {pid}, up {uptime_s:d}, {workers} workers{?draining:, "
              "draining}\nallocations  {allocations} now, {allocations_made} since the "
              "start\nsignaling    {signal_connections} connections, {signal_calls} calls\nto "
              "peers     {to_peer_bytes_per_s:b}/s, {to_peer_bytes:b} since the start\nto clients  "
              " {to_client_bytes_per_s:b}/s, {to_client_bytes:b} since the start"}},
    {VERB("workers", VERB_READS, VERB_NEEDS_SERVER, workers,
          "List the relay workers and what each of them carries"),
     .answer = MEMBERS(
         {"workers", VERB_ROWS, false, "By number",
          MEMBERS(MEMBER("worker", VERB_INTEGER, "Its number, as in the session t0-1f"),
                  MEMBER("allocations", VERB_INTEGER, "Allocations that live there"),
                  MEMBER("to_peer_bytes", VERB_INTEGER, "Bytes to peers since the start"),
                  MEMBER("to_client_bytes", VERB_INTEGER, "Bytes to clients since the start"),
                  MEMBER("cpu_s", VERB_INTEGER, "Seconds of CPU that its thread has used"))},
         MEMBER_NEXT),
     .text = {.list = "workers",
              .head = "worker allocations    CPU   to peers to clients",
              .line = "{worker,6} {allocations,11} {cpu_s:d,6} {to_peer_bytes:b,10} "
                      "{to_client_bytes:b,10}"}},
    {VERB("samples", VERB_READS, VERB_NEEDS_SERVER | VERB_NOT_ON_CLI, samples,
          "Bandwidth, allocations and calls over time, in columns"),
     .args = {ARG("step", VERB_INTEGER, 0,
                  "1: ten minutes of seconds; 60: a day of minutes; 1 if it is not given"),
              ARG("since", VERB_TIME, 0, "Only what is later")},
     .answer = MEMBERS(MEMBER("step_s", VERB_INTEGER, "The step"),
                       MEMBER("at", VERB_TIMES, "When; the other lists are as long"),
                       MEMBER("to_peer_bytes_per_s", VERB_INTEGERS, "To peers"),
                       MEMBER("to_client_bytes_per_s", VERB_INTEGERS, "To clients"),
                       MEMBER("allocations", VERB_INTEGERS, "That lived"),
                       MEMBER("calls", VERB_INTEGERS, "That were signaled")),
     .text = {.example = "{\"step\":60,\"since\":\"2026-11-22T13:14:15Z\"}"}},
    {VERB("config", VERB_READS_ADMIN, VERB_NEEDS_SERVER | VERB_NOT_ON_CLI, config,
          "The settings in effect; secrets are masked"),
     .answer = MEMBERS(
         {"*", VERB_MAP, false, "By option",
          MEMBERS(MEMBER("value", VERB_TEXT, "As it is written in the file; secrets are masked"),
                  MEMBER("source", VERB_TEXT, "What it came from, in a word"),
                  MEMBER("where", VERB_TEXT, "Where exactly"),
                  MEMBER("secret", VERB_BOOLEAN, "Whether it is masked"),
                  MEMBER("reloadable", VERB_BOOLEAN, "Whether a reload applies it"))})},
    {VERB("metrics", VERB_READS, VERB_NEEDS_SERVER, metrics,
          "Print what the server says at /metrics"),
     .answer = MEMBERS(MEMBER("text", VERB_TEXT, "In the Prometheus text format")),
     .text = {.print = "{text:l}"}},
    {VERB("link", VERB_ACTS, VERB_NEEDS_SERVER, make_link,
          "Make a link to the call page. The first browser (or profile) that opens it within an "
          "hour is a guest, without an API token, for a week or until the server stops"),
     .answer = MEMBERS(
         MEMBER("url", VERB_TEXT, "For a browser on the server's host"),
         MEMBER_OR_NULL("elsewhere", VERB_TEXT, "For one on another machine, if that is another"),
         MEMBER("path", VERB_TEXT, "Behind a proxy: to be put behind its own address"),
         MEMBER("expires_in_s", VERB_INTEGER, "Seconds until the link ends")),
     .text = {.print = "{url}",
              .say =
                  "This link works once, for one browser, within an hour. The other end of a call "
                  "needs its own link.{?elsewhere:\nOn another machine, open {elsewhere}}"}},
    {VERB("drain", VERB_ACTS, VERB_NEEDS_SERVER, start_drain,
          "Refuse new allocations; the running ones go on. It does not stop the server"),
     .answer = MEMBERS(MEMBER("draining", VERB_BOOLEAN, "True"),
                       MEMBER("allocations", VERB_INTEGER, "That go on")),
     .text =
         {.say =
              "draining: no new allocations, {allocations} go on; turnpike drain cancel ends it"}},
    {VERB("drain cancel", VERB_ACTS, VERB_NEEDS_SERVER, end_drain, "Take new allocations again"),
     .answer = MEMBERS(MEMBER("draining", VERB_BOOLEAN, "False"),
                       MEMBER("allocations", VERB_INTEGER, "That live")),
     .text = {.say = "the server takes new allocations again"}},
    {VERB("reload", VERB_ACTS, VERB_NEEDS_SERVER, reload,
          "Read configuration and certificate again; says what has changed, what needs a restart, "
          "or why it was refused"),
     .answer = MEMBERS(MEMBER("text", VERB_TEXT, "What has changed, and what needs a restart")),
     .text = {.print = "{?text:{text:l}|nothing has changed}"}},
    {VERB("log level", VERB_ACTS, VERB_NEEDS_SERVER, set_log_level,
          "Log error, warn, info or debug, until the next reload or start"),
     .args = {ARG_AS("level", VERB_TEXT, ARG_REQUIRED | ARG_WORD, "error|warn|info|debug",
                     "error, warn, info or debug")},
     .answer = MEMBERS(MEMBER("level", VERB_TEXT, "The new level")),
     .text = {.say = "the log level is changed until the next reload or start",
              .example = "{\"level\":\"info\"}"}},
    {VERB("verbs", VERB_READS, 0, list_verbs, "List these verbs, with their arguments"),
     .answer = MEMBERS(
         {"verbs", VERB_ROWS, false, "All of them",
          MEMBERS(MEMBER("verb", VERB_TEXT, "Its name"),
                  MEMBER("path", VERB_TEXT, "Under /api/v1/admin/"),
                  MEMBER("method", VERB_TEXT, "GET: it only reads; POST: it changes something"),
                  MEMBER("role", VERB_TEXT, "The role that it takes: user or admin"),
                  {"arguments", VERB_ROWS, false, "What it takes",
                   MEMBERS(MEMBER("name", VERB_TEXT, "Its name"),
                           MEMBER("type", VERB_TEXT, "string, integer or boolean"),
                           MEMBER("required", VERB_BOOLEAN, "Whether it has to be there"),
                           MEMBER("help", VERB_TEXT, "What it means"))},
                  MEMBER("help", VERB_TEXT, "What it does"))},
         MEMBER_NEXT),
     .text = {.list = "verbs", .line = "{verb}\t{role}\t{help}"}},
    {0},
};
