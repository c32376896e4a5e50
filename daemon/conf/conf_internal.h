/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of the configuration share: rows, values and sources.
 */
#ifndef DAEMON_CONF_INTERNAL_H
#define DAEMON_CONF_INTERNAL_H

#include "daemon/conf/conf.h"
#include "daemon/conf/conf_type.h"

#define CONF_NAME_MAX 64

struct conf_option {
	const char *name;
	const struct conf_type *type;
	size_t offset, size; /* of the member in struct conf */
	const char *def;
	int64_t min, max;
	const char *unit;
	bool reload, secret;
	const char *metavar; /* empty: the flag alone means yes */
	const char *help;
};

extern const struct conf_option conf_options[];
extern const size_t conf_option_n;

/* Indices into conf_options. */
enum conf_option_index {
#define CONF(name, ...) OPTION_##name,
#include "daemon/conf/options.def"
#undef CONF
	OPTION_COUNT
};

/* The table as people read it: the head of a group, or one of its options. */
struct conf_row {
	const char *title, *intro; /* of a group; else NULL */
	const struct conf_option *option;
};

extern const struct conf_row conf_rows[];
extern const size_t conf_row_n;

/* NULL if there is none. */
const struct conf_option *conf_option_find(const char *name);

/* The option that somebody who wrote name may have meant; NULL if none is near. */
const struct conf_option *conf_option_near(const char *name);

/* "relay_ports" -> "--relay-ports" and "TURNPIKE_RELAY_PORTS". */
const char *conf_flag_name(const struct conf_option *o, char buf[CONF_NAME_MAX]);
const char *conf_env_name(const struct conf_option *o, char buf[CONF_NAME_MAX]);

/* ---- conf_value.c: texts to values, and back ---- */

/* Sets the member from text; a list is appended to, a single value replaced. why gets what is
 * wrong and the fix, without the place. -E_PARSE, -E_NOMEM. */
int conf_value_set(struct conf *conf, const struct conf_option *o, const char *text,
                   struct why *why);

/* Empties the member. */
void conf_value_clear(struct conf *conf, const struct conf_option *o);

/* What conf_value_set() would take for the same value; for free(). NULL when out of memory. */
char *conf_value_text(const struct conf *conf, const struct conf_option *o);

/* ---- conf_rules.c, conf_unsafe.c: what contradicts what, and what is dangerous ---- */

/* Whether somebody outside of this network may be able to reach the server. */
bool conf_is_public(const struct conf *conf);

/* Which range that leads to this host itself or to a cloud's metadata service overlaps with it;
 * NULL: none. relay_allow_unsafe has to repeat those. */
const char *conf_danger_of(const struct prefix *range);

/* Tells each contradiction. */
void conf_rules(const struct conf *conf, const struct conf_source *sources,
                void (*problem)(void *ctx, const char *text), void *ctx);

/* ---- conf_print.c, for conf_docs.c ---- */

/* Breaks text into lines of at most width columns, each begun with prefix. */
void conf_print_wrapped(FILE *out, const char *prefix, const char *text, int width);

/* With what roff takes for its own escaped. */
void conf_print_roff(FILE *out, const char *text);

#endif
