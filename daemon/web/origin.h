/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the origin of a request, and the page behind it: from the socket, an arrival's facts, and
 * the headers.
 *
 * A page may open the WebSocket, or read what matters, when it is ours or the operator has named
 * its origin. These are ours: public_host, the names of the certificate, localhost, and an origin
 * of cors_origin that came to us by its own name, through a proxy. An address in the Host header is
 * ours, too: a client that used it reached us. A name alone is not: any name can be made to lead
 * here (DNS rebinding).
 */
#ifndef DAEMON_WEB_ORIGIN_H
#define DAEMON_WEB_ORIGIN_H

#include "daemon/web/web.h"

#include <openssl/x509.h>

/* The cookie of a guest who has used a link. Its name depends on the scheme, so that the two
 * cookies do not collide. */
#define ORIGIN_GUEST_COOKIE     "turnpike-guest"
#define ORIGIN_GUEST_COOKIE_TLS "__Host-turnpike-guest" /* RFC 6265bis section 4.1.3.2 */

struct origin_rules {
	const struct web_ops *ops;
	void *ctx;
	X509 *cert; /* it has our names; NULL: none */
};

/* Copies the data. */
void origin_read_caller(const struct origin_rules *rules, struct lws *wsi, struct caller *out);

/* True when the page may read what matters; the WebSocket is open to pages from our other ports,
 * too. */
bool origin_may_ask(const struct caller *caller);
bool origin_may_connect(const struct caller *caller);

/* Other pages get status 403 and this code. */
#define ORIGIN_FOREIGN_CODE "foreign-origin"
#define ORIGIN_FOREIGN_TEXT                                                                        \
	"This page is of another site than the server knows: name its origin in cors_origin, or "  \
	"its host in public_host."

#endif
