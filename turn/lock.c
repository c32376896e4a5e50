/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of locks. A lock is in it while it has peers or allocations.
 */
#include "turn/lock.h"

#include "base/error.h"
#include "base/log.h"
#include "turn/state.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct lock_peer {
	uint8_t ip[16], len;
};

struct turn_lock {
	UT_hash_handle hh;
	uint64_t id;
	struct lock_peer *peers;
	size_t peer_n;
	struct turn_alloc *allocs;
};

static struct turn_lock *find(struct turn *t, uint64_t id)
{
	struct turn_lock *l;

	HASH_FIND(hh, t->locks, &id, sizeof(id), l);
	return l;
}

static struct turn_lock *find_or_make(struct turn *t, uint64_t id)
{
	struct turn_lock *l = find(t, id);

	if (l)
		return l;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->id = id;
	if (TABLE_ADD(hh, t->locks, id, sizeof(l->id), l)) {
		free(l);
		return NULL;
	}
	return l;
}

static void free_lock(struct turn *t, struct turn_lock *l)
{
	HASH_DELETE(hh, t->locks, l);
	free(l->peers);
	free(l);
}

static void drop_unused(struct turn *t, struct turn_lock *l)
{
	if (!l->peer_n && !l->allocs)
		free_lock(t, l);
}

int turn_lock_enter(struct turn_alloc *a, uint64_t id)
{
	struct turn_lock *l = find_or_make(a->turn, id);

	if (!l)
		return -E_NOMEM;
	a->lock = l;
	DL_APPEND2(l->allocs, a, lock_prev, lock_next);
	return 0;
}

uint64_t turn_lock_leave(struct turn_alloc *a)
{
	struct turn_lock *l = a->lock;
	uint64_t id;

	if (!l)
		return 0;
	id = l->id;
	DL_DELETE2(l->allocs, a, lock_prev, lock_next);
	a->lock = NULL;
	drop_unused(a->turn, l);
	return id;
}

/* A relay that leads only back to its client leads nowhere: a self-test may use it so. */
bool turn_lock_stops(const struct turn_alloc *a, const struct addr *peer)
{
	const struct turn_lock *l = a->lock;
	size_t len;
	const uint8_t *ip = addr_ip(peer, &len);

	if (l && addr_equal_ip(&a->path.client, peer))
		return false;
	for (size_t i = 0; l && i < l->peer_n; i++)
		if (l->peers[i].len == len && !memcmp(l->peers[i].ip, ip, len))
			return false;
	return l != NULL;
}

static int put_peers(struct turn_lock *l, const struct addr *peers, size_t n)
{
	free(l->peers);
	l->peer_n = 0;
	l->peers = n ? calloc(n, sizeof(*l->peers)) : NULL;
	if (n && !l->peers)
		return -E_NOMEM;
	for (; l->peer_n < n; l->peer_n++) {
		struct lock_peer *p = &l->peers[l->peer_n];
		size_t len;
		const uint8_t *ip = addr_ip(&peers[l->peer_n], &len);

		memcpy(p->ip, ip, len);
		p->len = (uint8_t)len;
	}
	return 0;
}

int turn_lock_set(struct turn *t, uint64_t id, const struct addr *peers, size_t n)
{
	struct turn_lock *l = n ? find_or_make(t, id) : find(t, id);
	struct turn_alloc *a;
	int r = 0;

	t->now_ms = env_now_ms(t->env);
	if (n > TURN_LOCK_PEERS_MAX)
		return -E_LIMIT;
	if (!l) {
		turn_unpark_locked(t);
		return n ? -E_NOMEM : 0;
	}
	r = put_peers(l, peers, n);
	DL_FOREACH2(l->allocs, a, lock_next)
	{
		turn_perms_recheck(a);
		turn_conns_recheck_of(a);
	}
	drop_unused(t, l);
	turn_unpark_locked(t);
	return r;
}

void turn_locks_free(struct turn *t)
{
	struct turn_lock *l, *next;

	HASH_ITER (hh, t->locks, l, next)
		free_lock(t, l);
}

/* The news may be older than the request: the peer's candidate came to the client by another way
 * than the news to us. */
static bool waits_for_news(struct turn_request *rq)
{
	const struct turn *t = rq->turn;

	return t->auth->lock_waits && t->auth->lock_waits(t->auth_ctx) &&
	       turn_park(rq, TURN_TICKET_LOCKS);
}

int turn_refuse_peer(struct turn_request *rq, const struct addr *peer, int why)
{
	struct turn_alloc *a = rq->alloc;
	bool locked = why == TURN_PEER_LOCKED;
	int code = locked ? 403 : why;

	if (locked && waits_for_news(rq))
		return TURN_SILENT;
	rq->turn->stats.policy_drops += why == 403;
	rq->turn->stats.lock_refusals += locked;
	turn_journal_note(a, locked ? TURN_EVENT_PEER_LOCKED : TURN_EVENT_PEER_DENIED, peer, code);
	if (locked && !a->noted_locked) {
		log_info(a->id, "peer-locked", LOG_TEXT("user", a->username, a->username_len),
		         LOG_ADDR("peer", peer));
		a->noted_locked = true;
	}
	return code;
}
