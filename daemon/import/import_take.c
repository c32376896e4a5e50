/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Handles coturn's directives: the table, and the handlers for limits and the like.
 */
#include "daemon/import/import_take.h"

#include <inttypes.h>
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

	if (old && o->type->element) {
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
	if (!r && !import_fits_file(all))
		r = why_set(&why, -E_INVAL,
		            "Turnpike's file cannot have a quote together with a blank or '#': "
		            "choose another value");
	if (r) {
		explicit_bzero(all, strlen(all));
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

int import_int(const char *value)
{
	return (int)strtol(value, NULL, 10);
}

void import_take_int(struct import *im, enum conf_option_index at, const char *value, int64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, n);
	if (!import_put(im, at, text))
		return;
	if (strcmp(text, value) != 0)
		import_taken(im, "%s = %s, as coturn reads it", conf_options[at].name, text);
	else
		import_taken(im, "%s", conf_options[at].name);
}

/* ---- limits ---- */

/* Below 0, coturn compares with a number that no user reaches. */
void import_user_quota(struct import *im, const char *value)
{
	int n = import_int(value);

	import_take_int(im, OPTION_user_quota, value, n < 0 ? 0 : n);
}

/* coturn counts by realm; which realm the limit belongs to is only known at the end. */
void import_total_quota(struct import *im, const char *value)
{
	int n = import_int(value);

	if (n < 0) {
		import_left(im, "with a number below 0, coturn makes no allocations at all; here 0 "
		                "means no limit: set total_quota");
		return;
	}
	im->total_quota = n;
	import_taken(im, "total_quota = %d", n);
}

/* Both count bytes, in each direction by itself. */
static void bandwidth(struct import *im, enum conf_option_index at, const char *value)
{
	unsigned long n = strtoul(value, NULL, 10);

	/* Below 0, coturn takes it round to a number that no link has. */
	import_take_int(im, at, value, n > (unsigned long)conf_options[at].max ? 0 : (int64_t)n);
}

void import_max_bps(struct import *im, const char *value)
{
	bandwidth(im, OPTION_session_bandwidth, value);
}

void import_capacity(struct import *im, const char *value)
{
	bandwidth(im, OPTION_total_bandwidth, value);
}

void import_nonce(struct import *im, const char *value)
{
	int n = *value ? import_int(value) : 600;

	if (n)
		import_take_int(im, OPTION_nonce_lifetime, value, n);
	else if (import_put(im, OPTION_nonce_lifetime, "86400"))
		import_taken(im, "nonce_lifetime = 86400: no nonce is valid for ever");
}

void import_lifetime(struct import *im, const char *value)
{
	int n = *value ? import_int(value) : 3600;
	char text[32];

	snprintf(text, sizeof(text), "%d", n);
	if (n >= 30 && n < 600 && !import_put(im, OPTION_default_lifetime, text))
		return;
	import_take_int(im, OPTION_max_lifetime, value, n);
}

void import_timeout(struct import *im, const char *value)
{
	import_take_int(im, OPTION_first_message_timeout, value, import_int(value));
}

static void fixed(struct import *im, const char *value, int rfc)
{
	if (!*value || import_int(value) == rfc)
		import_same(im, "RFC 8656 requires it");
	else
		import_left(im, "RFC 8656 sets it to %d seconds", rfc);
}

void import_channel_lifetime(struct import *im, const char *value)
{
	fixed(im, value, 600);
}

void import_permission_lifetime(struct import *im, const char *value)
{
	fixed(im, value, 300);
}

static void take_flag(struct import *im, enum conf_option_index at, const char *text)
{
	if (import_put(im, at, text))
		import_taken(im, "%s = %s", conf_options[at].name, text);
}

void import_mobility(struct import *im, const char *value)
{
	(void)value;
	take_flag(im, OPTION_mobility, "yes");
}

void import_legacy_channels(struct import *im, const char *value)
{
	(void)value;
	take_flag(im, OPTION_legacy_channels, "yes");
}

/* ---- threads, logs ---- */

static int threads(const char *value)
{
	int n = import_int(value);

	return n <= 0 ? 1 : n > 128 ? 128 : n; /* as coturn bounds them */
}

void import_threads(struct import *im, const char *value)
{
	im->threads = true;
	import_take_int(im, OPTION_workers, value, threads(value));
}

void import_cpus(struct import *im, const char *value)
{
	if (im->threads)
		import_same(im, "relay-threads sets it");
	else if (import_int(value) < 1)
		import_left(im, "coturn ignores a value below 1");
	else
		import_take_int(im, OPTION_workers, value, threads(value));
}

void import_verbose(struct import *im, const char *value)
{
	(void)value;
	take_flag(im, OPTION_log_level, "debug");
}

void import_log_level(struct import *im, const char *value)
{
	if (!strcasecmp(value, "warning"))
		value = "warn";
	import_take(im, OPTION_log_level, value);
}

/* ---- the table ---- */

enum type { FLAG, ON, TEXT, SECRET };

static const struct directive {
	const char *group; /* of a head; else NULL */
	const char *name;
	enum type type;
	const char *since, *removed;
	bool left;
	import_take_fn *take;
	const char *text;
} directives[] = {
#define GROUP(title) {title, "", TEXT, "", "", false, NULL, ""},
#define SAME(name, type, since, removed, text)                                                     \
	{NULL, name, type, since, removed, false, NULL, text},
#define LEFT(name, type, since, removed, text) {NULL, name, type, since, removed, true, NULL, text},
#define TAKE(name, type, since, removed, kind, text)                                               \
	{NULL, name, type, since, removed, false, import_##kind, text},
#define NOTE(name, type, since, removed, kind, text)                                               \
	{NULL, name, type, since, removed, true, import_##kind, text},
#include "daemon/import/import_coturn.def"
};

static const struct directive *find(const char *name)
{
	for (size_t i = 0; *name && i < sizeof(directives) / sizeof(*directives); i++)
		if (!strcmp(directives[i].name, name))
			return &directives[i];
	return NULL;
}

/* An unknown line may hold a mistyped secret. */
bool import_is_secret(const char *name)
{
	const struct directive *d = find(name);

	return !d || d->type == SECRET;
}

/* coturn's get_bool_value(); -1 where it does not start. */
static int boolean(const char *value)
{
	static const char *const words[] = {"off", "OFF", "Off", "on", "ON", "On"};

	if (!*value)
		return 1;
	if (strchr("0nNfF", *value))
		return 0;
	if (strchr("yYtT123456789", *value))
		return 1;
	for (int i = 0; i < 6; i++)
		if (!strcmp(value, words[i]))
			return i > 2;
	return -1;
}

/* True for a flag that is on. */
static bool flag_is_on(struct import *im, const struct directive *d, const char *value)
{
	int on = boolean(value);

	if (d->type == ON) {
		if (on != 1 && *value != '#')
			im->note = "coturn treats it as on, whatever its value";
		return true;
	}
	if (on < 0 && *value == '#') { /* it is clear what is meant */
		im->note = "coturn does not start with a remark after it";
		return true;
	}
	if (on < 0)
		import_left(im, "coturn does not start with this value: write yes or no");
	else if (!on)
		import_same(im, "it is off");
	return on == 1;
}

bool import_directive(struct import *im, const char *name, const char *value)
{
	const struct directive *d = find(name);
	char removed[64] = "";

	if (!d)
		return false;
	if ((d->type == FLAG || d->type == ON) && !flag_is_on(im, d, value))
		return true;
	if (*d->removed)
		snprintf(removed, sizeof(removed), "removed in coturn %s", d->removed);
	if (*removed && !im->note)
		im->note = removed;
	if (d->take)
		d->take(im, value);
	else if (d->left)
		import_left(im, "%s", d->text);
	else
		import_same(im, "%s", d->text);
	im->note = NULL; /* what it points to ends here */
	return true;
}

static void print_cell(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
}

void import_print_directives(FILE *out)
{
	fputs("# Directives of coturn, one by one\n"
	      "\n"
	      "This page says what `turnpike import-coturn` does with each directive of a "
	      "turnserver.conf, for coturn 4.5 to 4.18.\n"
	      "[from-coturn.md](from-coturn.md) describes the move. *Taken*: the directive becomes "
	      "this option. *Not needed*: you need do nothing.\n"
	      "*Not taken*: Turnpike works differently; the text says what you can do.\n",
	      out);
	for (size_t i = 0; i < sizeof(directives) / sizeof(*directives); i++) {
		const struct directive *d = &directives[i];

		if (d->group) {
			fprintf(
			    out,
			    "\n## %s\n\n| directive | here | | in coturn |\n|---|---|---|---|\n",
			    d->group);
			continue;
		}
		fprintf(out, "| `%s` | %s | ", d->name,
		        d->left   ? "not taken"
		        : d->take ? "taken"
		                  : "not needed");
		print_cell(out, d->text);
		fprintf(out, " | %s%s%s%s%s |\n",
		        !*d->since                       ? ""
		        : !strncmp(d->since, "after", 5) ? "added "
		                                         : "since ",
		        d->since, *d->since && *d->removed ? ", " : "",
		        *d->removed ? "removed in " : "", d->removed);
	}
}

/* ---- the end ---- */

int import_finish(struct import *im, bool here, struct why *why)
{
	int r;

	im->note = NULL;
	im->place = "all lines";
	import_finish_listen(im);
	import_finish_alternates(im);
	import_finish_external(im);
	import_finish_ports(im);
	r = import_finish_peers(im, why);
	import_finish_realm(im);
	import_finish_cert(im, here);
	im->directive = "oauth";
	if (im->value[OPTION_oauth_key])
		import_put(im, OPTION_oauth_server, im->server_name ? im->server_name : im->realm);
	im->directive = "";
	return !r && im->failed ? why_set(why, -E_NOMEM, "out of memory") : r;
}
