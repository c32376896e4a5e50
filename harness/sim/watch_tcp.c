/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ledger of TCP allocations (RFC 6062 sections 5.2 to 5.4).
 */
#include "harness/sim/watch_tcp.h"

#include <stdlib.h>
#include <utlist.h>

#define REQUEST_MAX 400
#define CONNECT_MS  30000 /* section 5.2; and 5.4 for the ConnectionBind */
#define LATE_MS     2000  /* deadlines are noticed at full seconds */

struct wait {
	struct wait *prev, *next;
	struct ep client;
	uint64_t since_ms;
	size_t len;
	uint8_t request[REQUEST_MAX];
};

/* A connection with a peer that was told of. */
struct told {
	struct told *prev, *next;
	uint32_t id;
	uint64_t alloc; /* its serial */
	struct ep client;
	uint64_t since_ms;
	bool bound;
};

struct watch_tcp {
	struct sim *sim;
	struct ledger *ledger;
	struct wait *waits;
	struct told *told;
	uint64_t connections;
	uint64_t put[2], got[2];
};

struct watch_tcp *watch_tcp_new(struct sim *s, struct ledger *ledger)
{
	struct watch_tcp *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->sim = s;
	w->ledger = ledger;
	return w;
}

static void end_wait(struct watch_tcp *w, struct wait *x)
{
	DL_DELETE(w->waits, x);
	free(x);
}

static void forget(struct watch_tcp *w, struct told *c)
{
	DL_DELETE(w->told, c);
	free(c);
}

void watch_tcp_free(struct watch_tcp *w)
{
	if (!w)
		return;
	while (w->waits)
		end_wait(w, w->waits);
	while (w->told)
		forget(w, w->told);
	free(w);
}

static struct acc_alloc *live(struct watch_tcp *w, struct ep client)
{
	struct acc_alloc *a = ledger_by_client(w->ledger, client);

	return a && a->tcp && a->expires_ms > sim_now(w->sim) ? a : NULL;
}

void watch_tcp_waits(struct watch_tcp *w, struct ep client, const uint8_t *request, size_t len)
{
	struct wait *x = calloc(1, sizeof(*x));

	sim_check(w->sim, SIM_CAUSE, live(w, client) && len <= REQUEST_MAX,
	          sim_call_of(request, len), "a Connect without a TCP allocation waits");
	if (!x || len > REQUEST_MAX) {
		free(x);
		return;
	}
	x->client = client;
	x->since_ms = sim_now(w->sim);
	x->len = len;
	memcpy(x->request, request, len);
	DL_APPEND(w->waits, x);
}

/* A connection is told of, by a reply or an indication. */
static void tell(struct watch_tcp *w, struct ep client, const uint8_t *message, size_t len)
{
	struct acc_alloc *a = live(w, client);
	uint32_t id = wire_get_u32(message, len, ATTR_CONNECTION_ID);
	struct told *c;

	DL_SEARCH_SCALAR(w->told, c, id, id);
	sim_check(w->sim, SIM_JOINED, a && id && !c, sim_call_of(message, len),
	          "connection %08x was told of, which is %s", id, c ? "another's" : "nobody's");
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	w->connections++;
	c->id = id;
	c->alloc = a ? a->serial : 0;
	c->client = client;
	c->since_ms = sim_now(w->sim);
	DL_APPEND(w->told, c);
}

static bool late_answer(struct watch_tcp *w, struct ep client, const uint8_t *reply, size_t len)
{
	struct wait *x;

	DL_FOREACH (w->waits, x)
		if (ep_equal(x->client, client) && !memcmp(x->request + 4, reply + 4, 16))
			break;
	if (!x)
		return false;
	sim_check(w->sim, SIM_REPLY, wire_sound(reply, len), sim_call_of(reply, len),
	          "a late reply is not sound");
	ledger_reply(w->ledger, client, x->request, x->len, reply, len);
	watch_tcp_reply(w, client, x->request, x->len, reply, len);
	end_wait(w, x);
	return true;
}

bool watch_tcp_sent(struct watch_tcp *w, struct ep client, const uint8_t *message, size_t len)
{
	struct acc_alloc *a = live(w, client);
	struct addr peer;

	if (len < WIRE_HEADER_LEN)
		return false;
	if (wire_type(message) != W_CONNECTION_ATTEMPT)
		return (wire_type(message) & ~W_ERROR) == W_CONNECT &&
		       late_answer(w, client, message, len);
	if (sim_check(w->sim, SIM_REPLY,
	              wire_sound(message, len) &&
	                  wire_get_xor_addr(message, len, ATTR_XOR_PEER_ADDRESS, &peer),
	              0, "a ConnectionAttempt is not sound"))
		sim_check(w->sim, SIM_PERMISSION,
		          a && ledger_permits(w->ledger, a, ep_of(&peer).ip), 0,
		          "%08x connected without a permission", ep_of(&peer).ip);
	tell(w, client, message, len);
	return true;
}

static void on_bind(struct watch_tcp *w, const uint8_t *request, size_t request_len, int code)
{
	uint32_t id = wire_get_u32(request, request_len, ATTR_CONNECTION_ID);
	uint64_t now = sim_now(w->sim);
	struct acc_alloc *a;
	struct told *c;
	bool there, sure;

	DL_SEARCH_SCALAR(w->told, c, id, id);
	a = c ? ledger_by_client(w->ledger, c->client) : NULL;
	there = c && !c->bound && a && a->serial == c->alloc;
	sure = there && a->expires_ms > now && c->since_ms + CONNECT_MS > now;
	if (code == 400)
		sim_check(w->sim, SIM_CAUSE, !sure, sim_call_of(request, request_len),
		          "a connection that waits for its ConnectionBind could not be bound");
	if (code)
		return;
	sim_check(w->sim, SIM_JOINED, there && c->since_ms + CONNECT_MS + LATE_MS > now,
	          sim_call_of(request, request_len),
	          "connection %08x was bound, which is not there", id);
	if (c)
		c->bound = true;
}

void watch_tcp_reply(struct watch_tcp *w, struct ep client, const uint8_t *request,
                     size_t request_len, const uint8_t *reply, size_t reply_len)
{
	int code = wire_error(reply, reply_len);

	if (wire_type(request) == W_CONNECT && !code)
		tell(w, client, reply, reply_len);
	if (wire_type(request) == W_CONNECTION_BIND)
		on_bind(w, request, request_len, code);
}

void watch_tcp_closed(struct watch_tcp *w, struct ep client)
{
	struct wait *x, *x_next;
	struct told *c, *c_next;

	DL_FOREACH_SAFE(w->waits, x, x_next)
	if (ep_equal(x->client, client))
		end_wait(w, x);
	DL_FOREACH_SAFE(w->told, c, c_next)
	if (ep_equal(c->client, client))
		forget(w, c);
}

void watch_tcp_put(struct watch_tcp *w, int direction, size_t n)
{
	w->put[direction] += n;
}

void watch_tcp_got(struct watch_tcp *w, int direction, size_t n)
{
	w->got[direction] += n;
}

void watch_tcp_tick(struct watch_tcp *w, uint64_t connections, uint64_t to_peer_bytes,
                    uint64_t to_client_bytes)
{
	uint64_t due_ms = w->sim->conf.broken == BREAK_CONNECT_UNANSWERED ? 10000 : CONNECT_MS;
	uint64_t more = w->sim->conf.broken == BREAK_UNCOUNTED_BYTES && w->got[TCP_TO_PEER];
	struct wait *x, *next;

	DL_FOREACH_SAFE(w->waits, x, next)
	{
		if (!live(w, x->client))
			end_wait(w, x);
		else if (!sim_check(w->sim, SIM_CAUSE,
		                    sim_now(w->sim) < x->since_ms + due_ms + LATE_MS,
		                    sim_call_of(x->request, x->len), "a Connect was not answered"))
			end_wait(w, x);
	}
	sim_check(w->sim, SIM_COUNTER, connections == w->connections, 0,
	          "a node counts other connections of peers than it told of");
	/* Bytes that are inside the node may be counted or not. */
	sim_check(w->sim, SIM_COUNTER,
	          to_peer_bytes >= w->got[TCP_TO_PEER] + more &&
	              to_peer_bytes <= w->put[TCP_TO_PEER] + more &&
	              to_client_bytes >= w->got[TCP_TO_CLIENT] &&
	              to_client_bytes <= w->put[TCP_TO_CLIENT],
	          0, "a node counts other bytes of data connections than it carried");
}
