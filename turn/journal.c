/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The journal of sessions: two rings of records, oldest end first to go.
 */
#include "turn/journal.h"

#include "base/username.h"
#include "turn/state.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define REFUSED_PART 4   /* of the sessions' number */
#define REFUSED_MAX  512 /* each refusal looks through them all */

struct turn_slot {
	struct turn_record r;
	struct turn_alloc *owner; /* while it lives */
	struct turn_tuple tuple;  /* of a client that was refused */
	struct turn_slot *prev, *next;
};

struct turn_journal {
	struct turn_slot *slots; /* sessions' first, then refused clients' */
	size_t session_n, refused_n;
	struct turn_slot *ended, *live; /* of the sessions: the oldest first */
	size_t next_refused;
};

const char *turn_event_text(enum turn_event_what what)
{
	static const char *const texts[] = {
#define X(name, text) [name] = text,
	    TURN_EVENT_TABLE(X)
#undef X
	};

	return texts[what];
}

struct turn_journal *turn_journal_new(uint32_t sessions)
{
	struct turn_journal *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->session_n = sessions;
	j->refused_n = sessions / REFUSED_PART + 1;
	if (j->refused_n > REFUSED_MAX)
		j->refused_n = REFUSED_MAX;
	j->slots = calloc(j->session_n + j->refused_n, sizeof(*j->slots));
	if (!j->slots) {
		free(j);
		return NULL;
	}
	for (size_t i = 0; i < sessions; i++)
		DL_APPEND(j->ended, &j->slots[i]);
	return j;
}

void turn_journal_free(struct turn_journal *j)
{
	if (!j)
		return;
	free(j->slots);
	free(j);
}

static bool same(const struct turn_event *a, const struct turn_event *b)
{
	return a->what == b->what && a->code == b->code && a->method == b->method &&
	       a->fault == b->fault && addr_family(&a->addr) == addr_family(&b->addr) &&
	       (addr_family(&a->addr) == AF_UNSPEC || addr_equal(&a->addr, &b->addr));
}

/* Counts repeats; when there are too many events, drops from the middle. */
static void add(struct turn_record *r, const struct turn_event *e)
{
	for (size_t i = 0; i < r->event_n; i++) {
		if (!same(&r->event[i], e))
			continue;
		r->event[i].count++;
		r->event[i].last_ms = e->at_ms;
		return;
	}
	if (r->event_n == TURN_JOURNAL_EVENTS) {
		memmove(&r->event[TURN_JOURNAL_FIRST], &r->event[TURN_JOURNAL_FIRST + 1],
		        (TURN_JOURNAL_EVENTS - TURN_JOURNAL_FIRST - 1) * sizeof(*e));
		r->event_n--;
		r->dropped++;
	}
	r->event[r->event_n] = *e;
	r->event[r->event_n].count = 1;
	r->event[r->event_n++].last_ms = e->at_ms;
}

static void put_name(struct turn_record *r, const char *name, size_t len)
{
	r->username_len = (uint16_t)(len < sizeof(r->username) ? len : sizeof(r->username));
	memcpy(r->username, name, r->username_len);
}

static struct turn_slot *find_refused(struct turn_journal *j, const struct turn_tuple *tuple)
{
	for (size_t i = j->session_n; i < j->session_n + j->refused_n; i++)
		if (j->slots[i].r.begun_ms && !memcmp(&j->slots[i].tuple, tuple, sizeof(*tuple)))
			return &j->slots[i];
	return NULL;
}

void turn_journal_begin(struct turn_alloc *a)
{
	struct turn *t = a->turn;
	struct turn_journal *j = t->journal;
	struct turn_slot *s, *refused;

	a->record = NULL;
	if (!j)
		return;
	s = j->ended ? j->ended : j->live;
	if (s->owner)
		s->owner->record = NULL;
	if (j->ended)
		DL_DELETE(j->ended, s);
	else
		DL_DELETE(j->live, s);
	memset(&s->r, 0, sizeof(s->r));
	refused = find_refused(j, &a->tuple);
	if (refused) { /* what went before belongs to it */
		s->r = refused->r;
		memset(refused, 0, sizeof(*refused));
	} else {
		s->r.begun_ms = t->now_ms;
		s->r.begun_at_s = env_wall_s(t->env);
	}
	memcpy(s->r.id, a->id, sizeof(s->r.id));
	put_name(&s->r, a->username, a->username_len);
	s->r.protocol = a->path.side ? a->path.side->protocol : TURN_UDP;
	s->r.client = a->path.client;
	s->r.credential_expires_at_s = a->third_party ? 0 : a->credential_expires_at_s;
	s->owner = a;
	DL_APPEND(j->live, s);
	a->record = s;
}

void turn_journal_end(struct turn_alloc *a, const char *reason)
{
	struct turn_journal *j = a->turn->journal;
	struct turn_slot *s = a->record;

	if (!s)
		return;
	turn_journal_note(a, TURN_EVENT_CLOSED, NULL, 0);
	s->r.ended_ms = a->turn->now_ms;
	s->r.close_reason = reason;
	s->r.to_peer_bytes = a->to_peer_bytes;
	s->r.to_client_bytes = a->to_client_bytes;
	s->owner = NULL;
	a->record = NULL;
	DL_DELETE(j->live, s);
	DL_APPEND(j->ended, s);
}

void turn_journal_note(struct turn_alloc *a, enum turn_event_what what, const struct addr *addr,
                       int code)
{
	struct turn_event e = {
	    .at_ms = a->turn->now_ms, .what = (uint8_t)what, .code = (uint16_t)code};

	if (!a->record)
		return;
	if (addr)
		e.addr = *addr;
	add(&a->record->r, &e);
}

/* Finds a slot for a refused client. The table is small, and its slots are used in turn. */
static struct turn_slot *slot_for_refused(struct turn_request *rq)
{
	struct turn *t = rq->turn;
	struct turn_journal *j = t->journal;
	struct turn_slot *s = find_refused(j, &rq->tuple);
	const struct stun_attr *name = &rq->msg.attr[STUN_ATTR_USERNAME];

	if (s)
		return s;
	s = &j->slots[j->session_n + j->next_refused++ % j->refused_n];
	memset(s, 0, sizeof(*s));
	s->tuple = rq->tuple;
	s->r.begun_ms = t->now_ms;
	s->r.begun_at_s = env_wall_s(t->env);
	s->r.client = rq->path.client;
	s->r.protocol = rq->path.side->protocol;
	if (name->value)
		put_name(&s->r, (const char *)name->value, name->len);
	return s;
}

/* A nonce that is stale is the protocol at work. */
void turn_journal_refused(struct turn_request *rq, int code)
{
	struct turn_event e = {.at_ms = rq->turn->now_ms,
	                       .what = TURN_EVENT_REFUSED,
	                       .code = (uint16_t)code,
	                       .method = (uint16_t)rq->msg.method,
	                       .fault = code == 401 ? rq->fault : TURN_FAULT_NONE};
	struct turn_slot *s;

	if (!rq->turn->journal || code == 438 || e.fault == TURN_FAULT_NO_CREDENTIAL)
		return;
	if (rq->alloc)
		s = rq->alloc->record;
	else if (rq->msg.method == STUN_ALLOCATE && rq->msg.integrity_at)
		s = slot_for_refused(rq);
	else
		return;
	if (!s)
		return;
	if (e.fault == TURN_FAULT_EXPIRED)
		s->r.credential_expires_at_s = rq->auth.expires_at_s;
	add(&s->r, &e);
}

/* As turn_username_is(), of what is kept of a long name. */
static bool is_user(const struct turn_record *r, const char *user)
{
	size_t len = r->username_len;
	const char *name = r->username;
	struct username u;

	if (turn_username_is(name, len, user))
		return true;
	if (len < TURN_JOURNAL_NAME)
		return false;
	if (!strncmp(name, user, len))
		return true;
	return !username_parse(name, len, &u) && u.name_len && !strncmp(u.name, user, u.name_len);
}

void turn_find_records(struct turn *t, const struct turn_record_query *q,
                       void (*fn)(void *ctx, const struct turn_record *r), void *ctx)
{
	struct turn_journal *j = t->journal;

	t->now_ms = env_now_ms(t->env);
	for (size_t i = 0; j && i < j->session_n + j->refused_n; i++) {
		struct turn_slot *s = &j->slots[i];

		if (!s->r.begun_ms || (q->id && strcmp(s->r.id, q->id) != 0) ||
		    (q->user && !is_user(&s->r, q->user)) ||
		    (q->client && !addr_equal_ip(&s->r.client, q->client)))
			continue;
		if (s->owner) {
			s->r.to_peer_bytes = s->owner->to_peer_bytes;
			s->r.to_client_bytes = s->owner->to_client_bytes;
		}
		fn(ctx, &s->r);
	}
}
