/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The client behind a trusted HTTP proxy: from X-Forwarded-For and X-Forwarded-Proto, or Forwarded
 * (RFC 7239). Reads the bytes of the request's head, so that a repeated header is seen twice:
 * proxies add their part at the end, and anybody may have written what is before it.
 */
#ifndef DAEMON_FORWARDED_H
#define DAEMON_FORWARDED_H

#include "daemon/conf/conf.h"

struct forwarded {
	struct addr client; /* port 0 if not given; the remote address if no client is named */
	bool named;         /* a client is named */
	bool https;         /* the client spoke TLS with the proxy that names it */
	bool contradictory; /* the two headers name different clients: ignore both */
};

/* Reads from right to left: each trusted hop (remote is the first) is believed about the one
 * before it. 0; -E_LATER: *need bytes, counted from the start; -E_LIMIT: the head is too long. */
int forwarded_parse(const uint8_t *head, size_t len, const struct addr *remote,
                    const struct conf_prefixes *trusted, struct forwarded *out, size_t *need);

/* True when the address is in the list. */
bool forwarded_trusts(const struct conf_prefixes *trusted, const struct addr *a);

#endif
