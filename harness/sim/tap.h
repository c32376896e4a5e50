/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tap on clients' TCP connections. Each message that a client writes into its
 * stream must reach the TURN core, and each message of the core must reach the
 * client. turn/net/ is between the two; the linker puts the tap between turn/net/
 * and the core.
 */
#ifndef SIM_TAP_H
#define SIM_TAP_H

#include "harness/sim/sim.h"

struct tap;

/* Sees the connections of this run from now on. NULL: of none, and frees all taps. */
void tap_watch(struct sim *s);

/* Before the client connects from there. NULL when out of memory. */
struct tap *tap_new(struct sim *s, struct ep client, uint32_t call);
/* The client's end, or NULL: the client has closed it. The tap is freed when both ends are gone. */
void tap_set_stream(struct tap *t, const struct env_stream *stream);
/* The client does not always read. */
void tap_set_slow(struct tap *t);

/* The client has put a whole message into its stream; has got one out of it. */
void tap_put(struct tap *t, const uint8_t *message, size_t len);
void tap_got(struct tap *t, const uint8_t *message, size_t len);

/* Each second: has a message got lost? */
void tap_tick(struct sim *s);

#endif
