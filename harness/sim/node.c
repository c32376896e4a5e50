/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TURN nodes on the virtual network.
 */
#include "harness/sim/node.h"

#include "base/error.h"
#include "base/table.h"
#include "harness/sim/agent.h"
#include "harness/sim/net.h"
#include "harness/sim/watch.h"
#include "turn/peer_policy.h"
#include "turn/ports.h"
#include "turn/quota.h"

#include <stdlib.h>

/* A client's TCP connection, seen from the node. */
struct stream {
	UT_hash_handle hh;
	struct ep client;
	struct node *node;
	struct turn_link *link;
};

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
	out->username = out->account = q->username;
	out->username_len = out->account_len = q->username_len;
	out->expires_at_s = 0;
	out->key_n = 1;
	out->key[0].len = STUN_KEY_MD5_LEN;
	memcpy(out->key[0].bytes, s->agent[user].key, STUN_KEY_MD5_LEN);
	return 0;
}

static bool alive(void *ctx, const struct turn_auth_session *session)
{
	(void)ctx;
	(void)session;
	return true;
}

static const struct turn_auth_ops auth = {.keys = keys, .alive = alive};

static void stream_send(void *ctx, const uint8_t *data, size_t len)
{
	struct stream *st = ctx;
	struct addr to = ep_addr(st->client);

	env_udp_send(st->node->stream_end, &to, data, len);
}

static const struct turn_link_ops link_ops = {.send = stream_send};

static struct stream *stream_of(struct node *n, struct ep client, bool make)
{
	struct turn_link_params params = {.protocol = TURN_TCP,
	                                  .client = ep_addr(client),
	                                  .relay6 = TURN_NO_RELAY,
	                                  .ops = &link_ops};
	struct stream *st;

	HASH_FIND(hh, n->streams, &client, sizeof(client), st);
	if (st || !make)
		return st;
	st = calloc(1, sizeof(*st));
	if (!st)
		return NULL;
	st->client = client;
	st->node = n;
	params.ctx = st;
	st->link = turn_link_new(n->turn, &params);
	if (!st->link) {
		free(st);
		return NULL;
	}
	if (TABLE_ADD(hh, n->streams, client, sizeof(st->client), st)) {
		turn_link_free(st->link);
		free(st);
		return NULL;
	}
	return st;
}

static void on_stream(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	struct node *node = arg;

	(void)u;
	for (size_t i = 0; i < n; i++) {
		struct stream *st = stream_of(node, ep_of(&d[i].peer), true);

		if (st)
			turn_link_input(st->link, d[i].data, d[i].len);
	}
}

static void close_stream(struct node *n, struct stream *st)
{
	HASH_DEL(n->streams, st);
	turn_link_free(st->link);
	free(st);
}

void node_stream_closed(struct node *n, struct ep client)
{
	struct stream *st = stream_of(n, client, false);

	if (!st)
		return;
	close_stream(n, st);
	watch_node_closed(n->watch, client);
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
	struct env_udp_params p = {.local = ep_addr(sim_net_stream_node(n->index)),
	                           .fd = -1,
	                           .on_batch = on_stream,
	                           .arg = n};
	int r = turn_listen(n->turn, &l);

	addr_put_port(&p.local, 3478);
	return r ? r : env_udp_open(n->sim->env, &p, &n->stream_end);
}

int node_start(struct sim *s, unsigned int index)
{
	struct node *n = &s->node[index];
	struct turn_conf conf;
	struct addr own;
	int r = -E_NOMEM;

	*n = (struct node){.sim = s, .index = index, .listener = {sim_net_node_ip(index), 3478, 0}};
	own = ep_addr(n->listener);
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
	struct stream *st, *next;

	HASH_ITER (hh, n->streams, st, next)
		close_stream(n, st);
	env_udp_close(n->stream_end);
	turn_free(n->turn);
	turn_ports_free(n->ports);
	turn_quota_free(n->quota);
	peer_policy_free(n->policy);
	watch_node_free(n->watch);
	n->stream_end = NULL;
	n->turn = NULL;
	n->ports = NULL;
	n->quota = NULL;
	n->policy = NULL;
	n->watch = NULL;
}
