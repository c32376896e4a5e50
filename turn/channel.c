/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Channels (RFC 8656 section 12) and ChannelBind (section 12.2).
 */
#include "turn/state.h"

#include "base/error.h"
#include "turn/peer_policy.h"

#include <stdlib.h>
#include <string.h>

#define CHANNEL_MIN 0x4000
#define CHANNEL_MAX 0x4fff
#define CHANNEL_LEGACY_MAX                                                                         \
	0x7fff /* RFC 5766 section 11 (11.2 says 0x7ffe): coturn's client draws it */
#define CHANS_AT_FIRST 4

/* Clients count up from 0x4000, so the number itself tells the place; for one that does not, all
 * are looked at. Expired ones, too. */
static struct turn_chan *find_number(struct turn_alloc *a, uint16_t number)
{
	size_t guess = (size_t)number - CHANNEL_MIN;

	if (guess < a->chan_n && a->chans[guess].number == number)
		return &a->chans[guess];
	for (size_t i = 0; i < a->chan_n; i++)
		if (a->chans[i].number == number)
			return &a->chans[i];
	return NULL;
}

/* A channel to a relay of ours ends with the allocation there, whoever leases the port next. */
static bool is_open(const struct turn_alloc *a, const struct turn_chan *c)
{
	return c->until_ms > a->turn->now_ms && turn_lease_lasts(&c->lease);
}

struct turn_chan *turn_chan_by_number(struct turn_alloc *a, uint16_t number)
{
	struct turn_chan *c = find_number(a, number);

	return c && is_open(a, c) ? c : NULL;
}

struct turn_chan *turn_chan_by_peer(struct turn_alloc *a, const struct addr *peer)
{
	for (size_t i = 0; i < a->chan_n; i++)
		if (addr_equal(&a->chans[i].peer, peer) && is_open(a, &a->chans[i]))
			return &a->chans[i];
	return NULL;
}

void turn_chans_end(struct turn_alloc *a, int family)
{
	for (size_t i = 0; i < a->chan_n; i++)
		if (addr_family(&a->chans[i].peer) == family)
			a->chans[i].until_ms = 0;
}

static bool number_ok(const struct turn_conf *conf, uint16_t number)
{
	return number >= CHANNEL_MIN &&
	       number <= (conf->legacy_channels ? CHANNEL_LEGACY_MAX : CHANNEL_MAX);
}

static struct turn_chan *new_chan(struct turn_alloc *a)
{
	if (a->chan_n >= a->turn->conf.channels_max) {
		for (size_t i = 0; i < a->chan_n; i++)
			if (!is_open(a, &a->chans[i]))
				return &a->chans[i];
		a->turn->stats.channels_refused++;
		return NULL;
	}
	if (a->chan_n == a->chan_cap) {
		size_t cap = a->chan_cap ? a->chan_cap * 2u : CHANS_AT_FIRST;
		struct turn_chan *chans = reallocarray(a->chans, cap, sizeof(*chans));

		if (!chans)
			return NULL;
		a->chans = chans;
		a->chan_cap = (uint16_t)cap;
	}
	return &a->chans[a->chan_n++];
}

/* Finds a refresh of a channel to a relay of ours that has ended: the port's new holder is not the
 * peer that the client means. The client is told once, and decides whether to bind it anew. */
static bool is_orphan(struct turn_alloc *a, uint16_t number, const struct addr *peer)
{
	struct turn_chan *c = find_number(a, number);

	if (!c || c->until_ms <= a->turn->now_ms || is_open(a, c) || !addr_equal(&c->peer, peer))
		return false;
	c->until_ms = 0;
	return true;
}

/* As turn_perm_check_peer(); and where the peer is a relay of ours, the lease that makes it a legal
 * one. */
static int check_peer(struct turn_alloc *a, const struct addr *peer, struct turn_lease *lease)
{
	const struct turn_relay *own = turn_relay_at(a->turn, peer);
	int r;

	*lease = own ? turn_ports_lease_of(own->ports, addr_port(peer)) : (struct turn_lease){0};
	r = turn_perm_check_peer(a, peer, true);
	if (!r && own && !lease->now && !peer_policy_permits(a->turn->conf.policy, peer))
		return 403; /* leased in this moment */
	return r;
}

/* The channel that the pair may have; *code is the error when it may not. */
static struct turn_chan *bind_pair(struct turn_alloc *a, uint16_t number, const struct addr *peer,
                                   int *code)
{
	struct turn_chan *c = turn_chan_by_number(a, number), *other = turn_chan_by_peer(a, peer);

	/* "The channel number is not currently bound to a different transport address", "The
	 * transport address is not currently bound to a different channel number": else 400 */
	*code = 400;
	if ((c && !addr_equal(&c->peer, peer)) || (other && other->number != number))
		return NULL;
	*code = 508;
	if (!c)
		c = find_number(a, number); /* expired: its place is free */
	return c ? c : new_chan(a);
}

int turn_channel_bind(struct turn_request *rq)
{
	struct turn_alloc *a = rq->alloc;
	struct turn_chan *c;
	struct turn_lease lease;
	struct addr peer;
	uint32_t value;
	uint16_t number;
	int r;

	/* RFC 6062: a TCP allocation has no channels. */
	if (!a->half[0].udp && !a->half[1].udp)
		return 400;
	/* "The request contains both a CHANNEL-NUMBER and an XOR-PEER-ADDRESS attribute", "The
	 * channel number is in the range 0x4000 through 0x4FFF": else 400 */
	if (stun_msg_u32(&rq->msg, STUN_ATTR_CHANNEL_NUMBER, &value) ||
	    stun_msg_peer(&rq->msg, 0, &peer))
		return 400;
	number = (uint16_t)(value >> 16);
	if (!number_ok(&rq->turn->conf, number))
		return 400;
	r = is_orphan(a, number, &peer) ? 403 : check_peer(a, &peer, &lease);
	if (r)
		return turn_refuse_peer(rq, &peer, r);
	c = turn_chan_by_number(a, number);
	if (!c || !addr_equal(&c->peer, &peer)) {
		c = bind_pair(a, number, &peer, &r);
		if (!c)
			return r;
		c->number = number;
		c->peer = peer;
		c->wire = turn_wire_addr(rq->turn, &peer);
		c->lease = lease;
		c->until_ms = 0; /* not before its permission stands */
	}
	/* "A ChannelBind transaction also creates or refreshes a permission towards the peer" */
	if (turn_perm_set(a, &peer))
		return 508;
	c->until_ms = rq->turn->now_ms + TURN_CHANNEL_MS;
	turn_journal_note(a, TURN_EVENT_BOUND, &peer, number);
	turn_reply_start(rq, STUN_SUCCESS);
	turn_reply_send(rq);
	return 0;
}
