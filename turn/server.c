/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The life of one worker's server.
 */
#include "turn/state.h"

#include "base/error.h"
#include "turn/limiter.h"
#include "turn/ports.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define TICK_MS 1000

static void on_tick(void *arg)
{
	struct turn *t = arg;

	t->now_ms = env_now_ms(t->env);
	turn_allocs_expire(t);
	turn_conns_expire(t);
	turn_expire_parked(t);
	for (size_t i = 0; i < t->conf.relay_n; i++)
		turn_ports_expire(t->conf.relay[i].ports, t->now_ms, t->conf.quota);
	env_timer_set(t->tick, TICK_MS);
}

static bool is_behind_nat(const struct turn_conf *conf)
{
	for (size_t i = 0; i < conf->relay_n; i++)
		if (!addr_equal_ip(&conf->relay[i].local, &conf->relay[i].external))
			return true;
	return false;
}

static void free_parts(struct turn *t)
{
	turn_journal_free(t->journal);
	env_timer_free(t->tick);
	turn_nonces_free(t->nonces);
	turn_limiter_free(t->unauth);
	turn_limiter_free(t->guesses);
	turn_limiter_free(t->bindings);
	turn_locks_free(t);
	free(t);
}

struct turn *turn_new(struct env *env, const struct turn_conf *conf,
                      const struct turn_auth_ops *auth, void *auth_ctx)
{
	struct turn *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->env = env;
	t->conf = *conf;
	t->auth = auth;
	t->auth_ctx = auth_ctx;
	t->behind_nat = is_behind_nat(conf);
	t->now_ms = env_now_ms(env);
	t->wheel_s = t->now_ms / 1000;
	env_random(env, t->indication_tid, sizeof(t->indication_tid));
	turn_challenge_init(t);
	t->tick = env_timer_new(env, on_tick, t);
	t->nonces = turn_nonces_new(env, conf->worker);
	t->unauth = turn_limiter_new(env, conf->unauth_rate);
	t->guesses = turn_limiter_new(env, conf->unauth_rate);
	t->bindings = turn_limiter_new(env, conf->binding_rate);
	t->journal = conf->explain_sessions ? turn_journal_new(conf->explain_sessions) : NULL;
	if (!t->tick || !t->nonces || !t->unauth || !t->guesses || !t->bindings ||
	    (conf->explain_sessions && !t->journal)) {
		free_parts(t);
		return NULL;
	}
	env_timer_set(t->tick, TICK_MS);
	return t;
}

void turn_free(struct turn *t)
{
	struct turn_alloc *a, *next_alloc;
	struct turn_parked *p, *next_parked;
	struct turn_listener *l;

	if (!t)
		return;
	HASH_ITER (hh, t->allocs, a, next_alloc)
		turn_alloc_close(a, TURN_CLOSE_SHUTDOWN);
	for (size_t i = 0; i < TURN_WHEEL_SLOTS; i++) /* and the doomed */
		while (t->wheel[i])
			turn_alloc_close(t->wheel[i], TURN_CLOSE_SHUTDOWN);
	DL_FOREACH_SAFE(t->parked, p, next_parked)
	free(p);
	assert(!t->links);
	while ((l = t->listeners)) {
		t->listeners = l->next;
		env_udp_close(l->udp);
		free(l);
	}
	free_parts(t);
}

void turn_set_net(struct turn *t, const struct turn_net_ops *ops, void *ctx)
{
	t->net = ops;
	t->net_ctx = ctx;
}

void turn_set_nonce_key(struct turn *t, const uint8_t key[TURN_NONCE_KEY_LEN])
{
	turn_nonces_set_key(t->nonces, key);
}

void turn_set_conf(struct turn *t, const struct turn_conf *conf)
{
	const struct turn_conf old = t->conf;
	struct turn_alloc *a, *next;

	t->now_ms = env_now_ms(t->env);
	turn_end_lost_relays(t, conf);
	t->conf = *conf;
	t->behind_nat = is_behind_nat(conf);
	t->conf.quota = old.quota;
	memcpy(t->conf.ticket_key, old.ticket_key, sizeof(old.ticket_key));
	t->conf.worker = old.worker;
	t->conf.username_anonymity = old.username_anonymity;
	turn_limiter_set_rate(t->unauth, conf->unauth_rate);
	turn_limiter_set_rate(t->guesses, conf->unauth_rate);
	turn_limiter_set_rate(t->bindings, conf->binding_rate);
	HASH_ITER (hh, t->allocs, a, next) {
		if (a->third_party && !turn_is_alive(a))
			turn_alloc_close(a, TURN_CLOSE_REVOKED);
		else
			turn_perms_recheck(a);
	}
	turn_conns_recheck(t);
}

void turn_set_draining(struct turn *t, bool draining)
{
	t->draining = draining;
}

static bool is_gone(void *ctx, const struct turn_holder *h)
{
	return !turn_holder_is_alive(ctx, h);
}

void turn_recheck_users(struct turn *t)
{
	struct turn_alloc *a, *next;

	for (size_t i = 0; i < t->conf.relay_n; i++)
		turn_ports_recheck(t->conf.relay[i].ports, is_gone, t, t->conf.quota);
	HASH_ITER (hh, t->allocs, a, next)
		if (!turn_is_alive(a))
			turn_alloc_close(a, TURN_CLOSE_REVOKED);
}

size_t turn_allocations(const struct turn *t)
{
	return t->live;
}

size_t turn_relayed_addresses(const struct turn *t)
{
	return t->halves;
}

const struct turn_stats *turn_get_stats(const struct turn *t)
{
	return &t->stats;
}
