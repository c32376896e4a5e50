/* SPDX-License-Identifier: BSD-3-Clause
 *
 * coturn's addresses and ports: where it listens, where it relays from, whom it
 * relays to.
 */
#include "daemon/import/import_take.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool port(struct import *im, const char *value, unsigned *out)
{
	if (!import_is_number(value) || atoll(value) < 1 || atoll(value) > 65535) {
		import_left(im, "the value is not a port");
		return false;
	}
	*out = (unsigned)atoi(value);
	return true;
}

void import_listening_ip(struct import *im, const char *value)
{
	struct addr a;

	if (addr_parse_ip(&a, value, 0)) {
		import_left(im, "the value is not an address: name it in listen");
		return;
	}
	import_add(im, &im->ips, value);
	import_taken(im, "listen");
}

void import_listening_port(struct import *im, const char *value)
{
	if (port(im, value, &im->port))
		import_taken(im, "listen");
}

void import_tls_port(struct import *im, const char *value)
{
	if (port(im, value, &im->tls_port))
		import_taken(im, "listen");
}

void import_alt_port(struct import *im, const char *value)
{
	if (!strcmp(value, "0"))
		import_same(im, "it is the default");
	else if (im->alt_n < 2 && port(im, value, &im->alt_ports[im->alt_n])) {
		im->alt_n++;
		import_taken(im, "listen");
	}
}

void import_aux_server(struct import *im, const char *value)
{
	struct addr a;

	if (addr_parse(&a, value)) {
		import_left(im, "the value is not an address and a port: name it in listen");
		return;
	}
	import_add(im, &im->aux, value);
	import_taken(im, "listen");
}

void import_relay_ip(struct import *im, const char *value)
{
	import_take(im, OPTION_relay_address, value);
}

/* "public" or "public/private" -> "public" or "private=public" */
void import_external_ip(struct import *im, const char *value)
{
	const char *slash = strchr(value, '/');
	char text[256];

	if (slash)
		snprintf(text, sizeof(text), "%s=%.*s", slash + 1, (int)(slash - value), value);
	else
		snprintf(text, sizeof(text), "%s", value);
	import_take(im, OPTION_external_ip, text);
}

void import_threads(struct import *im, const char *value)
{
	import_take_number(im, OPTION_workers, strcmp(value, "0") ? value : "1");
}

void import_min_port(struct import *im, const char *value)
{
	if (port(im, value, &im->min_port))
		import_taken(im, "relay_ports");
}

void import_max_port(struct import *im, const char *value)
{
	if (port(im, value, &im->max_port))
		import_taken(im, "relay_ports");
}

void import_no_tls(struct import *im, const char *value)
{
	(void)value;
	im->no_tls = true;
	import_left(im,
	            "every port speaks TLS to those who ask for it; close tls-listening-port in "
	            "the firewall (with no-dtls it is not listened on)");
}

void import_no_dtls(struct import *im, const char *value)
{
	(void)value;
	im->no_dtls = true;
	if (import_put(im, OPTION_max_dtls_sessions, "0"))
		import_taken(im, "max_dtls_sessions = 0");
}

void import_no_tcp_relay(struct import *im, const char *value)
{
	(void)value;
	if (import_put(im, OPTION_peer_connections, "0"))
		import_taken(im, "peer_connections = 0");
}

void import_no_discovery(struct import *im, const char *value)
{
	(void)value;
	if (import_put(im, OPTION_nat_discovery, "no"))
		import_taken(im, "nat_discovery = no");
}

void import_family(struct import *im, const char *value)
{
	if (!strcasecmp(value, "ipv4"))
		import_same(im, "a client that names no family gets IPv4");
	else
		import_left(im, "a client that names no family gets IPv4 (RFC 8656 section 7.2)");
}

void import_range(struct import *im, bool allow, const char *range)
{
	if (import_range_check(range)) {
		import_left(im, "the value is not a range of addresses");
		return;
	}
	import_add(im, allow ? &im->allowed : &im->denied, range);
	import_taken(im, allow ? "relay_allow" : "relay_deny");
}

void import_allowed(struct import *im, const char *value)
{
	import_range(im, true, value);
}

void import_denied(struct import *im, const char *value)
{
	import_range(im, false, value);
}

/* coturn lets the port away. */
void import_alternate(struct import *im, const char *value)
{
	struct addr a;
	char text[ADDR_STRLEN];

	if (addr_parse_ip(&a, value, 3478) && addr_parse(&a, value))
		import_left(im, "only addresses, not names: write ADDRESS:PORT into "
		                "alternate_server");
	else
		import_take(im, OPTION_alternate_server, addr_format(&a, text));
}

/* ---- what is made of several ---- */

static void listen_on(struct import *im, const char *ip, unsigned number)
{
	char text[128];

	snprintf(text, sizeof(text), strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, number);
	import_put(im, OPTION_listen, text);
}

void import_finish_listen(struct import *im)
{
	bool tls = !(im->no_tls && im->no_dtls) && im->tls_port != im->port;
	size_t n = im->ips.n;

	if (!n) {
		import_add(im, &im->ips, "0.0.0.0");
		import_add(im, &im->ips, "::");
	}
	for (size_t i = 0; i < im->ips.n; i++) {
		listen_on(im, im->ips.v[i], im->port);
		if (tls)
			listen_on(im, im->ips.v[i], im->tls_port);
		for (size_t k = 0; n > 1 && k < im->alt_n; k++) /* RFC 5780 wants two addresses */
			listen_on(im, im->ips.v[i], im->alt_ports[k]);
	}
	for (size_t i = 0; i < im->aux.n; i++)
		import_put(im, OPTION_listen, im->aux.v[i]);
}

void import_finish_peers(struct import *im)
{
	const struct import_texts none = {.n = 0};
	size_t n;
	char *text;

	if (im->allowed.n && (text = import_subtract(&im->allowed, &none, &n))) {
		im->directive = "allowed-peer-ip";
		import_put(im, OPTION_relay_allow, text);
		free(text);
	}
	if (im->denied.n && (text = import_subtract(&im->denied, &im->allowed, &n))) {
		im->directive = "denied-peer-ip";
		if (n)
			import_put(im, OPTION_relay_deny, text);
		free(text);
	}
}
