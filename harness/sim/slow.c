/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients that do not read.
 */
#include "harness/sim/slow.h"

#include "base/bytes.h"
#include "harness/sim/net.h"
#include "harness/sim/turn_client.h"

#include <stdlib.h>
#include <utlist.h>

#define READY_MS   2000 /* permission and channel are there */
#define ASK_MS     6000 /* since the flood began */
#define READ_MS    2000 /* what was kept comes out */
#define AFTER_MS   100
#define AFTER_N    8 /* a few may get lost */
#define FLOOD_GAP  8
#define FLOOD_LEAN 200

enum phase { ASKS, FLOODS, READS, ENDS };

struct slow {
	struct slow *prev, *next;
	struct sim *sim;
	struct tc *tc;
	struct env_udp *peer;
	struct env_timer *timer;
	enum phase phase;
	uint64_t until_ms, ask_ms;
	uint32_t call, sent, left;
	unsigned int heard; /* since it reads again */
	bool lost;
};

static void end(struct slow *w)
{
	DL_DELETE(w->sim->slow, w);
	tc_close(w->tc, false);
	env_udp_close(w->peer);
	env_timer_free(w->timer);
	free(w);
}

void slow_free_all(struct sim *s)
{
	while (s->slow)
		end(s->slow);
}

static struct ep peer_of(const struct slow *w)
{
	return ep_of(&w->peer->local);
}

static void on_event(void *arg, struct tc *tc, enum tc_event event)
{
	struct slow *w = arg;

	if (event == TC_FAILED || event == TC_LOST)
		w->lost = true;
	if (event != TC_READY)
		return;
	tc_permit(tc, peer_of(w));
	if (w->call % 2)
		tc_bind(tc, peer_of(w));
	env_timer_set(w->timer, READY_MS);
}

static void on_data(void *arg, struct tc *tc, struct ep peer, bool relayed, const uint8_t *data,
                    size_t len)
{
	struct slow *w = arg;

	(void)tc;
	(void)data;
	(void)len;
	w->heard += relayed && ep_equal(peer, peer_of(w)) && w->phase == ENDS;
}

static const struct tc_user user = {.event = on_event, .data = on_data};

/* Peers of the simulation write 0x90 and the call's number. */
static void flood(struct slow *w)
{
	uint8_t p[1200] = {0x90};
	struct addr to = ep_addr(tc_relayed(w->tc));

	bytes_put32(p + 2, w->call);
	env_udp_send(w->peer, &to, p, FLOOD_LEAN + w->sent * 37 % (sizeof(p) - FLOOD_LEAN));
	w->sent++;
}

static void on_timer(void *arg)
{
	struct slow *w = arg;
	uint64_t now = sim_now(w->sim);
	struct ep other = {peer_of(w).ip + 1, 9, 0};

	if (w->lost) {
		end(w);
		return;
	}
	switch (w->phase) {
	case ASKS:
		w->phase = FLOODS;
		w->until_ms = now + 8000 + sim_dice(w->sim, 10000);
		w->ask_ms = now + ASK_MS;
		tc_set_reads(w->tc, false);
		env_timer_set(w->timer, FLOOD_GAP);
		return;
	case FLOODS:
		flood(w);
		if (w->ask_ms && w->ask_ms <= now) {
			w->ask_ms = 0;
			tc_permit(w->tc, other);
		}
		env_timer_set(w->timer, FLOOD_GAP);
		if (w->until_ms > now)
			return;
		w->phase = READS;
		tc_set_reads(w->tc, true);
		env_timer_set(w->timer, READ_MS);
		return;
	case READS:
		w->phase = ENDS;
		w->left = AFTER_N;
		/* fall through */
	case ENDS:
		if (w->left--) {
			flood(w);
			env_timer_set(w->timer, AFTER_MS);
			return;
		}
		sim_check(w->sim, SIM_BACKLOG, w->heard > 0, w->call,
		          "a client that reads again hears nothing");
		end(w);
	}
}

void slow_start(struct agent *a)
{
	struct sim *s = a->sim;
	struct tc_options o = {.agent = a->number,
	                       .call = ++s->last_call,
	                       .node = sim_dice(s, s->conf.nodes),
	                       .no_binding = true,
	                       .tcp = true};
	struct env_udp_params p = {.local = ep_addr(sim_net_flooder()), .fd = -1};
	struct slow *w = calloc(1, sizeof(*w));

	if (!w)
		return;
	w->sim = s;
	w->call = o.call;
	DL_APPEND(s->slow, w);
	w->timer = env_timer_new(s->env, on_timer, w);
	if (!w->timer || env_udp_open(s->env, &p, &w->peer) || !(w->tc = tc_new(s, &o, &user, w))) {
		end(w);
		return;
	}
	s->counts.slow++;
	env_timer_set(w->timer, 30000); /* without an allocation by then, it ends */
}
