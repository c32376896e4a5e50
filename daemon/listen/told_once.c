/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses of which something was said.
 */
#include "daemon/listen/told_once.h"

/* This host, and private networks (RFC 1918, RFC 4193, RFC 6598). */
static const char *const near_ranges[] = {"127.0.0.0/8",    "10.0.0.0/8",    "172.16.0.0/12",
                                          "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
                                          "::1/128",        "fc00::/7",      "fe80::/10"};

static bool is_near(const struct addr *a)
{
	struct prefix p;

	for (size_t i = 0; i < sizeof(near_ranges) / sizeof(*near_ranges); i++)
		if (!prefix_parse(&p, near_ranges[i]) && prefix_has(&p, a))
			return true;
	return false;
}

static bool add(struct addr *v, size_t *n, const struct addr *who)
{
	for (size_t i = 0; i < *n; i++)
		if (addr_equal_ip(&v[i], who))
			return false;
	if (*n == TOLD_ONCE_MAX)
		return false;
	v[(*n)++] = *who;
	return true;
}

bool told_once(struct told_once *t, const struct addr *who)
{
	return is_near(who) ? add(t->near, &t->near_n, who) : add(t->far, &t->far_n, who);
}
