/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TURN nodes on the virtual network.
 */
#include "harness/sim/node.h"

#include "base/error.h"
#include "harness/sim/agent.h"
#include "harness/sim/net.h"
#include "harness/sim/watch.h"
#include "turn/net/net.h"
#include "turn/peer_policy.h"
#include "turn/ports.h"
#include "turn/quota.h"

#include <stdlib.h>

/* All nodes know all users: that is the secret they share. */
static int keys(void *ctx, const struct turn_auth_query *q, struct turn_auth_answer *out)
{
	struct sim *s = ctx;
	uint32_t user = 0;

	if (!q->username || q->sha256 || q->username_len < 2)
		return -E_NOTFOUND;
	for (size_t i = 1; i < q->username_len; i++)
		user = user * 10 + (uint32_t)(q->username[i] - '0');
	if (user >= s->agents || (s->conf.broken == BREAK_STRANGERS && user % 8 == 7))
		return -E_NOTFOUND;
	out->username = out->quota_user = q->username;
	out->username_len = out->quota_user_len = q->username_len;
	out->expires_at_s = 0;
	out->key_n = 1;
	out->key[0].len = STUN_KEY_MD5_LEN;
	memcpy(out->key[0].bytes, s->agent[user].key, STUN_KEY_MD5_LEN);
	return 0;
}

static const struct turn_auth_ops auth = {.keys = keys, .alive = turn_auth_keys_stay};

/* As the daemon's greeter hands over what has said its first byte. */
static void on_accept(void *arg, int fd, const struct addr *from)
{
	struct node *n = arg;
	struct net_client c = {.fd = fd, .client = *from, .relay6 = TURN_NO_RELAY};

	n->accepted++;
	c.local = ep_addr(node_stream_end(n));
	net_accept(n->net, &c);
}

struct ep node_stream_end(const struct node *n)
{
	struct ep e = sim_net_stream_node(n->index);

	e.port = n->listener.port;
	return e;
}

static struct net *new_net(struct node *n)
{
	static const struct net_ops ops = {.http = NULL};
	struct net_conf conf = {.first_message_timeout_ms = 10000,
	                        .idle_timeout_ms = 600000,
	                        .client_backlog = NODE_BACKLOG_BYTES};

	if (n->sim->conf.broken == BREAK_BACKLOG_OVERRUN)
		conf.client_backlog *= 4;
	return net_new(n->sim->env, n->turn, &conf, &ops, n);
}

static struct turn_conf conf_of(struct node *n)
{
	struct turn_conf conf = {.realm = {SIM_REALM},
	                         .realm_n = 1,
	                         .relay_n = 1,
	                         .policy = n->policy,
	                         .quota = n->quota,
	                         .default_lifetime_s = NODE_LIFETIME_S,
	                         .max_lifetime_s = NODE_LIFETIME_MAX_S,
	                         .nonce_lifetime_s = NODE_NONCE_LIFETIME_S,
	                         .permissions_max = NODE_PERMISSIONS_MAX,
	                         .channels_max = NODE_CHANNELS_MAX,
	                         .peer_connections = NODE_CONNECTIONS_MAX,
	                         .worker = n->index};

	/* --break: the node refuses what it has promised, or says nothing */
	switch (n->sim->conf.broken) {
	case BREAK_NO_CHANNELS:
		conf.channels_max = 0;
		break;
	case BREAK_NO_PERMISSIONS:
		conf.permissions_max = 0;
		break;
	case BREAK_STALE_NONCES:
		conf.nonce_lifetime_s = 20;
		break;
	case BREAK_SILENCE:
		conf.unauth_rate = 1;
		break;
	default:
		break;
	}

	conf.relay[0] = (struct turn_relay){
	    .local = ep_addr(n->listener), .external = ep_addr(n->listener), .ports = n->ports};
	return conf;
}

static int listen_on(struct node *n)
{
	struct turn_listener_conf l = {
	    .local = ep_addr(n->listener), .fd = -1, .relay6 = TURN_NO_RELAY};
	struct env_listener_params door = {
	    .local = ep_addr(node_stream_end(n)), .on_accept = on_accept, .arg = n};
	int r = turn_listen(n->turn, &l);

	if (r)
		return r;
	n->net = new_net(n);
	return n->net ? env_listen(n->sim->env, &door, &n->door) : -E_NOMEM;
}

int node_start(struct sim *s, unsigned int index)
{
	struct node *n = &s->node[index];
	struct turn_conf conf;
	struct addr own;
	int r = -E_NOMEM;

	*n = (struct node){.sim = s, .index = index, .listener = {sim_net_node_ip(index), 3478, 0}};
	own = ep_addr(n->listener);
	n->start = ++s->starts;
	n->ports = turn_ports_new(
	    NODE_PORT_MIN, s->conf.broken == BREAK_FEW_PORTS ? NODE_PORT_MIN + 9 : NODE_PORT_MAX);
	n->quota =
	    turn_quota_new(SIM_USER_QUOTA - (s->conf.broken == BREAK_SMALL_QUOTA ? 6 : 0), 0);
	n->policy = peer_policy_new();
	n->watch = watch_node_new(s, n);
	if (!n->ports || !n->quota || !n->policy || !n->watch ||
	    peer_policy_add_own_ip(n->policy, &own) || peer_policy_add_own_port(n->policy, &own))
		goto out;
	conf = conf_of(n);
	n->turn = turn_new(s->env, &conf, &auth, s);
	if (n->turn)
		r = listen_on(n);
out:
	if (r)
		node_stop(n);
	return r;
}

void node_stop(struct node *n)
{
	env_unlisten(n->door);
	net_free(n->net);
	turn_free(n->turn);
	turn_ports_free(n->ports);
	turn_quota_free(n->quota);
	peer_policy_free(n->policy);
	watch_node_free(n->watch);
	n->door = NULL;
	n->net = NULL;
	n->turn = NULL;
	n->ports = NULL;
	n->quota = NULL;
	n->policy = NULL;
	n->watch = NULL;
}
