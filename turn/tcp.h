/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The seam between the TURN server and the connections of turn/net/: DTLS on
 * its UDP listeners, and what TCP allocations need (RFC 6062). The server keeps
 * the rules and the deadlines; whoever implements turn_net_ops has the sockets.
 */
#ifndef TURN_TCP_H
#define TURN_TCP_H

#include "turn/rate.h"
#include "turn/turn.h"

struct turn_alloc;
struct turn_peer_conn;

/* RFC 6062 section 5.2: the connection attempt may take "at least 30 seconds", and so long waits
 * a connection for its ConnectionBind. */
#define TURN_CONNECT_MS 30000u
#define TURN_BIND_MS    30000u

/* A CONNECTION-ID tells its worker in these upper bits. */
#define TURN_CONNECTION_WORKER(id) ((id) >> 24)

/* None of them calls back into the server before it returns. */
struct turn_net_ops {
	/* A datagram of UDP listener u whose first byte is DTLS's (RFC 7983). Borrows it. */
	void (*dtls)(void *ctx, struct env_udp *u, int relay4, int relay6, struct datagram *d);

	/* The address of UDP listener u has gone, and maybe u will: DTLS sessions over it end, and
	 * so do connections to its address and port over TCP. */
	void (*lost)(void *ctx, struct env_udp *u);

	/* Listens on TCP. Later: turn_tcp_accepted() with a. 0, -E_IN_USE or any other code. */
	int (*listen)(void *ctx, struct turn_alloc *a, const struct addr *local, void **handle);

	/* Starts to connect from local, which is listened on, to peer. Later, once:
	 * turn_tcp_connected() with c. 0 or a code. */
	int (*connect)(void *ctx, struct turn_peer_conn *c, const struct addr *local,
	               const struct addr *peer, void **handle);

	/* An accepted connection has become c. */
	void (*adopt)(void *ctx, void *handle, struct turn_peer_conn *c);

	/* The end of a listener, or of a connection and of what it was joined with. Nothing is
	 * called back any more. */
	void (*close)(void *ctx, void *handle);

	/* From now on the bytes run between the peer's connection and that of link_ctx (the ctx
	 * of turn_link_params), whose link is as good as gone: turn_link_free() follows. Later, at
	 * most once: turn_tcp_gone() with c. */
	void (*join)(void *ctx, void *handle, void *link_ctx);

	/* The message that link_ctx is just handing over is another worker's, and so is the whole
	 * connection. 0, or a code when there is no such worker. */
	int (*move)(void *ctx, void *link_ctx, unsigned int worker);
};

/* Without them there is neither DTLS nor RFC 6062. To be called before anything is served. */
void turn_set_net(struct turn *t, const struct turn_net_ops *ops, void *ctx);

/* A peer has connected to a's relayed address. 0: handle is the server's, and the client hears of
 * it; else the caller closes it. */
int turn_tcp_accepted(struct turn_alloc *a, const struct addr *peer, void *handle);

/* What connect() began has ended: 0, or why not (then the handle is the caller's to free). */
void turn_tcp_connected(struct turn_peer_conn *c, int result);

struct turn_alloc *turn_tcp_owner(const struct turn_peer_conn *c);

/* One end of a joined connection has closed; the handle is the caller's to free. */
void turn_tcp_gone(struct turn_peer_conn *c);

/* Bandwidth: may a joined connection be read, for bytes in that direction? 0, or in how many ms to
 * ask again. waited_ms: how long it could not be so far. */
uint64_t turn_tcp_wait_ms(struct turn_peer_conn *c, enum turn_direction to, uint64_t waited_ms);

/* Bytes that a joined connection has carried. */
void turn_tcp_count(struct turn_peer_conn *c, size_t to_peer, size_t to_client);

/* Does the client behind this link have an allocation? */
bool turn_link_has_allocation(const struct turn_link *link);

#endif
