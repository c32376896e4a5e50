/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of the HTTP interface share.
 */
#ifndef DAEMON_HTTP_API_INTERNAL_H
#define DAEMON_HTTP_API_INTERNAL_H

#include "daemon/web/http_api.h"

#define HTTP_CAPTURES 2

/* A request on its way to its answer. */
struct http_call {
	const struct web_ops *ops;
	void *ctx;
	const struct http_request *q;
	struct http_response *r;
	char capture[HTTP_CAPTURES][512]; /* what stood for the stars of the route */
};

/* Steals json; NULL is our own want of memory. */
void http_api_json(struct http_response *r, int status, json_t *json);

/* From the query string or the form. 0 with *out NULL when it is in neither; *out is to be freed.
 * -E_PARSE, -E_NOMEM. */
int http_api_param(const struct http_request *q, const char *name, char **out);

/* Whether the query string and the form name only what is allowed, and neither anything twice; if
 * not, it has answered. */
bool http_api_only(const struct http_call *c, const char *const allowed[]);

/* ---- api_shapes.c: credentials, in the shapes that clients know ---- */

void http_get_turn(const struct http_call *c);
void http_post_ice_servers(const struct http_call *c);
void http_post_credentials(const struct http_call *c);
void http_get_metered(const struct http_call *c);
void http_get_matrix(const struct http_call *c);
void http_get_whip(const struct http_call *c);
void http_post_revoke(const struct http_call *c);
void http_post_cloudflare_revoke(const struct http_call *c);

#endif
