/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the files of the configuration: rows, values and sources.
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

/* The option whose name is nearest to a mistyped one; NULL if none is near. */
const struct conf_option *conf_option_near(const char *name);

/* "relay_ports" -> "--relay-ports" and "TURNPIKE_RELAY_PORTS". */
const char *conf_flag_name(const struct conf_option *o, char buf[CONF_NAME_MAX]);
const char *conf_env_name(const struct conf_option *o, char buf[CONF_NAME_MAX]);

/* ---- conf_value.c: texts to values, and back ---- */

/* Sets the member from text; a list grows, a single value is replaced. why gets the problem and the
 * fix, without the place. -E_PARSE, -E_NOMEM. */
int conf_value_set(struct conf *conf, const struct conf_option *o, const char *text,
                   struct why *why);

/* Empties the member. */
void conf_value_clear(struct conf *conf, const struct conf_option *o);

/* A text from which conf_value_set() makes the same value; for free(). NULL when out of memory. */
char *conf_value_text(const struct conf *conf, const struct conf_option *o);

/* ---- conf_rules.c, conf_unsafe.c: what contradicts what, and what is dangerous ---- */

/* True when clients outside of this network may be able to reach the server. */
bool conf_is_public(const struct conf *conf);

/* The range that overlaps with this one and leads to this host itself or to a cloud's metadata
 * service; NULL: none. relay_allow_unsafe must repeat those. */
const char *conf_danger_of(const struct prefix *range);

/* Reports each contradiction. */
void conf_rules(const struct conf *conf, const struct conf_source *sources,
                void (*problem)(void *ctx, const char *text), void *ctx);

/* ---- what --help, the example file, the manual pages and docs/configuration.md all say ---- */

#define CONF_SAY_FILE                                                                              \
	"Read settings from FILE: lines of \"key = value\", # comments (TURNPIKE_CONFIG)"
#define CONF_SAY_FORMS                                                                             \
	"Each option is a flag, a key of the file (relay_ports) and an environment variable "      \
	"(TURNPIKE_RELAY_PORTS)."
#define CONF_SAY_ORDER                                                                             \
	"The command line overrides the environment, and the environment overrides the file; a "   \
	"list is always replaced as a whole."
#define CONF_SAY_LISTS "To give a list, separate its values by commas or repeat the option."
#define CONF_SAY_SECRETS                                                                           \
	"The command line takes no secrets, because everybody on the host could read them there: " \
	"use the file or the environment, or name a file with the secret in "                      \
	"TURNPIKE_SHARED_SECRET_FILE. A file with a secret in it must not be readable by "         \
	"everybody (chmod o-r); files under /run/secrets may be."
#define CONF_SAY_SERVED                                                                            \
	"Commands about a server (user add, credentials, doctor ...) take what you do not set "    \
	"from the last server that used the data directory."
#define CONF_SAY_FAULTS                                                                            \
	"An unknown key, a value out of bounds, a contradiction, a dangerous setting or a secret " \
	"that everybody can read stops the start; the message names the line and the fix. "        \
	"turnpike check-config prints all such mistakes. turnpike config shows the values in "     \
	"effect and where each came from."
#define CONF_SAY_RELOAD                                                                            \
	"turnpike reload (or SIGHUP) makes a running server read file and environment again. "     \
	"Reloadable options change at once, and no call is dropped; the log names the others, "    \
	"which need a restart. A configuration with a mistake is refused as a whole: the server "  \
	"keeps the old one."

/* ---- conf_print.c, for conf_docs.c ---- */

/* Breaks text into lines of at most width columns, each begun with prefix. */
void conf_print_wrapped(FILE *out, const char *prefix, const char *text, int width);

/* Prints text with roff's own characters escaped. */
void conf_print_roff(FILE *out, const char *text);

#endif
