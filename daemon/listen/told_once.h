/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Logs a notice once per address, not for each of its connections.
 */
#ifndef DAEMON_TOLD_ONCE_H
#define DAEMON_TOLD_ONCE_H

#include "base/addr.h"

#include <stddef.h>

#define TOLD_ONCE_MAX                                                                              \
	8 /* of more addresses nothing is said: the log is no list of the Internet                 \
	   */

/* Zeroed at first. Strangers cannot use up the slots of this host and its network. */
struct told_once {
	struct addr near[TOLD_ONCE_MAX], far[TOLD_ONCE_MAX];
	size_t near_n, far_n;
};

/* True the first time. */
bool told_once(struct told_once *t, const struct addr *who);

#endif
