/* SPDX-License-Identifier: BSD-3-Clause
 *
 * NAT behaviour discovery (RFC 5780 section 4): a responder on two addresses
 * and two ports at the server, and a client behind the NAT, in one loop. Then
 * what else a client may do: TCP, ping, an HTTP proxy.
 */
#ifndef LAB_PROBE_H
#define LAB_PROBE_H

#include "base/addr.h"
#include "base/error.h"
#include "harness/lab/nat.h"

#include <stdint.h>

struct probe_target {
	int server_ns, client_ns;
	bool nat64;           /* IPv4 hosts are reached by their translated addresses */
	const char *proxy_ip; /* or NULL */
	int64_t patience_ms; /* what has not come for so long, since the last that came, will not */
};

/* Finds out what the routers between the two namespaces let through. 0, or a code if the probe
 * itself could not run. */
int probe_nat(const struct probe_target *t, struct nat_claim *out, struct why *why);

/* One client socket's findings in one family; the verdict over them is pure and tested alone. The
 * four destinations are [address][port]. */
struct probe_facts {
	bool answered[2][2];
	struct addr local;        /* the client's own address */
	struct addr mapped[2][2]; /* as each destination saw it */
	bool other_address;       /* an answer from another address came in */
	bool other_port;          /* an answer from another port of the same address */
	bool near;                /* an answer came with one router in between (by its TTL) */
	bool hairpin;             /* what was sent to mapped[0][0] from inside came in */
	bool refused;             /* ICMP: port unreachable */
};

void probe_judge(const struct probe_facts *f, struct nat_behaviour *out);

/* TCP, ping and proxy (reach.c). Connections begin at once and are looked at in the end. */
#define REACH_PORTS 2
struct reach_facts {
	bool has[2];                    /* the client can try this family: IPv4, IPv6 */
	bool connected[2][REACH_PORTS]; /* to port 443 and to another */
	bool pinged[2];
	bool by_proxy[REACH_PORTS];
};

struct reach {
	const struct probe_target *target;
	int listener[2][REACH_PORTS], tcp[2][REACH_PORTS], ping[2];
	struct reach_facts facts;
	int64_t deadline_ms;
};

int reach_begin(struct reach *r, const struct probe_target *t, struct why *why);
int reach_end(struct reach *r, struct why *why);
void reach_close(struct reach *r); /* legal after reach_begin() failed */

/* Sets out->tcp and out->no_ping. */
void reach_judge(const struct reach_facts *f, struct nat_claim *out);

/* The address by which the client reaches this one of the server's. family: of the server. */
int probe_server_addr(const struct probe_target *t, int family, int ip, uint16_t port,
                      struct addr *out);

#endif
