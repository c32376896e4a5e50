/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Copies of the store's file: out of a running server, and back in when none
 * runs.
 */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "store/store.h"

#include <stddef.h>

/* Writes what the store holds now to a new file (0600), checks it, and only then gives it its
 * name; servers and others go on meanwhile. The copy is one file: no journal beside it. -E_EXISTS:
 * nothing is overwritten. -E_CORRUPT: the copy did not pass, and is not kept. */
int store_backup(struct store *s, const char *file, struct why *why);

/* Puts a backup in the place of DIR/turnpike.db. Before anything is touched: -E_NOTFOUND, -E_INVAL
 * (not a store of ours), -E_SCHEMA (a newer program's), -E_CORRUPT, and -E_IN_USE while anybody
 * has the store of dir open. What was there is kept beside it; kept (of kept_size bytes) gets its
 * path, or "" when there was nothing. An older schema is migrated. The actor goes into the
 * restored audit. Killed at any moment, either the old store or the new one is in place. */
int store_restore(const char *dir, const char *file, const char *actor, char *kept,
                  size_t kept_size, struct why *why);

#endif
