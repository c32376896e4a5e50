/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients of a hub that send to each other, in pairs: for each message received one is sent, so
 * that a full window is always under way; or they send by a timetable. Each message is numbered, so
 * that one that is missing, comes twice or out of order is noticed.
 */
#include "base/clock.h"
#include "harness/load/crowd.h"
#include "harness/load/signal.h"
#include "harness/load/tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW   50
#define TOGETHER 50 /* clients that join at a time */
#define QUIET_MS 500
#define DRAIN_MS 3000 /* for what is still under way at the end */
#define OUT_MAX  4096

struct pair_end {
	uint64_t sent, got, last; /* last: number of the last one that came */
};

struct routed {
	struct crowd crowd;
	struct pair_end *end;
	const struct load *load;
	struct tally tally;
	uint64_t sent, got;
	bool over; /* no more is sent */
	int err;
	struct why why;
};

static void send_one(struct routed *t, struct crowd_client *p)
{
	struct pair_end *e = &t->end[p->ws.number];
	char text[OUT_MAX], name[CROWD_NAME_MAX];
	size_t len;

	crowd_name(&t->crowd, p->ws.number ^ 1, name);
	len = (size_t)snprintf(text, sizeof(text),
	                       "{\"type\":\"load\",\"target\":\"%s\",\"at\":\"%" PRIu64
	                       "\",\"n\":\"%" PRIu64 "\",\"pad\":\"",
	                       name, load_now_ns(), ++e->sent);
	while (len + 2 < t->load->size && len + 2 < sizeof(text))
		text[len++] = 'x';
	memcpy(text + len, "\"}", 2);
	t->sent++;
	if (ws_send(&p->ws, text, len + 2) && !t->err)
		t->err = why_set(&t->why, -E_CLOSED, "a client's connection is broken");
}

/* The number in a string: its quotation mark ends it. */
static uint64_t number(const char *text, size_t len, const char *key)
{
	const char *at = crowd_find(text, len, key);

	return at ? strtoull(at, NULL, 10) : 0;
}

static void on_text(struct crowd_client *p, const char *text, size_t len)
{
	struct routed *t = p->crowd->owner;
	struct pair_end *e = &t->end[p->ws.number];
	uint64_t n;

	if (!crowd_find(text, len, "\"type\":\"load\"") || text[len - 1] != '}')
		return;
	n = number(text, len, "\"n\":\"");
	if (n <= e->last && !t->err)
		t->err =
		    why_set(&t->why, -E_PARSE,
		            "message %" PRIu64 " came after %" PRIu64 ": twice or out of order", n,
		            e->last);
	e->last = n;
	e->got++;
	t->got++;
	tally_done(&t->tally, number(text, len, "\"at\":\""), load_now_ns());
	if (!t->over && !t->load->pps)
		send_one(t, p);
}

static void on_gone(struct crowd_client *p)
{
	struct routed *t = p->crowd->owner;

	if (!t->err)
		t->err = why_set(&t->why, -E_CLOSED,
		                 "the server closed a client's connection (code %u)", p->ws.closed);
}

static void by_timetable(struct routed *t, uint64_t start_ns, uint64_t *k)
{
	uint64_t now = load_now_ns();

	while (start_ns + *k * 1000000000u / t->load->pps <= now)
		send_one(t, &t->crowd.client[(*k)++ % t->crowd.n]);
}

static void send_and_answer(struct routed *t, struct server *s, double seconds)
{
	uint64_t start_ns = load_now_ns(), k = 0;
	int64_t drained;

	t->err = tally_start(&t->tally, s, seconds, &t->why);
	for (size_t i = 0; i < WINDOW && !t->err && !t->load->pps; i++)
		send_one(t, &t->crowd.client[i % t->crowd.n]);
	while (!t->err && tally_goes_on(&t->tally, load_now_ns())) {
		if (t->load->pps)
			by_timetable(t, start_ns, &k);
		crowd_run(&t->crowd, t->load->pps ? 1 : 100);
	}
	t->over = true;
	drained = clock_mono_ms() + DRAIN_MS;
	while (!t->err && t->got < t->sent && clock_mono_ms() < drained)
		crowd_run(&t->crowd, 100);
	t->tally.lost = t->sent - t->got;
}

int load_routed(const struct load *l, struct server *s, enum ws_wire wire, double seconds,
                struct measure *m, struct why *why)
{
	struct routed t = {.load = l};
	int r;

	t.end = calloc(l->flows, sizeof(*t.end));
	r = t.end ? crowd_init(&t.crowd, l->flows, wire, s->port, why)
	          : why_set(why, -E_NOMEM, "out of memory");
	t.crowd.patience_ms = s->patience_ms;
	t.crowd.owner = &t;
	t.crowd.text = on_text;
	if (s->no_lists)
		t.crowd.expect = 1;
	if (!r)
		r = crowd_gather(&t.crowd, TOGETHER, QUIET_MS, why);
	t.crowd.gone = on_gone;
	if (!r) {
		memcpy(s->tls, t.crowd.tls, sizeof(s->tls));
		send_and_answer(&t, s, seconds);
		r = t.err ? why_set(why, t.err, "%s", t.why.text) : tally_end(&t.tally, m, why);
	}
	crowd_free(&t.crowd);
	free(t.tally.sample);
	free(t.end);
	return r;
}
