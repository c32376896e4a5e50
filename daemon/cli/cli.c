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

#include <stdlib.h>
#include <string.h>

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
      .help = "Copy the database into a new file and check the copy; a server may run meanwhile"},
     cli_backup},
    {{.name = "restore",
      .flags = VERB_PLAIN,
      .args = {WORD("file", "FILE")},
      .help = "Replace the database by a backup, and keep the old database beside it; no server "
              "may run"},
     cli_restore},
    {{.name = "credentials",
      .args = {WORD("name", "NAME"), FLAG("ttl", "SECONDS")},
      .help = "Print a time-limited credential and the iceServers for a client, as JSON"},
     cli_credentials},
    {{.name = "check-config",
      .help = "Print every problem of the configuration, its files and the database that would "
              "stop a start, or ok; also warn of a certificate that no client accepts"},
     cli_check},
    {{.name = "config",
      .help = "Show the settings in effect and where each came from; secrets are masked"},
     cli_config},
    {{.name = "health",
      .help = "Ask the server with these settings whether it is healthy; for health checks"},
     cli_health},
    {{.name = "import-coturn",
      .flags = VERB_PLAIN,
      .args = {WORD("file", "FILE"), FLAG("userdb", "FILE"), FLAG("write", "DIR"), TICK("install"),
               TICK("force"), FLAG("root", "DIR")},
      .help = "Convert a turnserver.conf (and its turndb): print the equivalent configuration, and "
              "say for each line whether it was taken, and why not. With --write: "
              "DIR/turnpike.conf, and users and secrets in DIR/data. With --install, as root: "
              "where the installed systemd unit looks, readable for the unit's user, the "
              "certificate copied for it, and the service started; what is there and differs is "
              "kept unless --force is given. --root installs below DIR, and starts nothing"},
     cli_import},
    {{.name = "doctor",
      .args = {FLAG("stun", "HOST:PORT")},
      .help = "Check configuration, ports, addresses, certificate, limits, clock, kernel and data, "
              "and send packets through the relay over each transport; say what is wrong and what "
              "to change. --stun names an outside STUN server, to check the public address; "
              "without it, no other host is contacted. The exit status is 1 if a check fails"},
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

const struct verb *cli_verb_at(size_t i)
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

/* The findings of the configuration's loader. */
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
	for (size_t i = 0; (v = cli_verb_at(i)); i++)
		fprintf(out, "  %s%s%s\n      %s\n", v->name, *cli_usage(v, args) ? " " : "", args,
		        v->help);
	fputs("\nOptions, before or after the verb:\n", out);
	conf_print_help(out);
}

const struct verb *cli_find_verb(const char *const *words, int n, int *used)
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
	for (size_t i = 0; (v = cli_verb_at(i)); i++)
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
	struct conf_live live = {.conf = cli->conf, .sources = cli->sources, .input = &cli->input};
	int status;

	(void)why; /* it logs */
	status = serve_main(&live);
	cli->conf = live.conf;
	return status;
}

static void print_man(FILE *out)
{
	const struct verb *v;

	cli_print_man(out);
	for (size_t i = 0; (v = cli_verb_at(i)); i++)
		cli_print_man_verb(out, v);
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
	v = cli_find_verb(words, n, &used);
	if (!v || used != n)
		return unknown_verb(words, n, why);
	cli_print_verb(stdout, v);
	return 0;
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
	const char *words[CLI_WORDS_MAX];
	const struct local *local;
	const struct verb *v;
	int n, used = 0, status;

	p->err = conf_read(&argc, argv, envp, &cli->conf, &cli->sources, add_problem, p, &p->first);
	status = cli_parse(argc, argv, cli, words, &n, why);
	if (status)
		return status;
	v = cli->verb = cli_find_verb(words, n, &used);
	if (!v)
		return unknown_verb(words, n, why);
	status = cli_check_flags(cli, why);
	if (!status)
		status = cli_take_words(cli, words + used, n - used, why);
	if (status)
		return status;
	if (p->err && !runs(v, run_help))
		return print_problems(v, cli, p, why);
	/* The owner of the data directory may be hostile: read it with their rights. */
	if (!p->err && is_about_a_server(v) && rights_become_owner(cli->conf.data, why))
		return CLI_EXIT_FAIL;
	if (!p->err && is_about_a_server(v))
		conf_served_read(&cli->conf, cli->sources);
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
		const struct verb *v = cli_find_verb(words, 2, &used);

		if (v) {
			cli_print_verb(stdout, v);
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
	free(cli.sources);
	free(cli.input.argv);
	return status;
}
