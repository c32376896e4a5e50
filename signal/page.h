/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The files of the client page and of the self-test page, built into the program.
 */
#ifndef SIGNAL_PAGE_H
#define SIGNAL_PAGE_H

#include "base/embed.h"

/* "/" is the client page, "/check" the self-test. NULL for an unknown path. */
const struct embed_file *page_find(const char *path);

#endif
