/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Derives from the configured addresses and this host's changing ones where the TURN server
 * listens, which addresses it relays from, its outside addresses, and the forbidden peers.
 */
#ifndef DAEMON_TOPOLOGY_H
#define DAEMON_TOPOLOGY_H

#include "daemon/conf/conf.h"
#include "daemon/listen/host.h"
#include "turn/turn.h"

/* An address that goes may be back at once (a renewed lease, an interface set down and up):
 * sessions on it live for so long. */
#define TOPOLOGY_GRACE_MS 5000

/* An address to serve. A wildcard stands for each of the host's addresses: a reply must leave from
 * the address that got the request. */
struct listen_addr {
	struct addr addr; /* with port, never a wildcard */
	bool loopback;
	bool named;   /* in listen itself: served even before the host has it */
	bool served;  /* the workers have its sockets; for the topology's owner */
	bool refused; /* they could not be opened, and that was logged; likewise */
	enum turn_presence presence;
	uint64_t lost_ms; /* when it left */
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
	struct host_addr *host; /* the host's addresses at the last look */
	size_t host_n;
	struct prefix *local; /* the kernel's local ranges at that time */
	size_t local_n;
};

/* Logs its choices, and warns if peers on the Internet cannot be reached, or if the configuration
 * names addresses that the host does not have (yet). 0 or a code; why names the setting and the
 * fix. */
int topology_new(const struct conf *conf, struct topology *t, struct why *why);

/* Looks at the host again. *changed: something has changed, including the list of its addresses;
 * *again_ms: when to look again without a notice from the kernel, 0: never. now_ms is monotonic. 0;
 * or a code, and t is unchanged. */
int topology_follow(const struct conf *conf, struct topology *t, uint64_t now_ms, bool *changed,
                    uint64_t *again_ms, struct why *why);

/* The relay for clients that came in on this address, by family; or TURN_NO_RELAY. */
int topology_relay_for(const struct topology *t, const struct listen_addr *from, int family);

/* The address that clients use for a local one: itself, or the one mapped by external_ip. Port 0.
 */
struct addr topology_external(const struct conf *conf, const struct addr *local);

/* True when a listener takes part in NAT behaviour discovery: listen names its address, rather than
 * a wildcard, so the operator has chosen the two addresses. */
bool topology_discovers(const struct conf *conf, const struct listen_addr *l);

/* Makes the policy for peers; ports must be known. *out is for peer_policy_free(). -E_NOMEM. */
int topology_policy(const struct conf *conf, const struct topology *t, struct peer_policy **out,
                    struct why *why);

/* True when the address is on this host and can be bound. */
bool topology_has(const struct topology *t, const struct addr *a);

/* A port on which listen has [::] but no IPv4 although the host has it: IPv4 clients are not served
 * there. 0: none. */
uint16_t topology_ipv6_only_port(const struct topology *t);

void topology_free(struct topology *t);

/* ---- for topology_follow.c ---- */

/* Finds the relays that the Internet can reach: those with a global address, inside or mapped. A
 * host with such an address needs no setting for it. */
int topology_find_public(struct topology *t, struct why *why);

/* Logs the choice for the operator: a line per relay; and the warnings. */
void topology_log_relay(const struct topology *t, size_t i);
void topology_warn(const struct topology *t, const struct conf *conf);

#endif
