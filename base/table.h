/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hash tables: uthash, changed so that a table that cannot grow refuses one item; plain uthash ends
 * the process. Files that use uthash include this (cmake/direction.cmake checks it) and add with
 * TABLE_ADD(); to find and delete, use uthash's own macros.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/error.h"

#ifdef UTHASH_H
#error "uthash.h was included before base/table.h"
#endif
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

__attribute__((warn_unused_result)) static inline int table_result(const void *table)
{
	return table ? 0 : -E_NOMEM;
}

/* Adds item, with its key in field, by its handle hh. 0, or -E_NOMEM: the table is unchanged, item
 * is not in it, and item->hh.tbl is NULL. */
#define TABLE_ADD(hh, table, field, len, item)                                                     \
	({                                                                                         \
		HASH_ADD(hh, table, field, len, item);                                             \
		table_result((item)->hh.tbl);                                                      \
	})

#endif
