/* SPDX-License-Identifier: BSD-3-Clause
 *
 * coturn's ranges of addresses ("10.0.0.1-10.0.0.99") as prefixes.
 */
#include "daemon/import/import.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 u128;

struct range {
	int family;
	u128 low, high; /* both included */
};

static u128 number(const struct addr *a)
{
	size_t len;
	const uint8_t *ip = addr_ip(a, &len);
	u128 v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | ip[i];
	return v;
}

static u128 ones(unsigned bits)
{
	return bits >= 128 ? ~(u128)0 : ((u128)1 << bits) - 1;
}

static int parse(const char *text, struct range *out)
{
	char low[128];
	struct addr a, b;
	struct prefix p;
	size_t n = strcspn(text, "-");

	if (!text[n]) {
		if (prefix_parse(&p, text))
			return -E_PARSE;
		addr_from_bytes(&a, p.ip, p.family == AF_INET ? 4 : 16, 0);
		out->family = p.family;
		out->low = number(&a);
		out->high = out->low | ones((p.family == AF_INET ? 32u : 128u) - p.bits);
		return 0;
	}
	if (n >= sizeof(low))
		return -E_PARSE;
	memcpy(low, text, n);
	low[n] = 0;
	if (addr_parse_ip(&a, low, 0) || addr_parse_ip(&b, text + n + 1, 0) ||
	    addr_family(&a) != addr_family(&b) || number(&a) > number(&b))
		return -E_PARSE;
	out->family = addr_family(&a);
	out->low = number(&a);
	out->high = number(&b);
	return 0;
}

int import_address(const char *text, struct addr *out)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found;
	char host[128];
	size_t len;
	int r = -E_PARSE;

	text += strspn(text, " ");
	len = strlen(text);
	while (len && text[len - 1] == ' ')
		len--;
	if (!len)
		return addr_parse_ip(out, "0.0.0.0", 0);
	if (len >= sizeof(host) || strchr(text, '%'))
		return -E_PARSE;
	memcpy(host, text, len);
	host[len] = 0;
	if (getaddrinfo(host, NULL, &hints, &found))
		return -E_PARSE;
	if (!getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), NULL, 0,
	                 NI_NUMERICHOST))
		r = addr_parse_ip(out, host, 0);
	freeaddrinfo(found);
	return r;
}

/* The range of one or two addresses. coturn takes one that ends before it begins for what it is:
 * nothing lies in it. */
static int read_range(const char *low, const char *high, char *clean)
{
	char a[ADDR_STRLEN], b[ADDR_STRLEN];
	struct range r;
	struct addr x, y;

	if (!*low || import_address(low, &x) || (high && (!*high || import_address(high, &y))))
		return -E_PARSE;
	snprintf(clean, IMPORT_RANGE_LEN, "%s-%s", addr_format_ip(&x, a),
	         addr_format_ip(high ? &y : &x, b));
	return parse(clean, &r);
}

enum import_form import_range_read(const char *text, char *clean)
{
	char copy[IMPORT_RANGE_LEN], *high, *remark;
	struct range r;

	if (strlen(text) >= sizeof(copy))
		return IMPORT_NO_RANGE;
	snprintf(copy, sizeof(copy), "%s", text);
	high = strchr(copy, '-');
	if (high)
		*high++ = 0;
	if (!read_range(copy, high, clean))
		return IMPORT_RANGE;
	snprintf(copy, sizeof(copy), "%s", text);
	if ((remark = strpbrk(copy, "#; \t")))
		*remark = 0;
	high = strchr(copy, '-');
	if (high)
		*high++ = 0;
	if (!read_range(copy, high, clean))
		return IMPORT_MEANT;
	snprintf(clean, IMPORT_RANGE_LEN, "%s", copy);
	return !high && strchr(copy, '/') && !parse(copy, &r) ? IMPORT_MEANT : IMPORT_NO_RANGE;
}

static void print_prefix(FILE *out, int family, u128 low, unsigned bits, size_t *n)
{
	unsigned width = family == AF_INET ? 32 : 128;
	char text[ADDR_STRLEN];
	uint8_t ip[16];
	struct addr a;

	for (unsigned i = 0; i < width / 8; i++)
		ip[i] = (uint8_t)(low >> (width - 8 - 8 * i));
	addr_from_bytes(&a, ip, width / 8, 0);
	fprintf(out, "%s%s/%u", *n ? "," : "", addr_format_ip(&a, text), width - bits);
	++*n;
}

/* The fewest prefixes: always the largest one that begins at low and does not pass high. */
static void print_range(FILE *out, struct range r, size_t *n)
{
	unsigned width = r.family == AF_INET ? 32 : 128;

	for (;;) {
		unsigned bits = 0;

		while (bits < width && !(r.low & ones(bits + 1)) &&
		       r.high - r.low >= ones(bits + 1))
			bits++;
		print_prefix(out, r.family, r.low, bits, n);
		if (r.high - r.low <= ones(bits))
			return;
		r.low += ones(bits) + 1;
	}
}

/* r without allowed[i] and those after it. */
static void print_rest(FILE *out, struct range r, const struct import_texts *allowed, size_t i,
                       size_t *n)
{
	struct range hole, part = r;

	for (; i < allowed->n; i++) {
		if (parse(allowed->v[i], &hole) || hole.family != r.family || hole.high < r.low ||
		    hole.low > r.high)
			continue;
		if (hole.low > r.low) {
			part.high = hole.low - 1;
			print_rest(out, part, allowed, i + 1, n);
		}
		if (hole.high < r.high) {
			part = r;
			part.low = hole.high + 1;
			print_rest(out, part, allowed, i + 1, n);
		}
		return;
	}
	print_range(out, r, n);
}

char *import_subtract(const struct import_texts *denied, const struct import_texts *allowed,
                      size_t *n)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct range r;

	*n = 0;
	if (!out)
		return NULL;
	for (size_t i = 0; i < denied->n; i++)
		if (!parse(denied->v[i], &r))
			print_rest(out, r, allowed, 0, n);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
