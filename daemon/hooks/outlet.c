/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is sent to each URL: one exchange at a time, so that the order stays; backoff; death.
 */
#include "base/clock.h"
#include "base/env_libevent.h"
#include "base/log.h"
#include "base/wall.h"
#include "daemon/hooks/hooks_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MIN_MS INT64_C(1000)
#define WAIT_MAX_MS INT64_C(3600000)
#define AGE_MAX_MS  INT64_C(86400000)
#define DISK_MS     1000 /* after a failure of the disk */
#define COUNT_MS    500  /* between two counts */

/* Without its path, which may have a secret in it. */
static void host_of(const char *url, char out[HOOK_URL_MAX + 1])
{
	const char *host = strstr(url, "://");
	size_t len = host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?") : strlen(url);

	snprintf(out, HOOK_URL_MAX + 1, "%.*s", (int)len, url);
}

/* Doubles with each try; a tenth of chance, so that many servers do not come together. */
static int64_t wait_ms(int tries, int64_t retry_after_s)
{
	int64_t ms = WAIT_MIN_MS << (tries < 12 ? tries : 12), least_ms;
	uint32_t chance;

	env_libevent_random(&chance, sizeof(chance));
	least_ms = retry_after_s < WAIT_MAX_MS / 1000 ? retry_after_s * 1000 : WAIT_MAX_MS;
	ms = ms < least_ms ? least_ms : ms;
	ms += (int64_t)(chance % (uint32_t)(ms / 10 + 1));
	return ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS;
}

struct loading {
	struct hooks *h;
	struct hook_outlet *o;
};

/* {"id":...,"sequence":...,"time":...,"event":..., and what the event says} */
static int begin(void *ctx, const struct hook_letter *l)
{
	struct loading *load = ctx;
	struct hook_outlet *o = load->o;
	const struct hook_settings *s = load->h->now;
	const struct hook_post_conf conf = {.url = o->state.url,
	                                    .ca = s->ca,
	                                    .keys = s->keys,
	                                    .key_n = s->key_n,
	                                    .timeout_ms = s->timeout_ms};
	char at[WALL_STRLEN], *body;
	int r = -E_NOMEM;

	if (asprintf(&body,
	             "{\"id\":\"%s\",\"sequence\":%" PRId64
	             ",\"time\":\"%s\",\"event\":\"%s\"%s%s}",
	             l->id, l->seq, wall_text(l->at_ms, true, at), l->what, *l->members ? "," : "",
	             l->members) < 0)
		return r;
	r = hook_post_begin(o->post, load->h->multi, &conf, l->id, body);
	free(body);
	if (r)
		return r;
	o->busy = true;
	o->seq = l->seq;
	o->since_ms = l->since_ms;
	o->tries = l->tries;
	return 0;
}

/* Nothing for a while: the disk or the memory has failed. */
static void rest(struct hooks *h, struct hook_outlet *o, int r, const struct why *why)
{
	if (r == -E_NOMEM)
		log_error(NULL, "webhooks", LOG_STR("error", "out of memory"));
	else
		hook_disk(h, r, why);
	o->next_ms = clock_mono_ms() + DISK_MS;
}

static void try_next(struct hooks *h, struct hook_outlet *o)
{
	struct loading load = {.h = h, .o = o};
	struct why why = {{0}};
	int r;

	if (o->busy || o->empty || clock_mono_ms() < o->next_ms)
		return;
	r = hook_queue_first(h->queue, o->state.url, begin, &load, &why);
	if (r == -E_NOTFOUND)
		o->empty = true;
	else if (r)
		rest(h, o, r, &why);
}

static void recount(struct hooks *h, struct hook_outlet *o)
{
	struct why why;

	if (!o->dirty || clock_mono_ms() < o->count_ms + COUNT_MS)
		return;
	o->count_ms = clock_mono_ms();
	o->dirty = hook_queue_count(h->queue, o->state.url, &o->state.count, &why) != 0;
}

int64_t hook_outlets_run(struct hooks *h)
{
	int64_t now_ms = clock_mono_ms(), least = INT64_MAX;

	for (size_t i = 0; i < h->outlet_n; i++) {
		struct hook_outlet *o = &h->outlets[i];
		int64_t at_ms = INT64_MAX;

		try_next(h, o);
		recount(h, o);
		if (!o->busy && !o->empty)
			at_ms = o->next_ms;
		if (o->dirty && o->count_ms + COUNT_MS < at_ms)
			at_ms = o->count_ms + COUNT_MS;
		least = at_ms < least ? at_ms : least;
	}
	return least == INT64_MAX ? least : least > now_ms ? least - now_ms : 0;
}

/* ---- the end of an exchange ---- */

/* Whether another try of the same cannot help. */
static bool is_final(int status)
{
	return status / 100 == 4 && status != 408 && status != 429;
}

static int on_success(struct hooks *h, struct hook_outlet *o, struct why *why)
{
	char host[HOOK_URL_MAX + 1];

	if (o->state.failing_since_ms) {
		host_of(o->state.url, host);
		log_info(NULL, "webhook-recovered", LOG_STR("receiver", host));
	}
	o->state.failing_since_ms = 0;
	o->told_dead = false;
	o->state.delivered++;
	pthread_mutex_lock(&h->lock);
	h->stats.delivered++;
	pthread_mutex_unlock(&h->lock);
	return hook_queue_done(h->queue, o->state.url, o->seq, why);
}

static void log_failure(struct hook_outlet *o, bool dies)
{
	bool first = !o->state.failing_since_ms;
	char host[HOOK_URL_MAX + 1];

	host_of(o->state.url, host);
	if (dies && !o->told_dead)
		log_warn(NULL, "webhook-dead-letter", LOG_STR("receiver", host),
		         LOG_STR("error", o->state.error),
		         LOG_STR("hint",
		                 "see turnpike webhooks dead; turnpike webhooks retry sends "
		                 "it again"));
	else if (!dies && first)
		log_warn(NULL, "webhook-failing", LOG_STR("receiver", host),
		         LOG_STR("error", o->state.error));
	o->told_dead |= dies;
}

static int on_failure(struct hooks *h, struct hook_outlet *o, const struct hook_result *result,
                      struct why *why)
{
	int64_t now_ms = clock_unix_ms();
	bool final = is_final(result->status), old = now_ms - o->since_ms > AGE_MAX_MS;
	uint64_t died = final;
	int r;

	snprintf(o->state.error, sizeof(o->state.error), "%s", result->error);
	log_failure(o, final || old);
	if (!o->state.failing_since_ms)
		o->state.failing_since_ms = now_ms;
	o->state.failed++;
	if (final) {
		r = hook_queue_kill(h->queue, o->state.url, o->seq, result->error, why);
	} else {
		o->next_ms = clock_mono_ms() + wait_ms(o->tries, result->retry_after_s);
		r = hook_queue_tried(h->queue, o->state.url, o->seq, result->error, why);
		if (!r && old)
			r = hook_queue_kill_old(h->queue, o->state.url, now_ms - AGE_MAX_MS,
			                        result->error, &died, why);
	}
	pthread_mutex_lock(&h->lock);
	h->stats.failed++;
	h->stats.dead += died;
	pthread_mutex_unlock(&h->lock);
	return r;
}

void hook_outlet_done(struct hooks *h, struct hook_post *post, CURLcode code)
{
	struct hook_outlet *o = h->outlets;
	struct hook_result result;
	struct why why = {{0}};
	int r;

	while (o->post != post)
		o++;
	hook_post_end(post, h->multi, code, &result);
	o->busy = false;
	o->dirty = true;
	o->next_ms = 0;
	o->state.tried_ms = clock_unix_ms();
	r = result.status / 100 == 2 ? on_success(h, o, &why) : on_failure(h, o, &result, &why);
	if (r) /* the letter waits still: without a rest it would be sent again at once */
		rest(h, o, r, &why);
	o->state.next_ms = o->next_ms ? clock_unix_ms() + o->next_ms - clock_mono_ms() : 0;
}

/* ---- all of them ---- */

static struct hook_outlet *find(struct hook_outlet *v, size_t n, const char *url)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].post && !strcmp(v[i].state.url, url))
			return &v[i];
	return NULL;
}

/* Where a URL stays, its outlet does, with the exchange under way. */
void hook_outlets_set(struct hooks *h)
{
	struct hook_outlet old[HOOK_URLS_MAX], *same;
	size_t old_n = h->outlet_n, n = 0;
	struct why why = {{0}};

	memcpy(old, h->outlets, sizeof(old));
	for (size_t i = 0; i < h->now->url_n; i++) {
		struct hook_outlet *o = &h->outlets[n];

		same = find(old, old_n, h->now->urls[i]);
		*o = same ? *same : (struct hook_outlet){.post = hook_post_new()};
		if (same)
			same->post = NULL;
		if (!o->post) {
			log_error(NULL, "webhooks", LOG_STR("error", "out of memory"));
			continue;
		}
		snprintf(o->state.url, sizeof(o->state.url), "%s", h->now->urls[i]);
		o->dirty = true;
		o->next_ms = 0;
		n++;
	}
	h->outlet_n = n;
	for (size_t i = 0; i < old_n; i++)
		hook_post_free(old[i].post, h->multi);
	hook_disk(h, hook_queue_keep(h->queue, h->now->urls, h->now->url_n, &why), &why);
}

void hook_outlets_publish(struct hooks *h)
{
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->outlet_n; i++)
		h->states[i] = h->outlets[i].state;
	h->state_n = h->outlet_n;
	pthread_mutex_unlock(&h->lock);
}

void hook_outlets_free(struct hooks *h)
{
	for (size_t i = 0; i < h->outlet_n; i++)
		hook_post_free(h->outlets[i].post, h->multi);
}
