/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One end of a call: ICE (RFC 8445) in short, then media. Candidates go
 * through the hub one by one; every pair is checked, both ways of sending with
 * every candidate of the other; a pair is good when the answer comes from where the check
 * went. The caller nominates: a direct pair at once, others when the direct ones have had
 * their time.
 */
#ifndef SIM_LEG_H
#define SIM_LEG_H

#include "harness/sim/agent.h"

/* NULL when out of memory. */
struct leg *leg_new(struct agent *a, struct call *c, bool caller);
/* word: the TURN server is told. */
void leg_free(struct leg *l, bool word);
/* Begins anew, with new sockets, for the call's present generation. */
void leg_restart(struct leg *l);
void leg_tick(struct leg *l); /* once a second */

/* From the hub. Members may be NULL or 0. May free l. */
struct leg_message {
	const char *type, *address;
	uint32_t from, n, gen, call;
};
void leg_message(struct leg *l, const struct leg_message *m);
struct agent *leg_partner(const struct leg *l);
struct call *leg_call(const struct leg *l);
bool leg_uses_node(const struct leg *l, unsigned int node);

#endif
