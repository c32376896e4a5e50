/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Gives up the rights that only the start needs: root, groups, capabilities. There is no way back,
 * and the code tries one to prove it.
 */
#ifndef DAEMON_PRIVILEGE_H
#define DAEMON_PRIVILEGE_H

#include "daemon/conf/conf.h"

#include <sys/types.h>

struct privilege {
	bool drop; /* from root to uid and gid */
	uid_t uid;
	gid_t gid;
	char user[64]; /* for messages */
};

/* Looks up the options run_as and run_as_group. -E_NOTFOUND for an unknown name, -E_DENIED for
 * another user than ours when we are not root, -E_INVAL for root itself. */
int privilege_resolve(const struct conf *conf, struct privilege *out, struct why *why);

/* Still as root: makes the data directory, or checks that the user owns its content; gives an empty
 * one to the user. -E_DENIED names the command to run. Does nothing without drop. */
int privilege_own_data(const struct privilege *p, const char *dir, struct why *why);

/* 0 if that would succeed; changes nothing, and a missing directory counts as made. */
int privilege_check_owner(const struct privilege *p, const char *dir, struct why *why);

/* Call it before the first thread. Becomes the user, with no supplementary group, no capability and
 * no way to any by execve(), and tries to come back, which must fail. Without root and run_as it
 * gives up only capabilities, except the one to bind low ports if relay_ports needs it. Root
 * without run_as keeps everything. -E_DENIED, -E_IO. */
int privilege_drop(const struct privilege *p, const struct conf *conf, struct why *why);

/* After the drop: each reload reads the certificate's files again, as the user. -E_DENIED names the
 * command to run. */
int privilege_check_readable(const struct privilege *p, const char *path, struct why *why);

/* The same for the data directory, whose parents may be closed to the user. */
int privilege_check_data(const struct privilege *p, const char *dir, struct why *why);

/* The first unprivileged port (net.ipv4.ip_unprivileged_port_start). */
unsigned privilege_first_free_port(void);

/* After a bind() that failed with err: explains a port that needs a right, with the ways to get it.
 * False, without a message, for any other failure. */
bool privilege_explain_port(unsigned port, const char *what, int err, struct why *why);

#endif
