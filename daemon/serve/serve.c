/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Wires the house together: store, TURN workers, web and signaling on one
 * main loop, and takes them apart again.
 */
#include "daemon/serve/serve_internal.h"

#include "base/env_libevent.h"
#include "base/username.h"
#include "daemon/admin/ask.h"
#include "daemon/cert/setup.h"
#include "daemon/issue/refusals.h"
#include "daemon/listen/listen.h"
#include "daemon/observe/metrics.h"
#include "daemon/process/limits.h"
#include "daemon/process/privilege.h"
#include "daemon/process/sandbox.h"
#include "daemon/serve/serve.h"
#include "store/belief.h"
#include "turn/quota.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_FILES_MAX    16 /* outside of the data directory, that a reload reads again */
#define DRAIN_POLL_MS     100
#define STORE_WAIT_MS     250
#define STORE_RETRY_POLLS 10  /* while it cannot be read */
#define STORE_POLL_MS     100 /* a change by the command line takes effect after so long */

struct revoked_since {
	const struct store_snapshot *before, *now;
};

static bool is_newly_revoked(void *ctx, const char *name)
{
	const struct revoked_since *since = ctx;

	/* Also a second time: the user may have got a new one since. */
	return store_snapshot_user_revoked(since->now, name) >
	       store_snapshot_user_revoked(since->before, name);
}

static void tell_stale(void *ctx, const char *username)
{
	struct serve *s = ctx;
	struct username u;

	if (!username_parse(username, strlen(username), &u))
		web_tell_stale(s->web, u.name);
}

/* Warns that a retired secret is still configured: only the configuration's owner can mend that. */
static void warn_of_secret(struct serve *s, const struct store_snapshot *fresh)
{
	const char *secret = s->conf->shared_secret;
	bool live = !*secret;
	size_t len;

	for (size_t i = 0; i < store_snapshot_secret_n(fresh); i++)
		live |= !strcmp(store_snapshot_secret(fresh, i, &len), secret);
	if (!live && !s->secret_retired)
		log_warn(NULL, "shared-secret-retired",
		         LOG_STR("hint",
		                 "the configuration still has this secret: change or remove it "
		                 "there, or the next reload and start are refused"));
	s->secret_retired = !live;
}

static bool has_fallen(void *ctx, int64_t key, const char *sub)
{
	const struct serve *s = ctx;

	return !ticket_stands(s->tickets, s->users, key, sub);
}

/* After a change of the keys or of the accounts. */
static void end_fallen(struct serve *s)
{
	unsigned n = s->web ? web_revoke(s->web, has_fallen, s) : 0;

	if (n)
		log_info(NULL, "tickets-revoked", LOG_INT("connections", n));
}

static int reload_users(struct serve *s, struct why *why)
{
	struct revoked_since since = {.before = s->users};
	struct store_snapshot *fresh;
	int r = store_snapshot_load(s->store, &fresh, why);

	if (r)
		return r;
	r = tickets_set_keys(s->tickets, fresh, why);
	if (r) {
		store_snapshot_unref(fresh);
		return r;
	}
	since.now = fresh;
	if (s->web && since.before) {
		web_tell_revoked(s->web, is_newly_revoked, &since);
		store_snapshot_newly_revoked(fresh, since.before, tell_stale, s);
		if (store_snapshot_newly_ended(fresh, since.before))
			web_tell_stale(s->web, NULL);
	}
	warn_of_secret(s, fresh);
	store_snapshot_unref(s->users);
	s->users = fresh;
	s->grant.users = fresh;
	end_fallen(s);
	for (size_t i = 0; i < s->worker_n; i++)
		worker_set_users(s->workers[i], fresh);
	return 0;
}

static void nothing(struct turn *t, const void *question, void *answer)
{
	(void)t;
	(void)question;
	(void)answer;
}

/* The same, and returns when the workers know it, too: the caller may start a call the next moment.
 */
int serve_heed(struct serve *s, struct why *why)
{
	int r = reload_users(s, why);
	struct ask *a = r ? NULL : ask_new(s->worker_n, "", 0, 1);

	if (a)
		ask_workers(a, s->workers, s->worker_n, nothing);
	ask_free(a);
	return r;
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct serve *s = arg;
	struct why why = {{0}};
	bool changed = false;

	(void)fd;
	(void)what;
	if (s->store_error.text[0] && ++s->store_polls < STORE_RETRY_POLLS)
		return;
	s->store_polls = 0;
	/* A read error is not reported again as a change. */
	if (store_changed(s->store, &changed, &why) ||
	    ((changed || s->store_error.text[0]) && reload_users(s, &why))) {
		/* Running on with what we know; said once, not ten times a second. */
		if (strcmp(why.text, s->store_error.text) != 0)
			log_error(NULL, "store", LOG_STR("error", why.text));
		s->store_error = why;
		return;
	}
	s->store_error.text[0] = 0;
	if (changed)
		log_info(NULL, "users-reloaded", LOG_INT("users", store_snapshot_user_n(s->users)),
		         LOG_INT("secrets", store_snapshot_secret_n(s->users)));
}

static void on_rotate(evutil_socket_t fd, short what, void *arg)
{
	struct serve *s = arg;

	(void)fd;
	(void)what;
	env_libevent_random(s->nonce_key, sizeof(s->nonce_key));
	for (size_t i = 0; i < s->worker_n; i++)
		worker_set_nonce_key(s->workers[i], s->nonce_key);
}

int serve_add_timer(struct serve *s, uint64_t every_ms, event_callback_fn fn, struct event **out)
{
	struct timeval tv = {.tv_sec = (time_t)(every_ms / 1000),
	                     .tv_usec = (suseconds_t)(every_ms % 1000 * 1000)};

	*out = event_new(s->base, -1, EV_PERSIST, fn, s);
	return *out && !event_add(*out, &tv) ? 0 : -E_NOMEM;
}

static uint64_t live_allocations(const struct serve *s)
{
	struct metrics m;

	metrics_collect(&m, s->workers, s->worker_n);
	return m.relay.allocations;
}

void serve_set_draining(void *ctx, bool draining)
{
	struct serve *s = ctx;

	draining |= s->stopping;
	if (s->draining != draining)
		log_info(NULL, draining ? "draining" : "drain-cancelled",
		         LOG_INT("allocations", live_allocations(s)));
	s->draining = draining;
	for (size_t i = 0; i < s->worker_n; i++)
		worker_set_draining(s->workers[i], draining);
}

static void on_drain(evutil_socket_t fd, short what, void *arg)
{
	struct serve *s = arg;
	uint64_t live = live_allocations(s);

	(void)fd;
	(void)what;
	if (live && s->drain_polls++ < (uint64_t)s->conf->drain_timeout * 1000 / DRAIN_POLL_MS)
		return;
	log_info(NULL, "drained", LOG_INT("allocations", live));
	event_base_loopbreak(s->base);
}

/* The first signal drains: nothing new, what runs may end. The second one stops. */
static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct serve *s = arg;
	uint64_t live = live_allocations(s);

	(void)what;
	log_info(NULL, "stopping", LOG_STR("signal", strsignal((int)number)),
	         LOG_INT("allocations", live));
	if (s->stopping || !live || !s->conf->drain_timeout ||
	    serve_add_timer(s, DRAIN_POLL_MS, on_drain, &s->drain)) {
		supervise_stopping(s->supervise, 0);
		event_base_loopbreak(s->base);
		return;
	}
	s->stopping = true;
	supervise_stopping(s->supervise, (uint64_t)s->conf->drain_timeout);
	serve_set_draining(s, true);
}

static int open_listeners(struct serve *s, struct why *why)
{
	s->listeners = calloc(s->sockets.tcp_n, sizeof(struct listener *));
	if (!s->listeners)
		return why_set(why, -E_NOMEM, "out of memory");
	for (size_t i = 0; i < s->sockets.tcp_n; i++) {
		int fd = sockets_take_tcp(&s->sockets, i);
		int r = fd < 0 ? 0
		               : listener_new(s->base, fd, conf_listen_proxies(s->conf, i),
		                              front_greeter(s->front), &s->listeners[s->listener_n],
		                              why);

		if (r)
			return r;
		s->listener_n += fd >= 0;
	}
	return 0;
}

static int start_worker(struct serve *s, const struct turn_conf *conf, struct why *why)
{
	struct turn_listener_conf *l = calloc(s->topo.udp_n + 1, sizeof(*l));
	struct worker_net net = *front_worker_net(s->front);
	size_t n = 0;
	int r;

	net.books = s->books;
	net.hooks = s->hooks;
	net.wall = &s->wall;
	net.usage_interval_s = (unsigned)s->conf->usage_interval;
	if (!l)
		return why_set(why, -E_NOMEM, "out of memory");
	for (size_t i = 0; i < s->topo.udp_n; i++) {
		l[n] = serve_listener_conf(s, i);
		l[n].fd = sockets_take_udp(&s->sockets, conf->worker, i);
		s->topo.udp[i].served = l[n].fd >= 0;
		n += l[n].fd >= 0;
	}
	r = worker_start(conf, l, n, s->users, s->nonce_key, &net, &s->workers[s->worker_n], why);
	s->worker_n += !r;
	free(l);
	return r;
}

static int start_workers(struct serve *s, struct why *why)
{
	size_t n = s->sockets.worker_n;
	struct turn_conf conf;
	int r = 0;

	s->workers = calloc(n, sizeof(struct worker *));
	if (!s->workers)
		return why_set(why, -E_NOMEM, "out of memory");
	r = settings_new(s->conf, &s->topo, &s->settings, &s->reload.settings, why);
	if (r)
		return r;
	conf = s->reload.settings->turn;
	conf.explain_sessions =
	    (uint32_t)((s->conf->explain_sessions + (int64_t)n - 1) / (int64_t)n);
	for (conf.worker = 0; !r && conf.worker < n; conf.worker++)
		r = start_worker(s, &conf, why);
	return r;
}

/* Shown once, to the person who starts the appliance, and not in its log. */
static void tell_token(const char *token)
{
	fprintf(stderr,
	        "First start. This API token is shown only once. With it, programs get relay "
	        "credentials\nfrom the HTTP interface, and browsers from the page "
	        "(https://HOST:PORT/#key=TOKEN):\n\n    %s\n\nMake more with: turnpike token add "
	        "NAME\n",
	        token);
}

static int start_books(struct serve *s, struct why *why)
{
	const struct conf *c = s->conf;
	const struct books_conf books = {.dir = c->data,
	                                 .wall = &s->wall,
	                                 .usage_interval_s = (unsigned)c->usage_interval,
	                                 .usage_users = c->usage_users,
	                                 .usage_days = c->usage_days,
	                                 .audit_rows = c->audit_rows,
	                                 .audit_days = c->audit_days};
	int r = books_start(&books, &s->books, why);

	s->grant.books = s->books;
	return r;
}

static int64_t now_s(void *wall)
{
	return wall_now_s(wall);
}

static int open_store(struct serve *s, struct why *why)
{
	char token[STORE_TOKEN_STRLEN];
	bool made = false;
	const struct store_options options = {.now_s = now_s, .now_ctx = &s->wall};
	struct belief belief;
	struct why doubt;
	int r = store_open(s->conf->data, &options, &s->store, why);

	s->grant.wall = &s->wall;
	if (!r && !(s->tickets = tickets_new(s->conf, &s->wall, s->store)))
		r = why_set(why, -E_NOMEM, "out of memory");
	if (!r)
		r = store_belief_get(s->store, &belief, why);
	if (!r && !wall_is_synchronized())
		wall_set_floor(&s->wall, belief_floor_s(&belief));
	if (!r)
		r = setup_first_start(s->conf, s->store, token, &made, why);
	if (!r && made)
		tell_token(token);
	if (!r && setup_cert_doubt(s->conf, &doubt))
		log_warn(NULL, "certificate", LOG_STR("problem", doubt.text));
	if (!r)
		r = reload_users(s, why);
	if (r)
		return r;
	store_set_busy_timeout(s->store, STORE_WAIT_MS); /* from here on the loop waits with it */
	return 0;
}

static void on_hup(evutil_socket_t number, short what, void *arg)
{
	struct serve *s = arg;

	(void)number;
	(void)what;
	supervise_reloading(s->supervise);
	reload_run(&s->reload, NULL);
	supervise_reloaded(s->supervise);
}

static int add_signal(struct serve *s, int number, event_callback_fn fn, struct event **out)
{
	*out = evsignal_new(s->base, number, fn, s);
	return *out && !event_add(*out, NULL) ? 0 : -E_NOMEM;
}

static void event_gone(struct event *e)
{
	if (e)
		event_free(e);
}

static void on_reread(void *ctx)
{
	struct why why = {{0}};

	if (serve_heed(ctx, &why)) /* it is on the disk: the next poll tries again */
		log_error(NULL, "store", LOG_STR("error", why.text));
}

/* Adding a timer that runs puts it off, so that only another interval does. */
static void on_applied(void *ctx)
{
	struct serve *s = ctx;
	struct timeval every = {.tv_sec = (time_t)s->conf->nonce_lifetime};
	struct why why;

	call_locks_set_on(s->locks, s->conf->relay_lock != LOCK_NO);
	if (tickets_set_keys(s->tickets, s->users, &why))
		log_error(NULL, "ticket-keys-stay", LOG_STR("error", why.text));
	end_fallen(s);
	if (s->rotate_s == every.tv_sec)
		return;
	s->rotate_s = every.tv_sec;
	if (event_add(s->rotate, &every))
		log_error(NULL, "nonce-key-stays", LOG_STR("error", "out of memory"));
}

static int start_reload(struct serve *s, struct why *why)
{
	s->reload.topo = &s->topo;
	s->reload.base = &s->settings;
	s->reload.store = s->store;
	s->reload.front = s->front;
	s->reload.web = s->web;
	s->reload.hooks = s->hooks;
	s->reload.workers = s->workers;
	s->reload.worker_n = s->worker_n;
	s->reload.applied = on_applied;
	s->reload.reread = on_reread;
	s->reload.ctx = s;
	return reload_start(&s->reload, s->base, why);
}

/* The steps that need root, or must no longer have it. Only the main thread runs yet. */
static int start_confined(struct serve *s, struct why *why)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t workers = s->conf->workers ? (size_t)s->conf->workers
	                 : cores > 0      ? (size_t)cores
	                                  : 1;
	struct limits_need need;
	struct privilege p;
	int r;

	if ((r = privilege_resolve(s->conf, &p, why)) || (r = supervise_new(&s->supervise, why)) ||
	    (r = topology_new(s->conf, &s->topo, why)))
		return r;
	need = limits_need(s->conf, s->topo.relay_n, s->topo.udp_n, workers);
	limits_raise(&need);
	if ((r = sockets_bind(&s->sockets, s->conf, &s->topo, workers, why)) ||
	    (r = privilege_own_data(&p, s->conf->data, why)) ||
	    (r = privilege_drop(&p, s->conf, why)) ||
	    (r = privilege_check_data(&p, s->conf->data, why)) ||
	    (r = privilege_check_readable(&p, s->conf->tls_cert, why)) ||
	    (r = privilege_check_readable(&p, s->conf->tls_key, why)) ||
	    (r = privilege_check_readable(&p, s->conf->webhook_ca, why)))
		return r;
	if (p.drop)
		log_info(NULL, "root-dropped", LOG_STR("user", p.user), LOG_INT("uid", p.uid),
		         LOG_INT("gid", p.gid));
	else if (!p.uid)
		log_warn(NULL, "runs-as-root",
		         LOG_STR("hint", "name an ordinary user with the option run_as"));
	return open_store(s, why);
}

static int confine(struct serve *s, struct why *why)
{
	const struct conf_input *in = s->reload.live->input;
	const char *read[READ_FILES_MAX] = {s->conf->tls_cert, s->conf->tls_key,
	                                    s->conf->webhook_ca};
	size_t n =
	    3 + sandbox_input_files(in->argc, in->argv, in->envp, read + 3, READ_FILES_MAX - 3);
	struct sandbox_state state;
	int r;

	for (size_t i = 3; i < n; i++)
		if (access(read[i], R_OK) && errno == EACCES)
			log_warn(NULL, "reload-will-fail", LOG_STR("file", read[i]),
			         LOG_STR("hint", "root could read this file, but the user of "
			                         "run_as cannot: let that user read it, too"));
	if (!s->conf->sandbox) {
		log_warn(NULL, "sandbox",
		         LOG_STR("hint", "sandbox = no: nothing confines the server"));
		return 0;
	}
	r = sandbox_enter(s->conf->data, read, n, &state, why);
	if (r)
		return r;
	if (!state.landlock || !state.seccomp)
		log_warn(NULL, "sandbox", LOG_INT("landlock_abi", state.landlock),
		         LOG_STR("seccomp", state.seccomp ? "yes" : "no"),
		         LOG_STR("hint", "this kernel or container does not support all of it"));
	else
		log_info(NULL, "sandbox", LOG_INT("landlock_abi", state.landlock),
		         LOG_STR("seccomp", "yes"));
	return 0;
}

static int start(struct serve *s, struct why *why)
{
	int r;

	s->base = event_base_new();
	s->settings.quota = turn_quota_new(0, 0);
	s->grant.conf = s->conf;
	s->grant.rate = s->rate =
	    issue_rate_new(s->conf->issue_rate_token, s->conf->issue_rate_address);
	s->grant.links = guest_links_new();
	s->grant.refusals = s->refusals = refusals_new();
	s->grant.reissue = serve_reissue;
	s->grant.reissue_ctx = s;
	if (!s->base || !s->settings.quota || !s->rate || !s->grant.links || !s->refusals)
		return why_set(why, -E_NOMEM, "out of memory");
	env_libevent_random(s->settings.ticket_key, sizeof(s->settings.ticket_key));
	env_libevent_random(s->nonce_key, sizeof(s->nonce_key));
	setenv("SQLITE_TMPDIR", s->conf->data, 1); /* the only place that will be left to it */
	if ((r = start_confined(s, why)) || (r = confine(s, why)) || (r = start_books(s, why)) ||
	    (r = hooks_start(s->conf, s->base, serve_admitted, s, &s->hooks, why)) ||
	    (log_start() && (r = why_set(why, -E_NOMEM, "out of memory"))) ||
	    (r = front_new(s->base, s->conf, &s->topo, &s->front, why)) ||
	    (r = open_listeners(s, why)) || (r = start_workers(s, why)) ||
	    (r = serve_start_login(s, why)) || (r = serve_start_locks(s, why)) ||
	    (r = serve_start_web(s, why)))
		return r;
	serve_fill_admin(s);
	front_open(s->front, s->web, s->workers, s->worker_n);
	if (serve_add_timer(s, STORE_POLL_MS, on_poll, &s->poll) ||
	    !(s->rotate = event_new(s->base, -1, EV_PERSIST, on_rotate, s)) ||
	    add_signal(s, SIGINT, on_signal, &s->on_int) ||
	    add_signal(s, SIGTERM, on_signal, &s->on_term) ||
	    add_signal(s, SIGHUP, on_hup, &s->on_hup))
		return why_set(why, -E_NOMEM, "out of memory");
	if ((r = start_reload(s, why)) || (r = serve_start_host(s, why)))
		return r;
	r = serve_start_admin(s, why);
	if (!r)
		serve_tell_started(s);
	return r;
}

static void stop(struct serve *s)
{
	for (size_t i = 0; i < s->listener_n; i++)
		listener_free(s->listeners[i]);
	admin_socket_stop(s->admin_socket);
	front_close_web(s->front);
	web_stop(s->web);       /* it says goodbye through the workers, too */
	helper_free(s->helper); /* the jobs' receivers are gone */
	signin_stop(s->admin_http.signin);
	workers_stop(s->workers, s->worker_n);
	reload_stop(&s->reload);
	books_stop(s->books); /* the workers have told of the last */
	hooks_stop(s->hooks);
	front_free(s->front);
	sockets_close(&s->sockets);
	supervise_free(s->supervise);
	serve_stop_host(s);
	event_gone(s->poll);
	event_gone(s->rotate);
	event_gone(s->sample);
	event_gone(s->lock_tick);
	event_gone(s->on_int);
	event_gone(s->on_term);
	event_gone(s->on_hup);
	event_gone(s->drain);
	free(s->workers);
	free(s->listeners);
	topology_free(&s->topo);
	turn_quota_free(s->settings.quota);
	issue_rate_free(s->rate);
	guest_links_free(s->grant.links);
	refusals_free(s->refusals);
	explain_free(s->explain);
	tickets_free(s->tickets);
	call_locks_free(s->locks);
	store_snapshot_unref(s->users);
	store_close(s->store);
	if (s->base)
		event_base_free(s->base);
}

int serve_main(struct conf_live *live)
{
	const struct conf *conf = &live->conf; /* a reload changes it in place */
	struct serve s = {.conf = conf, .reload = {.live = live}};
	struct why why = {{0}};
	int r;

	signal(SIGPIPE, SIG_IGN);
	log_set_level(conf->log_level); /* of the start's own lines, too */
	log_tell_journal();
	r = start(&s, &why);
	if (r) {
		fprintf(stderr, "%sturnpike: %s\n", log_is_journal(STDERR_FILENO) ? "<3>" : "",
		        why.text);
	} else {
		for (size_t i = 0; i < s.topo.udp_n; i++)
			if (s.topo.udp[i].served)
				log_info(NULL, "listening",
				         LOG_ADDR("address", &s.topo.udp[i].addr));
		log_info(NULL, "ready", LOG_STR("version", TURNPIKE_VERSION),
		         LOG_INT("workers", s.worker_n));
		serve_tell_links(&s);
		if (supervise_ready(s.supervise, s.base, s.workers, s.worker_n))
			log_error(NULL, "notify", LOG_STR("error", "out of memory"));
		event_base_dispatch(s.base);
	}
	stop(&s);
	log_info(NULL, "stopped");
	log_stop();
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
