/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Combines several of coturn's directives, once all are read: where to listen, the relay's ports,
 * peers, the certificate.
 */
#include "daemon/import/import_take.h"

#include "daemon/cert/cert.h"

#include <stdlib.h>
#include <string.h>

/* Our options as they have been put so far. */
static bool parsed(const struct import *im, enum conf_option_index at, struct conf *conf)
{
	const char *text = im->value[at];
	struct why why;

	memset(conf, 0, sizeof(*conf));
	return text && !conf_value_set(conf, &conf_options[at], text, &why);
}

/* True when the socket would collide with a listener: the same address, or the wildcard of its
 * family. */
static bool is_taken(const struct conf_addrs *listen, const struct addr *a)
{
	for (size_t i = 0; i < listen->n; i++)
		if (addr_port(&listen->v[i]) == addr_port(a) &&
		    addr_family(&listen->v[i]) == addr_family(a) &&
		    (addr_equal(&listen->v[i], a) || addr_is_any(&listen->v[i])))
			return true;
	return false;
}

static void listen_on(struct import *im, const struct addr *a)
{
	char text[ADDR_STRLEN];
	struct conf conf;

	if (!parsed(im, OPTION_listen, &conf) || !is_taken(&conf.listen, a))
		import_put(im, OPTION_listen, addr_format(a, text));
	conf_value_clear(&conf, &conf_options[OPTION_listen]);
}

/* The ports, without those that are 0, on each address of listening-ip that is a wildcard, or on
 * the others. Wildcards go first, so that the others are seen to be part of them. */
static void listen_on_all(struct import *im, const unsigned *ports, size_t n, bool any)
{
	struct addr a;

	for (size_t i = 0; i < im->ips.n; i++)
		for (size_t k = 0; k < n; k++)
			if (ports[k] && !addr_parse_ip(&a, im->ips.v[i], (uint16_t)ports[k]) &&
			    addr_is_any(&a) == any)
				listen_on(im, &a);
}

void import_finish_listen(struct import *im)
{
	bool tls = !(im->no_tls && im->no_dtls);
	/* For NAT discovery, which coturn leaves where it could not answer truly. */
	bool alt = !im->no_discovery && !im->external_for_all &&
	           (im->ips.n > 1 || (!im->ips.n && (im->alt_port || im->alt_tls_port)));
	const unsigned alt_port = im->alt_port ? im->alt_port : im->port + 1;
	const unsigned alt_tls_port = im->alt_tls_port ? im->alt_tls_port : im->tls_port + 1;
	const unsigned ports[] = {im->port, tls ? im->tls_port : 0, alt ? alt_port : 0,
	                          alt && tls ? alt_tls_port : 0};
	struct addr a;

	im->directive = "listen";
	if (!im->ips.n) {
		import_add(im, &im->ips, "0.0.0.0");
		import_add(im, &im->ips, "::");
	}
	listen_on_all(im, ports, sizeof(ports) / sizeof(*ports), true);
	listen_on_all(im, ports, sizeof(ports) / sizeof(*ports), false);
	for (size_t i = 0; i < im->aux.n; i++)
		if (!addr_parse(&a, im->aux.v[i]))
			listen_on(im, &a);
}

/* Clients would be sent here for ever. */
void import_finish_alternates(struct import *im)
{
	struct conf conf;
	struct addr a;

	im->directive = "alternate-server";
	parsed(im, OPTION_listen, &conf);
	for (size_t i = 0; i < im->alternates.n; i++) {
		bool self = false;

		for (size_t k = 0; !addr_parse(&a, im->alternates.v[i]) && k < conf.listen.n; k++)
			self |= addr_equal(&conf.listen.v[k], &a);
		if (self)
			import_left(im, "%s is this server itself", im->alternates.v[i]);
		else
			import_put(im, OPTION_alternate_server, im->alternates.v[i]);
	}
	conf_value_clear(&conf, &conf_options[OPTION_listen]);
}

static bool serves_family(const struct import *im, int family)
{
	enum conf_option_index at =
	    im->value[OPTION_relay_address] ? OPTION_relay_address : OPTION_listen;
	const struct conf_addrs *from;
	bool found = false;
	struct conf conf;

	if (parsed(im, at, &conf)) {
		from = at == OPTION_listen ? &conf.listen : &conf.relay_address;
		for (size_t i = 0; i < from->n; i++)
			found |= addr_family(&from->v[i]) == family;
	}
	conf_value_clear(&conf, &conf_options[at]);
	return found;
}

/* Leaves out mappings that our rules would refuse: coturn accepts them, but cannot use them either.
 */
void import_finish_external(struct import *im)
{
	for (size_t i = 0; i < im->external.n; i++) {
		const char *text = im->external.v[i], *equals = strchr(text, '=');
		size_t key = equals ? (size_t)(equals - text) : 0;
		struct addr a;
		bool again = false;

		im->directive = "external-ip";
		if (addr_parse_ip(&a, equals ? equals + 1 : text, 0))
			continue;
		for (size_t k = 0; equals && k < i; k++)
			again |= !strncmp(im->external.v[k], text, key + 1);
		if (again)
			import_left(im, "%s: an earlier line is for the same private address",
			            text);
		else if (addr_is_loopback(&a))
			import_left(im, "%s: no client can reach it: give the public address",
			            text);
		else if (!serves_family(im, addr_family(&a)))
			import_left(im, "%s: there is no relay address of its family", text);
		else
			import_put(im, OPTION_external_ip, text);
	}
}

/* The widest part of the range without a listening port: coturn skips such a port. */
void import_finish_ports(struct import *im)
{
	unsigned min = im->min_port, max = im->max_port, low = im->min_port, best = 0;
	bool is_listened[65537] = {false};
	struct conf conf;
	char text[32];

	im->directive = "min-port, max-port";
	if (parsed(im, OPTION_listen, &conf))
		for (size_t i = 0; i < conf.listen.n; i++)
			is_listened[addr_port(&conf.listen.v[i])] = true;
	conf_value_clear(&conf, &conf_options[OPTION_listen]);
	for (unsigned port = im->min_port; port <= im->max_port + 1; port++) {
		if (port <= im->max_port && !is_listened[port])
			continue;
		if (port - low > best) {
			best = port - low;
			min = low;
			max = port - 1;
		}
		low = port + 1;
	}
	if (min != im->min_port || max != im->max_port)
		import_taken(im, "relay_ports = %u-%u, without the ports of listen", min, max);
	snprintf(text, sizeof(text), "%u-%u", min, max);
	import_put(im, OPTION_relay_ports, text);
}

/* Our relay needs a second setting to open this host or a cloud's metadata; coturn opens loopback
 * for no range at all. */
static void allow(struct import *im, char *list)
{
	char *save;

	for (char *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		struct prefix prefix;
		const char *danger = prefix_parse(&prefix, p) ? NULL : conf_danger_of(&prefix);

		if (danger)
			import_left(
			    im,
			    "%s would open %s (this host itself, or a cloud's metadata service): "
			    "if you want that, add it to relay_allow and relay_allow_unsafe",
			    p, danger);
		else
			import_put(im, OPTION_relay_allow, p);
	}
}

int import_finish_peers(struct import *im, struct why *why)
{
	const struct import_texts none = {.n = 0};
	size_t n, max = (size_t)conf_options[OPTION_relay_deny].max;
	char *text;
	int r = 0;

	im->directive = "allowed-peer-ip";
	if (im->allowed.n && (text = import_subtract(&im->allowed, &none, &n))) {
		allow(im, text);
		free(text);
	}
	im->directive = "denied-peer-ip";
	if (im->denied.n && (text = import_subtract(&im->denied, &im->allowed, &n))) {
		if (n > max)
			r = why_set(why, -E_LIMIT,
			            "denied-peer-ip: its ranges need %zu prefixes, but relay_deny "
			            "can have only %zu: use larger ranges",
			            n, max);
		else if (n && !import_put(im, OPTION_relay_deny, text))
			r = why_set(why, -E_INVAL, "denied-peer-ip cannot be imported");
		free(text);
	}
	return r;
}

/* coturn starts without TLS where it has no pair of files; ours then makes its own certificate. */
void import_finish_cert(struct import *im, bool here)
{
	struct why why = {{0}};

	im->directive = "cert, pkey";
	if (!im->cert && !im->key)
		return;
	if (!im->cert || !im->key)
		import_left(im,
		            "there is no %s: set tls_cert and tls_key; until then the server uses "
		            "a self-signed certificate",
		            im->cert ? "pkey" : "cert");
	else if (here && cert_check(im->cert, im->key, NULL, &why))
		import_left(im,
		            "%s; then set tls_cert and tls_key; until then the server uses a "
		            "self-signed certificate",
		            why.text);
	else if (import_put(im, OPTION_tls_cert, im->cert))
		import_put(im, OPTION_tls_key, im->key);
}
