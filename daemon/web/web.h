/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The web side: the page, the HTTP interface and the signaling WebSocket, on
 * sockets that the daemon's listeners have accepted.
 */
#ifndef DAEMON_WEB_H
#define DAEMON_WEB_H

#include "base/addr.h"
#include "base/error.h"
#include "daemon/issue/ice.h"
#include "daemon/issue/ticket.h"
#include "daemon/listen/arrival.h"
#include "signal/lws_hub.h"

#include <event2/event.h>
#include <stdbool.h>

struct web_conf {
	const char *cert_path;      /* PEM: its names are ours; NULL: none */
	const char *state_path;     /* signaling's state over a restart; NULL: it is not kept */
	size_t max_body;            /* bytes of a request's body */
	unsigned request_timeout_s; /* for a client that does not finish its request */
	unsigned goodbye_ms;        /* the longest wait of web_stop() for clients to close */
	struct lws_hub_conf hub;
};

struct http_request;
struct http_response;

struct web_ops {
	/* Makes a credential for name ("" for none) with URIs under caller->host. ttl_s 0 asks for
	 * the default. 0, -E_DENIED (401), -E_SCOPE (403), -E_UNREACHABLE (503), -E_REVOKED (403),
	 * -E_INVAL (400), -E_LIMIT (429; out->retry_after_s, alone, says when), -E_NOMEM (500); any
	 * other is for the operator to mend (503). */
	int (*grant)(void *ctx, const struct caller *caller, const char *name, int64_t ttl_s,
	             struct ice_grant *out);

	/* Optional. Makes a ticket. 0, -E_DENIED (401), -E_SCOPE (403), -E_INVAL (400, with why),
	 * -E_LIMIT (429; *retry_after_s says when), -E_NOMEM (500); any other is for the operator
	 * to mend (503, with why). */
	int (*ticket)(void *ctx, const struct caller *caller, const struct ticket_ask *ask,
	              struct ticket_made *out, unsigned *retry_after_s, struct why *why);

	/* Optional. Answers /api/v1/tickets/login: a ticket for an account's name and password. */
	void (*ticket_login)(void *ctx, const struct http_request *q, struct http_response *r);

	/* Optional. Revokes one credential ("expiry:name") or all of a user's; 0 when that is on
	 * the disk. -E_DENIED (401), -E_SCOPE (403), -E_INVAL (400), -E_STALE (it has expired); any
	 * other (503). */
	int (*revoke)(void *ctx, const struct caller *caller, const char *name, bool whole_user);

	/* Optional. Says whether a page from that origin may read credentials. */
	enum caller_cors (*cors)(void *ctx, const char *origin);

	/* Optional. True when the operator has said that this name is this host. */
	bool (*owns)(void *ctx, const char *host);

	/* Optional. Uses up a guest link; secret is for the cookie. -E_DENIED: an unknown token, or
	 * it was used or is too old. */
	int (*enter)(void *ctx, const char *token, char secret[CALLER_GUEST_STRLEN]);

	/* Optional. A client at that address behaves like a proxy, and is not trusted. */
	void (*proxy_seen)(void *ctx, const struct addr *client);

	/* Optional. False while no new work is wanted: /readyz says 503. */
	bool (*ready)(void *ctx);

	/* Optional. As in struct hub_ops. */
	int (*identify)(void *ctx, const char *ticket, struct hub_identity *out, const char **why);
	int (*admit)(void *ctx, uint64_t member_id, const struct hub_admission *who);
	void (*signal_event)(void *ctx, const struct hub_event *event);
	void (*link)(void *ctx, const struct hub_link_news *news);

	/* Optional. Answers everything under /api/v1/admin/. */
	void (*admin)(void *ctx, const struct http_request *q, struct http_response *r);

	/* Optional. The text for /metrics; the caller frees it. 0, -E_DENIED, -E_SCOPE or -E_NOMEM.
	 */
	int (*metrics)(void *ctx, const struct caller *caller, char **text);
};

struct web;

void web_conf_default(struct web_conf *conf);

/* Copies conf and ops. The one thread of base runs everything here, and must not run a second
 * struct web. 0, or a code with why set. */
int web_start(struct event_base *base, const struct web_conf *conf, const struct web_ops *ops,
              void *ctx, struct web **out, struct why *why);

/* An arrival that the web has, as the opaque user data of its connection in LWS. */
struct web_visit {
	struct arrival arrival;
	void (*gone)(void *ctx); /* the connection has closed, or was not adopted */
	void *ctx;
};

/* Takes over the socket of an arrival, of which nothing has been read (peeking is fine), also when
 * it fails: -E_NOMEM. Borrows visit until it calls gone, which it does exactly once. */
int web_adopt(struct web *w, const struct web_visit *visit);

/* Reads the certificate's names again; on an error the old ones stay. 0, or a code with why set. */
int web_load_cert(struct web *w, const char *cert_path, struct why *why);

/* For the signaling connections, as hub_set_conf(). */
void web_set_hub(struct web *w, const struct hub_conf *conf);

/* Says goodbye (1001) to the WebSockets, closes everything, frees w. Not from inside an op.
 * NULL is legal. */
void web_stop(struct web *w);

/* Tells the signaling clients whose names whom() picks that their relay credentials are revoked;
 * returns their number. */
unsigned web_tell_revoked(struct web *w, bool (*whom)(void *ctx, const char *name), void *ctx);

/* As hub_revoke(). */
unsigned web_revoke(struct web *w, bool (*whom)(void *ctx, int64_t key, const char *sub),
                    void *ctx);

/* Tells all clients of that name (NULL: everybody) that one of their credentials was revoked and
 * that they can get another. */
unsigned web_tell_stale(struct web *w, const char *name);

/* The hub, for a call from outside of the web's own callbacks. What it makes the hub send goes out
 * soon. */
struct hub *web_hub(struct web *w);

/* For statistics. */
unsigned web_member_count(const struct web *w);
unsigned web_call_count(const struct web *w);
unsigned web_room_count(const struct web *w);

#endif
