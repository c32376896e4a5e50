/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Allocations: the table by 5-tuple, birth, expiry, death (RFC 8656 section 3.2, 5, 7).
 */
#include "turn/state.h"

#include "base/error.h"
#include "base/log.h"
#include "turn/oauth.h"
#include "turn/ports.h"
#include "turn/quota.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static const char *const close_reasons[] = {
#define X(name, text) [name] = text,
    TURN_CLOSE_TABLE(X)
#undef X
};

struct turn_alloc *turn_alloc_find(struct turn *t, const struct turn_tuple *tuple)
{
	struct turn_alloc *a;

	HASH_FIND(hh, t->allocs, tuple, sizeof(*tuple), a);
	return a || !t->moves ? a : turn_mobile_at(t, tuple);
}

/* RFC 8489 section 14.8: 400 is for a request that is malformed. */
int turn_check_lifetime(struct turn_request *rq)
{
	uint32_t wanted;

	return stun_msg_u32(&rq->msg, STUN_ATTR_LIFETIME, &wanted) == -E_PARSE ? 400 : 0;
}

/* RFC 8656 section 7.2: what the client asks for, not above our maximum and not under the default
 * (a shorter life only makes more refreshes). */
uint32_t turn_lifetime(const struct turn_request *rq)
{
	const struct turn_conf *conf = &rq->turn->conf;
	uint32_t wanted, s = conf->default_lifetime_s;
	int64_t left;

	if (!stun_msg_u32(&rq->msg, STUN_ATTR_LIFETIME, &wanted) && wanted > s)
		s = wanted < conf->max_lifetime_s ? wanted : conf->max_lifetime_s;
	if (!rq->auth.third_party)
		return s;
	/* RFC 7635 section 7: "The lifetime provided by the TURN server in the Allocate and Refresh
	 * responses MUST be less than or equal to the lifetime of the token", without the skew. */
	left = rq->auth.expires_at_s - TURN_OAUTH_DELTA_S - env_wall_s(rq->turn->env);
	return left < s ? (uint32_t)(left > 0 ? left : 1) : s;
}

/* Makes one for the request's 5-tuple and user, without a relay, and not in the table yet. NULL
 * when out of memory. */
struct turn_alloc *turn_alloc_new(struct turn_request *rq)
{
	struct turn *t = rq->turn;
	struct turn_alloc *a = calloc(1, sizeof(*a) + rq->auth.username_len);

	if (!a)
		return NULL;
	a->turn = t;
	a->half[0].alloc = a->half[1].alloc = a;
	a->path = rq->path;
	a->tuple = rq->tuple;
	a->nonces_since = turn_nonces_since(t->nonces, &a->tuple);
	a->created_ms = t->now_ms;
	a->credential_expires_at_s = rq->auth.expires_at_s;
	a->key = *rq->key;
	a->key_source = rq->key_source;
	a->realm = rq->realm;
	a->third_party = rq->auth.third_party;
	memcpy(a->tid, rq->msg.tid, sizeof(a->tid));
	memcpy(a->username, rq->auth.username, rq->auth.username_len);
	a->username_len = (uint16_t)rq->auth.username_len;
	if (rq->auth.locked && turn_lock_enter(a, rq->auth.lock)) {
		free(a);
		return NULL;
	}
	snprintf(a->id, sizeof(a->id), "t%u-%llx", t->conf.worker & 0xfff,
	         (unsigned long long)(++t->sessions & 0xffffffffffff));
	return a;
}

static void log_session(const struct turn_alloc *a, const char *event, const char *reason)
{
	char relayed[2 * ADDR_STRLEN], text[ADDR_STRLEN];
	size_t len = 0;

	*relayed = 0;
	for (int i = 0; i < 2; i++)
		if (addr_family(&a->half[i].relayed) != AF_UNSPEC)
			len += (size_t)snprintf(relayed + len, sizeof(relayed) - len, "%s%s",
			                        len ? "," : "",
			                        addr_format(&a->half[i].relayed, text));
	if (!reason)
		log_info(a->id, event, LOG_TEXT("user", a->username, a->username_len),
		         LOG_ADDR("client", &a->path.client), LOG_STR("relayed", relayed));
	else
		log_info(a->id, event, LOG_STR("reason", reason),
		         LOG_TEXT("user", a->username, a->username_len),
		         LOG_ADDR("client", &a->path.client), LOG_STR("relayed", relayed),
		         LOG_INT("seconds", (a->turn->now_ms - a->created_ms) / 1000),
		         LOG_INT("to_peer_packets", a->to_peer_packets),
		         LOG_INT("to_peer_bytes", a->to_peer_bytes),
		         LOG_INT("to_client_packets", a->to_client_packets),
		         LOG_INT("to_client_bytes", a->to_client_bytes),
		         LOG_INT("bandwidth_drops", a->bandwidth_drops));
}

int turn_alloc_add(struct turn_alloc *a)
{
	struct turn *t = a->turn;

	if (TABLE_ADD(hh, t->allocs, tuple, sizeof(a->tuple), a))
		return -E_NOMEM;
	t->live++;
	t->stats.made[a->path.side->protocol]++;
	turn_journal_begin(a);
	turn_journal_note(a, TURN_EVENT_ALLOCATED,
	                  &a->half[addr_family(&a->half[0].relayed) == AF_UNSPEC].relayed, 0);
	log_session(a, "allocated", NULL);
	return 0;
}

static struct turn_alloc **slot_of(struct turn_alloc *a)
{
	return &a->turn->wheel[a->due_ms / 1000 % TURN_WHEEL_SLOTS];
}

void turn_alloc_unschedule(struct turn_alloc *a)
{
	if (a->due_ms)
		DL_DELETE(*slot_of(a), a);
	a->due_ms = 0;
}

/* Puts it in the wheel until its first half expires. */
static void schedule(struct turn_alloc *a)
{
	turn_alloc_unschedule(a);
	for (int i = 0; i < 2; i++)
		if (a->half[i].expires_ms && (!a->due_ms || a->half[i].expires_ms < a->due_ms))
			a->due_ms = a->half[i].expires_ms;
	if (a->due_ms)
		DL_APPEND(*slot_of(a), a);
}

/* Sets the lifetime of the given halves; absent ones are skipped. */
void turn_alloc_set_lifetime(struct turn_alloc *a, unsigned int halves, uint32_t lifetime_s)
{
	for (int i = 0; i < 2; i++)
		if (halves & 1u << i && a->half[i].expires_ms)
			a->half[i].expires_ms = a->turn->now_ms + (uint64_t)lifetime_s * 1000;
	schedule(a);
}

static void close_half(struct turn_half *half)
{
	if (!half->expires_ms)
		return;
	turn_conns_close(half);
	turn_ports_retire(half->via->ports,
	                  half->port); /* first: the datagrams for it must reach nobody */
	env_udp_close(half->udp);
	turn_ports_release(half->via->ports, half->port); /* last: the next one wants to bind it */
	half->udp = NULL;
	half->expires_ms = 0;
	half->alloc->turn->halves--;
}

/* Closes halves; true when none is left: the allocation is the caller's to close. */
bool turn_alloc_end_halves(struct turn_alloc *a, unsigned int halves)
{
	for (int i = 0; i < 2; i++) {
		if (!(halves & 1u << i) || !a->half[i].expires_ms)
			continue;
		if (!a->half[!i].expires_ms)
			return true;
		turn_perms_end(a, i ? AF_INET6 : AF_INET);
		turn_chans_end(a, i ? AF_INET6 : AF_INET);
		close_half(&a->half[i]);
	}
	schedule(a);
	return false;
}

/* It fell out of the table for want of memory, in the midst of work on it: from now on it passes
 * nothing, and the next tick closes it. */
void turn_alloc_doom(struct turn_alloc *a)
{
	a->hh.tbl = NULL;
	for (int i = 0; i < 2; i++)
		if (a->half[i].expires_ms)
			a->half[i].expires_ms = a->turn->now_ms;
	schedule(a);
}

/* Closes what has expired; true when that was the allocation itself. */
bool turn_alloc_expire(struct turn_alloc *a)
{
	unsigned int over = 0;

	if (a->due_ms > a->turn->now_ms)
		return false;
	for (int i = 0; i < 2; i++)
		over |= (unsigned int)(a->half[i].expires_ms <= a->turn->now_ms) << i;
	if (!turn_alloc_end_halves(a, over))
		return false;
	turn_alloc_close(a, TURN_CLOSE_EXPIRED);
	return true;
}

/* For one that never came into the table, too. */
void turn_alloc_free(struct turn_alloc *a)
{
	if (!a)
		return;
	turn_alloc_unschedule(a);
	turn_mobile_free(a);
	turn_lock_leave(a);
	close_half(&a->half[0]);
	close_half(&a->half[1]);
	turn_quota_give(a->turn->conf.quota, a->quota_user);
	turn_quota_give(a->turn->conf.quota, a->second);
	free(a->perms);
	free(a->chans);
	free(a);
}

void turn_alloc_close(struct turn_alloc *a, enum turn_close_reason reason)
{
	struct turn *t = a->turn;

	if (a->hh.tbl)
		HASH_DELETE(hh, t->allocs, a);
	turn_nonces_end(t->nonces, &a->tuple);
	t->live--;
	t->stats.closed[reason]++;
	turn_usage_tell(a, true);
	turn_journal_end(a, close_reasons[reason]);
	log_session(a, "closed", close_reasons[reason]);
	turn_alloc_free(a);
}

/* Turns the wheel up to now. An allocation that expires in a later round stays in its slot. */
void turn_allocs_expire(struct turn *t)
{
	uint64_t now_s = t->now_ms / 1000;

	if (now_s - t->wheel_s > TURN_WHEEL_SLOTS) /* asleep for long: one round is enough */
		t->wheel_s = now_s - TURN_WHEEL_SLOTS;
	for (; t->wheel_s < now_s; t->wheel_s++) {
		struct turn_alloc *a, *next;

		DL_FOREACH_SAFE(t->wheel[t->wheel_s % TURN_WHEEL_SLOTS], a, next)
		if (a->due_ms <= t->now_ms)
			turn_alloc_expire(a);
	}
}
