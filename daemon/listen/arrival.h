/* SPDX-License-Identifier: BSD-3-Clause
 *
 * An accepted TCP connection, from the first look at it until the web closes it or a worker takes
 * it. What the head of a request adds is struct caller.
 */
#ifndef DAEMON_ARRIVAL_H
#define DAEMON_ARRIVAL_H

#include "base/addr.h"

#include <stdbool.h>

struct net_source;

struct arrival {
	int fd;
	struct addr client;        /* behind a trusted proxy, as the proxy tells it */
	struct addr local;         /* of the socket, always */
	bool https;                /* the client used TLS, and a proxy or a worker has removed it */
	bool forwarded;            /* a trusted proxy has told the client */
	bool tls;                  /* it starts with a ClientHello */
	struct net_source *source; /* to be given back when it closes */
};

#endif
