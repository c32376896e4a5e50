/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Types of options that are lists of addresses, ranges of them, and pairs.
 */
#include "daemon/conf/conf_internal.h"

#include <arpa/inet.h>
#include <string.h>

static int add_addr(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	struct addr a;

	if (addr_parse(&a, text))
		return why_set(
		    why, -E_PARSE,
		    "\"%s\" is not an address and a port: write one like 0.0.0.0:3478 "
		    "or [::]:3478%s",
		    text,
		    o->type == &conf_type_LISTEN ? ", followed by the word proxy or nothing" : "");
	return conf_list_add(o, m, &a, why);
}

static void print_addr(FILE *out, const struct conf_option *o, const void *m, size_t i)
{
	char text[ADDR_STRLEN];

	(void)o;
	fputs(addr_format(&((const struct conf_addrs *)m)->v[i], text), out);
}

/* Cuts the word off the text's end. Whether it was there. */
static bool take_word(char *text, const char *word)
{
	size_t len = strlen(text), word_len = strlen(word);

	if (len <= word_len || strcmp(text + len - word_len, word) != 0 ||
	    !strchr(" \t", text[len - word_len - 1]))
		return false;
	for (len -= word_len; strchr(" \t", text[len - 1]);)
		len--;
	text[len] = 0;
	return true;
}

static int add_listen(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	struct conf_addrs *addrs = m;
	char plain[CONF_VALUE_MAX];
	bool proxy;
	int r;

	snprintf(plain, sizeof(plain), "%s", text);
	proxy = take_word(plain, "proxy");
	r = add_addr(o, plain, m, why);
	if (!r)
		addrs->proxy |= (uint64_t)proxy << (addrs->n - 1);
	return r;
}

static void print_listen(FILE *out, const struct conf_option *o, const void *m, size_t i)
{
	print_addr(out, o, m, i);
	if (((const struct conf_addrs *)m)->proxy >> i & 1)
		fputs(" proxy", out);
}

static int parse_ip(struct addr *a, const char *text, struct why *why)
{
	if (addr_parse_ip(a, text, 0))
		return why_set(why, -E_PARSE,
		               "\"%s\" is not an IP address: write one like 192.0.2.1 or "
		               "2001:db8::1, without a port",
		               text);
	if (addr_is_any(a))
		return why_set(why, -E_PARSE, "\"%s\" stands for every address: name one", text);
	return 0;
}

static int add_ip(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	struct addr a;
	int r = parse_ip(&a, text, why);

	return r ? r : conf_list_add(o, m, &a, why);
}

static void print_ip(FILE *out, const struct conf_option *o, const void *m, size_t i)
{
	char text[ADDR_STRLEN];

	(void)o;
	fputs(addr_format_ip(&((const struct conf_addrs *)m)->v[i], text), out);
}

static int add_prefix(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	struct prefix p = {0};

	if (prefix_parse(&p, text))
		return why_set(why, -E_PARSE,
		               "\"%s\" is not a prefix: write one like 10.0.0.0/8 or 2001:db8::/32",
		               text);
	return conf_list_add(o, m, &p, why);
}

static void print_prefix(FILE *out, const struct conf_option *o, const void *m, size_t i)
{
	const struct prefix *p = &((const struct conf_prefixes *)m)->v[i];
	char text[INET6_ADDRSTRLEN];

	(void)o;
	fprintf(out, "%s/%u", inet_ntop(p->family, p->ip, text, sizeof(text)), p->bits);
}

static int add_mapping(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	struct conf_mapping mapping = {0};
	const char *equals = strchr(text, '=');
	char local[CONF_VALUE_MAX];
	int r = 0;

	if (equals) {
		snprintf(local, sizeof(local), "%.*s", (int)(equals - text), text);
		r = parse_ip(&mapping.local, local, why);
	}
	if (!r)
		r = parse_ip(&mapping.external, equals ? equals + 1 : text, why);
	if (r)
		return r;
	if (equals && addr_family(&mapping.local) != addr_family(&mapping.external))
		return why_set(why, -E_PARSE, "\"%s\" maps between IPv4 and IPv6: use one family",
		               text);
	return conf_list_add(o, m, &mapping, why);
}

static void print_mapping(FILE *out, const struct conf_option *o, const void *m, size_t i)
{
	const struct conf_mapping *mapping = &((const struct conf_mappings *)m)->v[i];
	char text[ADDR_STRLEN];

	(void)o;
	if (addr_family(&mapping->local) != AF_UNSPEC)
		fprintf(out, "%s=", addr_format_ip(&mapping->local, text));
	fputs(addr_format_ip(&mapping->external, text), out);
}

#define LIST(title, type, add, write)                                                              \
	{                                                                                          \
		.name = title, .element = sizeof(type), .parse = add, .print = write,              \
		.document = conf_list_document                                                     \
	}
const struct conf_type conf_type_ADDRS =
    LIST("list of addresses with port", struct addr, add_addr, print_addr);
const struct conf_type conf_type_LISTEN =
    LIST("list of addresses with port", struct addr, add_listen, print_listen);
const struct conf_type conf_type_IPS = LIST("list of addresses", struct addr, add_ip, print_ip);
const struct conf_type conf_type_PREFIXES =
    LIST("list of address ranges", struct prefix, add_prefix, print_prefix);
const struct conf_type conf_type_MAPPINGS =
    LIST("list of addresses", struct conf_mapping, add_mapping, print_mapping);
