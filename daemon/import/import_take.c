/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What each of coturn's directives becomes here.
 */
#include "daemon/import/import.h"

#include "daemon/oauth_key.h"
#include "store/name.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- collecting ---- */

static char *copy(struct import *im, const char *text)
{
	char *c = strdup(text);

	im->failed |= !c;
	return c;
}

static void add(struct import *im, struct import_texts *t, const char *text)
{
	char **v = reallocarray(t->v, t->n + 1, sizeof(*v));

	im->failed |= !v;
	if (!v)
		return;
	t->v = v;
	v[t->n] = copy(im, text);
	t->n += v[t->n] != NULL;
}

static bool has(const struct import_texts *t, const char *text)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->v[i], text))
			return true;
	return false;
}

/* Sets or, for a list, appends; what our parser does not take is left with its reason. */
static bool put(struct import *im, enum conf_option_index at, const char *text)
{
	const struct conf_option *o = &conf_options[at];
	struct why why = {{0}};
	struct conf scratch;
	char *old = im->value[at], *all = NULL;
	int r;

	if (old && conf_type_is_list(o->type)) {
		if (asprintf(&all, "%s,%s", old, text) < 0)
			all = NULL;
	} else {
		all = strdup(text);
	}
	if (!all) {
		im->failed = true;
		return false;
	}
	memset(&scratch, 0, sizeof(scratch));
	r = conf_value_set(&scratch, o, all, &why);
	conf_value_clear(&scratch, o);
	if (r) {
		free(all);
		import_left(im, "as %s: %s", o->name, why.text);
		return false;
	}
	free(old);
	im->value[at] = all;
	return true;
}

static void take(struct import *im, enum conf_option_index at, const char *text)
{
	if (put(im, at, text))
		import_taken(im, "%s", conf_options[at].name);
}

static bool is_number(const char *value)
{
	return *value && strlen(value) < 16 && !value[strspn(value, "0123456789")];
}

static void take_number(struct import *im, enum conf_option_index at, const char *value)
{
	if (!is_number(value))
		import_left(im, "the value is not a number");
	else
		take(im, at, value);
}

/* ---- addresses ---- */

static bool port(struct import *im, const char *value, unsigned *out)
{
	if (!is_number(value) || atoll(value) < 1 || atoll(value) > 65535) {
		import_left(im, "the value is not a port");
		return false;
	}
	*out = (unsigned)atoi(value);
	return true;
}

static void import_listening_ip(struct import *im, const char *value)
{
	struct addr a;

	if (addr_parse_ip(&a, value, 0)) {
		import_left(im, "the value is not an address: name it in listen");
		return;
	}
	add(im, &im->ips, value);
	import_taken(im, "listen");
}

static void import_listening_port(struct import *im, const char *value)
{
	if (port(im, value, &im->port))
		import_taken(im, "listen");
}

static void import_tls_port(struct import *im, const char *value)
{
	if (port(im, value, &im->tls_port))
		import_taken(im, "listen");
}

static void import_alt_port(struct import *im, const char *value)
{
	if (!strcmp(value, "0"))
		import_same(im, "it is the default");
	else if (im->alt_n < 2 && port(im, value, &im->alt_ports[im->alt_n])) {
		im->alt_n++;
		import_taken(im, "listen");
	}
}

static void import_aux_server(struct import *im, const char *value)
{
	struct addr a;

	if (addr_parse(&a, value)) {
		import_left(im, "the value is not an address and a port: name it in listen");
		return;
	}
	add(im, &im->aux, value);
	import_taken(im, "listen");
}

static void import_relay_ip(struct import *im, const char *value)
{
	take(im, OPTION_relay_address, value);
}

/* "public" or "public/private" -> "public" or "private=public" */
static void import_external_ip(struct import *im, const char *value)
{
	const char *slash = strchr(value, '/');
	char text[256];

	if (slash)
		snprintf(text, sizeof(text), "%s=%.*s", slash + 1, (int)(slash - value), value);
	else
		snprintf(text, sizeof(text), "%s", value);
	take(im, OPTION_external_ip, text);
}

static void import_threads(struct import *im, const char *value)
{
	take_number(im, OPTION_workers, strcmp(value, "0") ? value : "1");
}

static void import_min_port(struct import *im, const char *value)
{
	if (port(im, value, &im->min_port))
		import_taken(im, "relay_ports");
}

static void import_max_port(struct import *im, const char *value)
{
	if (port(im, value, &im->max_port))
		import_taken(im, "relay_ports");
}

static void import_no_tls(struct import *im, const char *value)
{
	(void)value;
	im->no_tls = true;
	import_left(im,
	            "every port speaks TLS to those who ask for it; close tls-listening-port in "
	            "the firewall (with no-dtls it is not listened on)");
}

static void import_no_dtls(struct import *im, const char *value)
{
	(void)value;
	im->no_dtls = true;
	if (put(im, OPTION_max_dtls_sessions, "0"))
		import_taken(im, "max_dtls_sessions = 0");
}

static void import_no_tcp_relay(struct import *im, const char *value)
{
	(void)value;
	if (put(im, OPTION_peer_connections, "0"))
		import_taken(im, "peer_connections = 0");
}

static void import_no_discovery(struct import *im, const char *value)
{
	(void)value;
	if (put(im, OPTION_nat_discovery, "no"))
		import_taken(im, "nat_discovery = no");
}

static void import_family(struct import *im, const char *value)
{
	if (!strcasecmp(value, "ipv4"))
		import_same(im, "a client that names no family gets IPv4");
	else
		import_left(im, "a client that names no family gets IPv4 (RFC 8656 section 7.2)");
}

/* ---- users ---- */

static int hex_key(const char *text, uint8_t md5[16])
{
	if (strlen(text) != 32 || text[strspn(text, "0123456789abcdefABCDEF")])
		return -E_PARSE;
	for (int i = 0; i < 16; i++) {
		unsigned v;

		if (sscanf(text + 2 * i, "%2x", &v) != 1)
			return -E_PARSE;
		md5[i] = (uint8_t)v;
	}
	return 0;
}

/* Who comes first stays: the file's before the database's, as with coturn. */
static bool find_user(const struct import *im, const char *realm, const char *name)
{
	const char *whole = im->realm ? im->realm : "";

	for (size_t i = 0; i < im->user_n; i++) {
		const struct import_user *u = &im->users[i];

		if (!strcmp(u->name, name) &&
		    !strcmp(u->realm ? u->realm : whole, realm && *realm ? realm : whole))
			return true;
	}
	return false;
}

/* Without a realm: that of the configuration, which may come later. key and password: one. */
static void add_user(struct import *im, const char *realm, const char *name, const char *password,
                     const char *key)
{
	struct import_user *users, u = {.realm = NULL};
	struct why why = {{0}};

	if (key && hex_key(key, u.md5)) {
		import_left(im,
		            "the key is no MD5 one: give the user a password (turnpike user add)");
		return;
	}
	if ((password ? text_check(password, 1, PASSWORD_MAX_LEN, "the password", &why) : 0) ||
	    name_check(name, &why)) {
		import_left(im, "%s", why.text);
		return;
	}
	if (im->auth_secret) {
		import_left(im,
		            "with use-auth-secret coturn heeds no user with a password: if he is "
		            "meant, turnpike user add");
		return;
	}
	if (!im->keeps_users) {
		import_left(im, "users live in a database: name a folder for it with --write, or "
		                "use turnpike user add");
		return;
	}
	if (find_user(im, realm, name)) {
		import_left(im, "there is one of that name before it, which stays");
		return;
	}
	if (im->user_n == IMPORT_USERS) {
		import_left(im, "more than %d users", IMPORT_USERS);
		return;
	}
	users = reallocarray(im->users, im->user_n + 1, sizeof(*users));
	if (users)
		im->users = users;
	u.realm = realm && *realm ? copy(im, realm) : NULL;
	u.name = copy(im, name);
	u.password = password ? copy(im, password) : NULL;
	im->failed |= !users;
	if (im->failed) {
		free(u.realm);
		free(u.name);
		free(u.password);
		return;
	}
	im->users[im->user_n++] = u;
	if (realm && *realm)
		import_realm_name(im, realm);
	import_taken(im, key ? "a user with his MD5 key; as with coturn his clients use SHA-1 "
	                       "integrity, not SHA-256: a new password changes that"
	                     : "a user");
}

static void import_user(struct import *im, const char *value)
{
	const char *colon = strchr(value, ':'), *password;
	char name[512];

	if (!colon || (size_t)(colon - value) >= sizeof(name)) {
		import_left(im, "the value is not NAME:PASSWORD");
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(colon - value), value);
	password = colon + 1 + strspn(colon + 1, " \t");
	if (!strncmp(password, "0x", 2))
		add_user(im, NULL, name, NULL, password + 2);
	else
		add_user(im, NULL, name, password, NULL);
}

void import_user_key(struct import *im, const char *realm, const char *name, const char *key)
{
	add_user(im, realm, name, NULL, key);
}

static void import_realm(struct import *im, const char *value)
{
	struct why why = {{0}};

	if (realm_check(value, &why)) {
		import_left(im, "%s", why.text);
		return;
	}
	free(im->realm);
	im->realm = copy(im, value);
	import_taken(im, "realm");
}

/* Another realm, of a user in the database. */
void import_realm_name(struct import *im, const char *realm)
{
	const char *all = im->value[OPTION_realm];
	size_t len = strlen(realm);

	if (im->realm && !strcmp(im->realm, realm))
		return;
	for (const char *at = all; at && *at; at += strspn(at, ",")) {
		size_t n = strcspn(at, ",");

		if (n == len && !strncmp(at, realm, n))
			return;
		at += n;
	}
	put(im, OPTION_realm, realm);
}

void import_secret_value(struct import *im, const char *value)
{
	const char *first = im->value[OPTION_shared_secret];
	struct why why = {{0}};

	if (text_check(value, 1, SECRET_MAX_LEN, "the secret", &why)) {
		import_left(im, "%s", why.text);
	} else if (!first) {
		take(im, OPTION_shared_secret, value);
	} else if (!strcmp(first, value) || has(&im->secrets, value)) {
		import_same(im, "it was there before");
	} else if (!im->keeps_users) {
		import_left(im, "further secrets live in the database: name a folder for it with "
		                "--write, or use turnpike secret add --value-stdin");
	} else {
		add(im, &im->secrets, value);
		import_taken(im, "a secret of the database");
	}
}

static void import_secret(struct import *im, const char *value)
{
	import_secret_value(im, value);
}

static void import_separator(struct import *im, const char *value)
{
	if (!strcmp(value, ":") || !strcmp(value, "58"))
		import_same(im, "the separator is ':'");
	else
		import_left(im, "the separator is ':': change the issuer of the credentials");
}

static void import_userdb(struct import *im, const char *value)
{
	free(im->userdb);
	im->userdb = copy(im, value);
	import_taken(im, "read, unless --userdb names another");
}

static void import_oauth(struct import *im, const char *value)
{
	(void)value;
	im->oauth = true;
	import_taken(im, "with the keys of the database");
}

static void import_server_name(struct import *im, const char *value)
{
	free(im->server_name);
	im->server_name = copy(im, value);
	import_taken(im, "oauth_server, if there are keys");
}

void import_oauth_key(struct import *im, const char *kid, const char *key)
{
	struct why why = {{0}};
	char text[512];

	if ((size_t)snprintf(text, sizeof(text), "%s:%s", kid, key) >= sizeof(text) ||
	    oauth_key_parse(text, NULL, &why))
		import_left(im, "%s", *why.text ? why.text : "the key is too long");
	else
		take(im, OPTION_oauth_key, text);
	explicit_bzero(text, sizeof(text));
}

/* ---- limits ---- */

static void import_user_quota(struct import *im, const char *value)
{
	take_number(im, OPTION_user_quota, value);
}

static void import_total_quota(struct import *im, const char *value)
{
	take_number(im, OPTION_total_quota, value);
}

/* Both count bytes, in each direction by itself. */
static void import_max_bps(struct import *im, const char *value)
{
	take_number(im, OPTION_session_bandwidth, value);
}

static void import_capacity(struct import *im, const char *value)
{
	take_number(im, OPTION_total_bandwidth, value);
}

static void import_nonce(struct import *im, const char *value)
{
	if (!strcmp(value, "0")) {
		if (put(im, OPTION_nonce_lifetime, "86400"))
			import_taken(im, "nonce_lifetime = 86400: none lives for ever");
	} else {
		take_number(im, OPTION_nonce_lifetime, *value ? value : "600");
	}
}

static void import_lifetime(struct import *im, const char *value)
{
	if (is_number(value) && atoll(value) >= 30 && atoll(value) < 600 &&
	    !put(im, OPTION_default_lifetime, value))
		return;
	take_number(im, OPTION_max_lifetime, value);
}

static void import_timeout(struct import *im, const char *value)
{
	take_number(im, OPTION_first_message_timeout, value);
}

static void fixed(struct import *im, const char *value, const char *rfc)
{
	if (!strcmp(value, rfc))
		import_same(im, "RFC 8656 says so");
	else
		import_left(im, "RFC 8656 sets it to %s seconds", rfc);
}

static void import_channel_lifetime(struct import *im, const char *value)
{
	fixed(im, value, "600");
}

static void import_permission_lifetime(struct import *im, const char *value)
{
	fixed(im, value, "300");
}

static void import_mobility(struct import *im, const char *value)
{
	(void)value;
	take(im, OPTION_mobility, "yes");
}

/* ---- peers, TLS, the rest ---- */

void import_range(struct import *im, bool allow, const char *range)
{
	if (import_range_check(range)) {
		import_left(im, "the value is not a range of addresses");
		return;
	}
	add(im, allow ? &im->allowed : &im->denied, range);
	import_taken(im, allow ? "relay_allow" : "relay_deny");
}

static void import_allowed(struct import *im, const char *value)
{
	import_range(im, true, value);
}

static void import_denied(struct import *im, const char *value)
{
	import_range(im, false, value);
}

static void import_cert(struct import *im, const char *value)
{
	take(im, OPTION_tls_cert, value);
}

static void import_pkey(struct import *im, const char *value)
{
	take(im, OPTION_tls_key, value);
}

/* coturn lets the port away. */
static void import_alternate(struct import *im, const char *value)
{
	struct addr a;
	char text[ADDR_STRLEN];

	if (addr_parse_ip(&a, value, 3478) && addr_parse(&a, value))
		import_left(im, "only addresses, not names: write ADDRESS:PORT into "
		                "alternate_server");
	else
		take(im, OPTION_alternate_server, addr_format(&a, text));
}

static void import_verbose(struct import *im, const char *value)
{
	(void)value;
	take(im, OPTION_log_level, "debug");
}

/* ---- the table ---- */

static const struct directive {
	const char *name;
	bool flag, secret, left;
	void (*take)(struct import *im, const char *value);
	const char *text;
} directives[] = {
#define SAME(n, t)           {n, false, false, false, NULL, t},
#define SAME_FLAG(n, t)      {n, true, false, false, NULL, t},
#define SAME_SECRET(n, t)    {n, false, true, false, NULL, t},
#define LEFT(n, t)           {n, false, false, true, NULL, t},
#define LEFT_FLAG(n, t)      {n, true, false, true, NULL, t},
#define LEFT_SECRET(n, t)    {n, false, true, true, NULL, t},
#define TAKE(n, f, t)        {n, false, false, false, import_##f, t},
#define TAKE_FLAG(n, f, t)   {n, true, false, false, import_##f, t},
#define TAKE_SECRET(n, f, t) {n, false, true, false, import_##f, t},
#include "daemon/import/import_coturn.def"
};

static const struct directive *find(const char *name)
{
	for (size_t i = 0; i < sizeof(directives) / sizeof(*directives); i++)
		if (!strcmp(directives[i].name, name))
			return &directives[i];
	return NULL;
}

/* A line that nobody understands may hold a mistyped secret. */
bool import_is_secret(const char *name)
{
	const struct directive *d = find(name);

	return !d || d->secret;
}

bool import_is_off(const char *value)
{
	return *value && strchr("0nNfF", *value) && strcasecmp(value, "none") != 0;
}

bool import_directive(struct import *im, const char *name, const char *value)
{
	const struct directive *d = find(name);

	if (!d)
		return false;
	if (d->flag && import_is_off(value))
		import_same(im, "it is switched off");
	else if (d->take)
		d->take(im, value);
	else if (d->left)
		import_left(im, "%s", d->text);
	else
		import_same(im, "%s", d->text);
	return true;
}

/* ---- the end ---- */

static void listen_on(struct import *im, const char *ip, unsigned number)
{
	char text[128];

	snprintf(text, sizeof(text), strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, number);
	put(im, OPTION_listen, text);
}

static void finish_listen(struct import *im)
{
	bool tls = !(im->no_tls && im->no_dtls) && im->tls_port != im->port;
	size_t n = im->ips.n;

	if (!n) {
		add(im, &im->ips, "0.0.0.0");
		add(im, &im->ips, "::");
	}
	for (size_t i = 0; i < im->ips.n; i++) {
		listen_on(im, im->ips.v[i], im->port);
		if (tls)
			listen_on(im, im->ips.v[i], im->tls_port);
		for (size_t k = 0; n > 1 && k < im->alt_n; k++) /* RFC 5780 wants two addresses */
			listen_on(im, im->ips.v[i], im->alt_ports[k]);
	}
	for (size_t i = 0; i < im->aux.n; i++)
		put(im, OPTION_listen, im->aux.v[i]);
}

static void finish_peers(struct import *im)
{
	const struct import_texts none = {.n = 0};
	size_t n;
	char *text;

	if (im->allowed.n && (text = import_subtract(&im->allowed, &none, &n))) {
		im->directive = "allowed-peer-ip";
		put(im, OPTION_relay_allow, text);
		free(text);
	}
	if (im->denied.n && (text = import_subtract(&im->denied, &im->allowed, &n))) {
		im->directive = "denied-peer-ip";
		if (n)
			put(im, OPTION_relay_deny, text);
		free(text);
	}
}

static void finish_realm(struct import *im)
{
	char *others = im->value[OPTION_realm];

	im->value[OPTION_realm] = NULL;
	if (!im->realm && !others)
		im->realm = copy(im, "turnpike"); /* coturn's own would be the host's name */
	im->directive = "realm";
	if (im->realm)
		put(im, OPTION_realm, im->realm);
	if (others && (!im->realm || strcmp(others, im->realm) != 0))
		put(im, OPTION_realm, others);
	free(others);
}

void import_finish(struct import *im)
{
	char ports[32];

	im->place = "the whole";
	im->directive = "listen";
	finish_listen(im);
	finish_peers(im);
	finish_realm(im);
	im->directive = "relay_ports";
	snprintf(ports, sizeof(ports), "%u-%u", im->min_port, im->max_port);
	put(im, OPTION_relay_ports, ports);
	im->directive = "oauth";
	if (im->value[OPTION_oauth_key])
		put(im, OPTION_oauth_server, im->server_name ? im->server_name : im->realm);
}
