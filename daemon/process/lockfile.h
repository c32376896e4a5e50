/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How the command line finds the running server: DATA/turnpike.lock, locked by
 * the server as long as it lives, so that it can never be stale. It also tells
 * how the last reload went.
 */
#ifndef DAEMON_LOCKFILE_H
#define DAEMON_LOCKFILE_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

#define LOCKFILE_TEXT_MAX 2048

struct lockfile;

/* How a reload went. */
struct lockfile_report {
	unsigned long serial; /* counts the reloads of one server; 0: none yet */
	bool ok;
	char text[LOCKFILE_TEXT_MAX]; /* lines for the operator */
};

/* -E_EXISTS when another server has it: *other is its process. */
int lockfile_take(const char *dir, struct lockfile **out, pid_t *other, struct why *why);

/* What it cannot write, it logs. NULL is legal. */
void lockfile_put_report(struct lockfile *l, const struct lockfile_report *report);

/* NULL is legal. The file stays, unlocked. */
void lockfile_free(struct lockfile *l);

/* Who serves from dir. -E_NOTFOUND when nobody does, or nobody that can be seen from here. */
int lockfile_find(const char *dir, pid_t *pid, struct why *why);

/* The last report. -E_PARSE while it is being written. */
int lockfile_get_report(const char *dir, struct lockfile_report *out);

#endif
