/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command line: verbs, their help, and the dispatch to them.
 */
#include "daemon/cli/cli.h"

#include "base/rights.h"
#include "base/text.h"
#include "daemon/admin/admin.h"
#include "daemon/cli/cli_internal.h"
#include "daemon/conf/conf_internal.h"
#include "daemon/conf/conf_served.h"
#include "daemon/import/import.h"
#include "daemon/observe/metrics.h"
#include "daemon/serve/serve.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CLI_USAGE_MAX 320
#define WORDS_MAX     5 /* a verb of two, and three more */

static int run_serve(struct cli *cli, struct why *why);
static int run_help(struct cli *cli, struct why *why);

#define WORD(name, meta)                                                                           \
	{                                                                                          \
		name, VERB_TEXT, ARG_REQUIRED | ARG_WORD, NULL, meta, NULL                         \
	}
#define FLAG(name, meta)                                                                           \
	{                                                                                          \
		name, VERB_TEXT, 0, NULL, meta, NULL                                               \
	}
#define TICK(name)                                                                                 \
	{                                                                                          \
		name, VERB_BOOLEAN, 0, NULL, NULL, NULL                                            \
	}

/* The verbs that are no administration: about this host, its files and its settings. */
static const struct local {
	struct verb verb;
	int (*run)(struct cli *cli, struct why *why);
} locals[] = {
    {{.name = "serve", .flags = VERB_PLAIN, .help = "Run the server in the foreground"}, run_serve},
    {{.name = "backup",
      .flags = VERB_PLAIN,
      .args = {WORD("file", "FILE")},
      .help = "Copy the database into a new file, while a server runs or not; the copy is checked"},
     cli_backup},
    {{.name = "restore",
      .flags = VERB_PLAIN,
      .args = {WORD("file", "FILE")},
      .help = "Put a backup in the place of the database, which is kept beside it; no server may "
              "run"},
     cli_restore},
    {{.name = "credentials",
      .args = {WORD("name", "NAME"), FLAG("ttl", "SECONDS")},
      .help = "Print a time-limited credential and the iceServers for a client, as JSON"},
     cli_credentials},
    {{.name = "check-config",
      .help = "Say every problem of the configuration, of the files that it names and of the "
              "database, for which a start would be refused, or ok; and warn of a certificate that "
              "no client takes"},
     cli_check},
    {{.name = "config",
      .help = "Show the settings in effect and where each came from; secrets are masked"},
     cli_config},
    {{.name = "health",
      .help = "Ask the server that runs with these settings whether it is well; for health checks"},
     cli_health},
    {{.name = "import-coturn",
      .flags = VERB_PLAIN,
      .args = {WORD("file", "FILE"), FLAG("userdb", "FILE"), FLAG("write", "DIR"), TICK("install"),
               TICK("force"), FLAG("root", "DIR")},
      .help =
          "Print the configuration that a turnserver.conf (and its turndb) stands for, and say "
          "line "
          "by line what was taken and what was not, and why. With --write: DIR/turnpike.conf, and "
          "users and secrets in DIR/data. With --install, as root: where the installed systemd "
          "unit "
          "looks, readable for the unit's user, the certificate copied for it, and the service "
          "started; what is there and differs is kept unless --force is given. --root installs "
          "below DIR, and starts nothing"},
     cli_import},
    {{.name = "doctor",
      .args = {FLAG("stun", "HOST:PORT")},
      .help = "Check configuration, ports, addresses, certificate, limits, clock, kernel and data, "
              "and call through the relay over each transport; says what is wrong and what to "
              "change. --stun names a STUN server outside, to compare the public address with; "
              "nobody is asked without it. Exit status 1 when something fails"},
     cli_doctor},
    {{.name = "help",
      .flags = VERB_PLAIN,
      .args = {{"text", VERB_TEXT, ARG_WORD, NULL,
                "VERB | config | man | man5 | markdown | admin | metrics | coturn | openapi", NULL},
               {"word", VERB_TEXT, ARG_WORD, NULL, "", NULL}},
      .help = "Explain a verb, print a configuration file with every default, or the manual pages"},
     run_help},
};
#define LOCAL_N (sizeof(locals) / sizeof(*locals))

/* "serve", the verbs of administration, and the other local ones. NULL past the last. */
static const struct verb *nth_verb(size_t i)
{
	const struct verb *v;

	if (!i--)
		return &locals[0].verb;
	for (size_t k = 0; (v = verb_at(k)); k++)
		if (!(v->flags & VERB_NOT_ON_CLI) && !i--)
			return v;
	return i + 1 < LOCAL_N ? &locals[i + 1].verb : NULL;
}

static const struct local *local_of(const struct verb *v)
{
	for (size_t i = 0; i < LOCAL_N; i++)
		if (&locals[i].verb == v)
			return &locals[i];
	return NULL;
}

static bool runs(const struct verb *v, int (*run)(struct cli *cli, struct why *why))
{
	const struct local *l = local_of(v);

	return l && l->run == run;
}

/* ---- usage ---- */

/* "--password-stdin", "--after". */
static const char *flag_of(const struct verb_arg *arg, char out[CONF_NAME_MAX])
{
	snprintf(out, CONF_NAME_MAX, "--%s%s", arg->name, arg->type == VERB_SECRET ? "-stdin" : "");
	return out;
}

static const char *meta_of(const struct verb_arg *arg, char out[CONF_NAME_MAX])
{
	size_t n = 0;

	if (arg->meta)
		return arg->meta;
	if (arg->type == VERB_DAY)
		return "DAY";
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
static const char *usage_of(const struct verb *v, char out[CLI_USAGE_MAX])
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

/* What the configuration's loader found. */
struct problems {
	json_t *texts;
	int err;
	struct why first;
};

static void add_problem(void *ctx, const char *text)
{
	struct problems *p = ctx;
	char shown[TEXT_SHOWN_MAX(sizeof(p->first.text))]; /* it may quote any bytes */

	text_show(shown, sizeof(shown), text, strlen(text), TEXT_AGAIN);
	json_array_append_new(p->texts, json_string(shown));
}

static void print_usage(FILE *out)
{
	char args[CLI_USAGE_MAX];
	const struct verb *v;

	fputs("usage: turnpike [OPTION ...] VERB [ARGUMENT ...]\n\nVerbs:\n", out);
	for (size_t i = 0; (v = nth_verb(i)); i++)
		fprintf(out, "  %s%s%s\n      %s\n", v->name, *usage_of(v, args) ? " " : "", args,
		        v->help);
	fputs("\nOptions, before or after the verb:\n", out);
	conf_print_help(out);
}

static void print_verb(FILE *out, const struct verb *v)
{
	char args[CLI_USAGE_MAX], meta[CONF_NAME_MAX], flag[CONF_NAME_MAX];
	const struct verb_arg *arg;

	fprintf(out, "usage: turnpike [OPTION ...] %s %s\n\n%s.\n", v->name, usage_of(v, args),
	        v->help);
	for (size_t i = 0; (arg = verb_arg(v, i)); i++)
		if (is_on_cli(arg) && arg->help)
			fprintf(out, "  %-18s %s.\n",
			        arg->flags & ARG_WORD ? meta_of(arg, meta) : flag_of(arg, flag),
			        arg->help);
	fputs("Options: see turnpike --help.\n", out);
}

/* The verb that words begin with; *used is how many of them it takes. A group without its second
 * word ("user") matches nothing. */
static const struct verb *find_verb(const char *const *words, int n, int *used)
{
	const struct verb *v;
	char name[CONF_NAME_MAX];

	for (*used = n < 2 ? n : 2; *used; --*used) {
		snprintf(name, sizeof(name), "%s%s%s", words[0], *used > 1 ? " " : "",
		         *used > 1 ? words[1] : "");
		for (size_t i = 0; i < LOCAL_N; i++)
			if (!strcmp(locals[i].verb.name, name))
				return &locals[i].verb;
		v = verb_find(name);
		if (v && !(v->flags & VERB_NOT_ON_CLI))
			return v;
	}
	return NULL;
}

static int unknown_verb(const char *const *words, int n, struct why *why)
{
	const struct verb *v;
	size_t len, at = 0;
	char list[128] = "";

	if (!n)
		return why_set(why, CLI_EXIT_USE, "no verb: write turnpike VERB, see --help");
	len = strlen(words[0]);
	for (size_t i = 0; (v = nth_verb(i)); i++)
		if (!strncmp(v->name, words[0], len) && v->name[len] == ' ')
			at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", at ? ", " : "",
			                       v->name);
	if (at && n > 1)
		return why_set(why, CLI_EXIT_USE, "there is no verb \"%s %.64s\": write %s",
		               words[0], words[1], list);
	if (at)
		return why_set(why, CLI_EXIT_USE, "%s: its second word is missing: write %s",
		               words[0], list);
	return why_set(why, CLI_EXIT_USE, "there is no verb \"%.64s\": see turnpike --help",
	               words[0]);
}

static int run_serve(struct cli *cli, struct why *why)
{
	struct conf_live live = {.conf = cli->conf, .origins = cli->origins, .input = &cli->input};
	int status;

	(void)why; /* it logs */
	status = serve_main(&live);
	cli->conf = live.conf;
	return status;
}

static void print_man(FILE *out)
{
	char args[CLI_USAGE_MAX];
	const struct verb *v;

	cli_print_man(out);
	for (size_t i = 0; (v = nth_verb(i)); i++)
		cli_print_man_verb(out, v->name, usage_of(v, args), v->help);
	conf_print_man(out);
	cli_print_man_end(out);
}

static int run_help(struct cli *cli, struct why *why)
{
	static const struct {
		const char *name;
		void (*print)(FILE *out);
	} texts[] = {{"config", conf_print_example},      {"man", print_man},
	             {"man5", conf_print_man5},           {"markdown", conf_print_markdown},
	             {"admin", admin_print_markdown},     {"metrics", metrics_print_markdown},
	             {"coturn", import_print_directives}, {"openapi", admin_print_openapi}};
	const char *words[] = {cli_text(cli, "text"), cli_text(cli, "word")};
	int n = !!words[0] + !!words[1], used;
	const struct verb *v;

	if (!n) {
		print_usage(stdout);
		return 0;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (n == 1 && !strcmp(words[0], texts[i].name)) {
			texts[i].print(stdout);
			return 0;
		}
	}
	v = find_verb(words, n, &used);
	if (!v || used != n)
		return unknown_verb(words, n, why);
	print_verb(stdout, v);
	return 0;
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

/* Of the verb, or else of any, for a flag may come before its verb: whether a value follows it is
 * the same everywhere. */
static const struct verb_arg *find_flag_of_any(const struct verb *v, const char *flag,
                                               const char **text)
{
	const struct verb_arg *arg = v ? find_flag(v, flag, text) : NULL;

	for (size_t i = 0; !arg && (v = nth_verb(i)); i++)
		arg = find_flag(v, flag, text);
	return arg;
}

static int give(struct cli *cli, const struct verb_arg *arg, const char *text, struct why *why)
{
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

/* Sorts what the configuration left of argv into flags and words, which begin with the verb. */
static int parse_rest(int argc, char **argv, struct cli *cli, const char **words, int *word_n,
                      struct why *why)
{
	bool options = true;
	int r = 0, used;

	*word_n = 0;
	for (int i = 1; !r && i < argc; i++) {
		if (!options || argv[i][0] != '-' || !argv[i][1]) {
			if (*word_n == WORDS_MAX)
				return why_set(why, CLI_EXIT_USE,
				               "\"%.64s\" is one argument too many", argv[i]);
			words[(*word_n)++] = argv[i];
			cli->verb = find_verb(words, *word_n, &used);
		} else if (!strcmp(argv[i], "--")) {
			options = false;
		} else {
			r = take_flag(cli, argv, argc, &i, why);
		}
	}
	return r;
}

static int take_words(struct cli *cli, const char *const *words, int n, struct why *why)
{
	const struct verb *v = cli->verb;
	char args[CLI_USAGE_MAX];
	const struct verb_arg *arg;
	int taken = 0, r = 0;

	for (size_t i = 0; !r && (arg = verb_arg(v, i)); i++) {
		if (!(arg->flags & ARG_WORD))
			continue;
		if (taken < n)
			r = give(cli, arg, words[taken++], why);
		else if (arg->flags & ARG_REQUIRED)
			return why_set(why, CLI_EXIT_USE,
			               "%s: an argument is missing: write turnpike %s %s", v->name,
			               v->name, usage_of(v, args));
	}
	if (!r && taken < n)
		r = why_set(why, CLI_EXIT_USE,
		            "%s: \"%.64s\" is one argument too many: write turnpike %s %s", v->name,
		            words[taken], v->name, usage_of(v, args));
	return r;
}

/* Whether every flag that was given is one of the verb. */
static int check_flags(const struct cli *cli, struct why *why)
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
	                       v->name, flag, v->name, usage_of(v, args));
}

/* The configuration is wrong: check-config says all of it, any other verb the first. */
static int print_problems(const struct verb *v, const struct cli *cli, const struct problems *p,
                          struct why *why)
{
	json_t *text;
	size_t i;

	if (!runs(v, cli_check) && !runs(v, cli_doctor)) {
		*why = p->first;
		return p->err == -E_INVAL ? CLI_EXIT_USE : CLI_EXIT_FAIL;
	}
	if (cli->json) {
		cli_print_json(json_pack("{sbsO}", "ok", 0, "problems", p->texts), why);
	} else {
		json_array_foreach (p->texts, i, text)
			fprintf(stderr, "turnpike: %s\n", json_string_value(text));
	}
	why->text[0] = 0;
	return CLI_EXIT_FAIL;
}

/* The others are about the settings that are given here, and no other. */
static bool is_about_a_server(const struct verb *v)
{
	return !runs(v, run_serve) && !runs(v, cli_check) && !runs(v, cli_import);
}

static int run(int argc, char **argv, char *const *envp, struct cli *cli, struct problems *p,
               struct why *why)
{
	const char *words[WORDS_MAX];
	const struct local *local;
	const struct verb *v;
	int n, used = 0, status;

	p->err = conf_read(&argc, argv, envp, &cli->conf, &cli->origins, add_problem, p, &p->first);
	status = parse_rest(argc, argv, cli, words, &n, why);
	if (status)
		return status;
	v = cli->verb = find_verb(words, n, &used);
	if (!v)
		return unknown_verb(words, n, why);
	status = check_flags(cli, why);
	if (!status)
		status = take_words(cli, words + used, n - used, why);
	if (status)
		return status;
	if (p->err && !runs(v, run_help))
		return print_problems(v, cli, p, why);
	/* What lies in the data directory is its owner's, who may not be meant well by. */
	if (!p->err && is_about_a_server(v) && rights_become_owner(cli->conf.data, why))
		return CLI_EXIT_FAIL;
	if (!p->err && is_about_a_server(v))
		conf_served_read(&cli->conf, cli->origins);
	local = local_of(v);
	return local ? local->run(cli, why) : cli_run_verb(cli, why);
}

/* --help and --version answer whatever the configuration looks like. */
static bool asks(int argc, char **argv, const char *flag, const char *letter)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], flag) || !strcmp(argv[i], letter))
			return true;
	return false;
}

static void help(int argc, char **argv)
{
	int used;

	for (int i = 1; i < argc; i++) {
		const char *words[2] = {argv[i], i + 1 < argc ? argv[i + 1] : ""};
		const struct verb *v = find_verb(words, 2, &used);

		if (v) {
			print_verb(stdout, v);
			return;
		}
	}
	print_usage(stdout);
}

int cli_main(int argc, char **argv, char *const *envp)
{
	struct problems problems = {.texts = json_array()};
	struct why why = {{0}};
	struct cli cli;
	int status = 0;

	memset(&cli, 0, sizeof(cli));
	cli.input = (struct conf_input){argc, calloc((size_t)argc + 1, sizeof(*argv)), envp};
	if (cli.input.argv) /* before the options are taken out of it */
		memcpy(cli.input.argv, argv, (size_t)argc * sizeof(*argv));
	if (!problems.texts || !cli.input.argv)
		status = why_set(&why, CLI_EXIT_FAIL, "out of memory");
	else if (asks(argc, argv, "--help", "-h"))
		help(argc, argv);
	else if (asks(argc, argv, "--version", "-V"))
		puts("turnpike " TURNPIKE_VERSION);
	else
		status = run(argc, argv, envp, &cli, &problems, &why);
	/* A password that was not delivered would be lost without a word. */
	if (fflush(stdout) && !status)
		status = why_set(&why, CLI_EXIT_FAIL, "the output could not be written");
	if (status && why.text[0])
		fprintf(stderr, "turnpike: %s\n", why.text);
	rights_raise();
	json_decref(problems.texts);
	conf_free(&cli.conf);
	free(cli.origins);
	free(cli.input.argv);
	return status;
}
