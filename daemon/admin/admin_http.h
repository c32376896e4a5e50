/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verbs over HTTP: /api/v1/admin/session/close is the verb "session
 * close". POST with a JSON object of arguments; GET for those that only look,
 * with the arguments in the query.
 *
 * Who may: a token of the scope admin (Authorization: Bearer), or who has
 * signed in (signin.h), by the cookie "turnpike". The cookie never works for a
 * page from elsewhere: it is SameSite=Strict, a request with a foreign Origin is
 * refused, and so is a POST that is not JSON, which no form can send.
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

/* Fills r, which is zeroed. */
void admin_http_answer(struct admin_http *h, const struct http_request *q, struct http_response *r);

#endif
