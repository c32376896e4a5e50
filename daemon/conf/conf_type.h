/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A type of options is a row of functions. A new one is a row in the type_*.c of its kind, the C
 * type that holds it in conf.h, and its name at the end of this file.
 */
#ifndef DAEMON_CONF_TYPE_H
#define DAEMON_CONF_TYPE_H

#include "base/error.h"
#include "store/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct conf_option;

#define CONF_VALUE_MAX  (REALM_MAX_LEN + 1) /* bytes of a value in a list, with NUL */
#define CONF_BOUNDS_MAX 128

/* m is the option's member of struct conf. The functions that may be NULL are marked. */
struct conf_type {
	const char *name;    /* in documents: "list of addresses" */
	size_t element;      /* bytes of a value in a list; 0: the option holds one value */
	bool bounds_in_help; /* --help says minimum and maximum */

	/* May be NULL. 0 when the text is a value; otherwise why has the fix. */
	int (*check)(const struct conf_option *o, const char *text, struct why *why);
	/* Sets the one value, or adds one to the list. -E_PARSE with the fix in why, -E_NOMEM. */
	int (*parse)(const struct conf_option *o, const char *text, void *m, struct why *why);
	/* Writes the i-th value (of a single one: i = 0) in a form that parse() takes. */
	void (*print)(FILE *out, const struct conf_option *o, const void *m, size_t i);
	/* May be NULL. Frees the value at v, and wipes it first if it is secret. */
	void (*clear)(void *v, bool secret);
	/* May be NULL. A value's bounds, for documents: "0 to 256 s". */
	void (*document)(const struct conf_option *o, char text[CONF_BOUNDS_MAX]);
};

/* How each list of struct conf begins. */
struct conf_list {
	void *v;
	size_t n;
};

/* Copies a value to the end of the list at m. -E_PARSE: the list is full; -E_NOMEM. */
int conf_list_add(const struct conf_option *o, void *m, const void *value, struct why *why);

/* For document(): "1 to 16 values". */
void conf_list_document(const struct conf_option *o, char text[CONF_BOUNDS_MAX]);

extern const struct conf_type conf_type_TEXT, conf_type_PATH, conf_type_HOST; /* type_text.c */
extern const struct conf_type conf_type_REALMS, conf_type_KEYS, conf_type_ORIGINS;
extern const struct conf_type conf_type_JWTKEYS;
extern const struct conf_type conf_type_URL, conf_type_URLS;
extern const struct conf_type conf_type_SIGNING, conf_type_EVENTS;
extern const struct conf_type conf_type_INT, conf_type_BOOL; /* type_word.c */
extern const struct conf_type conf_type_GUESTS, conf_type_LOCK, conf_type_LEVEL, conf_type_PORTS;
extern const struct conf_type conf_type_RIGHTS;
extern const struct conf_type conf_type_ADDRS, conf_type_LISTEN, conf_type_IPS; /* type_addr.c */
extern const struct conf_type conf_type_PREFIXES, conf_type_MAPPINGS;

#endif
