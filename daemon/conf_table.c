/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of options, and what is printed from it.
 */
#include "daemon/conf_internal.h"

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
	    .type = CONF_##t,                                                                      \
	    .offset = offsetof(struct conf, n),                                                    \
	    .def = d,                                                                              \
	    .min = lo,                                                                             \
	    .max = hi,                                                                             \
	    .unit = u,                                                                             \
	    .reload = hot,                                                                         \
	    .secret = sec,                                                                         \
	    .metavar = meta,                                                                       \
	    .help = text,                                                                          \
	},
#include "daemon/options.def"
#undef CONF
};
const size_t conf_option_n = sizeof(conf_options) / sizeof(*conf_options);

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

bool conf_type_is_list(enum conf_type type)
{
	return type == CONF_ADDRS || type == CONF_IPS || type == CONF_PREFIXES ||
	       type == CONF_MAPPINGS || type == CONF_REALMS || type == CONF_KEYS;
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

bool conf_is_reloadable(const char *name)
{
	const struct conf_option *o = conf_option_find(name);

	return o && o->reload;
}

/* Breaks text into lines of at most width columns, each begun with prefix. */
static void print_wrapped(FILE *out, const char *prefix, const char *text, int width)
{
	int column = 0;

	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column && column + 1 + word > width) {
			fputc('\n', out);
			column = 0;
		}
		column += fprintf(out, "%s%.*s", column ? " " : prefix, word, text);
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void describe(const struct conf_option *o, char *text, size_t cap)
{
	int n = snprintf(text, cap, "%s", o->help);

	if (o->type == CONF_INT)
		n += snprintf(text + n, cap - (size_t)n, " (%s%s%" PRId64 " to %" PRId64 ")",
		              o->unit, *o->unit ? ", " : "", o->min, o->max);
	if (*o->def)
		snprintf(text + n, cap - (size_t)n, " [%s]", o->def);
}

void conf_print_help(FILE *out)
{
	char flag[CONF_NAME_MAX], env[CONF_NAME_MAX], text[1024];

	fputs("  --config FILE\n"
	      "      Read settings from FILE: lines of \"key = value\", # comments "
	      "(TURNPIKE_CONFIG)\n",
	      out);
	for (size_t i = 0; i < conf_option_n; i++) {
		const struct conf_option *o = &conf_options[i];

		describe(o, text, sizeof(text));
		if (o->secret)
			fprintf(out, "  %s in the file, or %s_FILE\n", o->name,
			        conf_env_name(o, env));
		else if (o->type == CONF_BOOL)
			fprintf(out, "  %s[=no]\n", conf_flag_name(o, flag));
		else
			fprintf(out, "  %s %s%s\n", conf_flag_name(o, flag), o->metavar,
			        conf_type_is_list(o->type) ? " ..." : "");
		print_wrapped(out, "      ", text, 80);
	}
	fputs("Options marked ... may repeat or hold several values separated by commas. Each\n"
	      "option is also a key of the file (relay_ports) and an environment variable\n"
	      "(TURNPIKE_RELAY_PORTS). The command line wins over the environment, the\n"
	      "environment over the file.\n",
	      out);
}

void conf_print_example(FILE *out)
{
	char text[1024];

	fputs("# turnpike.conf: every option at its default. Remove the first # of a line to\n"
	      "# change it. Lists are separated by commas, or the key is repeated.\n",
	      out);
	for (size_t i = 0; i < conf_option_n; i++) {
		const struct conf_option *o = &conf_options[i];

		fputc('\n', out);
		describe(o, text, sizeof(text));
		print_wrapped(out, "# ", text, 80);
		fprintf(out, "#%s =%s%s\n", o->name, *o->def ? " " : "", o->def);
	}
}
