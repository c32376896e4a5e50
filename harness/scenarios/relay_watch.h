/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The relay while a call runs: measured by the gauge, and after the call, when
 * it should have given everything back.
 */
#ifndef SCENARIOS_RELAY_WATCH_H
#define SCENARIOS_RELAY_WATCH_H

#include "harness/scenarios/stage.h"

/* Starts the gauge on the server under test. NULL where there is no lab, or the server offers no
 * TURN over UDP or TCP with IPv4; -E_* in *err if that failed otherwise. */
struct gauge *relay_watch_start(struct stage *st, int *err, struct why *why);

/* The resources on the server's host: recorded before a call, compared after it. */
void relay_watch_before(struct stage *st);

/* Waits until what the call took is given back, and notes what stays in the result. */
void relay_watch_after(struct stage *st);

#endif
