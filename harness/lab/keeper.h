/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The container's little sister, for runs that need no lab: no namespaces, no
 * rights. A keeper process stays behind the work; when the work ends, or the
 * harness dies in whatever way, it kills every process that the work has left
 * and removes its folder.
 */
#ifndef LAB_KEEPER_H
#define LAB_KEEPER_H

#include "harness/lab/contain.h"

/* As contain_start(), in the machine's own namespaces. contain_wait() and contain_kill() end
 * it. */
int keeper_start(struct contain *c, int (*fn)(void *arg), void *arg, struct why *why);

/* Inside a container or under a keeper: the folder for scratch, which vanishes with it. */
const char *keeper_work(void);

/* contain_kill() of what keeper_start() has started. */
void keeper_end(struct contain *c);

#endif
