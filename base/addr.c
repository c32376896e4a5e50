/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Transport addresses and IP prefixes.
 */
#include "base/addr.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long v;

	if (!isdigit((unsigned char)*text))
		return -E_PARSE;
	v = strtoul(text, &end, 10);
	if (*end || v > 65535)
		return -E_PARSE;
	*port = (uint16_t)v;
	return 0;
}

int addr_parse_ip(struct addr *a, const char *text, uint16_t port)
{
	char ip[INET6_ADDRSTRLEN];
	struct in_addr in;
	struct in6_addr in6;
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (!len || len >= sizeof(ip))
		return -E_PARSE;
	memcpy(ip, text, len);
	ip[len] = 0;
	if (inet_pton(AF_INET, ip, &in) == 1) {
		addr_from_bytes(a, &in, sizeof(in), port);
		return 0;
	}
	if (inet_pton(AF_INET6, ip, &in6) == 1) {
		addr_from_bytes(a, &in6, sizeof(in6), port);
		return 0;
	}
	return -E_PARSE;
}

int addr_parse(struct addr *a, const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	uint16_t port;
	size_t len;

	if (!colon || parse_port(colon + 1, &port))
		return -E_PARSE;
	len = (size_t)(colon - text);
	if (len >= sizeof(host))
		return -E_PARSE;
	memcpy(host, text, len);
	host[len] = 0;
	if (!len || !strcmp(host, "*"))
		return addr_parse_ip(a, "0.0.0.0", port);
	/* A bare IPv6 address has colons of its own: the brackets are required. */
	if (strchr(host, ':') && host[0] != '[')
		return -E_PARSE;
	return addr_parse_ip(a, host, port);
}

void addr_from_bytes(struct addr *a, const void *ip, size_t ip_len, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (ip_len == 4) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(port);
		memcpy(&a->in.sin_addr, ip, 4);
	} else {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(port);
		memcpy(&a->in6.sin6_addr, ip, 16);
	}
}

const uint8_t *addr_ip(const struct addr *a, size_t *len)
{
	if (addr_family(a) == AF_INET6) {
		*len = 16;
		return (const uint8_t *)&a->in6.sin6_addr;
	}
	*len = 4;
	return (const uint8_t *)&a->in.sin_addr;
}

const char *addr_format_ip(const struct addr *a, char buf[ADDR_STRLEN])
{
	size_t len;
	const uint8_t *ip = addr_ip(a, &len);

	if (addr_family(a) == AF_UNSPEC || !inet_ntop(addr_family(a), ip, buf, ADDR_STRLEN))
		snprintf(buf, ADDR_STRLEN, "none");
	return buf;
}

const char *addr_format(const struct addr *a, char buf[ADDR_STRLEN])
{
	char ip[ADDR_STRLEN];

	addr_format_ip(a, ip);
	if (addr_family(a) == AF_INET6)
		snprintf(buf, ADDR_STRLEN, "[%.46s]:%u", ip, addr_port(a));
	else
		snprintf(buf, ADDR_STRLEN, "%.46s:%u", ip, addr_port(a));
	return buf;
}

uint16_t addr_port(const struct addr *a)
{
	return ntohs(addr_family(a) == AF_INET6 ? a->in6.sin6_port : a->in.sin_port);
}

void addr_put_port(struct addr *a, uint16_t port)
{
	if (addr_family(a) == AF_INET6)
		a->in6.sin6_port = htons(port);
	else
		a->in.sin_port = htons(port);
}

bool addr_equal_ip(const struct addr *a, const struct addr *b)
{
	if (addr_family(a) != addr_family(b))
		return false;
	if (addr_family(a) == AF_INET6)
		return !memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16);
	return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_equal_ip(a, b) && addr_port(a) == addr_port(b);
}

bool addr_is_any(const struct addr *a)
{
	if (addr_family(a) == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
	return a->in.sin_addr.s_addr == 0;
}

bool addr_arrives_at(const struct addr *to, const struct addr *listen)
{
	return addr_port(to) == addr_port(listen) && addr_family(to) == addr_family(listen) &&
	       (addr_is_any(listen) || addr_equal_ip(to, listen));
}

bool addr_is_loopback(const struct addr *a)
{
	if (addr_family(a) == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
	return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
}

bool addr_is_link_local(const struct addr *a)
{
	if (addr_family(a) == AF_INET6)
		return IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr);
	return ntohl(a->in.sin_addr.s_addr) >> 16 == 0xa9fe;
}

int prefix_parse(struct prefix *p, const char *text)
{
	const char *slash = strchr(text, '/');
	char host[INET6_ADDRSTRLEN + 2];
	struct addr a;
	uint16_t bits;
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	const uint8_t *ip;

	if (len >= sizeof(host))
		return -E_PARSE;
	memcpy(host, text, len);
	host[len] = 0;
	if (addr_parse_ip(&a, host, 0))
		return -E_PARSE;
	ip = addr_ip(&a, &len);
	bits = (uint16_t)(len * 8);
	if (slash && (parse_port(slash + 1, &bits) || bits > len * 8))
		return -E_PARSE;
	memset(p, 0, sizeof(*p));
	p->family = addr_family(&a);
	p->bits = (uint8_t)bits;
	memcpy(p->ip, ip, bits / 8u);
	if (bits % 8)
		p->ip[bits / 8] = (uint8_t)(ip[bits / 8] & (0xff00 >> (bits % 8)));
	return 0;
}

bool prefix_has_ip(const struct prefix *p, const uint8_t *ip, size_t len)
{
	size_t whole = p->bits / 8, rest = p->bits % 8;

	if (len != (p->family == AF_INET6 ? 16u : 4u))
		return false;
	if (memcmp(p->ip, ip, whole) != 0)
		return false;
	return !rest || (ip[whole] & (uint8_t)(0xff00 >> rest)) == p->ip[whole];
}

bool prefix_has(const struct prefix *p, const struct addr *a)
{
	size_t len;
	const uint8_t *ip = addr_ip(a, &len);

	return prefix_has_ip(p, ip, len);
}
