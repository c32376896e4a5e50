/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of options as documents: turnpike.conf(5) and docs/configuration.md.
 */
#include "daemon/conf/conf_internal.h"

#include <inttypes.h>
#include <string.h>

/* ---- turnpike.conf(5) ---- */

static void print_man5_option(FILE *out, const struct conf_option *o)
{
	char env[CONF_NAME_MAX], bounds[CONF_BOUNDS_MAX];

	fprintf(out, ".TP\n\\fB%s\\fR = \\fI", o->name);
	conf_print_roff(out, *o->metavar ? o->metavar : "yes|no");
	fputs("\\fR\n", out);
	conf_print_roff(out, o->help);
	fputs(".\n.br\n", out);
	conf_print_roff(out, o->type->name);
	if (o->type->document) {
		o->type->document(o, bounds);
		fprintf(out, " (%s)", bounds);
	}
	fputs("; default: ", out);
	conf_print_roff(out, *o->def ? o->def : "empty");
	fprintf(out, "; %s; %s%s\n", o->reload ? "reloadable" : "needs a restart",
	        conf_env_name(o, env), o->secret ? " or the file that it names with _FILE" : "");
}

static void print_paragraph(FILE *out, const char *text)
{
	fputs(".PP\n", out);
	conf_print_roff(out, text);
	fputc('\n', out);
}

void conf_print_man5(FILE *out)
{
	fputs(
	    ".\\\" Made by: turnpike help man5\n"
	    ".TH TURNPIKE.CONF 5\n"
	    ".SH NAME\n"
	    "turnpike.conf \\- settings of turnpike(8)\n"
	    ".SH DESCRIPTION\n"
	    "The options \\fB\\-\\-config\\fR and \\fBTURNPIKE_CONFIG\\fR name this file. It has\n"
	    "lines of the form \\fIkey\\fR = \\fIvalue\\fR. A # at the start of a word begins a\n"
	    "comment. Double quotes keep a value as it is.\n",
	    out);
	conf_print_roff(out, CONF_SAY_LISTS "\n");
	print_paragraph(out, CONF_SAY_FAULTS);
	print_paragraph(out, CONF_SAY_ORDER " " CONF_SAY_SERVED);
	print_paragraph(out, CONF_SAY_RELOAD);
	fputs(".SH OPTIONS\n", out);
	for (size_t i = 0; i < conf_row_n; i++) {
		if (conf_rows[i].option) {
			print_man5_option(out, conf_rows[i].option);
			continue;
		}
		fputs(".SS ", out);
		conf_print_roff(out, conf_rows[i].title);
		fputc('\n', out);
		if (*conf_rows[i].intro)
			fprintf(out, "%s\n", conf_rows[i].intro);
	}
	fputs(".SH SEE ALSO\n\\fBturnpike\\fR(8)\n", out);
}

/* ---- docs/configuration.md ---- */

/* '|' would end a table's cell. */
static void print_cell(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, "%s%c", *text == '|' ? "\\" : "", *text);
}

static void print_markdown_option(FILE *out, const struct conf_option *o)
{
	char flag[CONF_NAME_MAX], env[CONF_NAME_MAX], bounds[CONF_BOUNDS_MAX] = "";

	fprintf(out, "\n### %s\n\n", o->name);
	conf_print_wrapped(out, "", o->help, 110);
	fputs("\n| type | default | bounds | reload | environment | command line |\n"
	      "|---|---|---|---|---|---|\n| ",
	      out);
	print_cell(out, o->type->name);
	fprintf(out, " | %s%s%s | ", *o->def ? "`" : "", *o->def ? o->def : "empty",
	        *o->def ? "`" : "");
	if (o->type->document)
		o->type->document(o, bounds);
	print_cell(out, bounds);
	fprintf(out, " | %s | `%s`%s | ", o->reload ? "yes" : "restart", conf_env_name(o, env),
	        o->secret ? ", `…_FILE`" : "");
	if (o->secret)
		fputs("no: it is a secret |\n", out);
	else if (!*o->metavar)
		fprintf(out, "`%s[=no]` |\n", conf_flag_name(o, flag));
	else {
		fprintf(out, "`%s ", conf_flag_name(o, flag));
		print_cell(out, o->metavar);
		fputs("` |\n", out);
	}
}

void conf_print_markdown(FILE *out)
{
	static const char *const intro[] = {
	    CONF_SAY_FORMS " " CONF_SAY_ORDER " " CONF_SAY_LISTS
	                   " --config FILE or TURNPIKE_CONFIG names the file.",
	    CONF_SAY_SERVED,
	    CONF_SAY_SECRETS,
	    CONF_SAY_FAULTS " turnpike help config prints a file with every option at its default, "
	                    "turnpike import-coturn converts a turnserver.conf.",
	    CONF_SAY_RELOAD,
	};

	fputs("<!-- Made by: turnpike help markdown -->\n# Configuration\n", out);
	for (size_t i = 0; i < sizeof(intro) / sizeof(*intro); i++) {
		fputc('\n', out);
		conf_print_wrapped(out, "", intro[i], 110);
	}
	for (size_t i = 0; i < conf_row_n; i++) {
		if (conf_rows[i].option) {
			print_markdown_option(out, conf_rows[i].option);
			continue;
		}
		fprintf(out, "\n## %s\n", conf_rows[i].title);
		if (*conf_rows[i].intro) {
			fputc('\n', out);
			conf_print_wrapped(out, "", conf_rows[i].intro, 110);
		}
	}
}
