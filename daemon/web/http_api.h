/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The answers of the HTTP interface: requests in, responses out, no socket.
 */
#ifndef DAEMON_HTTP_API_H
#define DAEMON_HTTP_API_H

#include "daemon/web/web.h"

enum http_method {
	HTTP_GET = 1 << 0,
	HTTP_HEAD = 1 << 1,
	HTTP_POST = 1 << 2,
	HTTP_OTHER = 1 << 3,
	HTTP_OPTIONS = 1 << 4,
};

/* Looks up a parameter of the query string, decoded. Returns NULL when it is absent. The text
 * lives until the next call. */
typedef const char *(*http_query_fn)(void *ctx, const char *name);

/* The name of the i-th parameter of the query string, decoded and cut to fit; "" for an empty part
 * between two "&". False past the last. */
typedef bool (*http_query_name_fn)(void *ctx, size_t i, char *name, size_t size);

struct http_exchange; /* web_http.h */

/* Keeps a request with a body open after its handler returns: web_http_answer() on the result ends
 * it, not before the handler has returned. If the client leaves first, gone is called instead. */
typedef struct http_exchange *(*http_wait_fn)(void *ctx, void (*gone)(void *gone_ctx),
                                              void *gone_ctx);

struct http_request {
	enum http_method method;
	char *path;
	char *content_type;   /* "" for none */
	char *api_token;      /* of "Authorization: Bearer", or NULL */
	char *page_origin;    /* the Origin header, "" for none */
	char *cookie;         /* the Cookie header, "" for none */
	bool preflight;       /* a browser asks whether a page may send the request */
	struct caller caller; /* with that API token */
	http_query_fn query;
	http_query_name_fn query_name;
	http_wait_fn wait;
	void *ctx;  /* of these three */
	char *body; /* NUL-terminated; NULL for none */
	size_t body_len;
};

struct http_response {
	int status;
	const char *content_type;
	const char *allow; /* methods, for 405; else NULL */
	const char
	    *cors_origin; /* the origin that may read it, or NULL: lives as long as the request */
	const char *cors_methods; /* of a preflight, or NULL */
	unsigned retry_after_s;   /* 0: absent */
	char *headers;            /* more lines, each with its end; malloc()ed, or NULL */
	bool secret;              /* forbid caching */
	const void *body;         /* of constant storage, or the same as text */
	size_t body_len;
	char *text; /* malloc()ed, or NULL */
};

/* Fills r. The caller frees it with http_response_done(). */
void http_api_answer(const struct web_ops *ops, void *ctx, const struct http_request *q,
                     struct http_response *r);

/* To compare the routes with their documentation: the i-th one's path, in which a star stands for
 * one part, and its methods. False past the last. */
bool http_api_route(size_t i, const char **path, const char **allow);

/* An error answer: {"error":{"code":…,"message":…}}. */
void http_api_error(struct http_response *r, int status, const char *code, const char *message);

/* 400: the request has a member (or parameter, or argument) of that name, which is unknown here:
 * {"error":{"code":"unknown-member","message":…,"member":…}}. allowed ends with NULL. */
void http_api_unknown(struct http_response *r, const char *name, const char *const allowed[]);

/* True when the query string has only allowed names, none of them twice; if not, r has the answer.
 */
bool http_api_query_only(const struct http_request *q, const char *const allowed[],
                         struct http_response *r);

/* The same for a JSON object. */
bool http_api_members_only(const json_t *object, const char *const allowed[],
                           struct http_response *r);

/* The reason phrase of a status. */
const char *http_status_text(int status);

void http_response_done(struct http_response *r);

#endif
