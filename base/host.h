/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Host names as in URIs and the Host header (RFC 3986 section 3.2, RFC 9110 section 7.2).
 */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#define HOST_STRLEN 254 /* the longest name, and NUL */

/* A host name (letters, digits, hyphens, underscores, dots) or an IP literal without brackets. */
bool host_valid(const char *host);

/* Parses host [":" port], with brackets around an IPv6 literal. Gives the host without them; port 0
 * if none is named. -E_PARSE leaves the outputs untouched. */
int host_parse_authority(const char *text, char host[HOST_STRLEN], uint16_t *port);

/* True for the same name, ignoring case and a final dot. */
bool host_equal(const char *a, const char *b);

#endif
