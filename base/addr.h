/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Transport addresses (IP and port) and IP prefixes, IPv4 and IPv6.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* "[" + INET6_ADDRSTRLEN + "]:65535" + NUL, rounded up. */
#define ADDR_STRLEN 64

/* Plain data: copy by assignment. family AF_UNSPEC means "none". */
struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
};

struct prefix {
	uint8_t ip[16]; /* network byte order; IPv4 in the first four bytes */
	uint8_t bits;   /* 0..32 or 0..128 */
	int family;     /* AF_INET or AF_INET6 */
};

/* Parses an IP literal without port ("192.0.2.1", "2001:db8::1", "[2001:db8::1]").
 * 0 or -E_PARSE. */
int addr_parse_ip(struct addr *a, const char *text, uint16_t port);

/* Parses "192.0.2.1:3478", "[2001:db8::1]:3478", or ":3478" and "*:3478", which give the
 * IPv4 wildcard. 0 or -E_PARSE. */
int addr_parse(struct addr *a, const char *text);

/* From raw network-order bytes: ip_len is 4 or 16, port in host order. */
void addr_from_bytes(struct addr *a, const void *ip, size_t ip_len, uint16_t port);

/* With and without port; both return buf. */
const char *addr_format(const struct addr *a, char buf[ADDR_STRLEN]);
const char *addr_format_ip(const struct addr *a, char buf[ADDR_STRLEN]);

static inline int addr_family(const struct addr *a)
{
	return a->sa.sa_family;
}

/* The length for the socket calls. */
static inline socklen_t addr_len(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in);
}

/* Raw network-order bytes of the IP and their count (4 or 16). */
const uint8_t *addr_ip(const struct addr *a, size_t *len);

uint16_t addr_port(const struct addr *a); /* host order */
/* Not "set": libturn owns that name. */
void addr_put_port(struct addr *a, uint16_t port);
bool addr_equal(const struct addr *a, const struct addr *b);    /* family, IP and port */
bool addr_equal_ip(const struct addr *a, const struct addr *b); /* family and IP */

/* True when a packet to this address arrives at a socket that is bound to listen: the port is the
 * same, and the IP is the same or listen has the wildcard of its family. */
bool addr_arrives_at(const struct addr *to, const struct addr *listen);

bool addr_is_any(const struct addr *a);
bool addr_is_loopback(const struct addr *a);
bool addr_is_link_local(const struct addr *a);

/* Parses "10.0.0.0/8", "2001:db8::/32" or a bare IP (a host prefix). Bits beyond the length
 * are cleared. 0 or -E_PARSE. */
int prefix_parse(struct prefix *p, const char *text);

/* True when the IP (of len 4 or 16 bytes) lies inside; families never match each other. */
bool prefix_has_ip(const struct prefix *p, const uint8_t *ip, size_t len);
bool prefix_has(const struct prefix *p, const struct addr *a);

#endif
