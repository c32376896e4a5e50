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
#include "turn/wire/wire.h"

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
size_t srv_sessions(struct srv *s);

/* The socket that the http op was given, and whose it is; waits for up to five seconds. */
int srv_http(struct srv *s, struct addr *client);

/* Makes s->cert and s->key anew, for this common name. */
void srv_make_cert(struct srv *s, const char *name);

/* Bytes on the heap now. */
size_t heap_bytes(void);

/* A client over TCP, with TLS or without. Reads wait for up to five seconds. */
struct client {
	struct srv *s;
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	char nonce[128];
	_Alignas(8) uint8_t in[70000];
	size_t len; /* of the last message */
	struct addr relayed;
};

void client_open(struct srv *s, struct client *c);
void client_close(struct client *c);
void client_send(struct client *c, const void *data, size_t len);

/* Reads one whole message (STUN or ChannelData) to c->in. False at the end of the stream. */
bool client_read(struct client *c);
/* True when the server closes within the time. */
bool client_is_closed(struct client *c, int within_ms);

/* As the functions of world.h. */
void client_request(struct client *c, struct wire *m, uint16_t method);
int client_ask(struct client *c, struct wire *m); /* skips Data and ChannelData before the reply */
int client_allocate(struct client *c, uint8_t transport);
int client_permit(struct client *c, const struct addr *peer);
int client_bind(struct client *c, uint16_t number, const struct addr *peer);
bool client_binding_works(struct client *c);

/* Bound to 127.0.0.1 and an ephemeral port. */
int open_loopback(int type, struct addr *at);

#endif
