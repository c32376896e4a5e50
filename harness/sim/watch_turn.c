/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ledger of a TURN node: what it owes each datagram (RFC 8656).
 */
#include "base/bytes.h"
#include "harness/sim/ledger.h"
#include "harness/sim/node.h"
#include "harness/sim/watch.h"
#include "harness/sim/watch_tcp.h"
#include "turn/net/net.h"
#include "turn/ports.h"
#include "turn/quota.h"

#include <stdlib.h>
#include <string.h>

#define CHANNEL_HEADER 4
#define TICK_MS        2000 /* what has expired is closed at the second full second at the latest */

/* The required result of the datagram being handled. */
enum outcome { OUT_FREE, OUT_REPLY, OUT_TO_PEER, OUT_TO_CLIENT, OUT_DROP };

struct watch_node {
	struct sim *sim;
	struct node *node;
	struct ledger *ledger;
	struct watch_tcp *tcp;
	bool busy; /* a datagram is being handled */
	enum outcome outcome;
	enum sim_invariant why; /* which invariant says OUT_DROP */
	bool drop_is_late;      /* its allocation has expired: open or closed by now */
	uint64_t want_drop;     /* OUT_DROP: offset of the counter in struct turn_stats */
	uint32_t call;
	struct ep from;
	struct ep peer;   /* of OUT_TO_PEER: to; of OUT_TO_CLIENT: from */
	struct ep source; /* the address it leaves from */
	struct ep sink;   /* and goes to */
	uint16_t channel; /* of OUT_TO_CLIENT; 0: an indication */
	unsigned int seen;
	size_t payload_at, payload_len, len;
	struct turn_stats before;
	uint64_t packets[OUT_DROP + 1], bytes[OUT_DROP + 1];
	uint8_t data[WATCH_PACKET_MAX];
};

struct watch_node *watch_node_new(struct sim *s, struct node *node)
{
	struct watch_node *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->sim = s;
	w->node = node;
	w->ledger = ledger_new(s, node->listener.ip);
	w->tcp = watch_tcp_new(s, w->ledger);
	if (!w->ledger || !w->tcp) {
		watch_node_free(w);
		return NULL;
	}
	return w;
}

void watch_node_free(struct watch_node *w)
{
	if (!w)
		return;
	watch_tcp_free(w->tcp);
	ledger_free(w->ledger);
	free(w);
}

struct watch_tcp *watch_node_tcp(struct watch_node *w)
{
	return w->tcp;
}

void watch_node_closed(struct watch_node *w, struct ep client)
{
	watch_tcp_closed(w->tcp, client);
	ledger_end(w->ledger, client);
}

static void expect_drop(struct watch_node *w, enum sim_invariant why, size_t counter)
{
	w->outcome = OUT_DROP;
	w->why = why;
	w->want_drop = counter;
}

#define COUNTER_OF(name) offsetof(struct turn_stats, name)

static void expect_to_peer(struct watch_node *w, const struct acc_alloc *a, struct ep peer)
{
	w->outcome = OUT_TO_PEER;
	w->peer = w->sink = peer;
	w->source = a->relayed;
}

/* Is it a relayed address, for now? What has just expired may or may not be closed. */
static bool is_open(struct watch_node *w, struct ep relayed)
{
	const struct acc_alloc *a = ledger_by_relayed(w->ledger, relayed);

	return a && !a->tcp &&
	       (a->expires_ms > sim_now(w->sim) ||
	        turn_ports_is_leased(w->node->ports, relayed.port));
}

/* A channel is bound, and where it leads to a relay of the node, that is still there. */
static bool leads_on(struct watch_node *w, const struct acc_chan *c)
{
	return ledger_chan_lasts(w->ledger, c) &&
	       (c->peer.ip != w->node->listener.ip || is_open(w, c->peer));
}

/* From the client: ChannelData. */
static void expect_channel_data(struct watch_node *w)
{
	struct acc_alloc *a = ledger_by_client(w->ledger, w->from);
	struct acc_chan *c = a ? ledger_chan(a, bytes_get16(w->data)) : NULL;
	bool live = a && a->expires_ms > sim_now(w->sim);

	w->payload_at = CHANNEL_HEADER;
	w->payload_len = bytes_get16(w->data + 2);
	if (!live || !c || !leads_on(w, c))
		expect_drop(w, a && !live ? SIM_LIFETIME : SIM_CHANNEL,
		            COUNTER_OF(unbound_channel_drops));
	else if (!ledger_permits(w->ledger, a, c->peer.ip))
		expect_drop(w, SIM_PERMISSION, COUNTER_OF(permission_drops));
	else
		expect_to_peer(w, a, c->peer);
}

static bool get_peer(const uint8_t *m, size_t len, struct ep *out)
{
	struct addr peer;

	if (!wire_get_xor_addr(m, len, ATTR_XOR_PEER_ADDRESS, &peer))
		return false;
	*out = ep_of(&peer);
	return true;
}

/* From the client: a Send indication. Ours are well-formed, and never for a forbidden peer. */
static void expect_send(struct watch_node *w)
{
	struct acc_alloc *a = ledger_by_client(w->ledger, w->from);
	size_t len;
	const uint8_t *payload = wire_get(w->data, w->len, ATTR_DATA, &len);
	struct ep peer;

	if (!payload || !get_peer(w->data, w->len, &peer))
		return;
	w->payload_at = (size_t)(payload - w->data);
	w->payload_len = len;
	if (!a || a->expires_ms <= sim_now(w->sim))
		expect_drop(w, a ? SIM_LIFETIME : SIM_PERMISSION, COUNTER_OF(permission_drops));
	else if (!ledger_permits(w->ledger, a, peer.ip))
		expect_drop(w, SIM_PERMISSION, COUNTER_OF(permission_drops));
	else if (peer.ip == w->node->listener.ip && !is_open(w, peer))
		expect_drop(w, SIM_PERMISSION, COUNTER_OF(policy_drops));
	else
		expect_to_peer(w, a, peer);
}

/* From a peer, to a relayed address. */
static void expect_from_peer(struct watch_node *w, struct ep relayed)
{
	struct acc_alloc *a = ledger_by_relayed(w->ledger, relayed);
	uint64_t now = sim_now(w->sim);
	struct acc_chan *c;

	w->payload_len = w->len;
	w->peer = w->from;
	if (!a || a->tcp)
		return; /* the port is closed */
	w->drop_is_late = a->expires_ms <= now;
	if (w->drop_is_late || !ledger_permits(w->ledger, a, w->from.ip)) {
		expect_drop(w, w->drop_is_late ? SIM_LIFETIME : SIM_PERMISSION,
		            COUNTER_OF(permission_drops));
		return;
	}
	if (w->from.ip == w->node->listener.ip && !is_open(w, w->from)) {
		expect_drop(w, SIM_PERMISSION, COUNTER_OF(permission_drops));
		return;
	}
	c = ledger_chan_to(a, w->from);
	w->outcome = OUT_TO_CLIENT;
	w->channel = c && leads_on(w, c) ? c->number : 0;
	w->source = ledger_server_end(a, w->node->index);
	w->sink = a->client;
}

void watch_turn_arrives(struct watch_node *w, struct ep from, struct ep to, const uint8_t *data,
                        size_t len)
{
	w->busy = true;
	w->outcome = OUT_FREE;
	w->drop_is_late = false;
	w->seen = 0;
	w->payload_at = w->payload_len = 0;
	w->from = from;
	w->call = sim_call_of(data, len);
	w->len = len < sizeof(w->data) ? len : sizeof(w->data);
	memcpy(w->data, data, w->len);
	w->before = *turn_get_stats(w->node->turn);
	if (to.port != w->node->listener.port)
		expect_from_peer(w, to);
	else if (wire_is_channel_data(data, len))
		expect_channel_data(w);
	else if (len >= 20 && data[0] < 4 && wire_type(data) == W_SEND)
		expect_send(w);
	else if (len >= 20 && data[0] < 4 && !(wire_type(data) & W_ERROR))
		w->outcome = OUT_REPLY;
}

/* --break: what came out is not what should have. */
static void tamper(struct watch_node *w, struct watch_sent *sent, uint8_t *copy)
{
	enum sim_break b = w->sim->conf.broken;
	size_t at = sent->len - 1, integrity_len;

	if (sent->len > WATCH_PACKET_MAX)
		return;
	if (b == BREAK_PAYLOAD_BIT && w->outcome >= OUT_TO_PEER) {
		if (w->outcome == OUT_TO_CLIENT) /* past the padding */
			at -= 4;
		memcpy(copy, sent->data, sent->len);
		copy[at] ^= 1;
		sent->data = copy;
	}
	if (b == BREAK_WRONG_PEER && w->outcome == OUT_TO_PEER)
		sent->to.port ^= 1;
	if (b == BREAK_RELAYED_TWICE && w->outcome >= OUT_TO_PEER)
		sent->times = 2;
	if (b == BREAK_UNSIGNED && w->outcome == OUT_REPLY &&
	    wire_get(sent->data, sent->len, ATTR_MESSAGE_INTEGRITY, &integrity_len)) {
		memcpy(copy, sent->data, sent->len);
		copy[sent->len - 30] ^= 1; /* within the integrity: 24 bytes, a fingerprint of 8 */
		sent->data = copy;
	}
}

static bool same_payload(const struct watch_node *w, const uint8_t *data, size_t len)
{
	return data && len == w->payload_len && !memcmp(data, w->data + w->payload_at, len);
}

static void check_to_client(struct watch_node *w, const struct watch_sent *sent)
{
	const uint8_t *data = sent->data + CHANNEL_HEADER;
	size_t len = sent->len - CHANNEL_HEADER;
	struct ep peer = {0, 0, 0};

	if (w->channel) {
		sim_check(w->sim, SIM_CHANNEL, bytes_get16(sent->data) == w->channel, w->call,
		          "data of a bound peer came as 0x%04x instead of channel 0x%04x",
		          bytes_get16(sent->data), w->channel);
		if (len >= w->payload_len && len < w->payload_len + 4)
			len = w->payload_len; /* padded, over a stream */
		if (bytes_get16(sent->data + 2) != w->payload_len)
			len = 0;
	} else {
		sim_check(w->sim, SIM_CHANNEL, wire_type(sent->data) == W_DATA, w->call,
		          "data of a peer without a channel came as 0x%04x",
		          bytes_get16(sent->data));
		data = wire_get(sent->data, sent->len, ATTR_DATA, &len);
		sim_check(w->sim, SIM_PEER,
		          get_peer(sent->data, sent->len, &peer) && ep_equal(peer, w->peer),
		          w->call, "a Data indication names another peer");
	}
	sim_check(w->sim, SIM_PAYLOAD, same_payload(w, data, len), w->call,
	          "%zu bytes for the client came out changed", w->payload_len);
}

static void check_relayed(struct watch_node *w, struct ep from, const struct watch_sent *sent)
{
	w->seen += sent->times;
	sim_check(w->sim, SIM_PEER, ep_equal(sent->to, w->sink) && from.ip == w->source.ip, w->call,
	          "data for %08x:%u went to %08x:%u", w->sink.ip, w->sink.port, sent->to.ip,
	          sent->to.port);
	if (w->outcome == OUT_TO_CLIENT)
		check_to_client(w, sent);
	else
		sim_check(w->sim, SIM_PAYLOAD, same_payload(w, sent->data, sent->len), w->call,
		          "%zu bytes for the peer came out changed", w->payload_len);
}

void watch_turn_sent(struct watch_node *w, struct ep from, struct watch_sent *sent, uint8_t *copy)
{
	if (!w->busy) {
		sim_check(w->sim, SIM_PEER, watch_tcp_sent(w->tcp, sent->to, sent->data, sent->len),
		          0, "a node sent %zu bytes out of the blue", sent->len);
		return;
	}
	tamper(w, sent, copy);
	switch (w->outcome) {
	case OUT_TO_PEER:
	case OUT_TO_CLIENT:
		check_relayed(w, from, sent);
		break;
	case OUT_REPLY:
		w->seen++;
		sim_check(w->sim, SIM_REPLY,
		          ep_equal(sent->to, w->from) && wire_sound(sent->data, sent->len) &&
		              !memcmp(sent->data + 4, w->data + 4, 16),
		          w->call, "a reply is not one to the request");
		ledger_reply(w->ledger, w->from, w->data, w->len, sent->data, sent->len);
		watch_tcp_reply(w->tcp, w->from, w->data, w->len, sent->data, sent->len);
		break;
	case OUT_DROP:
		sim_check(w->sim, w->why, false, w->call,
		          "%zu bytes passed that should have been dropped", w->payload_len);
		break;
	case OUT_FREE:
		sim_check(w->sim, SIM_PEER, false, w->call, "data to a closed port were answered");
		break;
	}
}

static uint64_t counted(const struct turn_stats *s, size_t offset)
{
	uint64_t n;

	memcpy(&n, (const uint8_t *)s + offset, sizeof(n));
	return n;
}

static uint64_t all_drops(const struct turn_stats *s)
{
	return s->unbound_channel_drops + s->permission_drops + s->policy_drops + s->malformed +
	       s->session_bandwidth_drops + s->user_bandwidth_drops + s->total_bandwidth_drops;
}

/* Each packet is counted once, for what became of it. */
static void check_counters(struct watch_node *w)
{
	struct turn_stats now = *turn_get_stats(w->node->turn), *before = &w->before;
	uint64_t to_peer = now.to_peer_packets - before->to_peer_packets;
	uint64_t to_client = now.to_client_packets - before->to_client_packets;
	uint64_t bytes = now.to_peer_bytes + now.to_client_bytes - before->to_peer_bytes -
	                 before->to_client_bytes;
	uint64_t drops = all_drops(&now) - all_drops(before);
	uint64_t due = w->outcome == OUT_DROP;

	if (w->sim->conf.broken == BREAK_UNCOUNTED && to_peer)
		to_peer--;
	if (w->drop_is_late && !drops)
		due = 0; /* it was closed already */
	sim_check(w->sim, SIM_COUNTER,
	          to_peer == (w->outcome == OUT_TO_PEER) &&
	              to_client == (w->outcome == OUT_TO_CLIENT) && drops == due &&
	              (!due || counted(&now, w->want_drop) == counted(before, w->want_drop) + 1) &&
	              bytes == (to_peer || to_client ? w->payload_len : 0),
	          w->call, "a packet of %zu bytes counted as %u to peer, %u to client, %u drops",
	          w->payload_len, (unsigned int)to_peer, (unsigned int)to_client,
	          (unsigned int)drops);
}

void watch_turn_handled(struct watch_node *w)
{
	if (!w->busy)
		return;
	w->busy = false;
	if (w->outcome == OUT_REPLY && !w->seen && wire_type(w->data) == W_CONNECT) {
		watch_tcp_waits(w->tcp, w->from, w->data, w->len);
		return;
	}
	if (w->outcome == OUT_REPLY) {
		sim_check(w->sim, SIM_CAUSE, w->seen == 1, w->call,
		          "a request 0x%04x was answered %u times", wire_type(w->data), w->seen);
		return;
	}
	if (w->outcome == OUT_TO_PEER || w->outcome == OUT_TO_CLIENT) {
		w->sim->counts.relayed++;
		sim_check(w->sim, w->seen ? SIM_PEER : SIM_PERMISSION, w->seen == 1, w->call,
		          "%zu bytes with a permission were relayed %u times", w->payload_len,
		          w->seen);
	}
	if (w->outcome == OUT_DROP)
		sim_check(w->sim, w->why, true, 0, " ");
	if (w->outcome != OUT_FREE)
		check_counters(w);
	w->packets[w->outcome]++;
	w->bytes[w->outcome] += w->payload_len;
}

/* The sums, over all that came since the node's start. */
static void check_sums(struct watch_node *w)
{
	const struct turn_stats *t = turn_get_stats(w->node->turn);

	sim_check(w->sim, SIM_COUNTER,
	          t->to_peer_packets == w->packets[OUT_TO_PEER] &&
	              t->to_client_packets == w->packets[OUT_TO_CLIENT],
	          0, "node %u has relayed other sums than came in", w->node->index);
	watch_tcp_tick(w->tcp, t->peer_connections, t->to_peer_bytes - w->bytes[OUT_TO_PEER],
	               t->to_client_bytes - w->bytes[OUT_TO_CLIENT]);
}

void watch_node_tick(struct watch_node *w)
{
	struct node *n = w->node;
	size_t there = turn_allocations(n->turn), least, most;
	uint64_t accepted = n->accepted + (w->sim->conf.broken == BREAK_UNCOUNTED_STREAM);

	ledger_sweep(w->ledger, TICK_MS);
	ledger_count(w->ledger, &least, &most);
	sim_check(w->sim, SIM_LEAK, there >= least && there <= most, 0,
	          "node %u holds %zu allocations, should be %zu to %zu", n->index, there, least,
	          most);
	sim_check(w->sim, SIM_LEAK,
	          turn_ports_leased(n->ports) ==
	              turn_relayed_addresses(n->turn) + turn_ports_reserved(n->ports),
	          0, "node %u has leased %zu ports for %zu relayed addresses", n->index,
	          turn_ports_leased(n->ports), turn_relayed_addresses(n->turn));
	sim_check(w->sim, SIM_LEAK,
	          turn_quota_total(n->quota) == there + turn_ports_reserved(n->ports), 0,
	          "node %u has given quota for %zu allocations and holds %zu, and %zu reservations",
	          n->index, turn_quota_total(n->quota), there, turn_ports_reserved(n->ports));
	sim_check(w->sim, SIM_LEAK, net_streams(n->net) == n->links, 0,
	          "node %u has %zu streams for %zu clients", n->index, net_streams(n->net),
	          n->links);
	sim_check(w->sim, SIM_COUNTER, turn_get_stats(n->turn)->connections == accepted, 0,
	          "node %u counts other connections than came", n->index);
	check_sums(w);
}
