/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The files of the status page, built into the program. They hold no secret: the page gets its data
 * from admin_http.h, signed in.
 */
#ifndef DAEMON_ADMIN_PAGE_H
#define DAEMON_ADMIN_PAGE_H

#include "base/embed.h"

#define ADMIN_PAGE_PATH "/admin/"

/* NULL for an unknown path. */
const struct embed_file *admin_page_find(const char *path);

#endif
