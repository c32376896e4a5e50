/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The server under load: started for one run, on a core of its own, and what
 * it has run so far.
 */
#ifndef LOAD_SERVER_H
#define LOAD_SERVER_H

#include "base/error.h"
#include "harness/load/link.h"

#include <stdint.h>
#include <sys/types.h>

struct server {
	const char *name;
	enum link_transport transport; /* of its clients */
	char tls[64]; /* version and cipher that they agree upon with it; "": none */
	pid_t pid;
	int log_fd;
};

/* How to start one: rows in server.c. */
struct server_kind {
	const char *name, *program; /* searched in PATH unless it is a path */
	int (*spawn)(struct server *s, const char *program, struct why *why);
};

extern const struct server_kind server_turnpike, server_coturn;

/* Starts it with a certificate of its own and waits until it answers. program NULL: the kind's. */
int server_start(struct server *s, const struct server_kind *kind, const char *program,
                 enum link_transport t, struct why *why);

/* Nanoseconds that all of its threads have run. 0 when it is gone. */
uint64_t server_run_ns(const struct server *s);

/* 0 while it runs; -E_CLOSED, once, with its last words. */
int server_check(struct server *s, struct why *why);

void server_stop(struct server *s);

#endif
