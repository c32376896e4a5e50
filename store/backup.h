/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Copies of the store's file: out of a running server, and back in when none runs.
 */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "store/store.h"

#include <stddef.h>

/* Writes the store's present content to a new file (0600), checks it, and only then gives it its
 * name; servers and others go on meanwhile. The copy is one file without a journal. -E_EXISTS: it
 * overwrites nothing. -E_CORRUPT: the copy failed the check and was deleted. */
int store_backup(struct store *s, const char *file, struct why *why);

/* Replaces DIR/turnpike.db with a backup. Before it changes anything: -E_NOTFOUND, -E_INVAL (not a
 * store of ours), -E_SCHEMA (a newer program's), -E_CORRUPT, and -E_IN_USE while any process has
 * the store of dir open. Keeps the old file beside it; kept (of kept_size bytes) gets its path, or
 * "" when there was none. Migrates an older schema. The actor goes into the restored audit. If it
 * is killed at any moment, either the old store or the new one is in place. */
int store_restore(const char *dir, const char *file, const char *actor, char *kept,
                  size_t kept_size, struct why *why);

#endif
