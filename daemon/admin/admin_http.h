/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verbs over HTTP: /api/v1/admin/session/close is the verb "session
 * close". POST takes a JSON object of arguments; GET, for verbs that only read,
 * takes them in the query.
 *
 * A caller needs an API token of the scope admin (Authorization: Bearer), or a
 * login (signin.h) by the cookie "turnpike". The cookie never works for another
 * site's page: it is SameSite=Strict, and the server refuses a request with a
 * foreign Origin and a POST that is not JSON, for a form cannot send JSON.
 */
#ifndef DAEMON_ADMIN_HTTP_H
#define DAEMON_ADMIN_HTTP_H

#include "daemon/admin/admin.h"
#include "daemon/admin/signin.h"
#include "daemon/web/http_api.h"

#define ADMIN_HTTP_PREFIX "/api/v1/admin/" /* as in http_api.c */

struct admin_http {
	struct admin *admin; /* borrowed, both */
	struct signin *signin;
};

/* True when others could read a password on the way of this request; then it has answered. */
bool admin_http_refuses_open(const struct admin_http *h, const struct http_request *q,
                             struct http_response *r);

/* Fills r, which is zeroed. */
void admin_http_answer(struct admin_http *h, const struct http_request *q, struct http_response *r);

#endif
