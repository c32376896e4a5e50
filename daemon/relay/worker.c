/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Relay workers.
 */
#include "daemon/relay/worker.h"

#include "base/env_libevent.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/text.h"
#include "base/thread.h"
#include "daemon/hooks/hooks.h"
#include "daemon/issue/refusals.h"
#include "daemon/records/books.h"
#include "daemon/relay/turn_auth.h"
#include "store/credential.h"
#include "store/name.h"
#include "turn/lock.h"
#include "turn/mobility.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct worker {
	pthread_t thread;
	unsigned int number;
	struct event_base *base;
	struct env *env;
	struct mailbox *mail;
	struct turn *turn;
	struct turn_auth auth;
	struct net *net;
	struct worker_net net_conf;
	struct worker *const *others;
	size_t other_n;
	bool stop;
	uint64_t relayed;          /* packets, when it was last looked at */
	struct settings *settings; /* what turn's configuration points into */
	unsigned usage_part;
	unsigned pinged; /* the main thread's */
	atomic_uint ponged;
	struct event *publish;
	pthread_mutex_t report_lock;
	struct worker_report report; /* under report_lock; the data path counts in its own place */
};

/* Media may gather; a request gets its answer at once. */
static bool has_relayed(struct worker *w)
{
	const struct turn_stats *s = turn_get_stats(w->turn);
	uint64_t before = w->relayed;

	w->relayed = s->to_peer_packets + s->to_client_packets;
	return w->relayed != before;
}

static void *run(void *arg)
{
	struct worker *w = arg;
	char name[16];

	/* Names its own thread: another's name is a file of /proc, which the sandbox forbids. */
	snprintf(name, sizeof(name), "relay-%u", w->number);
	pthread_setname_np(pthread_self(), name);
	while (!w->stop) {
		event_base_loop(w->base, EVLOOP_ONCE);
		env_libevent_flush(w->env);
		if (has_relayed(w))
			env_libevent_gather(w->env, w->settings ? w->settings->gather_time_us : 0);
	}
	return NULL;
}

/* Of an allocation that has relayed something; user NULL: a guest's. */
static void tell_hooks(struct hooks *h, const struct turn_usage *u, const char *user, size_t len)
{
	char name[TEXT_SHOWN_MAX(NAME_MAX_LEN)];
	uint64_t bytes = u->all_to_peer_bytes + u->all_to_client_bytes;

	if (!u->ended || !bytes || !hooks_want(h, HOOK_RELAY_USED))
		return;
	text_show(name, sizeof(name), user, len, TEXT_SHOWN);
	hooks_tell(h, HOOK_RELAY_USED,
	           json_pack("{ss? ss sI sI sI}", "name", len ? name : NULL, "realm", u->realm,
	                     "seconds", (json_int_t)(u->all_allocated_ms / 1000), "to_peer_bytes",
	                     (json_int_t)u->all_to_peer_bytes, "to_client_bytes",
	                     (json_int_t)u->all_to_client_bytes));
}

/* A credential's user is the part behind its expiry; a guest's has no meaning. */
static void on_usage(void *ctx, const struct turn_usage *u)
{
	static const char guest[] = CREDENTIAL_GUEST;
	const struct worker *w = ctx;
	const struct store_usage_counts n = {.allocations = u->begun,
	                                     .sessions = u->relays,
	                                     .idle_allocations = u->idle,
	                                     .allocated_ms = (int64_t)u->allocated_ms,
	                                     .relayed_s = u->relayed_s,
	                                     .to_peer_packets = (int64_t)u->to_peer_packets,
	                                     .to_peer_bytes = (int64_t)u->to_peer_bytes,
	                                     .to_client_packets = (int64_t)u->to_client_packets,
	                                     .to_client_bytes = (int64_t)u->to_client_bytes};
	const char *user = u->username;
	size_t len = u->username_len;
	struct username parsed;

	if (!u->third_party && !username_parse(user, len, &parsed)) {
		user = parsed.name;
		len = parsed.name_len;
		if (len >= sizeof(guest) - 1 && !memcmp(user, guest, sizeof(guest) - 1))
			len = 0;
	}
	tell_hooks(w->net_conf.hooks, u, user, len);
	books_usage(w->net_conf.books, env_wall_s(w->env) / 86400, user, len, &n);
}

/* A share of them each time, so that the many do not hold up the packets. */
static void tell_usage(struct worker *w)
{
	unsigned parts = w->net_conf.usage_interval_s * 1000 / WORKER_REPORT_MS;

	if (w->net_conf.books)
		turn_tell_usage(w->turn, w->usage_part++ % parts, parts);
}

static void on_publish(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct timespec cpu;

	(void)fd;
	(void)what;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	pthread_mutex_lock(&w->report_lock);
	w->report.cpu_s = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
	w->report.turn = *turn_get_stats(w->turn);
	w->report.env = w->env->stats;
	w->report.allocations = turn_allocations(w->turn);
	pthread_mutex_unlock(&w->report_lock);
	tell_usage(w);
}

void worker_get_report(struct worker *w, struct worker_report *out)
{
	pthread_mutex_lock(&w->report_lock);
	*out = w->report;
	pthread_mutex_unlock(&w->report_lock);
}

static int start_publishing(struct worker *w)
{
	struct timeval every = {.tv_usec = WORKER_REPORT_MS * 1000};

	w->publish = event_new(w->base, -1, EV_PERSIST, on_publish, w);
	return w->publish && !event_add(w->publish, &every) ? 0 : -E_NOMEM;
}

static void worker_free(struct worker *w)
{
	if (!w)
		return;
	if (w->publish)
		event_free(w->publish);
	pthread_mutex_destroy(&w->report_lock);
	mailbox_free(w->mail);
	net_free(w->net);
	turn_free(w->turn);
	env_libevent_free(w->env);
	if (w->base)
		event_base_free(w->base);
	store_snapshot_unref(w->auth.users);
	refusals_free(w->auth.refusals);
	settings_unref(w->settings);
	free(w);
}

static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config) {
		/* No thread but its own touches a worker's base. */
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		base = event_base_new_with_config(config);
		event_config_free(config);
	}
	return base;
}

static void take_stream(void *owner, void *arg)
{
	net_take(((struct worker *)owner)->net, arg);
}

/* RFC 6062: a data connection belongs to the worker that has its peer's. */
static int on_move(void *ctx, unsigned int number, struct net_stream *s)
{
	struct worker *w = ctx;

	return mailbox_post(w->others[number]->mail, take_stream, s);
}

static void on_http(void *ctx, int fd, const struct net_client *from)
{
	struct worker *w = ctx;

	w->net_conf.http(w->net_conf.ctx, fd, from);
}

static bool has_worker(void *ctx, unsigned int number)
{
	return number < ((struct worker *)ctx)->other_n;
}

static const struct net_ops net_ops = {.http = on_http, .move = on_move, .has_worker = has_worker};

/* The result of a turn_fetch. */
struct handover {
	uint64_t ticket;
	struct turn_alloc *alloc;
	int code;
};

static void take_handover(void *owner, void *arg)
{
	struct handover *h = arg;

	turn_take(((struct worker *)owner)->turn, h->ticket, h->alloc, h->code);
	free(h);
}

static void take_fetch(void *owner, void *arg)
{
	struct worker *w = owner;
	struct turn_fetch *f = arg;
	struct handover *h = w->stop ? NULL : calloc(1, sizeof(*h));

	if (h) {
		h->ticket = f->ticket;
		h->code = turn_give(w->turn, f, &h->alloc);
		if (mailbox_post(w->others[f->asker]->mail, take_handover, h)) {
			h->ticket = 0; /* without a request: it closes */
			take_handover(w, h);
		}
	}
	free(f);
}

/* RFC 8016: the allocation belongs to the worker that the client's new address falls to. */
static int on_fetch(void *ctx, unsigned int number, const struct turn_fetch *f)
{
	struct worker *w = ctx;
	struct turn_fetch *copy;

	if (number >= w->other_n)
		return -E_NOTFOUND;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -E_NOMEM;
	*copy = *f;
	if (mailbox_post(w->others[number]->mail, take_fetch, copy)) {
		free(copy);
		return -E_NOMEM;
	}
	return 0;
}

static const struct turn_mobility_ops mobility_ops = {.fetch = on_fetch};

int worker_start(const struct turn_conf *conf, const struct turn_listener_conf *listeners, size_t n,
                 struct store_snapshot *users, const uint8_t nonce_key[TURN_NONCE_KEY_LEN],
                 const struct worker_net *net, struct worker **out, struct why *why)
{
	struct worker *w = calloc(1, sizeof(*w));
	char text[ADDR_STRLEN];
	size_t i = 0;
	int r = why_set(why, -E_NOMEM, "cannot start relay worker %u: out of memory or descriptors",
	                conf->worker);

	if (!w)
		goto out;
	pthread_mutex_init(&w->report_lock, NULL);
	w->auth.users = store_snapshot_ref(users);
	w->auth.refusals = refusals_new();
	w->base = new_base();
	if (w->base && w->auth.refusals)
		w->env = env_libevent_new(w->base, net->wall);
	if (w->env)
		w->mail = mailbox_new(w->base, w);
	if (w->mail)
		w->turn = turn_new(w->env, conf, &turn_auth_ops, &w->auth);
	if (w->turn)
		w->net = net_new(w->env, w->turn, &net->conf, &net_ops, w);
	if (!w->net || start_publishing(w))
		goto out;
	w->net_conf = *net;
	net_set_tls(w->net, net->tls);
	turn_set_mobility(w->turn, &mobility_ops, w);
	turn_set_nonce_key(w->turn, nonce_key);
	if (net->books)
		turn_set_usage(w->turn, on_usage, w);
	for (; i < n; i++) {
		r = turn_listen(w->turn, &listeners[i]);
		if (r) {
			why_set(why, r, "cannot serve %s: %s",
			        addr_format(&listeners[i].local, text), error_text(r));
			goto out;
		}
	}
	w->number = conf->worker;
	r = thread_start(&w->thread, run, w);
	if (r) {
		r = why_set(why, error_from_errno(r), "cannot start relay worker %u: %s",
		            conf->worker, strerror(r));
		goto out;
	}
	*out = w;
	return 0;
out:
	for (; i < n; i++)
		close(listeners[i].fd);
	worker_free(w);
	return r;
}

static void take_users(void *owner, void *arg)
{
	struct worker *w = owner;

	store_snapshot_unref(w->auth.users);
	w->auth.users = arg;
	turn_recheck_users(w->turn);
}

void worker_set_users(struct worker *w, struct store_snapshot *users)
{
	if (mailbox_post(w->mail, take_users, store_snapshot_ref(users))) {
		log_error(NULL, "worker-mail", LOG_STR("error", "out of memory"));
		store_snapshot_unref(users);
	}
}

struct new_settings {
	struct settings *settings;
	struct net_conf net;
};

static void take_settings(void *owner, void *arg)
{
	struct worker *w = owner;
	struct new_settings *fresh = arg;
	struct turn_conf conf = fresh->settings->turn;

	turn_set_conf(w->turn, &conf);
	net_set_conf(w->net, &fresh->net);
	settings_unref(w->settings);
	w->settings = fresh->settings;
	free(fresh);
}

/* A worker must not be left behind: waiting for memory is all that is left. */
void worker_set_settings(struct worker *w, struct settings *settings, const struct net_conf *net)
{
	struct new_settings *fresh;

	while (!(fresh = malloc(sizeof(*fresh))))
		usleep(1000);
	fresh->settings = settings_ref(settings);
	fresh->net = *net;
	while (mailbox_post(w->mail, take_settings, fresh))
		usleep(1000);
}

struct new_listeners {
	size_t n;
	struct turn_listener_conf v[];
};

static void take_listeners(void *owner, void *arg)
{
	struct worker *w = owner;
	struct new_listeners *fresh = arg;
	int r = turn_set_listeners(w->turn, fresh->v, fresh->n);

	if (r)
		log_error(NULL, "listen", LOG_INT("worker", w->number),
		          LOG_STR("error", error_text(r)));
	free(fresh);
}

void worker_set_listeners(struct worker *w, const struct turn_listener_conf *v, size_t n)
{
	struct new_listeners *fresh;

	while (!(fresh = malloc(sizeof(*fresh) + n * sizeof(*v))))
		usleep(1000);
	fresh->n = n;
	if (n)
		memcpy(fresh->v, v, n * sizeof(*v));
	while (mailbox_post(w->mail, take_listeners, fresh))
		usleep(1000);
}

static void take_draining(void *owner, void *arg)
{
	turn_set_draining(((struct worker *)owner)->turn, arg != NULL);
}

void worker_set_draining(struct worker *w, bool draining)
{
	while (mailbox_post(w->mail, take_draining, draining ? w : NULL))
		usleep(1000);
}

static void take_ping(void *owner, void *arg)
{
	(void)arg;
	atomic_fetch_add(&((struct worker *)owner)->ponged, 1);
}

/* Want of memory is not the worker's death. */
void worker_ping(struct worker *w)
{
	if (!mailbox_post(w->mail, take_ping, NULL))
		w->pinged++;
}

bool worker_answered(const struct worker *w)
{
	return atomic_load(&w->ponged) == w->pinged;
}

static void take_nonce_key(void *owner, void *arg)
{
	struct worker *w = owner;

	turn_set_nonce_key(w->turn, arg);
	free(arg);
}

void worker_set_nonce_key(struct worker *w, const uint8_t key[TURN_NONCE_KEY_LEN])
{
	uint8_t *copy = malloc(TURN_NONCE_KEY_LEN);

	if (copy)
		memcpy(copy, key, TURN_NONCE_KEY_LEN);
	if (!copy || mailbox_post(w->mail, take_nonce_key, copy))
		free(copy); /* the old key goes on a while longer */
}

struct lock_news {
	uint64_t lock;
	size_t n;
	struct addr peers[];
};

static void take_lock(void *owner, void *arg)
{
	struct worker *w = owner;
	struct lock_news *news = arg;

	w->auth.locks_taken++;
	if (turn_lock_set(w->turn, news->lock, news->peers, news->n))
		log_error(NULL, "lock-without-peers", LOG_STR("error", "out of memory"));
	free(news);
}

/* A peer that is taken away must not stay: waiting for memory is all that is left. */
void worker_set_lock(struct worker *w, uint64_t lock, const struct addr *peers, size_t n)
{
	struct lock_news *news;

	while (!(news = malloc(sizeof(*news) + n * sizeof(*peers))))
		usleep(1000);
	news->lock = lock;
	news->n = n;
	if (n)
		memcpy(news->peers, peers, n * sizeof(*peers));
	atomic_fetch_add(&w->auth.locks_posted, 1);
	while (mailbox_post(w->mail, take_lock, news))
		usleep(1000);
}

static void take_stop(void *owner, void *arg)
{
	(void)arg;
	((struct worker *)owner)->stop = true;
}

static void take_client(void *owner, void *arg)
{
	net_accept(((struct worker *)owner)->net, arg);
	free(arg);
}

void worker_accept(struct worker *w, const struct net_client *c)
{
	struct net_client *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *c;
	if (copy && !mailbox_post(w->mail, take_client, copy))
		return;
	free(copy);
	net_sources_give(w->net_conf.conf.sources, c->source);
	close(c->fd);
}

static void take_tls(void *owner, void *arg)
{
	net_set_tls(((struct worker *)owner)->net, arg);
	net_tls_unref(arg);
}

void worker_set_tls(struct worker *w, struct net_tls *tls)
{
	if (mailbox_post(w->mail, take_tls, net_tls_ref(tls))) {
		log_error(NULL, "worker-mail", LOG_STR("error", "out of memory"));
		net_tls_unref(tls);
	}
}

struct others {
	struct worker *const *all;
	size_t n;
};

static void take_others(void *owner, void *arg)
{
	struct worker *w = owner;
	struct others *p = arg;

	w->others = p->all;
	w->other_n = p->n;
	free(p);
}

void worker_set_others(struct worker *w, struct worker *const *all, size_t n)
{
	struct others *p = malloc(sizeof(*p));

	if (p)
		*p = (struct others){.all = all, .n = n};
	if (!p || mailbox_post(w->mail, take_others, p)) {
		log_error(NULL, "worker-mail", LOG_STR("error", "out of memory"));
		free(p);
	}
}

struct errand {
	void (*fn)(struct turn *t, void *arg);
	void *arg;
};

static void take_errand(void *owner, void *arg)
{
	struct errand *e = arg;

	e->fn(((struct worker *)owner)->turn, e->arg);
	free(e);
}

int worker_run(struct worker *w, void (*fn)(struct turn *t, void *arg), void *arg)
{
	struct errand *e = malloc(sizeof(*e));

	if (!e)
		return -E_NOMEM;
	*e = (struct errand){.fn = fn, .arg = arg};
	if (mailbox_post(w->mail, take_errand, e)) {
		free(e);
		return -E_NOMEM;
	}
	return 0;
}

void workers_stop(struct worker **w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		while (mailbox_post(w[i]->mail, take_stop, NULL))
			usleep(1000);
		pthread_join(w[i]->thread, NULL);
	}
	/* A mailbox's remaining messages must not go to a worker that is gone. */
	for (size_t i = 0; i < n; i++)
		w[i]->other_n = 0;
	for (size_t i = 0; i < n; i++)
		worker_free(w[i]);
}
