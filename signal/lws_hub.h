/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Binds the hub to libwebsockets: frames, fragments, bounded queues, closing.
 * The context, its vhosts and its loop belong to the caller.
 */
#ifndef SIGNAL_LWS_HUB_H
#define SIGNAL_LWS_HUB_H

#include "signal/caller.h"
#include "signal/hub.h"

#include <libwebsockets.h>

#define LWS_HUB_SUBPROTOCOL "json"
#define LWS_HUB_TICKET_MAX  4096
#define LWS_HUB_READ_BYTES  16384 /* LWS reads no more from a socket at a time */

/* LWS hands over no more at a time. It has a buffer of that size for each connection: from a page
 * upwards, idle connections waste the rest of that page. */
#define LWS_HUB_RX_BYTES 2048

struct lws_hub_conf {
	struct hub_conf hub;
	size_t queue_bytes;    /* per connection; clients' messages fill at most half of it */
	unsigned queue_frames; /* the same, in frames */
	unsigned stall_ms; /* queue not empty and nothing written for so long: it does not read */
	unsigned ping_s;   /* a connection that has been silent for so long has been pinged */
	unsigned ping_grace_s; /* time for its pong, or for anything else from the client */
	unsigned turn_us;      /* for each of the three parts of a turn; what has begun is ended */
};

/* What the opening handshake asked for; "" where it said nothing. */
struct lws_hub_visit {
	char room[HUB_ROOM_MAX + 1];
	char ticket[LWS_HUB_TICKET_MAX + 1];
	const struct hub_dialect *dialect; /* NULL: none */
	char key[HUB_ROOM_MAX + 1], id[HUB_NAME_MAX + 1], token[LWS_HUB_TICKET_MAX + 1];
};

struct lws_hub_ops {
	/* Reads the caller of a connection from its headers. */
	void (*caller)(void *ctx, struct lws *wsi, struct caller *out);

	/* Optional. Likewise, the rest. */
	void (*visit)(void *ctx, struct lws *wsi, struct lws_hub_visit *out);

	/* Optional; as in struct hub_ops. */
	int (*ice_servers)(void *ctx, const struct caller *caller,
	                   const struct hub_ice_request *request);
	int (*identify)(void *ctx, const char *ticket, struct hub_identity *out, const char **why);
	int (*admit)(void *ctx, uint64_t member_id, const struct hub_admission *who);
	void (*event)(void *ctx, const struct hub_event *event);
	void (*link)(void *ctx, const struct hub_link_news *news);
};

struct lws_hub;

void lws_hub_conf_default(struct lws_hub_conf *conf);

/* Copies conf and ops. NULL when out of memory. */
struct lws_hub *lws_hub_new(const struct lws_hub_conf *conf, const struct lws_hub_ops *ops,
                            void *ctx);

/* Legal when no connection is left, or when LWS calls back no more. NULL is legal. */
void lws_hub_free(struct lws_hub *b);

/* Pass it to lws_vhost creation as retry_and_idle_policy: LWS is not to ping. */
extern const lws_retry_bo_t lws_hub_no_pings;

/* A part of the work that waits: call it before each run of LWS's loop. lws_hub_wait_ms() says
 * after it when the next is due: 0: as soon as everybody else has had a turn; -1: after the loop's
 * next event. */
void lws_hub_turn(struct lws_hub *b);
int64_t lws_hub_wait_ms(const struct lws_hub *b);

/* Handles the callback reasons of a WebSocket's life; any other gives 0. *slot belongs to the
 * connection and starts as NULL. Returns what the LWS callback has to return. */
int lws_hub_callback(struct lws_hub *b, struct lws *wsi, enum lws_callback_reasons reason,
                     void **slot, void *in, size_t len);

/* As hub_set_conf(). */
void lws_hub_set_conf(struct lws_hub *b, const struct hub_conf *conf);

/* True when there is room for one more connection. */
bool lws_hub_has_room(const struct lws_hub *b);

/* Starts to close every connection with 1001. They are gone when lws_hub_count() is 0. */
void lws_hub_shut(struct lws_hub *b);
unsigned lws_hub_count(const struct lws_hub *b);

/* For answers that come later. After calls from outside of LWS's callbacks, run the loop soon. */
struct hub *lws_hub_core(struct lws_hub *b);

#endif
