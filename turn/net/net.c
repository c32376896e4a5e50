/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The life of one worker's connections.
 */
#include "turn/net/internal.h"

#include "base/error.h"

#include <stdlib.h>

#define TICK_MAX_MS 1000
#define TICK_MIN_MS 10

static void on_lost(void *ctx, struct env_udp *u)
{
	dtls_lost(ctx, u);
	net_streams_lost(ctx, &u->local);
}

static const struct turn_net_ops net_ops = {
    .dtls = dtls_input,
    .lost = on_lost,
    .listen = peer_listen,
    .connect = peer_connect,
    .adopt = peer_adopt,
    .close = peer_close,
    .join = stream_join,
    .move = stream_move,
};

static uint64_t tick_ms(const struct net_conf *conf)
{
	uint32_t shortest = conf->first_message_timeout_ms < conf->idle_timeout_ms
	                        ? conf->first_message_timeout_ms
	                        : conf->idle_timeout_ms;
	uint64_t ms = shortest / 4;

	return ms > TICK_MAX_MS ? TICK_MAX_MS : ms < TICK_MIN_MS ? TICK_MIN_MS : ms;
}

static void on_tick(void *arg)
{
	struct net *net = arg;

	net_streams_expire(net);
	pumps_expire(net);
	dtls_expire(net);
	env_timer_set(net->tick, tick_ms(&net->conf));
}

struct net *net_new(struct env *env, struct turn *turn, const struct net_conf *conf,
                    const struct net_ops *ops, void *ctx)
{
	struct net *net = calloc(1, sizeof(*net));

	if (!net)
		return NULL;
	net->env = env;
	net->turn = turn;
	net->conf = *conf;
	net->ops = ops;
	net->ctx = ctx;
	net->tick = env_timer_new(env, on_tick, net);
	net->dtls = dtls_new(net);
	if (net_batch_init(&net->batch, env) || !net->tick || !net->dtls) {
		net_free(net);
		return NULL;
	}
	env_timer_set(net->tick, tick_ms(conf));
	turn_set_net(turn, &net_ops, net);
	return net;
}

void net_set_conf(struct net *net, const struct net_conf *conf)
{
	struct net_sources *sources = net->conf.sources;

	net->conf = *conf;
	net->conf.sources = sources;
	env_timer_set(net->tick, tick_ms(conf));
}

void net_free(struct net *net)
{
	if (!net)
		return;
	while (net->streams)
		net_stream_close(net->streams);
	dtls_free(net->dtls);
	while (net->peers) /* those of an allocation that outlived its connection (RFC 8016) */
		turn_alloc_close(peer_owner(net->peers), TURN_CLOSE_SHUTDOWN);
	while (net->pumps)
		pump_close(net->pumps);
	if (net->turn)
		turn_set_net(net->turn, NULL, NULL);
	env_timer_free(net->tick);
	net_batch_free(&net->batch);
	net_tls_unref(net->tls);
	free(net);
}

void net_set_tls(struct net *net, struct net_tls *tls)
{
	struct net_tls *old = net->tls;

	net->tls = net_tls_ref(tls);
	dtls_tls_changed(net);
	net_tls_unref(old);
}

size_t net_streams(const struct net *net)
{
	return net->stream_n;
}

size_t net_dtls_sessions(const struct net *net)
{
	return dtls_count(net->dtls);
}
