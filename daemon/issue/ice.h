/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The data a client needs to use this appliance as its ICE server: URIs and a time-limited
 * credential (draft-uberti-behave-turn-rest-00), in the shapes that clients ask for.
 */
#ifndef DAEMON_ICE_H
#define DAEMON_ICE_H

#include "store/credential.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICE_URI_MAX     8
#define ICE_URI_STRLEN  300
#define ICE_HOST_STRLEN 256

struct ice_grant {
	struct credential credential; /* username "expiry:name" and its password */
	int64_t ttl_s;                /* its lifetime */
	int64_t ttl_asked_s;          /* as requested, 0: none; above ttl_s: it was cut */
	bool locked;                  /* relays only towards the peers of lock */
	uint64_t lock;
	bool strict;            /* sessions opened with it end when it expires */
	unsigned retry_after_s; /* for a grant refused by the rate limit */
	size_t uri_n;           /* stun: first, then turn: */
	char uri[ICE_URI_MAX][ICE_URI_STRLEN];
};

/* The ports behind the URIs: the appliance's listeners, best first. */
struct ice_endpoint {
	enum { ICE_UDP, ICE_TCP, ICE_TLS } transport;
	uint16_t port;
};

/* Adds the URIs of the endpoints under host (a name or an IP literal, IPv6 without brackets) to
 * the grant. -E_INVAL for a host that is neither, -E_LIMIT past ICE_URI_MAX. */
int ice_grant_add_uris(struct ice_grant *g, const char *host, const struct ice_endpoint *ep,
                       size_t n);

/* New references; NULL only when out of memory. */
json_t *ice_grant_servers(const struct ice_grant *g); /* the array of RTCIceServer */
json_t *ice_grant_rest(const struct ice_grant *g);    /* {username,password,ttl,uris} */

#endif
