/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ledger of promises (RFC 8656 section 3.2, 7.3, 9, 12).
 */
#include "harness/sim/ledger_internal.h"

#include "harness/sim/net.h"
#include "harness/sim/node.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <utlist.h>

#define PERMISSION_MS  300000
#define CHANNEL_MS     600000
#define RESERVATION_MS 30000
#define LATE_MS        2000 /* what has expired is closed at the second full second at the latest */
#define BREAK_EVERY    50   /* --break: so many go well in between */

struct ledger *ledger_new(struct sim *s, uint32_t node_ip)
{
	struct ledger *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->sim = s;
	a->node_ip = node_ip;
	a->by_user = calloc(s->agents, sizeof(struct acc_alloc *));
	if (!a->by_user) {
		free(a);
		return NULL;
	}
	return a;
}

static void forget(struct ledger *acc, struct acc_alloc *a)
{
	HASH_DELETE(hh_client, acc->by_client, a);
	HASH_DELETE(hh_relayed, acc->by_relayed, a);
	DL_DELETE(acc->by_user[a->user], a);
	free(a->perm);
	free(a->chan);
	free(a);
}

void ledger_free(struct ledger *acc)
{
	struct acc_alloc *a, *next;

	HASH_ITER (hh_client, acc->by_client, a, next)
		forget(acc, a);
	cause_free(acc);
	free(acc->by_user);
	free(acc);
}

struct acc_alloc *ledger_by_client(struct ledger *acc, struct ep client)
{
	struct acc_alloc *a;

	HASH_FIND(hh_client, acc->by_client, &client, sizeof(client), a);
	return a;
}

struct acc_alloc *ledger_by_relayed(struct ledger *acc, struct ep relayed)
{
	struct acc_alloc *a;

	HASH_FIND(hh_relayed, acc->by_relayed, &relayed, sizeof(relayed), a);
	return a;
}

struct acc_chan *ledger_chan(struct acc_alloc *a, uint16_t number)
{
	for (uint16_t i = 0; i < a->chan_n; i++)
		if (a->chan[i].number == number)
			return &a->chan[i];
	return NULL;
}

struct acc_chan *ledger_chan_to(struct acc_alloc *a, struct ep peer)
{
	for (uint16_t i = 0; i < a->chan_n; i++)
		if (ep_equal(a->chan[i].peer, peer))
			return &a->chan[i];
	return NULL;
}

bool ledger_permits(const struct ledger *acc, const struct acc_alloc *a, uint32_t ip)
{
	for (uint16_t i = 0; i < a->perm_n; i++)
		if (a->perm[i].ip == ip)
			return a->perm[i].until_ms > sim_now(acc->sim);
	return false;
}

struct ep ledger_server_end(const struct acc_alloc *a, unsigned int node)
{
	if (sim_net_is_stream(a->client))
		return sim_net_stream_node(node);
	return (struct ep){sim_net_node_ip(node), 3478, 0};
}

void ledger_end(struct ledger *acc, struct ep client)
{
	struct acc_alloc *a = ledger_by_client(acc, client);

	if (a)
		forget(acc, a);
}

void ledger_sweep(struct ledger *acc, uint64_t after_ms)
{
	struct acc_alloc *a, *next;

	HASH_ITER (hh_client, acc->by_client, a, next)
		if (a->expires_ms + after_ms <= sim_now(acc->sim))
			forget(acc, a);
	cause_sweep(acc);
}

void ledger_count(const struct ledger *acc, size_t *least, size_t *most)
{
	struct acc_alloc *a, *next;

	*least = 0;
	*most = HASH_CNT(hh_client, acc->by_client);
	HASH_ITER (hh_client, acc->by_client, a, next)
		*least += a->expires_ms > sim_now(acc->sim);
}

void ledger_count_user(const struct ledger *acc, uint32_t user, uint32_t *least, uint32_t *most)
{
	const struct acc_alloc *a;

	*least = *most = 0;
	DL_FOREACH (acc->by_user[user], a) {
		*least += a->expires_ms > sim_now(acc->sim);
		++*most;
	}
	for (size_t i = 0; i < RESERVED_MAX; i++) {
		const struct reserved *r = &acc->reserved[i];

		if (!r->until_ms || r->user != user)
			continue;
		*least += r->until_ms > sim_now(acc->sim);
		*most += r->until_ms + LATE_MS > sim_now(acc->sim);
	}
}

uint32_t exchange_user(const struct exchange *x)
{
	size_t len;
	const uint8_t *name = wire_get(x->request, x->request_len, ATTR_USERNAME, &len);
	uint32_t user = 0;

	for (size_t i = 1; name && i < len; i++)
		user = user * 10 + (uint32_t)(name[i] - '0');
	return user < x->acc->sim->agents ? user : 0;
}

bool exchange_has(const struct exchange *x, uint16_t type, const uint8_t **value)
{
	size_t len;

	*value = wire_get(x->request, x->request_len, type, &len);
	return *value != NULL;
}

/* RFC 8656 section 7.2, with this server's default and maximum. */
static uint32_t lifetime_due(const struct exchange *x)
{
	uint32_t wanted = wire_get_u32(x->request, x->request_len, ATTR_LIFETIME);

	if (wanted <= NODE_LIFETIME_S)
		return NODE_LIFETIME_S;
	return wanted < NODE_LIFETIME_MAX_S ? wanted : NODE_LIFETIME_MAX_S;
}

static uint64_t end_of_life(const struct exchange *x, uint32_t lifetime_s)
{
	struct sim *s = x->acc->sim;
	uint64_t end = sim_now(s) + lifetime_s * UINT64_C(1000);

	if (s->conf.broken == BREAK_EARLY_DEATH)
		end += 60000;
	if (s->conf.broken == BREAK_LATE_DEATH)
		end -= 120000;
	return end;
}

struct reserved *ledger_reserved(struct ledger *acc, const uint8_t *token, struct ep relayed)
{
	for (size_t i = 0; i < RESERVED_MAX; i++) {
		struct reserved *r = &acc->reserved[i];

		if (r->until_ms > sim_now(acc->sim) &&
		    (token ? !memcmp(r->token, token, sizeof(r->token))
		           : ep_equal(r->relayed, relayed)))
			return r;
	}
	return NULL;
}

static void reserve(struct exchange *x, struct ep relayed)
{
	struct sim *s = x->acc->sim;
	size_t len;
	const uint8_t *token = wire_get(x->reply, x->reply_len, ATTR_RESERVATION_TOKEN, &len);
	struct ep next = {relayed.ip, (uint16_t)(relayed.port + 1), 0};
	struct acc_alloc *holder = ledger_by_relayed(x->acc, next);

	if (!sim_check(s, SIM_PORT, token && len == 8, x->call, "a pair came without a token"))
		return;
	sim_check(s, SIM_PORT, !holder || holder->expires_ms <= sim_now(s), x->call,
	          "port %u was reserved, and is another's", next.port);
	for (size_t i = 0; i < RESERVED_MAX; i++) {
		if (x->acc->reserved[i].until_ms <= sim_now(s)) {
			memcpy(x->acc->reserved[i].token, token, 8);
			x->acc->reserved[i].relayed = next;
			x->acc->reserved[i].user = exchange_user(x);
			x->acc->reserved[i].until_ms = sim_now(s) + RESERVATION_MS;
			return;
		}
	}
}

static void check_port(struct exchange *x, struct ep relayed)
{
	struct ledger *acc = x->acc;
	struct sim *s = acc->sim;
	struct acc_alloc *holder = ledger_by_relayed(acc, relayed);
	const uint8_t *even, *token;
	struct reserved *r;

	sim_check(s, SIM_PORT, relayed.ip == acc->node_ip && relayed.port >= NODE_PORT_MIN, x->call,
	          "the relayed address %08x:%u is not the node's", relayed.ip, relayed.port);
	sim_check(s, SIM_PORT, !holder || holder->expires_ms <= sim_now(s), x->call,
	          "port %u is two allocations'", relayed.port);
	if (holder)
		forget(acc, holder);
	if (exchange_has(x, ATTR_RESERVATION_TOKEN, &token)) {
		r = ledger_reserved(acc, token, relayed);
		if (sim_check(s, SIM_PORT, r && ep_equal(r->relayed, relayed), x->call,
		              "a token gave port %u, which is not the one it keeps", relayed.port))
			r->until_ms = 0;
		return;
	}
	sim_check(s, SIM_PORT, !ledger_reserved(acc, NULL, relayed), x->call,
	          "port %u was given away while a token keeps it", relayed.port);
	if (!exchange_has(x, ATTR_EVEN_PORT, &even))
		return;
	sim_check(s, SIM_PORT, relayed.port % 2 == 0, x->call, "EVEN-PORT gave port %u",
	          relayed.port);
	if (*even & 0x80)
		reserve(x, relayed);
}

/* --break: what the ledger believes to have read. */
static struct ep misread(struct ledger *acc, const struct exchange *x, struct ep relayed)
{
	const uint8_t *even;
	bool now = ++acc->made % BREAK_EVERY == 0;

	if (acc->sim->conf.broken == BREAK_SHARED_PORT && now && acc->last_port.port)
		return acc->last_port;
	if (acc->sim->conf.broken == BREAK_ODD_PORT && exchange_has(x, ATTR_EVEN_PORT, &even))
		relayed.port |= 1;
	acc->last_port = relayed;
	return relayed;
}

static void check_quota(struct exchange *x, uint32_t user)
{
	struct sim *s = x->acc->sim;
	uint32_t least, most,
	    quota = SIM_USER_QUOTA - (s->conf.broken == BREAK_QUOTA_OVERRUN ? 7 : 0);

	ledger_count_user(x->acc, user, &least, &most);
	sim_check(s, SIM_QUOTA, least <= quota, x->call, "user %u holds %u places, the quota is %u",
	          user, least, quota);
}

static void new_alloc(struct exchange *x, struct ep relayed, uint32_t lifetime_s)
{
	struct ledger *acc = x->acc;
	const uint8_t *transport;
	struct acc_alloc *a;

	ledger_end(acc, x->client); /* an expired one */
	a = calloc(1, sizeof(*a));
	if (!a)
		return;
	a->client = x->client;
	a->relayed = relayed;
	a->user = exchange_user(x);
	a->tcp = exchange_has(x, ATTR_REQUESTED_TRANSPORT, &transport) && *transport == IPPROTO_TCP;
	a->expires_ms = end_of_life(x, lifetime_s);
	a->serial = ++acc->serials;
	memcpy(a->tid, x->request + 8, sizeof(a->tid));
	if (TABLE_ADD(hh_client, acc->by_client, client, sizeof(a->client), a)) {
		free(a);
		return;
	}
	if (TABLE_ADD(hh_relayed, acc->by_relayed, relayed, sizeof(a->relayed), a)) {
		HASH_DELETE(hh_client, acc->by_client, a);
		free(a);
		return;
	}
	DL_APPEND(acc->by_user[a->user], a);
	acc->sim->counts.allocations++;
	check_quota(x, a->user);
}

static void on_allocate(struct exchange *x)
{
	struct sim *s = x->acc->sim;
	uint32_t lifetime_s = wire_get_u32(x->reply, x->reply_len, ATTR_LIFETIME);
	struct addr relayed;
	bool again = x->alloc && !memcmp(x->alloc->tid, x->request + 8, 12);

	if (x->code == 437)
		sim_check(s, SIM_LIFETIME, x->alloc != NULL, x->call,
		          "437 to an Allocate, and there is no allocation");
	if (x->code)
		return;
	if (!sim_check(
	        s, SIM_REPLY,
	        wire_get_xor_addr(x->reply, x->reply_len, ATTR_XOR_RELAYED_ADDRESS, &relayed),
	        x->call, "an Allocate without an address"))
		return;
	if (again) {
		sim_check(s, SIM_LIFETIME,
		          sim_now(s) + lifetime_s * UINT64_C(1000) <= x->alloc->expires_ms, x->call,
		          "a retransmission lengthened the life");
		return;
	}
	sim_check(s, SIM_LIFETIME, !x->alloc, x->call, "a second allocation for one 5-tuple");
	sim_check(s, SIM_LIFETIME, lifetime_s == lifetime_due(x), x->call, "lifetime %u",
	          lifetime_s);
	{
		struct ep got = misread(x->acc, x, ep_of(&relayed));

		check_port(x, got);
		new_alloc(x, got, lifetime_s);
	}
}

static void on_refresh(struct exchange *x)
{
	struct sim *s = x->acc->sim;
	uint32_t wanted, lifetime_s = wire_get_u32(x->reply, x->reply_len, ATTR_LIFETIME);
	const uint8_t *value;

	if (x->code)
		return;
	wanted = exchange_has(x, ATTR_LIFETIME, &value)
	             ? wire_get_u32(x->request, x->request_len, ATTR_LIFETIME)
	             : NODE_LIFETIME_S;
	if (!wanted) { /* also a retransmission */
		sim_check(s, SIM_LIFETIME, !lifetime_s, x->call, "a last Refresh left a life");
		ledger_end(x->acc, x->client);
		return;
	}
	sim_check(s, SIM_LIFETIME, lifetime_s == lifetime_due(x), x->call, "lifetime %u",
	          lifetime_s);
	if (x->alloc)
		x->alloc->expires_ms = end_of_life(x, lifetime_s);
}

static void permit(struct exchange *x, uint32_t ip)
{
	struct acc_alloc *a = x->alloc;
	struct sim *s = x->acc->sim;
	uint16_t i = 0;
	struct acc_perm *grown;

	while (i < a->perm_n && a->perm[i].ip != ip)
		i++;
	if (i == a->perm_n) {
		grown = reallocarray(a->perm, i + 1u, sizeof(*grown));
		if (!grown)
			return;
		a->perm = grown;
		a->perm_n++;
	}
	a->perm[i].ip = ip;
	a->perm[i].until_ms = sim_now(s) + PERMISSION_MS;
	if (s->conf.broken == BREAK_PERMISSION_EXPIRY)
		a->perm[i].until_ms -= 200000;
}

/* The holder of the node's relayed address; 0: none, or not the node's address. */
static uint64_t lease_of(struct ledger *acc, struct ep peer)
{
	struct acc_alloc *holder = peer.ip == acc->node_ip ? ledger_by_relayed(acc, peer) : NULL;

	return holder && !holder->tcp ? holder->serial : 0;
}

bool ledger_chan_lasts(struct ledger *acc, const struct acc_chan *c)
{
	return c->until_ms > sim_now(acc->sim) && c->lease == lease_of(acc, c->peer);
}

bool ledger_chan_taken(struct ledger *acc, struct acc_alloc *a, uint16_t number, struct ep peer)
{
	struct acc_chan *c = ledger_chan(a, number), *other = ledger_chan_to(a, peer);

	return (c && ledger_chan_lasts(acc, c) && !ep_equal(c->peer, peer)) ||
	       (other && ledger_chan_lasts(acc, other) && other->number != number);
}

/* A channel whose peer, a relay of the node, has ended: its refresh gets 403, once. */
static bool end_orphan(struct exchange *x, struct ep peer)
{
	uint16_t number =
	    (uint16_t)(wire_get_u32(x->request, x->request_len, ATTR_CHANNEL_NUMBER) >> 16);
	struct acc_chan *c = x->alloc ? ledger_chan(x->alloc, number) : NULL;

	if (!c || !ep_equal(c->peer, peer) || c->until_ms <= sim_now(x->acc->sim) ||
	    c->lease == lease_of(x->acc, peer))
		return false;
	c->until_ms = 0;
	return true;
}

static void bind_channel(struct exchange *x, struct ep peer)
{
	struct acc_alloc *a = x->alloc;
	struct sim *s = x->acc->sim;
	uint16_t number =
	    (uint16_t)(wire_get_u32(x->request, x->request_len, ATTR_CHANNEL_NUMBER) >> 16);
	struct acc_chan *c = ledger_chan(a, number), *grown;
	sim_check(s, SIM_CHANNEL, !ledger_chan_taken(x->acc, a, number, peer), x->call,
	          "channel 0x%04x was bound twice", number);
	if (!c) {
		grown = reallocarray(a->chan, a->chan_n + 1u, sizeof(*grown));
		if (!grown)
			return;
		a->chan = grown;
		c = &a->chan[a->chan_n++];
	}
	*c = (struct acc_chan){number, peer, sim_now(s) + CHANNEL_MS, lease_of(x->acc, peer)};
	if (s->conf.broken == BREAK_CHANNEL_EXPIRY)
		c->until_ms -= 400000;
}

static void on_permission(struct exchange *x, bool channel)
{
	struct sim *s = x->acc->sim;
	struct addr peer;
	bool inside;

	if (!wire_get_xor_addr(x->request, x->request_len, ATTR_XOR_PEER_ADDRESS, &peer))
		return;
	inside = ep_of(&peer).ip >> 24 == 10;
	/* A relayed address of the node, but no longer: only ChannelBind names the port. */
	if (channel && ep_of(&peer).ip == x->acc->node_ip && end_orphan(x, ep_of(&peer))) {
		inside = true;
	} else if (x->code == 403 && channel && ep_of(&peer).ip == x->acc->node_ip) {
		const struct acc_alloc *holder = ledger_by_relayed(x->acc, ep_of(&peer));

		inside = !holder || holder->tcp || holder->expires_ms <= sim_now(s);
	}
	if (!x->code || x->code == 403)
		sim_check(s, SIM_PERMISSION, inside == (x->code == 403), x->call,
		          "a permission for %08x got %d", ep_of(&peer).ip, x->code);
	if (x->code || !x->alloc)
		return;
	if (channel)
		bind_channel(x, ep_of(&peer));
	permit(x, ep_of(&peer).ip);
}

void ledger_reply(struct ledger *acc, struct ep client, const uint8_t *request, size_t request_len,
                  const uint8_t *reply, size_t reply_len)
{
	struct exchange x = {.acc = acc,
	                     .client = client,
	                     .request = request,
	                     .request_len = request_len,
	                     .reply = reply,
	                     .reply_len = reply_len,
	                     .alloc = ledger_by_client(acc, client),
	                     .method = wire_type(request),
	                     .call = sim_call_of(request, request_len),
	                     .code = wire_error(reply, reply_len)};
	uint16_t method = x.method;
	bool ends =
	    method == W_REFRESH && !x.code && !wire_get_u32(reply, reply_len, ATTR_LIFETIME);

	if (x.alloc && x.alloc->expires_ms <= sim_now(acc->sim))
		x.alloc = NULL;
	/* RFC 8656 section 5: 437 is for clients without an allocation, and they get nothing else.
	 */
	if (method != W_BINDING && method != W_ALLOCATE && method != W_CONNECTION_BIND && !ends &&
	    x.code != 401 && x.code != 438)
		sim_check(acc->sim, SIM_LIFETIME, (x.code == 437) == !x.alloc, x.call,
		          x.alloc ? "an allocation died before its time"
		                  : "an allocation outlived its time");
	cause_check(&x);
	switch (method) {
	case W_ALLOCATE:
		on_allocate(&x);
		break;
	case W_REFRESH:
		on_refresh(&x);
		break;
	case W_CREATE_PERMISSION:
		on_permission(&x, false);
		break;
	case W_CHANNEL_BIND:
		on_permission(&x, true);
		break;
	default:
		break;
	}
}
