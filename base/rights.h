/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The rights that a root command uses. In a directory of another user it opens nothing as root:
 * whatever the owner puts there instead of a file, they could have opened themselves. Paths that
 * root named are opened as root. For a program of one thread.
 */
#ifndef BASE_RIGHTS_H
#define BASE_RIGHTS_H

#include "base/error.h"

#include <sys/types.h>

struct rights {
	uid_t uid;
	gid_t gid;
};

/* Root becomes the owner of dir or, if that is root or dir does not exist yet, the first other
 * owner of a folder or a link on the way to it. Changes nothing for other users. */
int rights_become_owner(const char *dir, struct why *why);

/* Takes the caller's own rights back, and gives them up again. */
struct rights rights_raise(void);
void rights_lower(struct rights to);

#endif
