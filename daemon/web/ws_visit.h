/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the opening handshake of a signaling WebSocket says beside its caller: the room, and a
 * ticket; or which dialect is spoken.
 */
#ifndef DAEMON_WS_VISIT_H
#define DAEMON_WS_VISIT_H

#include "signal/lws_hub.h"

#define WS_PATH "/ws"

/* Overwrites *out. From /ws/ROOM, ?room=, ?ticket= and Authorization: Bearer (if that is a JWT; API
 * tokens are none). 0, or -E_INVAL: a room's name that is none, two that differ, or a text that is
 * too long; *why then says which. */
int ws_visit_read(struct lws *wsi, struct lws_hub_visit *out, const char **why);

#endif
