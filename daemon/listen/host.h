/* SPDX-License-Identifier: BSD-3-Clause
 *
 * This host's addresses, and notice of their changes, from the kernel's routing socket
 * (rtnetlink(7)).
 */
#ifndef DAEMON_HOST_H
#define DAEMON_HOST_H

#include "base/addr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct host_watch;

struct host_addr {
	struct addr addr; /* port 0 */
	/* On an interface that is up, and proven unique (RFC 4862 section 5.4): until then nothing
	 * can be bound to it. */
	bool usable;
	bool passing; /* temporary (RFC 8981) or deprecated: prefer another for lasting use */
};

/* Every address of every interface. *out is for free(). -E_NOMEM, -E_IO, -E_DENIED. */
int host_addresses(struct host_addr **out, size_t *n, struct why *why);

/* The ranges of the local routing table: the kernel takes them for this host itself. Beside the
 * addresses' own there are those that an operator or a cloud's agent adds (`ip route add local`),
 * which no interface has. *out is for free(). Codes as above. */
int host_local_ranges(struct prefix **out, size_t *n, struct why *why);

typedef void host_changed_fn(void *ctx);

/* Calls fn, from the loop and within a tenth of a second, when addresses, interfaces or the local
 * routing table have changed, or may have. 0, or a code with why set. */
int host_watch_new(struct event_base *base, host_changed_fn *fn, void *ctx, struct host_watch **out,
                   struct why *why);

/* NULL is legal. */
void host_watch_free(struct host_watch *w);

#endif
