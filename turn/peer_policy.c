/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The peer policy: special-purpose ranges and the lists of the operator.
 */
#include "turn/peer_policy.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* IANA's special-purpose address registries (RFC 6890 and its updates), multicast, and the forms
 * that carry an IPv4 address: none of them can be a call's peer. */
static const char *const special[] = {
    "0.0.0.0/8",         /* RFC 791: this network */
    "10.0.0.0/8",        /* RFC 1918: private */
    "100.64.0.0/10",     /* RFC 6598: carrier-grade NAT */
    "127.0.0.0/8",       /* RFC 1122: loopback */
    "169.254.0.0/16",    /* RFC 3927: link local, cloud metadata */
    "172.16.0.0/12",     /* RFC 1918 */
    "192.0.0.0/24",      /* RFC 6890: protocol assignments */
    "192.0.2.0/24",      /* RFC 5737: documentation */
    "192.31.196.0/24",   /* RFC 7535: AS112 */
    "192.52.193.0/24",   /* RFC 7450: AMT */
    "192.88.99.0/24",    /* RFC 7526: 6to4 relay anycast */
    "192.168.0.0/16",    /* RFC 1918 */
    "192.175.48.0/24",   /* RFC 7534: AS112 */
    "198.18.0.0/15",     /* RFC 2544: benchmarking */
    "198.51.100.0/24",   /* RFC 5737 */
    "203.0.113.0/24",    /* RFC 5737 */
    "224.0.0.0/4",       /* RFC 5771: multicast */
    "240.0.0.0/4",       /* RFC 1112: reserved, and 255.255.255.255 */
    "::/96",             /* RFC 4291: unspecified, loopback, IPv4-compatible */
    "::ffff:0:0/96",     /* RFC 4291: IPv4-mapped */
    "::ffff:0:0:0/96",   /* RFC 2765: IPv4-translated */
    "64:ff9b::/96",      /* RFC 6052: NAT64 */
    "64:ff9b:1::/48",    /* RFC 8215: local NAT64 */
    "100::/64",          /* RFC 6666: discard */
    "100:0:0:1::/64",    /* RFC 9780: dummy prefix */
    "2001::/23",         /* RFC 2928: protocol assignments; Teredo, ORCHID, benchmarking */
    "2001:db8::/32",     /* RFC 3849: documentation */
    "2002::/16",         /* RFC 3056: 6to4 */
    "2620:4f:8000::/48", /* RFC 7534: AS112 */
    "3fff::/20",         /* RFC 9637: documentation */
    "5f00::/16",         /* RFC 9602: segment routing */
    "fc00::/7",          /* RFC 4193: unique local */
    "fe80::/10",         /* RFC 4291: link local */
    "fec0::/10",         /* RFC 3879: site local */
    "ff00::/8",          /* RFC 4291: multicast */
};

#define SPECIAL_N (sizeof(special) / sizeof(*special))

struct prefix_list {
	struct prefix *at;
	size_t n;
};

struct addr_list {
	struct addr *at;
	size_t n;
};

struct peer_policy {
	struct prefix special[SPECIAL_N];
	struct prefix_list allow, deny, own_ranges;
	struct addr_list own_ports, own_ips;
};

struct peer_policy *peer_policy_new(void)
{
	struct peer_policy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	for (size_t i = 0; i < SPECIAL_N; i++) {
		int r = prefix_parse(&p->special[i], special[i]);

		assert(!r);
		(void)r;
	}
	return p;
}

void peer_policy_free(struct peer_policy *p)
{
	if (!p)
		return;
	free(p->allow.at);
	free(p->deny.at);
	free(p->own_ports.at);
	free(p->own_ips.at);
	free(p->own_ranges.at);
	free(p);
}

/* Grows *list of n items by one and copies the item there. */
static int append(void *list, size_t *n, const void *item, size_t size)
{
	void *at, *old;

	memcpy(&old, list, sizeof(old));
	at = reallocarray(old, *n + 1, size);
	if (!at)
		return -E_NOMEM;
	memcpy((uint8_t *)at + *n * size, item, size);
	memcpy(list, &at, sizeof(at));
	++*n;
	return 0;
}

int peer_policy_allow(struct peer_policy *p, const struct prefix *range)
{
	return append(&p->allow.at, &p->allow.n, range, sizeof(*range));
}

int peer_policy_deny(struct peer_policy *p, const struct prefix *range)
{
	return append(&p->deny.at, &p->deny.n, range, sizeof(*range));
}

int peer_policy_add_own_port(struct peer_policy *p, const struct addr *a)
{
	return append(&p->own_ports.at, &p->own_ports.n, a, sizeof(*a));
}

int peer_policy_add_own_ip(struct peer_policy *p, const struct addr *a)
{
	return append(&p->own_ips.at, &p->own_ips.n, a, sizeof(*a));
}

int peer_policy_add_own_range(struct peer_policy *p, const struct prefix *range)
{
	return append(&p->own_ranges.at, &p->own_ranges.n, range, sizeof(*range));
}

static bool listed(const struct prefix *at, size_t n, const uint8_t *ip, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (prefix_has_ip(&at[i], ip, len))
			return true;
	return false;
}

static bool own_ip(const struct peer_policy *p, const uint8_t *ip, size_t len)
{
	for (size_t i = 0; i < p->own_ips.n; i++) {
		size_t own_len;
		const uint8_t *own = addr_ip(&p->own_ips.at[i], &own_len);

		if (own_len == len && !memcmp(own, ip, len))
			return true;
	}
	return false;
}

static bool permits_raw(const struct peer_policy *p, const uint8_t *ip, size_t len)
{
	if (listed(p->deny.at, p->deny.n, ip, len))
		return false;
	if (listed(p->allow.at, p->allow.n, ip, len))
		return true;
	return !own_ip(p, ip, len) && !listed(p->own_ranges.at, p->own_ranges.n, ip, len) &&
	       !listed(p->special, SPECIAL_N, ip, len);
}

/* The IPv4 address inside an IPv6 one, for the forms that a router may unwrap. */
static bool embedded_ipv4(const uint8_t ip[16], uint8_t out[4])
{
	static const uint8_t zero[12],
	    mapped[12] = {[10] = 0xff, [11] = 0xff}, translated[12] = {[8] = 0xff, [9] = 0xff},
	    nat64[12] = {0x00, 0x64, 0xff, 0x9b},
	    nat64_local[6] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, teredo[4] = {0x20, 0x01};

	if (!memcmp(ip, zero, 12) && (ip[12] || ip[13])) { /* not :: and not ::1 */
		memcpy(out, ip + 12, 4);
	} else if (!memcmp(ip, mapped, 12) || !memcmp(ip, translated, 12) ||
	           !memcmp(ip, nat64, 12) || !memcmp(ip, nat64_local, 6)) {
		memcpy(out, ip + 12, 4);
	} else if (ip[0] == 0x20 && ip[1] == 0x02) { /* 6to4: behind the first 16 bits */
		memcpy(out, ip + 2, 4);
	} else if (!memcmp(ip, teredo, 4)) { /* the client's, inverted */
		for (int i = 0; i < 4; i++)
			out[i] = (uint8_t)~ip[12 + i];
	} else {
		return false;
	}
	return true;
}

bool peer_policy_permits_ip(const struct peer_policy *p, const struct addr *peer)
{
	size_t len;
	const uint8_t *ip = addr_ip(peer, &len);
	uint8_t inner[4];

	if (!permits_raw(p, ip, len))
		return false;
	return len == 4 || !embedded_ipv4(ip, inner) || permits_raw(p, inner, 4);
}

bool peer_policy_is_own_port(const struct peer_policy *p, const struct addr *peer)
{
	for (size_t i = 0; i < p->own_ports.n; i++)
		if (addr_equal(&p->own_ports.at[i], peer))
			return true;
	return false;
}

bool peer_policy_permits(const struct peer_policy *p, const struct addr *peer)
{
	return addr_port(peer) && !peer_policy_is_own_port(p, peer) &&
	       peer_policy_permits_ip(p, peer);
}
