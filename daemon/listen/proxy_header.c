/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The PROXY protocol (HAProxy, proxy-protocol.txt, 2.1 and 2.2).
 */
#include "base/error.h"
#include "daemon/listen/sniff.h"

#include <stdlib.h>
#include <string.h>

#define V1_MAX  107 /* "a 108-byte buffer is always enough" with its NUL */
#define V2_HEAD 16
#define V2_MAX  2048 /* addresses and TLVs; the largest in use have a few hundred bytes */

static const uint8_t v1_start[6] = "PROXY ";
static const uint8_t v2_start[12] = "\r\n\r\n\0\r\nQUIT\n";

static bool starts_like(const uint8_t *data, size_t len, const uint8_t *start, size_t start_len)
{
	return !memcmp(data, start, len < start_len ? len : start_len);
}

/* "U+0030..U+0039, no leading zero, 0 to 65535" */
static int parse_port(const char *text, uint16_t *out)
{
	size_t n = strlen(text);
	long v = strtol(text, NULL, 10);

	if (!n || n > 5 || strspn(text, "0123456789") != n || (n > 1 && *text == '0') || v > 65535)
		return -E_PARSE;
	*out = (uint16_t)v;
	return 0;
}

static int parse_addr(const char *ip, const char *port, int family, struct addr *out)
{
	uint16_t number;

	if (!ip || !port || *ip == '[' || parse_port(port, &number) ||
	    addr_parse_ip(out, ip, number) || addr_family(out) != family)
		return -E_PARSE;
	return 0;
}

/* PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 CR LF */
static int parse_v1(const uint8_t *data, size_t len, struct proxy_header *out, size_t *need)
{
	char line[V1_MAX + 1], *save, *word[6] = {NULL};
	const uint8_t *end = memchr(data, '\n', len < V1_MAX ? len : V1_MAX);
	struct proxy_header h = {.len = 0};
	int family;

	if (!end) {
		*need = len + 1;
		return len < V1_MAX ? -E_LATER : -E_PARSE;
	}
	h.len = (size_t)(end - data) + 1;
	if (h.len < 2 || end[-1] != '\r' || memchr(data, 0, h.len))
		return -E_PARSE;
	memcpy(line, data, h.len - 2);
	line[h.len - 2] = 0;
	word[0] = strtok_r(line, " ", &save);
	for (int i = 1; i < 6 && word[i - 1]; i++)
		word[i] = strtok_r(NULL, " ", &save);
	if (word[1] && !strcmp(word[1], "UNKNOWN")) {
		h.unknown = true;
	} else {
		if (!word[5] || strtok_r(NULL, " ", &save))
			return -E_PARSE;
		family = !strcmp(word[1], "TCP4")   ? AF_INET
		         : !strcmp(word[1], "TCP6") ? AF_INET6
		                                    : AF_UNSPEC;
		if (parse_addr(word[2], word[4], family, &h.source) ||
		    parse_addr(word[3], word[5], family, &h.destination))
			return -E_PARSE;
	}
	*out = h;
	return 0;
}

/*
 *  | signature, 12 | version 2 and command | family and protocol | length, 2 |
 *  | source address | destination address | source port, 2 | destination port, 2 | TLVs
 */
static int parse_v2(const uint8_t *data, size_t len, struct proxy_header *out, size_t *need)
{
	struct proxy_header h = {.len = 0};
	size_t body, ip_len;
	const uint8_t *at = data + V2_HEAD;

	*need = V2_HEAD;
	if (len < *need)
		return -E_LATER;
	body = (size_t)data[14] << 8 | data[15];
	if (data[12] >> 4 != 2 || (data[12] & 15) > 1 || body > V2_MAX)
		return -E_PARSE;
	h.len = *need = V2_HEAD + body;
	if (len < *need)
		return -E_LATER;
	/* "LOCAL: the connection was established on purpose by the proxy without being relayed";
	 * what is neither TCP over IPv4 nor over IPv6, is to be taken as unknown */
	ip_len = data[13] == 0x11 ? 4 : data[13] == 0x21 ? 16 : 0;
	h.unknown = (data[12] & 15) == 0 || !ip_len;
	if (!h.unknown) {
		if (body < 2 * ip_len + 4)
			return -E_PARSE;
		addr_from_bytes(&h.source, at, ip_len,
		                (uint16_t)(at[2 * ip_len] << 8 | at[2 * ip_len + 1]));
		addr_from_bytes(&h.destination, at + ip_len, ip_len,
		                (uint16_t)(at[2 * ip_len + 2] << 8 | at[2 * ip_len + 3]));
	}
	*out = h;
	return 0;
}

/* A proxy that listens for both families on one socket tells IPv4 clients as ::ffff:a.b.c.d: all of
 * them would be in one /64, and share the limits of one address. */
static void unmap(struct addr *a)
{
	struct in6_addr ip = a->in6.sin6_addr;

	if (addr_family(a) == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&ip))
		addr_from_bytes(a, ip.s6_addr + 12, 4, addr_port(a));
}

int proxy_header_parse(const uint8_t *data, size_t len, struct proxy_header *out, size_t *need)
{
	int r = -E_NOTFOUND;

	*need = len + 1;
	if (!len)
		return -E_LATER;
	if (starts_like(data, len, v1_start, sizeof(v1_start)))
		r = len < sizeof(v1_start) ? -E_LATER : parse_v1(data, len, out, need);
	else if (starts_like(data, len, v2_start, sizeof(v2_start)))
		r = parse_v2(data, len, out, need);
	if (!r) {
		unmap(&out->source);
		unmap(&out->destination);
	}
	return r;
}
