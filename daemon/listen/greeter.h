/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Accepted connections until it is known what they speak and who they are: a
 * look at their first bytes, which stay unread, the PROXY protocol where a
 * balancer speaks it, and the head of an HTTP request, which is answered here
 * when it is none. Bounded in number, in bytes and in time: where there are too
 * many, the longest-silent one goes, of a source that has more than its share.
 */
#ifndef DAEMON_GREETER_H
#define DAEMON_GREETER_H

#include "daemon/conf/conf.h"
#include "daemon/listen/arrival.h"
#include "daemon/listen/http_head.h"
#include "turn/net/sources.h"

struct event_base;
struct greeter;

/* Each takes a->fd and a->source. */
struct greeter_ops {
	void (*web)(void *ctx, const struct arrival *a);
	void (*turn)(void *ctx, const struct arrival *a);
};

/* The bytes of the answer to a malformed request; the caller frees them; NULL when out of memory.
 */
typedef char *greeter_fault_fn(const struct http_fault *fault, size_t *len);

struct greeter_conf {
	const struct conf_prefixes *proxy_from;    /* may send PROXY headers */
	const struct conf_prefixes *trusted_proxy; /* may send HTTP for others */
	bool proxy_listeners; /* PROXY is spoken on the listeners that say so: there always, else
	                       * never. Without: by all of proxy_from, wherever they come */
	struct net_sources *sources;
	uint32_t first_message_timeout_ms; /* the time limit for the first message */
	uint32_t max;                      /* the limit of connections with an unknown protocol */
	greeter_fault_fn *fault;           /* the answer to bad HTTP */
};

/* The faults of a PROXY header; the connection is closed. */
#define GREETER_FAULT_TABLE(X)                                                                     \
	X(GREETER_MISSING, "missing")       /* required, but not there */                          \
	X(GREETER_UNEXPECTED, "unexpected") /* not allowed, but there */                           \
	X(GREETER_MALFORMED, "malformed")   /* neither version 1 nor 2 */                          \
	X(GREETER_STRANGER, "stranger")     /* the sender is not in proxy_from */

enum greeter_fault {
#define X(name, text) name,
	GREETER_FAULT_TABLE(X)
#undef X
	    GREETER_FAULT_N
};

/* Borrows conf's pointers. NULL when out of memory. */
struct greeter *greeter_new(struct event_base *base, const struct greeter_conf *conf,
                            const struct greeter_ops *ops, void *ctx);

/* For new connections: their time limit, and the limit of undecided ones. */
void greeter_set_limits(struct greeter *g, uint32_t first_message_timeout_ms, uint32_t max);

/* Takes an accepted non-blocking socket. proxy: of a listener that speaks PROXY. */
void greeter_take(struct greeter *g, int fd, const struct addr *client, bool proxy);

/* Takes HTTP that a worker has taken the TLS off. a->source is not looked at. */
void greeter_take_http(struct greeter *g, const struct arrival *a);

/* Refused at a limit. */
uint64_t greeter_refused(const struct greeter *g);

/* Closed for their PROXY header, by fault. */
void greeter_get_faults(const struct greeter *g, uint64_t faults[GREETER_FAULT_N]);

/* Closes undecided connections. NULL is legal. */
void greeter_free(struct greeter *g);

#endif
