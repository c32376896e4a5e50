/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lets the command line find the running server: DATA/turnpike.lock, which the server locks as long
 * as it lives, so that it can never be stale.
 */
#ifndef DAEMON_LOCKFILE_H
#define DAEMON_LOCKFILE_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct lockfile;

/* -E_EXISTS when another server holds it: *other is its process. */
int lockfile_take(const char *dir, struct lockfile **out, pid_t *other, struct why *why);

/* NULL is legal. The file stays, unlocked. */
void lockfile_free(struct lockfile *l);

/* The process that serves from dir. -E_NOTFOUND when there is none, or none that is visible from
 * here. */
int lockfile_find(const char *dir, pid_t *pid, struct why *why);

#endif
