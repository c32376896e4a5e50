/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names of hosts as URIs and the Host header have them (RFC 3986 section 3.2, RFC 9110 section
 * 7.2).
 */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#define HOST_STRLEN 254 /* the longest name, and NUL */

/* A host name (letters, digits, hyphens, underscores, dots) or an IP literal without brackets. */
bool host_valid(const char *host);

/* host [":" port], an IPv6 literal in brackets. The host without them; port 0 where none is named.
 * -E_PARSE; the outputs are untouched then. */
int host_parse_authority(const char *text, char host[HOST_STRLEN], uint16_t *port);

/* The same name: in any case of its letters, with or without the final dot. */
bool host_equal(const char *a, const char *b);

#endif
