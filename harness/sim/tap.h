/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tap on clients' TCP connections: what a client wrote into its stream must
 * come to the TURN core message by message, and what the core sends must come out
 * at the client. turn/net/ is between the two; the linker puts the tap between it
 * and the core.
 */
#ifndef SIM_TAP_H
#define SIM_TAP_H

#include "harness/sim/sim.h"

struct tap;

/* From now on connections of this run are seen; NULL: none is, and all that there were are gone. */
void tap_watch(struct sim *s);

/* Before the client connects from there. NULL when out of memory. */
struct tap *tap_new(struct sim *s, struct ep client, uint32_t call);
/* The client's end, which tells how much has been written to it. NULL: it has closed. The tap is
 * gone when the server's end is, too. */
void tap_set_stream(struct tap *t, const struct env_stream *stream);
/* The client does not always read. */
void tap_set_slow(struct tap *t);

/* The client has put a whole message into its stream; has got one out of it. */
void tap_put(struct tap *t, const uint8_t *message, size_t len);
void tap_got(struct tap *t, const uint8_t *message, size_t len);

/* Each second: has a message got lost? */
void tap_tick(struct sim *s);

#endif
