/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tap on clients' TCP connections.
 */
#include "harness/sim/tap.h"

#include "base/table.h"
#include "harness/sim/net.h"
#include "harness/sim/node.h"
#include "harness/sim/watch.h"

#include <stdlib.h>

#define LATE_MS     100  /* more than the longest way through the network takes */
#define LOST_MS     5000 /* a message that has not come by then */
#define BREAK_EVERY 20   /* --break: so many go well in between */
/* For a client that does not read: peers' data fill the backlog, replies get more. */
#define HELD_MAX (NODE_BACKLOG_BYTES + 8192)

struct message {
	uint64_t sent_ms, hash;
	size_t len;
};

/* Messages that are on their way. */
struct queue {
	struct message *v;
	size_t first, n, cap;
};

struct tap {
	UT_hash_handle hh, hh_link, hh_ctx;
	struct sim *sim;
	struct ep client;
	uint32_t call;
	const struct env_stream *stream;
	bool slow;
	struct queue up, down;
	uint64_t taken; /* bytes that the server has taken for the client */
	unsigned int sent;
	/* the server's end, once there is one */
	struct node *node;
	struct turn_link *link;
	const struct turn_link_ops *ops;
	void *ctx;
};

/* The linker's --wrap leaves no way to hand it over. */
static struct {
	struct sim *sim;
	struct tap *by_client, *by_link, *by_ctx;
} watched;

struct turn_link *__real_turn_link_new(struct turn *t, const struct turn_link_params *params);
void __real_turn_link_input(struct turn_link *link, uint8_t *msg, size_t len);
void __real_turn_link_free(struct turn_link *link);
struct turn_link *__wrap_turn_link_new(struct turn *t, const struct turn_link_params *params);
void __wrap_turn_link_input(struct turn_link *link, uint8_t *msg, size_t len);
void __wrap_turn_link_free(struct turn_link *link);

/* ---- messages on their way ---- */

static uint64_t hash_of(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h;
}

static void push(struct tap *t, struct queue *q, const uint8_t *message, size_t len)
{
	if (q->first + q->n == q->cap) {
		size_t cap = q->n < 8 ? 16 : 2 * q->n;
		struct message *v = calloc(cap, sizeof(*v));

		if (!v)
			abort(); /* it would look like a fault of the server */
		if (q->n)
			memcpy(v, q->v + q->first, q->n * sizeof(*v));
		free(q->v);
		*q = (struct queue){.v = v, .n = q->n, .cap = cap};
	}
	q->v[q->first + q->n++] = (struct message){sim_now(t->sim), hash_of(message, len), len};
}

/* The next one must be this. Returns how long it has taken. */
static uint64_t pull(struct tap *t, struct queue *q, const uint8_t *message, size_t len)
{
	const struct message *m = q->n ? &q->v[q->first] : NULL;

	sim_check(t->sim, SIM_FRAMING, m && m->len == len && m->hash == hash_of(message, len),
	          t->call, "%s: a message of %zu bytes came out of a stream, %zu had gone in",
	          q == &t->up ? "server" : "client", len, m ? m->len : 0);
	if (!m)
		return 0;
	q->first++;
	q->n--;
	return sim_now(t->sim) - m->sent_ms;
}

static void check_lost(const struct tap *t, const struct queue *q)
{
	if (q->n)
		sim_check(t->sim, SIM_FRAMING, sim_now(t->sim) - q->v[q->first].sent_ms < LOST_MS,
		          t->call, "%s: a message of %zu bytes never came out of a stream",
		          q == &t->up ? "server" : "client", q->v[q->first].len);
}

void tap_tick(struct sim *s)
{
	struct tap *t, *next;

	HASH_ITER (hh, watched.by_client, t, next) {
		if (t->sim != s || !t->link || !t->stream || t->slow)
			continue;
		check_lost(t, &t->up);
		check_lost(t, &t->down);
	}
}

/* ---- the client's end ---- */

static void free_tap(struct tap *t)
{
	HASH_DELETE(hh, watched.by_client, t);
	free(t->up.v);
	free(t->down.v);
	free(t);
}

void tap_watch(struct sim *s)
{
	struct tap *t, *next;

	if (!s)
		HASH_ITER (hh, watched.by_client, t, next)
			free_tap(t);
	watched.sim = s;
}

struct tap *tap_new(struct sim *s, struct ep client, uint32_t call)
{
	struct tap *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->sim = s;
	t->client = client;
	t->call = call;
	if (TABLE_ADD(hh, watched.by_client, client, sizeof(t->client), t)) {
		free(t);
		return NULL;
	}
	return t;
}

void tap_set_stream(struct tap *t, const struct env_stream *stream)
{
	t->stream = stream;
	if (!stream && !t->link)
		free_tap(t);
}

void tap_set_slow(struct tap *t)
{
	t->slow = true;
}

void tap_put(struct tap *t, const uint8_t *message, size_t len)
{
	push(t, &t->up, message, len);
}

void tap_got(struct tap *t, const uint8_t *message, size_t len)
{
	uint64_t took_ms = pull(t, &t->down, message, len);

	if (t->sim->conf.broken == BREAK_SLOW_FOR_ALL)
		took_ms += LATE_MS;
	if (!t->slow)
		sim_check(t->sim, SIM_DELAY, took_ms < LATE_MS, t->call,
		          "a message over a stream took %u ms", (unsigned int)took_ms);
}

/* ---- the server's end ---- */

static uint64_t slow_drops(const struct tap *t)
{
	return turn_get_stats(t->node->turn)->slow_client_drops;
}

static void forward(struct tap *t, const uint8_t *data, size_t len)
{
	enum sim_break b = t->sim->conf.broken;
	bool now = ++t->sent % BREAK_EVERY == 0;
	uint64_t drops = slow_drops(t);

	if (b != BREAK_STREAM_LOST || !now)
		t->ops->send(t->ctx, data, len);
	if (b == BREAK_STREAM_TWICE && now)
		t->ops->send(t->ctx, data, len);
	if (slow_drops(t) != drops && b != BREAK_SLOW_UNCOUNTED) {
		t->sim->counts.slow_drops++;
		sim_check(t->sim, SIM_BACKLOG, t->slow && data[0] != 1, t->call,
		          "a message 0x%02x%02x was dropped", data[0], data[1]);
		return; /* counted: it must not come out */
	}
	push(t, &t->down, data, len);
	t->taken += len;
	if (t->stream)
		sim_check(t->sim, SIM_BACKLOG,
		          t->taken <= env_virtual_stream_came(t->stream) + HELD_MAX, t->call,
		          "%u bytes wait for a client that does not read",
		          (unsigned int)(t->taken - env_virtual_stream_came(t->stream)));
}

/* The core sends a message to the client. */
static void on_send(void *ctx, const uint8_t *data, size_t len)
{
	uint8_t copy[WATCH_PACKET_MAX];
	struct watch_sent sent = {.data = data, .len = len, .times = 1};
	struct tap *t;

	HASH_FIND(hh_ctx, watched.by_ctx, &ctx, sizeof(ctx), t);
	sent.to = t->client;
	watch_sent(t->sim, node_stream_end(t->node), &sent, copy);
	for (unsigned int i = 0; i < sent.times; i++)
		forward(t, sent.data, sent.len);
}

static void on_resume(void *ctx)
{
	struct tap *t;

	HASH_FIND(hh_ctx, watched.by_ctx, &ctx, sizeof(ctx), t);
	t->ops->resume(ctx);
}

struct turn_link *__wrap_turn_link_new(struct turn *turn, const struct turn_link_params *params)
{
	static const struct turn_link_ops ops = {.send = on_send, .resume = on_resume};
	struct turn_link_params tapped = *params;
	struct ep client = ep_of(&params->client);
	struct sim *s = watched.sim;
	struct tap *t = NULL;

	if (s)
		HASH_FIND(hh, watched.by_client, &client, sizeof(client), t);
	if (!t)
		return __real_turn_link_new(turn, params);
	tapped.ops = &ops;
	t->link = __real_turn_link_new(turn, &tapped);
	if (!t->link)
		return NULL;
	t->ops = params->ops;
	t->ctx = params->ctx;
	t->node = s->node;
	while (t->node->turn != turn)
		t->node++;
	if (TABLE_ADD(hh_link, watched.by_link, link, sizeof(t->link), t) ||
	    TABLE_ADD(hh_ctx, watched.by_ctx, ctx, sizeof(t->ctx), t))
		abort();
	t->node->links++;
	return t->link;
}

static struct tap *by_link(const struct turn_link *link)
{
	struct tap *t;

	HASH_FIND(hh_link, watched.by_link, &link, sizeof(link), t);
	return t;
}

/* The server has cut a message out of the client's stream. */
void __wrap_turn_link_input(struct turn_link *link, uint8_t *msg, size_t len)
{
	struct tap *t = by_link(link);

	if (!t) {
		__real_turn_link_input(link, msg, len);
		return;
	}
	sim_note(t->sim, sim_call_of(msg, len), "arrives", t->client, node_stream_end(t->node),
	         (uint32_t)len);
	pull(t, &t->up, msg, len);
	watch_arrives(t->sim, t->client, node_stream_end(t->node), msg, len);
	__real_turn_link_input(link, msg, len);
	watch_handled(t->sim);
}

void __wrap_turn_link_free(struct turn_link *link)
{
	struct tap *t = link ? by_link(link) : NULL;

	__real_turn_link_free(link);
	if (!t)
		return;
	HASH_DELETE(hh_link, watched.by_link, t);
	HASH_DELETE(hh_ctx, watched.by_ctx, t);
	t->node->links--;
	t->link = NULL;
	watch_node_closed(t->node->watch, t->client);
	if (!t->stream)
		free_tap(t);
}
