/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One end of a call.
 */
#include "harness/sim/leg.h"

#include "base/bytes.h"
#include "harness/sim/net.h"
#include "harness/sim/turn_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS      200
#define PAIRS_MAX    40
#define PAIRS_DIRECT 24
#define CHECKS_MAX   14
#define WINDOW_MS    6000 /* the direct pairs' time since the last news */
#define WINDOW_MAX   15000
#define CONNECT_MS   30000 /* then once more from the start */
#define SILENCE_MS   20000 /* RFC 7675: consent is gone after 30 s; we are quicker */
#define LOST_MS      90000 /* by then a call must be back */
#define REMOTES_MAX  8

/* A packet of ours:
 *  | 0x90 | kind | call (4) | sender (4) | generation (4) | number (4) | nominated | filler */
#define HEAD_LEN 19
enum kind { CHECK = 1, ANSWER, MEDIA };

struct pair {
	struct ep remote;
	bool relayed; /* sent through our allocation */
	bool good;
	int rank; /* relays on the way */
	unsigned int tries;
	uint64_t next_ms;
};

struct leg {
	struct agent *agent;
	struct call *call;
	bool caller;
	uint32_t gen;
	struct tc *tc, *second;
	struct env_timer *timer;
	struct ep remote[REMOTES_MAX];
	size_t remotes;
	struct pair pair[PAIRS_MAX];
	size_t pairs;
	struct pair *nominated; /* the caller's */
	struct pair *selected;
	uint64_t started_ms, news_ms, heard_ms, media_ms;
	uint64_t well_ms; /* when media last came, or the call began */
	uint64_t partner_gone_ms;
	uint32_t media_n;
	uint32_t heard_n; /* number of the last message of the partner */
	bool asked_restart;
};

static struct sim *sim_of(const struct leg *l)
{
	return l->agent->sim;
}

struct agent *leg_partner(const struct leg *l)
{
	return l->call->end[l->caller];
}

struct call *leg_call(const struct leg *l)
{
	return l->call;
}

bool leg_uses_node(const struct leg *l, unsigned int node)
{
	return l->tc && tc_node(l->tc) == node;
}

static bool is_relay(struct ep e)
{
	return e.ip >> 24 == sim_net_node_ip(0) >> 24;
}

/* Byte i of the sender's packet n. */
static uint8_t filler(uint32_t sender, uint32_t n, size_t i)
{
	return (uint8_t)(sender * 31 + n * 17 + i * 7);
}

static void send_packet(struct leg *l, enum kind kind, struct ep to, bool relayed, uint32_t n,
                        bool nominated, size_t len)
{
	uint8_t p[1200] = {0x90, (uint8_t)kind};

	bytes_put32(p + 2, l->call->number);
	bytes_put32(p + 6, l->agent->number);
	bytes_put32(p + 10, l->gen);
	bytes_put32(p + 14, n);
	p[18] = nominated;
	for (size_t i = HEAD_LEN; i < len; i++)
		p[i] = filler(l->agent->number, n, i);
	if (relayed)
		tc_send_relayed(l->tc, to, p, len);
	else
		tc_send(l->tc, to, p, len);
}

/* ---- pairs ---- */

static struct pair *find_pair(struct leg *l, struct ep remote, bool relayed)
{
	for (size_t i = 0; i < l->pairs; i++)
		if (l->pair[i].relayed == relayed && ep_equal(l->pair[i].remote, remote))
			return &l->pair[i];
	return NULL;
}

static struct pair *add_pair(struct leg *l, struct ep remote, bool relayed)
{
	struct pair *p = find_pair(l, remote, relayed);
	int rank = relayed + is_relay(remote);

	if (p)
		return p;
	if (l->pairs == PAIRS_MAX || (!rank && l->pairs >= PAIRS_DIRECT))
		return NULL;
	p = &l->pair[l->pairs++];
	*p = (struct pair){
	    .remote = remote, .relayed = relayed, .rank = rank, .next_ms = sim_now(sim_of(l))};
	l->news_ms = sim_now(sim_of(l));
	return p;
}

static void pair_up(struct leg *l, struct ep remote)
{
	add_pair(l, remote, false);
	if (!tc_relayed(l->tc).port)
		return;
	tc_permit(l->tc, remote);
	add_pair(l, remote, true);
}

static void check_pair(struct leg *l, struct pair *p, bool nominate)
{
	p->tries++;
	p->next_ms = sim_now(sim_of(l)) + TICK_MS * (p->tries < 4 ? 1 : p->tries < 8 ? 2 : 4);
	send_packet(l, CHECK, p->remote, p->relayed, (uint32_t)(p - l->pair), nominate,
	            HEAD_LEN + 8);
}

static void check_pairs(struct leg *l)
{
	uint64_t now = sim_now(sim_of(l));

	for (size_t i = 0; i < l->pairs; i++) {
		struct pair *p = &l->pair[i];

		if (!p->good && p->tries < CHECKS_MAX && p->next_ms <= now)
			check_pair(l, p, false);
	}
}

/* Among pairs of one rank, the call's number decides which is better, as priorities would. */
static bool is_better(const struct leg *l, const struct pair *a, const struct pair *b)
{
	if (!b || a->rank != b->rank)
		return !b || a->rank < b->rank;
	return (l->call->number % 2 != 0) == a->relayed && a->relayed != b->relayed;
}

static void nominate(struct leg *l)
{
	uint64_t now = sim_now(sim_of(l));
	struct pair *best = NULL;

	if (l->nominated && l->nominated->tries >= 2 * CHECKS_MAX) { /* it was good once */
		l->nominated->good = false;
		l->nominated = NULL;
	}
	if (!l->nominated) {
		for (size_t i = 0; i < l->pairs; i++)
			if (l->pair[i].good && is_better(l, &l->pair[i], best))
				best = &l->pair[i];
		if (!best || (best->rank && now < l->news_ms + WINDOW_MS &&
		              now < l->started_ms + WINDOW_MAX))
			return;
		best->tries = 0;
		best->next_ms = now;
		l->nominated = best;
	}
	if (l->nominated->next_ms <= now)
		check_pair(l, l->nominated, true);
}

static void check_theory(struct leg *l, const struct pair *p)
{
	struct sim *s = sim_of(l);
	struct agent *o = leg_partner(l);
	bool direct = sim_net_direct(l->agent->home, o->home);

	/* While something breaks, a call may take the relay that would not need it. */
	if (p->rank && l->call->fault_ms + LOST_MS > l->started_ms && l->call->fault_ms)
		return;
	sim_check(s, SIM_THEORY, direct == !p->rank, l->call->number,
	          "%s and %s: a direct path is %s, the call took %d relays",
	          l->agent->home->kind->name, o->home->kind->name, direct ? "there" : "impossible",
	          p->rank);
}

static void select_pair(struct leg *l, struct pair *p)
{
	uint64_t now = sim_now(sim_of(l));

	if (l->selected == p)
		return;
	if (!l->selected) {
		l->heard_ms = now;
		l->media_ms = now + sim_dice(sim_of(l), 200);
	}
	l->selected = p;
	if (p->relayed && l->call->number % 8) /* some make do with Send indications */
		tc_bind(l->tc, p->remote);
	if (!l->caller)
		return;
	sim_note(sim_of(l), l->call->number, p->rank ? "relayed" : "direct", tc_host(l->tc),
	         p->remote, (uint32_t)p->rank);
	sim_check(sim_of(l), SIM_THROUGH, true, 0, " ");
	l->call->established = true;
	l->call->rank = p->rank;
	check_theory(l, p);
}

/* ---- packets of the other end ---- */

static void on_check(struct leg *l, struct ep peer, bool relayed, uint32_t n, bool nominated)
{
	struct pair *p = add_pair(l, peer, relayed); /* peer-reflexive, if it is new */

	send_packet(l, ANSWER, peer, relayed, n, nominated, HEAD_LEN + 8);
	if (!p)
		return;
	if (relayed)
		tc_permit(l->tc, peer);
	if (!p->good && !nominated && p->tries > 3) { /* a triggered check */
		p->tries = 3;
		p->next_ms = sim_now(sim_of(l));
	}
	if (nominated && !l->caller)
		select_pair(l, p);
}

static void on_answer(struct leg *l, struct ep peer, bool relayed, uint32_t n, bool nominated)
{
	struct pair *p = n < l->pairs ? &l->pair[n] : NULL;

	/* RFC 8445 section 7.2.5.2.1: it comes from where the check went, or does not count. */
	if (!p || p->relayed != relayed || !ep_equal(p->remote, peer))
		return;
	p->good = true;
	if (nominated && l->caller && p == l->nominated)
		select_pair(l, p);
}

static void on_media(struct leg *l, const uint8_t *data, size_t len)
{
	uint32_t sender = bytes_get32(data + 6), n = bytes_get32(data + 14);
	bool same = true;

	for (size_t i = HEAD_LEN; same && i < len; i++)
		same = data[i] == filler(sender, n, i);
	sim_check(sim_of(l), SIM_PAYLOAD, same, l->call->number, "media of %zu bytes came changed",
	          len);
	l->heard_ms = l->well_ms = sim_now(sim_of(l));
}

static void on_data(void *arg, struct tc *tc, struct ep peer, bool relayed, const uint8_t *data,
                    size_t len)
{
	struct leg *l = arg;
	uint32_t n;

	(void)tc;
	if (len < HEAD_LEN || data[0] != 0x90)
		return;
	sim_check(sim_of(l), SIM_PEER, bytes_get32(data + 6) != l->agent->number, l->call->number,
	          "a packet came back to its sender");
	if (bytes_get32(data + 2) != l->call->number || bytes_get32(data + 10) != l->gen)
		return; /* of another call, by an address used again; or of before a restart */
	n = bytes_get32(data + 14);
	if (data[1] == CHECK)
		on_check(l, peer, relayed, n, data[18]);
	else if (data[1] == ANSWER)
		on_answer(l, peer, relayed, n, data[18]);
	else
		on_media(l, data, len);
}

/* ---- life ---- */

static void say_candidate(struct leg *l, struct ep e)
{
	char more[64];

	snprintf(more, sizeof(more), ",\"address\":\"%08x:%u\"", e.ip, e.port);
	agent_say(l->agent, leg_partner(l), "new-ice-candidate", l->call, more);
}

static const struct tc_user second_user;

static void claim_pair(struct leg *l)
{
	struct tc_options o = {.agent = l->agent->number,
	                       .call = l->call->number,
	                       .node = tc_node(l->tc),
	                       .token = tc_token(l->tc),
	                       .no_binding = true};

	if (o.token && !l->second)
		l->second = tc_new(sim_of(l), &o, &second_user, l);
}

static void on_event(void *arg, struct tc *tc, enum tc_event event)
{
	struct leg *l = arg;

	switch (event) {
	case TC_MAPPED:
		l->news_ms = sim_now(sim_of(l));
		say_candidate(l, tc_mapped(tc));
		break;
	case TC_READY:
		l->news_ms = sim_now(sim_of(l));
		say_candidate(l, tc_relayed(tc));
		for (size_t i = 0; i < l->remotes; i++)
			pair_up(l, l->remote[i]);
		claim_pair(l);
		break;
	case TC_FAILED:
	case TC_LOST:
		/* seen by the silence that follows, if the path needs it */
		l->call->fault_ms = sim_now(sim_of(l));
		break;
	}
}

static const struct tc_user user = {.event = on_event, .data = on_data};

static void on_second_event(void *arg, struct tc *tc, enum tc_event event)
{
	struct leg *l = arg;

	/* 508: the thirty seconds are over */
	if (event == TC_FAILED && tc_code(tc) != 508 && tc_code(tc) != 486)
		l->call->fault_ms = sim_now(sim_of(l));
}

static const struct tc_user second_user = {.event = on_second_event, .data = on_data};

static void gather(struct leg *l)
{
	static const uint32_t lifetimes[] = {0, 0, 600, 900, 1800, 5000};
	struct sim *s = sim_of(l);
	struct tc_options o = {.agent = l->agent->number,
	                       .call = l->call->number,
	                       .node = sim_dice(s, s->conf.nodes),
	                       .lifetime_s = lifetimes[sim_dice(s, 6)],
	                       .even = !sim_dice(s, 12),
	                       .lax = !sim_dice(s, 10)};

	o.pair = o.even && sim_dice(s, 2);
	l->started_ms = l->news_ms = l->heard_ms = sim_now(s);
	l->gen = l->call->gen;
	l->tc = tc_new(s, &o, &user, l);
	if (l->tc)
		say_candidate(l, tc_host(l->tc));
	env_timer_set(l->timer, TICK_MS);
}

static void send_media(struct leg *l)
{
	struct sim *s = sim_of(l);
	uint64_t gap_ms = UINT64_C(1000000) / s->conf.rate_mhz;
	size_t len = l->media_n % 50 ? 40 + l->media_n * 37 % 160 : 1100;

	if (s->conf.broken != BREAK_DEAF || l->call->number % 40)
		send_packet(l, MEDIA, l->selected->remote, l->selected->relayed, l->media_n, false,
		            len);
	l->media_n++;
	l->media_ms = sim_now(s) + gap_ms * 4 / 5 + sim_dice(s, (uint32_t)(gap_ms * 2 / 5) + 1);
}

static void on_timer(void *arg)
{
	struct leg *l = arg;
	uint64_t now = sim_now(sim_of(l));

	if (!l->tc)
		return;
	if (l->selected && l->media_ms <= now)
		send_media(l);
	if (!l->selected) {
		check_pairs(l);
		if (l->caller)
			nominate(l);
		env_timer_set(l->timer, TICK_MS);
	} else {
		env_timer_set(l->timer, l->media_ms > now ? l->media_ms - now : 1);
	}
}

struct leg *leg_new(struct agent *a, struct call *c, bool caller)
{
	struct leg *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->agent = a;
	l->call = c;
	l->caller = caller;
	l->timer = env_timer_new(a->sim->env, on_timer, l);
	if (!l->timer) {
		free(l);
		return NULL;
	}
	l->well_ms = sim_now(a->sim);
	c->legs++;
	if (caller) {
		agent_say(a, leg_partner(l), "video-offer", c, "");
		gather(l);
	}
	return l;
}

static void drop_clients(struct leg *l, bool word)
{
	tc_close(l->tc, word);
	tc_close(l->second, word);
	l->tc = l->second = NULL;
}

void leg_free(struct leg *l, bool word)
{
	if (!l)
		return;
	drop_clients(l, word);
	env_timer_free(l->timer);
	l->call->legs--;
	free(l);
}

void leg_restart(struct leg *l)
{
	sim_note(sim_of(l), l->call->number, "restart", (struct ep){l->agent->ip, 0, 0},
	         (struct ep){0, 0, 0}, l->call->gen);
	drop_clients(l, true);
	l->remotes = l->pairs = 0;
	l->nominated = l->selected = NULL;
	l->asked_restart = false;
	if (l->caller) {
		sim_of(l)->counts.restarts++;
		agent_say(l->agent, leg_partner(l), "video-offer", l->call, "");
	}
	gather(l);
}

static void once_more(struct leg *l)
{
	if (l->caller) {
		l->call->gen++;
		leg_restart(l);
	} else if (!l->asked_restart) {
		l->asked_restart = true;
		agent_say(l->agent, leg_partner(l), "restart", l->call, "");
	}
}

void leg_tick(struct leg *l)
{
	struct sim *s = sim_of(l);
	uint64_t now = sim_now(s), since = l->call->fault_ms;
	struct agent *o = leg_partner(l);
	bool there = o->leg && leg_call(o->leg) == l->call;

	if (since < l->call->started_ms)
		since = l->call->started_ms;
	/* The end of the other is known when it is gone; we are to be told. */
	if (there || now < l->call->started_ms + 5000)
		l->partner_gone_ms = 0;
	else if (!l->partner_gone_ms)
		l->partner_gone_ms = now;
	if (l->partner_gone_ms) {
		if (now > l->partner_gone_ms + LOST_MS) {
			sim_check(s, SIM_HUB_GONE, false, l->call->number,
			          "agent %u was never told that its partner is gone",
			          l->agent->number);
			l->call->ends_ms = now;
		}
		return;
	}
	if (now > (since > l->well_ms ? since : l->well_ms) + LOST_MS) {
		sim_check(s, SIM_THROUGH, false, l->call->number,
		          "%s and %s: no media for %u s, %u s after the last fault",
		          l->agent->home->kind->name, o->home->kind->name,
		          (unsigned int)((now - l->well_ms) / 1000),
		          (unsigned int)((now - since) / 1000));
		l->call->ends_ms = now;
		return;
	}
	if (!l->tc || now > (l->selected ? l->heard_ms + SILENCE_MS : l->started_ms + CONNECT_MS))
		once_more(l);
}

static void on_candidate(struct leg *l, const char *text)
{
	unsigned int ip, port;
	struct ep e;

	if (!text || sscanf(text, "%8x:%u", &ip, &port) != 2 || !l->tc)
		return;
	e = (struct ep){ip, (uint16_t)port, 0};
	if (l->remotes < REMOTES_MAX)
		l->remote[l->remotes++] = e;
	pair_up(l, e);
}

static void on_offer(struct leg *l, const struct leg_message *m)
{
	if (l->caller || m->gen <= l->gen)
		return;
	agent_say(l->agent, leg_partner(l), "video-answer", l->call, "");
	if (l->tc)
		leg_restart(l);
	else
		gather(l);
}

void leg_message(struct leg *l, const struct leg_message *m)
{
	if (m->from != leg_partner(l)->number || (m->call && m->call != l->call->number)) {
		/* unknown-target: it crashed before we called. */
		if (!strcmp(m->type, "error") && !l->call->established)
			l->call->ends_ms = sim_now(sim_of(l));
		return;
	}
	if (m->n) {
		sim_check(sim_of(l), SIM_HUB_ORDER, m->n > l->heard_n, l->call->number,
		          "message %u of agent %u came after %u", m->n, m->from, l->heard_n);
		l->heard_n = m->n;
	}
	if (!strcmp(m->type, "hang-up")) {
		l->agent->leg = NULL;
		leg_free(l, true);
	} else if (!strcmp(m->type, "video-offer")) {
		on_offer(l, m);
	} else if (!strcmp(m->type, "restart") && l->caller && m->gen == l->gen) {
		once_more(l);
	} else if (!strcmp(m->type, "new-ice-candidate") && m->gen == l->gen) {
		on_candidate(l, m->address);
	}
}
