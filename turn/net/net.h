/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The connections of one worker: TURN over TCP, TLS and DTLS, and the sockets of TCP allocations
 * (RFC 6062). It carries bytes and bounds a client's cost; struct turn has the rules.
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
	/* A TLS client speaks HTTP: fd carries the plain bytes, both ways. Takes fd; from
	 * identifies the client. */
	void (*http)(void *ctx, int fd, const struct net_client *from);
	/* Hands s to the net of that worker, which calls net_take(). 0, or a code and s stays here.
	 * NULL: there is no other worker. */
	int (*move)(void *ctx, unsigned int worker, struct net_stream *s);
	/* True when there is a worker of that number. Set together with move. */
	bool (*has_worker)(void *ctx, unsigned int worker);
};

/* An accepted connection whose first byte is STUN's or TLS's. */
struct net_client {
	int fd; /* as of an env_accept_fn */
	bool tls;
	struct addr client, local; /* client: as a PROXY header may have said */
	int relay4, relay6;        /* as in struct turn_listener_conf */
	struct net_source *source; /* or NULL */
};

/* Borrows everything but conf, which it copies. One for each struct turn. NULL when out of memory.
 */
struct net *net_new(struct env *env, struct turn *turn, const struct net_conf *conf,
                    const struct net_ops *ops, void *ctx);

/* Closes every connection, so before turn_free(). NULL is legal. */
void net_free(struct net *net);

/* New handshakes use it; takes a reference. Without it there is neither TLS nor DTLS. */
void net_set_tls(struct net *net, struct net_tls *tls);

/* Sets limits and times, for existing connections too; sources does not change. */
void net_set_conf(struct net *net, const struct net_conf *conf);

/* Takes c->fd and c->source, even on failure: -E_NOMEM, or -E_UNSUPPORTED for TLS without
 * net_set_tls(). */
int net_accept(struct net *net, const struct net_client *c);

/* Continues with a stream that another net's move op handed over. */
void net_take(struct net *net, struct net_stream *s);

/* Closes a stream whose move failed. From any thread that has s. */
void net_stream_discard(struct net_stream *s);

size_t net_streams(const struct net *net);
size_t net_dtls_sessions(const struct net *net);

#endif
