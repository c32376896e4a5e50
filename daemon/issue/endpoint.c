/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which ports are told to clients.
 */
#include "daemon/issue/endpoint.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static bool listens_on(const struct conf *conf, uint16_t port)
{
	for (size_t i = 0; i < conf->listen.n; i++)
		if (addr_port(&conf->listen.v[i]) == port)
			return true;
	return false;
}

static uint16_t main_port(const struct conf *conf)
{
	uint16_t port = 0;

	if (listens_on(conf, 3478))
		return 3478;
	for (size_t i = 0; !port && i < conf->listen.n; i++)
		port = addr_port(&conf->listen.v[i]);
	return port;
}

size_t endpoints(const struct conf *conf, struct ice_endpoint ep[ENDPOINT_MAX])
{
	uint16_t port = main_port(conf);
	size_t n = 0;

	if (!port)
		return 0;
	ep[n++] = (struct ice_endpoint){ICE_UDP, port};
	ep[n++] = (struct ice_endpoint){ICE_TCP, port};
	/* Strict firewalls let only 443 out. */
	if (port != 443 && listens_on(conf, 443))
		ep[n++] = (struct ice_endpoint){ICE_TCP, 443};
	/* Browsers give no way to accept a self-signed certificate for turns. */
	if (*conf->tls_cert)
		ep[n++] = (struct ice_endpoint){ICE_TLS, listens_on(conf, 443)    ? 443
		                                         : listens_on(conf, 5349) ? 5349
		                                                                  : port};
	return n;
}

/* It leads everybody to himself, or nowhere. */
static bool is_local_name(const char *host)
{
	static const char localhost[] = "localhost";
	size_t len = strlen(host), tail = sizeof(localhost) - 1;
	struct addr a;

	if (!addr_parse_ip(&a, host, 0))
		return addr_is_loopback(&a) || addr_is_any(&a) || addr_is_link_local(&a);
	len -= len && host[len - 1] == '.';
	return !len || (len >= tail && !strncasecmp(host + len - tail, localhost, tail) &&
	                (len == tail || host[len - tail - 1] == '.'));
}

/* RFC 1918, RFC 4193; a name without a dot. */
static bool is_inner_name(const char *host)
{
	struct addr a;
	const uint8_t *ip;
	size_t len;

	if (addr_parse_ip(&a, host, 0))
		return !strchr(host, '.');
	ip = addr_ip(&a, &len);
	if (len == 16)
		return (ip[0] & 0xfe) == 0xfc;
	return ip[0] == 10 || (ip[0] == 172 && ip[1] >> 4 == 1) || (ip[0] == 192 && ip[1] == 168);
}

static void put_addr(char host[ICE_HOST_STRLEN], const struct addr *a)
{
	char text[ADDR_STRLEN];

	snprintf(host, ICE_HOST_STRLEN, "%s", addr_format_ip(a, text));
}

/* Our listen address; a loopback address only if there is no other, because then every client is on
 * this host. */
static int listening_host(const struct conf *conf, char host[ICE_HOST_STRLEN])
{
	const struct addr *found = NULL;
	bool only_loopback = true;

	for (size_t i = 0; i < conf->listen.n; i++) {
		const struct addr *a = &conf->listen.v[i];

		only_loopback &= addr_is_loopback(a);
		if (!addr_is_any(a) && (!found || addr_is_loopback(found)))
			found = a;
	}
	if (!found || (addr_is_loopback(found) && !only_loopback))
		return -E_UNREACHABLE;
	put_addr(host, found);
	return 0;
}

int endpoint_host(const struct conf *conf, const struct endpoint_for *c, char host[ICE_HOST_STRLEN])
{
	const char *asked = c->asked;
	bool external = conf->external_ip.n > 0;

	if (*conf->public_host) {
		asked = conf->public_host;
	} else if (asked && is_local_name(asked)) {
		if (!c->here)
			asked = NULL;
	} else if (asked && external && c->forwarded && is_inner_name(asked)) {
		asked = NULL;
	}
	if (asked)
		snprintf(host, ICE_HOST_STRLEN, "%s", asked);
	else if (external)
		put_addr(host, &conf->external_ip.v[0].external);
	else
		return listening_host(conf, host);
	return 0;
}

bool endpoint_is_for_balancers(const struct conf *conf, const struct addr *server)
{
	bool marked = false;

	for (size_t i = 0; i < conf->listen.n; i++)
		marked |=
		    conf_listen_proxies(conf, i) && addr_arrives_at(server, &conf->listen.v[i]);
	for (size_t i = 0; marked && i < conf->proxy_from.n; i++)
		if (prefix_has(&conf->proxy_from.v[i], server))
			return false;
	return marked && conf->proxy_from.n;
}

static bool wants_header(const struct conf *conf, const struct addr *server, const struct addr *own)
{
	for (size_t i = 0; conf->listen.proxy && i < conf->listen.n; i++)
		if (addr_arrives_at(server, &conf->listen.v[i]))
			return conf_listen_proxies(conf, i);
	for (size_t i = 0; !conf->listen.proxy && i < conf->proxy_from.n; i++)
		if (prefix_has(&conf->proxy_from.v[i], own))
			return true;
	return false;
}

int endpoint_greet(const struct conf *conf, int fd)
{
	static const char hello[] = "PROXY UNKNOWN\r\n";
	struct addr own;
	struct addr server;
	socklen_t len = sizeof(own), server_len = sizeof(server);

	if (getsockname(fd, &own.sa, &len))
		return -1;
	if (getpeername(fd, &server.sa, &server_len) || !wants_header(conf, &server, &own))
		return 0;
	return send(fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL) < 0 ? -1 : 0;
}
