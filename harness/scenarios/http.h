/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One HTTP or HTTPS request, from the caller's network.
 */
#ifndef SCENARIOS_HTTP_H
#define SCENARIOS_HTTP_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_BODY 65536

struct http_request {
	const char *url;
	const char *post;      /* body of a POST, as JSON; NULL: a GET */
	const char *api_token; /* NULL: none */
	bool insecure;         /* any certificate will do */
	int64_t limit_ms;
};

struct http_answer {
	long status;
	char body[HTTP_BODY]; /* NUL-terminated; what is longer is cut */
	size_t len;
	bool tls;
	int64_t cert_expires_s; /* Unix time; 0: unknown */
	char cert_name[128];    /* its subject */
};

/* 0 and any status, -E_DENIED if the certificate does not verify, or -E_IO: why says what is
 * wrong, without the URL. */
int http_ask(const struct http_request *req, struct http_answer *a, struct why *why);

#endif
