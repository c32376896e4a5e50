/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who gets a relay credential, and what is in it.
 */
#ifndef DAEMON_GRANT_H
#define DAEMON_GRANT_H

#include "daemon/conf.h"
#include "daemon/ice.h"
#include "daemon/web.h"
#include "store/snapshot.h"

struct grant {
	const struct conf *conf;
	struct store_snapshot *users; /* borrowed; the owner swaps it for a newer one */
};

/* Whether the caller may see what is the operator's: it shows a key, or calls from this machine. */
bool grant_is_trusted(const struct grant *g, const struct web_caller *caller);

/* web_ops.grant, with a struct grant as ctx. */
int grant_for_caller(void *ctx, const struct web_caller *caller, const char *name, int64_t ttl_s,
                     const char *host, struct ice_grant *out);

#endif
