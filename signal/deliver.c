/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Delivery: a message reaches its target, or waits for it, or its sender hears of it exactly once.
 * Frames for a client that counts are numbered and kept until it has confirmed them.
 */
#include "base/error.h"
#include "signal/hub_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define RING_FRAMES  64
#define RING_BYTES   (256 * 1024)
#define NUMBER_BYTES 40                 /* that a frame's number adds, at most */
#define RINGS_BYTES  (64 * 1024 * 1024) /* of the whole hub */

/* What a client that counts has not confirmed. */
struct hub_ring {
	uint64_t next;   /* the number of the next frame */
	uint64_t handed; /* the last that was given to a connection */
	size_t bytes;
	unsigned first, n;
	struct hub_text *frame[RING_FRAMES];
};

static struct hub_text *kept(const struct hub_ring *r, unsigned i)
{
	return r->frame[(r->first + i) % RING_FRAMES];
}

static void ring_drop(struct hub *h, struct hub_ring *r)
{
	struct hub_text *text = kept(r, 0);

	r->bytes -= text->len;
	h->ring_bytes -= text->len;
	hub_text_unref(text);
	r->first = (r->first + 1) % RING_FRAMES;
	r->n--;
}

static void ring_push(struct hub *h, struct hub_ring *r, struct hub_text *text)
{
	r->frame[(r->first + r->n) % RING_FRAMES] = hub_text_ref(text);
	r->n++;
	r->bytes += text->len;
	h->ring_bytes += text->len;
}

/* A client that is there gets more than it confirms: what is oldest has most likely arrived. For
 * one that is away nothing is forgotten. False: nothing more is kept for p. */
static bool ring_has_room(struct hub_member *p, size_t len)
{
	struct hub *h = p->hub;
	struct hub_ring *r = p->ring;

	while (r->n && (r->n == RING_FRAMES || r->bytes + len > RING_BYTES ||
	                h->ring_bytes + len > RINGS_BYTES)) {
		if (p->away)
			return false;
		ring_drop(h, r);
	}
	return h->ring_bytes + len <= RINGS_BYTES;
}

int deliver_count(struct hub_member *p)
{
	if (p->ring)
		return 0;
	p->ring = calloc(1, sizeof(*p->ring));
	if (!p->ring)
		return -E_NOMEM;
	p->ring->next = 1;
	return 0;
}

void deliver_free(struct hub_member *p)
{
	while (p->ring && p->ring->n)
		ring_drop(p->hub, p->ring);
	free(p->ring);
	p->ring = NULL;
}

/* text with its number, as the last member of the object. */
static struct hub_text *numbered(struct hub_text *text, uint64_t seq)
{
	char tail[NUMBER_BYTES];
	int n = snprintf(tail, sizeof(tail), ",\"seq\":%" PRIu64 "}", seq);
	struct hub_text *own = hub_text_new(NULL, text->len - 1 + (size_t)n);

	if (!own)
		return NULL;
	memcpy(mempcpy(own->data, text->data, text->len - 1), tail, (size_t)n + 1);
	own->seq = seq;
	own->from = text->from;
	own->whole = text->copies ? hub_text_ref(text) : NULL;
	return own;
}

static int deliver_counted(struct hub_member *p, enum hub_frame frame, struct hub_text *text)
{
	struct hub_ring *r = p->ring;
	bool is_kept = ring_has_room(p, text->len + NUMBER_BYTES),
	     is_open = !p->away && !p->closing;
	struct hub_text *own;
	int err = 0;

	if (!is_kept && !is_open)
		return -E_LATER;
	own = numbered(text, r->next);
	if (!own)
		return -E_NOMEM;
	if (is_open)
		err = hub_send_text(p, frame, own);
	if (!err && is_open)
		r->handed = own->seq;
	if (!err && is_kept)
		ring_push(p->hub, r, own);
	if (!err) /* others may have taken all the memory: then it is sent, and not kept */
		r->next++;
	hub_text_unref(own);
	return err;
}

int deliver(struct hub_member *p, enum hub_frame frame, struct hub_text *text)
{
	/* Without a name it may not confirm: each number would bring one more error. */
	bool counts = p->ring && p->user;

	if (counts && (p->away || resume_may_return(p)))
		return deliver_counted(p, frame, text);
	if (p->away || p->closing)
		return -E_CLOSED;
	return counts ? deliver_counted(p, frame, text) : hub_send_text(p, frame, text);
}

void deliver_confirmed(struct hub_member *p, uint64_t seq)
{
	while (p->ring && p->ring->n && kept(p->ring, 0)->seq <= seq)
		ring_drop(p->hub, p->ring);
}

void deliver_again(struct hub_member *p)
{
	struct hub_ring *r = p->ring;

	for (unsigned i = 0; r && i < r->n && !p->closing; i++) {
		hub_send_text(p, HUB_FRAME_SERVER, kept(r, i));
		r->handed = kept(r, i)->seq;
	}
}

void deliver_move(struct hub_member *from, struct hub_member *to)
{
	deliver_free(to);
	to->ring = from->ring;
	from->ring = NULL;
	to->last_ack = from->last_ack;
}

void deliver_resume_at(struct hub_member *p, int64_t seen, unsigned *missed, uint64_t *lost)
{
	struct hub_ring *r = p->ring;
	uint64_t after = seen < 0 ? 0 : (uint64_t)seen;

	*missed = 0;
	*lost = 0;
	if (!r)
		return;
	if (after >= r->next)
		after = r->next - 1;
	deliver_confirmed(p, after);
	*missed = r->n;
	*lost = (r->n ? kept(r, 0)->seq : r->next) - 1 - after;
}

/* Names and types of our protocol are short; nothing longer is worth echoing. */
static char *put_member(char *at, const char *key, const struct scan *s, enum route_name name)
{
	const struct scan_value *v = &s->value[name];
	size_t len = v->to - v->from;

	if ((v->kind != SCAN_STRING && (v->kind != SCAN_NUMBER || name != ROUTE_ACK)) ||
	    len > ROUTE_STRING_MAX)
		return at;
	at = stpcpy(stpcpy(stpcpy(at, ",\""), key), "\":");
	return mempcpy(at, s->text + v->from, len);
}

void deliver_refuse(struct hub_member *p, const char *code, const char *why, const struct scan *s,
                    unsigned missed)
{
	char text[3 * ROUTE_STRING_MAX + 512], *at = text;
	struct hub_text *t;

	at += snprintf(text, sizeof(text), "{\"type\":\"error\",\"code\":\"%s\",\"message\":\"%s\"",
	               code, why);
	at = put_member(at, "target", s, ROUTE_TARGET);
	at = put_member(at, "for", s, ROUTE_TYPE);
	at = put_member(at, "ack", s, ROUTE_ACK);
	if (missed)
		at += sprintf(at, ",\"missed\":%u", missed);
	*at++ = '}';
	t = hub_text_new(text, (size_t)(at - text));
	if (!t || deliver(p, HUB_FRAME_SERVER, t) == -E_NOMEM)
		hub_close_member(p, HUB_CLOSE_POLICY, "out of memory");
	hub_text_unref(t);
}

/* A message has not arrived when no device has a copy any more. */
static bool is_last_copy(struct hub_text *text)
{
	struct hub_text *whole = text->whole ? text->whole : text;

	return !whole->copies || !--whole->copies;
}

/* The sender of text hears why it did not arrive. */
static void refuse(struct hub *h, struct hub_text *text, const char *code, const char *why)
{
	/* the first of enum route_name */
	static const char *const names[] = {"type", "target", "ack"};
	struct hub_member *from = text->from ? hub_find_id(h, text->from) : NULL;
	struct scan s;
	size_t fault;

	if (is_last_copy(text) && from &&
	    !scan_text(&s, text->data, text->len, h->conf.max_depth, names, 3, &fault))
		deliver_refuse(from, code, why, &s, 0);
}

/* One who comes back must not miss what the server has to say, that a call is over for one. So the
 * oldest of what is kept makes way, and its sender hears of it. */
static void make_way(struct hub_member *p, size_t len)
{
	while (p->away && p->ring && p->ring->n && !ring_has_room(p, len + NUMBER_BYTES)) {
		struct hub_text *text = hub_text_ref(kept(p->ring, 0));

		ring_drop(p->hub, p->ring);
		refuse(p->hub, text, "target-busy", "That user cannot receive more messages now.");
		hub_text_unref(text);
	}
}

void deliver_json(struct hub_member *p, json_t *msg)
{
	char *dump = msg ? json_dumps(msg, JSON_COMPACT) : NULL;
	struct hub_text *text = dump ? hub_text_new(dump, strlen(dump)) : NULL;
	int err = -E_NOMEM;

	if (text) {
		make_way(p, text->len);
		err = deliver(p, HUB_FRAME_SERVER, text);
	}
	if (err == -E_NOMEM) /* and the client would wait for ever */
		hub_close_member(p, HUB_CLOSE_POLICY, "out of memory");
	hub_text_unref(text);
	free(dump);
	json_decref(msg);
}

void deliver_give_up(struct hub_member *p)
{
	struct hub_ring *r = p->ring;

	while (r && r->n) {
		struct hub_text *text = hub_text_ref(kept(r, 0));

		ring_drop(p->hub, r);
		if (p->away || text->seq > r->handed)
			refuse(p->hub, text, "target-gone",
			       "That user has left, and may not have got the message.");
		hub_text_unref(text);
	}
	deliver_free(p);
}

static bool is_kept(const struct hub_ring *r, uint64_t seq)
{
	return r->n && kept(r, 0)->seq <= seq;
}

void hub_unsent(struct hub_member *p, struct hub_text *text)
{
	struct hub_ring *r = p->ring;

	/* The ring may have dropped it, while the client seemed to get everything. */
	if (!text->seq || (r && !is_kept(r, text->seq)))
		refuse(p->hub, text, "target-gone", "That user left before the message arrived.");
	else if (r && text->seq <= r->handed) /* else another connection has them all */
		r->handed = text->seq - 1;
}

json_t *deliver_save(const struct hub_member *p)
{
	const struct hub_ring *r = p->ring;
	json_t *frames = json_array();

	for (unsigned i = 0; r && i < r->n; i++)
		json_array_append_new(
		    frames, json_pack("{s:I,s:I,s:s}", "seq", (json_int_t)kept(r, i)->seq, "from",
		                      (json_int_t)kept(r, i)->from, "text", kept(r, i)->data));
	return r ? json_pack("{s:I,s:o}", "next", (json_int_t)r->next, "frames", frames)
	         : (json_decref(frames), json_null());
}

int deliver_load(struct hub_member *p, const json_t *saved)
{
	struct hub_ring *r;
	json_t *frame;
	size_t i;
	int err = 0;

	if (!json_is_object(saved))
		return 0;
	if (deliver_count(p))
		return -E_NOMEM;
	r = p->ring;
	r->next = (uint64_t)resume_number(saved, "next");
	json_array_foreach (json_object_get(saved, "frames"), i, frame) {
		const char *text = json_string_value(json_object_get(frame, "text"));
		struct hub_text *t = text && ring_has_room(p, strlen(text))
		                         ? hub_text_new(text, strlen(text))
		                         : NULL;

		if (!t)
			return -E_CORRUPT;
		t->seq = (uint64_t)resume_number(frame, "seq");
		t->from = (uint64_t)resume_number(frame, "from");
		if (!t->seq || (r->n && t->seq != kept(r, r->n - 1)->seq + 1))
			err = -E_CORRUPT;
		ring_push(p->hub, r, t);
		hub_text_unref(t);
	}
	return r->next < 1 || (r->n && kept(r, r->n - 1)->seq >= r->next) ? -E_CORRUPT : err;
}
