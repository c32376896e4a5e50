/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks the head of an HTTP request before libwebsockets reads it. libwebsockets would answer some
 * faults with a page of its own, or not at all; this finds them, so that they get an answer like
 * any other.
 */
#ifndef DAEMON_HTTP_HEAD_H
#define DAEMON_HTTP_HEAD_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX   8192 /* bytes; libwebsockets keeps no more (max_http_header_data) */
#define HTTP_TARGET_MAX 4096
#define HTTP_LINES_MAX  64 /* it counts these and the parameters together, up to 90 */
#define HTTP_PARAMS_MAX 24

/* A fault in the head. */
struct http_fault {
	int status;
	const char *code, *message;
};

/* The offset after the empty line; 0: not there yet. */
size_t http_head_end(const uint8_t *head, size_t len);

/* 0; -E_LATER: *need bytes, counted from the start; -E_PARSE and the answer. */
int http_head_check(const uint8_t *head, size_t len, struct http_fault *out, size_t *need);

/* The fault of a head that came too late. */
extern const struct http_fault http_head_late;

#endif
