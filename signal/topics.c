/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The signaling of y-webrtc: members subscribe to topics, and what one publishes on a topic goes to
 * all who have subscribed to it.
 */
#include "base/error.h"
#include "signal/dialect.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define ROOM       "topics:" /* for bans, and for the operator's program that is asked */
#define TOPICS_MAX 64        /* of one member, and in one message */
#define TOPIC_MAX  256       /* bytes of a name */

struct hub_topic {
	UT_hash_handle hh; /* in hub->topics */
	struct subscription *subscriptions;
	unsigned n;
	char name[];
};

struct subscription {
	struct hub_topic *topic;
	struct hub_member *member;
	struct subscription *prev, *next;         /* of the topic */
	struct subscription *prev_own, *next_own; /* of the member */
};

struct own {
	struct subscription *subscriptions;
	unsigned n;
	bool entered;
	char *only; /* the topic that its ticket is for; NULL: any */
};

static struct hub_topic *topic_find(struct hub *h, const char *name)
{
	struct hub_topic *t;

	HASH_FIND(hh, h->topics, name, strlen(name), t);
	return t;
}

static struct hub_topic *topic_open(struct hub *h, const char *name)
{
	struct hub_topic *t = topic_find(h, name);
	size_t len = strlen(name);

	if (t)
		return t;
	t = calloc(1, sizeof(*t) + len + 1);
	if (!t)
		return NULL;
	memcpy(t->name, name, len);
	if (TABLE_ADD(hh, h->topics, name, len, t)) {
		free(t);
		return NULL;
	}
	return t;
}

static void topic_tidy(struct hub *h, struct hub_topic *t)
{
	if (t->n)
		return;
	HASH_DEL(h->topics, t);
	free(t);
}

static struct subscription *subscription_of(const struct own *own, const struct hub_topic *t)
{
	struct subscription *s;

	for (s = own->subscriptions; s && s->topic != t; s = s->next_own)
		;
	return s;
}

static void subscribe(struct hub_member *p, const char *name)
{
	struct own *own = p->own;
	struct hub_topic *t = topic_open(p->hub, name);
	struct subscription *s = NULL;

	if (t && subscription_of(own, t))
		return;
	if (t)
		s = calloc(1, sizeof(*s));
	if (!s) {
		hub_error_for(p, "out-of-memory", "The server is out of memory.", "subscribe",
		              name);
		if (t)
			topic_tidy(p->hub, t);
		return;
	}
	s->topic = t;
	s->member = p;
	DL_APPEND(t->subscriptions, s);
	t->n++;
	DL_APPEND2(own->subscriptions, s, prev_own, next_own);
	own->n++;
}

static void unsubscribe(struct hub_member *p, struct subscription *s)
{
	struct own *own = p->own;
	struct hub_topic *t = s->topic;

	DL_DELETE(t->subscriptions, s);
	t->n--;
	DL_DELETE2(own->subscriptions, s, prev_own, next_own);
	own->n--;
	free(s);
	topic_tidy(p->hub, t);
}

static bool refuse(struct hub_member *p, const char *code, const char *why, const char *type)
{
	hub_error_for(p, code, why, type, NULL);
	return false;
}

/* False: p was told why not. */
static bool topic_is_good(struct hub_member *p, const json_t *topic, const char *type)
{
	const struct own *own = p->own;
	const char *name = json_string_value(topic);

	if (!json_string_length(topic) || json_string_length(topic) > TOPIC_MAX)
		return refuse(p, "bad-topic", "A topic is a text of 1 to 256 bytes.", type);
	if (own->only && strcmp(own->only, name) != 0)
		return refuse(p, "not-allowed", "The ticket is for another topic.", type);
	return true;
}

/* NULL: p was told what is wrong with it. */
static json_t *read_topics(struct hub_member *p, const struct hub_message *m)
{
	json_t *topics = json_object_get(m->json, "topics");

	if (json_is_array(topics) && json_array_size(topics) <= TOPICS_MAX)
		return topics;
	refuse(p, json_is_array(topics) ? "too-many-topics" : "bad-message",
	       "topics is an array of at most 64 topics.", m->type);
	return NULL;
}

/* Ends with the first that cannot be had. */
static void on_subscribe(struct hub_member *p, const struct hub_message *m)
{
	const struct own *own = p->own;
	json_t *topic;
	size_t i;

	json_array_foreach (read_topics(p, m), i, topic) {
		if (!topic_is_good(p, topic, m->type))
			return;
		if (own->n >= TOPICS_MAX) {
			refuse(p, "too-many-topics", "At most 64 topics at a time.", m->type);
			return;
		}
		subscribe(p, json_string_value(topic));
	}
}

static void on_unsubscribe(struct hub_member *p, const struct hub_message *m)
{
	json_t *topic;
	size_t i;

	json_array_foreach (read_topics(p, m), i, topic) {
		const char *name = json_string_value(topic);
		struct hub_topic *t = name ? topic_find(p->hub, name) : NULL;
		struct subscription *s = t ? subscription_of(p->own, t) : NULL;

		if (s)
			unsubscribe(p, s);
	}
}

/* To all, the sender included if it has subscribed. Who cannot keep up misses some, and keeps the
 * connection: y-webrtc announces itself again and again. */
static void on_publish(struct hub_member *p, const struct hub_message *m)
{
	const json_t *topic = json_object_get(m->json, "topic");
	struct hub_topic *t;
	struct hub_text *text = NULL;
	struct subscription *s;
	char *dump = NULL;

	if (!topic_is_good(p, topic, m->type))
		return;
	t = topic_find(p->hub, json_string_value(topic));
	if (!t || !charge_fan_out(p, t->n, m))
		return;
	if (!json_object_set_new(m->json, "clients", json_integer(t->n)))
		dump = json_dumps(m->json, JSON_COMPACT);
	if (dump)
		text = hub_text_new(dump, strlen(dump));
	if (!text)
		refuse(p, "out-of-memory", "The server is out of memory.", m->type);
	DL_FOREACH (t->subscriptions, s)
		if (text)
			hub_send_text(s->member, HUB_FRAME_PASSED, text);
	hub_text_unref(text);
	free(dump);
}

static void on_ping(struct hub_member *p, const struct hub_message *m)
{
	(void)m;
	hub_send_json(p, json_pack("{s:s}", "type", "pong"));
}

static void topics_join(struct hub_member *p, const struct hub_visit *visit)
{
	struct signin_wish w = {.room = ROOM};

	if (dialect_identify(p, visit->ticket, &w))
		dialect_sign_in(p, &w);
}

static void topics_enter(struct hub_member *p, const struct signin_wish *w)
{
	struct own *own = p->own;

	if (w->proven && !w->identity.any_room) {
		own->only = strdup(w->identity.room);
		if (!own->only) {
			signin_refuse_memory(p);
			return;
		}
	}
	own->entered = true;
}

static void topics_refuse(struct hub_member *p, const char *code, const char *message)
{
	hub_error(p, code, message);
}

static void topics_object(struct hub_member *p, const struct hub_message *m)
{
	static const struct {
		const char *type;
		void (*on)(struct hub_member *p, const struct hub_message *m);
	} rows[] = {{"subscribe", on_subscribe},
	            {"unsubscribe", on_unsubscribe},
	            {"publish", on_publish},
	            {"ping", on_ping}};
	const struct own *own = p->own;

	if (!own->entered)
		return;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!strcmp(rows[i].type, m->type)) {
			rows[i].on(p, m);
			return;
		}
	}
	refuse(p, "bad-message", "A message is a subscribe, an unsubscribe, a publish or a ping.",
	       m->type);
}

static void topics_leave(struct hub_member *p)
{
	struct own *own = p->own;

	while (own->subscriptions)
		unsubscribe(p, own->subscriptions);
	free(own->only);
}

const struct hub_dialect hub_topics = {
    .path = "/topics",
    .own_bytes = sizeof(struct own),
    .join = topics_join,
    .enter = topics_enter,
    .refuse = topics_refuse,
    .object = topics_object,
    .leave = topics_leave,
};
