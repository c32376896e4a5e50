/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams on virtual time: each end keeps the segments that are on their way to
 * it, and a timer for the next thing that it will notice.
 */
#include "base/env_virtual_internal.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define EPHEMERAL_MIN 32768
#define BUFFER        65536
#define NEVER         UINT64_MAX

struct segment {
	struct segment *prev, *next;
	uint64_t due_ms;
	size_t at, len;
	uint8_t data[];
};

enum state { ASKS, WAITS, OPEN, FAILED };

struct env_v_end {
	struct env_stream stream; /* first */
	struct env_v_end *prev, *next;
	struct env_v_end *other; /* NULL: there is none yet, or no more */
	enum state state;
	int number;    /* what a descriptor would be */
	bool released; /* nobody reads it */
	struct addr local, remote;
	struct env_virtual_path path;
	struct env_timer *timer;
	env_stream_fn *fn;
	void *arg;
	struct segment *segments; /* on their way to it, or not read */
	size_t held;              /* bytes of them */
	uint64_t came;            /* bytes of all that there were */
	uint64_t last_ms;         /* when the last of them arrives */
	uint64_t step_ms;         /* of a connect: when something becomes of it */
	uint64_t end_ms;          /* when it hears that no more will come */
	uint64_t reset_ms;        /* when it hears that the connection is broken */
	uint64_t room_ms;         /* when it hears that the other has read */
	bool no_read, wants_write, kicked, shut, orphan;
};

struct env_v_listener {
	struct env_listener listener; /* first */
	struct env_v_listener *prev, *next;
	struct addr local;
	env_accept_fn *on_accept;
	void *arg;
};

static struct env_v_end *end_of(const struct env_stream *s)
{
	return (struct env_v_end *)(uintptr_t)s;
}

static uint64_t now_of(const struct env_v_end *e)
{
	return env_now_ms(e->stream.env);
}

static uint32_t dice(struct env_v_end *e, uint32_t sides)
{
	uint32_t n;

	env_random(e->stream.env, &n, sizeof(n));
	return n % sides;
}

static void earliest(uint64_t *at, uint64_t ms)
{
	if (ms < *at)
		*at = ms;
}

static size_t room(const struct env_v_end *e)
{
	size_t held = e->other ? e->other->held : 0;

	return held < e->path.buffer ? e->path.buffer - held : 0;
}

/* When its callback is due next. */
static uint64_t next_call(const struct env_v_end *e)
{
	uint64_t at = e->kicked ? 0 : NEVER;

	if (e->state != OPEN)
		return e->state == FAILED ? at : e->step_ms;
	if (!e->no_read) {
		earliest(&at, e->segments ? e->segments->due_ms : e->end_ms);
		earliest(&at, e->reset_ms);
	}
	if (e->wants_write) {
		earliest(&at, e->reset_ms);
		if (e->other && room(e))
			earliest(&at, e->room_ms);
	}
	return at;
}

static void plan(struct env_v_end *e)
{
	uint64_t at = next_call(e), now = now_of(e);

	if (!e->released && at != NEVER)
		env_timer_set(e->timer, at > now ? at - now : 0);
}

static void call(struct env_v_end *e)
{
	struct env_v_streams *v = env_v_streams_of(e->stream.env);

	e->kicked = e->wants_write = false;
	v->at_work = e;
	e->fn(e->arg);
	if (v->at_work == e)
		plan(e);
	v->at_work = NULL;
}

static struct env_v_end *new_end(struct env *env, const struct addr *local,
                                 const struct addr *remote);

/* Makes the far end of e, to be opened. NULL: no memory. */
static struct env_v_end *join(struct env_v_end *e)
{
	struct env_v_end *o = new_end(e->stream.env, &e->remote, &e->local);

	if (!o)
		return NULL;
	o->path = e->path;
	o->state = OPEN;
	o->released = true;
	o->other = e;
	e->other = o;
	return o;
}

/* The connect has come to the other side. */
static void ask(struct env_v_end *e)
{
	struct env_v_streams *v = env_v_streams_of(e->stream.env);
	struct env_v_listener *l;
	struct env_v_end *o;

	e->state = WAITS;
	e->step_ms = now_of(e) + e->path.delay_ms;
	plan(e);
	DL_FOREACH (v->listeners, l)
		if (addr_equal(&l->local, &e->remote))
			break;
	o = l ? join(e) : NULL;
	if (o)
		l->on_accept(l->arg, o->number, &e->local);
}

static void on_timer(void *arg)
{
	struct env_v_end *e = arg;

	if (e->released || next_call(e) > now_of(e))
		return; /* the timer was set for something that is over */
	if (e->state == ASKS) {
		ask(e);
		return;
	}
	if (e->state == WAITS)
		e->state = e->other || e->orphan ? OPEN : FAILED;
	call(e);
}

static struct env_v_end *new_end(struct env *env, const struct addr *local,
                                 const struct addr *remote)
{
	struct env_v_streams *v = env_v_streams_of(env);
	struct env_v_end *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->timer = env_timer_new(env, on_timer, e);
	if (!e->timer) {
		free(e);
		return NULL;
	}
	e->stream.env = env;
	e->number = ++v->numbers;
	e->local = *local;
	e->remote = *remote;
	e->path = (struct env_virtual_path){.buffer = BUFFER};
	e->step_ms = e->end_ms = e->reset_ms = NEVER;
	if (!addr_port(local)) {
		if (++v->next_port < EPHEMERAL_MIN)
			v->next_port = EPHEMERAL_MIN;
		addr_put_port(&e->local, v->next_port);
	}
	DL_APPEND(v->ends, e);
	return e;
}

static struct env_v_end *find_number(struct env_v_streams *v, int fd)
{
	struct env_v_end *e;

	DL_SEARCH_SCALAR(v->ends, e, number, fd);
	return e && e->released ? e : NULL;
}

static int v_open(struct env *env, const struct env_stream_params *p, struct env_stream **out)
{
	struct env_v_end *e;

	if (p->fd >= 0) {
		e = find_number(env_v_streams_of(env), p->fd);
		if (!e)
			return -E_INVAL;
		e->released = e->no_read = false;
	} else {
		e = new_end(env, &p->local, &p->remote);
		if (!e)
			return -E_NOMEM;
		if (env_v_path(env, &e->local, &e->remote, &e->path))
			e->step_ms = now_of(e) + e->path.delay_ms;
	}
	e->fn = p->fn;
	e->arg = p->arg;
	plan(e);
	*out = &e->stream;
	return 0;
}

/* The other end notices. As with TCP, bytes that were not read make it a reset. */
static void part(struct env_v_end *e, bool reset)
{
	struct env_v_end *o = e->other;
	uint64_t at = now_of(e) + e->path.delay_ms;

	if (!o)
		return;
	if (reset)
		earliest(&o->reset_ms, at);
	else
		earliest(&o->end_ms, at > o->last_ms ? at : o->last_ms);
	o->other = NULL;
	o->orphan = true;
	e->other = NULL;
	plan(o);
}

static void free_segments(struct env_v_end *e)
{
	struct segment *g, *next;

	DL_FOREACH_SAFE(e->segments, g, next)
	free(g);
}

static void destroy(struct env_v_end *e)
{
	struct env_v_streams *v = env_v_streams_of(e->stream.env);

	if (v->at_work == e)
		v->at_work = NULL;
	part(e, e->held > 0);
	DL_DELETE(v->ends, e);
	env_timer_free(e->timer);
	free_segments(e);
	free(e);
}

static int v_release(struct env_stream *stream)
{
	struct env_v_end *e = end_of(stream);
	struct env_v_streams *v = env_v_streams_of(stream->env);

	if (e->state != OPEN) {
		int r = e->state == FAILED ? -E_IO : -E_LATER;

		destroy(e);
		return r;
	}
	if (v->at_work == e)
		v->at_work = NULL;
	e->wants_write = e->kicked = false;
	e->released = true;
	return e->number;
}

static void v_close(struct env_stream *stream)
{
	destroy(end_of(stream));
}

static void v_discard(struct env *env, int fd)
{
	struct env_v_end *e = find_number(env_v_streams_of(env), fd);

	if (e)
		destroy(e);
}

static int v_pair(struct env *env, int fd[2])
{
	static const struct addr none;
	struct env_v_end *e = new_end(env, &none, &none), *o = e ? join(e) : NULL;

	if (!o) {
		if (e)
			destroy(e);
		return -E_NOMEM;
	}
	e->state = OPEN;
	e->released = true;
	fd[0] = e->number;
	fd[1] = o->number;
	return 0;
}

/* Takes the bytes that have arrived; now and then it stops at a cut. */
static size_t take(struct env_v_end *e, uint8_t *buf, size_t len)
{
	uint64_t now = now_of(e);
	struct segment *g, *next;
	size_t done = 0;

	DL_FOREACH_SAFE(e->segments, g, next)
	{
		size_t n = len - done < g->len ? len - done : g->len;

		if (g->due_ms > now || g->due_ms > e->reset_ms || done == len)
			break;
		memcpy(buf + done, g->data + g->at, n);
		done += n;
		g->at += n;
		g->len -= n;
		if (g->len)
			break;
		DL_DELETE(e->segments, g);
		free(g);
		if (e->path.segment_max && dice(e, 2))
			break;
	}
	e->held -= done;
	return done;
}

static ssize_t v_read(struct env_stream *stream, uint8_t *buf, size_t len)
{
	struct env_v_end *e = end_of(stream);
	uint64_t now = now_of(e);
	size_t n;

	if (e->state != OPEN)
		return e->state == FAILED ? -E_IO : -E_LATER;
	n = take(e, buf, len);
	if (n) {
		if (e->other && e->other->wants_write) {
			e->other->room_ms = now + e->path.delay_ms;
			plan(e->other);
		}
		return (ssize_t)n;
	}
	if (e->reset_ms <= now)
		return -E_IO;
	return !e->segments && e->end_ms <= now ? 0 : -E_LATER;
}

/* Puts n bytes on their way to o. False without memory, which breaks the connection. */
static bool put(struct env_v_end *o, const uint8_t *data, size_t n)
{
	uint64_t due = now_of(o) + o->path.delay_ms + dice(o, o->path.jitter_ms + 1);
	struct segment *g = malloc(sizeof(*g) + n);

	if (!g)
		return false;
	o->last_ms = due > o->last_ms ? due : o->last_ms;
	g->due_ms = o->last_ms;
	g->at = 0;
	g->len = n;
	memcpy(g->data, data, n);
	DL_APPEND(o->segments, g);
	o->held += n;
	o->came += n;
	return true;
}

static ssize_t v_write(struct env_stream *stream, const uint8_t *data, size_t len, bool more)
{
	struct env_v_end *e = end_of(stream), *o = e->other;
	size_t done = 0, most = room(e);

	(void)more;
	if (e->state == FAILED || e->reset_ms <= now_of(e) || e->shut)
		return -E_IO;
	most = len < most ? len : most;
	if (e->state == OPEN && !o &&
	    e->reset_ms == NEVER) { /* no stream takes it, and a reset comes back */
		e->reset_ms = now_of(e) + 2 * (uint64_t)e->path.delay_ms;
		plan(e);
		return (ssize_t)most;
	}
	if (e->state != OPEN || !o || !most) {
		e->wants_write = true;
		plan(e);
		return -E_LATER;
	}
	while (done < most) {
		size_t n = most - done, cut = e->path.segment_max;

		if (cut && (cut = 1 + dice(e, (uint32_t)cut)) < n)
			n = cut;
		if (!put(o, data + done, n)) {
			env_virtual_stream_reset(stream);
			return -E_IO;
		}
		done += n;
	}
	plan(o);
	return (ssize_t)done;
}

static void v_shut(struct env_stream *stream)
{
	struct env_v_end *e = end_of(stream), *o = e->other;
	uint64_t at = now_of(e) + e->path.delay_ms;

	e->shut = true;
	if (!o)
		return;
	earliest(&o->end_ms, at > o->last_ms ? at : o->last_ms);
	plan(o);
}

static void v_want_read(struct env_stream *stream, bool want)
{
	struct env_v_end *e = end_of(stream);

	e->no_read = !want;
	plan(e);
}

static void v_kick(struct env_stream *stream)
{
	struct env_v_end *e = end_of(stream);

	e->kicked = true;
	plan(e);
}

static int v_listen(struct env *env, const struct env_listener_params *p, struct env_listener **out)
{
	struct env_v_streams *v = env_v_streams_of(env);
	struct env_v_listener *l;

	DL_FOREACH (v->listeners, l)
		if (addr_equal(&l->local, &p->local))
			return -E_IN_USE;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -E_NOMEM;
	l->listener.env = env;
	l->local = p->local;
	l->on_accept = p->on_accept;
	l->arg = p->arg;
	DL_APPEND(v->listeners, l);
	*out = &l->listener;
	return 0;
}

static void v_unlisten(struct env_listener *listener)
{
	struct env_v_listener *l = (struct env_v_listener *)listener;

	DL_DELETE(env_v_streams_of(listener->env)->listeners, l);
	free(l);
}

const struct env_stream_ops env_v_streams = {
    .open = v_open,
    .release = v_release,
    .close = v_close,
    .discard = v_discard,
    .pair = v_pair,
    .read = v_read,
    .write = v_write,
    .shut = v_shut,
    .want_read = v_want_read,
    .kick = v_kick,
    .listen = v_listen,
    .unlisten = v_unlisten,
};

void env_v_free_streams(struct env_v_streams *v)
{
	struct env_v_end *e, *next;
	struct env_v_listener *l, *l_next;

	DL_FOREACH_SAFE(v->ends, e, next)
	{
		free_segments(e);
		free(e);
	}
	DL_FOREACH_SAFE(v->listeners, l, l_next)
	free(l);
}

size_t env_virtual_streams(const struct env *env)
{
	struct env_v_end *e;
	size_t n;

	DL_COUNT(env_v_streams_of(env)->ends, e, n);
	return n;
}

size_t env_virtual_listeners(const struct env *env)
{
	struct env_v_listener *l;
	size_t n;

	DL_COUNT(env_v_streams_of(env)->listeners, l, n);
	return n;
}

uint64_t env_virtual_stream_came(const struct env_stream *s)
{
	return end_of(s)->came;
}

void env_virtual_stream_reset(struct env_stream *stream)
{
	struct env_v_end *e = end_of(stream);

	part(e, true);
	e->orphan = true;
	earliest(&e->reset_ms, now_of(e) + e->path.delay_ms);
	plan(e);
}
