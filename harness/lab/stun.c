/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The prober's STUN messages.
 *
 *  0                   1                   2                   3
 * |0 0|        type               |            length             |
 * |                     magic cookie 0x2112A442                   |
 * |                   transaction id (12 bytes)                   |
 * |        attribute type         |            length             | ...
 */
#include "harness/lab/stun.h"

#include "base/error.h"

#include <string.h>

#define HEADER_LEN       20
#define COOKIE           0x2112A442u
#define BINDING_REQUEST  0x0001
#define BINDING_RESPONSE 0x0101

#define ATTR_CHANGE_REQUEST     0x0003
#define ATTR_XOR_MAPPED_ADDRESS 0x0020

#define FAMILY_IPV4 0x0001
#define FAMILY_IPV6 0x0002

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put_header(uint8_t *buf, unsigned type, unsigned body_len, const uint8_t *tid)
{
	put16(buf, type);
	put16(buf + 2, body_len);
	put32(buf + 4, COOKIE);
	memcpy(buf + 8, tid, STUN_TID_LEN);
}

size_t stun_binding_request(uint8_t buf[STUN_PACKET_MAX], const uint8_t tid[STUN_TID_LEN],
                            unsigned change)
{
	unsigned body = change ? 8 : 0;

	put_header(buf, BINDING_REQUEST, body, tid);
	if (change) {
		put16(buf + HEADER_LEN, ATTR_CHANGE_REQUEST);
		put16(buf + HEADER_LEN + 2, 4);
		put32(buf + HEADER_LEN + 4, change);
	}
	return HEADER_LEN + body;
}

/* RFC 8489 section 14.2: the port with the cookie's first half, IPv4 with the cookie, IPv6 with
 * cookie and transaction id. mask is that row of 16 bytes. */
static void xor_mask(const uint8_t *tid, uint8_t mask[16])
{
	put32(mask, COOKIE);
	memcpy(mask + 4, tid, STUN_TID_LEN);
}

size_t stun_binding_response(uint8_t buf[STUN_PACKET_MAX], const uint8_t tid[STUN_TID_LEN],
                             const struct addr *mapped)
{
	uint8_t *p = buf + HEADER_LEN, mask[16];
	size_t ip_len;
	const uint8_t *ip = addr_ip(mapped, &ip_len);

	xor_mask(tid, mask);
	put_header(buf, BINDING_RESPONSE, (unsigned)ip_len + 8, tid);
	put16(p, ATTR_XOR_MAPPED_ADDRESS);
	put16(p + 2, (unsigned)ip_len + 4);
	put16(p + 4, ip_len == 4 ? FAMILY_IPV4 : FAMILY_IPV6);
	put16(p + 6, addr_port(mapped) ^ (COOKIE >> 16));
	for (size_t i = 0; i < ip_len; i++)
		p[8 + i] = ip[i] ^ mask[i];
	return HEADER_LEN + 8 + ip_len;
}

/* Finds an attribute of at least want bytes; NULL if the message is malformed or lacks it. */
static const uint8_t *find_attr(const uint8_t *pkt, size_t len, unsigned type, size_t want)
{
	size_t at = HEADER_LEN;

	while (at + 4 <= len) {
		size_t attr_len = get16(pkt + at + 2);

		if (at + 4 + attr_len > len)
			return NULL;
		if (get16(pkt + at) == type)
			return attr_len >= want ? pkt + at + 4 : NULL;
		at += 4 + ((attr_len + 3) & ~(size_t)3);
	}
	return NULL;
}

static int check_header(const uint8_t *pkt, size_t len, unsigned type)
{
	if (len < HEADER_LEN || get16(pkt) != type || get32(pkt + 4) != COOKIE ||
	    get16(pkt + 2) != len - HEADER_LEN || len % 4 != 0)
		return -E_PARSE;
	return 0;
}

int stun_parse_request(const uint8_t *pkt, size_t len, uint8_t tid[STUN_TID_LEN], unsigned *change)
{
	const uint8_t *attr;

	if (check_header(pkt, len, BINDING_REQUEST) != 0)
		return -E_PARSE;
	memcpy(tid, pkt + 8, STUN_TID_LEN);
	attr = find_attr(pkt, len, ATTR_CHANGE_REQUEST, 4);
	*change = attr ? get32(attr) & (STUN_CHANGE_IP | STUN_CHANGE_PORT) : 0;
	return 0;
}

int stun_parse_response(const uint8_t *pkt, size_t len, uint8_t tid[STUN_TID_LEN],
                        struct addr *mapped)
{
	const uint8_t *attr;
	uint8_t mask[16], ip[16];
	size_t ip_len;

	if (check_header(pkt, len, BINDING_RESPONSE) != 0)
		return -E_PARSE;
	attr = find_attr(pkt, len, ATTR_XOR_MAPPED_ADDRESS, 8);
	if (!attr)
		return -E_PARSE;
	ip_len = get16(attr) == FAMILY_IPV6 ? 16 : 4;
	if (get16(attr) != (ip_len == 4 ? FAMILY_IPV4 : FAMILY_IPV6) ||
	    !find_attr(pkt, len, ATTR_XOR_MAPPED_ADDRESS, 4 + ip_len))
		return -E_PARSE;
	memcpy(tid, pkt + 8, STUN_TID_LEN);
	xor_mask(tid, mask);
	for (size_t i = 0; i < ip_len; i++)
		ip[i] = attr[4 + i] ^ mask[i];
	addr_from_bytes(mapped, ip, ip_len, (uint16_t)(get16(attr + 2) ^ (COOKIE >> 16)));
	return 0;
}
