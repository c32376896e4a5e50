/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The way to a client: its 5-tuple, and how to reach it by datagram or
 * connection.
 */
#include "turn/state.h"

#include <string.h>

struct turn_tuple turn_tuple_of(const struct turn_path *path)
{
	struct turn_tuple tuple = {.port = addr_port(&path->client),
	                           .family = (uint16_t)addr_family(&path->client),
	                           .side = path->side->number};
	size_t len;
	const uint8_t *ip = addr_ip(&path->client, &len);

	memcpy(tuple.ip, ip, len);
	return tuple;
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
	if (!path->side) /* a client on the move gets no datagrams */
		return;
	if (path->side->protocol == TURN_UDP) {
		struct turn_listener *l = (struct turn_listener *)path->side;

		env_udp_send_as(l->udp, &path->client, data, len, tos, false);
	} else {
		struct turn_link *link = (struct turn_link *)path->side;

		link->params.ops->send(link->params.ctx, data, len);
	}
}

/* The relayed address that the peer sees, or NULL if the allocation has none of its family. */
struct turn_half *turn_half_for(struct turn_alloc *a, const struct addr *peer)
{
	struct turn_half *half = &a->half[addr_family(peer) == AF_INET6];

	return half->expires_ms > a->turn->now_ms ? half : NULL;
}
