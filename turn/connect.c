/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP allocations (RFC 6062): Connect (section 5.2), connections that peers
 * make (5.3, the ConnectionAttempt indication) and ConnectionBind (5.4).
 */
#include "turn/state.h"

#include "base/error.h"
#include "turn/peer_policy.h"
#include "turn/ports.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define ID_TRIES 16
#define ID_BITS  24 /* below the worker's number */

enum conn_state {
	CONN_CONNECTING,
	CONN_PENDING, /* waits for its ConnectionBind */
	CONN_BOUND
};

/* A peer data connection. */
struct turn_peer_conn {
	UT_hash_handle hh; /* by id */
	struct turn_peer_conn *prev, *next;
	struct turn_alloc *alloc;
	uint32_t id;
	enum conn_state state;
	uint64_t until_ms; /* not when it is bound */
	struct addr peer;
	void *handle;
	size_t request_len; /* the Connect request that waits for its reply */
	uint64_t *request;
};

static struct turn_peer_conn *find_conn(struct turn *t, uint32_t id)
{
	struct turn_peer_conn *c;

	HASH_FIND(hh, t->conns, &id, sizeof(id), c);
	return c;
}

/* "The attribute's value MUST uniquely identify the peer data connection." */
static int choose_id(struct turn *t, uint32_t *id)
{
	for (int i = 0; i < ID_TRIES; i++) {
		env_random(t->env, id, sizeof(*id));
		*id = *id >> (32 - ID_BITS) | (uint32_t)t->conf.worker << ID_BITS;
		if (!find_conn(t, *id))
			return 0;
	}
	return -E_LIMIT;
}

static struct turn_peer_conn *new_conn(struct turn_alloc *a, const struct addr *peer)
{
	struct turn *t = a->turn;
	struct turn_peer_conn *c;
	uint32_t id;

	if (a->conn_n >= t->conf.peer_connections || choose_id(t, &id))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->alloc = a;
	c->id = id;
	c->peer = *peer;
	if (TABLE_ADD(hh, t->conns, id, sizeof(c->id), c)) {
		free(c);
		return NULL;
	}
	DL_APPEND(a->conns, c);
	a->conn_n++;
	return c;
}

static void free_conn(struct turn_peer_conn *c)
{
	struct turn *t = c->alloc->turn;

	HASH_DELETE(hh, t->conns, c);
	DL_DELETE(c->alloc->conns, c);
	c->alloc->conn_n--;
	free(c->request);
	free(c);
}

static void close_conn(struct turn_peer_conn *c)
{
	struct turn *t = c->alloc->turn;

	if (c->handle)
		t->net->close(t->net_ctx, c->handle);
	free_conn(c);
}

/* The wait began with a valid request, so its credentials are not asked for again. */
static void reply_connect(struct turn_peer_conn *c, int code)
{
	struct turn_request rq;

	if (!c->request)
		return;
	memset(&rq, 0, sizeof(rq));
	if (!stun_msg_parse(&rq.msg, (uint8_t *)c->request, c->request_len)) {
		rq.turn = c->alloc->turn;
		rq.path = c->alloc->path;
		rq.tuple = c->alloc->tuple;
		rq.alloc = c->alloc;
		rq.key = &c->alloc->key;
		rq.auth.third_party = c->alloc->third_party;
		if (code) {
			turn_reply_error(&rq, code);
		} else {
			turn_reply_start(&rq, STUN_SUCCESS);
			stun_out_add_u32(&rq.out, STUN_TYPE_CONNECTION_ID, c->id);
			turn_reply_send(&rq);
		}
	}
	free(c->request);
	c->request = NULL;
}

static struct turn_peer_conn *conn_to(struct turn_alloc *a, const struct addr *peer)
{
	struct turn_peer_conn *c;

	DL_FOREACH (a->conns, c)
		if (addr_equal(&c->peer, peer))
			return c;
	return NULL;
}

/* As turn_perm_check_peer(), but a relayed address of ours is legal where TCP is relayed: a port
 * that is leased for UDP may be some other program's for TCP. */
static int check_peer(struct turn_alloc *a, const struct addr *peer)
{
	const struct turn_relay *own = turn_relay_at(a->turn, peer);

	if (!turn_half_for(a, peer))
		return 443;
	if (own && turn_ports_is_tcp(own->ports, addr_port(peer)))
		return 0;
	if (!peer_policy_permits(a->turn->conf.policy, peer))
		return 403;
	return turn_lock_stops(a, peer) ? TURN_PEER_LOCKED : 0;
}

/* Keeps what the reply needs. */
static int keep_request(struct turn_peer_conn *c, const struct stun_msg *m)
{
	c->request = malloc(m->len);
	if (!c->request)
		return -E_NOMEM;
	memcpy(c->request, m->buf, m->len);
	c->request_len = m->len;
	return 0;
}

int turn_connect(struct turn_request *rq)
{
	struct turn *t = rq->turn;
	struct turn_alloc *a = rq->alloc;
	struct turn_half *half;
	struct turn_peer_conn *c;
	struct addr peer, local, wire;
	int r;

	/* "If the request is received on a TCP connection for which no allocation exists, [...]
	 * 437": neither is there one that could connect. */
	if (!a->half[0].tcp && !a->half[1].tcp)
		return 437;
	/* "If the request does not contain an XOR-PEER-ADDRESS attribute, or if such attribute is
	 * invalid, the server MUST return a 400" */
	if (stun_msg_peer(&rq->msg, 0, &peer) || !addr_port(&peer))
		return 400;
	/* "If the server is currently processing a Connect request for this allocation with the
	 * same XOR-PEER-ADDRESS" or it "has already successfully processed" it and the connections
	 * are "either pending or active, it MUST return a 446" */
	if (conn_to(a, &peer))
		return 446;
	/* "If the new connection is forbidden by local policy, [...] 403" */
	r = check_peer(a, &peer);
	if (r)
		return turn_refuse_peer(rq, &peer, r);
	c = new_conn(a, &peer);
	if (!c)
		return 508;
	/* "The local endpoint is the relayed transport address associated with the allocation." */
	half = turn_half_for(a, &peer);
	local = half->via->local;
	addr_put_port(&local, half->port);
	wire = turn_wire_addr(t, &peer);
	c->until_ms = t->now_ms + TURN_CONNECT_MS;
	if (keep_request(c, &rq->msg) ||
	    t->net->connect(t->net_ctx, c, &local, &wire, &c->handle)) {
		free_conn(c);
		return 447;
	}
	return 0;
}

void turn_tcp_connected(struct turn_peer_conn *c, int result)
{
	struct turn *t = c->alloc->turn;

	t->now_ms = env_now_ms(t->env);
	/* "If the connection attempt fails or times out, the server MUST return a 447" */
	reply_connect(c, result ? 447 : 0);
	if (result) {
		free_conn(c);
		return;
	}
	c->state = CONN_PENDING;
	c->until_ms = t->now_ms + TURN_BIND_MS;
	t->stats.peer_connections++;
}

static void send_attempt(struct turn_peer_conn *c)
{
	struct turn *t = c->alloc->turn;
	uint64_t buf[STUN_REPLY_MAX / 8];
	uint8_t tid[STUN_TID_LEN];
	struct stun_out out;

	env_random(t->env, tid, sizeof(tid));
	stun_out_indication(&out, (uint8_t *)buf, sizeof(buf), STUN_CONNECTION_ATTEMPT, tid);
	stun_out_add_xor_addr(&out, STUN_TYPE_XOR_PEER_ADDRESS, &c->peer);
	stun_out_add_u32(&out, STUN_TYPE_CONNECTION_ID, c->id);
	turn_path_send(&c->alloc->path, out.buf, out.len);
}

/* Section 5.3: "If no permission for this peer has been installed for this allocation, the server
 * MUST close the connection with the peer immediately after it has been accepted." */
int turn_tcp_accepted(struct turn_alloc *a, const struct addr *from, void *handle)
{
	struct turn *t = a->turn;
	struct addr peer = turn_outside_addr(t, from);
	struct turn_peer_conn *c;

	t->now_ms = env_now_ms(t->env);
	if (!turn_half_for(a, &peer) || !turn_perm_find(a, &peer)) {
		t->stats.permission_drops++;
		return -E_DENIED;
	}
	if (check_peer(a, &peer)) {
		t->stats.policy_drops++;
		return -E_DENIED;
	}
	c = new_conn(a, &peer);
	if (!c)
		return -E_LIMIT;
	c->handle = handle;
	c->state = CONN_PENDING;
	c->until_ms = t->now_ms + TURN_BIND_MS;
	t->net->adopt(t->net_ctx, handle, c);
	t->stats.peer_connections++;
	send_attempt(c);
	return 0;
}

struct turn_alloc *turn_tcp_owner(const struct turn_peer_conn *c)
{
	return c->alloc;
}

void turn_tcp_gone(struct turn_peer_conn *c)
{
	free_conn(c);
}

uint64_t turn_tcp_wait_ms(struct turn_peer_conn *c, enum turn_direction to, uint64_t waited_ms)
{
	struct turn *t = c->alloc->turn;

	t->now_ms = env_now_ms(t->env);
	return turn_bandwidth_wait_ms(c->alloc, to, waited_ms);
}

void turn_tcp_count(struct turn_peer_conn *c, size_t to_peer, size_t to_client)
{
	struct turn_alloc *a = c->alloc;

	a->turn->stats.to_peer_bytes += to_peer;
	a->turn->stats.to_client_bytes += to_client;
	a->to_peer_bytes += to_peer;
	a->to_client_bytes += to_client;
	if (to_peer)
		turn_bandwidth_charge(a, TURN_TO_PEER, to_peer);
	if (to_client)
		turn_bandwidth_charge(a, TURN_TO_CLIENT, to_client);
	if (to_peer || to_client)
		turn_usage_mark(a);
}

/* Before the credentials are checked: the user's key is known to the allocation that the
 * connection belongs to. Positive: an error code; TURN_SILENT: it has gone to another worker. */
int turn_connection_bind_find(struct turn_request *rq)
{
	struct turn *t = rq->turn;
	struct turn_peer_conn *c;
	uint32_t id;

	rq->conn = NULL;
	/* "If the client connection transport is not TCP or TLS, [...] 400"; a connection that
	 * carries an allocation is none for data. */
	if (!t->net || !turn_path_is_stream(&rq->path) || rq->alloc)
		return 400;
	if (stun_msg_u32(&rq->msg, STUN_ATTR_CONNECTION_ID, &id))
		return 0; /* 400, but only to authenticated clients */
	if (TURN_CONNECTION_WORKER(id) != t->conf.worker) {
		struct turn_link *link = (struct turn_link *)rq->path.side;

		return t->net->move(t->net_ctx, link->params.ctx, TURN_CONNECTION_WORKER(id))
		           ? 0
		           : TURN_SILENT;
	}
	c = find_conn(t, id);
	if (c && c->state == CONN_PENDING) {
		rq->conn = c;
		rq->alloc = c->alloc;
	}
	return 0;
}

int turn_connection_bind(struct turn_request *rq)
{
	struct turn *t = rq->turn;
	struct turn_link *link = (struct turn_link *)rq->path.side;

	/* "If the request does not contain the CONNECTION-ID attribute, or if this attribute does
	 * not refer to an existing pending connection, the server MUST return a 400" */
	if (!rq->conn)
		return 400;
	turn_reply_start(rq, STUN_SUCCESS);
	turn_reply_send(rq);
	rq->conn->state = CONN_BOUND;
	rq->conn->until_ms = UINT64_MAX;
	t->net->join(t->net_ctx, rq->conn->handle, link->params.ctx);
	return 0;
}

/* "If no ConnectionBind request associated with this peer data connection is received after 30
 * seconds, the peer data connection MUST be closed." */
void turn_conns_expire(struct turn *t)
{
	struct turn_peer_conn *c, *next;

	HASH_ITER (hh, t->conns, c, next) {
		if (c->until_ms > t->now_ms)
			continue;
		if (c->state == CONN_CONNECTING)
			reply_connect(c, 447);
		close_conn(c);
	}
}

static void recheck(struct turn_peer_conn *c)
{
	struct turn_stats *s = &c->alloc->turn->stats;
	int r = check_peer(c->alloc, &c->peer);

	if (r != 403 && r != TURN_PEER_LOCKED)
		return;
	s->policy_drops += r == 403;
	s->lock_refusals += r == TURN_PEER_LOCKED;
	if (c->state == CONN_CONNECTING)
		reply_connect(c, 403);
	close_conn(c);
}

void turn_conns_recheck(struct turn *t)
{
	struct turn_peer_conn *c, *next;

	HASH_ITER (hh, t->conns, c, next)
		recheck(c);
}

void turn_conns_recheck_of(struct turn_alloc *a)
{
	struct turn_peer_conn *c, *next;

	DL_FOREACH_SAFE(a->conns, c, next)
	recheck(c);
}

/* Section 5.4: "If the allocation associated with a data connection expires, the data connection
 * MUST be closed." */
void turn_conns_close(struct turn_half *half)
{
	struct turn_alloc *a = half->alloc;
	struct turn_peer_conn *c, *next;

	if (!half->tcp)
		return;
	DL_FOREACH_SAFE(a->conns, c, next)
	if (addr_family(&c->peer) == addr_family(&half->relayed))
		close_conn(c);
	a->turn->net->close(a->turn->net_ctx, half->tcp);
	half->tcp = NULL;
}
