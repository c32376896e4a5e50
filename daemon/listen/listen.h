/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Accepting on the listening TCP sockets.
 */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include "base/addr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct greeter;

struct listener;

/* Takes a listening socket, also on failure, and hands accepted connections to the greeter; proxy:
 * they begin with a PROXY header. -E_NOMEM. */
int listener_new(struct event_base *base, int fd, bool proxy, struct greeter *greeter,
                 struct listener **out, struct why *why);

/* NULL is legal. */
void listener_free(struct listener *l);

#endif
