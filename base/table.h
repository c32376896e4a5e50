/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hash tables: uthash, so that a table that cannot grow refuses one item and does not end the
 * process, as uthash by itself does. Whoever wants uthash includes this (cmake/direction.cmake
 * checks it) and adds by TABLE_ADD(); finding and deleting are uthash's own macros.
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

/* Adds item, which holds its key in field, by its handle hh. 0, or -E_NOMEM: then the table is what
 * it was, item is not in it, and item->hh.tbl is NULL. */
#define TABLE_ADD(hh, table, field, len, item)                                                     \
	({                                                                                         \
		HASH_ADD(hh, table, field, len, item);                                             \
		table_result((item)->hh.tbl);                                                      \
	})

#endif
