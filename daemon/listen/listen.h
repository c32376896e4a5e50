/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From the addresses of the configuration to open sockets.
 */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include "base/addr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct greeter;

/* A concrete address to serve. A wildcard stands for every address that the host has now: a reply
 * must leave from the address that was asked. */
struct listen_addr {
	struct addr addr; /* with port, never a wildcard */
	bool loopback;
};

/* Expands wildcards; each address once. *out is for free(). -E_NOMEM, -E_IO, or -E_NOTFOUND when
 * nothing is left to listen on. */
int listen_expand(const struct addr *wanted, size_t n, struct listen_addr **out, size_t *out_n,
                  struct why *why);

/* Every address of this host's interfaces, port 0. *out is for free(). */
int listen_host_addresses(struct addr **out, size_t *n, struct why *why);

struct listener;

/* Takes a listening socket, also on failure, and hands what it accepts to the greeter. -E_NOMEM. */
int listener_new(struct event_base *base, int fd, struct greeter *greeter, struct listener **out,
                 struct why *why);
uint16_t listener_port(const struct listener *l);

/* NULL is legal. */
void listener_free(struct listener *l);

#endif
