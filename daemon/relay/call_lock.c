/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Members, their locks, and the addresses signaled to them.
 */
#include "daemon/relay/call_lock.h"

#include "base/table.h"
#include "signal/candidates.h"
#include "turn/lock.h"

#include <stdlib.h>
#include <string.h>

#define PEERS_MAX      TURN_LOCK_PEERS_MAX
#define PEERS_AT_FIRST 8
#define LOCKS_MAX      4 /* of one member, that has come back by several connections */

/* An address, by the member that has signaled it. */
struct peer {
	struct addr addr;
	uint64_t from;
	int64_t until_ms; /* 0: the call goes on */
};

struct holder {
	UT_hash_handle hh;
	uint64_t member;
	uint64_t lock[LOCKS_MAX]; /* the newest last */
	size_t lock_n;
	struct peer *peers; /* the oldest first */
	size_t peer_n, peer_cap;
};

struct call_locks {
	const struct call_lock_ops *ops;
	void *ctx;
	struct holder *holders;
	bool on;
};

struct call_locks *call_locks_new(const struct call_lock_ops *ops, void *ctx)
{
	struct call_locks *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->ops = ops;
	l->ctx = ctx;
	return l;
}

static void free_holder(struct call_locks *l, struct holder *h)
{
	HASH_DELETE(hh, l->holders, h);
	free(h->peers);
	free(h);
}

void call_locks_free(struct call_locks *l)
{
	struct holder *h, *next;

	if (!l)
		return;
	HASH_ITER (hh, l->holders, h, next)
		free_holder(l, h);
	free(l);
}

void call_locks_set_on(struct call_locks *l, bool on)
{
	l->on = on;
}

static struct holder *find(struct call_locks *l, uint64_t member)
{
	struct holder *h;

	HASH_FIND(hh, l->holders, &member, sizeof(member), h);
	return h;
}

static struct holder *find_or_make(struct call_locks *l, uint64_t member)
{
	struct holder *h = find(l, member);

	if (h)
		return h;
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->member = member;
	if (TABLE_ADD(hh, l->holders, member, sizeof(h->member), h)) {
		free(h);
		return NULL;
	}
	return h;
}

/* Two ends may have signaled the same address. */
static size_t collect(const struct holder *h, struct addr out[PEERS_MAX])
{
	size_t n = 0, j;

	for (size_t i = 0; i < h->peer_n; i++) {
		for (j = 0; j < n && !addr_equal_ip(&out[j], &h->peers[i].addr); j++)
			;
		if (j == n)
			out[n++] = h->peers[i].addr;
	}
	return n;
}

static void tell(struct call_locks *l, const struct holder *h)
{
	struct addr peers[PEERS_MAX];
	size_t n = collect(h, peers);

	for (size_t i = 0; i < h->lock_n; i++)
		l->ops->tell(l->ctx, h->lock[i], peers, n);
}

static void add_lock(struct call_locks *l, struct holder *h, uint64_t lock)
{
	if (h->lock_n == LOCKS_MAX) {
		l->ops->tell(l->ctx, h->lock[0], NULL, 0);
		memmove(h->lock, h->lock + 1, --h->lock_n * sizeof(*h->lock));
	}
	h->lock[h->lock_n++] = lock;
}

int call_lock_of(struct call_locks *l, uint64_t member, uint64_t *lock)
{
	struct holder *h = find_or_make(l, member);
	uint64_t fresh = CALL_LOCK_NONE;

	if (!h)
		return -E_NOMEM;
	if (!h->lock_n) {
		while (fresh == CALL_LOCK_NONE)
			l->ops->random(&fresh, sizeof(fresh));
		add_lock(l, h, fresh);
		if (h->peer_n)
			tell(l, h);
	}
	*lock = h->lock[h->lock_n - 1];
	return 0;
}

static void remove_peer(struct holder *h, size_t i)
{
	h->peer_n--;
	memmove(&h->peers[i], &h->peers[i + 1], (h->peer_n - i) * sizeof(h->peers[0]));
}

static size_t count_from(const struct holder *h, uint64_t from)
{
	size_t n = 0;

	for (size_t i = 0; i < h->peer_n; i++)
		n += h->peers[i].from == from;
	return n;
}

/* Makes room: the oldest of an ended call goes, else the oldest of whoever has signaled the most.
 * So nobody's calls can push out all that another has signaled. */
static void push_out(struct holder *h)
{
	size_t at = 0, most = 0;

	for (size_t i = 0; i < h->peer_n; i++) {
		size_t n = count_from(h, h->peers[i].from);

		if (h->peers[i].until_ms) {
			at = i;
			break;
		}
		if (n > most) {
			most = n;
			at = i;
		}
	}
	remove_peer(h, at);
}

static bool make_room(struct holder *h)
{
	size_t cap = h->peer_cap ? h->peer_cap * 2 : PEERS_AT_FIRST;
	struct peer *grown;

	if (h->peer_n == PEERS_MAX)
		push_out(h);
	if (h->peer_n < h->peer_cap)
		return true;
	grown = reallocarray(h->peers, cap, sizeof(*grown));
	if (!grown)
		return false;
	h->peers = grown;
	h->peer_cap = cap;
	return true;
}

/* True when it is new. */
static bool add_peer(struct holder *h, uint64_t from, const struct addr *addr)
{
	for (size_t i = 0; i < h->peer_n; i++) {
		struct peer *p = &h->peers[i];

		if (p->from == from && addr_equal_ip(&p->addr, addr)) {
			p->until_ms = 0;
			return false;
		}
	}
	if (!make_room(h))
		return false;
	h->peers[h->peer_n++] = (struct peer){.addr = *addr, .from = from};
	return true;
}

void call_lock_signaled(struct call_locks *l, uint64_t from, uint64_t to, const char *text,
                        size_t len)
{
	struct holder *h = find(l, to);
	struct addr found[PEERS_MAX];
	bool changed = false;
	size_t n;

	if (!h && !l->on)
		return;
	n = candidates_find(text, len, found, PEERS_MAX);
	if (n && !h)
		h = find_or_make(l, to);
	for (size_t i = 0; h && i < n; i++)
		changed |= add_peer(h, from, &found[i]);
	if (changed)
		tell(l, h);
}

static void end_from(struct call_locks *l, uint64_t member, uint64_t from, int64_t now_ms)
{
	struct holder *h = find(l, member);

	for (size_t i = 0; h && i < h->peer_n; i++)
		if (h->peers[i].from == from && !h->peers[i].until_ms)
			h->peers[i].until_ms = now_ms + CALL_LOCK_GRACE_MS;
}

void call_lock_ended(struct call_locks *l, uint64_t a, uint64_t b, int64_t now_ms)
{
	end_from(l, a, b, now_ms);
	end_from(l, b, a, now_ms);
}

/* The connection may have got a credential before it showed whose it is. */
void call_lock_moved(struct call_locks *l, uint64_t from, uint64_t to)
{
	struct holder *fresh = find(l, from), *h = fresh ? find_or_make(l, to) : NULL;

	if (!h)
		return;
	for (size_t i = 0; i < fresh->lock_n; i++)
		add_lock(l, h, fresh->lock[i]);
	free_holder(l, fresh);
	if (h->peer_n)
		tell(l, h);
}

void call_lock_gone(struct call_locks *l, uint64_t member)
{
	struct holder *h = find(l, member);

	if (!h)
		return;
	for (size_t i = 0; h->peer_n && i < h->lock_n; i++)
		l->ops->tell(l->ctx, h->lock[i], NULL, 0);
	free_holder(l, h);
}

void call_locks_tick(struct call_locks *l, int64_t now_ms)
{
	struct holder *h, *next;

	HASH_ITER (hh, l->holders, h, next) {
		size_t before = h->peer_n;

		for (size_t i = h->peer_n; i-- > 0;)
			if (h->peers[i].until_ms && h->peers[i].until_ms <= now_ms)
				remove_peer(h, i);
		if (h->peer_n < before)
			tell(l, h);
		if (!h->peer_n && !h->lock_n)
			free_holder(l, h);
	}
}
