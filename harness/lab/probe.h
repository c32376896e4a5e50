/* SPDX-License-Identifier: BSD-3-Clause
 *
 * NAT behaviour discovery (RFC 5780 section 4): a responder on two addresses
 * and two ports at the server, and a client behind the NAT, in one loop.
 */
#ifndef LAB_PROBE_H
#define LAB_PROBE_H

#include "base/error.h"
#include "harness/lab/nat.h"

#include <netinet/in.h>
#include <stdint.h>

/* Finds out how the NAT between the two namespaces behaves. An answer counts as refused when it
 * has not come within patience_ms. 0, or a code if the probe itself could not run. */
int probe_nat(int server_ns, int client_ns, int64_t patience_ms, struct nat_behaviour *out,
              struct why *why);

/* What one client socket learnt; the verdict over it is pure and tested alone. The four
 * destinations are [address][port]. */
struct probe_facts {
	bool answered[2][2];
	struct sockaddr_in local;        /* the client's own address */
	struct sockaddr_in mapped[2][2]; /* as each destination saw it */
	bool other_address;              /* an answer from another address came in */
	bool other_port;                 /* an answer from another port of the same address */
};

void probe_judge(const struct probe_facts *f, struct nat_behaviour *out);

#endif
