/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finds a file that is built in.
 */
#include "base/embed.h"

#include <string.h>

const struct embed_file *embed_find(const struct embed_file *files, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(files[i].path, path))
			return &files[i];
	return NULL;
}
