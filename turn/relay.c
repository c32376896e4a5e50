/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The data path: ChannelData from the client (RFC 8656 section 12.4 to 12.6),
 * datagrams from peers (section 11.3, 12.7). Nothing here allocates, logs or
 * copies a payload.
 *
 *   0                   1                   2                   3
 *  |       channel number          |      length of the data       |
 *  |                         application data                      |
 */
#include "turn/state.h"

#include "base/bytes.h"

#define CHANNEL_HEADER_LEN 4
#define UDP_PAYLOAD_MAX    65507

/* RFC 8656 section 15: DSCP and ECN are copied, the TTL is the system's default, DF is set only
 * when the client asks for it in a Send indication. */
void turn_relay_to_peer(struct turn_half *half, const struct addr *wire, uint8_t *data, size_t len,
                        uint8_t tos, bool dont_fragment)
{
	struct turn_alloc *a = half->alloc;
	struct turn_stats *s = &a->turn->stats;

	if (!turn_bandwidth_take(a, TURN_TO_PEER, len))
		return;
	env_udp_send_as(half->udp, wire, data, len, tos, dont_fragment);
	s->to_peer_packets++;
	s->to_peer_bytes += len;
	if (!a->to_peer_packets++)
		turn_journal_note(a, TURN_EVENT_TO_PEER, wire, 0);
	a->to_peer_bytes += len;
	turn_usage_mark(a);
}

void turn_on_channel_data(const struct turn_path *path, uint8_t *data, size_t data_len)
{
	struct turn *t = path->side->turn;
	struct turn_tuple tuple = turn_tuple_of(path);
	struct turn_alloc *a = turn_alloc_find(t, &tuple);
	uint16_t number = (uint16_t)(data[0] << 8 | data[1]);
	size_t len = (size_t)(data[2] << 8 | data[3]);
	struct turn_half *half;
	struct turn_chan *c;

	/* "If the length field is larger than the datagram [...] silently discarded"; over UDP
	 * there may be padding behind the data. */
	if (len > data_len - CHANNEL_HEADER_LEN) {
		t->stats.malformed++;
		return;
	}
	if (a && a->mobile)
		turn_mobile_on_data(a, &tuple);
	c = a ? turn_chan_by_number(a, number) : NULL;
	half = c ? turn_half_for(a, &c->peer) : NULL;
	if (!half) {
		t->stats.unbound_channel_drops++;
		return;
	}
	if (!turn_perm_find(a, &c->peer)) {
		t->stats.permission_drops++;
		if (!a->noted_unpermitted)
			turn_journal_note(a, TURN_EVENT_UNPERMITTED, &c->peer, 0);
		a->noted_unpermitted = true;
		return;
	}
	turn_relay_to_peer(half, &c->wire, data + CHANNEL_HEADER_LEN, len, path->tos, false);
}

/* A counter in the middle of random bytes: never twice the same, no system call a packet. */
const uint8_t *turn_next_indication_tid(struct turn *t)
{
	for (int i = 4; i < 12 && !++t->indication_tid[i]; i++)
		;
	return t->indication_tid;
}

static void from_peer(struct turn_half *half, struct datagram *d)
{
	struct turn_alloc *a = half->alloc;
	struct turn *t = a->turn;
	const struct turn_perm *perm;
	struct turn_chan *c;
	struct addr peer = turn_outside_addr(t, &d->peer);
	uint8_t *start = d->data;
	size_t total = d->len;

	perm = half->expires_ms > t->now_ms ? turn_perm_find(a, &peer) : NULL;
	/* From our own addresses, accept only relays: a port without a lease may belong to any
	 * program. */
	if (!perm || (perm->own && turn_perm_check_peer(a, &peer, true))) {
		t->stats.permission_drops++;
		if (!a->noted_stranger)
			turn_journal_note(a, TURN_EVENT_STRANGER, &peer, 0);
		a->noted_stranger = true;
		return;
	}
	if (d->len > UDP_PAYLOAD_MAX - STUN_DATA_HEAD_MAX - 3) {
		t->stats.malformed++;
		return;
	}
	if (!turn_bandwidth_take(a, TURN_TO_CLIENT, d->len))
		return;
	c = turn_chan_by_peer(a, &peer);
	if (c) {
		start -= CHANNEL_HEADER_LEN;
		total += CHANNEL_HEADER_LEN;
		bytes_put16(start, c->number);
		bytes_put16(start + 2, (uint16_t)d->len);
		/* section 12.5: padded over a stream only; there is tailroom for it */
		for (; turn_path_is_stream(&a->path) && total % 4; total++)
			start[total] = 0;
	} else {
		start = stun_wrap_data_indication(d->data, d->len, &peer,
		                                  turn_next_indication_tid(t), &total);
	}
	turn_path_send_as(&a->path, start, total, d->tos);
	t->stats.to_client_packets++;
	t->stats.to_client_bytes += d->len;
	if (!a->to_client_packets++)
		turn_journal_note(a, TURN_EVENT_TO_CLIENT, &peer, 0);
	a->to_client_bytes += d->len;
	turn_usage_mark(a);
}

void turn_on_relay_batch(void *arg, struct env_udp *u, struct datagram *batch, size_t n)
{
	struct turn_half *half = arg;
	struct turn *t = half->alloc->turn;

	(void)u;
	t->now_ms = env_now_ms(t->env);
	for (size_t i = 0; i < n; i++)
		from_peer(half, &batch[i]);
}
