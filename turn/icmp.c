/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ICMP errors about datagrams that we relayed, told to the client in a Data
 * indication (RFC 8656 section 11.5).
 *
 *  |           reserved            |  ICMP type  |    ICMP code    |
 *  |                error data: the next hop's MTU                 |
 */
#include "turn/state.h"

#define ICMP_PER_S                                                                                 \
	10 /* an allocation: errors are news to few, and free for who sends to nowhere             \
	    */

/* "the server verifies that the type is either 3 or 11 for an ICMPv4 packet or either 1, 2, or 3
 * for an ICMPv6 packet" */
static bool type_ok(const struct env_udp_error *e)
{
	if (addr_family(&e->peer) == AF_INET6)
		return e->type >= 1 && e->type <= 3;
	return e->type == 3 || e->type == 11;
}

static bool within_rate(struct turn_alloc *a)
{
	uint64_t now_s = a->turn->now_ms / 1000;

	if (a->icmp_s != now_s) {
		a->icmp_s = now_s;
		a->icmp_n = 0;
	}
	if (a->icmp_n == ICMP_PER_S)
		return false;
	a->icmp_n++;
	return true;
}

void turn_on_relay_error(void *arg, struct env_udp *u, const struct env_udp_error *e)
{
	struct turn_half *half = arg;
	struct turn_alloc *a = half->alloc;
	struct turn *t = a->turn;
	_Alignas(8) uint8_t buf[STUN_HEADER_LEN + 4 + 20 + 4 + 8];
	uint8_t value[8] = {0};
	struct addr peer = turn_outside_addr(t, &e->peer);
	struct stun_out out;

	(void)u;
	t->now_ms = env_now_ms(t->env);
	/* "the source IP address MUST NOT be checked against the permissions list [...] Instead,
	 * the server extracts the destination IP address from the encapsulated IP header [and]
	 * compares this address with the list of permissions" */
	if (half->expires_ms <= t->now_ms || !type_ok(e) || !turn_perm_find(a, &peer) ||
	    !within_rate(a)) {
		t->stats.icmp_drops++;
		return;
	}
	value[2] = (uint8_t)(e->type << 1); /* 7 bits and 9, as drawn in 18.13 */
	value[3] = e->code;
	for (int i = 0; i < 4; i++)
		value[4 + i] = (uint8_t)(e->mtu >> (24 - 8 * i));
	stun_out_indication(&out, buf, sizeof(buf), STUN_DATA, turn_next_indication_tid(t));
	stun_out_add_xor_addr(&out, STUN_TYPE_XOR_PEER_ADDRESS, &peer);
	stun_out_add(&out, STUN_TYPE_ICMP, value, sizeof(value));
	if (out.failed)
		return;
	turn_path_send(&a->path, out.buf, out.len);
	t->stats.icmp_to_client++;
}
