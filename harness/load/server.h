/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The server under load: started for one run, on a core of its own, and what
 * it has run so far.
 */
#ifndef LOAD_SERVER_H
#define LOAD_SERVER_H

#include "base/error.h"
#include "harness/lab/contain.h"
#include "harness/load/link.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SERVER_CERT CONTAIN_WORK "/cert.pem"
#define SERVER_KEY  CONTAIN_WORK "/key.pem"

struct server {
	const char *name;
	enum link_transport transport; /* of its clients */
	char tls[64];        /* version and cipher that they agree upon with it; "": none */
	uint16_t port;       /* of its WebSockets; one for TLS may be another */
	bool no_lists;       /* it tells each client only of itself */
	int64_t patience_ms; /* its WebSocket clients wait so long to hear of each other */
	const char *lie;     /* for the kind that can */
	pid_t pid;
	int log_fd;
};

/* How to start one: rows in server.c. */
struct server_kind {
	const char *name, *program; /* searched in PATH unless it is a path */
	int (*spawn)(struct server *s, const char *program, struct why *why);
	/* Whether it is ready; NULL: it answers STUN. */
	bool (*answers)(struct server *s);
};

extern const struct server_kind server_turnpike, server_coturn;

/* Turnpike with its default limits; the floor (floor.h); and Node's ws (router.js). */
extern const struct server_kind server_turnpike_limits, server_floor, server_node;

/* For spawn(): starts argv on the server's core. */
int server_spawn(struct server *s, const char *const argv[], struct why *why);

/* Starts it with a certificate of its own and waits until it answers. program NULL: the kind's.
 * lie: what it is to do wrong, or NULL. */
int server_start(struct server *s, const struct server_kind *kind, const char *program,
                 enum link_transport t, const char *lie, struct why *why);

/* Nanoseconds that all of its threads have run. 0 when it is gone. */
uint64_t server_run_ns(const struct server *s);

/* 0 while it runs; -E_CLOSED, once, with its last words. */
int server_check(struct server *s, struct why *why);

void server_stop(struct server *s);

#endif
