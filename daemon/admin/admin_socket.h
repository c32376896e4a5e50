/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verbs over DATA/admin.sock (mode 0600): a JSON object a line,
 *
 *   {"verb":"user list","args":{"limit":10}}
 *   {"ok":true,"result":{...}}
 *   {"ok":false,"error":{"code":"not-found","message":"..."}}
 *
 * The server accepts only root and its own user, even if the file's mode has been
 * changed; they are admins.
 */
#ifndef DAEMON_ADMIN_SOCKET_H
#define DAEMON_ADMIN_SOCKET_H

#include "base/error.h"

#include <jansson.h>

#define ADMIN_SOCKET_NAME "admin.sock"

struct admin;
struct admin_socket;
struct event_base;

/* Listens; replaces a file that a dead server left: the caller holds the lock of dir. */
int admin_socket_start(struct event_base *base, const char *dir, struct admin *admin,
                       struct admin_socket **out, struct why *why);

/* Closes and removes the file. NULL is legal. */
void admin_socket_stop(struct admin_socket *s);

/* ---- the other end, for the command line ---- */

/* Asks the server on dir. Steals args (may be NULL). 0 and the result; -E_CLOSED when no server
 * runs there; any other code with the server's own message. */
int admin_ask(const char *dir, const char *verb, json_t *args, json_t **result, struct why *why);

#endif
