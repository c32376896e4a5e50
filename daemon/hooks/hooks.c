/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The webhooks' thread: what it is told, the queue, and the loop.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/thread.h"
#include "daemon/hooks/hooks_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#define TOLD_MAX       20000 /* in memory, while the disk is slow */
#define BATCH          256   /* events in one transaction */
#define DISK_AGAIN_MS  1000
#define VIEW_WAIT_MS   250 /* the main thread's, for the thread's own transaction */
#define THREAD_WAIT_MS 5000
#define IDLE_MS        60000

/* ---- settings ---- */

void hook_settings_free(struct hook_settings *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->url_n; i++)
		free(s->urls[i]);
	explicit_bzero(s->keys, sizeof(s->keys));
	free(s->ca);
	free(s->join_url);
	free(s);
}

/* The values were checked when they were read. */
static int settings_new(const struct conf *conf, struct hook_settings **out, struct why *why)
{
	struct hook_settings *s = calloc(1, sizeof(*s));
	bool full = !s;
	bool needed = conf->webhook_url.n || *conf->join_url;
	int r = hook_ca_check(needed ? conf->webhook_ca : "", why);

	for (size_t i = 0; !full && !r && i < conf->webhook_url.n; i++) {
		s->urls[i] = strdup(conf->webhook_url.v[i]);
		full = !s->urls[i];
		s->url_n += !full;
	}
	for (size_t i = 0; !full && !r && i < conf->webhook_secret.n; i++)
		r = hook_key_parse(conf->webhook_secret.v[i], &s->keys[s->key_n++], why);
	for (size_t i = 0; !full && !r && s->url_n && i < conf->webhook_events.n; i++) {
		enum hook_what what;

		r = hook_parse(conf->webhook_events.v[i], &what, why);
		if (!r)
			s->mask |= 1u << what;
	}
	if (!full && !r) {
		s->ca = strdup(conf->webhook_ca);
		s->timeout_ms = (long)conf->webhook_timeout * 1000;
		s->limits = (struct hook_limits){.events = conf->webhook_queue,
		                                 .bytes = conf->webhook_queue_bytes};
		s->join_url = strdup(conf->join_url);
		s->join_timeout_ms = (long)conf->join_timeout * 1000;
		full = !s->ca || !s->join_url;
	}
	if (full)
		r = why_set(why, -E_NOMEM, "webhooks: out of memory");
	if (r)
		hook_settings_free(s);
	else
		*out = s;
	return r;
}

/* ---- what other threads do ---- */

bool hooks_want(const struct hooks *h, enum hook_what what)
{
	return h && atomic_load(&h->mask) >> what & 1;
}

/* Of an object, without its braces. */
static struct hook_told *told_new(enum hook_what what, json_t *members)
{
	char *text = members ? json_dumps(members, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	struct hook_told *t = len >= 2 ? calloc(1, sizeof(*t) + len) : NULL;

	json_decref(members);
	if (t) {
		memcpy(t->members, text + 1, len - 2);
		t->event = (struct hook_event){
		    .what = hook_text(what), .members = t->members, .at_ms = clock_unix_ms()};
	}
	free(text);
	return t;
}

void hooks_tell(struct hooks *h, enum hook_what what, json_t *members)
{
	struct hook_told *t;

	if (!hooks_want(h, what)) {
		json_decref(members);
		return;
	}
	t = told_new(what, members);
	pthread_mutex_lock(&h->lock);
	if (t && h->told_n < TOLD_MAX) {
		DL_APPEND(h->told, t);
		h->told_n++;
		t = NULL;
	} else {
		h->stats.dropped++;
	}
	pthread_mutex_unlock(&h->lock);
	free(t);
	curl_multi_wakeup(h->multi);
}

void hooks_get_stats(struct hooks *h, struct hooks_stats *out)
{
	int64_t now_ms = clock_unix_ms(), oldest_ms = now_ms;

	pthread_mutex_lock(&h->lock);
	*out = h->stats;
	out->waiting = h->told_n;
	for (size_t i = 0; i < h->state_n; i++) {
		const struct hook_count *c = &h->states[i].count;

		out->waiting += (uint64_t)c->letters;
		if (c->letters && c->oldest_ms < oldest_ms)
			oldest_ms = c->oldest_ms;
	}
	pthread_mutex_unlock(&h->lock);
	out->age_s = (uint64_t)(now_ms - oldest_ms) / 1000;
}

size_t hooks_get_states(struct hooks *h, struct hook_url_state out[HOOK_URLS_MAX])
{
	size_t n;

	pthread_mutex_lock(&h->lock);
	n = h->state_n;
	memcpy(out, h->states, n * sizeof(*out));
	pthread_mutex_unlock(&h->lock);
	return n;
}

/* ---- what operators do ---- */

static int open_view(struct hooks *h, struct why *why)
{
	return h->view ? 0 : hook_queue_open(h->dir, VIEW_WAIT_MS, &h->view, why);
}

int hooks_list_dead(struct hooks *h, int64_t seq, const char *url, hook_letter_fn *each, void *ctx,
                    struct why *why)
{
	int r = open_view(h, why);

	return r ? r : hook_queue_dead(h->view, seq, url, each, ctx, why);
}

int hooks_retry(struct hooks *h, const char *id, int64_t *n, struct why *why)
{
	struct hook_url_state states[HOOK_URLS_MAX];
	size_t url_n = hooks_get_states(h, states);
	int r = open_view(h, why);

	for (size_t i = 0; !r && i < url_n; i++)
		r = hook_queue_retry(h->view, states[i].url, id, n, why);
	pthread_mutex_lock(&h->lock);
	h->again = true;
	pthread_mutex_unlock(&h->lock);
	if (h->running)
		curl_multi_wakeup(h->multi);
	return r;
}

/* ---- the thread ---- */

int hook_disk(struct hooks *h, int r, const struct why *why)
{
	if (r && strcmp(why->text, h->last.text) != 0)
		log_error(NULL, "webhooks", LOG_STR("error", why->text));
	if (r)
		h->last = *why;
	else
		h->last.text[0] = 0;
	return r;
}

static void forget(struct hooks *h, size_t n)
{
	for (; n; n--) {
		struct hook_told *t = h->pending;

		DL_DELETE(h->pending, t);
		free(t);
	}
}

/* True when something is left that can be written now. */
static bool write_batch(struct hooks *h)
{
	struct hook_event events[BATCH];
	struct hook_told *t;
	struct why why = {{0}};
	uint64_t dropped = 0;
	size_t n = 0;

	DL_FOREACH (h->pending, t) {
		if (n == BATCH)
			break;
		events[n++] = t->event;
	}
	if (!n || clock_mono_ms() < h->write_ms)
		return false;
	if (h->now->url_n && hook_disk(h,
	                               hook_queue_add(h->queue, h->now->urls, h->now->url_n, events,
	                                              n, &h->now->limits, &dropped, &why),
	                               &why)) {
		h->write_ms = clock_mono_ms() + DISK_AGAIN_MS;
		return false;
	}
	forget(h, n);
	for (size_t i = 0; i < h->outlet_n; i++) {
		h->outlets[i].empty = false;
		h->outlets[i].dirty = true;
	}
	pthread_mutex_lock(&h->lock);
	h->told_n -= n;
	h->stats.dropped += dropped;
	pthread_mutex_unlock(&h->lock);
	return h->pending;
}

/* Takes what others have left. False: it is time to stop. */
static bool take(struct hooks *h)
{
	struct hook_settings *fresh;
	bool again, stop;

	pthread_mutex_lock(&h->lock);
	DL_CONCAT(h->pending, h->told);
	h->told = NULL;
	fresh = h->fresh;
	h->fresh = NULL;
	again = h->again;
	h->again = false;
	stop = h->stop;
	pthread_mutex_unlock(&h->lock);
	if (fresh) {
		hook_settings_free(h->now);
		h->now = fresh;
		hook_outlets_set(h);
	}
	for (size_t i = 0; again && i < h->outlet_n; i++) {
		h->outlets[i].empty = false;
		h->outlets[i].dirty = true;
		h->outlets[i].next_ms = 0;
	}
	return !stop;
}

static void end_exchange(struct hooks *h, struct hook_post *post, CURLcode code)
{
	if (!hook_ask_done(h, post, code))
		hook_outlet_done(h, post, code);
}

static void finish_exchanges(struct hooks *h)
{
	const CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left)))
		if (m->msg == CURLMSG_DONE)
			end_exchange(h, hook_post_of(m->easy_handle), m->data.result);
}

static void *run(void *arg)
{
	struct hooks *h = arg;
	int running;

	pthread_setname_np(pthread_self(), "hooks"); /* the sandbox forbids naming another thread */
	while (take(h)) {
		bool more = write_batch(h);
		int64_t wait_ms;

		curl_multi_perform(h->multi, &running);
		finish_exchanges(h);
		hook_asks_run(h);
		wait_ms = hook_outlets_run(h);
		hook_outlets_publish(h);
		if (h->pending && wait_ms > DISK_AGAIN_MS)
			wait_ms = DISK_AGAIN_MS;
		if (wait_ms > IDLE_MS)
			wait_ms = IDLE_MS;
		curl_multi_poll(h->multi, NULL, 0, more ? 0 : (int)wait_ms, NULL);
	}
	h->write_ms = 0;
	while (write_batch(h))
		;
	return NULL;
}

/* ---- start and stop ---- */

/* At the first need: at a start, or at the reload that names the first URL. */
static int start_thread(struct hooks *h, struct why *why)
{
	int r = hook_queue_open(h->dir, THREAD_WAIT_MS, &h->queue, why);

	if (r)
		return r;
	h->running = !thread_start(&h->thread, run, h);
	if (h->running)
		return 0;
	hook_queue_close(h->queue);
	h->queue = NULL;
	return why_set(why, -E_NOMEM, "webhooks: cannot start their thread: out of memory");
}

int hooks_prepare(struct hooks *h, const struct conf *conf, struct hook_settings **out,
                  struct why *why)
{
	struct hook_settings *s;
	int r = settings_new(conf, &s, why);

	if (r)
		return r;
	if ((s->url_n || *s->join_url) && !h->running)
		r = start_thread(h, why);
	if (r)
		hook_settings_free(s);
	else
		*out = s;
	return r;
}

void hooks_apply(struct hooks *h, struct hook_settings *fresh)
{
	if (!h->running) {
		hook_settings_free(fresh);
		return;
	}
	atomic_store(&h->mask, fresh->mask);
	atomic_store(&h->asks, *fresh->join_url != 0);
	pthread_mutex_lock(&h->lock);
	hook_settings_free(h->fresh);
	h->fresh = fresh;
	pthread_mutex_unlock(&h->lock);
	curl_multi_wakeup(h->multi);
}

int hooks_start(const struct conf *conf, struct event_base *base, hooks_answer_fn *answer,
                void *ctx, struct hooks **out, struct why *why)
{
	struct hooks *h = calloc(1, sizeof(*h));
	struct hook_settings *s;
	int r;

	if (!h)
		return why_set(why, -E_NOMEM, "webhooks: out of memory");
	pthread_mutex_init(&h->lock, NULL);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	h->dir = strdup(conf->data);
	h->multi = curl_multi_init();
	h->now = calloc(1, sizeof(*h->now));
	h->mail = mailbox_new(base, h);
	h->answer = answer;
	h->answer_ctx = ctx;
	if (!h->dir || !h->mail || !h->multi || !h->now)
		r = why_set(why, -E_NOMEM, "webhooks: out of memory");
	else
		r = hooks_prepare(h, conf, &s, why);
	if (r) {
		hooks_stop(h);
		return r;
	}
	hooks_apply(h, s);
	*out = h;
	return 0;
}

void hooks_stop(struct hooks *h)
{
	struct hook_told *t, *next;

	if (!h)
		return;
	if (h->running) {
		pthread_mutex_lock(&h->lock);
		h->stop = true;
		pthread_mutex_unlock(&h->lock);
		curl_multi_wakeup(h->multi);
		pthread_join(h->thread, NULL);
	}
	h->stopped = true;
	mailbox_free(h->mail);
	hook_asks_free(h);
	hook_outlets_free(h);
	hook_queue_close(h->queue);
	hook_queue_close(h->view);
	hook_settings_free(h->now);
	hook_settings_free(h->fresh);
	DL_CONCAT(h->pending, h->told);
	DL_FOREACH_SAFE(h->pending, t, next)
	free(t);
	if (h->multi)
		curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	pthread_mutex_destroy(&h->lock);
	free(h->dir);
	free(h);
}
