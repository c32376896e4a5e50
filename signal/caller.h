/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The far end of a TCP connection to this server, as the head of its HTTP request or of its
 * WebSocket's opening handshake shows it.
 */
#ifndef SIGNAL_CALLER_H
#define SIGNAL_CALLER_H

#include "base/addr.h"
#include "base/host.h"

#include <stdbool.h>

#define CALLER_GUEST_STRLEN 65 /* a guest's secret: 256 bits in hex, and NUL */

/* The page that asks, by the Origin header that its browser sends (RFC 6454). */
enum caller_page {
	CALLER_PAGE_NONE,    /* no header: no browser, or a page's own GET */
	CALLER_PAGE_OWN,     /* ours */
	CALLER_PAGE_NAMED,   /* of an origin that the operator has named */
	CALLER_PAGE_SIBLING, /* of one of our names, from another port */
	CALLER_PAGE_ANY,     /* any other, and the operator lets any ask */
	CALLER_PAGE_FOREIGN,
};

/* Whether a page of a foreign origin may read the answer (Access-Control-Allow-Origin). */
enum caller_cors {
	CALLER_CORS_NO,
	CALLER_CORS_NAMED, /* cors_origin names this origin */
	CALLER_CORS_ANY,   /* cors_origin is "*" */
};

struct caller {
	struct addr client; /* its address; behind a trusted proxy, the one that the proxy tells */
	char host[HOST_STRLEN];          /* of the Host header, or our own IP where there is none */
	char guest[CALLER_GUEST_STRLEN]; /* of the guest's cookie, not checked yet; "" for none */
	const char *api_token;           /* the one that it shows, or NULL; borrowed */
	enum caller_page page;
	bool host_bad;      /* there is a Host header, and it names no host */
	bool host_unknown;  /* the name is not one of ours */
	bool forwarded;     /* a proxy has forwarded the request, or it says so */
	bool https;         /* it spoke TLS, to us or to a trusted proxy */
	bool own;           /* it is signed in, and asks for a credential of its own name */
	uint64_t member_id; /* of a signaling connection (signal/hub.h); 0: it is none */
};

#endif
