/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Accepted connections until it is known what they speak and who they are: a
 * look at their first bytes, which stay unread, and the PROXY protocol where a
 * trusted proxy speaks it. Bounded in number, in bytes and in time.
 */
#ifndef DAEMON_GREETER_H
#define DAEMON_GREETER_H

#include "daemon/conf/conf.h"
#include "turn/net/sources.h"

struct event_base;
struct greeter;

/* A connection whose protocol is known. */
struct guest {
	int fd;
	struct addr client, local; /* local: of the socket, always */
	bool proxied;              /* a proxy has brought it, whoever it says is behind it */
	bool tls;                  /* it starts with a ClientHello */
	struct net_source *source; /* to be given back when it closes */
};

/* Each takes g->fd and g->source. */
struct greeter_ops {
	void (*web)(void *ctx, const struct guest *g);
	void (*turn)(void *ctx, const struct guest *g);
};

struct greeter_conf {
	const struct conf_prefixes *proxy_from; /* who may speak PROXY, and has to */
	struct net_sources *sources;
	uint32_t first_ms; /* how long they may take */
};

/* Borrows conf's pointers. NULL when out of memory. */
struct greeter *greeter_new(struct event_base *base, const struct greeter_conf *conf,
                            const struct greeter_ops *ops, void *ctx);

/* How long those may take that come from now on. */
void greeter_set_first_ms(struct greeter *g, uint32_t first_ms);

/* Takes an accepted non-blocking socket. */
void greeter_take(struct greeter *g, int fd, const struct addr *peer);

/* Refused since a limit was reached. */
uint64_t greeter_refused(const struct greeter *g);

/* Closes those that have not said enough. NULL is legal. */
void greeter_free(struct greeter *g);

#endif
