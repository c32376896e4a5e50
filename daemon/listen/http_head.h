/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The head of an HTTP request, looked at before libwebsockets reads it: what it
 * would answer with a page of its own, or with nothing at all, is found here and
 * answered as everything else is.
 */
#ifndef DAEMON_HTTP_HEAD_H
#define DAEMON_HTTP_HEAD_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX   8192 /* bytes; libwebsockets keeps no more (max_http_header_data) */
#define HTTP_TARGET_MAX 4096
#define HTTP_LINES_MAX  64 /* it counts these and the parameters together, up to 90 */
#define HTTP_PARAMS_MAX 24

/* What is wrong with it. */
struct http_fault {
	int status;
	const char *code, *message;
};

/* Behind the empty line; 0: it is not there yet. */
size_t http_head_end(const uint8_t *head, size_t len);

/* 0; -E_LATER: *need bytes, counted from the start; -E_PARSE and what to answer. */
int http_head_check(const uint8_t *head, size_t len, struct http_fault *out, size_t *need);

/* The one for a head that did not come in time. */
extern const struct http_fault http_head_late;

#endif
