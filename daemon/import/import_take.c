/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What each of coturn's directives becomes here: the table, and those of its
 * takers that are about limits and the like.
 */
#include "daemon/import/import_take.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- collecting ---- */

char *import_copy(struct import *im, const char *text)
{
	char *c = strdup(text);

	im->failed |= !c;
	return c;
}

void import_add(struct import *im, struct import_texts *t, const char *text)
{
	char **v = reallocarray(t->v, t->n + 1, sizeof(*v));

	im->failed |= !v;
	if (!v)
		return;
	t->v = v;
	v[t->n] = import_copy(im, text);
	t->n += v[t->n] != NULL;
}

bool import_has(const struct import_texts *t, const char *text)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->v[i], text))
			return true;
	return false;
}

bool import_put(struct import *im, enum conf_option_index at, const char *text)
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

void import_take(struct import *im, enum conf_option_index at, const char *text)
{
	if (import_put(im, at, text))
		import_taken(im, "%s", conf_options[at].name);
}

bool import_is_number(const char *value)
{
	return *value && strlen(value) < 16 && !value[strspn(value, "0123456789")];
}

void import_take_number(struct import *im, enum conf_option_index at, const char *value)
{
	if (!import_is_number(value))
		import_left(im, "the value is not a number");
	else
		import_take(im, at, value);
}

/* ---- limits ---- */

void import_user_quota(struct import *im, const char *value)
{
	import_take_number(im, OPTION_user_quota, value);
}

void import_total_quota(struct import *im, const char *value)
{
	import_take_number(im, OPTION_total_quota, value);
}

/* Both count bytes, in each direction by itself. */
void import_max_bps(struct import *im, const char *value)
{
	import_take_number(im, OPTION_session_bandwidth, value);
}

void import_capacity(struct import *im, const char *value)
{
	import_take_number(im, OPTION_total_bandwidth, value);
}

void import_nonce(struct import *im, const char *value)
{
	if (!strcmp(value, "0")) {
		if (import_put(im, OPTION_nonce_lifetime, "86400"))
			import_taken(im, "nonce_lifetime = 86400: none lives for ever");
	} else {
		import_take_number(im, OPTION_nonce_lifetime, *value ? value : "600");
	}
}

void import_lifetime(struct import *im, const char *value)
{
	if (import_is_number(value) && atoll(value) >= 30 && atoll(value) < 600 &&
	    !import_put(im, OPTION_default_lifetime, value))
		return;
	import_take_number(im, OPTION_max_lifetime, value);
}

void import_timeout(struct import *im, const char *value)
{
	import_take_number(im, OPTION_first_message_timeout, value);
}

static void fixed(struct import *im, const char *value, const char *rfc)
{
	if (!strcmp(value, rfc))
		import_same(im, "RFC 8656 says so");
	else
		import_left(im, "RFC 8656 sets it to %s seconds", rfc);
}

void import_channel_lifetime(struct import *im, const char *value)
{
	fixed(im, value, "600");
}

void import_permission_lifetime(struct import *im, const char *value)
{
	fixed(im, value, "300");
}

void import_mobility(struct import *im, const char *value)
{
	(void)value;
	import_take(im, OPTION_mobility, "yes");
}

/* ---- TLS, the rest ---- */

void import_cert(struct import *im, const char *value)
{
	import_take(im, OPTION_tls_cert, value);
}

void import_pkey(struct import *im, const char *value)
{
	import_take(im, OPTION_tls_key, value);
}

void import_verbose(struct import *im, const char *value)
{
	(void)value;
	import_take(im, OPTION_log_level, "debug");
}

/* ---- the table ---- */

static const struct directive {
	const char *name;
	bool flag, secret, left;
	import_take_fn *take;
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

void import_finish(struct import *im)
{
	char ports[32];

	im->place = "the whole";
	im->directive = "listen";
	import_finish_listen(im);
	import_finish_peers(im);
	import_finish_realm(im);
	im->directive = "relay_ports";
	snprintf(ports, sizeof(ports), "%u-%u", im->min_port, im->max_port);
	import_put(im, OPTION_relay_ports, ports);
	im->directive = "oauth";
	if (im->value[OPTION_oauth_key])
		import_put(im, OPTION_oauth_server, im->server_name ? im->server_name : im->realm);
}
