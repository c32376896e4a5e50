/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Giving up what only the start needs: root, groups, capabilities. There is no
 * way back, and that is tried.
 */
#ifndef DAEMON_PRIVILEGE_H
#define DAEMON_PRIVILEGE_H

#include "daemon/conf/conf.h"

#include <sys/types.h>

struct privilege {
	bool drop; /* from root to uid and gid */
	uid_t uid;
	gid_t gid;
	char user[64]; /* for the words about it */
};

/* Looks the options run_as and run_as_group up. -E_NOTFOUND for nobody of that name, -E_DENIED when
 * it is another than who we are and we are not root, -E_INVAL for root itself. */
int privilege_resolve(const struct conf *conf, struct privilege *out, struct why *why);

/* Still as root: makes the data directory, or sees that the user owns what is in it; an empty one
 * is given to him. -E_DENIED names the command to run. Nothing to do without drop. */
int privilege_own_data(const struct privilege *p, const char *dir, struct why *why);

/* Whether that would go well; changes nothing, and a directory that is not there is made. */
int privilege_check_owner(const struct privilege *p, const char *dir, struct why *why);

/* Before the first thread. Becomes the user, with no supplementary group, no capability and no way
 * to any by execve(), and tries to come back, which must fail. Who is not root and has no run_as
 * set gives up his capabilities alone, but for that of binding low ports where relay_ports needs
 * it. Root without run_as keeps what he has. -E_DENIED, -E_IO. */
int privilege_drop(const struct privilege *p, const struct conf *conf, struct why *why);

/* After the drop: the certificate's files are read again at each reload, as the user. -E_DENIED
 * names the command to run. */
int privilege_check_readable(const struct privilege *p, const char *path, struct why *why);

/* The same for the data directory, whose parents may be closed to him. */
int privilege_check_data(const struct privilege *p, const char *dir, struct why *why);

/* The first port that anybody may bind (net.ipv4.ip_unprivileged_port_start). */
unsigned privilege_first_free_port(void);

/* After a bind() that failed with err: explains a port that needs a right, with the ways to get
 * it. False, and nothing said, for any other failure. */
bool privilege_explain_port(unsigned port, const char *what, int err, struct why *why);

#endif
