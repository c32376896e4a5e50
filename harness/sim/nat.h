/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A NAT (RFC 4787) as a model: mappings with their timers, filters, a pool of
 * ports; and the theory of which two let a direct path through.
 */
#ifndef SIM_NAT_H
#define SIM_NAT_H

#include "harness/lab/nat.h"
#include "harness/sim/sim.h"

#define SIM_NAT_TIMEOUT_MS 120000 /* RFC 4787 REQ-5: not less than two minutes */

struct sim_mapping;

struct sim_nat {
	struct sim *sim;
	enum nat_mapping mapping;
	enum nat_filtering filtering;
	bool hairpin;
	uint32_t outside_ip; /* NAT_MAP_NONE: the host's own */
	uint16_t port_min;
	uint32_t port_n;
	uint64_t exhausted_ms; /* when a port was last wanting */
	struct sim_mapping *by_inside, *by_port;
};

/* Translates the source of a datagram on its way out. False: no port is free. */
bool sim_nat_out(struct sim_nat *n, struct ep *from, struct ep to);
/* Translates the destination of one on its way in. False: it is filtered. */
bool sim_nat_in(struct sim_nat *n, struct ep from, struct ep *to);
/* Forgets its mappings, as a reboot does. */
void sim_nat_flush(struct sim_nat *n);

/* Does a pair of endpoints behind these two find a direct path by ICE? (Both pass UDP; server-
 * and peer-reflexive candidates; see nat.c for the reasoning.) */
bool sim_nat_direct(const struct nat_behaviour *a, const struct nat_behaviour *b);

#endif
