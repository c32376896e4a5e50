/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Routes connections: greeted ones to the web or to a worker, and HTTP inside TLS from a worker
 * back to the web. Also holds the TURN server's TLS contexts. Lives on the main thread.
 */
#ifndef DAEMON_FRONT_H
#define DAEMON_FRONT_H

#include "daemon/conf/conf.h"
#include "daemon/listen/greeter.h"
#include "daemon/listen/topology.h"
#include "turn/net/tls.h"

struct front;
struct web;
struct worker;
struct worker_net;

/* Borrows conf and topo. 0 or a code with why set. */
int front_new(struct event_base *base, const struct conf *conf, const struct topology *topo,
              struct front **out, struct why *why);

/* Listeners hand their connections to it. */
struct greeter *front_greeter(struct front *f);

/* For worker_start(); valid as long as f is. */
const struct worker_net *front_worker_net(const struct front *f);

/* Starts to route. web NULL: the web is about to stop. */
void front_open(struct front *f, struct web *web, struct worker **workers, size_t worker_n);
void front_close_web(struct front *f);

/* TCP connections (the web's, too) and DTLS sessions now, and those refused by a limit. */
uint64_t front_connections(const struct front *f);
uint64_t front_refused(const struct front *f);

/* TCP connections closed for their PROXY header, by fault. */
void front_get_proxy_faults(const struct front *f, uint64_t faults[GREETER_FAULT_N]);

/* For TURN's new handshakes; takes a reference. */
void front_set_tls(struct front *f, struct net_tls *tls);

/* Unix time at which the certificate in use ends; 0: not known. */
int64_t front_cert_expires_at_s(const struct front *f);

/* The configuration (at the same address) has changed: applies limits and times of connections. The
 * workers get theirs from front_worker_net(). */
void front_reconfigure(struct front *f);

/* Free listeners, web and workers first. NULL is legal. */
void front_free(struct front *f);

#endif
