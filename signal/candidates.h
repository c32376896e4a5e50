/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the addresses of ICE candidates out of a message (RFC 8839 section 5.1). The hub itself
 * does not read what it passes on; this is for whoever has to know the addresses.
 *
 *   candidate:842163049 1 udp 1677729535 203.0.113.7 40123 typ srflx raddr 10.0.0.5 rport 40123
 *             foundation  |     priority      address  port
 *                     component transport
 */
#ifndef SIGNAL_CANDIDATES_H
#define SIGNAL_CANDIDATES_H

#include "base/addr.h"

#include <stddef.h>

/* Finds them wherever they are in the text: in lines of an SDP, or alone; also inside of JSON
 * strings, at any depth. Any bytes, len of them. An address that is a name (mDNS) is none, and
 * neither is a related one (raddr). Returns the number, at most max: IPs with port 0, each once. */
size_t candidates_find(const char *text, size_t len, struct addr *out, size_t max);

#endif
