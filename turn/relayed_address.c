/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The addresses that we relay from, seen from inside and outside of a 1:1 NAT.
 */
#include "turn/state.h"

const struct turn_relay *turn_relay_at(const struct turn *t, const struct addr *external)
{
	for (size_t i = 0; i < t->conf.relay_n; i++)
		if (t->conf.relay[i].presence != TURN_GONE &&
		    addr_equal_ip(&t->conf.relay[i].external, external))
			return &t->conf.relay[i];
	return NULL;
}

/* Behind 1:1 NAT our own relays are reached by their inside address: not every router would turn
 * the datagram around. */
struct addr turn_wire_addr(const struct turn *t, const struct addr *peer)
{
	const struct turn_relay *own = turn_relay_at(t, peer);
	struct addr wire = *peer;

	if (own) {
		wire = own->local;
		addr_put_port(&wire, addr_port(peer));
	}
	return wire;
}

/* The address by which the client knows a relay of ours. */
struct addr turn_outside_addr(const struct turn *t, const struct addr *from)
{
	struct addr peer = *from;

	if (!t->behind_nat)
		return peer;
	for (size_t i = 0; i < t->conf.relay_n; i++) {
		if (t->conf.relay[i].presence != TURN_GONE &&
		    addr_equal_ip(&t->conf.relay[i].local, from)) {
			peer = t->conf.relay[i].external;
			addr_put_port(&peer, addr_port(from));
			break;
		}
	}
	return peer;
}
