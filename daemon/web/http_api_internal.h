/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the files of the HTTP interface.
 */
#ifndef DAEMON_HTTP_API_INTERNAL_H
#define DAEMON_HTTP_API_INTERNAL_H

#include "daemon/web/http_api.h"

#define HTTP_CAPTURES 2

/* A request being answered. */
struct http_call {
	const struct web_ops *ops;
	void *ctx;
	const struct http_request *q;
	struct http_response *r;
	char capture[HTTP_CAPTURES][512]; /* the parts that matched the route's stars */
};

/* Steals json; NULL means that we are out of memory. */
void http_api_json(struct http_response *r, int status, json_t *json);

/* From the query string or the form. 0 with *out NULL when it is in neither; the caller frees *out.
 * -E_PARSE, -E_NOMEM. */
int http_api_param(const struct http_request *q, const char *name, char **out);

/* True when the query string and the form have only allowed names, none of them twice in either; if
 * not, it has answered. */
bool http_api_only(const struct http_call *c, const char *const allowed[]);

/* The JSON body of a POST, NULL for none, with no members but those allowed, and no query string;
 * false: it has answered. The caller frees *body either way. */
bool http_api_body(const struct http_request *q, const char *const allowed[], json_t **body,
                   struct http_response *r);

/* ---- api_tickets.c: tickets ---- */

void http_post_tickets(const struct http_call *c);
void http_post_tickets_login(const struct http_call *c);

/* Reads sub, room, ttl and may (NULL: none of them); out borrows from body. False: it has answered.
 */
bool http_ticket_ask(const json_t *body, struct ticket_ask *out, struct http_response *r);

/* The answer with a ticket, or (err not 0) without one. */
void http_ticket_answer(int err, const struct ticket_ask *ask, const struct ticket_made *made,
                        unsigned retry_after_s, const struct why *why, struct http_response *r);

/* ---- api_shapes.c: credentials, in clients' shapes ---- */

void http_get_turn(const struct http_call *c);
void http_post_ice_servers(const struct http_call *c);
void http_post_credentials(const struct http_call *c);
void http_get_metered(const struct http_call *c);
void http_get_matrix(const struct http_call *c);
void http_get_whip(const struct http_call *c);
void http_post_revoke(const struct http_call *c);
void http_post_cloudflare_revoke(const struct http_call *c);

#endif
