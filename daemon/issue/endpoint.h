/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Chooses the listening ports that clients are told.
 */
#ifndef DAEMON_ENDPOINT_H
#define DAEMON_ENDPOINT_H

#include "daemon/conf/conf.h"
#include "daemon/issue/ice.h"

#define ENDPOINT_MAX 4

/* Best first: UDP and TCP on 3478 (else on the first port), TCP on 443, and, with a certificate
 * that clients can verify, TLS on 443 or 5349. Few, because browsers gather from every URI. Returns
 * their number; 0 when the system chooses every port. */
size_t endpoints(const struct conf *conf, struct ice_endpoint ep[ENDPOINT_MAX]);

/* The client that the URIs are for. */
struct endpoint_for {
	const char *asked; /* the name or address in its request; NULL: none */
	bool here;         /* it is on this host: local addresses lead to us */
	bool forwarded;    /* a proxy asks for it: only the proxy may know the name */
};

/* The host for URIs, one that the client reaches: public_host, else the name in its request, else
 * external_ip, else a listen address; a loopback address only if we listen on nothing else. Never
 * "localhost", a loopback or an unspecified address for a client elsewhere: -E_UNREACHABLE. */
int endpoint_host(const struct conf *conf, const struct endpoint_for *c,
                  char host[ICE_HOST_STRLEN]);

/* True when a TCP port of the server refuses its own host and accepts only the balancers of
 * proxy_from. */
bool endpoint_is_for_balancers(const struct conf *conf, const struct addr *server);

/* For a TCP connection of ours, just made, to a port of the server: if the configuration demands a
 * PROXY header there, sends one without addresses (LOCAL). 0, or -1 and errno. */
int endpoint_greet(const struct conf *conf, int fd);

#endif
