/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The environment on virtual time.
 */
#include "base/env_virtual.h"

#include "base/env_virtual_internal.h"

#include "base/error.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define WALL_START_S  1700000000
#define EPHEMERAL_MIN 32768

/* The next event is on top of a heap: by time, datagrams before timers, then by insertion. */
struct event {
	uint64_t due_ms;
	uint64_t order; /* the timers' have the top bit set */
	size_t place;   /* in the heap, from 1; 0: not there */
};

#define ORDER_TIMER (UINT64_C(1) << 63)
#define HEAP_MIN    256 /* no test with a few sockets sees it grow */

struct packet {
	struct event event; /* first */
	struct addr from, to;
	size_t len;
	uint8_t tos;
	_Alignas(8) uint8_t room[ENV_HEADROOM];
	uint8_t data[]; /* and ENV_TAILROOM */
};

struct udp {
	struct env_udp udp; /* first */
	UT_hash_handle hh;
	struct addr key; /* as in the table: zeroed, then filled */
	env_udp_batch_fn *on_batch;
	env_udp_error_fn *on_error;
	void *arg;
	int released; /* the number it was handed out under; 0: open */
};

struct timer {
	struct event event;     /* first */
	struct env_timer timer; /* what the caller has */
	struct timer *prev, *next;
	env_timer_fn *fn;
	void *arg;
};

struct env_v {
	struct env env; /* first */
	struct env_v_streams streams;
	uint64_t now_ms;
	int64_t wall_offset_s;
	uint64_t chance;
	struct udp *sockets;
	struct timer *timers; /* all timers, to free at the end */
	struct event **heap;  /* from 1 */
	size_t heap_n, heap_cap;
	size_t timer_n;  /* each has a place in the heap kept free */
	size_t packet_n; /* of the heap's events */
	uint64_t orders;
	const struct env_virtual_wire *wire;
	void *wire_ctx;
	uint16_t next_port;
	unsigned int fail_opens;
	int fail_code;
	int releases;
	uint64_t unfragmented;
};

static bool before(const struct event *a, const struct event *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void put(struct env_v *e, size_t place, struct event *ev)
{
	e->heap[place] = ev;
	ev->place = place;
}

/* Moves ev from an empty place up or down to where it belongs. */
static void settle(struct env_v *e, size_t place, struct event *ev)
{
	for (; place > 1 && before(ev, e->heap[place / 2]); place /= 2)
		put(e, place, e->heap[place / 2]);
	for (size_t kid; (kid = 2 * place) <= e->heap_n; place = kid) {
		if (kid < e->heap_n && before(e->heap[kid + 1], e->heap[kid]))
			kid++;
		if (!before(e->heap[kid], ev))
			break;
		put(e, place, e->heap[kid]);
	}
	put(e, place, ev);
}

/* Room for so many events besides the timers. */
static bool make_room(struct env_v *e, size_t packets)
{
	size_t cap = e->heap_cap;
	struct event **heap;

	while (cap < e->timer_n + packets + 1)
		cap *= 2;
	if (cap == e->heap_cap)
		return true;
	heap = reallocarray(e->heap, cap, sizeof(struct event *));
	if (!heap)
		return false;
	e->heap = heap;
	e->heap_cap = cap;
	return true;
}

static void push(struct env_v *e, struct event *ev, uint64_t due_ms, uint64_t kind)
{
	ev->due_ms = due_ms;
	ev->order = ++e->orders | kind;
	settle(e, ++e->heap_n, ev);
}

static void pull(struct env_v *e, struct event *ev)
{
	struct event *last;
	size_t place = ev->place;

	if (!place)
		return;
	ev->place = 0;
	last = e->heap[e->heap_n--];
	if (last != ev)
		settle(e, place, last);
}

static struct env_v *env_v(const struct env *env)
{
	return (struct env_v *)(uintptr_t)env;
}

struct env_v_streams *env_v_streams_of(const struct env *env)
{
	return &env_v(env)->streams;
}

bool env_v_path(struct env *env, const struct addr *from, const struct addr *to,
                struct env_virtual_path *path)
{
	const struct env_virtual_wire *wire = env_v(env)->wire;

	return !wire || !wire->joins || wire->joins(env_v(env)->wire_ctx, from, to, path);
}

static uint64_t v_now_ms(struct env *env)
{
	return env_v(env)->now_ms;
}

static int64_t v_wall_s(struct env *env)
{
	return WALL_START_S + env_v(env)->wall_offset_s + (int64_t)(env_v(env)->now_ms / 1000);
}

/* splitmix64: good enough to make a run, never used outside tests. */
static void v_random(struct env *env, void *out, size_t len)
{
	uint8_t *p = out;

	while (len--) {
		uint64_t z = env_v(env)->chance += 0x9e3779b97f4a7c15u;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		*p++ = (uint8_t)(z >> 56);
	}
}

/* The address as the table's key: no bytes that are not the address. */
static struct addr key_of(const struct addr *a)
{
	struct addr key;
	size_t len;
	const uint8_t *ip = addr_ip(a, &len);

	addr_from_bytes(&key, ip, len, addr_port(a));
	return key;
}

static struct udp *find_socket(struct env_v *e, const struct addr *a)
{
	struct addr key = key_of(a);
	struct udp *u;

	HASH_FIND(hh, e->sockets, &key, sizeof(key), u);
	return u;
}

static struct udp *find_released(struct env_v *e, int fd)
{
	struct udp *u = e->sockets;

	while (u && u->released != fd)
		u = u->hh.next;
	return u;
}

static int v_udp_open(struct env *env, const struct env_udp_params *p, struct env_udp **out)
{
	struct env_v *e = env_v(env);
	struct udp *u;

	if (e->fail_opens) {
		e->fail_opens--;
		return e->fail_code;
	}
	if (p->fd >= 0) {
		u = find_released(e, p->fd);
		if (!u)
			return -E_INVAL;
		u->released = 0;
		u->on_batch = p->on_batch;
		u->on_error = p->on_error;
		u->arg = p->arg;
		*out = &u->udp;
		return 0;
	}
	u = calloc(1, sizeof(*u));
	if (!u)
		return -E_NOMEM;
	u->udp.env = env;
	u->udp.local = p->local;
	u->on_batch = p->on_batch;
	u->on_error = p->on_error;
	u->arg = p->arg;
	if (!addr_port(&p->local)) {
		do {
			if (++e->next_port < EPHEMERAL_MIN)
				e->next_port = EPHEMERAL_MIN;
			addr_put_port(&u->udp.local, e->next_port);
		} while (find_socket(e, &u->udp.local));
	} else if (find_socket(e, &p->local)) {
		free(u);
		return -E_IN_USE;
	}
	u->key = key_of(&u->udp.local);
	if (TABLE_ADD(hh, e->sockets, key, sizeof(u->key), u)) {
		free(u);
		return -E_NOMEM;
	}
	*out = &u->udp;
	return 0;
}

void env_virtual_carry(struct env *env, const struct addr *from, const struct addr *to,
                       const uint8_t *data, size_t len, uint8_t tos, uint64_t after_ms)
{
	struct env_v *e = env_v(env);
	struct packet *p = calloc(1, sizeof(*p) + len + ENV_TAILROOM);

	if (!p || !make_room(e, ++e->packet_n)) {
		e->packet_n -= p != NULL;
		e->env.stats.send_drops++;
		free(p);
		return;
	}
	p->from = *from;
	p->to = *to;
	p->len = len;
	p->tos = tos;
	if (len)
		memcpy(p->data, data, len);
	push(e, &p->event, e->now_ms + after_ms, 0);
}

static void v_udp_send(struct env_udp *udp, const struct addr *to, const uint8_t *data, size_t len,
                       uint8_t tos, bool dont_fragment)
{
	struct env_v *e = env_v(udp->env);
	uint64_t drops = e->env.stats.send_drops;

	e->unfragmented += dont_fragment;
	if (e->wire)
		e->wire->sent(e->wire_ctx, &udp->local, to, data, len, tos);
	else
		env_virtual_carry(udp->env, &udp->local, to, data, len, tos, 0);
	e->env.stats.sent += e->env.stats.send_drops == drops;
}

static int v_udp_release(struct env_udp *udp)
{
	struct udp *u = (struct udp *)udp;

	return u->released = ++env_v(udp->env)->releases;
}

static void v_udp_close(struct env_udp *udp)
{
	struct udp *u = (struct udp *)udp;

	HASH_DELETE(hh, env_v(udp->env)->sockets, u);
	free(u);
}

static void v_udp_discard(struct env *env, int fd)
{
	struct udp *u = find_released(env_v(env), fd);

	if (u)
		v_udp_close(&u->udp);
}

static struct timer *timer_of(struct env_timer *timer)
{
	return (struct timer *)((char *)timer - offsetof(struct timer, timer));
}

static struct env_timer *v_timer_new(struct env *env, env_timer_fn *fn, void *arg)
{
	struct env_v *e = env_v(env);
	struct timer *t = calloc(1, sizeof(*t));

	e->timer_n++;
	if (!t || !make_room(e, e->packet_n)) {
		e->timer_n--;
		free(t);
		return NULL;
	}
	t->timer.env = env;
	t->fn = fn;
	t->arg = arg;
	DL_APPEND(e->timers, t);
	return &t->timer;
}

static void v_timer_set(struct env_timer *timer, uint64_t after_ms)
{
	struct env_v *e = env_v(timer->env);
	struct timer *t = timer_of(timer);

	pull(e, &t->event);
	push(e, &t->event, e->now_ms + after_ms, ORDER_TIMER);
}

static void v_timer_soon(struct env_timer *timer)
{
	v_timer_set(timer, 0);
}

static void v_timer_free(struct env_timer *timer)
{
	struct env_v *e = env_v(timer->env);
	struct timer *t = timer_of(timer);

	pull(e, &t->event);
	e->timer_n--;
	DL_DELETE(e->timers, t);
	free(t);
}

static const struct env_ops v_ops = {
    .now_ms = v_now_ms,
    .wall_s = v_wall_s,
    .random = v_random,
    .udp_open = v_udp_open,
    .udp_send = v_udp_send,
    .udp_release = v_udp_release,
    .udp_discard = v_udp_discard,
    .udp_close = v_udp_close,
    .timer_new = v_timer_new,
    .timer_set = v_timer_set,
    .timer_soon = v_timer_soon,
    .timer_free = v_timer_free,
};

struct env *env_virtual_new(uint64_t seed)
{
	struct env_v *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->heap_cap = HEAP_MIN;
	e->heap = calloc(HEAP_MIN, sizeof(struct event *));
	if (!e->heap) {
		free(e);
		return NULL;
	}
	e->env.ops = &v_ops;
	e->env.streams = &env_v_streams;
	e->chance = seed;
	e->now_ms = 1000000;
	return &e->env;
}

void env_virtual_free(struct env *env)
{
	struct env_v *e = env_v(env);
	struct timer *t, *t_next;
	struct udp *u, *u_next;

	if (!e)
		return;
	env_v_free_streams(&e->streams);
	for (size_t i = 1; i <= e->heap_n; i++)
		if (!(e->heap[i]->order & ORDER_TIMER))
			free(e->heap[i]);
	free(e->heap);
	DL_FOREACH_SAFE(e->timers, t, t_next)
	free(t);
	HASH_ITER (hh, e->sockets, u, u_next) {
		HASH_DELETE(hh, e->sockets, u);
		free(u);
	}
	free(e);
}

static void deliver(struct env_v *e, struct packet *p)
{
	bool arrives = !e->wire || e->wire->arrives(e->wire_ctx, &p->from, &p->to, p->data, p->len);
	struct udp *u = arrives ? find_socket(e, &p->to) : NULL;
	struct datagram d = {.peer = p->from, .data = p->data, .len = p->len, .tos = p->tos};

	e->packet_n--;
	if (u && !u->released) {
		e->env.stats.received++;
		u->on_batch(u->arg, &u->udp, &d, 1);
	} else {
		e->env.stats.send_drops++;
	}
	if (arrives && e->wire)
		e->wire->handled(e->wire_ctx);
	free(p);
}

void env_virtual_run(struct env *env, uint64_t ms)
{
	struct env_v *e = env_v(env);
	uint64_t until_ms = e->now_ms + ms;

	while (e->heap_n && e->heap[1]->due_ms <= until_ms) {
		struct event *ev = e->heap[1];

		pull(e, ev);
		e->now_ms = ev->due_ms;
		if (ev->order & ORDER_TIMER) {
			struct timer *t = (struct timer *)ev;

			t->fn(t->arg);
		} else {
			deliver(e, (struct packet *)ev);
		}
	}
	e->now_ms = until_ms;
}

void env_virtual_set_wire(struct env *env, const struct env_virtual_wire *wire, void *ctx)
{
	env_v(env)->wire = wire;
	env_v(env)->wire_ctx = ctx;
}

size_t env_virtual_packets(const struct env *env)
{
	return env_v(env)->packet_n;
}

void env_virtual_step_wall(struct env *env, int64_t seconds)
{
	env_v(env)->wall_offset_s += seconds;
}

void env_virtual_fail_open(struct env *env, unsigned int n, int code)
{
	env_v(env)->fail_opens = n;
	env_v(env)->fail_code = code;
}

size_t env_virtual_sockets(const struct env *env)
{
	return HASH_COUNT(env_v(env)->sockets);
}

bool env_virtual_icmp(struct env *env, const struct addr *sender, const struct env_udp_error *error)
{
	struct udp *u = find_socket(env_v(env), sender);

	if (!u || !u->on_error)
		return false;
	u->on_error(u->arg, &u->udp, error);
	return true;
}

uint64_t env_virtual_unfragmented(const struct env *env)
{
	return env_v(env)->unfragmented;
}
