/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command line's words and flags, by the rows of the verbs.
 */
#include "daemon/cli/cli_internal.h"
#include "daemon/conf/conf_internal.h"

#include <ctype.h>
#include <string.h>

#define HELP_SIZE 320

/* ---- usage ---- */

/* "--password-stdin", "--public-key-file", "--after". */
static const char *flag_of(const struct verb_arg *arg, char out[CONF_NAME_MAX])
{
	snprintf(out, CONF_NAME_MAX, "--%s%s", arg->name,
	         arg->type == VERB_SECRET ? "-stdin"
	         : arg->type == VERB_FILE ? "-file"
	                                  : "");
	for (char *c = out; *c; c++)
		*c = *c == '_' ? '-' : *c;
	return out;
}

static const char *meta_of(const struct verb_arg *arg, char out[CONF_NAME_MAX])
{
	size_t n = 0;

	if (arg->meta)
		return arg->meta;
	if (arg->type == VERB_DAY)
		return "DAY";
	if (arg->type == VERB_FILE)
		return "FILE";
	if (arg->type == VERB_INTEGER)
		return "N";
	for (; arg->name[n] && n + 1 < CONF_NAME_MAX; n++)
		out[n] = arg->name[n] == '_' ? '-' : (char)toupper(arg->name[n]);
	out[n] = 0;
	return out;
}

static bool is_on_cli(const struct verb_arg *arg)
{
	return !(arg->flags & (ARG_PAGE | ARG_REALM)) && (!arg->meta || *arg->meta);
}

/* "NAME [--password-stdin] [--json]" */
const char *cli_usage(const struct verb *v, char out[CLI_USAGE_MAX])
{
	char flag[CONF_NAME_MAX], meta[CONF_NAME_MAX];
	const struct verb_arg *arg;
	size_t n = 0, choices = 0;

	*out = 0;
	for (size_t i = 0; (arg = verb_arg(v, i)); i++) {
		bool bare = arg->flags & (ARG_REQUIRED | ARG_ONE_OF);
		bool value = arg->flags & ARG_WORD ||
		             (arg->type != VERB_SECRET && arg->type != VERB_BOOLEAN);

		if (!is_on_cli(arg))
			continue;
		n += (size_t)snprintf(
		    out + n, CLI_USAGE_MAX - n, "%s%s%s%s%s%s%s%s", n ? " " : "",
		    arg->flags & ARG_ONE_OF && choices++ ? "| " : "", bare ? "" : "[",
		    arg->flags & ARG_WORD ? "" : flag_of(arg, flag),
		    value && !(arg->flags & ARG_WORD) ? " " : "", value ? meta_of(arg, meta) : "",
		    arg->shorthand ? " | --" : "", arg->shorthand ? arg->shorthand : "");
		n += (size_t)snprintf(out + n, CLI_USAGE_MAX - n, "%s", bare ? "" : "]");
	}
	if (!(v->flags & VERB_PLAIN))
		snprintf(out + n, CLI_USAGE_MAX - n, "%s[--json]", n ? " " : "");
	return out;
}

void cli_print_args(FILE *out, const struct verb *v, const char *format)
{
	char meta[CONF_NAME_MAX], flag[CONF_NAME_MAX], help[HELP_SIZE];
	const struct verb_arg *arg;

	for (size_t i = 0; (arg = verb_arg(v, i)); i++) {
		if (!is_on_cli(arg) || !arg->help)
			continue;
		snprintf(help, sizeof(help), "%s%s", arg->help,
		         arg->type == VERB_SECRET     ? ". It is read from standard input"
		         : arg->type == VERB_FILE     ? ". It is read from FILE"
		         : arg->type == VERB_DURATION ? "; or a time as in 10m, 24h, 7d"
		                                      : "");
		fprintf(out, format,
		        arg->flags & ARG_WORD ? meta_of(arg, meta) : flag_of(arg, flag), help);
	}
}

void cli_print_verb(FILE *out, const struct verb *v)
{
	char args[CLI_USAGE_MAX];

	fprintf(out, "usage: turnpike [OPTION ...] %s %s\n\n%s.\n", v->name, cli_usage(v, args),
	        v->help);
	cli_print_args(out, v, "  %-18s %s.\n");
	fputs("Options: see turnpike --help.\n", out);
}

/* ---- arguments ---- */

const char *cli_text(const struct cli *cli, const char *name)
{
	for (int i = cli->given_n; i--;)
		if (!strcmp(cli->given[i].arg->name, name))
			return cli->given[i].text;
	return NULL;
}

static int unknown_flag(const char *arg, struct why *why)
{
	const struct conf_option *near;
	char name[CONF_NAME_MAX], flag[CONF_NAME_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(arg, "="), arg);
	near = strncmp(name, "--", 2) ? NULL : conf_option_near(name + 2);
	if (near && !near->secret)
		return why_set(why, CLI_EXIT_USE, "there is no option %s: did you mean %s?", name,
		               conf_flag_name(near, flag));
	return why_set(why, CLI_EXIT_USE, "there is no option %s: see turnpike --help", name);
}

/* The verb's argument that a flag means, and *text of it: NULL where it is to follow. */
static const struct verb_arg *find_flag(const struct verb *v, const char *flag, const char **text)
{
	size_t len = strcspn(flag, "=");
	char name[CONF_NAME_MAX];
	const struct verb_arg *arg;

	for (size_t i = 0; (arg = verb_arg(v, i)); i++) {
		bool ticks = arg->type == VERB_BOOLEAN || arg->type == VERB_SECRET;

		if (!is_on_cli(arg) || arg->flags & ARG_WORD)
			continue;
		*text = ticks ? "true" : flag[len] ? flag + len + 1 : NULL;
		if (strlen(flag_of(arg, name)) == len && !memcmp(flag, name, len) &&
		    !(ticks && flag[len]))
			return arg;
		*text = arg->shorthand;
		if (arg->shorthand && !strncmp(flag, "--", 2) && !strcmp(flag + 2, arg->shorthand))
			return arg;
	}
	return NULL;
}

/* Looks in the verb, or else in all verbs, because a flag may come before its verb: in every verb
 * the same flag takes a value. */
static const struct verb_arg *find_flag_of_any(const struct verb *v, const char *flag,
                                               const char **text)
{
	const struct verb_arg *arg = v ? find_flag(v, flag, text) : NULL;

	for (size_t i = 0; !arg && (v = cli_verb_at(i)); i++)
		arg = find_flag(v, flag, text);
	return arg;
}

static int give(struct cli *cli, const struct verb_arg *arg, const char *text, struct why *why)
{
	if (cli_text(cli, arg->name))
		return why_set(why, CLI_EXIT_USE, "--%s is given twice", arg->name);
	if (cli->given_n == CLI_GIVEN_MAX)
		return why_set(why, CLI_EXIT_USE, "\"%.64s\" is one argument too many", text);
	cli->given[cli->given_n].arg = arg;
	cli->given[cli->given_n++].text = text;
	return 0;
}

static int take_flag(struct cli *cli, char **argv, int argc, int *i, struct why *why)
{
	const char *text;
	const struct verb_arg *arg = find_flag_of_any(cli->verb, argv[*i], &text);
	char flag[CONF_NAME_MAX], meta[CONF_NAME_MAX];

	if (!strcmp(argv[*i], "--json")) {
		cli->json = true;
		return 0;
	}
	if (!arg)
		return unknown_flag(argv[*i], why);
	flag_of(arg, flag);
	if (!text && *i + 1 == argc)
		return why_set(why, CLI_EXIT_USE, "%s: the value is missing: write %s %s", flag,
		               flag, meta_of(arg, meta));
	return give(cli, arg, text ? text : argv[++*i], why);
}

int cli_parse(int argc, char **argv, struct cli *cli, const char **words, int *word_n,
              struct why *why)
{
	bool options = true;
	int r = 0, used;

	*word_n = 0;
	for (int i = 1; !r && i < argc; i++) {
		if (!options || argv[i][0] != '-' || !argv[i][1]) {
			if (*word_n == CLI_WORDS_MAX)
				return why_set(why, CLI_EXIT_USE,
				               "\"%.64s\" is one argument too many", argv[i]);
			words[(*word_n)++] = argv[i];
			cli->verb = cli_find_verb(words, *word_n, &used);
		} else if (!strcmp(argv[i], "--")) {
			options = false;
		} else {
			r = take_flag(cli, argv, argc, &i, why);
		}
	}
	return r;
}

/* So many words the verb still needs behind its i-th argument. */
static int needed_behind(const struct verb *v, size_t i)
{
	const struct verb_arg *arg;
	int n = 0;

	while ((arg = verb_arg(v, ++i)))
		n += arg->flags & ARG_WORD && arg->flags & ARG_REQUIRED;
	return n;
}

int cli_take_words(struct cli *cli, const char *const *words, int n, struct why *why)
{
	const struct verb *v = cli->verb;
	char args[CLI_USAGE_MAX];
	const struct verb_arg *arg;
	int taken = 0, r = 0;

	for (size_t i = 0; !r && (arg = verb_arg(v, i)); i++) {
		bool word = arg->flags & ARG_WORD, needed = arg->flags & ARG_REQUIRED;

		if (word && taken < n && !needed && n - taken <= needed_behind(v, i))
			continue;
		if (word && taken < n)
			r = give(cli, arg, words[taken++], why);
		else if (needed && !cli_text(cli, arg->name))
			return why_set(why, CLI_EXIT_USE,
			               "%s: an argument is missing: write turnpike %s %s", v->name,
			               v->name, cli_usage(v, args));
	}
	if (!r && taken < n)
		r = why_set(why, CLI_EXIT_USE,
		            "%s: \"%.64s\" is one argument too many: write turnpike %s %s", v->name,
		            words[taken], v->name, cli_usage(v, args));
	return r;
}

/* 0 when the verb knows every given flag. */
int cli_check_flags(const struct cli *cli, struct why *why)
{
	const struct verb *v = cli->verb;
	char args[CLI_USAGE_MAX], flag[CONF_NAME_MAX] = "--json";
	bool known = !cli->json || !(v->flags & VERB_PLAIN);

	for (int i = 0; known && i < cli->given_n; i++) {
		const struct verb_arg *arg;

		known = false;
		flag_of(cli->given[i].arg, flag);
		for (size_t k = 0; (arg = verb_arg(v, k)); k++)
			known |= is_on_cli(arg) && !(arg->flags & ARG_WORD) &&
			         !strcmp(arg->name, cli->given[i].arg->name);
	}
	return known ? 0
	             : why_set(why, CLI_EXIT_USE, "%s does not take %s: write turnpike %s %s",
	                       v->name, flag, v->name, cli_usage(v, args));
}
