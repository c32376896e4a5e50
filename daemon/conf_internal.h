/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of the configuration share: rows, values and sources.
 */
#ifndef DAEMON_CONF_INTERNAL_H
#define DAEMON_CONF_INTERNAL_H

#include "daemon/conf.h"

#define CONF_NAME_MAX  64
#define CONF_WHERE_MAX 256

struct conf_option {
	const char *name;
	enum conf_type type;
	size_t offset; /* of the member in struct conf */
	const char *def;
	int64_t min, max;
	const char *unit;
	bool reload, secret;
	const char *metavar, *help;
};

extern const struct conf_option conf_options[];
extern const size_t conf_option_n;

/* NULL if there is none. */
const struct conf_option *conf_option_find(const char *name);

/* The option that somebody who wrote name may have meant; NULL if none is near. */
const struct conf_option *conf_option_near(const char *name);

bool conf_type_is_list(enum conf_type type);

/* "relay_ports" -> "--relay-ports" and "TURNPIKE_RELAY_PORTS". */
const char *conf_flag_name(const struct conf_option *o, char buf[CONF_NAME_MAX]);
const char *conf_env_name(const struct conf_option *o, char buf[CONF_NAME_MAX]);

/* ---- conf_value.c: texts to values ---- */

/* Sets the member from text; a list is appended to, a single value replaced. why gets what is
 * wrong and the fix, without the place. -E_PARSE, -E_NOMEM. */
int conf_value_set(struct conf *conf, const struct conf_option *o, const char *text,
                   struct why *why);

/* Empties the member. */
void conf_value_clear(struct conf *conf, const struct conf_option *o);

/* ---- conf_rules.c: what contradicts what ---- */

enum conf_source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENV, SOURCE_ARGS };

/* Where each option's value came from, by index into conf_options. */
struct conf_origin {
	enum conf_source source;
	char where[CONF_WHERE_MAX]; /* "turnpike.conf:12", "TURNPIKE_LISTEN", "--listen" */
};

/* Tells each contradiction. */
void conf_rules(const struct conf *conf, const struct conf_origin *origins,
                void (*problem)(void *ctx, const char *text), void *ctx);

#endif
