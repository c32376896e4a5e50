/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The NAT model (RFC 4787 section 4 and 5).
 */
#include "harness/sim/nat.h"

#include "base/table.h"

#include <stdlib.h>

#define PORT_TRIES 64

struct pinhole {
	struct ep peer;
	uint64_t until_ms;
};

/* All bytes of it count: no holes. */
struct inside_key {
	struct ep inside, dest; /* dest: as much of it as the mapping depends on */
};

struct sim_mapping {
	UT_hash_handle hh_inside, hh_port;
	struct inside_key key;
	uint16_t port;
	uint64_t until_ms;
	struct pinhole *hole;
	uint32_t hole_n, hole_cap;
};

static void forget(struct sim_nat *n, struct sim_mapping *m)
{
	HASH_DELETE(hh_inside, n->by_inside, m);
	HASH_DELETE(hh_port, n->by_port, m);
	free(m->hole);
	free(m);
}

void sim_nat_flush(struct sim_nat *n)
{
	struct sim_mapping *m, *next;

	HASH_ITER (hh_inside, n->by_inside, m, next)
		forget(n, m);
}

static struct sim_mapping *at_port(struct sim_nat *n, uint16_t port)
{
	struct sim_mapping *m;

	HASH_FIND(hh_port, n->by_port, &port, sizeof(port), m);
	if (m && m->until_ms <= sim_now(n->sim)) {
		forget(n, m);
		m = NULL;
	}
	return m;
}

/* At random first, so that ports cannot be guessed; then searches a small pool. */
static bool pick_port(struct sim_nat *n, uint16_t *port)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < PORT_TRIES; i++) {
		at = sim_dice(n->sim, n->port_n);
		*port = (uint16_t)(n->port_min + at);
		if (!at_port(n, *port))
			return true;
	}
	for (uint32_t i = 0; i < n->port_n; i++) {
		*port = (uint16_t)(n->port_min + (at + i) % n->port_n);
		if (!at_port(n, *port))
			return true;
	}
	n->exhausted_ms = sim_now(n->sim);
	return false;
}

static struct sim_mapping *find_or_make(struct sim_nat *n, struct ep from, struct ep to)
{
	struct inside_key key = {.inside = from};
	struct sim_mapping *m;

	if (n->mapping >= NAT_MAP_ADDRESS_DEPENDENT)
		key.dest.ip = to.ip;
	if (n->mapping == NAT_MAP_ADDRESS_PORT_DEPENDENT)
		key.dest.port = to.port;
	HASH_FIND(hh_inside, n->by_inside, &key, sizeof(key), m);
	if (m && m->until_ms > sim_now(n->sim))
		return m;
	if (m)
		forget(n, m);
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->key = key;
	m->port = from.port;
	if (n->mapping != NAT_MAP_NONE && !pick_port(n, &m->port)) {
		free(m);
		return NULL;
	}
	if (TABLE_ADD(hh_inside, n->by_inside, key, sizeof(m->key), m)) {
		free(m);
		return NULL;
	}
	if (TABLE_ADD(hh_port, n->by_port, port, sizeof(m->port), m)) {
		HASH_DELETE(hh_inside, n->by_inside, m);
		free(m);
		return NULL;
	}
	return m;
}

static void open_hole(struct sim_nat *n, struct sim_mapping *m, struct ep to)
{
	uint64_t now = sim_now(n->sim);
	uint32_t free_at = m->hole_n;

	for (uint32_t i = 0; i < m->hole_n; i++) {
		if (ep_equal(m->hole[i].peer, to)) {
			m->hole[i].until_ms = now + SIM_NAT_TIMEOUT_MS;
			return;
		}
		if (m->hole[i].until_ms <= now)
			free_at = i;
	}
	if (free_at == m->hole_cap) {
		uint32_t cap = m->hole_cap ? m->hole_cap * 2 : 4;
		struct pinhole *hole = reallocarray(m->hole, cap, sizeof(*hole));

		if (!hole)
			return;
		m->hole = hole;
		m->hole_cap = cap;
	}
	m->hole[free_at] = (struct pinhole){to, now + SIM_NAT_TIMEOUT_MS};
	m->hole_n += free_at == m->hole_n;
}

bool sim_nat_out(struct sim_nat *n, struct ep *from, struct ep to)
{
	struct sim_mapping *m = find_or_make(n, *from, to);

	if (!m)
		return false;
	/* REQ-6: "The NAT mapping Refresh Direction MUST have a 'NAT Outbound refresh behavior'
	 * of 'True'." */
	m->until_ms = sim_now(n->sim) + SIM_NAT_TIMEOUT_MS;
	if (n->filtering != NAT_FILTER_ENDPOINT_INDEPENDENT)
		open_hole(n, m, to);
	if (n->mapping != NAT_MAP_NONE)
		from->ip = n->outside_ip;
	from->port = m->port;
	return true;
}

static bool passes(const struct sim_nat *n, const struct sim_mapping *m, struct ep from)
{
	uint64_t now = sim_now(n->sim);

	if (n->filtering == NAT_FILTER_ENDPOINT_INDEPENDENT)
		return true;
	for (uint32_t i = 0; i < m->hole_n; i++)
		if (m->hole[i].until_ms > now && m->hole[i].peer.ip == from.ip &&
		    (n->filtering == NAT_FILTER_ADDRESS_DEPENDENT ||
		     m->hole[i].peer.port == from.port))
			return true;
	return false;
}

bool sim_nat_in(struct sim_nat *n, struct ep from, struct ep *to)
{
	struct sim_mapping *m = at_port(n, to->port);

	/* A host with an address of its own and no firewall hears everybody. */
	if (!m && n->mapping == NAT_MAP_NONE && n->filtering == NAT_FILTER_ENDPOINT_INDEPENDENT)
		return true;
	if (!m || !passes(n, m, from))
		return false;
	*to = m->key.inside;
	return true;
}

/* One may open, by a packet that the other's filter lets in although its sender is not where the
 * candidate says (a mapping of its own for this destination), and the rest follows. */
static bool unpredictable_opens(const struct nat_behaviour *in, const struct nat_behaviour *out)
{
	return in->filtering == NAT_FILTER_ENDPOINT_INDEPENDENT &&
	       out->filtering != NAT_FILTER_ADDRESS_PORT_DEPENDENT;
}

/* Server-reflexive candidates are good where the mapping is endpoint-independent.
 * - Both are: each has sent to the very address that the other sends from.
 * - One is: the other sends from an address that nobody knew, so the one's filter must not ask for
 *   the port; its answer then goes back where it came from.
 * - None is: the first packet needs a filter that lets everybody in, the answer, from an address
 *   as new, one that does not ask for the port. Then both have new addresses for each other; they
 *   only become stable when one of them maps by address alone. */
bool sim_nat_direct(const struct nat_behaviour *a, const struct nat_behaviour *b)
{
	bool a_known = a->mapping <= NAT_MAP_ENDPOINT_INDEPENDENT;
	bool b_known = b->mapping <= NAT_MAP_ENDPOINT_INDEPENDENT;

	if (!a->udp || !b->udp)
		return false;
	if (a_known && b_known)
		return true;
	if (a_known || b_known)
		return (a_known ? a : b)->filtering != NAT_FILTER_ADDRESS_PORT_DEPENDENT;
	return (unpredictable_opens(a, b) || unpredictable_opens(b, a)) &&
	       (a->mapping == NAT_MAP_ADDRESS_DEPENDENT || b->mapping == NAT_MAP_ADDRESS_DEPENDENT);
}
