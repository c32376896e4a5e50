/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Binds the hub to libwebsockets: frames, fragments, bounded queues, closing.
 * The context, its vhosts and its loop belong to the caller.
 */
#ifndef SIGNAL_LWS_HUB_H
#define SIGNAL_LWS_HUB_H

#include "base/addr.h"
#include "base/host.h"
#include "signal/hub.h"

#include <libwebsockets.h>

#define LWS_HUB_SUBPROTOCOL "json"
#define LWS_HUB_RX_BYTES    16384 /* what LWS hands over at a time */

#define LWS_GUEST_STRLEN 65 /* a guest's secret: 256 bits in hex, and NUL */

/* The page that asks, by the Origin header that its browser sends. */
enum lws_page {
	LWS_PAGE_NONE,    /* no header: no browser, or a page's own GET */
	LWS_PAGE_OWN,     /* ours */
	LWS_PAGE_NAMED,   /* of an origin that the operator has named */
	LWS_PAGE_SIBLING, /* of one of our names, from another port */
	LWS_PAGE_ANY,     /* any other, and the operator lets any ask */
	LWS_PAGE_FOREIGN,
};

/* Who is behind an HTTP request or a WebSocket. */
struct lws_origin {
	struct addr peer;             /* the client, by a proxy's word where that is trusted */
	char host[HOST_STRLEN];       /* of the Host header, or our own IP where there is none */
	char guest[LWS_GUEST_STRLEN]; /* of the guest's cookie, not checked yet; "" for none */
	enum lws_page page;
	bool host_bad;     /* there is a Host header, and it names no host */
	bool host_unknown; /* it is a name that is none of ours */
	bool proxied;      /* a proxy has passed the request on, or it says so */
	bool tls;
};

struct lws_hub_conf {
	struct hub_conf hub;
	size_t queue_bytes;    /* of one connection; clients' messages fill at most half of it */
	unsigned queue_frames; /* the same, in frames */
	unsigned stall_ms;     /* nothing written for so long, with a queue: it does not read */
	unsigned ping_s;       /* idle time before a ping */
	unsigned ping_grace_s; /* time for its pong */
};

struct lws_hub_ops {
	/* Reads who has opened a connection, from its headers. */
	void (*origin)(void *ctx, struct lws *wsi, struct lws_origin *out);

	/* Optional; as in struct hub_ops. */
	int (*ice_servers)(void *ctx, const struct lws_origin *origin,
	                   const struct hub_ice_request *request);
	void (*event)(void *ctx, const struct hub_event *event);
};

struct lws_hub;

void lws_hub_conf_default(struct lws_hub_conf *conf);

/* Copies conf and ops. NULL when out of memory. */
struct lws_hub *lws_hub_new(const struct lws_hub_conf *conf, const struct lws_hub_ops *ops,
                            void *ctx);

/* Legal when no connection is left, or when LWS makes no callback any more. NULL is legal. */
void lws_hub_free(struct lws_hub *b);

/* To be given to lws_vhost creation as retry_and_idle_policy: pings. Lives as long as b. */
const lws_retry_bo_t *lws_hub_policy(const struct lws_hub *b);

/* Handles the callback reasons of a WebSocket's life; any other gives 0. *slot belongs to the
 * connection and starts as NULL. Returns what the LWS callback has to return. */
int lws_hub_callback(struct lws_hub *b, struct lws *wsi, enum lws_callback_reasons reason,
                     void **slot, void *in, size_t len);

/* As hub_set_limits(). */
void lws_hub_set_limits(struct lws_hub *b, unsigned max_connections, unsigned signal_rate);

/* Whether one more connection is welcome. */
bool lws_hub_has_room(const struct lws_hub *b);

/* Starts to close every connection with 1001. They are gone when lws_hub_count() is 0. */
void lws_hub_shut(struct lws_hub *b);
unsigned lws_hub_count(const struct lws_hub *b);

/* For answers that come later. Calls outside of LWS callbacks need a kick of the loop. */
struct hub *lws_hub_core(struct lws_hub *b);

#endif
