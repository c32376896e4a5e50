/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Settings that are each well formed and contradict each other.
 */
#include "daemon/conf/conf_rules.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void rule_tell(const struct rules *r, const char *fmt, ...)
{
	struct why why;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why.text, sizeof(why.text), fmt, ap);
	va_end(ap);
	r->problem(r->ctx, why.text);
}

/* Why no socket of this host can ever be bound to it, whatever addresses come; NULL: one can. */
static const char *no_own_address(const struct addr *a)
{
	const struct in6_addr *ip = &a->in6.sin6_addr;
	uint32_t ip4;

	if (addr_family(a) == AF_INET) {
		ip4 = ntohl(a->in.sin_addr.s_addr);
		return IN_MULTICAST(ip4)         ? "a multicast group"
		       : ip4 == INADDR_BROADCAST ? "the broadcast address"
		       : ip4 && !(ip4 >> 24)     ? "not the address of a host"
		                                 : NULL;
	}
	return IN6_IS_ADDR_V4MAPPED(ip)    ? "an IPv4 address in IPv6 form (write a.b.c.d)"
	       : IN6_IS_ADDR_MULTICAST(ip) ? "a multicast group"
	       : IN6_IS_ADDR_LINKLOCAL(ip)
	           ? "link-local, and each interface has its own link-local addresses"
	           : NULL;
}

static void check_own(const struct rules *r, const struct conf_addrs *addrs, const char *where)
{
	const char *what;
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < addrs->n; i++)
		if ((what = no_own_address(&addrs->v[i])))
			rule_tell(r, "%s: %s is %s: name an address that a host can have", where,
			          addr_format_ip(&addrs->v[i], text), what);
}

/* One takes the other's place. */
static bool collide(const struct addr *a, const struct addr *b)
{
	return addr_port(a) && addr_port(a) == addr_port(b) && addr_family(a) == addr_family(b) &&
	       (addr_is_any(a) || addr_is_any(b));
}

static void check_listen(const struct rules *r)
{
	const struct conf_addrs *listen = &r->conf->listen;
	char a[ADDR_STRLEN], b[ADDR_STRLEN];

	check_own(r, listen, RULE_WHERE(r, listen));
	for (size_t i = 0; i < listen->n; i++)
		for (size_t j = 0; j < i; j++)
			if (addr_port(&listen->v[i]) && addr_equal(&listen->v[i], &listen->v[j]))
				rule_tell(r, "%s: %s is listed twice: remove one",
				          RULE_WHERE(r, listen), addr_format(&listen->v[i], a));
			else if (collide(&listen->v[i], &listen->v[j]))
				rule_tell(r,
				          "%s: %s and %s overlap, because a wildcard means every "
				          "address: remove one, or list all addresses",
				          RULE_WHERE(r, listen), addr_format(&listen->v[j], b),
				          addr_format(&listen->v[i], a));
}

static bool relays_on(const struct conf *conf, const struct addr *listen)
{
	if (addr_is_any(listen) || !conf->relay_address.n)
		return true;
	for (size_t i = 0; i < conf->relay_address.n; i++)
		if (addr_equal_ip(&conf->relay_address.v[i], listen))
			return true;
	return false;
}

/* The default range gives way to the listeners; a chosen one does not. */
static void check_relay_ports(const struct rules *r)
{
	const struct conf *conf = r->conf;
	char text[ADDR_STRLEN];

	if (!RULE_CHOSEN(r, relay_ports))
		return;
	for (size_t i = 0; i < conf->listen.n; i++) {
		uint16_t port = addr_port(&conf->listen.v[i]);

		if (port >= conf->relay_ports.min && port <= conf->relay_ports.max &&
		    relays_on(conf, &conf->listen.v[i]))
			rule_tell(
			    r,
			    "%s: %u-%u contains the port of %s (%s): choose another range or port",
			    RULE_WHERE(r, relay_ports), conf->relay_ports.min,
			    conf->relay_ports.max, addr_format(&conf->listen.v[i], text),
			    RULE_WHERE(r, listen));
	}
}

static void check_peers(const struct rules *r)
{
	const struct conf_prefixes *allow = &r->conf->relay_allow, *deny = &r->conf->relay_deny;

	for (size_t i = 0; i < allow->n; i++)
		for (size_t j = 0; j < deny->n; j++)
			if (!memcmp(&allow->v[i], &deny->v[j], sizeof(struct prefix)))
				rule_tell(r,
				          "%s and %s: value %zu and value %zu are the same range: "
				          "remove one",
				          RULE_WHERE(r, relay_allow), RULE_WHERE(r, relay_deny),
				          i + 1, j + 1);
}

/* True for mappings of the same local address, or both of a whole family. */
static bool same_local(const struct conf_mapping *a, const struct conf_mapping *b)
{
	if (addr_family(&a->local) == AF_UNSPEC || addr_family(&b->local) == AF_UNSPEC)
		return addr_family(&a->local) == addr_family(&b->local) &&
		       addr_family(&a->external) == addr_family(&b->external);
	return addr_equal_ip(&a->local, &b->local);
}

static void check_external(const struct rules *r)
{
	const struct conf_mappings *m = &r->conf->external_ip;
	char a[ADDR_STRLEN], b[ADDR_STRLEN];

	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < i; j++)
			if (same_local(&m->v[i], &m->v[j]))
				rule_tell(r,
				          "%s: %s and %s map the same local address: write "
				          "LOCAL=IP for each, with different LOCAL",
				          RULE_WHERE(r, external_ip),
				          addr_format_ip(&m->v[j].external, a),
				          addr_format_ip(&m->v[i].external, b));
}

static bool relays_family(const struct conf *conf, int family)
{
	const struct conf_addrs *from =
	    conf->relay_address.n ? &conf->relay_address : &conf->listen;

	for (size_t i = 0; i < from->n; i++)
		if (addr_family(&from->v[i]) == family)
			return true;
	return false;
}

/* One that stands for nothing is a slip. */
static void check_external_use(const struct rules *r)
{
	const struct conf_mappings *m = &r->conf->external_ip;
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < m->n; i++) {
		const struct addr *external = &m->v[i].external;

		if (addr_is_loopback(external) && !addr_is_loopback(&m->v[i].local))
			rule_tell(r, "%s: no client can reach %s: give this host's public address",
			          RULE_WHERE(r, external_ip), addr_format_ip(external, text));
		else if (!relays_family(r->conf, addr_family(external)))
			rule_tell(
			    r, "%s: %s has no effect: %s has no %s address: add one, or remove it",
			    RULE_WHERE(r, external_ip), addr_format_ip(external, text),
			    r->conf->relay_address.n ? "relay_address" : "listen",
			    addr_family(external) == AF_INET ? "IPv4" : "IPv6");
	}
}

static void check_tls(const struct rules *r)
{
	if (*r->conf->tls_cert && !*r->conf->tls_key)
		rule_tell(r, "%s: a certificate without a key: set tls_key, too",
		          RULE_WHERE(r, tls_cert));
	if (*r->conf->tls_key && !*r->conf->tls_cert)
		rule_tell(r, "%s: a key without a certificate: set tls_cert, too",
		          RULE_WHERE(r, tls_key));
}

static void check_user(const struct rules *r)
{
	if (*r->conf->run_as_group && !*r->conf->run_as)
		rule_tell(r, "%s: a group without a user: set run_as, too",
		          RULE_WHERE(r, run_as_group));
}

static void check_oauth(const struct rules *r)
{
	const struct conf *conf = r->conf;

	if (conf->oauth_key.n && !*conf->oauth_server)
		rule_tell(r, "%s: keys without a name: set oauth_server, too",
		          RULE_WHERE(r, oauth_key));
	if (*conf->oauth_server && !conf->oauth_key.n)
		rule_tell(r, "%s: a name without keys: set oauth_key, too",
		          RULE_WHERE(r, oauth_server));
}

static void check_alternates(const struct rules *r)
{
	const struct conf_addrs *a = &r->conf->alternate_server;
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < a->n; i++)
		if (addr_is_any(&a->v[i]) || !addr_port(&a->v[i]))
			rule_tell(r, "%s: clients cannot reach %s: give a full address and port",
			          RULE_WHERE(r, alternate_server), addr_format(&a->v[i], text));
}

static void check_redirect(const struct rules *r)
{
	const struct conf *conf = r->conf;
	char text[ADDR_STRLEN];

	if (!conf->alternate_server.n && *conf->alternate_domain)
		rule_tell(r, "%s: a name without servers: set alternate_server, too",
		          RULE_WHERE(r, alternate_domain));
	for (size_t i = 0; conf->redirect && i < conf->alternate_server.n; i++)
		for (size_t j = 0; j < conf->listen.n; j++)
			if (addr_equal(&conf->alternate_server.v[i], &conf->listen.v[j]))
				rule_tell(r,
				          "%s: %s is this server itself (%s), so clients would be "
				          "redirected for ever: remove it, or set redirect = no",
				          RULE_WHERE(r, alternate_server),
				          addr_format(&conf->listen.v[j], text),
				          RULE_WHERE(r, listen));
}

static void check_realms(const struct rules *r)
{
	const struct conf_texts *realm = &r->conf->realm;

	for (size_t i = 0; i < realm->n; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(realm->v[i], realm->v[j]))
				rule_tell(r, "%s: %.64s is listed twice: remove one",
				          RULE_WHERE(r, realm), realm->v[i]);
}

static void check_times(const struct rules *r)
{
	const struct conf *conf = r->conf;

	if (conf->default_lifetime > conf->max_lifetime)
		rule_tell(r,
		          "%s: default_lifetime %" PRId64 " is above max_lifetime %" PRId64
		          " (%s): lower it, or raise the maximum",
		          RULE_WHERE(r, default_lifetime), conf->default_lifetime,
		          conf->max_lifetime, RULE_WHERE(r, max_lifetime));
	if (conf->credential_ttl > conf->max_credential_ttl)
		rule_tell(r,
		          "%s: credential_ttl %" PRId64 " is above max_credential_ttl %" PRId64
		          " (%s): lower it, or raise the maximum",
		          RULE_WHERE(r, credential_ttl), conf->credential_ttl,
		          conf->max_credential_ttl, RULE_WHERE(r, max_credential_ttl));
}

/* How many relay addresses the configuration names; 0: that depends on the host. */
static size_t relay_addresses(const struct conf *conf)
{
	const struct conf_addrs *listen = &conf->listen;
	size_t n = 0;

	if (conf->relay_address.n)
		return conf->relay_address.n;
	for (size_t i = 0; i < listen->n; i++) {
		bool seen = false;

		if (addr_is_any(&listen->v[i]))
			return 0;
		for (size_t j = 0; j < i; j++)
			seen |= addr_equal_ip(&listen->v[i], &listen->v[j]);
		n += !seen;
	}
	return n;
}

static void check_quotas(const struct rules *r)
{
	const struct conf *conf = r->conf;
	int64_t ports =
	    (int64_t)relay_addresses(conf) * (conf->relay_ports.max - conf->relay_ports.min + 1);

	if (ports && conf->total_quota > ports)
		rule_tell(r,
		          "%s: total_quota %" PRId64 " cannot be reached with the %" PRId64
		          " ports of relay_ports (%s): lower it, or widen the range",
		          RULE_WHERE(r, total_quota), conf->total_quota, ports,
		          RULE_WHERE(r, relay_ports));
	if (conf->total_quota && conf->realm_quota > conf->total_quota)
		rule_tell(r,
		          "%s: realm_quota %" PRId64 " is above total_quota %" PRId64
		          " (%s): lower it, or raise the total",
		          RULE_WHERE(r, realm_quota), conf->realm_quota, conf->total_quota,
		          RULE_WHERE(r, total_quota));
	if (RULE_CHOSEN(r, user_quota) && conf->total_quota && conf->user_quota > conf->total_quota)
		rule_tell(r,
		          "%s: user_quota %" PRId64 " is above total_quota %" PRId64
		          " (%s): lower it, or raise the total",
		          RULE_WHERE(r, user_quota), conf->user_quota, conf->total_quota,
		          RULE_WHERE(r, total_quota));
	if (conf->max_tcp_connections && RULE_CHOSEN(r, connections_per_address) &&
	    conf->connections_per_address > conf->max_tcp_connections)
		rule_tell(r,
		          "%s: connections_per_address %" PRId64
		          " is above max_tcp_connections %" PRId64 " (%s): lower it",
		          RULE_WHERE(r, connections_per_address), conf->connections_per_address,
		          conf->max_tcp_connections, RULE_WHERE(r, max_tcp_connections));
}

/* The rate of the narrower must fit into that of the wider. */
static void check_bandwidth(const struct rules *r)
{
	const struct conf *conf = r->conf;

	if (RULE_CHOSEN(r, session_bandwidth) && conf->user_bandwidth &&
	    conf->session_bandwidth > conf->user_bandwidth)
		rule_tell(r,
		          "%s: session_bandwidth %" PRId64 " is above user_bandwidth %" PRId64
		          " (%s): lower it, or raise the user's",
		          RULE_WHERE(r, session_bandwidth), conf->session_bandwidth,
		          conf->user_bandwidth, RULE_WHERE(r, user_bandwidth));
	if (RULE_CHOSEN(r, user_bandwidth) && conf->total_bandwidth &&
	    conf->user_bandwidth > conf->total_bandwidth)
		rule_tell(r,
		          "%s: user_bandwidth %" PRId64 " is above total_bandwidth %" PRId64
		          " (%s): lower it, or raise the total",
		          RULE_WHERE(r, user_bandwidth), conf->user_bandwidth,
		          conf->total_bandwidth, RULE_WHERE(r, total_bandwidth));
}

/* RFC 8489 section 9.2.4: the server must find the user by the hash of the name, and a user has as
 * many time-limited names as there are seconds. */
static void check_anonymity(const struct rules *r)
{
	const struct conf *conf = r->conf;

	if (!conf->username_anonymity)
		return;
	if (*conf->shared_secret)
		rule_tell(r,
		          "%s: hashed user names and time-limited credentials (%s) cannot be used "
		          "together: remove one",
		          RULE_WHERE(r, username_anonymity), RULE_WHERE(r, shared_secret));
	if (conf->guests == GUESTS_YES || conf->guests == GUESTS_PUBLIC)
		rule_tell(r,
		          "%s: guests get time-limited credentials (%s), which do not work with "
		          "hashed user names: set guests = no, or username_anonymity = no",
		          RULE_WHERE(r, username_anonymity), RULE_WHERE(r, guests));
}

/* Without a signature anybody could tell the receiver anything. */
static void check_webhooks(const struct rules *r)
{
	const struct conf_texts *url = &r->conf->webhook_url;

	if (url->n && !r->conf->webhook_secret.n)
		rule_tell(r, "%s: nothing would sign the events: set webhook_secret, too",
		          RULE_WHERE(r, webhook_url));
	if (*r->conf->join_url && !r->conf->webhook_secret.n)
		rule_tell(r, "%s: nothing would sign the questions: set webhook_secret, too",
		          RULE_WHERE(r, join_url));
	for (size_t i = 0; i < url->n; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(url->v[i], url->v[j]))
				rule_tell(r, "%s: %.200s is listed twice: remove one",
				          RULE_WHERE(r, webhook_url), url->v[i]);
}

/* If calls end with their credential, credentials must last for a call. */
static void check_strict(const struct rules *r)
{
	const struct conf *conf = r->conf;

	if (conf->strict_expiry && conf->credential_ttl < conf->default_lifetime)
		rule_tell(r,
		          "%s: credential_ttl %" PRId64 " (%s) is below default_lifetime %" PRId64
		          ": every call would end before its first refresh: raise the ttl",
		          RULE_WHERE(r, strict_expiry), conf->credential_ttl,
		          RULE_WHERE(r, credential_ttl), conf->default_lifetime);
}

void conf_rules(const struct conf *conf, const struct conf_source *sources,
                void (*problem)(void *ctx, const char *text), void *ctx)
{
	const struct rules r = {conf, sources, problem, ctx};

	check_listen(&r);
	check_own(&r, &conf->relay_address, RULE_WHERE(&r, relay_address));
	check_relay_ports(&r);
	check_peers(&r);
	check_external(&r);
	check_external_use(&r);
	check_tls(&r);
	check_times(&r);
	check_user(&r);
	check_oauth(&r);
	check_alternates(&r);
	check_realms(&r);
	check_redirect(&r);
	check_quotas(&r);
	check_bandwidth(&r);
	check_anonymity(&r);
	check_strict(&r);
	check_webhooks(&r);
	conf_unsafe(&r);
}
