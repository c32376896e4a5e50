/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP allocations (RFC 6062) and their connections.
 */
#include "harness/sim/tcp_call.h"

#include "harness/sim/net.h"
#include "harness/sim/stream.h"
#include "harness/sim/tcp_end.h"
#include "harness/sim/turn_client.h"

#include <stdlib.h>
#include <utlist.h>

#define CONNS      4
#define TICK_MS    250
#define READY_MS   2000 /* permissions are there */
#define LEAVE_MS   3000 /* a reply on its way comes before its peer goes */
#define BIND_MS    30000
#define SOON_MS    2500 /* deadlines are noticed at full seconds; and the way through the network */
#define CUT_MS     20000 /* within which an end hears of the other's */
#define LONGEST_MS (600 * 1000)
#define DEAF_MS    8000
#define GOAL_MAX   40000u
#define GOAL_DEAF  200000u /* more than there is room for on the way */
#define AHEAD_MAX  900

/* The fate of a connection. */
enum plan {
	FINISH, /* both say what they have to say, and their end */
	CLIENT_CLOSES,
	PEER_CLOSES,
	CLIENT_RESET,
	PEER_RESET,
	ALLOCATION_ENDS,
	UNBOUND, /* the client does not bind it */
	REFUSED, /* the peer does not listen */
	SILENT,  /* the peer does not answer */
	UNPERMITTED,
	PLANS
};

enum conn_state { IDLE, CONNECTING, BINDING, JOINED, CUT, DONE };

struct conn {
	struct tcp_call *call;
	enum plan plan;
	enum conn_state state;
	bool inbound; /* the peer connects */
	bool ahead; /* the client does not wait with its bytes for the answer to its ConnectionBind
	             */
	struct ep peer;
	struct env_listener *listener;
	struct sim_stream *binder; /* to become the client's end */
	char nonce[64];
	uint32_t id;
	struct tcp_end client, far;
	uint64_t since_ms; /* in this state */
	uint64_t cut_ms;   /* to be cut; 0: not so */
	uint64_t hear_ms;  /* an end that is deaf reads again */
};

struct tcp_call {
	struct tcp_call *prev, *next;
	struct agent *agent;
	struct tc *tc;
	struct env_timer *timer;
	uint32_t number, tids;
	uint64_t start_ms; /* of the connections; 0: there is no allocation yet */
	uint64_t leave_ms; /* 0: not yet */
	bool lost;
	struct conn conn[CONNS];
};

static struct sim *sim_of(const struct tcp_call *t)
{
	return t->agent->sim;
}

static void enter(struct conn *c, enum conn_state state)
{
	c->state = state;
	c->since_ms = sim_now(sim_of(c->call));
}

static uint64_t age_ms(const struct conn *c)
{
	return sim_now(sim_of(c->call)) - c->since_ms;
}

static void drop(struct conn *c)
{
	sim_stream_close(c->binder);
	c->binder = NULL;
	tcp_end_close(&c->client);
	tcp_end_close(&c->far);
}

static void end_call(struct tcp_call *t)
{
	DL_DELETE(sim_of(t)->tcp_calls, t);
	for (size_t i = 0; i < CONNS; i++) {
		drop(&t->conn[i]);
		env_unlisten(t->conn[i].listener);
	}
	tc_close(t->tc, false);
	env_timer_free(t->timer);
	free(t);
}

void tcp_call_free_all(struct sim *s)
{
	while (s->tcp_calls)
		end_call(s->tcp_calls);
}

/* ---- the client's end ---- */

static void ask_to_bind(struct conn *c)
{
	struct tcp_call *t = c->call;
	struct wire *m = &sim_of(t)->wire;
	uint32_t tid[3] = {htonl(t->number), htonl(t->agent->number), htonl(++t->tids | 1u << 31)};

	wire_start(m, W_CONNECTION_BIND, 0);
	wire_set_tid(m, (const uint8_t *)tid);
	wire_add_u32(m, ATTR_CONNECTION_ID, c->id);
	if (*c->nonce) {
		wire_add_login(m, t->agent->name, SIM_REALM, c->nonce);
		wire_add_integrity(m, t->agent->key);
	}
	sim_stream_send(c->binder, m->buf, m->len);
	if (*c->nonce && c->ahead) {
		uint8_t data[AHEAD_MAX];

		sim_stream_append(c->binder, data, tcp_end_give(&c->client, data, AHEAD_MAX));
	}
}

static void become_data(struct conn *c)
{
	uint8_t ahead[SIM_STREAM_IN];
	size_t len;
	int fd = sim_stream_release(c->binder, ahead, &len);

	c->binder = NULL;
	enter(c, JOINED);
	sim_of(c->call)->counts.tcp_connections++;
	if (tcp_end_open(&c->client, fd, (struct ep){0, 0, 0}, (struct ep){0, 0, 0}))
		env_stream_discard(sim_of(c->call)->env, fd);
	tcp_end_take(&c->client, ahead, len);
}

static void on_answer(void *arg, uint8_t *m, size_t len)
{
	struct conn *c = arg;
	int code = wire_error(m, len);

	if (!code) {
		become_data(c);
	} else if (!*c->nonce && wire_get_str(m, len, ATTR_NONCE, c->nonce, sizeof(c->nonce))) {
		ask_to_bind(c);
	} else { /* whether it may be, watch_tcp.c says */
		drop(c);
		enter(c, DONE);
	}
}

static void on_binder_end(void *arg, bool broken)
{
	struct conn *c = arg;

	(void)broken;
	drop(c);
	enter(c, DONE);
}

static const struct sim_stream_user binder_user = {.message = on_answer, .ended = on_binder_end};

static void bind_it(struct conn *c)
{
	struct tcp_call *t = c->call;
	struct sim_stream_options o = {
	    .agent = t->agent->number, .call = t->number, .node = tc_node(t->tc)};

	enter(c, BINDING);
	if (c->plan == UNBOUND)
		return;
	c->binder = sim_stream_new(sim_of(t), &o, &binder_user, c);
	if (c->binder)
		ask_to_bind(c);
}

/* ---- connecting ---- */

static void on_far_accept(void *arg, int fd, const struct addr *from)
{
	struct conn *c = arg;
	struct ep relayed = tc_relayed(c->call->tc);

	sim_check(sim_of(c->call), SIM_JOINED, ep_equal(ep_of(from), relayed), c->call->number,
	          "a connection comes from %08x:%u, not from the relayed address", ep_of(from).ip,
	          ep_of(from).port);
	if (c->far.s || tcp_end_open(&c->far, fd, c->peer, relayed))
		env_stream_discard(sim_of(c->call)->env, fd);
}

static void on_connection(void *arg, struct tc *tc, struct ep peer, uint32_t id)
{
	struct tcp_call *t = arg;
	struct conn *c = t->conn;

	(void)tc;
	while (c < t->conn + CONNS && !ep_equal(c->peer, peer))
		c++;
	if (!sim_check(sim_of(t), SIM_JOINED, c < t->conn + CONNS && c->state == CONNECTING,
	               t->number, "a connection with %08x:%u, which does not connect", peer.ip,
	               peer.port))
		return;
	c->id = id;
	if (id && c->plan != UNPERMITTED) {
		bind_it(c);
		return;
	}
	sim_check(sim_of(t), SIM_JOINED, !id && (c->plan != SILENT || age_ms(c) >= BIND_MS),
	          t->number, "a Connect to %08x:%u ended after %u ms", peer.ip, peer.port,
	          (unsigned int)age_ms(c));
	enter(c, DONE);
}

static void start_conn(struct conn *c)
{
	struct sim *s = sim_of(c->call);
	struct env_listener_params l = {
	    .local = ep_addr(c->peer), .on_accept = on_far_accept, .arg = c};

	enter(c, CONNECTING);
	if (c->inbound) {
		tcp_end_open(&c->far, -1, c->peer, tc_relayed(c->call->tc));
		return;
	}
	if (!sim_net_is_deaf_peer(c->peer))
		env_listen(s->env, &l, &c->listener);
	tc_connect(c->call->tc, c->peer);
}

static struct tcp_end new_end(struct conn *c, int direction, struct tcp_end *other)
{
	struct sim *s = sim_of(c->call);
	const struct node *n = &s->node[tc_node(c->call->tc)];

	return (struct tcp_end){.sim = s,
	                        .node = n,
	                        .start = n->start,
	                        .call = c->call->number,
	                        .direction = direction,
	                        .other = other,
	                        .salt = sim_dice(s, 256),
	                        .goal = sim_dice(s, GOAL_MAX),
	                        .keeps_open = c->plan != FINISH && sim_dice(s, 2)};
}

static void plan_conn(struct conn *c, struct tcp_call *t)
{
	struct sim *s = sim_of(t);
	uint16_t port = SIM_PEER_PORT;

	c->call = t;
	c->plan = (enum plan)(s->tcp_peers % (PLANS + 4)); /* all of them, in a short run too */
	if (c->plan >= PLANS)
		c->plan = FINISH;
	c->inbound = c->plan == UNPERMITTED || sim_dice(s, 2);
	if (c->plan == REFUSED || c->plan == SILENT) {
		port = c->plan == SILENT ? SIM_PEER_SILENT : SIM_PEER_CLOSED;
		c->inbound = false;
	}
	c->ahead = !sim_dice(s, 3);
	c->peer = sim_net_tcp_peer(++s->tcp_peers, port);
	c->client = new_end(c, TCP_TO_PEER, &c->far);
	c->far = new_end(c, TCP_TO_CLIENT, &c->client);
	if (c->plan != UNPERMITTED &&
	    !sim_dice(s, 4)) { /* one does not read for a while, and the other has much to say */
		struct tcp_end *e = sim_dice(s, 2) ? &c->client : &c->far;

		e->deaf = true;
		e->other->goal = GOAL_DEAF;
		c->hear_ms = sim_now(s) + READY_MS + DEAF_MS;
	}
	if (c->inbound && (c->plan != UNPERMITTED || s->conf.broken == BREAK_STRANGER_JOINS))
		tc_permit(t->tc, c->peer);
}

/* ---- what must come of it ---- */

static bool is_over(const struct tcp_end *e)
{
	return !e->s || e->ended;
}

/* One side is cut; the other hears of it. */
static void cut(struct conn *c)
{
	struct tcp_end *e =
	    c->plan == CLIENT_CLOSES || c->plan == CLIENT_RESET ? &c->client : &c->far;

	enter(c, CUT);
	c->cut_ms = 0;
	tcp_end_set_deaf(&c->client, false);
	tcp_end_set_deaf(&c->far, false);
	if (sim_of(c->call)->conf.broken == BREAK_HALF_OPEN)
		return;
	if (c->plan == CLIENT_RESET || c->plan == PEER_RESET)
		tcp_end_reset(e);
	else if (c->plan != ALLOCATION_ENDS)
		tcp_end_close(e);
}

static void check_finished(struct conn *c)
{
	struct sim *s = sim_of(c->call);
	uint64_t lost = s->conf.broken == BREAK_DATA_LOST;

	sim_check(s, SIM_DATA, c->client.got + lost == c->far.goal && c->far.got == c->client.goal,
	          c->call->number, "%u of %u and %u of %u bytes came", (unsigned int)c->client.got,
	          (unsigned int)c->far.goal, (unsigned int)c->far.got,
	          (unsigned int)c->client.goal);
	enter(c, DONE);
}

/* "If no ConnectionBind request associated with this peer data connection is received after 30
 * seconds, the peer data connection MUST be closed." */
static void check_unbound(struct conn *c)
{
	struct sim *s = sim_of(c->call);
	uint64_t due_ms = s->conf.broken == BREAK_UNBOUND_EARLY ? BIND_MS / 2 : BIND_MS;

	if (!is_over(&c->far) && age_ms(c) < due_ms + SOON_MS)
		return;
	sim_check(s, SIM_JOINED,
	          is_over(&c->far) && age_ms(c) + SOON_MS > due_ms &&
	              age_ms(c) < due_ms + SOON_MS + TICK_MS,
	          c->call->number, "a connection that nobody bound was there for %u ms",
	          (unsigned int)age_ms(c));
	drop(c);
	enter(c, DONE);
}

static void check_unpermitted(struct conn *c)
{
	if (!is_over(&c->far) && age_ms(c) < SOON_MS)
		return;
	sim_check(sim_of(c->call), SIM_JOINED, is_over(&c->far), c->call->number,
	          "a peer without a permission stays connected");
	drop(c);
	enter(c, DONE);
}

static void check_cut(struct conn *c)
{
	bool over = is_over(&c->client) && is_over(&c->far);

	if (!over && age_ms(c) < CUT_MS)
		return;
	sim_check(sim_of(c->call), SIM_JOINED, over, c->call->number,
	          "an end did not hear of the other's end (plan %d)", (int)c->plan);
	drop(c);
	enter(c, DONE);
}

static void tick_conn(struct conn *c)
{
	struct sim *s = sim_of(c->call);
	uint64_t now = sim_now(s);

	if (c->hear_ms && c->hear_ms <= now) {
		c->hear_ms = 0;
		tcp_end_set_deaf(&c->client, false);
		tcp_end_set_deaf(&c->far, false);
	}
	switch (c->state) {
	case IDLE:
		start_conn(c);
		break;
	case CONNECTING:
		if (c->plan == UNPERMITTED)
			check_unpermitted(c);
		break;
	case BINDING:
		if (c->plan == UNBOUND)
			check_unbound(c);
		break;
	case JOINED:
		if (c->plan == FINISH && !c->client.s && !c->far.s)
			check_finished(c);
		else if (c->plan != FINISH && !c->cut_ms)
			c->cut_ms = now + sim_dice(s, 10000);
		else if (c->plan != FINISH && c->cut_ms <= now && c->plan != ALLOCATION_ENDS)
			cut(c);
		break;
	case CUT:
		check_cut(c);
		break;
	case DONE:
		break;
	}
}

/* When all others are done, the allocation ends, and those that are left with it. */
static void finish(struct tcp_call *t)
{
	uint64_t now = sim_now(sim_of(t));
	bool over = now > t->start_ms + LONGEST_MS, done = true;

	for (size_t i = 0; i < CONNS; i++) {
		const struct conn *c = &t->conn[i];
		bool waits = c->plan == ALLOCATION_ENDS && c->state == JOINED;

		done &= c->state == DONE || (t->tc && waits);
		if (over && c->state != DONE && !waits)
			sim_check(sim_of(t), SIM_JOINED, false, t->number,
			          "a connection (plan %d) comes to no end (state %d)", (int)c->plan,
			          (int)c->state);
	}
	if (over) {
		end_call(t);
		return;
	}
	if (done && t->tc) {
		tc_close(t->tc, true);
		t->tc = NULL;
		for (size_t i = 0; i < CONNS; i++)
			if (t->conn[i].state == JOINED)
				cut(&t->conn[i]);
		t->leave_ms = now + LEAVE_MS;
	} else if (done && t->leave_ms <= now) {
		end_call(t);
		return;
	}
	env_timer_set(t->timer, TICK_MS);
}

static void on_timer(void *arg)
{
	struct tcp_call *t = arg;

	/* its node has started anew, or has no place for it */
	if (t->lost || !t->start_ms || t->conn[0].far.node->start != t->conn[0].far.start) {
		end_call(t);
		return;
	}
	for (size_t i = 0; i < CONNS; i++)
		tick_conn(&t->conn[i]);
	finish(t);
}

static void on_event(void *arg, struct tc *tc, enum tc_event event)
{
	struct tcp_call *t = arg;

	(void)tc;
	if (event == TC_FAILED || event == TC_LOST) {
		t->lost = true;
		env_timer_set(t->timer, 0);
	}
	if (event != TC_READY)
		return;
	sim_of(t)->counts.tcp_calls++;
	t->start_ms = sim_now(sim_of(t));
	for (size_t i = 0; i < CONNS; i++)
		plan_conn(&t->conn[i], t);
	env_timer_set(t->timer, READY_MS);
}

static const struct tc_user user = {.event = on_event, .connection = on_connection};

void tcp_call_start(struct agent *a)
{
	struct sim *s = a->sim;
	struct tc_options o = {.agent = a->number,
	                       .call = ++s->last_call,
	                       .node = sim_dice(s, s->conf.nodes),
	                       .no_binding = true,
	                       .tcp = true,
	                       .tcp_relay = true};
	struct tcp_call *t = calloc(1, sizeof(*t));

	if (!t)
		return;
	t->agent = a;
	t->number = o.call;
	DL_APPEND(s->tcp_calls, t);
	t->timer = env_timer_new(s->env, on_timer, t);
	if (t->timer)
		t->tc = tc_new(s, &o, &user, t);
	if (!t->tc) {
		end_call(t);
		return;
	}
	env_timer_set(t->timer, 30000); /* without an allocation by then, it ends */
}
