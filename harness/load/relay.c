/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Relayed packets, as fast as the server goes or by a timetable.
 */
#include "harness/load/flows.h"
#include "harness/load/server.h"
#include "harness/load/tally.h"

#include <stdlib.h>

#define WINDOW_LEAST 64
#define WINDOW_MOST  512
#define STALL_MS     100       /* nothing came for so long: what is under way is lost */
#define ROUND_NS     40000000u /* a timetable is played again and again */
#define LATE_NS      1000000u
#define TAIL_MS      200 /* for what is under way at the end */
#define AUDIO        120
#define VIDEO        1100

static void on_packet(void *arg, uint64_t sent_ns)
{
	tally_done(arg, sent_ns, load_now_ns());
}

/* ---- a window ---- */

struct window {
	size_t under_way, most, next;
	bool from_peer;
};

static void fill(struct flows *f, struct window *w, const struct load *l)
{
	while (w->under_way < w->most) {
		if (!flows_send(f, w->next, w->from_peer, l->size, load_now_ns()))
			return; /* the system's buffer is full: take first */
		w->under_way++;
		if (++w->next == f->n) {
			w->next = 0;
			w->from_peer = !w->from_peer && !l->hairpin;
		}
	}
}

static void saturate(struct flows *f, const struct load *l, struct tally *t)
{
	struct window w = {.most = l->flows * 4};

	if (w.most < WINDOW_LEAST)
		w.most = WINDOW_LEAST;
	if (w.most > WINDOW_MOST)
		w.most = WINDOW_MOST;
	while (!f->closed && tally_goes_on(t, load_now_ns())) {
		size_t came;

		fill(f, &w, l);
		came = flows_take(f, STALL_MS, on_packet, t);
		if (!came)
			t->lost += t->counting ? w.under_way : 0;
		w.under_way = came && came < w.under_way ? w.under_way - came : 0;
	}
}

/* ---- a timetable ---- */

struct departure {
	uint32_t at_ns; /* within a round */
	uint32_t flow;
	uint16_t size;
	bool from_peer;
};

struct timetable {
	struct departure *v;
	size_t n, cap;
};

static int by_time(const void *a, const void *b)
{
	const struct departure *x = a, *y = b;

	return x->at_ns < y->at_ns ? -1 : x->at_ns > y->at_ns;
}

static void add(struct timetable *t, uint32_t at_ns, size_t flow, bool from_peer, size_t size)
{
	if (t->n < t->cap)
		t->v[t->n++] =
		    (struct departure){at_ns % ROUND_NS, (uint32_t)flow, (uint16_t)size, from_peer};
}

/* One direction of one flow: audio every 20 ms, the rest video, alone or in frames. */
static void add_media(struct timetable *t, const struct load *l, size_t flow, bool from_peer,
                      size_t packets)
{
	uint32_t phase = (uint32_t)((flow * 2 + from_peer) * UINT64_C(2654435761) % ROUND_NS);
	size_t burst = l->burst ? l->burst : 1, frames;

	if (!l->size && packets > 2)
		for (int i = 0; i < 2; i++, packets--)
			add(t, phase + (uint32_t)i * 20000000u, flow, from_peer, AUDIO);
	frames = (packets + burst - 1) / burst;
	for (size_t i = 0; i < packets; i++)
		add(t, phase + 5000000u + (uint32_t)(i / burst * (ROUND_NS / frames)), flow,
		    from_peer, l->size ? l->size : VIDEO);
}

static int make_timetable(struct timetable *t, const struct load *l, struct why *why)
{
	size_t ways = l->hairpin ? 1 : 2;
	size_t total = (size_t)l->pps * ROUND_NS / 1000000000u;

	t->n = 0;
	t->cap = total;
	t->v = calloc(total + 1, sizeof(*t->v));
	if (!t->v)
		return why_set(why, -E_NOMEM, "out of memory");
	for (size_t i = 0; i < l->flows * ways; i++) {
		size_t share = total * (i + 1) / (l->flows * ways) - total * i / (l->flows * ways);

		add_media(t, l, i / ways, i % ways, share);
	}
	qsort(t->v, t->n, sizeof(*t->v), by_time);
	return 0;
}

static void pace(struct flows *f, const struct timetable *t, struct tally *y)
{
	uint64_t round_ns = load_now_ns(), now, sent = 0;
	size_t next = 0;

	while (!f->closed && tally_goes_on(y, now = load_now_ns())) {
		while (next < t->n && round_ns + t->v[next].at_ns <= now) {
			const struct departure *d = &t->v[next++];

			if (now - round_ns - d->at_ns > LATE_NS)
				y->late += y->counting;
			if (!flows_send(f, d->flow, d->from_peer, d->size, now))
				y->held += y->counting;
			sent += y->counting;
			now = load_now_ns();
		}
		if (next == t->n && now >= round_ns + ROUND_NS) {
			round_ns += ROUND_NS;
			next = 0;
		}
		flows_take(f, 0, on_packet, y); /* never asleep: a core is ours */
	}
	while (!f->closed && flows_take(f, TAIL_MS, on_packet, y))
		;
	/* Messages under way at the end of the warm-up were received but not counted as sent. */
	y->lost = sent > y->done ? sent - y->done : 0;
}

int load_relay(const struct load *l, struct server *s, double seconds, struct measure *m,
               struct why *why)
{
	struct timetable table = {0};
	struct tally t = {0};
	struct flows f;
	int r = flows_open(&f, l, s->transport, why);

	if (!r && l->kind == LOAD_PACED)
		r = make_timetable(&table, l, why);
	if (!r)
		r = tally_start(&t, s, seconds, why);
	if (!r) {
		if (l->kind == LOAD_PACED)
			pace(&f, &table, &t);
		else
			saturate(&f, l, &t);
		r = f.closed
		        ? why_set(why, -E_CLOSED, "%s has closed a client's connection", s->name)
		        : tally_end(&t, m, why);
	}
	free(t.sample);
	free(table.v);
	flows_close(&f);
	return r;
}
