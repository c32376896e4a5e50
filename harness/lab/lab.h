/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The network of a run, built inside a container (contain.h):
 *
 *   server "srv" ---+
 *   203.0.113.10    |
 *   203.0.113.11    +-- bridge "net" 203.0.113.1/24, 2001:db8::1/64
 *   203.0.113.13    |
 *   client "ca" -- router "na" (NAT) [-- carrier "ga"] 203.0.113.21
 *   client "cb" -- router "nb" (NAT) [-- carrier "gb"] 203.0.113.22
 *
 * Every function but the plain questions returns 0 or a code; why then says what is missing (a
 * program and its Debian package, a right, a device, a rule that this kernel refuses).
 */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include "base/error.h"
#include "harness/lab/nat.h"

#include <stdbool.h>

#define LAB_SERVER_IP      "203.0.113.10"
#define LAB_SERVER_IP_TWO  "203.0.113.11"
#define LAB_SERVER_IP6     "2001:db8::10"
#define LAB_SERVER_IP6_TWO "2001:db8::11"
#define LAB_SERVER_NAME    "turnpike.test" /* every client resolves it, each by its family */

/* The host outside of all NATs, where this process is. */
#define LAB_OUTSIDE_IP "203.0.113.1"

/* For a second, foreign TURN server beside the first. */
#define LAB_TURN_IP   "203.0.113.13"
#define LAB_TURN_IP6  "2001:db8::13"
#define LAB_TURN_NAME "turn.turnpike.test"

enum lab_side { LAB_A, LAB_B, LAB_SIDES };

struct lab;

/* Builds bridge, server and both sides, without NAT rules yet. Call inside a container. */
int lab_new(struct lab **out, struct why *why);

/* Ends the lab's helper processes and closes what this process holds; the namespaces end with
 * the container. */
void lab_free(struct lab *lab);

/* Makes the side's router this kind and gives its client the fitting address. Undoes faults, link
 * conditions and lab_share_nat() of that side; nothing of the former kind is left (addresses,
 * routes, translations, helper processes). Borrows kind until the next call. */
int lab_set_nat(struct lab *lab, enum lab_side side, const struct nat_kind *kind, struct why *why);

/* Puts both clients on one LAN behind side A's router. isolated: as in a guest WLAN, they reach
 * each other only by way of the router. Undone by lab_set_nat() on either side; the other side
 * then needs its own lab_set_nat() too. Faults of either side then concern the one router. */
int lab_share_nat(struct lab *lab, const struct nat_kind *kind, bool isolated, struct why *why);

/* Probes the side's router from its client (RFC 5780 section 4) in both families, with TCP, by
 * proxy and by name, and compares with what the kind claims. 0, or -E_CORRUPT: why tells both. */
int lab_verify_nat(struct lab *lab, enum lab_side side, struct why *why);

/* Network namespace descriptors, owned by the lab. The router is the one that does the NAT for
 * this side: its interfaces are "wan" and "lan". */
int lab_client_ns(const struct lab *lab, enum lab_side side);
int lab_router_ns(const struct lab *lab, enum lab_side side);
int lab_server_ns(const struct lab *lab);

/* How this side's client names the server in a URL: "203.0.113.10", "[2001:db8::10]" or
 * "turnpike.test". Static storage; valid after lab_set_nat(). */
const char *lab_server_host(const struct lab *lab, enum lab_side side);

/* "http://192.168.1.1:8888", or NULL where the client needs no proxy. */
const char *lab_client_proxy(const struct lab *lab, enum lab_side side);

/* "a" or "b", as in namespaces and messages. */
const char *lab_side_name(enum lab_side side);

/* How many UDP sockets there are in a network namespace; a negative code. */
int lab_udp_sockets(int netns_fd, struct why *why);

/* How many datagrams the namespace's UDP sockets have refused since boot because they were full;
 * -1: unknown. Both may be asked from any thread. */
long lab_udp_overflows(int netns_fd);

/* A close-on-exec socket that lives in the given network namespace, or a negative code. */
int lab_socket(int netns_fd, int family, int type, struct why *why);

/* Faults in mid-call. Each is quick and leaves alone what it does not name. */

/* Drops every UDP packet that the router would forward, both ways. */
int lab_block_udp(struct lab *lab, enum lab_side side, bool on, struct why *why);

/* The NAT forgets every mapping, as after a restart, and gives other ports from now on. */
int lab_rebind(struct lab *lab, enum lab_side side, struct why *why);

/* The client gets another address on its LAN; its old one is gone. */
int lab_change_client_address(struct lab *lab, enum lab_side side, struct why *why);

/* The router gets another public address, and another IPv6 prefix for its LAN. Where the client
 * itself holds the public address, that one changes. */
int lab_change_wan_address(struct lab *lab, enum lab_side side, struct why *why);

/* Blackout: the WAN carries nothing. Links stay up, no host is told. */
int lab_cut_link(struct lab *lab, enum lab_side side, bool on, struct why *why);

/* Conditions of the side's WAN, each way. All zero is a clean link. */
struct lab_link {
	unsigned loss_percent; /* 0..100, each packet on its own */
	unsigned rate_kbit;    /* 0: not limited */
	unsigned delay_ms;     /* added to each packet */
	unsigned jitter_ms;    /* added on top, 0 to this, evenly; packets keep their order */
};

int lab_set_link(struct lab *lab, enum lab_side side, const struct lab_link *link, struct why *why);

#endif
