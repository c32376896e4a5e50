/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The question to the operator's program before somebody joins. Each has an exchange of its own, so
 * that no event and no other question delays it. Any answer but a clear yes is a no.
 */
#include "base/clock.h"
#include "base/env_libevent.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/text.h"
#include "base/wall.h"
#include "daemon/hooks/hooks_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define ASKS_MAX 256 /* under way; more are a no at once */

struct hook_ask {
	struct hook_post *post; /* NULL until it has begun */
	char id[HOOK_ID_STRLEN];
	char *body;
	struct hooks *h;
	struct hooks_answer answer;
	struct hook_ask *prev, *next;
};

static void ask_free(struct hook_ask *a, CURLM *multi)
{
	hook_post_free(a->post, multi);
	free(a->body);
	free(a);
}

/* ---- the asking thread ---- */

/* {"id":...,"time":..., and the question} */
static int make_body(struct hook_ask *a, json_t *question)
{
	json_t *body = json_object();
	char at[WALL_STRLEN];
	uint8_t bytes[16];
	int r;

	env_libevent_random(bytes, sizeof(bytes));
	snprintf(a->id, sizeof(a->id), "ask_");
	text_hex(a->id + 4, bytes, sizeof(bytes));
	wall_text(clock_unix_ms(), true, at);
	r = json_object_set_new(body, "id", json_string(a->id)) ||
	    json_object_set_new(body, "time", json_string(at)) ||
	    json_object_update(body, question);
	if (!r)
		a->body = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	json_decref(question);
	return a->body ? 0 : -E_NOMEM;
}

bool hooks_asks(const struct hooks *h)
{
	return h && atomic_load(&h->asks);
}

int hooks_ask(struct hooks *h, uint64_t member_id, json_t *question)
{
	struct hook_ask *a = calloc(1, sizeof(*a));
	int r = -E_NOMEM;

	if (!a || make_body(a, question)) {
		if (!a)
			json_decref(question);
		free(a);
		return r;
	}
	a->h = h;
	a->answer.member_id = member_id;
	pthread_mutex_lock(&h->lock);
	r = h->ask_n < ASKS_MAX ? 0 : -E_LIMIT;
	if (!r) {
		DL_APPEND(h->asked, a);
		h->ask_n++;
	} else {
		h->stats.asked[HOOK_ASKED_FAILED]++;
	}
	pthread_mutex_unlock(&h->lock);
	if (r)
		ask_free(a, h->multi);
	else
		curl_multi_wakeup(h->multi);
	return r;
}

/* ---- the answer ---- */

/* On the main thread. */
static void deliver(void *owner, void *arg)
{
	struct hooks *h = owner;
	struct hook_ask *a = arg;

	if (!h->stopped)
		h->answer(h->answer_ctx, &a->answer);
	ask_free(a, h->multi);
}

static int read_may(const json_t *may, struct hooks_answer *out)
{
	size_t i, len = 0;
	json_t *word;

	if (!may || json_is_null(may))
		return 0;
	if (!json_is_array(may))
		return -E_PARSE;
	json_array_foreach ((json_t *)(uintptr_t)may, i, word) {
		const char *text = json_string_value(word);

		if (!text || !*text || strchr(text, ',') ||
		    len + strlen(text) + 2 > sizeof(out->may))
			return -E_PARSE;
		len += (size_t)snprintf(out->may + len, sizeof(out->may) - len, "%s%s",
		                        i ? "," : "", text);
	}
	out->has_may = true;
	return 0;
}

static int read_name(const json_t *name, struct hooks_answer *out)
{
	const char *text = json_string_value(name);

	if (!name || json_is_null(name))
		return 0;
	if (!text || !*text || json_string_length(name) != strlen(text) ||
	    strlen(text) > HUB_NAME_MAX)
		return -E_PARSE;
	memcpy(out->name, text, strlen(text) + 1);
	return 0;
}

/* It is shown to people. */
static void read_message(const json_t *message, struct hooks_answer *out)
{
	if (json_is_string(message))
		text_show(out->message, sizeof(out->message), json_string_value(message),
		          json_string_length(message), TEXT_SHOWN);
}

/* 0 when there is an answer, yes or no; else why not. */
static int read_answer(const struct hook_result *result, struct hooks_answer *out, struct why *why)
{
	json_t *json = json_loadb(result->answer, result->answer_len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *allow = json_object_get(json, "allow");
	int r = 0;

	out->err = -E_DENIED;
	if (result->status / 100 == 4 && result->status != 408 && result->status != 429)
		read_message(json_object_get(json, "message"), out);
	else if (result->status != 200)
		r = why_set(why, -E_UNREACHABLE, "%s",
		            *result->error ? result->error : "an answer other than 200");
	else if (!json_is_boolean(allow))
		r = why_set(why, -E_UNREACHABLE,
		            "the answer is no JSON object with \"allow\": true or false");
	else if (json_is_false(allow))
		read_message(json_object_get(json, "message"), out);
	else if (read_name(json_object_get(json, "name"), out) ||
	         read_may(json_object_get(json, "may"), out))
		r = why_set(why, -E_UNREACHABLE,
		            "the answer's \"name\" is no name, or its \"may\" is no list of words");
	else
		out->err = 0;
	json_decref(json);
	return r;
}

/* Once when it begins to fail, and once when it is well again. */
static void log_answer(struct hooks *h, int r, const struct why *why)
{
	if (r && !h->asking_fails)
		log_warn(NULL, "join-url-failing", LOG_STR("error", why->text),
		         LOG_STR("hint", "nobody can join until it answers"));
	else if (!r && h->asking_fails)
		log_info(NULL, "join-url-recovered");
	h->asking_fails = r;
}

static void conclude(struct hooks *h, struct hook_ask *a, const struct hook_result *result)
{
	struct why why = {{0}};
	int r = read_answer(result, &a->answer, &why);

	if (r)
		a->answer.err = r;
	log_answer(h, r, &why);
	pthread_mutex_lock(&h->lock);
	h->ask_n--;
	h->stats.asked[r               ? HOOK_ASKED_FAILED
	               : a->answer.err ? HOOK_ASKED_REFUSED
	                               : HOOK_ASKED_ALLOWED]++;
	pthread_mutex_unlock(&h->lock);
	DL_DELETE(h->asking, a);
	hook_post_free(a->post, h->multi);
	a->post = NULL;
	if (mailbox_post(h->mail, deliver, a)) /* out of memory: the member waits in vain */
		ask_free(a, h->multi);
}

bool hook_ask_done(struct hooks *h, struct hook_post *post, CURLcode code)
{
	struct hook_result result;
	struct hook_ask *a;

	DL_FOREACH (h->asking, a)
		if (a->post == post)
			break;
	if (!a)
		return false;
	hook_post_end(post, h->multi, code, &result);
	conclude(h, a, &result);
	return true;
}

static void begin(struct hooks *h, struct hook_ask *a)
{
	const struct hook_settings *s = h->now;
	const struct hook_post_conf conf = {.url = s->join_url,
	                                    .ca = s->ca,
	                                    .keys = s->keys,
	                                    .key_n = s->key_n,
	                                    .timeout_ms = s->join_timeout_ms};
	const struct hook_result none = {.error = "out of memory"};

	a->post = hook_post_new();
	DL_APPEND(h->asking, a);
	if (!a->post || hook_post_begin(a->post, h->multi, &conf, a->id, a->body))
		conclude(h, a, &none);
}

void hook_asks_run(struct hooks *h)
{
	struct hook_ask *all, *a, *next;

	pthread_mutex_lock(&h->lock);
	all = h->asked;
	h->asked = NULL;
	pthread_mutex_unlock(&h->lock);
	DL_FOREACH_SAFE(all, a, next)
	{
		DL_DELETE(all, a);
		begin(h, a);
	}
}

void hook_asks_free(struct hooks *h)
{
	struct hook_ask *a, *next;

	DL_CONCAT(h->asking, h->asked);
	DL_FOREACH_SAFE(h->asking, a, next)
	ask_free(a, h->multi);
}
