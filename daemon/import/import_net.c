/* SPDX-License-Identifier: BSD-3-Clause
 *
 * coturn's addresses and ports: its listeners, its relays, and the peers it allows.
 */
#include "daemon/import/import_take.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Reads a port of the current line; reports a wrong one. */
static bool take_port(struct import *im, const char *value, unsigned *out)
{
	int n = import_int(value);

	if (!n)
		import_left(im, "the port is 0, which means any free port: give one in listen");
	else if (n < 0 || n > 65535)
		import_left(
		    im, "the value is not a port: coturn uses %u, and newer versions do not start",
		    (unsigned)(uint16_t)n);
	else
		*out = (unsigned)n;
	return n > 0 && n <= 65535;
}

static bool take_address(struct import *im, const char *value, const char *option, struct addr *out)
{
	if (!import_address(value, out))
		return true;
	import_left(im,
	            "coturn does not accept it as an address, unless it is a name: write the "
	            "address into %s",
	            option);
	return false;
}

void import_listening_ip(struct import *im, const char *value)
{
	char text[ADDR_STRLEN];
	struct addr a;

	if (!take_address(im, value, "listen", &a))
		return;
	addr_format_ip(&a, text);
	if (import_has(&im->ips, text)) {
		import_same(im, "an earlier line has it");
		return;
	}
	import_add(im, &im->ips, text);
	import_taken(im, "listen");
}

void import_listening_port(struct import *im, const char *value)
{
	if (take_port(im, value, &im->port))
		import_taken(im, "listen, port %u", im->port);
}

void import_tls_port(struct import *im, const char *value)
{
	if (take_port(im, value, &im->tls_port))
		import_taken(im, "listen, port %u", im->tls_port);
}

static void alt_port(struct import *im, const char *value, unsigned *port)
{
	if (!import_int(value))
		import_same(im, "it is the default");
	else if (take_port(im, value, port))
		import_taken(im, "listen, port %u, if there are two addresses", *port);
}

void import_alt_port(struct import *im, const char *value)
{
	alt_port(im, value, &im->alt_port);
}

void import_alt_tls_port(struct import *im, const char *value)
{
	alt_port(im, value, &im->alt_tls_port);
}

void import_aux_server(struct import *im, const char *value)
{
	char text[ADDR_STRLEN];
	struct addr a;

	if (addr_parse(&a, value) || !addr_port(&a)) {
		import_left(im, "the value is not an address and a port: add it to listen");
		return;
	}
	import_add(im, &im->aux, addr_format(&a, text));
	import_taken(im, "listen");
}

void import_relay_ip(struct import *im, const char *value)
{
	char text[ADDR_STRLEN];
	struct addr a;

	if (!take_address(im, value, "relay_address", &a))
		return;
	if (addr_is_any(&a))
		import_same(im, "a relay needs an address that peers can reach: it uses the "
		                "address that the client connected to");
	else if (import_has(&im->relay_ips, addr_format_ip(&a, text)))
		import_same(im, "an earlier line has it");
	else {
		import_add(im, &im->relay_ips, text);
		import_take(im, OPTION_relay_address, text);
	}
}

/* "public" or "public/private"; without a private part coturn uses the first one only. */
void import_external_ip(struct import *im, const char *value)
{
	const char *slash = strchr(value, '/');
	char text[256], ip[ADDR_STRLEN], local[ADDR_STRLEN], out[2 * ADDR_STRLEN];
	struct addr external, inside;

	snprintf(text, sizeof(text), "%.*s", slash ? (int)(slash - value) : 255, value);
	if (!take_address(im, text, "external_ip", &external) ||
	    (slash && !take_address(im, slash + 1, "external_ip", &inside)))
		return;
	if (!slash && im->external_for_all) {
		import_left(im, "coturn uses only the first external-ip without a private address: "
		                "write PRIVATE=PUBLIC into external_ip");
		return;
	}
	addr_format_ip(&external, ip);
	im->external_for_all |= !slash;
	snprintf(out, sizeof(out), "%s%s%s", slash ? addr_format_ip(&inside, local) : "",
	         slash ? "=" : "", ip);
	import_add(im, &im->external, out);
	import_taken(im, "external_ip = %s", out);
}

void import_min_port(struct import *im, const char *value)
{
	if (take_port(im, value, &im->min_port))
		import_taken(im, "relay_ports, from %u", im->min_port);
}

void import_max_port(struct import *im, const char *value)
{
	if (take_port(im, value, &im->max_port))
		import_taken(im, "relay_ports, to %u", im->max_port);
}

void import_no_tls(struct import *im, const char *value)
{
	(void)value;
	im->no_tls = true;
	import_left(im, "every port accepts TLS: close tls-listening-port in the firewall (with "
	                "no-dtls the server does not listen on it)");
}

static void no_dtls(struct import *im)
{
	im->no_dtls = true;
	if (import_put(im, OPTION_max_dtls_sessions, "0"))
		import_taken(im, "max_dtls_sessions = 0");
}

void import_no_dtls(struct import *im, const char *value)
{
	(void)value;
	no_dtls(im);
}

void import_dtls(struct import *im, const char *value)
{
	if (*value && strchr("0nNfF", *value))
		no_dtls(im);
	else
		import_same(im, "every port accepts DTLS");
}

void import_no_tcp_relay(struct import *im, const char *value)
{
	(void)value;
	if (import_put(im, OPTION_peer_connections, "0"))
		import_taken(im, "peer_connections = 0");
}

static void discovery(struct import *im, const char *text)
{
	im->no_discovery = *text == 'n';
	if (import_put(im, OPTION_nat_discovery, text))
		import_taken(im, "nat_discovery = %s", text);
}

void import_no_discovery(struct import *im, const char *value)
{
	(void)value;
	discovery(im, "no");
}

void import_discovery(struct import *im, const char *value)
{
	(void)value;
	discovery(im, "yes");
}

void import_family(struct import *im, const char *value)
{
	if (!strcmp(value, "ipv4"))
		import_same(im, "a client that asks for no family gets IPv4");
	else
		import_left(im,
		            "a client that asks for no family gets IPv4 (RFC 8656 section 7.2)");
}

void import_range(struct import *im, bool allow, const char *range)
{
	char clean[IMPORT_RANGE_LEN];
	enum import_form form = import_range_read(range, clean);

	if (form == IMPORT_NO_RANGE) {
		import_left(im, "the value is not a range of addresses");
		return;
	}
	/* Ranges that coturn did not open stay closed; ranges that the writer meant to close are
	 * closed. */
	if (allow && (form == IMPORT_MEANT || im->ignored)) {
		import_left(im, "coturn does not accept it and opens nothing: to open it here, add "
		                "it to relay_allow");
		return;
	}
	if (form == IMPORT_MEANT)
		im->note = "coturn does not accept it and denies nothing";
	import_add(im, allow ? &im->allowed : &im->denied, clean);
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
	char text[ADDR_STRLEN];
	struct addr a;

	if (import_address(value, &a) && addr_parse(&a, value))
		import_left(
		    im,
		    "it must be an address, not a name: write ADDRESS:PORT into alternate_server");
	else if (addr_is_any(&a))
		import_left(im,
		            "clients cannot reach it: write ADDRESS:PORT into alternate_server");
	else {
		if (!addr_port(&a))
			addr_put_port(&a, 3478);
		addr_format(&a, text);
		if (import_has(&im->alternates, text)) {
			import_same(im, "an earlier line has it");
			return;
		}
		import_add(im, &im->alternates, text);
		import_taken(im, "alternate_server");
	}
}
