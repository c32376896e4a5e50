/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whose rights a command of root's uses. In a directory that belongs to somebody
 * else it opens nothing as root: whatever its owner puts there in the place of
 * something else, he could have opened himself. What root named is opened as
 * root. For a program of one thread.
 */
#ifndef BASE_RIGHTS_H
#define BASE_RIGHTS_H

#include "base/error.h"

#include <sys/types.h>

struct rights {
	uid_t uid;
	gid_t gid;
};

/* Root becomes who owns dir or, where that is root or there is no dir yet, the first other owner of
 * a folder or a link on the way to it. Nothing changes for who is not root. */
int rights_become_owner(const char *dir, struct why *why);

/* Takes the caller's own rights back, and gives them up again. */
struct rights rights_raise(void);
void rights_lower(struct rights to);

#endif
