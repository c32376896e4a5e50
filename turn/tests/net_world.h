/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A TURN server with its connections on a thread of its own, on loopback and
 * ephemeral ports, and blocking clients of it.
 */
#ifndef TURN_TESTS_NET_WORLD_H
#define TURN_TESTS_NET_WORLD_H

#include "turn/net/net.h"
#include "turn/peer_policy.h"
#include "turn/ports.h"
#include "turn/quota.h"
#include "turn/wire/talker.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <pthread.h>

#define REALM "example.org"

struct srv {
	struct event_base *base;
	struct env *env;
	struct turn *turn;
	struct net *net;
	struct turn_conf conf;
	struct net_conf net_conf;
	struct net_tls *tls;
	struct peer_policy *policy;
	struct turn_ports *ports;
	struct evconnlistener *accept[2];
	struct addr udp, tcp[2]; /* tcp[1]: every connection starts with TLS */
	char dir[32], cert[64], key[64];
	pthread_t thread;
	/* calls from the test's thread */
	struct event *call_event;
	int call_fd;
	pthread_mutex_t lock;
	pthread_cond_t done;
	void (*call)(struct srv *s, void *arg);
	void *call_arg;
	bool stop;
	/* what the http op was told: the thread's; srv_http() asks */
	int http_fd;
	struct addr http_client;
};

/* User alice, password secret. Change conf and net_conf between the two. */
void srv_init(struct srv *s);
void srv_start(struct srv *s);
void srv_stop(struct srv *s);

/* Runs fn on the server's thread, with everything that had come in before already handled. */
void srv_do(struct srv *s, void (*fn)(struct srv *s, void *arg), void *arg);
void srv_sync(struct srv *s);
struct turn_stats srv_stats(struct srv *s);
size_t srv_allocations(struct srv *s);
size_t srv_streams(struct srv *s);
size_t srv_dtls_sessions(struct srv *s);

/* The socket that the http op is given, and whose it is; fails the test if it is given none. */
int srv_http(struct srv *s, struct addr *client);

/* Makes s->cert and s->key anew, for this common name. */
void srv_make_cert(struct srv *s, const char *name);

/* Bytes on the heap now. */
size_t heap_bytes(void);

/* User alice connects by TCP; reads wait for up to five seconds. tcp: s->tcp[tcp], where a TLS
 * handshake is the caller's to do. */
void client_open(struct srv *s, struct talker *c, int tcp);

/* The talker's functions, which fail the test with the connection. */
void client_send(struct talker *c, const void *data, size_t len);
bool client_read(struct talker *c); /* false at the end of the stream */
int client_ask(struct talker *c, struct wire *m);
bool client_binding_works(struct talker *c);

/* Bound to 127.0.0.1 and an ephemeral port. */
int open_loopback(int type, struct addr *at);

#endif
