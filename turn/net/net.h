/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The connections of one worker: TURN over TCP, TLS and DTLS, and the sockets
 * of TCP allocations (RFC 6062). It carries bytes and bounds what a client can
 * cost; the rules are struct turn's.
 */
#ifndef TURN_NET_NET_H
#define TURN_NET_NET_H

#include "turn/net/sources.h"
#include "turn/net/tls.h"
#include "turn/turn.h"

struct net;
struct net_stream;
struct net_client;

struct net_conf {
	/* From the connection to the first whole message, TLS included. */
	uint32_t first_message_timeout_ms;
	uint32_t idle_timeout_ms;    /* without an allocation and without a message */
	uint32_t client_backlog;     /* bytes for a client that does not read */
	uint32_t max_dtls_sessions;  /* of this worker */
	struct net_sources *sources; /* borrowed; shared by all workers */
};

struct net_ops {
	/* A client of TLS speaks HTTP: fd carries the plain bytes, both ways. Takes fd; from tells
	 * who it is. */
	void (*http)(void *ctx, int fd, const struct net_client *from);
	/* Hands s to the net of that worker: net_take() there. 0, or a code and s stays here.
	 * NULL: there is no other worker. */
	int (*move)(void *ctx, unsigned int worker, struct net_stream *s);
	/* Is there a worker of that number? Beside move. */
	bool (*has_worker)(void *ctx, unsigned int worker);
};

/* An accepted connection whose first byte is STUN's or TLS's. */
struct net_client {
	int fd; /* as of an env_accept_fn */
	bool tls;
	struct addr client, local; /* client: as PROXY may have told */
	int relay4, relay6;        /* as in struct turn_listener_conf */
	struct net_source *source; /* or NULL */
};

/* Borrows everything but conf, which it copies. One for each struct turn. NULL when out of memory.
 */
struct net *net_new(struct env *env, struct turn *turn, const struct net_conf *conf,
                    const struct net_ops *ops, void *ctx);

/* Closes every connection, so before turn_free(). NULL is legal. */
void net_free(struct net *net);

/* New handshakes use it; takes a reference. Without one there is neither TLS nor DTLS. */
void net_set_tls(struct net *net, struct net_tls *tls);

/* New limits and times, for what there is, too; sources stays what it was. */
void net_set_conf(struct net *net, const struct net_conf *conf);

/* Takes c->fd and c->source, also when it fails: -E_NOMEM, or -E_UNSUPPORTED for TLS without
 * net_set_tls(). */
int net_accept(struct net *net, const struct net_client *c);

/* Goes on with what the move op of another net handed over. */
void net_take(struct net *net, struct net_stream *s);

/* The move did not work out: closes it. Any thread that has s. */
void net_stream_discard(struct net_stream *s);

size_t net_streams(const struct net *net);
size_t net_dtls_sessions(const struct net *net);

#endif
