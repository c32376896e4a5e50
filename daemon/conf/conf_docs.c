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
	    "comment. Double quotes keep a value as it is. To give a list, separate its values by\n"
	    "commas or repeat the key.\n"
	    ".PP\n"
	    "An unknown key, a value out of bounds, a contradiction or a secret that everybody "
	    "can\n"
	    "read stops the start; the message names the line and the fix. \\fBturnpike\n"
	    "check\\-config\\fR prints all such mistakes. \\fBturnpike config\\fR shows the values "
	    "in\n"
	    "effect and where each came from.\n"
	    ".PP\n"
	    "The command line overrides the environment, and the environment overrides the file. "
	    "A\n"
	    "list is always replaced as a whole. Commands about a server (\\fBuser add\\fR,\n"
	    "\\fBcredentials\\fR, \\fBdoctor\\fR ...) take what you do not set from the last "
	    "server\n"
	    "that used the data directory.\n"
	    ".PP\n"
	    "\\fBturnpike reload\\fR (or SIGHUP) makes a running server read file and environment\n"
	    "again. Reloadable options change at once, and no call is dropped; the log names the\n"
	    "others that need a restart. A configuration with a mistake is refused as a whole.\n"
	    ".SH OPTIONS\n",
	    out);
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
	fputs("<!-- Made by: turnpike help markdown -->\n"
	      "# Configuration\n\n"
	      "Every option is a key of the file (`--config FILE` or `TURNPIKE_CONFIG`; lines of "
	      "`key = value`,\n"
	      "`#` comments), an environment variable and a flag. The command line overrides the "
	      "environment, and\n"
	      "the environment overrides the file; a list is always replaced as a whole. To give a "
	      "list, separate its\n"
	      "values by commas or repeat the option.\n"
	      "\n"
	      "Commands about a server (`user add`, `credentials`, `doctor` ...) need only its "
	      "`--data`: they take\n"
	      "what you do not set from the last server that used that directory.\n"
	      "\n"
	      "The command line takes no secrets, because everybody on the host could read them "
	      "there. Put a secret into\n"
	      "a file, and name the file in `TURNPIKE_SHARED_SECRET_FILE`. Such a file, and a "
	      "configuration file with a\n"
	      "secret in it, must not be readable by everybody (`chmod o-r`); files under "
	      "`/run/secrets` may be.\n"
	      "\n"
	      "```\n"
	      "turnpike check-config     print every mistake, with its line and the fix, or ok\n"
	      "turnpike config [--json]  print the values in effect and where each came from\n"
	      "turnpike help config      print a file with every option at its default\n"
	      "turnpike reload           make the running server read its configuration again\n"
	      "turnpike import-coturn FILE   convert a turnserver.conf\n"
	      "```\n"
	      "\n"
	      "An unknown key, a value out of bounds, a contradiction or a dangerous setting stops "
	      "the start. It also\n"
	      "stops a reload: the running server then keeps its whole old configuration. An "
	      "option marked \"restart\" does\n"
	      "not change before the next start; the log and `turnpike reload` name such options "
	      "if you have changed them.\n",
	      out);
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
