/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients that come over a connection, and the way back to any client.
 */
#include "turn/state.h"

#include <stdlib.h>
#include <utlist.h>

#define CHANNEL_HEADER_LEN 4

struct turn_link *turn_link_new(struct turn *t, const struct turn_link_params *params)
{
	struct turn_link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->side = (struct turn_side){.turn = t,
	                                .number = ++t->sides,
	                                .protocol = params->protocol,
	                                .relay4 = params->relay4,
	                                .relay6 = params->relay6};
	link->params = *params;
	DL_APPEND(t->links, link);
	return link;
}

void turn_link_input(struct turn_link *link, uint8_t *msg, size_t len)
{
	struct turn *t = link->side.turn;
	struct turn_path path = {.side = &link->side, .client = link->params.client};

	t->now_ms = env_now_ms(t->env);
	if (len >= CHANNEL_HEADER_LEN && msg[0] >= 64 && msg[0] < 128)
		turn_on_channel_data(&path, msg, len);
	else if (stun_msg_looks_like(msg, len))
		turn_on_stun(&path, msg, len);
	else
		t->stats.malformed++;
}

void turn_link_free(struct turn_link *link)
{
	struct turn_path path;
	struct turn_tuple tuple;
	struct turn_alloc *a;
	struct turn_parked *p, *next;
	struct turn *t;

	if (!link)
		return;
	t = link->side.turn;
	t->now_ms = env_now_ms(t->env);
	path = (struct turn_path){.side = &link->side, .client = link->params.client};
	tuple = turn_tuple_of(&path);
	a = turn_alloc_find(t, &tuple);
	if (a && !turn_mobile_lost(a, &tuple))
		turn_alloc_close(a, TURN_CLOSE_DISCONNECTED);
	DL_FOREACH_SAFE(t->parked, p, next)
	if (p->path.side == &link->side)
		turn_unpark(t, p);
	DL_DELETE(t->links, link);
	free(link);
}

bool turn_link_has_allocation(const struct turn_link *link)
{
	struct turn_path path = {.side = (struct turn_side *)&link->side,
	                         .client = link->params.client};
	struct turn_tuple tuple = turn_tuple_of(&path);

	return turn_alloc_find(link->side.turn, &tuple) != NULL;
}

bool turn_path_is_stream(const struct turn_path *path)
{
	if (!path->side)
		return false;
	return path->side->protocol == TURN_TCP || path->side->protocol == TURN_TLS;
}

void turn_path_send(const struct turn_path *path, const uint8_t *data, size_t len)
{
	turn_path_send_as(path, data, len, 0);
}

/* A connection's segments carry the marks of the connection, not of what is in them. */
void turn_path_send_as(const struct turn_path *path, const uint8_t *data, size_t len, uint8_t tos)
{
	if (!path->side) /* who is under way gets no datagrams */
		return;
	if (path->side->protocol == TURN_UDP) {
		struct turn_listener *l = (struct turn_listener *)path->side;

		env_udp_send_as(l->udp, &path->client, data, len, tos, false);
	} else {
		struct turn_link *link = (struct turn_link *)path->side;

		link->params.ops->send(link->params.ctx, data, len);
	}
}
