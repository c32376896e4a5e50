/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A TCP allocation (RFC 6062) and its connections with hosts in the internet:
 * made by the client and by its peers, bound and not, carrying bytes both ways, and
 * ended in every way there is.
 */
#ifndef SIM_TCP_CALL_H
#define SIM_TCP_CALL_H

#include "harness/sim/agent.h"

/* It ends by itself. */
void tcp_call_start(struct agent *a);
/* At the end of a run. */
void tcp_call_free_all(struct sim *s);

#endif
