/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The virtual network.
 */
#include "harness/sim/net.h"

#include "harness/sim/agent.h"
#include "harness/sim/watch.h"

#include <stdlib.h>

#define NODE_NET    0x05000000u /* 5.0.0.0/8 and so on */
#define PRIVATE_NET 0x0a000000u
#define HOME_NET    0x14000000u
#define CARRIER_NET 0x15000000u
#define PUBLIC_NET  0x1e000000u
#define TCP_NET     0x20000000u
#define FLOOD_NET   0x1f000000u
#define SHARED_NET  0x64400000u /* 100.64.0.0/10, RFC 6598 */
#define STREAM_NET  0x7f000000u
#define HOSTS_MAX   3
#define CARRIER_MAX 8 /* homes behind one */
#define FEW_PORTS   6
#define NODE_DELAY  3
#define LAN_DELAY   1
#define JITTER_MS   8
#define LATE_PPM    5000 /* overtaken by others */
#define LATE_MS     60
#define TWICE_PPM   1000

struct carrier {
	struct sim_nat nat;
	uint32_t homes;
};

struct placed {
	uint32_t home, ip;
};

struct sim_net {
	struct sim *sim;
	struct home *home;
	uint32_t homes;
	struct carrier *carrier;
	uint32_t carriers;
	struct placed *placed; /* by agent */
};

#define EIM  NAT_MAP_ENDPOINT_INDEPENDENT
#define ADM  NAT_MAP_ADDRESS_DEPENDENT
#define APDM NAT_MAP_ADDRESS_PORT_DEPENDENT
#define EIF  NAT_FILTER_ENDPOINT_INDEPENDENT
#define ADF  NAT_FILTER_ADDRESS_DEPENDENT
#define APDF NAT_FILTER_ADDRESS_PORT_DEPENDENT

static const struct home_kind kinds[] = {
    {"public", {true, NAT_MAP_NONE, EIF}, NO_CARRIER, 2},
    {"public-firewall", {true, NAT_MAP_NONE, APDF}, NO_CARRIER, 2},
    {"full-cone", {true, EIM, EIF}, NO_CARRIER, 3},
    {"address-restricted", {true, EIM, ADF}, NO_CARRIER, 3},
    {"port-restricted", {true, EIM, APDF}, NO_CARRIER, 8},
    {"address-mapping-open", {true, ADM, EIF}, NO_CARRIER, 1},
    {"address-mapping", {true, ADM, ADF}, NO_CARRIER, 1},
    {"address-mapping-strict", {true, ADM, APDF}, NO_CARRIER, 1},
    {"symmetric-open", {true, APDM, EIF}, NO_CARRIER, 1},
    {"symmetric-address", {true, APDM, ADF}, NO_CARRIER, 1},
    {"symmetric", {true, APDM, APDF}, NO_CARRIER, 6},
    {"carrier-hairpin", {true, EIM, APDF}, CARRIER_HAIRPIN, 2},
    {"carrier", {true, EIM, APDF}, CARRIER_PLAIN, 2},
    {"carrier-symmetric", {true, APDM, APDF}, CARRIER_HAIRPIN, 1},
    {"carrier-few-ports", {true, EIM, APDF}, CARRIER_FEW_PORTS, 1},
    {"udp-blocked", {.udp = false}, NO_CARRIER, 3},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

uint32_t sim_net_node_ip(unsigned int node)
{
	return NODE_NET + node + 1;
}

struct ep sim_net_stream_client(uint32_t agent)
{
	return (struct ep){STREAM_NET + (4u << 16) + agent, 0, 0};
}

struct ep sim_net_stream_node(unsigned int node)
{
	return (struct ep){STREAM_NET + (1u << 16) + node, 0, 0};
}

struct ep sim_net_web_client(uint32_t agent)
{
	return (struct ep){STREAM_NET + (2u << 16) + agent, 0, 0};
}

struct ep sim_net_web_hub(void)
{
	return (struct ep){STREAM_NET + (3u << 16), 6503, 0};
}

struct ep sim_net_tcp_peer(uint32_t number, uint16_t port)
{
	return (struct ep){TCP_NET + number, port, 0};
}

static bool is_tcp_peer(struct ep e)
{
	return e.ip >> 24 == TCP_NET >> 24;
}

bool sim_net_is_deaf_peer(struct ep e)
{
	return is_tcp_peer(e) && e.port < SIM_PEER_PORT;
}

struct ep sim_net_flooder(void)
{
	return (struct ep){FLOOD_NET, 0, 0};
}

bool sim_net_is_stream(struct ep e)
{
	return e.ip >> 24 == STREAM_NET >> 24;
}

static bool is_node(struct ep e)
{
	return e.ip >> 24 == NODE_NET >> 24;
}

/* The home that a host's address lies in, or NULL. */
static struct home *home_of(struct sim_net *n, uint32_t ip)
{
	uint32_t net = ip & 0xff000000u, at = ip & 0xffffffu;

	if (net == PRIVATE_NET)
		at >>= 8;
	else if (net != PUBLIC_NET)
		return NULL;
	return at < n->homes ? &n->home[at] : NULL;
}

/* Streams keep their order because each has one delay. */
static uint32_t stream_delay(struct sim_net *n, struct ep a, struct ep b)
{
	uint32_t client = (a.ip >> 16 & 1 ? b.ip : a.ip) & 0xffff;

	if (is_tcp_peer(a) || is_tcp_peer(b))
		return NODE_DELAY + (is_tcp_peer(a) ? a.ip : b.ip) % 40;
	return NODE_DELAY + n->home[n->placed[client].home].delay_ms;
}

static void lose(struct sim_net *n, const char *why, struct ep from, struct ep to, uint32_t call,
                 size_t len)
{
	n->sim->counts.filtered++;
	sim_note(n->sim, call, why, from, to, (uint32_t)len);
}

static void carry(struct sim_net *n, struct ep from, struct ep to, const uint8_t *data, size_t len,
                  uint8_t tos, uint32_t delay_ms)
{
	struct addr f = ep_addr(from), t = ep_addr(to);

	env_virtual_carry(n->sim->env, &f, &t, data, len, tos, delay_ms);
}

/* Through the internet: loss, jitter, now and then late or twice. */
static void cross(struct sim_net *n, struct ep from, struct ep to, const uint8_t *data, size_t len,
                  uint8_t tos, uint32_t delay_ms)
{
	struct sim *s = n->sim;

	if (sim_chance(s, s->conf.loss_ppm)) {
		s->counts.lost++;
		sim_note(s, sim_call_of(data, len), "lost", from, to, (uint32_t)len);
		return;
	}
	delay_ms += sim_dice(s, JITTER_MS);
	if (sim_chance(s, LATE_PPM))
		delay_ms += LATE_MS;
	carry(n, from, to, data, len, tos, delay_ms);
	if (sim_chance(s, TWICE_PPM)) {
		s->counts.duplicated++;
		carry(n, from, to, data, len, tos, delay_ms + sim_dice(s, LATE_MS));
	}
}

/* On the way out through a router; an address of the router itself is turned around where it does
 * that, with the outside source (RFC 4787 REQ-9a). */
static bool leave(struct sim_net *n, struct sim_nat *nat, struct ep *from, struct ep to,
                  const uint8_t *data, size_t len)
{
	const char *why = "no-port";

	if (sim_nat_out(nat, from, to)) {
		if (nat->mapping == NAT_MAP_NONE || to.ip != nat->outside_ip || nat->hairpin)
			return true;
		why = "no-hairpin";
	}
	lose(n, why, *from, to, sim_call_of(data, len), len);
	return false;
}

static void from_home(struct sim_net *n, struct home *h, struct ep from, struct ep to,
                      const uint8_t *data, size_t len, uint8_t tos)
{
	struct home *there = home_of(n, to.ip);

	n->sim->counts.packets++;
	if (there == h) {
		carry(n, from, to, data, len, tos, LAN_DELAY);
		return;
	}
	if (!h->behaviour.udp) {
		lose(n, "udp-blocked", from, to, sim_call_of(data, len), len);
		return;
	}
	if (!leave(n, &h->nat, &from, to, data, len) ||
	    (h->carrier && !leave(n, &h->carrier->nat, &from, to, data, len)))
		return;
	cross(n, from, to, data, len, tos, h->delay_ms + NODE_DELAY);
}

static void on_sent(void *ctx, const struct addr *from_addr, const struct addr *to_addr,
                    const uint8_t *data, size_t len, uint8_t tos)
{
	struct sim_net *n = ctx;
	struct sim *s = n->sim;
	struct ep from = ep_of(from_addr), to = ep_of(to_addr);
	struct home *h = home_of(n, from.ip);
	uint8_t copy[WATCH_PACKET_MAX];
	struct watch_sent sent = {.data = data, .len = len, .to = to, .times = 1};

	if (h) {
		from_home(n, h, from, to, data, len, tos);
		return;
	}
	watch_sent(s, from, &sent, copy);
	for (unsigned int i = 0; i < sent.times; i++) {
		s->counts.packets++;
		if (sim_net_is_stream(from))
			carry(n, from, sent.to, sent.data, sent.len, tos,
			      stream_delay(n, from, sent.to) + sent.delay_ms);
		else
			cross(n, from, sent.to, sent.data, sent.len, tos, NODE_DELAY);
	}
}

/* To a router's outside: in through it, or through both. */
static bool enter(struct sim_net *n, struct ep from, struct ep *to)
{
	uint32_t at = to->ip & 0xffffffu;

	if (to->ip >> 24 == CARRIER_NET >> 24) {
		if (at >= n->carriers || !sim_nat_in(&n->carrier[at].nat, from, to))
			return false;
		at = to->ip & 0xffffu; /* now in 100.64.0.0/10 */
	} else if (to->ip >> 24 != HOME_NET >> 24) {
		return false;
	}
	return at < n->homes && n->home[at].behaviour.udp && sim_nat_in(&n->home[at].nat, from, to);
}

static bool reaches(struct sim_net *n, struct ep from, struct ep *to)
{
	struct home *h = home_of(n, to->ip);

	if (is_node(*to) || sim_net_is_stream(*to))
		return true;
	if (!h)
		return enter(n, from, to);
	if (h == home_of(n, from.ip))
		return true;
	return h->behaviour.mapping == NAT_MAP_NONE && h->behaviour.udp &&
	       sim_nat_in(&h->nat, from, to);
}

static bool on_arrives(void *ctx, struct addr *from_addr, struct addr *to_addr, const uint8_t *data,
                       size_t len)
{
	struct sim_net *n = ctx;
	struct ep from = ep_of(from_addr), to = ep_of(to_addr), was = to;
	uint32_t call = sim_call_of(data, len);

	if (!reaches(n, from, &to)) {
		lose(n, "filtered", from, to, call, len);
		return false;
	}
	if (!ep_equal(was, to))
		*to_addr = ep_addr(to);
	sim_note(n->sim, call, "arrives", from, was, (uint32_t)len);
	watch_arrives(n->sim, from, to, data, len);
	return true;
}

static void on_handled(void *ctx)
{
	watch_handled(((struct sim_net *)ctx)->sim);
}

/* Reliable, with a delay; cut small or large. */
static bool on_joins(void *ctx, const struct addr *from, const struct addr *to,
                     struct env_virtual_path *path)
{
	static const uint32_t segments[] = {7, 100, 1460}, buffers[] = {4096, 65536};
	struct sim_net *n = ctx;
	bool is_peer = is_tcp_peer(ep_of(from)) || is_tcp_peer(ep_of(to));
	bool tiny = !is_peer && !sim_dice(n->sim, 5);

	path->delay_ms = stream_delay(n, ep_of(from), ep_of(to));
	path->jitter_ms = JITTER_MS;
	path->segment_max = segments[tiny ? 0 : 1 + sim_dice(n->sim, 2)];
	path->buffer = buffers[sim_dice(n->sim, 2)];
	sim_note(n->sim, 0, "connects", ep_of(from), ep_of(to), path->segment_max);
	return ep_of(to).port != SIM_PEER_SILENT;
}

static const struct env_virtual_wire wire = {
    .sent = on_sent, .arrives = on_arrives, .handled = on_handled, .joins = on_joins};

static const struct home_kind *draw_kind(struct sim *s)
{
	uint32_t all = 0, at;
	size_t i = 0;

	for (size_t k = 0; k < KINDS; k++)
		all += kinds[k].weight;
	for (at = sim_dice(s, all); at >= kinds[i].weight; i++)
		at -= kinds[i].weight;
	return &kinds[i];
}

static struct carrier *join_carrier(struct sim_net *n, struct home *h)
{
	bool few = h->kind->carrier == CARRIER_FEW_PORTS;
	bool hairpin = h->kind->carrier == CARRIER_HAIRPIN;
	struct carrier *c;

	for (uint32_t i = 0; i < n->carriers; i++) {
		c = &n->carrier[i];
		if (c->homes < CARRIER_MAX && c->nat.hairpin == hairpin &&
		    (c->nat.port_n == FEW_PORTS) == few) {
			c->homes++;
			return c;
		}
	}
	c = &n->carrier[n->carriers];
	/* RFC 6888 REQ-1, REQ-7: mapping is endpoint-independent, filtering had better be */
	c->nat = (struct sim_nat){.sim = n->sim,
	                          .mapping = EIM,
	                          .filtering = n->carriers % 2 ? ADF : EIF,
	                          .hairpin = hairpin,
	                          .outside_ip = CARRIER_NET + n->carriers,
	                          .port_min = 2048,
	                          .port_n = few ? FEW_PORTS : 60000};
	c->homes = 1;
	n->carriers++;
	return c;
}

static void build_home(struct sim_net *n, uint32_t i)
{
	struct home *h = &n->home[i];

	h->kind = draw_kind(n->sim);
	h->behaviour = h->kind->behaviour;
	h->index = i;
	h->delay_ms = 2 + sim_dice(n->sim, 60);
	h->nat = (struct sim_nat){.sim = n->sim,
	                          .mapping = h->behaviour.mapping,
	                          .filtering = h->behaviour.filtering,
	                          .outside_ip = HOME_NET + i,
	                          .port_min = 1024,
	                          .port_n = 64000};
	if (h->kind->carrier != NO_CARRIER) {
		h->carrier = join_carrier(n, h);
		h->nat.outside_ip = SHARED_NET + i;
		if (h->carrier->nat.filtering > h->behaviour.filtering)
			h->behaviour.filtering = h->carrier->nat.filtering;
	}
	/* its router says one thing and does another */
	if (n->sim->conf.broken == BREAK_OTHER_NAT && h->behaviour.mapping == EIM) {
		h->nat.mapping = APDM;
		h->nat.filtering = APDF;
	}
}

struct sim_net *sim_net_new(struct sim *s, uint32_t agents)
{
	struct sim_net *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->sim = s;
	n->home = calloc(agents, sizeof(*n->home));
	n->carrier = calloc(agents, sizeof(*n->carrier));
	n->placed = calloc(agents, sizeof(*n->placed));
	if (!n->home || !n->carrier || !n->placed) {
		sim_net_free(n);
		return NULL;
	}
	for (uint32_t a = 0; a < agents;) {
		struct home *h = &n->home[n->homes];
		bool own;

		build_home(n, n->homes++);
		own = h->behaviour.udp && h->behaviour.mapping == NAT_MAP_NONE;
		h->hosts = own ? 1 : 1 + sim_dice(s, HOSTS_MAX);
		for (uint32_t k = 0; k < h->hosts && a < agents; k++, a++)
			n->placed[a] =
			    (struct placed){h->index, own ? PUBLIC_NET + h->index
			                                  : PRIVATE_NET + (h->index << 8) + 2 + k};
	}
	env_virtual_set_wire(s->env, &wire, n);
	return n;
}

void sim_net_free(struct sim_net *n)
{
	if (!n)
		return;
	for (uint32_t i = 0; i < n->homes; i++)
		sim_nat_flush(&n->home[i].nat);
	for (uint32_t i = 0; i < n->carriers; i++)
		sim_nat_flush(&n->carrier[i].nat);
	env_virtual_set_wire(n->sim->env, NULL, NULL);
	free(n->home);
	free(n->carrier);
	free(n->placed);
	free(n);
}

struct home *sim_net_place(struct sim_net *n, uint32_t agent, uint32_t *ip)
{
	*ip = n->placed[agent].ip;
	return &n->home[n->placed[agent].home];
}

bool sim_net_direct(const struct home *a, const struct home *b)
{
	if (a == b)
		return true;
	if (a->carrier && a->carrier == b->carrier && !a->carrier->nat.hairpin)
		return false;
	return sim_nat_direct(&a->behaviour, &b->behaviour);
}

void sim_net_rebind(struct home *h)
{
	sim_nat_flush(&h->nat);
}

bool sim_net_exhausted(const struct home *h, uint64_t since_ms)
{
	return h->nat.exhausted_ms >= since_ms ||
	       (h->carrier && h->carrier->nat.exhausted_ms >= since_ms);
}
