/* SPDX-License-Identifier: BSD-3-Clause
 *
 * X-Forwarded-For, X-Forwarded-Proto and Forwarded.
 */
#include "daemon/listen/forwarded.h"

#include "daemon/listen/http_head.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NODE_MAX 64 /* of an address with its port; longer ones are none */

/* The values of one header, in the order of their lines, with a comma between two. */
struct list {
	char text[HTTP_HEAD_MAX];
	size_t len;
};

static void list_add(struct list *l, const char *text, size_t len, const char *between)
{
	for (const char *c = l->len ? between : ""; *c && l->len + 1 < sizeof(l->text); c++)
		l->text[l->len++] = *c;
	for (size_t i = 0; i < len && l->len + 1 < sizeof(l->text); i++)
		l->text[l->len++] = text[i] ? text[i] : '?';
	l->text[l->len] = 0;
}

bool forwarded_trusts(const struct conf_prefixes *trusted, const struct addr *a)
{
	for (size_t i = 0; i < trusted->n; i++)
		if (prefix_has(&trusted->v[i], a))
			return true;
	return false;
}

/* RFC 7239 section 6.3: a port may be told by a name that hides it, "_" and letters or digits. The
 * address before it is told all the same. */
static void cut_hidden_port(char *text)
{
	static const char in_names[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	char *at = strstr(text, ":_");

	if (at && at[2] && !at[2 + strspn(at + 2, in_names)])
		*at = 0;
}

/* "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711". Not "unknown", nor "_hidden"
 * (RFC 7239 section 6), nor what stands for every address. */
static int parse_node(char *text, struct addr *out)
{
	struct addr a;

	cut_hidden_port(text);
	if (addr_parse_ip(&a, text, 0) && addr_parse(&a, text))
		return -E_PARSE;
	/* A proxy that listens for both families on one socket tells IPv4 clients so. */
	if (addr_family(&a) == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a.in6.sin6_addr)) {
		struct in6_addr ip = a.in6.sin6_addr;

		addr_from_bytes(&a, ip.s6_addr + 12, 4, addr_port(&a));
	}
	if (addr_is_any(&a))
		return -E_PARSE;
	*out = a;
	return 0;
}

/* Copies what stands from..to, without blanks around it and quotes; empty when it does not fit, or
 * has to be unescaped, which no address and no scheme has. */
static void clean(const char *from, const char *to, char out[NODE_MAX])
{
	size_t n = 0;

	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	if (to - from >= 2 && *from == '"' && to[-1] == '"') {
		from++;
		to--;
	}
	if ((size_t)(to - from) < NODE_MAX && !memchr(from, '\\', (size_t)(to - from)))
		n = (size_t)(to - from);
	memcpy(out, from, n);
	out[n] = 0;
}

/* The value of a parameter of one element of Forwarded (RFC 7239 section 4); "" for none. */
static void get_param(const char *from, const char *to, const char *name, char out[NODE_MAX])
{
	size_t len = strlen(name);

	*out = 0;
	while (from < to) {
		const char *end = from;

		for (bool quoted = false; end < to && (quoted || *end != ';'); end++)
			quoted ^= *end == '"';
		while (from < end && (*from == ' ' || *from == '\t'))
			from++;
		if ((size_t)(end - from) > len && from[len] == '=' && !strncasecmp(from, name, len))
			clean(from + len + 1, end, out);
		from = end + 1;
	}
}

/* Finds where the last element of text[0..len) begins, ignoring quoted commas. Searches from the
 * right: an open quote further left must not swallow what the proxy added. */
static size_t last_element(const char *text, size_t len)
{
	bool quoted = false;

	for (size_t i = len; i > 0; i--) {
		if (text[i - 1] == '"')
			quoted = !quoted;
		else if (text[i - 1] == ',' && !quoted)
			return i;
	}
	return 0;
}

/* The client named behind all trusted hops. False: none. */
static bool walk(const struct list *l, bool params, const struct conf_prefixes *trusted,
                 const struct addr *remote, struct addr *client)
{
	size_t end = l->len;
	bool named = false;
	char node[NODE_MAX];

	*client = *remote;
	while (end && forwarded_trusts(trusted, client)) {
		size_t start = last_element(l->text, end);

		if (params)
			get_param(l->text + start, l->text + end, "for", node);
		else
			clean(l->text + start, l->text + end, node);
		if (parse_node(node, client))
			break;
		named = true;
		end = start ? start - 1 : 0;
	}
	return named;
}

struct lists {
	struct list addresses, elements, schemes;
};

/* The list that a line belongs to, and where its value begins. */
static struct list *list_of(struct lists *l, const char *line, size_t len, size_t *value)
{
	const struct {
		const char *name;
		struct list *list;
	} names[] = {{"x-forwarded-for:", &l->addresses},
	             {"forwarded:", &l->elements},
	             {"x-forwarded-proto:", &l->schemes}};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		*value = strlen(names[i].name);
		if (len >= *value && !strncasecmp(line, names[i].name, *value))
			return names[i].list;
	}
	return NULL;
}

/* A line that begins with a blank belongs to the one before it (RFC 9112 section 5.2). */
static void read_lines(const char *head, size_t len, struct lists *l)
{
	struct list *list = NULL;
	size_t at = 0, end, n, value;

	for (; at < len; at = end + 1) {
		end = at + (size_t)((const char *)memchr(head + at, '\n', len - at) - (head + at));
		n = end - at;
		n -= n && head[end - 1] == '\r';
		if (list && n && (head[at] == ' ' || head[at] == '\t')) {
			list_add(list, head + at, n, " ");
			continue;
		}
		list = list_of(l, head + at, n, &value);
		if (list)
			list_add(list, head + at + value, n - value, ",");
	}
}

static bool says_https(const struct lists *l)
{
	const struct list *from = l->schemes.len ? &l->schemes : &l->elements;
	size_t start = last_element(from->text, from->len);
	char scheme[NODE_MAX];

	if (from == &l->schemes)
		clean(from->text + start, from->text + from->len, scheme);
	else
		get_param(from->text + start, from->text + from->len, "proto", scheme);
	return !strcasecmp(scheme, "https") || !strcasecmp(scheme, "wss");
}

int forwarded_parse(const uint8_t *head, size_t len, const struct addr *remote,
                    const struct conf_prefixes *trusted, struct forwarded *out, size_t *need)
{
	size_t end = http_head_end(head, len);
	struct addr by_address, by_element;
	bool addresses, elements;
	struct lists *l;

	*need = len + 1;
	if (!end)
		return len < HTTP_HEAD_MAX ? -E_LATER : -E_LIMIT;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -E_NOMEM;
	memset(out, 0, sizeof(*out));
	read_lines((const char *)head, end, l);
	addresses = walk(&l->addresses, false, trusted, remote, &by_address);
	elements = walk(&l->elements, true, trusted, remote, &by_element);
	out->contradictory =
	    l->addresses.len && l->elements.len && !addr_equal_ip(&by_address, &by_element);
	out->named = (addresses || elements) && !out->contradictory;
	out->client = !out->named ? *remote : addresses ? by_address : by_element;
	out->https = says_https(l);
	free(l);
	return 0;
}
