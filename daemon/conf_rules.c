/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Settings that are each well formed and contradict each other.
 */
#include "daemon/conf_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define REALM_FIRST_MAX 32

struct rules {
	const struct conf *conf;
	const struct conf_origin *origins;
	void (*problem)(void *ctx, const char *text);
	void *ctx;
};

static const struct conf_origin *origin(const struct rules *r, const char *name)
{
	return &r->origins[conf_option_find(name) - conf_options];
}

static const char *where(const struct rules *r, const char *name)
{
	return origin(r, name)->where;
}

__attribute__((format(printf, 2, 3))) static void tell(const struct rules *r, const char *fmt, ...)
{
	struct why why;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why.text, sizeof(why.text), fmt, ap);
	va_end(ap);
	r->problem(r->ctx, why.text);
}

static void check_listen(const struct rules *r)
{
	const struct conf_addrs *listen = &r->conf->listen;
	char text[ADDR_STRLEN];

	if (!listen->n)
		tell(r, "%s: no address to listen on: name at least one ADDR:PORT",
		     where(r, "listen"));
	for (size_t i = 0; i < listen->n; i++)
		for (size_t j = 0; j < i; j++)
			if (addr_port(&listen->v[i]) && addr_equal(&listen->v[i], &listen->v[j]))
				tell(r, "%s: %s is listed twice: remove one", where(r, "listen"),
				     addr_format(&listen->v[i], text));
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

/* The default range gives way to the listeners; one that somebody chose is taken at his word. */
static void check_relay_ports(const struct rules *r)
{
	const struct conf *conf = r->conf;
	char text[ADDR_STRLEN];

	if (origin(r, "relay_ports")->source == SOURCE_DEFAULT)
		return;
	for (size_t i = 0; i < conf->listen.n; i++) {
		uint16_t port = addr_port(&conf->listen.v[i]);

		if (port >= conf->relay_ports.min && port <= conf->relay_ports.max &&
		    relays_on(conf, &conf->listen.v[i]))
			tell(r,
			     "%s: %u-%u contains the port of %s (%s): choose a range or a port "
			     "beside it",
			     where(r, "relay_ports"), conf->relay_ports.min, conf->relay_ports.max,
			     addr_format(&conf->listen.v[i], text), where(r, "listen"));
	}
}

static void check_peers(const struct rules *r)
{
	const struct conf_prefixes *allow = &r->conf->relay_allow, *deny = &r->conf->relay_deny;

	for (size_t i = 0; i < allow->n; i++)
		for (size_t j = 0; j < deny->n; j++)
			if (!memcmp(&allow->v[i], &deny->v[j], sizeof(struct prefix)))
				tell(r,
				     "%s and %s: value %zu and value %zu are the same range: "
				     "remove one",
				     where(r, "relay_allow"), where(r, "relay_deny"), i + 1, j + 1);
}

/* Where a mapping applies: one local address, or all of a family. */
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
				tell(r,
				     "%s: %s and %s stand for the same local address: write "
				     "LOCAL=IP for each, with different LOCAL",
				     where(r, "external_ip"), addr_format_ip(&m->v[j].external, a),
				     addr_format_ip(&m->v[i].external, b));
}

static void check_tls(const struct rules *r)
{
	if (*r->conf->tls_cert && !*r->conf->tls_key)
		tell(r, "%s: a certificate without a key: set tls_key, too", where(r, "tls_cert"));
	if (*r->conf->tls_key && !*r->conf->tls_cert)
		tell(r, "%s: a key without a certificate: set tls_cert, too", where(r, "tls_key"));
}

static void check_oauth(const struct rules *r)
{
	const struct conf *conf = r->conf;

	if (conf->oauth_key.n && !*conf->oauth_server)
		tell(r, "%s: keys without a name: set oauth_server, too", where(r, "oauth_key"));
	if (*conf->oauth_server && !conf->oauth_key.n)
		tell(r, "%s: a name without keys: set oauth_key, too", where(r, "oauth_server"));
}

static void check_alternates(const struct rules *r)
{
	const struct conf_addrs *a = &r->conf->alternate_server;
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < a->n; i++)
		if (addr_is_any(&a->v[i]) || !addr_port(&a->v[i]))
			tell(r, "%s: clients cannot reach %s: name the address and port",
			     where(r, "alternate_server"), addr_format(&a->v[i], text));
}

/* turn/challenge.c: over UDP, a reply to a stranger is at most three times the request. */
static void check_realms(const struct rules *r)
{
	const struct conf_texts *realm = &r->conf->realm;

	if (realm->n && strlen(realm->v[0]) > REALM_FIRST_MAX)
		tell(r,
		     "%s: %zu bytes are too long for the first realm: clients that ask tersely "
		     "could not be told it over UDP: use up to %d",
		     where(r, "realm"), strlen(realm->v[0]), REALM_FIRST_MAX);
	for (size_t i = 0; i < realm->n; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(realm->v[i], realm->v[j]))
				tell(r, "%s: %.64s is listed twice: remove one", where(r, "realm"),
				     realm->v[i]);
}

static void check_times(const struct rules *r)
{
	const struct conf *conf = r->conf;

	if (conf->default_lifetime > conf->max_lifetime)
		tell(r,
		     "%s: default_lifetime %" PRId64 " is above max_lifetime %" PRId64
		     " (%s): lower it, or raise the maximum",
		     where(r, "default_lifetime"), conf->default_lifetime, conf->max_lifetime,
		     where(r, "max_lifetime"));
	if (conf->credential_ttl > conf->max_credential_ttl)
		tell(r,
		     "%s: credential_ttl %" PRId64 " is above max_credential_ttl %" PRId64
		     " (%s): lower it, or raise the maximum",
		     where(r, "credential_ttl"), conf->credential_ttl, conf->max_credential_ttl,
		     where(r, "max_credential_ttl"));
}

void conf_rules(const struct conf *conf, const struct conf_origin *origins,
                void (*problem)(void *ctx, const char *text), void *ctx)
{
	const struct rules r = {conf, origins, problem, ctx};

	check_listen(&r);
	check_relay_ports(&r);
	check_peers(&r);
	check_external(&r);
	check_tls(&r);
	check_times(&r);
	check_oauth(&r);
	check_alternates(&r);
	check_realms(&r);
}
