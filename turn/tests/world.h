/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A TURN server on virtual time with clients and peers around it. After every
 * step the invariants are checked: leased ports = live allocations and
 * reservations, quota = live allocations, sockets as many as that needs.
 */
#ifndef TURN_TESTS_WORLD_H
#define TURN_TESTS_WORLD_H

#include "base/env_virtual.h"
#include "turn/peer_policy.h"
#include "turn/ports.h"
#include "turn/quota.h"
#include "turn/turn.h"
#include "turn/wire/wire.h"

#define SERVER4 "192.0.2.1:3478"
#define SERVER6 "[2001:db8:ffff::1]:3478"
#define SECOND4 "192.0.2.1:3479"
#define REALM   "example.org"

/* A client or a peer: a socket and the last datagram it got. */
struct host {
	struct world *w;
	struct env_udp *udp;
	const char *user, *password;
	const char *server; /* NULL: SERVER4 or SERVER6 */
	char nonce[128];    /* learnt from a 401 or 438 */
	size_t got;         /* datagrams since the last look */
	struct wire in;
	struct addr from;
	uint8_t tos;
};

struct world {
	struct env *env;
	struct turn *turn;
	struct turn *second; /* another worker, or NULL; listens on SECOND4 */
	struct turn_conf conf;
	const struct turn_auth_ops *auth;
	struct turn_ports *ports4, *ports6;
	struct turn_quota *quota;
	struct peer_policy *policy;
	size_t hosts;
	size_t tcp_relays;       /* allocations without a UDP socket */
	size_t more_listeners;   /* that the test itself has opened */
	size_t leased_elsewhere; /* ports that the test itself has leased */
	uint32_t tid;
	/* the user store behind turn_auth_ops */
	bool alice_gone, answers_later, two_realms;
	bool alice_locked, lock_waits; /* her credential is locked, by lock; news are under way */
	uint64_t lock;
	uint64_t ticket;
	int64_t expires_at_s;
	int64_t alice_source, ended_source; /* what her key is made from; what is over (0: none) */
};

/* Users alice/secret and "bob"/"hunter2". Change w->conf between init and start. */
void world_init(struct world *w);
void world_start(struct world *w);
void world_start_second(struct world *w);
void world_stop(struct world *w);
void world_run(struct world *w, uint64_t ms); /* and checks the invariants */

/* The set-up of a cmocka test whose state is a world, its end, and its start. */
int world_setup(void **state);
int world_teardown(void **state);
struct world *world_begin(void **state);

void host_open(struct world *w, struct host *h, const char *addr, const char *user,
               const char *password);
void host_close(struct host *h);

/* Starts a request of the host with its USERNAME, REALM and NONCE; host_ask() adds the integrity,
 * sends it to the server and returns the error code, or 0 for success. The reply is in h->in. */
void host_request(struct host *h, struct wire *m, uint16_t method);
int host_ask(struct host *h, struct wire *m);
/* Sends as it is to the address, lets it arrive, and returns how many datagrams h then has. */
size_t host_send(struct host *h, const char *to, const void *data, size_t len);
size_t host_send_as(struct host *h, const char *to, const void *data, size_t len, uint8_t tos);
int host_reply_code(const struct host *h);

/* Whole requests. All return the error code or 0. */
int host_login(struct host *h); /* an Allocate that learns the nonce: 401 */
/* With a nonce, and again with the one that a 438 brings: a client that has had an allocation here
 * gets one. */
int host_allocate(struct host *h, struct addr *relayed);
int host_refresh(struct host *h, uint32_t lifetime_s);
int host_permit(struct host *h, const char *peer);
int host_bind(struct host *h, uint16_t number, const char *peer);

#endif
