/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The connections of TCP allocations (RFC 6062): what listens on the relayed
 * address, and the connections to peers, until they are joined with a client's.
 */
#include "turn/net/internal.h"

#include "base/error.h"

#include <stdlib.h>
#include <utlist.h>

struct peer {
	struct peer *prev, *next;
	struct net *net;
	struct env_listener *listener; /* of alloc; or NULL */
	struct turn_alloc *alloc;
	struct env_stream *attempt; /* to connect */
	int fd;                     /* the connection that waits to be joined; -1: there is none */
	struct turn_peer_conn *conn;
	struct pump *pump;
};

static struct peer *new_peer(struct net *net, int fd)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->net = net;
	p->fd = fd;
	DL_APPEND(net->peers, p);
	return p;
}

static void free_peer(struct peer *p)
{
	DL_DELETE(p->net->peers, p);
	env_unlisten(p->listener);
	env_stream_close(p->attempt);
	if (p->fd >= 0)
		env_stream_discard(p->net->env, p->fd);
	free(p);
}

void peer_close(void *ctx, void *handle)
{
	struct peer *p = handle;

	(void)ctx;
	if (p->pump)
		pump_close(p->pump);
	free_peer(p);
}

struct turn_alloc *peer_owner(const struct peer *p)
{
	return p->listener ? p->alloc : turn_tcp_owner(p->conn);
}

static void on_accept(void *arg, int fd, const struct addr *from)
{
	struct peer *l = arg, *p = new_peer(l->net, fd);

	if (!p)
		env_stream_discard(l->net->env, fd);
	else if (turn_tcp_accepted(l->alloc, from, p))
		free_peer(p);
}

/* The last step of a start: 0 and the handle, or a code, and the peer is gone. */
static int started(struct peer *p, int r, void **handle)
{
	if (r)
		free_peer(p);
	else
		*handle = p;
	return r;
}

int peer_listen(void *ctx, struct turn_alloc *a, const struct addr *local, void **handle)
{
	struct peer *p = new_peer(ctx, -1);
	struct env_listener_params params = {.local = *local, .on_accept = on_accept, .arg = p};

	if (!p)
		return -E_NOMEM;
	p->alloc = a;
	return started(p, env_listen(p->net->env, &params, &p->listener), handle);
}

static void on_connected(void *arg)
{
	struct peer *p = arg;
	struct turn_peer_conn *c = p->conn;
	int fd = env_stream_release(p->attempt);

	p->attempt = NULL;
	if (fd < 0)
		free_peer(p);
	else
		p->fd = fd;
	turn_tcp_connected(c, fd < 0 ? fd : 0);
}

int peer_connect(void *ctx, struct turn_peer_conn *c, const struct addr *local,
                 const struct addr *to, void **handle)
{
	struct peer *p = new_peer(ctx, -1);
	struct env_stream_params params = {
	    .fd = -1, .local = *local, .remote = *to, .fn = on_connected, .arg = p};

	if (!p)
		return -E_NOMEM;
	p->conn = c;
	return started(p, env_stream_open(p->net->env, &params, &p->attempt), handle);
}

void peer_adopt(void *ctx, void *handle, struct turn_peer_conn *c)
{
	(void)ctx;
	((struct peer *)handle)->conn = c;
}

int peer_take_fd(struct peer *p)
{
	int fd = p->fd;

	p->fd = -1;
	return fd;
}

void peer_joined(struct peer *p, struct pump *pump)
{
	p->pump = pump;
	if (!pump)
		peer_gone(p);
}

void peer_count(struct peer *p, size_t to_peer, size_t to_client)
{
	turn_tcp_count(p->conn, to_peer, to_client);
}

uint64_t peer_wait_ms(struct peer *p, enum turn_direction to, uint64_t waited_ms)
{
	return turn_tcp_wait_ms(p->conn, to, waited_ms);
}

void peer_gone(struct peer *p)
{
	turn_tcp_gone(p->conn);
	free_peer(p);
}
