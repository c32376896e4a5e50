/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who asks for a credential, or for what is the operator's, over HTTP or the WebSocket.
 */
#ifndef DAEMON_CALLER_H
#define DAEMON_CALLER_H

#include "base/addr.h"
#include "signal/lws_hub.h"

#include <stdbool.h>

struct caller {
	struct addr client; /* its address; behind a trusted proxy, the one that the proxy tells */
	const char *token;  /* the API token that it presents, or NULL; borrowed */
	const char *guest;  /* the secret of its guest's cookie, not checked yet; "" for none */
	enum lws_page page; /* whose page asks, by Origin (RFC 6454) */
	bool host_unknown;  /* its Host is no name of this server */
	bool forwarded;     /* a proxy forwarded the request, or it says so */
	bool own;           /* it is signed in, and asks for a credential of its own name */
};

/* Whether a page of a foreign origin may read the answer (Access-Control-Allow-Origin). */
enum caller_cors {
	CALLER_CORS_NO,
	CALLER_CORS_NAMED, /* cors_origin names this origin */
	CALLER_CORS_ANY,   /* cors_origin is "*" */
};

#endif
