/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The files of the client page and of the self-test page, built into the program.
 */
#ifndef SIGNAL_PAGE_H
#define SIGNAL_PAGE_H

#include <stddef.h>

struct page_file {
	const char *path; /* as in the URL */
	const char *content_type;
	const unsigned char *data;
	const unsigned char *end;
};

/* "/" is the client page, "/check" the self-test. NULL when there is no such file. */
const struct page_file *page_find(const char *path);

#endif
