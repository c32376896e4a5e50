/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Imports from coturn: reads its SQLite database, and adds users to the store by their key, since
 * coturn keeps no password either.
 */
#ifndef STORE_COTURN_H
#define STORE_COTURN_H

#include "base/error.h"

#include <stdint.h>

struct store;

/* The tables of coturn's schema.sql, each with the columns it gives. */
enum coturn_table {
	COTURN_USER,         /* realm, name, hmackey */
	COTURN_SECRET,       /* realm, value */
	COTURN_ALLOWED,      /* realm, ip_range */
	COTURN_DENIED,       /* realm, ip_range */
	COTURN_ORIGIN,       /* realm, origin */
	COTURN_REALM_OPTION, /* realm, opt, value */
	COTURN_OAUTH,        /* realm, kid, ikm_key */
	COTURN_ADMIN,        /* realm, name */
};
#define COTURN_COLUMNS 3

/* Calls row for each row of each existing table; texts live for the call, an absent one is "". A
 * result other than 0 ends the reading and is returned. Only reads the file. -E_NOTFOUND,
 * -E_CORRUPT, -E_DENIED, -E_INVAL (not coturn's). */
int coturn_db_read(const char *path,
                   int (*row)(void *ctx, enum coturn_table table,
                              const char *const v[COTURN_COLUMNS]),
                   void *ctx, struct why *why);

/* Adds a TURN user with a known MD5(name:realm:password) but no password: their clients can use
 * MESSAGE-INTEGRITY (SHA-1), as with coturn, but not MESSAGE-INTEGRITY-SHA256. Codes as
 * store_user_add(). */
int store_user_add_md5(struct store *s, const char *realm, const char *name, const uint8_t md5[16],
                       struct why *why);

#endif
