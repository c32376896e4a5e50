/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names of hosts.
 */
#include "base/host.h"

#include "base/addr.h"
#include "base/error.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool host_valid(const char *host)
{
	size_t len = strlen(host), label = 0;
	bool digits = true; /* of the last label: only addresses end in digits */
	struct addr a;

	if (!len || len > 253 || *host == '[')
		return false;
	if (!addr_parse_ip(&a, host, 0))
		return true;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)host[i];

		if (c == '.') {
			if (!label || host[i - 1] == '-')
				return false;
			if (i + 1 < len) {
				label = 0;
				digits = true;
			}
			continue;
		}
		if (c >= 0x80 || (!isalnum(c) && c != '_' && (c != '-' || !label)) || ++label > 63)
			return false;
		digits = digits && isdigit(c);
	}
	return !digits && host[len - 1] != '-';
}

/* Digits up to 65535. */
static int parse_port(const char *text, uint16_t *port)
{
	size_t n = strlen(text);
	long v = strtol(text, NULL, 10);

	if (!n || n > 5 || strspn(text, "0123456789") != n || v > 65535)
		return -E_PARSE;
	*port = (uint16_t)v;
	return 0;
}

int host_parse_authority(const char *text, char host[HOST_STRLEN], uint16_t *port)
{
	bool literal = *text == '[';
	const char *start = text + literal, *end = start + strcspn(start, literal ? "]" : ":");
	char name[HOST_STRLEN];
	uint16_t number = 0;
	struct addr a;

	if ((size_t)(end - start) >= sizeof(name) || (literal && *end != ']'))
		return -E_PARSE;
	memcpy(name, start, (size_t)(end - start));
	name[end - start] = 0;
	end += literal;
	if ((*end && *end != ':') || (*end == ':' && parse_port(end + 1, &number)))
		return -E_PARSE;
	if (literal ? addr_parse_ip(&a, name, 0) || addr_family(&a) != AF_INET6 : !host_valid(name))
		return -E_PARSE;
	memcpy(host, name, strlen(name) + 1);
	*port = number;
	return 0;
}

bool host_equal(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);

	a_len -= a_len && a[a_len - 1] == '.';
	b_len -= b_len && b[b_len - 1] == '.';
	return a_len == b_len && !strncasecmp(a, b, a_len);
}
