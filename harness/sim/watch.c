/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which watch a datagram concerns.
 */
#include "harness/sim/watch.h"

#include "harness/sim/net.h"
#include "harness/sim/node.h"

/* The node that owns the address, relayed ones included, or NULL. */
static struct node *node_at(struct sim *s, struct ep e)
{
	for (unsigned int i = 0; i < s->conf.nodes; i++)
		if (e.ip == s->node[i].listener.ip || e.ip == sim_net_stream_node(i).ip)
			return s->node[i].turn ? &s->node[i] : NULL;
	return NULL;
}

void watch_arrives(struct sim *s, struct ep from, struct ep to, const uint8_t *data, size_t len)
{
	struct node *n = node_at(s, to);

	s->at_work = n ? n->watch : NULL;
	if (n)
		watch_turn_arrives(n->watch, from, to, data, len);
	else if (s->hub && to.ip == sim_net_web_hub().ip)
		watch_hub_arrives(sim_hub_watch(s->hub), from, data, len);
}

void watch_sent(struct sim *s, struct ep from, struct watch_sent *sent, uint8_t *copy)
{
	struct node *n = node_at(s, from);

	if (n)
		watch_turn_sent(n->watch, from, sent, copy);
	else if (s->hub && from.ip == sim_net_web_hub().ip)
		watch_hub_sent(sim_hub_watch(s->hub), sent);
}

void watch_handled(struct sim *s)
{
	if (s->at_work)
		watch_turn_handled(s->at_work);
	s->at_work = NULL;
	if (s->hub)
		watch_hub_handled(sim_hub_watch(s->hub));
}
