/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A client over TCP that stops reading while a peer floods it, asks for
 * something meanwhile, and goes on.
 */
#ifndef SIM_SLOW_H
#define SIM_SLOW_H

#include "harness/sim/agent.h"

/* It ends by itself. */
void slow_start(struct agent *a);
/* At the end of a run. */
void slow_free_all(struct sim *s);

#endif
