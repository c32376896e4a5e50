/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The seam between the TURN server and the connections of turn/net/: DTLS on its UDP listeners, and
 * TCP allocations (RFC 6062). The server keeps the rules and the deadlines; the implementer of
 * turn_net_ops has the sockets.
 */
#ifndef TURN_TCP_H
#define TURN_TCP_H

#include "turn/rate.h"
#include "turn/turn.h"

struct turn_alloc;
struct turn_peer_conn;

/* RFC 6062 section 5.2: the connection attempt may take "at least 30 seconds"; a connection waits
 * as long for its ConnectionBind. */
#define TURN_CONNECT_MS 30000u
#define TURN_BIND_MS    30000u

/* The upper bits of a CONNECTION-ID name its worker. */
#define TURN_CONNECTION_WORKER(id) ((id) >> 24)

/* None of them may call back into the server before it returns. */
struct turn_net_ops {
	/* Takes a datagram of UDP listener u whose first byte is DTLS's (RFC 7983). Borrows it. */
	void (*dtls)(void *ctx, struct env_udp *u, int relay4, int relay6, struct datagram *d);

	/* The address of UDP listener u has gone, and u may follow: ends DTLS sessions over it, and
	 * TCP connections to its address and port. */
	void (*lost)(void *ctx, struct env_udp *u);

	/* Listens on TCP. Later: turn_tcp_accepted() with a. 0, -E_IN_USE or any other code. */
	int (*listen)(void *ctx, struct turn_alloc *a, const struct addr *local, void **handle);

	/* Starts to connect from local, where a listens, to peer. Later, once: turn_tcp_connected()
	 * with c. 0 or a code. */
	int (*connect)(void *ctx, struct turn_peer_conn *c, const struct addr *local,
	               const struct addr *peer, void **handle);

	/* The server has made c of an accepted connection. */
	void (*adopt)(void *ctx, void *handle, struct turn_peer_conn *c);

	/* Ends a listener, or a connection and the one it is joined with. No callback follows. */
	void (*close)(void *ctx, void *handle);

	/* Joins the peer's connection with that of link_ctx (the ctx of turn_link_params): bytes
	 * run between them from now on. The link must not be used any more; turn_link_free()
	 * follows. Later, at most once: turn_tcp_gone() with c. */
	void (*join)(void *ctx, void *handle, void *link_ctx);

	/* The message that link_ctx is handing over belongs to another worker, and so does the
	 * whole connection: moves it there. 0, or a code when there is no such worker. */
	int (*move)(void *ctx, void *link_ctx, unsigned int worker);
};

/* Without ops there is neither DTLS nor RFC 6062. Call it before the server serves anything. */
void turn_set_net(struct turn *t, const struct turn_net_ops *ops, void *ctx);

/* A peer has connected to a's relayed address. 0: the server owns handle and tells the client; else
 * the caller closes it. */
int turn_tcp_accepted(struct turn_alloc *a, const struct addr *peer, void *handle);

/* The attempt that connect() began has ended: 0, or the error (then the caller frees the handle).
 */
void turn_tcp_connected(struct turn_peer_conn *c, int result);

struct turn_alloc *turn_tcp_owner(const struct turn_peer_conn *c);

/* One end of a joined connection has closed; the caller frees the handle. */
void turn_tcp_gone(struct turn_peer_conn *c);

/* 0 when the bandwidth lets a joined connection be read, for bytes in that direction; else the ms
 * until the next try. waited_ms: how long it has waited so far. */
uint64_t turn_tcp_wait_ms(struct turn_peer_conn *c, enum turn_direction to, uint64_t waited_ms);

/* Counts the bytes that a joined connection has carried. */
void turn_tcp_count(struct turn_peer_conn *c, size_t to_peer, size_t to_client);

/* True when the client behind this link has an allocation. */
bool turn_link_has_allocation(const struct turn_link *link);

#endif
