/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Recognizes a TCP connection's protocol from its first bytes: every port understands every
 * protocol. Reads nothing, keeps nothing.
 */
#ifndef DAEMON_SNIFF_H
#define DAEMON_SNIFF_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sniff {
	SNIFF_MORE, /* need bytes, counted from the start, decide it */
	SNIFF_TURN,
	SNIFF_HTTP,
	SNIFF_TLS,
	SNIFF_NONE
};

enum sniff sniff(const uint8_t *data, size_t len, size_t *need);

struct proxy_header {
	size_t len;   /* bytes to take off the stream */
	bool unknown; /* the proxy speaks for itself (health checks): use the socket's addresses */
	struct addr source, destination;
};

/* Parses HAProxy's PROXY protocol, versions 1 and 2. 0; -E_LATER: *need bytes; -E_NOTFOUND: another
 * beginning; -E_PARSE: malformed. */
int proxy_header_parse(const uint8_t *data, size_t len, struct proxy_header *out, size_t *need);

#endif
