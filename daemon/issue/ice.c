/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ICE server URIs (RFC 7064, RFC 7065) and the shapes that carry them.
 */
#include "daemon/issue/ice.h"

#include "base/addr.h"
#include "base/error.h"
#include "base/host.h"
#include "daemon/conf/conf.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_stun(const char *uri)
{
	return !strncmp(uri, "stun:", 5);
}

static size_t stun_n(const struct ice_grant *g)
{
	size_t n = 0;

	while (n < g->uri_n && is_stun(g->uri[n]))
		n++;
	return n;
}

static const char *const turn_forms[] = {
    [ICE_UDP] = "turn:%s:%u?transport=udp",
    [ICE_TCP] = "turn:%s:%u?transport=tcp",
    [ICE_TLS] = "turns:%s:%u?transport=tcp",
};

int ice_grant_add_uris(struct ice_grant *g, const char *host, const struct ice_endpoint *ep,
                       size_t n)
{
	size_t need = 0, stun_at = stun_n(g), turn_at;
	char text[ICE_HOST_STRLEN + 2];
	struct addr a;

	if (!host_valid(host))
		return -E_INVAL;
	for (size_t i = 0; i < n; i++)
		need += ep[i].transport == ICE_UDP ? 2 : 1;
	if (g->uri_n + need > ICE_URI_MAX)
		return -E_LIMIT;
	/* RFC 3986 section 3.2.2: an IPv6 literal stands in brackets. */
	if (!addr_parse_ip(&a, host, 0) && addr_family(&a) == AF_INET6)
		snprintf(text, sizeof(text), "[%.255s]", host);
	else
		snprintf(text, sizeof(text), "%.255s", host);
	for (size_t i = 0; i < n; i++) {
		if (ep[i].transport != ICE_UDP)
			continue;
		memmove(g->uri[stun_at + 1], g->uri[stun_at],
		        (g->uri_n - stun_at) * sizeof(g->uri[0]));
		snprintf(g->uri[stun_at++], ICE_URI_STRLEN, "stun:%s:%u", text, ep[i].port);
		g->uri_n++;
	}
	turn_at = g->uri_n;
	for (size_t i = 0; i < n; i++)
		snprintf(g->uri[turn_at++], ICE_URI_STRLEN, turn_forms[ep[i].transport], text,
		         ep[i].port);
	g->uri_n = turn_at;
	return 0;
}

static json_t *uri_array(const struct ice_grant *g, size_t from, size_t to)
{
	json_t *array = json_array();

	for (size_t i = from; array && i < to; i++) {
		if (json_array_append_new(array, json_string(g->uri[i]))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *ice_grant_servers(const struct ice_grant *g)
{
	json_t *servers = json_array();
	size_t split = stun_n(g);

	if (!servers)
		return NULL;
	if (split &&
	    json_array_append_new(servers, json_pack("{so}", "urls", uri_array(g, 0, split))))
		goto fail;
	if (split < g->uri_n &&
	    json_array_append_new(
	        servers, json_pack("{sossss}", "urls", uri_array(g, split, g->uri_n), "username",
	                           g->credential.username, "credential", g->credential.password)))
		goto fail;
	return servers;
fail:
	json_decref(servers);
	return NULL;
}

json_t *ice_grant_rest(const struct ice_grant *g)
{
	/* The draft's uris are for TURN; clients hand them on together with the password. */
	return json_pack("{sssssIso}", "username", g->credential.username, "password",
	                 g->credential.password, "ttl", (json_int_t)g->ttl_s, "uris",
	                 uri_array(g, stun_n(g), g->uri_n));
}
