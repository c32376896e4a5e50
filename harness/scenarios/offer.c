/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading iceServers as a browser does, with better words for what is wrong.
 */
#include "harness/scenarios/offer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *scheme;
	bool turn, secure;
} schemes[] = {
    {"turn:", true, false},
    {"turns:", true, true},
    {"stun:", false, false},
    {"stuns:", false, true},
};

const char *offer_transport_word(enum offer_transport t)
{
	static const char *const word[OFFER_TRANSPORTS] = {"udp", "tcp", "tls"};

	return word[t];
}

/* "host", "host:port" or "[v6]:port", up to the end. */
static int parse_host(const char *uri, const char *text, size_t len, struct offer_entry *e,
                      struct why *why)
{
	const char *end = text + len, *host = text, *host_end = memchr(text, ':', len);
	unsigned char address[16];

	if (len > 0 && *text == '[') {
		host++;
		host_end = memchr(text, ']', len);
		if (!host_end)
			return why_set(why, -E_PARSE, "%s: a [ without its ]", uri);
	}
	if (!host_end)
		host_end = end;
	if (host_end == host || (size_t)(host_end - host) >= sizeof(e->host))
		return why_set(why, -E_PARSE, "%s: no host in it", uri);
	snprintf(e->host, sizeof(e->host), "%.*s", (int)(host_end - host), host);
	if (inet_pton(AF_INET, e->host, address) == 1)
		e->family = AF_INET;
	else if (inet_pton(AF_INET6, e->host, address) == 1)
		e->family = AF_INET6;
	if (host_end < end && *host_end == ']')
		host_end++;
	if (host_end < end) {
		char *stop;
		unsigned long port = *host_end == ':' ? strtoul(host_end + 1, &stop, 10) : 0;

		if (port < 1 || port > 65535 || stop != end)
			return why_set(why, -E_PARSE, "%s: its port should be 1 to 65535", uri);
		e->port = (unsigned)port;
	}
	return 0;
}

int offer_parse_uri(const char *uri, struct offer_entry *e, struct why *why)
{
	const char *rest = NULL, *query;
	bool secure = false, udp;
	int err;

	*e = (struct offer_entry){.port = 0};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes) && !rest; i++) {
		size_t len = strlen(schemes[i].scheme);

		if (strncmp(uri, schemes[i].scheme, len) != 0)
			continue;
		rest = uri + len;
		e->turn = schemes[i].turn;
		secure = schemes[i].secure;
	}
	if (!rest || strlen(uri) >= sizeof(e->uri))
		return why_set(why, -E_PARSE,
		               "\"%.80s\" is no URI of an ICE server: it should look like "
		               "turn:HOST:PORT?transport=udp",
		               uri);
	snprintf(e->uri, sizeof(e->uri), "%s", uri);
	query = rest + strcspn(rest, "?");
	udp = !strcmp(query, "?transport=udp") || (!*query && !secure);
	if (*query && !udp && strcmp(query, "?transport=tcp") != 0)
		return why_set(why, -E_PARSE, "%s: after the ? may stand transport=udp or =tcp",
		               uri);
	e->port = secure ? 5349 : 3478;
	err = parse_host(uri, rest, (size_t)(query - rest), e, why);
	if (err != 0)
		return err;
	if (secure && udp)
		return why_set(why, -E_UNSUPPORTED, "%s: no browser speaks DTLS to a server", uri);
	e->transport = secure ? OFFER_TLS : udp ? OFFER_UDP : OFFER_TCP;
	return 0;
}

static int add_uri(const json_t *url, struct offer *o, struct why *why)
{
	int err;

	if (!json_is_string(url))
		return why_set(why, -E_PARSE, "an ICE server's \"urls\" should hold strings");
	if (o->n == OFFER_MAX)
		return why_set(why, -E_LIMIT, "more than %d URIs of ICE servers", OFFER_MAX);
	err = offer_parse_uri(json_string_value(url), &o->entry[o->n], why);
	if (err == 0)
		o->n++;
	return err == -E_UNSUPPORTED ? 0 : err;
}

static int add_server(const json_t *server, struct offer *o, struct why *why)
{
	const json_t *urls = json_object_get(server, "urls"), *url;
	size_t i, before = o->n;
	bool turn = false;
	int err = 0;

	if (!urls)
		urls = json_object_get(server, "url"); /* its name of before */
	if (!json_is_string(urls) && json_array_size(urls) == 0)
		return why_set(why, -E_PARSE, "an ICE server has no \"urls\"");
	if (json_is_string(urls))
		err = add_uri(urls, o, why);
	json_array_foreach (urls, i, url) {
		if (err == 0)
			err = add_uri(url, o, why);
	}
	for (i = before; i < o->n; i++)
		turn = turn || o->entry[i].turn;
	if (err == 0 && turn &&
	    (!json_is_string(json_object_get(server, "username")) ||
	     !json_is_string(json_object_get(server, "credential"))))
		err = why_set(why, -E_PARSE, "%s has no \"username\" and \"credential\"",
		              o->entry[before].uri);
	return err;
}

int offer_parse(const json_t *json, struct offer *o, json_t **servers, struct why *why)
{
	const json_t *list = json_is_object(json) ? json_object_get(json, "iceServers") : json;
	const json_t *server;
	size_t i;
	int err = 0;

	*o = (struct offer){.n = 0};
	if (!json_is_array(list) || json_array_size(list) == 0)
		return why_set(why, -E_PARSE,
		               "it should be {\"iceServers\": [...]} or the array, with at least "
		               "one server");
	json_array_foreach (list, i, server) {
		if (err == 0)
			err = add_server(server, o, why);
	}
	if (err == 0 && servers)
		*servers = json_deep_copy(list);
	return err;
}

int offer_parse_text(const char *text, struct offer *o, json_t **servers, struct why *why)
{
	json_error_t e;
	json_t *json = json_loads(text, 0, &e);
	int err;

	if (!json)
		return why_set(why, -E_PARSE, "it is not JSON: line %d: %s", e.line, e.text);
	err = offer_parse(json, o, servers, why);
	json_decref(json);
	return err;
}
