/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The network of a run, built inside a container (contain.h):
 *
 *   server "srv" ---+
 *   203.0.113.10    |
 *   203.0.113.11    +-- bridge "net" 203.0.113.1/24, 2001:db8::1/64
 *                   |
 *   client "ca" -- router "na" (NAT) 203.0.113.21
 *   client "cb" -- router "nb" (NAT) 203.0.113.22
 */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include "base/error.h"
#include "harness/lab/nat.h"

#define LAB_SERVER_IP     "203.0.113.10"
#define LAB_SERVER_IP_TWO "203.0.113.11"

enum lab_side { LAB_A, LAB_B, LAB_SIDES };

struct lab;

/* Builds bridge, server and both sides, without NAT rules yet. Call inside a container.
 * why says which program, rule or right is missing. */
int lab_new(struct lab **out, struct why *why);

/* Closes what the process holds; the namespaces end with the container. */
void lab_free(struct lab *lab);

/* Makes the side's router this kind and gives its client the fitting address. Connections that
 * run through it break. Then use lab_verify_nat(). */
int lab_set_nat(struct lab *lab, enum lab_side side, const struct nat_kind *kind, struct why *why);

/* Network namespace descriptors, owned by the lab. */
int lab_client_ns(const struct lab *lab, enum lab_side side);
int lab_server_ns(const struct lab *lab);

static inline const char *lab_server_host(const struct lab *lab, enum lab_side side)
{
	(void)lab;
	(void)side;
	return LAB_SERVER_IP;
}
static inline const char *lab_client_proxy(const struct lab *lab, enum lab_side side)
{
	(void)lab;
	(void)side;
	return NULL;
}
/* "a" or "b", as in namespaces and messages. */
const char *lab_side_name(enum lab_side side);

/* A close-on-exec socket that lives in the given network namespace, or a negative code. */
int lab_socket(int netns_fd, int family, int type, struct why *why);

/* Probes the side's router from its client (RFC 5780 section 4) and compares with what the kind
 * claims. 0, or -E_CORRUPT: why tells both. */
int lab_verify_nat(struct lab *lab, enum lab_side side, struct why *why);

#endif
