/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Settings that open this host, or the networks behind it, to strangers.
 */
#include "daemon/conf/conf_rules.h"

#include <string.h>

/* Addresses that the Internet cannot reach (IANA's special-purpose registries). */
static const char *const not_global[] = {
    "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",   "169.254.0.0/16",  "172.16.0.0/12",
    "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "::1/128",      "2001:db8::/32",  "fc00::/7",      "fe80::/10",
};

/* Addresses that a relay must not open to strangers: this host itself, its link, and the services
 * that hand a cloud machine its credentials (Azure, AWS, Google: 169.254.169.254 and fd00:ec2::254,
 * Alibaba: 100.100.100.200, Oracle: 192.0.0.192). */
static const char *const dangerous[] = {
    "0.0.0.0/8", "127.0.0.0/8",    "169.254.0.0/16", "100.100.100.200/32", "::/128",
    "::1/128",   "192.0.0.192/32", "fe80::/10",      "fd00:ec2::254/128",
};

static bool in_list(const struct addr *a, const char *const *list, size_t n)
{
	struct prefix p;

	for (size_t i = 0; i < n; i++)
		if (!prefix_parse(&p, list[i]) && prefix_has(&p, a))
			return true;
	return false;
}

static bool is_global(const struct addr *a)
{
	return !in_list(a, not_global, sizeof(not_global) / sizeof(*not_global));
}

/* A wildcard is whatever the host has: taken for public, as on a rented machine. */
bool conf_is_public(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listen.n; i++)
		if (is_global(&conf->listen.v[i]))
			return true;
	for (size_t i = 0; i < conf->external_ip.n; i++)
		if (is_global(&conf->external_ip.v[i].external))
			return true;
	return false;
}

static bool overlap(const struct prefix *a, const struct prefix *b)
{
	size_t len = a->family == AF_INET ? 4 : 16;

	return a->family == b->family &&
	       (prefix_has_ip(a, b->ip, len) || prefix_has_ip(b, a->ip, len));
}

const char *conf_danger_of(const struct prefix *range)
{
	struct prefix p;

	for (size_t i = 0; i < sizeof(dangerous) / sizeof(*dangerous); i++)
		if (!prefix_parse(&p, dangerous[i]) && overlap(range, &p))
			return dangerous[i];
	return NULL;
}

static bool has_prefix(const struct conf_prefixes *list, const struct prefix *p)
{
	for (size_t i = 0; i < list->n; i++)
		if (!memcmp(&list->v[i], p, sizeof(*p)))
			return true;
	return false;
}

static void check_allowed(const struct rules *r)
{
	const struct conf_prefixes *allow = &r->conf->relay_allow;
	const struct conf_prefixes *unsafe = &r->conf->relay_allow_unsafe;

	for (size_t i = 0; i < unsafe->n; i++)
		if (!has_prefix(allow, &unsafe->v[i]))
			rule_tell(r,
			          "%s: value %zu is not in relay_allow, whose ranges this option "
			          "repeats: add it there, or remove it here",
			          RULE_WHERE(r, relay_allow_unsafe), i + 1);
	if (!conf_is_public(r->conf))
		return;
	for (size_t i = 0; i < allow->n; i++) {
		const char *danger = conf_danger_of(&allow->v[i]);

		if (danger && !has_prefix(unsafe, &allow->v[i]))
			rule_tell(r,
			          "%s: value %zu opens %s (this host itself, or a cloud's metadata "
			          "service) to strangers: use a smaller range, or repeat this one "
			          "in relay_allow_unsafe",
			          RULE_WHERE(r, relay_allow), i + 1, danger);
	}
}

static void check_guests(const struct rules *r)
{
	if (r->conf->guests == GUESTS_YES && conf_is_public(r->conf))
		rule_tell(r,
		          "%s: anybody on the Internet could relay through this server: use API "
		          "tokens (turnpike token add), or write guests = public if you want that",
		          RULE_WHERE(r, guests));
}

/* A stranger who reaches the port first could claim any address. */
static void check_proxies(const struct rules *r)
{
	const struct conf *conf = r->conf;
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < conf->listen.n; i++)
		if (conf_listen_proxies(conf, i) && !conf->proxy_from.n &&
		    !addr_is_loopback(&conf->listen.v[i]))
			rule_tell(r,
			          "%s: anybody could send a PROXY header to %s and claim any "
			          "address: name the balancers in proxy_from",
			          RULE_WHERE(r, listen), addr_format(&conf->listen.v[i], text));
	for (size_t i = 0; i < conf->trusted_proxy.n; i++)
		if (!conf->trusted_proxy.v[i].bits && conf_is_public(conf))
			rule_tell(
			    r,
			    "%s: value %zu includes everybody: give the addresses of your proxies",
			    RULE_WHERE(r, trusted_proxy), i + 1);
}

void conf_unsafe(const struct rules *r)
{
	check_proxies(r);
	check_allowed(r);
	check_guests(r);
}
