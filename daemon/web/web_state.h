/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What signaling keeps over a restart of the server: a file that a stop leaves and the next start
 * takes.
 */
#ifndef DAEMON_WEB_STATE_H
#define DAEMON_WEB_STATE_H

#include "signal/hub.h"

/* Writes the hub's state to path, 0600, whole or not at all. Logs what goes wrong: nothing else
 * comes of it than that nobody can come back. */
void web_state_save(const struct hub *h, const char *path);

/* Reads it, and removes the file. What is damaged or too old is not used, and the log says so. */
void web_state_load(struct hub *h, const char *path);

#endif
