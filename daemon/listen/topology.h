/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the configured addresses mean for the TURN server on this host, whose
 * addresses may change: where it listens, where it relays from, what it is
 * called outside, and who can be no peer.
 */
#ifndef DAEMON_TOPOLOGY_H
#define DAEMON_TOPOLOGY_H

#include "daemon/conf/conf.h"
#include "daemon/listen/host.h"
#include "turn/turn.h"

/* An address that goes may be back at once (a lease that is renewed, an interface that is set down
 * and up): for so long, what is built on it lives. */
#define TOPOLOGY_GRACE_MS 5000

/* An address to serve. A wildcard stands for every address that the host has: a reply must leave
 * from the address that was asked. */
struct listen_addr {
	struct addr addr; /* with port, never a wildcard */
	bool loopback;
	bool named;   /* in listen itself: served even before the host has it */
	bool served;  /* the workers have its sockets; for whoever owns the topology */
	bool refused; /* they could not be opened, and that was logged; likewise */
	enum turn_presence presence;
	uint64_t lost_ms; /* when it went */
};

/* Beside a turn_relay, by the same index. */
struct relay_note {
	bool wanted;  /* relay_address or listen mean it now: its place is not given to another */
	bool named;   /* they name it, and no wildcard covers it */
	bool passing; /* as in struct host_addr */
	uint64_t lost_ms;
};

struct topology {
	struct addr *listen; /* conf's; once sockets are bound, with the ports that they got */
	size_t listen_n;
	struct listen_addr *udp; /* ports may still be 0 */
	size_t udp_n;
	/* An index means one address as long as it is TURN_HERE or TURN_AWAY. */
	struct turn_relay relay[TURN_RELAYS_MAX];
	struct relay_note relay_note[TURN_RELAYS_MAX];
	bool relay_public[TURN_RELAYS_MAX]; /* its external address is no special-purpose one */
	size_t relay_n;
	struct host_addr *host; /* what the host had when it was last looked at */
	size_t host_n;
	struct prefix *local; /* the ranges that its kernel took for its own */
	size_t local_n;
};

/* Logs what was chosen, and warns where peers on the Internet cannot be reached, and where the
 * configuration names addresses that the host does not have (yet). 0 or a code; why names the
 * setting and the fix. */
int topology_new(const struct conf *conf, struct topology *t, struct why *why);

/* Looks at the host again. *changed: something is another than before, the list of its addresses
 * included; *again_ms: when to look again though the kernel tells no change, 0: not at all. now_ms
 * is monotonic. 0; or a code, and t is as it was. */
int topology_follow(const struct conf *conf, struct topology *t, uint64_t now_ms, bool *changed,
                    uint64_t *again_ms, struct why *why);

/* The relay for clients that came in on this address, by family; or TURN_NO_RELAY. */
int topology_relay_for(const struct topology *t, const struct listen_addr *from, int family);

/* What clients call a local address: itself, or external_ip's word for it. Port 0. */
struct addr topology_external(const struct conf *conf, const struct addr *local);

/* Whether a listener takes part in NAT behaviour discovery: its address is named in listen, not
 * covered by a wildcard, so that the operator has chosen the two addresses. */
bool topology_discovers(const struct conf *conf, const struct listen_addr *l);

/* Once ports are known: who can be a peer. *out is for peer_policy_free(). -E_NOMEM. */
int topology_policy(const struct conf *conf, const struct topology *t, struct peer_policy **out,
                    struct why *why);

/* Whether the address is on this host and can be bound. */
bool topology_has(const struct topology *t, const struct addr *a);

/* A port where listen has [::] and nothing of IPv4, whose clients are not served there though the
 * host could; 0: there is none. */
uint16_t topology_ipv6_only_port(const struct topology *t);

void topology_free(struct topology *t);

/* ---- for topology_follow.c ---- */

/* Which relays the Internet can reach: those whose address, inside or as mapped, is global. A host
 * with such an address knows it without being told. */
int topology_find_public(struct topology *t, struct why *why);

/* The operator sees what the guess was: a line for a relay; and the warnings. */
void topology_log_relay(const struct topology *t, size_t i);
void topology_warn(const struct topology *t, const struct conf *conf);

#endif
