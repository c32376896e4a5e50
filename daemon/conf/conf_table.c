/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of options, and how its rows are found.
 */
#include "daemon/conf/conf_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define HOT    true
#define COLD   false
#define SECRET true
#define OPEN   false

const struct conf_option conf_options[] = {
#define CONF(n, t, d, lo, hi, u, hot, sec, meta, text)                                             \
	{                                                                                          \
	    .name = #n,                                                                            \
	    .type = &conf_type_##t,                                                                \
	    .offset = offsetof(struct conf, n),                                                    \
	    .size = sizeof(CONF_C_##t),                                                            \
	    .def = d,                                                                              \
	    .min = lo,                                                                             \
	    .max = hi,                                                                             \
	    .unit = u,                                                                             \
	    .reload = hot,                                                                         \
	    .secret = sec,                                                                         \
	    .metavar = meta,                                                                       \
	    .help = text,                                                                          \
	},
#include "daemon/conf/options.def"
#undef CONF
};
const size_t conf_option_n = sizeof(conf_options) / sizeof(*conf_options);

const struct conf_row conf_rows[] = {
#define GROUP(t, i)  {.title = t, .intro = i},
#define CONF(n, ...) {.option = &conf_options[OPTION_##n]},
#include "daemon/conf/options.def"
#undef CONF
};
const size_t conf_row_n = sizeof(conf_rows) / sizeof(*conf_rows);

const struct conf_option *conf_option_find(const char *name)
{
	for (size_t i = 0; i < conf_option_n; i++)
		if (!strcmp(conf_options[i].name, name))
			return &conf_options[i];
	return NULL;
}

/* Levenshtein's distance, where '-' and '_' are one and case does not count. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[CONF_NAME_MAX + 1];
	size_t b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0];
		char c = a[i] == '-' ? '_' : (char)tolower((unsigned char)a[i]);

		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < b_len; j++) {
			unsigned best = diagonal + (c != b[j]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j + 1] + 1 < best)
				best = row[j + 1] + 1;
			diagonal = row[j + 1];
			row[j + 1] = best;
		}
	}
	return row[b_len];
}

const struct conf_option *conf_option_near(const char *name)
{
	const struct conf_option *best = NULL;
	unsigned best_distance = 4;

	if (strlen(name) > CONF_NAME_MAX)
		return NULL;
	for (size_t i = 0; i < conf_option_n; i++) {
		unsigned d = distance(name, conf_options[i].name);

		if (d < best_distance && d < strlen(conf_options[i].name)) {
			best_distance = d;
			best = &conf_options[i];
		}
	}
	return best;
}

const char *conf_flag_name(const struct conf_option *o, char buf[CONF_NAME_MAX])
{
	snprintf(buf, CONF_NAME_MAX, "--%s", o->name);
	for (char *p = buf; *p; p++)
		if (*p == '_')
			*p = '-';
	return buf;
}

const char *conf_env_name(const struct conf_option *o, char buf[CONF_NAME_MAX])
{
	snprintf(buf, CONF_NAME_MAX, "TURNPIKE_%s", o->name);
	for (char *p = buf; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return buf;
}
