/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Permissions (RFC 8656 section 9) and CreatePermission (section 10.2). A
 * permission is for an IP; it ends by the clock and is overwritten after that.
 */
#include "turn/state.h"

#include "base/error.h"
#include "turn/peer_policy.h"
#include "turn/ports.h"

#include <stdlib.h>
#include <string.h>

#define PERMS_AT_FIRST 4

struct turn_perm *turn_perm_find(struct turn_alloc *a, const struct addr *peer)
{
	size_t len;
	const uint8_t *ip = addr_ip(peer, &len);

	for (size_t i = 0; i < a->perm_n; i++)
		if (a->perms[i].ip_len == len && !memcmp(a->perms[i].ip, ip, len))
			return a->perms[i].until_ms > a->turn->now_ms ? &a->perms[i] : NULL;
	return NULL;
}

/* 0 when the client may talk to the peer; else 443, 403 or TURN_PEER_LOCKED. */
int turn_perm_check_peer(struct turn_alloc *a, const struct addr *peer, bool with_port)
{
	const struct turn *t = a->turn;
	const struct turn_relay *own;

	/* "If [it] contains an address of an address family that is not the same as that of a
	 * relayed transport address for the allocation [...] 443" */
	if (!turn_half_for(a, peer))
		return 443;
	/* A relayed address of ours is the other end of a call that we relay twice: always legal,
	 * as long as the port is a relay's. */
	own = turn_relay_at(t, peer);
	if (own && (!with_port || turn_ports_is_leased(own->ports, addr_port(peer))))
		return 0;
	if (with_port ? !peer_policy_permits(t->conf.policy, peer)
	              : !peer_policy_permits_ip(t->conf.policy, peer))
		return 403;
	return turn_lock_stops(a, peer) ? TURN_PEER_LOCKED : 0;
}

/* Makes sure that so many new permissions fit, so that setting them cannot fail half way.
 * 0, -E_LIMIT or -E_NOMEM. */
int turn_perm_reserve(struct turn_alloc *a, size_t more)
{
	size_t dead = 0, want, cap = a->perm_cap ? a->perm_cap : PERMS_AT_FIRST;
	struct turn_perm *perms;

	for (size_t i = 0; i < a->perm_n; i++)
		dead += a->perms[i].until_ms <= a->turn->now_ms;
	want = a->perm_n + (more > dead ? more - dead : 0);
	if (want > a->turn->conf.permissions_max) {
		a->turn->stats.permissions_refused++;
		return -E_LIMIT;
	}
	if (want <= a->perm_cap)
		return 0;
	while (cap < want)
		cap *= 2;
	perms = reallocarray(a->perms, cap, sizeof(*perms));
	if (!perms)
		return -E_NOMEM;
	a->perms = perms;
	a->perm_cap = (uint16_t)cap;
	return 0;
}

/* The slot of this IP, of a dead permission, or a new one. */
static struct turn_perm *slot_for(struct turn_alloc *a, const uint8_t *ip, size_t len)
{
	struct turn_perm *dead = NULL;

	for (size_t i = 0; i < a->perm_n; i++) {
		if (a->perms[i].ip_len == len && !memcmp(a->perms[i].ip, ip, len))
			return &a->perms[i];
		if (!dead && a->perms[i].until_ms <= a->turn->now_ms)
			dead = &a->perms[i];
	}
	if (dead)
		return dead;
	return a->perm_n < a->perm_cap ? &a->perms[a->perm_n++] : NULL;
}

/* Installs or refreshes. 0, -E_LIMIT or -E_NOMEM. */
int turn_perm_set(struct turn_alloc *a, const struct addr *peer)
{
	struct turn_perm *p;
	size_t len;
	const uint8_t *ip = addr_ip(peer, &len);
	int r = turn_perm_find(a, peer) ? 0 : turn_perm_reserve(a, 1);

	if (r)
		return r;
	p = slot_for(a, ip, len);
	memset(p, 0, sizeof(*p));
	memcpy(p->ip, ip, len);
	p->ip_len = (uint8_t)len;
	p->own = turn_relay_at(a->turn, peer) != NULL;
	p->until_ms = a->turn->now_ms + TURN_PERMISSION_MS;
	return 0;
}

/* "Deleting a single allocation destroys any permissions or channels associated with that
 * particular allocation; it MUST NOT affect any [...] for the other address family." */
void turn_perms_end(struct turn_alloc *a, int family)
{
	for (size_t i = 0; i < a->perm_n; i++)
		if (a->perms[i].ip_len == (family == AF_INET6 ? 16 : 4))
			a->perms[i].until_ms = 0;
}

/* The policy has changed, or the lock's peers, or this host's addresses: a stranger's that is a
 * relay's now is another peer, and so is a relay's that is a stranger's again. */
void turn_perms_recheck(struct turn_alloc *a)
{
	const struct turn *t = a->turn;
	struct addr peer;

	for (size_t i = 0; i < a->perm_n; i++) {
		struct turn_perm *p = &a->perms[i];

		addr_from_bytes(&peer, p->ip, p->ip_len, 0);
		if (turn_perm_check_peer(a, &peer, false) || p->own != !!turn_relay_at(t, &peer))
			p->until_ms = 0;
	}
	for (size_t i = 0; i < a->chan_n; i++) {
		struct turn_chan *c = &a->chans[i];
		struct addr wire = turn_wire_addr(t, &c->peer);

		if (!addr_equal(&wire, &c->wire) ||
		    (turn_relay_at(t, &c->peer) && turn_perm_check_peer(a, &c->peer, true)))
			c->until_ms = 0; /* what the policy denies, permissions stop */
	}
}

int turn_create_permission(struct turn_request *rq)
{
	struct addr peer;
	size_t n, fresh = 0;
	int r;

	/* "If a permission for any of the addresses cannot be installed [...] none are": so all are
	 * checked before the first is set. */
	for (n = 0; !(r = stun_msg_peer(&rq->msg, n, &peer)); n++) {
		r = turn_perm_check_peer(rq->alloc, &peer, false);
		if (r)
			return turn_refuse_peer(rq, &peer, r);
		fresh += !turn_perm_find(rq->alloc, &peer);
	}
	/* "If the message does not contain an XOR-PEER-ADDRESS [...] 400" */
	if (r != -E_NOTFOUND || !n)
		return 400;
	/* "the server MAY impose restrictions [...] 508" */
	if (turn_perm_reserve(rq->alloc, fresh))
		return 508;
	for (size_t i = 0; i < n; i++) {
		stun_msg_peer(&rq->msg, i, &peer);
		turn_perm_set(rq->alloc, &peer);
		turn_journal_note(rq->alloc, TURN_EVENT_PERMITTED, &peer, 0);
	}
	turn_reply_start(rq, STUN_SUCCESS);
	turn_reply_send(rq);
	return 0;
}
