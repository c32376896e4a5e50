/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Carries HTTP requests between libwebsockets and http_api: one request a
 * connection.
 */
#ifndef DAEMON_WEB_HTTP_H
#define DAEMON_WEB_HTTP_H

#include "daemon/web/web.h"

struct http_response;
struct http_exchange;
struct nest;

/* Answers requests: borrowed. */
struct web_http {
	const struct web_conf *conf;
	const struct web_ops *ops;
	void *ctx;
	struct nest *nest;
};

/* The head of a request is there. Returns what the LWS callback has to return; when that is 0
 * *slot holds an exchange that waits for the body. slot NULL: no body is taken. */
int web_http_head(const struct web_http *h, struct lws *wsi, const struct caller *caller,
                  struct http_exchange **slot);

/* Takes a part of the body; the last one is answered. */
int web_http_body(struct http_exchange *s, const void *in, size_t len);

/* LWS has seen the end of the body. */
int web_http_done(struct http_exchange *s);

/* The socket can be written to: sends a delayed answer, if it is there. */
int web_http_writable(struct http_exchange *s);

/* Answers a request that has waited (http_wait_fn). Takes over what r points to. */
void web_http_answer(struct http_exchange *s, struct http_response *r);

/* Answers with an error and closes the connection. headers: more lines, each with its end, or NULL.
 */
int web_http_refuse(struct lws *wsi, int status, const char *code, const char *message,
                    const char *headers);

/* The bytes of the same answer, for a connection outside of libwebsockets; the caller frees them;
 * NULL when out of memory. */
char *web_http_error(int status, const char *code, const char *message, size_t *len);

/* NULL is legal. */
void web_http_free(struct http_exchange *s);

#endif
