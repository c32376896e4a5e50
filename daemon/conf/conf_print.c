/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of options as texts for people: help, example file, manual page.
 */
#include "daemon/conf/conf_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void conf_print_wrapped(FILE *out, const char *prefix, const char *text, int width)
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

	if (o->type->bounds_in_help)
		n += snprintf(text + n, cap - (size_t)n, " (%s%s%" PRId64 " to %" PRId64 ")",
		              o->unit, *o->unit ? ", " : "", o->min, o->max);
	if (*o->def)
		snprintf(text + n, cap - (size_t)n, " [%s]", o->def);
}

static void print_help_option(FILE *out, const struct conf_option *o)
{
	char flag[CONF_NAME_MAX], env[CONF_NAME_MAX], text[1024];

	describe(o, text, sizeof(text));
	if (o->secret)
		fprintf(out, "  %s in the file, or %s_FILE\n", o->name, conf_env_name(o, env));
	else if (!*o->metavar)
		fprintf(out, "  %s[=no]\n", conf_flag_name(o, flag));
	else
		fprintf(out, "  %s %s%s\n", conf_flag_name(o, flag), o->metavar,
		        o->type->element ? " ..." : "");
	conf_print_wrapped(out, "      ", text, 80);
}

void conf_print_help(FILE *out)
{
	fputs("  --config FILE\n      " CONF_SAY_FILE "\n", out);
	for (size_t i = 0; i < conf_row_n; i++) {
		if (conf_rows[i].option)
			print_help_option(out, conf_rows[i].option);
		else
			fprintf(out, "\n %s:\n", conf_rows[i].title);
	}
	fputs("\n", out);
	conf_print_wrapped(out, "",
	                   "Options marked ... are lists. " CONF_SAY_LISTS " " CONF_SAY_FORMS
	                   " " CONF_SAY_ORDER " " CONF_SAY_SERVED,
	                   80);
}

static void print_example_group(FILE *out, const struct conf_row *row)
{
	fprintf(out, "\n# ---- %s ----\n", row->title);
	if (*row->intro)
		conf_print_wrapped(out, "# ", row->intro, 80);
}

void conf_print_example(FILE *out)
{
	char text[1024];

	conf_print_wrapped(out, "# ",
	                   "turnpike.conf: every option at its default. Remove the first # of a "
	                   "line to change it. " CONF_SAY_LISTS
	                   " turnpike reload applies options that are not marked \"restart\".",
	                   80);
	for (size_t i = 0; i < conf_row_n; i++) {
		const struct conf_option *o = conf_rows[i].option;

		if (!o) {
			print_example_group(out, &conf_rows[i]);
			continue;
		}
		fputc('\n', out);
		describe(o, text, sizeof(text));
		conf_print_wrapped(out, "# ", text, 80);
		fprintf(out, "%s#%s =%s%s\n", o->reload ? "" : "# restart\n", o->name,
		        *o->def ? " " : "", o->def);
	}
}

/* roff takes a hyphen, a backslash and a dot at the start of a line for its own. */
void conf_print_roff(FILE *out, const char *text)
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

	fputs(".SH OPTIONS\n", out);
	conf_print_roff(out, CONF_SAY_FORMS " " CONF_SAY_ORDER " " CONF_SAY_LISTS
	                                    " " CONF_SAY_SECRETS "\n");
	fputs(".TP\n\\fB\\-\\-config\\fR \\fIFILE\\fR\n" CONF_SAY_FILE "\n", out);
	for (size_t i = 0; i < conf_row_n; i++) {
		const struct conf_option *o = conf_rows[i].option;

		if (!o) {
			fputs(".SS ", out);
			conf_print_roff(out, conf_rows[i].title);
			fputc('\n', out);
			continue;
		}
		fputs(".TP\n\\fB", out);
		conf_print_roff(out, o->secret ? o->name : conf_flag_name(o, flag));
		fputs("\\fR", out);
		if (*o->metavar) {
			fputs(" \\fI", out);
			conf_print_roff(out, o->metavar);
			fputs("\\fR", out);
		}
		fputc('\n', out);
		describe(o, text, sizeof(text));
		conf_print_roff(out, text);
		fputc('\n', out);
	}
}

/* The file's reader takes '#' after a blank for a comment and trims blanks. */
static bool wants_quotes(const char *text)
{
	size_t len = strlen(text);

	return len && (strchr(text, '#') || *text == ' ' || text[len - 1] == ' ');
}

void conf_print_values(FILE *out, const struct conf *conf, const struct conf_source *sources)
{
	for (size_t i = 0; i < conf_row_n; i++) {
		const struct conf_option *o = conf_rows[i].option;
		const char *quote, *where;
		char *text;

		if (!o) {
			fprintf(out, "%s# %s\n", i ? "\n" : "", conf_rows[i].title);
			continue;
		}
		text = conf_value_text(conf, o);
		where = sources[o - conf_options].kind == SOURCE_DEFAULT
		            ? "default"
		            : sources[o - conf_options].where;
		quote = text && wants_quotes(text) ? "\"" : "";
		if (o->secret && text && *text)
			fprintf(out, "%s = ********  # %s\n", o->name, where);
		else
			fprintf(out, "%s =%s%s%s%s  # %s\n", o->name, text && *text ? " " : "",
			        quote, text ? text : "(out of memory)", quote, where);
		if (text && o->secret)
			explicit_bzero(text, strlen(text));
		free(text);
	}
}
