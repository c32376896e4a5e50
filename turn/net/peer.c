/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The sockets of TCP allocations (RFC 6062): the listener on the relayed
 * address and the connections to peers, until they are joined with a client's.
 */
#include "turn/net/internal.h"

#include "base/error.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#define PEER_BACKLOG 16
#define ACCEPTS      16 /* a wake-up */

struct peer {
	struct peer *prev, *next;
	struct net *net;
	int fd;                      /* -1: its pump has it */
	struct event *event;         /* of a listener, or of an attempt */
	struct turn_alloc *listener; /* whose, or NULL */
	struct turn_peer_conn *conn;
	struct pump *pump;
};

/* Takes fd, also when out of memory (NULL). */
static struct peer *new_peer(struct net *net, int fd)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p) {
		close(fd);
		return NULL;
	}
	p->net = net;
	p->fd = fd;
	DL_APPEND(net->peers, p);
	return p;
}

static void free_peer(struct peer *p)
{
	DL_DELETE(p->net->peers, p);
	if (p->event)
		event_free(p->event);
	if (p->fd >= 0)
		close(p->fd);
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
	return p->listener ? p->listener : turn_tcp_owner(p->conn);
}

/* The last step of a start: 0 and the handle, or a code, and the peer is gone. */
static int watch(struct peer *p, short what, event_callback_fn fn, void **handle)
{
	p->event = event_new(p->net->base, p->fd, what, fn, p);
	if (!p->event || event_add(p->event, NULL)) {
		free_peer(p);
		return -E_NOMEM;
	}
	*handle = p;
	return 0;
}

/* Bound to the relayed address. The connections of an allocation share it with its listener. */
static int open_socket(const struct addr *local, int *out)
{
	int one = 1;
	int fd = socket(addr_family(local), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_from_errno(errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (addr_family(local) == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	*out = fd;
	return 0;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct peer *l = arg;
	struct net *net = l->net;

	(void)what;
	for (int i = 0; i < ACCEPTS; i++) {
		struct addr from;
		socklen_t len = sizeof(from);
		int conn = accept4(fd, &from.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
		struct peer *p;

		if (conn < 0) {
			/* Out of descriptors, most likely: until the next tick, or the loop would
			 * spin. */
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				event_del(l->event);
			return;
		}
		setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		p = new_peer(net, conn);
		if (p && turn_tcp_accepted(l->listener, &from, p))
			free_peer(p);
	}
}

void peers_resume(struct net *net)
{
	struct peer *p;

	DL_FOREACH (net->peers, p)
		if (p->listener)
			event_add(p->event, NULL);
}

int peer_listen(void *ctx, struct turn_alloc *a, const struct addr *local, void **handle)
{
	struct peer *p;
	int fd, one = 1, r = open_socket(local, &fd);

	if (r)
		return r;
	/* Bound alone, so that a port in use is noticed; shared only from now on, with the
	 * connections that start from here. */
	if (bind(fd, &local->sa, addr_len(local)) || listen(fd, PEER_BACKLOG) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one))) {
		r = error_from_errno(errno);
		close(fd);
		return r;
	}
	p = new_peer(ctx, fd);
	if (!p)
		return -E_NOMEM;
	p->listener = a;
	return watch(p, EV_READ | EV_PERSIST, on_accept, handle);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	struct turn_peer_conn *c = p->conn;
	socklen_t len = sizeof(int);
	int err = 0;

	(void)what;
	event_free(p->event);
	p->event = NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err)
		free_peer(p);
	turn_tcp_connected(c, err ? error_from_errno(err) : 0);
}

int peer_connect(void *ctx, struct turn_peer_conn *c, const struct addr *local,
                 const struct addr *to, void **handle)
{
	struct peer *p;
	int fd, one = 1, r = open_socket(local, &fd);

	if (r)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ||
	    bind(fd, &local->sa, addr_len(local)) ||
	    (connect(fd, &to->sa, addr_len(to)) && errno != EINPROGRESS)) {
		r = error_from_errno(errno);
		close(fd);
		return r;
	}
	p = new_peer(ctx, fd);
	if (!p)
		return -E_NOMEM;
	p->conn = c;
	return watch(p, EV_WRITE, on_connected, handle);
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
