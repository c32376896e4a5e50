/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The addresses that are served and relayed from, which come and go while the
 * host changes: what is built on one that has gone ends, and nothing else.
 */
#include "turn/state.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

int turn_listen(struct turn *t, const struct turn_listener_conf *conf)
{
	struct turn_listener *l = calloc(1, sizeof(*l));
	struct env_udp_params p = {
	    .local = conf->local, .fd = conf->fd, .on_batch = turn_on_client_batch, .arg = l};
	int r;

	if (!l)
		return -E_NOMEM;
	l->side = (struct turn_side){.turn = t,
	                             .number = ++t->sides,
	                             .protocol = TURN_UDP,
	                             .relay4 = conf->relay4,
	                             .relay6 = conf->relay6};
	r = env_udp_open(t->env, &p, &l->udp);
	if (r) {
		free(l);
		return r;
	}
	l->discovery = conf->discovery;
	l->external = conf->local;
	if (addr_family(&conf->external) != AF_UNSPEC)
		l->external = conf->external;
	addr_put_port(&l->external, addr_port(&l->udp->local));
	l->next = t->listeners;
	t->listeners = l;
	turn_find_counterparts(t);
	return 0;
}

/* The clients that came in here are out of reach. One with a ticket may come back elsewhere. */
static void end_clients(struct turn_listener *l)
{
	struct turn *t = l->side.turn;
	struct turn_alloc *a, *next;
	struct turn_parked *p, *next_parked;

	if (t->net)
		t->net->lost(t->net_ctx, l->udp);
	for (size_t i = 0; i < TURN_WHEEL_SLOTS; i++) { /* the doomed are there, too */
		DL_FOREACH_SAFE(t->wheel[i], a, next)
		{
			turn_mobile_side_lost(a, &l->side);
			if (a->path.side == &l->side && !turn_mobile_lost(a, &a->tuple))
				turn_alloc_close(a, TURN_CLOSE_ADDRESS);
		}
	}
	DL_FOREACH_SAFE(t->parked, p, next_parked)
	if (p->path.side == &l->side)
		turn_unpark(t, p);
}

static void unlisten(struct turn_listener *l)
{
	struct turn *t = l->side.turn;

	end_clients(l);
	LL_DELETE(t->listeners, l);
	for (struct turn_listener *o = t->listeners; o; o = o->next)
		if (o->other == l || o->other_ip == l || o->other_port == l)
			o->other = o->other_ip = o->other_port = NULL;
	env_udp_close(l->udp);
	free(l);
	turn_find_counterparts(t);
}

static struct turn_listener *find(struct turn *t, const struct addr *local)
{
	struct turn_listener *l;

	for (l = t->listeners; l && !addr_equal(&l->udp->local, local);)
		l = l->next;
	return l;
}

static bool is_wanted(const struct turn_listener *l, const struct turn_listener_conf *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&v[i].local, &l->udp->local))
			return true;
	return false;
}

int turn_set_listeners(struct turn *t, const struct turn_listener_conf *v, size_t n)
{
	struct turn_listener *l, *next;
	int r = 0;

	t->now_ms = env_now_ms(t->env);
	for (l = t->listeners; l; l = next) {
		next = l->next;
		if (!is_wanted(l, v, n))
			unlisten(l);
	}
	for (size_t i = 0; i < n; i++) {
		int one = 0;

		l = find(t, &v[i].local);
		if (l) {
			l->side.relay4 = v[i].relay4;
			l->side.relay6 = v[i].relay6;
		}
		if (l && v[i].gone)
			end_clients(l);
		if (!l)
			one = turn_listen(t, &v[i]);
		if ((l || one) && v[i].fd >= 0)
			env_udp_discard(t->env, v[i].fd);
		r = r ? r : one;
	}
	return r;
}

void turn_end_lost_relays(struct turn *t, const struct turn_conf *fresh)
{
	struct turn_alloc *a, *next;

	HASH_ITER (hh, t->allocs, a, next) {
		unsigned int over = 0;

		for (int i = 0; i < 2; i++) {
			size_t k;

			if (!a->half[i].expires_ms)
				continue;
			k = (size_t)(a->half[i].via - t->conf.relay);
			if (fresh->relay[k].presence == TURN_GONE ||
			    !addr_equal_ip(&fresh->relay[k].local, &t->conf.relay[k].local))
				over |= 1u << i;
		}
		if (over && turn_alloc_end_halves(a, over))
			turn_alloc_close(a, TURN_CLOSE_ADDRESS);
	}
}

int turn_usable_relay(const struct turn *t, int relay, int family)
{
	if (relay == TURN_NO_RELAY || t->conf.relay[relay].presence == TURN_HERE)
		return relay;
	for (size_t i = 0; i < t->conf.relay_n; i++) {
		const struct turn_relay *r = &t->conf.relay[i];

		if (r->presence == TURN_HERE && addr_family(&r->local) == family &&
		    !addr_is_loopback(&r->local))
			return (int)i;
	}
	return relay;
}
