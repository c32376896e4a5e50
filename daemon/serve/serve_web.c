/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The running server's side of the web and of administration: credentials, revocations, metrics,
 * verbs.
 */
#include "daemon/serve/serve_internal.h"

#include "base/clock.h"
#include "base/env_libevent.h"
#include "base/log.h"
#include "daemon/admin/ticket_login.h"
#include "daemon/cert/setup.h"
#include "daemon/observe/metrics.h"
#include "store/revoke.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE_MS    1000
#define LOCK_TICK_MS 5000

static int on_grant(void *ctx, const struct caller *caller, const char *name, int64_t ttl_s,
                    struct ice_grant *out)
{
	return grant_for_caller(&((struct serve *)ctx)->grant, caller, name, ttl_s, out);
}

static int on_identify(void *ctx, const char *ticket, struct hub_identity *out, const char **why)
{
	return ticket_identify(((struct serve *)ctx)->tickets, ticket, out, why);
}

static int on_ticket(void *ctx, const struct caller *caller, const struct ticket_ask *ask,
                     struct ticket_made *out, unsigned *retry_after_s, struct why *why)
{
	struct serve *s = ctx;

	return grant_ticket(&s->grant, s->tickets, caller, ask, out, retry_after_s, why);
}

static void on_ticket_login(void *ctx, const struct http_request *q, struct http_response *r)
{
	ticket_login_answer(&((struct serve *)ctx)->admin_http, q, r);
}

static enum caller_cors on_cors(void *ctx, const char *origin)
{
	return grant_cors(&((struct serve *)ctx)->grant, origin);
}

static void log_store_error(const char *event, const struct why *why)
{
	log_error(NULL, event, LOG_STR("error", why->text));
}

/* Applies the change at once: the caller may come back before the next poll. */
int serve_reissue(void *ctx, const char *username)
{
	struct serve *s = ctx;
	struct why why;
	int r = store_reissue(s->store, username, &why);

	if (!r)
		r = serve_heed(s, &why);
	if (r)
		log_store_error("credential-not-issued", &why);
	return r;
}

/* A caller who may issue may revoke one credential; only an admin may revoke all of a
 * user's. */
static int on_revoke(void *ctx, const struct caller *caller, const char *name, bool whole_user)
{
	unsigned scope = whole_user ? STORE_SCOPE_ADMIN : STORE_SCOPE_ISSUE;
	char actor[STORE_ACTOR_MAX];
	struct serve *s = ctx;
	struct why why;
	int r = grant_actor(&s->grant, caller, scope, actor);

	if (r)
		return r;
	store_set_actor(s->store, actor);
	r = whole_user ? store_revoke_user(s->store, name, s->conf->max_credential_ttl, NULL, &why)
	               : store_revoke_credential(s->store, name, &why);
	if (r == -E_INVAL || r == -E_STALE)
		return r;
	if (r) {
		log_store_error("revocation-failed", &why);
		return r;
	}
	s->grant.revoked++;
	log_info(NULL, "revoked", LOG_STR(whole_user ? "user" : "credential", name),
	         LOG_STR("by", actor));
	if (serve_heed(s, &why)) /* it is on the disk: the next poll tries again */
		log_store_error("store", &why);
	return 0;
}

static bool is_draining(void *ctx)
{
	return ((struct serve *)ctx)->draining;
}

static bool is_ready(void *ctx)
{
	return !is_draining(ctx);
}

static void on_signal_event(void *ctx, const struct hub_event *event)
{
	struct serve *s = ctx;

	s->signal_events[event->what]++;
	explain_signal(s->explain, event);
	serve_tell_hooks(s, event);
}

static void on_link(void *ctx, const struct hub_link_news *news)
{
	struct serve *s = ctx;

	switch (news->what) {
	case HUB_LINK_SIGNALED:
		call_lock_signaled(s->locks, news->member, news->other, news->text, news->len);
		return;
	case HUB_LINK_ENDED:
		call_lock_ended(s->locks, news->member, news->other, (int64_t)clock_mono_ms());
		return;
	case HUB_LINK_MOVED:
		call_lock_moved(s->locks, news->member, news->other);
		return;
	case HUB_LINK_GONE:
		call_lock_gone(s->locks, news->member);
		return;
	}
}

static void tell_lock(void *ctx, uint64_t lock, const struct addr *peers, size_t n)
{
	struct serve *s = ctx;

	for (size_t i = 0; i < s->worker_n; i++)
		worker_set_lock(s->workers[i], lock, peers, n);
}

static int lock_of(void *ctx, uint64_t member_id, uint64_t *lock)
{
	return call_lock_of(((struct serve *)ctx)->locks, member_id, lock);
}

static void on_lock_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	call_locks_tick(((struct serve *)arg)->locks, (int64_t)clock_mono_ms());
}

int serve_start_locks(struct serve *s, struct why *why)
{
	static const struct call_lock_ops ops = {.tell = tell_lock, .random = env_libevent_random};

	s->locks = call_locks_new(&ops, s);
	if (!s->locks || serve_add_timer(s, LOCK_TICK_MS, on_lock_tick, &s->lock_tick))
		return why_set(why, -E_NOMEM, "out of memory");
	s->grant.lock = lock_of;
	s->grant.lock_ctx = s;
	return 0;
}

static void on_admin(void *ctx, const struct http_request *q, struct http_response *r)
{
	admin_http_answer(&((struct serve *)ctx)->admin_http, q, r);
}

/* Applies an operator's change before answering it. */
static void on_changed(void *ctx)
{
	struct why why = {{0}};

	if (serve_heed(ctx, &why)) /* it is on the disk: the next poll tries again */
		log_store_error("store", &why);
}

/* Two servers on one data directory, the new one before the old one has drained: the command line
 * speaks to the first, and to the second once that has ended. */
static int start_socket(struct serve *s, struct why *why)
{
	return s->reload.lock
	           ? admin_socket_start(s->base, s->conf->data, &s->admin, &s->admin_socket, why)
	           : 0;
}

static void succeed(struct serve *s)
{
	struct why why;

	if ((s->reload.lock || reload_succeed(&s->reload)) && start_socket(s, &why))
		log_error(NULL, "admin-socket", LOG_STR("error", why.text));
}

static void on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct serve *s = arg;
	struct metrics m = {.workers = 0};
	struct history_input now;

	(void)fd;
	(void)what;
	metrics_collect(&m, s->workers, s->worker_n);
	now = (struct history_input){.to_peer_bytes = m.relay.turn.to_peer_bytes,
	                             .to_client_bytes = m.relay.turn.to_client_bytes,
	                             .allocations = m.relay.allocations,
	                             .calls = web_call_count(s->web)};
	history_add(&s->history, time(NULL), &now);
	if (!s->admin_socket)
		succeed(s);
}

int serve_start_login(struct serve *s, struct why *why)
{
	s->admin_http.admin = &s->admin;
	if (s->conf->explain_sessions) {
		s->explain = explain_new((size_t)s->conf->explain_sessions);
		if (!s->explain)
			return why_set(why, -E_NOMEM, "out of memory");
	}
	s->helper = helper_new(s->base, s->conf->data);
	if (!s->helper)
		return why_set(why, -E_NOMEM, "cannot start the helper thread: out of memory");
	return signin_start(s->helper, s->refusals, &s->admin_http.signin, why);
}

int serve_start_admin(struct serve *s, struct why *why)
{
	if (serve_add_timer(s, SAMPLE_MS, on_sample, &s->sample))
		return why_set(why, -E_NOMEM, "out of memory");
	return start_socket(s, why);
}

static char *metrics_now(void *ctx)
{
	struct serve *s = ctx;
	struct metrics m = {.topo = &s->topo,
	                    .draining = s->draining,
	                    .started_at_s = (uint64_t)s->admin.started_at_s,
	                    .loaded_at_s = (uint64_t)s->reload.loaded_at_s,
	                    .load_succeeded = !s->reload.refused,
	                    .certificate_ends_at_s = (uint64_t)front_cert_expires_at_s(s->front),
	                    .signal_connections = web_member_count(s->web),
	                    .signal_calls = web_call_count(s->web),
	                    .connections = front_connections(s->front),
	                    .connections_refused = front_refused(s->front),
	                    .issued = s->grant.issued,
	                    .denied = s->grant.denied,
	                    .rate_limited = s->grant.limited,
	                    .revoked = s->grant.revoked,
	                    .logins_refused = signin_refused(s->admin_http.signin),
	                    .log_lines_lost = log_lost(),
	                    .store_up = !s->store_error.text[0],
	                    .users = store_snapshot_user_n(s->users),
	                    .secrets = store_snapshot_secret_n(s->users)};

	memcpy(m.signal_events, s->signal_events, sizeof(m.signal_events));
	front_get_proxy_faults(s->front, m.proxy_faults);
	books_get_stats(s->books, &m.books);
	hooks_get_stats(s->hooks, &m.hooks);
	self_look(&m.self);
	metrics_collect(&m, s->workers, s->worker_n);
	return metrics_text(&m);
}

static int on_metrics(void *ctx, const struct caller *caller, char **text)
{
	struct serve *s = ctx;
	int r = grant_trust(&s->grant, caller, STORE_SCOPE_METRICS);

	if (r)
		return r;
	*text = metrics_now(s);
	return *text ? 0 : -E_NOMEM;
}

static int on_enter(void *ctx, const char *token, char secret[CALLER_GUEST_STRLEN])
{
	return grant_enter(&((struct serve *)ctx)->grant, token, secret);
}

static void on_proxy_seen(void *ctx, const struct addr *proxy)
{
	struct serve *s = ctx;

	if (told_once(&s->told_proxies, proxy))
		log_warn(NULL, "proxy-not-trusted", LOG_ADDR("peer", proxy),
		         LOG_STR("hint", "requests from there name other clients, so this seems to "
		                         "be a proxy. If it is yours, name its address in "
		                         "trusted_proxy; until then all its clients count as one"));
}

static bool on_owns(void *ctx, const char *host)
{
	return grant_owns(&((struct serve *)ctx)->grant, host);
}

static int make_link(void *ctx, struct guest_url *out, struct why *why)
{
	struct serve *s = ctx;
	char token[GUEST_LINK_STRLEN];
	int r = grant_make_link(&s->grant, token, why);

	if (!r)
		guest_url(s->conf, &s->topo, token, out);
	return r;
}

void serve_tell_links(struct serve *s)
{
	struct guest_url url[2];
	struct why why;

	if (s->conf->guests != GUESTS_LOCAL || !isatty(STDERR_FILENO) ||
	    make_link(s, &url[0], &why) || make_link(s, &url[1], &why))
		return;
	fprintf(stderr,
	        "Two links to the call page, one for each side of a call. Each link lets in one "
	        "browser (or\nprofile), once, within an hour:\n\n    %s\n    %s\n\nMake more with: "
	        "turnpike --data %s link\n\n",
	        url[0].here, url[1].here, s->conf->data);
}

static void on_reload(void *ctx, struct reload_report *report)
{
	reload_run(&((struct serve *)ctx)->reload, report);
}

static uint64_t count_connections(void *ctx)
{
	return front_connections(((struct serve *)ctx)->front);
}

void serve_fill_admin(struct serve *s)
{
	s->admin = (struct admin){.live = s->reload.live,
	                          .store = s->store,
	                          .workers = s->workers,
	                          .worker_n = s->worker_n,
	                          .web = s->web,
	                          .grant = &s->grant,
	                          .tickets = s->tickets,
	                          .history = &s->history,
	                          .explain = s->explain,
	                          .helper = s->helper,
	                          .hooks = s->hooks,
	                          .started_at_s = time(NULL),
	                          .changed = on_changed,
	                          .metrics = metrics_now,
	                          .link = make_link,
	                          .reload = on_reload,
	                          .connections = count_connections,
	                          .set_draining = serve_set_draining,
	                          .is_draining = is_draining,
	                          .ctx = s};
}

int serve_start_web(struct serve *s, struct why *why)
{
	static const struct web_ops ops = {.grant = on_grant,
	                                   .ticket = on_ticket,
	                                   .ticket_login = on_ticket_login,
	                                   .revoke = on_revoke,
	                                   .cors = on_cors,
	                                   .owns = on_owns,
	                                   .enter = on_enter,
	                                   .proxy_seen = on_proxy_seen,
	                                   .identify = on_identify,
	                                   .admit = serve_admit,
	                                   .signal_event = on_signal_event,
	                                   .link = on_link,
	                                   .admin = on_admin,
	                                   .ready = is_ready,
	                                   .metrics = on_metrics};
	struct setup_cert paths;
	struct web_conf conf;
	char state[PATH_MAX];

	setup_cert_paths(s->conf, &paths);
	web_conf_default(&conf);
	conf.cert_path = paths.cert;
	snprintf(state, sizeof(state), "%s/signal.state", s->conf->data);
	conf.state_path = state;
	return web_start(s->base, &conf, &ops, s, &s->web, why);
}
