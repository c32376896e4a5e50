/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of options as texts for people: help, example file, manual page.
 */
#include "daemon/conf_internal.h"

#include <inttypes.h>
#include <string.h>

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

/* roff takes a hyphen, a backslash and a dot at the start of a line for its own. */
static void print_roff(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
	}
}

void conf_print_man(FILE *out)
{
	char flag[CONF_NAME_MAX], text[1024];

	fputs(".SH OPTIONS\n"
	      "Each option is a flag, a key of the file (relay_ports) and an environment variable\n"
	      "(TURNPIKE_RELAY_PORTS). The command line wins over the environment, the\n"
	      "environment over the file. Lists are separated by commas, or the option is\n"
	      "repeated. Secrets are not taken from the command line, but also from the file that\n"
	      "TURNPIKE_\\fIOPTION\\fR_FILE names.\n"
	      ".TP\n\\fB\\-\\-config\\fR \\fIFILE\\fR\n"
	      "Read settings from FILE: lines of \"key = value\", # comments\n",
	      out);
	for (size_t i = 0; i < conf_option_n; i++) {
		const struct conf_option *o = &conf_options[i];

		fputs(".TP\n\\fB", out);
		print_roff(out, o->secret ? o->name : conf_flag_name(o, flag));
		fputs("\\fR", out);
		if (o->type != CONF_BOOL) {
			fputs(" \\fI", out);
			print_roff(out, o->metavar);
			fputs("\\fR", out);
		}
		fputc('\n', out);
		describe(o, text, sizeof(text));
		print_roff(out, text);
		fputc('\n', out);
	}
}
