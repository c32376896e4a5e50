/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One WebSocket client of a hub (RFC 6455), on a non-blocking socket, with OpenSSL for TLS. As
 * cheap as may be: a process has 10,000 of them, and the server is to be the slower one.
 */
#ifndef LOAD_WS_H
#define LOAD_WS_H

#include "base/addr.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stands in the names that the clients give themselves and nowhere else in a list of users, so that
 * the names of a long list can be counted as it passes. */
#define WS_MARK 'Q'

enum ws_wire { WS_PLAIN, WS_TLS_ALPN, WS_TLS };

enum ws_phase {
	WS_NONE,       /* no connection */
	WS_CONNECTING, /* TCP's, then TLS's handshake */
	WS_ASKED,      /* the request to upgrade is sent */
	WS_OPEN,
};

enum ws_close {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_BROKEN = 1006, /* without a close frame, or a frame that RFC 6455 forbids */
	WS_CLOSE_REFUSED = 1,   /* no 101 came; not a code of the protocol */
};

struct ws;

/* Called while events are handled. They may send and close any client, but connect none. */
struct ws_ops {
	void (*opened)(struct ws *w);
	/* A text message, borrowed, without NUL. */
	void (*text)(struct ws *w, const char *text, size_t len);
	/* Optional: a user list, as the number of names with WS_MARK in it, instead of its text. */
	void (*list)(struct ws *w, uint32_t names);
	/* The server has closed it, or there is no connection: w->closed is the code. */
	void (*closed)(struct ws *w);
};

struct ws {
	const struct ws_ops *ops;
	void *owner;
	uint32_t number; /* the owner's */
	int fd;
	enum ws_phase phase;
	uint16_t closed; /* why the server closed it: of enum ws_close, or a code; 0: it has not */
	uint32_t pings;  /* that came; each was answered */

	SSL *ssl;
	char *in, *out; /* the beginning of a message; what the system has not taken yet */
	size_t in_len, in_room, out_len, out_room;

	uint8_t head[14]; /* of the frame that is coming */
	uint8_t head_len, control_len;
	char control[125]; /* of a control frame: they come between the parts of a message */
	bool listing;      /* the message is a user list that is only counted */
	bool stalled;      /* it is not read */
	uint32_t names;
	uint64_t left; /* of the payload */
};

/* A context for clients; each server's certificate is taken, since no other host can be reached.
 * NULL when out of memory or for WS_PLAIN. */
SSL_CTX *ws_context(enum ws_wire wire);

/* Connects to 127.0.0.1:port from the loopback address `from` and asks for path (NULL: for
 * nothing). The caller sets
 * ops, owner and number, waits for events of w->fd (edge-triggered, in and out) and calls
 * ws_event(). 0 or a negative code; then nothing is open. */
int ws_connect(struct ws *w, SSL_CTX *ctx, uint32_t from, uint16_t port, const char *path);

/* Handles what has happened. */
void ws_event(struct ws *w);

/* A whole text message. 0, or -E_CLOSED (nobody is told), -E_NOMEM. */
int ws_send(struct ws *w, const char *text, size_t len);

/* Bytes as they are, without a frame: for those that break the protocol. The same codes. */
int ws_send_raw(struct ws *w, const void *data, size_t len);

/* Ends it from our side: code 0 without a word, else with a close frame. ops->closed is not called.
 */
void ws_close(struct ws *w, uint16_t code);

/* How often WS_MARK is in a text. */
uint32_t ws_count_marks(const char *data, size_t len);

/* How the handshake ended: "TLSv1.3, TLS_AES_256_GCM_SHA384"; "" for none. */
void ws_describe(const struct ws *w, char *out, size_t size);

#endif
