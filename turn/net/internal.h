/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the files of turn/net/.
 */
#ifndef TURN_NET_INTERNAL_H
#define TURN_NET_INTERNAL_H

#include "turn/framing.h"
#include "turn/net/batch.h"
#include "turn/net/io.h"
#include "turn/net/net.h"
#include "turn/state.h"

/* A kept beginning of a frame, and what is read behind it. */
#define NET_SCRATCH ((TURN_FRAME_MAX + NET_READ_MIN + 7) / 8 * 8)

struct dtls;
struct pump;
struct peer;

struct net {
	struct env *env;
	struct turn *turn;
	struct net_conf conf;
	const struct net_ops *ops;
	void *ctx;
	struct net_tls *tls;
	struct env_timer *tick;
	struct net_stream *streams;
	size_t stream_n;
	struct pump *pumps;
	struct peer *peers;
	struct dtls *dtls;
	struct net_batch batch;
	uint64_t scratch[NET_SCRATCH / 8]; /* what is being read: connections keep none of it */
};

/* stream.c: a client's connection that carries messages */
void net_stream_close(struct net_stream *s);
void net_streams_expire(struct net *net);
void net_streams_lost(struct net *net, const struct addr *local); /* their address has gone */

/* pump.c: bytes from one connection to the other and back; nothing is dropped */
struct pump_params {
	struct net *net;
	struct net_io client; /* detached; taken */
	int fd;               /* the other end; taken */
	struct net_source *source;
	struct net_queue to_client; /* taken */
	const uint8_t *ahead;       /* bytes of the client for the other end, copied */
	size_t ahead_len;
	struct peer *peer; /* whose connection it is, or NULL */
};

/* NULL when out of memory: then everything taken is closed. */
struct pump *pump_new(const struct pump_params *p);
void pump_close(struct pump *p); /* its peer is not told */
void pumps_expire(struct net *net);

/* peer.c: the sockets of TCP allocations; these are ops of struct turn_net_ops */
int peer_listen(void *ctx, struct turn_alloc *a, const struct addr *local, void **handle);
int peer_connect(void *ctx, struct turn_peer_conn *c, const struct addr *local,
                 const struct addr *to, void **handle);
void peer_adopt(void *ctx, void *handle, struct turn_peer_conn *c);
void peer_close(void *ctx, void *handle);
struct turn_alloc *peer_owner(const struct peer *p);
int peer_take_fd(struct peer *p); /* its connection */
void peer_joined(struct peer *p, struct pump *pump);
void peer_count(struct peer *p, size_t to_peer, size_t to_client);
uint64_t peer_wait_ms(struct peer *p, enum turn_direction to, uint64_t waited_ms);
void peer_gone(struct peer *p); /* its pump has ended: tells the server, frees */

/* stream.c, too */
void stream_join(void *ctx, void *handle, void *link_ctx);
int stream_move(void *ctx, void *link_ctx, unsigned int worker);

/* dtls.c */
struct dtls *dtls_new(struct net *net);
void dtls_free(struct dtls *d);
void dtls_input(void *ctx, struct env_udp *u, int relay4, int relay6, struct datagram *dg);
void dtls_expire(struct net *net);
void dtls_lost(struct net *net, const struct env_udp *u); /* ends its sessions */
void dtls_prepare(SSL_CTX *ctx);                          /* once, before it is shared */
void dtls_tls_changed(struct net *net);
size_t dtls_count(const struct dtls *d);

#endif
