/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of options as documents: turnpike.conf(5) and docs/configuration.md.
 */
#include "daemon/conf/conf_internal.h"

#include <inttypes.h>
#include <string.h>

static const char *type_text(enum conf_type type)
{
	switch (type) {
	case CONF_TEXT:
		return "text";
	case CONF_PATH:
		return "path";
	case CONF_REALMS:
		return "list of texts";
	case CONF_KEYS:
		return "list of keys";
	case CONF_ORIGINS:
		return "list of origins";
	case CONF_HOST:
		return "host name or address";
	case CONF_INT:
		return "number";
	case CONF_BOOL:
		return "yes or no";
	case CONF_GUESTS:
	case CONF_LEVEL:
		return "one of the words";
	case CONF_PORTS:
		return "range of ports";
	case CONF_ADDRS:
	case CONF_LISTEN:
		return "list of addresses with port";
	case CONF_IPS:
		return "list of addresses";
	case CONF_PREFIXES:
		return "list of address ranges";
	case CONF_MAPPINGS:
		return "list of addresses";
	}
	return "";
}

static void print_bounds(FILE *out, const struct conf_option *o)
{
	if (o->type == CONF_INT)
		fprintf(out, "%" PRId64 " to %" PRId64 "%s%s", o->min, o->max, *o->unit ? " " : "",
		        o->unit);
	else if (conf_type_is_list(o->type))
		fprintf(out, "%" PRId64 " to %" PRId64 " values", o->min, o->max);
	else if (o->type == CONF_TEXT)
		fprintf(out, "up to %" PRId64 " bytes", o->max);
	else if (o->type == CONF_GUESTS || o->type == CONF_LEVEL)
		fputs(o->metavar, out);
	else if (o->type == CONF_PORTS)
		fprintf(out, "%" PRId64 " to %" PRId64, o->min, o->max);
}

static bool has_bounds(const struct conf_option *o)
{
	return o->type == CONF_INT || conf_type_is_list(o->type) || o->type == CONF_TEXT ||
	       o->type == CONF_GUESTS || o->type == CONF_LEVEL || o->type == CONF_PORTS;
}

/* ---- turnpike.conf(5) ---- */

static void print_man5_option(FILE *out, const struct conf_option *o)
{
	char env[CONF_NAME_MAX];

	fprintf(out, ".TP\n\\fB%s\\fR = \\fI", o->name);
	conf_print_roff(out, *o->metavar ? o->metavar : "yes|no");
	fputs("\\fR\n", out);
	conf_print_roff(out, o->help);
	fputs(".\n.br\n", out);
	conf_print_roff(out, type_text(o->type));
	if (has_bounds(o)) {
		fputs(" (", out);
		print_bounds(out, o);
		fputc(')', out);
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
	    "The file that \\fB\\-\\-config\\fR or \\fBTURNPIKE_CONFIG\\fR names: lines of\n"
	    "\\fIkey\\fR = \\fIvalue\\fR. A # at the start of a word begins a comment. A value in\n"
	    "double quotes is taken as it is. Lists are separated by commas, or the key is\n"
	    "repeated. An unknown key, a value out of bounds, a contradiction and a secret that\n"
	    "everybody can read stop the start with the line and the fix;\n"
	    "\\fBturnpike check\\-config\\fR says them all, \\fBturnpike config\\fR shows the\n"
	    "values in effect and where each came from.\n"
	    ".PP\n"
	    "The command line wins over the environment, the environment over the file. A\n"
	    "stronger source replaces a list as a whole. What is not set anywhere is, for the\n"
	    "verbs that are about a server (\\fBuser add\\fR, \\fBcredentials\\fR,\n"
	    "\\fBdoctor\\fR ...), as the last server on the data directory had it.\n"
	    ".PP\n"
	    "\\fBturnpike reload\\fR (or SIGHUP) has a running server read file and environment\n"
	    "again. What is reloadable changes at once and drops nobody; of the rest the log says\n"
	    "what needs a restart. A configuration with a mistake is refused as a whole.\n"
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
	char flag[CONF_NAME_MAX], env[CONF_NAME_MAX];

	fprintf(out, "\n### %s\n\n", o->name);
	conf_print_wrapped(out, "", o->help, 110);
	fputs("\n| type | default | bounds | reload | environment | command line |\n"
	      "|---|---|---|---|---|---|\n| ",
	      out);
	print_cell(out, type_text(o->type));
	fprintf(out, " | %s%s%s | ", *o->def ? "`" : "", *o->def ? o->def : "empty",
	        *o->def ? "`" : "");
	if (o->type == CONF_GUESTS || o->type == CONF_LEVEL)
		print_cell(out, o->metavar);
	else
		print_bounds(out, o);
	fprintf(out, " | %s | `%s`%s | ", o->reload ? "yes" : "restart", conf_env_name(o, env),
	        o->secret ? ", `…_FILE`" : "");
	if (o->secret)
		fputs("no: it is a secret |\n", out);
	else if (o->type == CONF_BOOL)
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
	      "`key = "
	      "value`, `#` comments),\nan environment variable and a flag. The command line wins "
	      "over "
	      "the environment, the environment over the file;\na stronger source replaces a list "
	      "as a "
	      "whole. Lists are separated by commas, or the option is repeated.\n\n"
	      "The verbs that are about a server (`user add`, `credentials`, `doctor` ...) need no "
	      "more than its `--data`: what is not\nset for them is as the last server on that "
	      "directory had it.\n\n"
	      "Secrets are not taken from the command line, where everybody could read them. "
	      "`TURNPIKE_SHARED_SECRET_FILE` names a\nfile that holds the secret; it, and a "
	      "configuration file with a secret in it, must not be readable by everybody\n(`chmod "
	      "o-r`; "
	      "files under `/run/secrets` may be).\n\n"
	      "```\n"
	      "turnpike check-config     every mistake, with its line and the fix; or ok\n"
	      "turnpike config [--json]  the values in effect and where each came from\n"
	      "turnpike help config      a file with every option at its default\n"
	      "turnpike reload           have the running server read its configuration again\n"
	      "turnpike import-coturn FILE   make a configuration of a turnserver.conf\n"
	      "```\n\n"
	      "An unknown key, a value out of bounds, a contradiction or a dangerous setting stops "
	      "the "
	      "start. In a running server it\nstops the reload: the old configuration stays as a "
	      "whole. "
	      "Options marked \"restart\" keep their value until then; the\nlog and `turnpike "
	      "reload` "
	      "name those that were changed.\n",
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
