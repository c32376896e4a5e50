/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the configured addresses mean for the TURN server: where it listens,
 * where it relays from, what it is called outside, and who can be no peer.
 */
#ifndef DAEMON_TOPOLOGY_H
#define DAEMON_TOPOLOGY_H

#include "daemon/conf/conf.h"
#include "daemon/listen/listen.h"
#include "turn/turn.h"

struct topology {
	struct listen_addr *udp; /* concrete addresses; ports may still be 0 */
	size_t udp_n;
	struct turn_relay relay[TURN_RELAYS_MAX];
	size_t relay_n;
	bool relay_public[TURN_RELAYS_MAX]; /* its external address is no special-purpose one */
};

/* Logs what was chosen, and warns where peers on the Internet cannot be reached. 0 or a code; why
 * names the setting and the fix. */
int topology_new(const struct conf *conf, struct topology *t, struct why *why);

/* The relay for clients that came in on this address, by family; or TURN_NO_RELAY. */
int topology_relay_for(const struct topology *t, const struct listen_addr *from, int family);

/* What clients call a local address: itself, or external_ip's word for it. Port 0. */
struct addr topology_external(const struct conf *conf, const struct addr *local);

/* Whether a listener takes part in NAT behaviour discovery: its address is named in listen, not
 * covered by a wildcard, so that the operator has chosen the two addresses. */
bool topology_discovers(const struct conf *conf, const struct listen_addr *l);

/* Once ports are known: who can be a peer. *out is for peer_policy_free(). -E_NOMEM, -E_IO. */
int topology_policy(const struct conf *conf, const struct topology *t, struct peer_policy **out,
                    struct why *why);

void topology_free(struct topology *t);

#endif
