/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The peers that a client may reach through the relay. By default it denies every special-purpose
 * range of the IANA registries, so that the relay does not open the networks behind it. RFC 8656
 * sections 21.1.4 and 9: refused with 403.
 */
#ifndef TURN_PEER_POLICY_H
#define TURN_PEER_POLICY_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>

struct peer_policy;

/* NULL when out of memory. Read-only once the workers run. */
struct peer_policy *peer_policy_new(void);
void peer_policy_free(struct peer_policy *p);

/* A denied range wins over an allowed one, an allowed one over the defaults. 0 or -E_NOMEM. */
int peer_policy_allow(struct peer_policy *p, const struct prefix *range);
int peer_policy_deny(struct peer_policy *p, const struct prefix *range);

/* Adds one of our listening addresses with its port: never a peer, whatever is allowed. 0 or
 * -E_NOMEM. */
int peer_policy_add_own_port(struct peer_policy *p, const struct addr *a);

/* Adds an address of this host: refused unless a range allows it. 0 or -E_NOMEM. */
int peer_policy_add_own_ip(struct peer_policy *p, const struct addr *a);

/* Adds a range that is local to this host though no interface has its addresses: treated as an own
 * IP. 0 or -E_NOMEM. */
int peer_policy_add_own_range(struct peer_policy *p, const struct prefix *range);

/* By IP alone, as CreatePermission needs it. */
bool peer_policy_permits_ip(const struct peer_policy *p, const struct addr *peer);

/* By IP and port. */
bool peer_policy_permits(const struct peer_policy *p, const struct addr *peer);

/* True when the IP and port are one of our listening ones. */
bool peer_policy_is_own_port(const struct peer_policy *p, const struct addr *peer);

#endif
