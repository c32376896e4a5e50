/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which of the ports that the configuration listens on are told to clients.
 */
#ifndef DAEMON_ENDPOINT_H
#define DAEMON_ENDPOINT_H

#include "daemon/conf/conf.h"
#include "daemon/issue/ice.h"

#define ENDPOINT_MAX 4

/* Best first: UDP and TCP on 3478 (else on the first port), TCP on 443, and, with a certificate
 * that clients can verify, TLS on 443 or 5349. Few, since browsers gather from every URI.
 * Returns how many; 0 when every port is chosen by the system. */
size_t endpoints(const struct conf *conf, struct ice_endpoint ep[ENDPOINT_MAX]);

/* Who the URIs are for. */
struct endpoint_for {
	const char *asked; /* the name or address that he asked under; NULL: none */
	bool here;         /* he is on this host: what is local leads to us */
	bool forwarded;    /* a proxy asks for him: the name may be one that only the proxy knows */
};

/* The host to put into URIs, one that the client reaches: public_host, else what it asked under,
 * else external_ip, else a listen address; a loopback address only where we listen on nothing
 * else. Never "localhost", a loopback or an unspecified address
 * for somebody elsewhere: -E_UNREACHABLE. */
int endpoint_host(const struct conf *conf, const struct endpoint_for *c,
                  char host[ICE_HOST_STRLEN]);

/* Whether a TCP port of the server takes nothing from its own host, but only from the balancers of
 * proxy_from. */
bool endpoint_is_for_balancers(const struct conf *conf, const struct addr *server);

/* For a TCP connection of ours, just made, to a port of the server: where the configuration says
 * that it has to begin with a PROXY header, sends one that speaks for nobody. 0, or -1 and errno.
 */
int endpoint_greet(const struct conf *conf, int fd);

#endif
