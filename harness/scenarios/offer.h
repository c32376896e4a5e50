/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A server's offer: its ICE server URIs (RFC 7064, RFC 7065), examined.
 */
#ifndef SCENARIOS_OFFER_H
#define SCENARIOS_OFFER_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define OFFER_MAX  32
#define OFFER_URI  320
#define OFFER_HOST 256

enum offer_transport { OFFER_UDP, OFFER_TCP, OFFER_TLS, OFFER_TRANSPORTS };

struct offer_entry {
	char uri[OFFER_URI];
	char host[OFFER_HOST]; /* without brackets */
	int family;            /* AF_INET or AF_INET6 if the host is such a literal; 0: a name */
	unsigned port;
	enum offer_transport transport;
	bool turn; /* else it is a STUN server */
};

struct offer {
	size_t n;
	struct offer_entry entry[OFFER_MAX];
};

/* "udp", "tcp", "tls": as relayProtocol says. */
const char *offer_transport_word(enum offer_transport t);

/* One URI. 0, or -E_PARSE: why says what is wrong with it. TURN over DTLS (turns: with
 * transport=udp), which no browser speaks, is -E_UNSUPPORTED. */
int offer_parse_uri(const char *uri, struct offer_entry *e, struct why *why);

/* {"iceServers": [...]} or the array itself. *servers (may be NULL) gets a new reference to the
 * array. What no browser speaks is left out. -E_PARSE: why names what is missing. */
int offer_parse(const json_t *json, struct offer *o, json_t **servers, struct why *why);

/* The same, from text. */
int offer_parse_text(const char *text, struct offer *o, json_t **servers, struct why *why);

#endif
