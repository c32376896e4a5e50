/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command line: verbs, their help, and the dispatch to them.
 */
#include "daemon/cli/cli.h"

#include "base/rights.h"
#include "base/text.h"
#include "daemon/admin/admin.h"
#include "daemon/admin/admin_socket.h"
#include "daemon/cli/cli_internal.h"
#include "daemon/conf/conf_internal.h"
#include "daemon/conf/conf_served.h"
#include "daemon/import/import.h"
#include "daemon/metrics.h"
#include "daemon/serve.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct verb {
	const char *name; /* one word, or two */
	const char *args;
	unsigned flags; /* that it understands */
	int min, max;   /* words after it */
	int (*run)(struct cli *cli, struct why *why);
	const char *help;
};

static int run_serve(struct cli *cli, struct why *why);
static int run_help(struct cli *cli, struct why *why);

static const struct verb verbs[] = {
    {"serve", "", 0, 0, 0, run_serve, "Run the server in the foreground"},
    {"user add", "NAME [--password-stdin] [--json]",
     FLAG_PASSWORD_STDIN | FLAG_JSON | CHANGES_STORE, 1, 1, cli_user_add,
     "Add a TURN user to the realm; prints the password it made, once. With --password-stdin the "
     "password is read from standard input"},
    {"user list", "[--json]", FLAG_JSON, 0, 0, cli_user_list, "List name, realm and time made"},
    {"user del", "NAME", CHANGES_STORE, 1, 1, cli_user_del,
     "Delete a TURN user from the realm; his calls end"},
    {"user disable", "NAME", CHANGES_STORE, 1, 1, cli_user_disable,
     "Let a TURN user relay no more, and end his calls; he is kept"},
    {"user enable", "NAME", CHANGES_STORE, 1, 1, cli_user_enable,
     "Let a disabled TURN user relay again"},
    {"secret add", "[--value-stdin] [--json]", FLAG_VALUE_STDIN | FLAG_JSON | CHANGES_STORE, 0, 0,
     cli_secret_add,
     "Add a shared secret for time-limited credentials; prints the value it made, once. New "
     "credentials use the newest; all that are live verify"},
    {"secret list", "[--json]", FLAG_JSON, 0, 0, cli_secret_list,
     "List ID, state and times; never a value"},
    {"secret retire", "ID [--after SECONDS | --now] [--json]",
     FLAG_AFTER | FLAG_NOW | FLAG_JSON | CHANGES_STORE, 1, 1, cli_secret_retire,
     "Take no new allocations by credentials made with a secret, from this moment or after a time "
     "(90, 10m, 24h, 7d); until then it verifies, and new credentials use another. Lists the "
     "allocations that live on it, which go on. With --now they end within a second, also those of "
     "a "
     "secret that is retired already: for one that has leaked"},
    {"token add", "[LABEL] [--scope SCOPES] [--expires SECONDS] [--json]",
     FLAG_SCOPE | FLAG_EXPIRES | FLAG_JSON | CHANGES_STORE, 0, 1, cli_token_add,
     "Add a token for the HTTP API; prints it, once. It opens what its scopes say: issue "
     "(credentials), metrics, admin (everything), or several with commas between them; "
     "issue,metrics "
     "if none is given"},
    {"token list", "[--json]", FLAG_JSON, 0, 0, cli_token_list,
     "List ID, scopes, time made, end, last use and label"},
    {"token del", "ID", CHANGES_STORE, 1, 1, cli_token_del, "Delete a token"},
    {"account add", "NAME [--admin] [--password-stdin] [--json]",
     FLAG_ADMIN | FLAG_PASSWORD_STDIN | FLAG_JSON | CHANGES_STORE, 1, 1, cli_account_add,
     "Add somebody who may sign in to the status page; prints the password it made, once"},
    {"account list", "[--json]", FLAG_JSON, 0, 0, cli_account_list,
     "List name, role and time made"},
    {"account password", "NAME [--password-stdin] [--json]",
     FLAG_PASSWORD_STDIN | FLAG_JSON | CHANGES_STORE, 1, 1, cli_account_password,
     "Give an account a new password; prints the one it made, once"},
    {"account del", "NAME", CHANGES_STORE, 1, 1, cli_account_del, "Delete an account"},
    {"revoke", "USERNAME | --user NAME", FLAG_USER | CHANGES_STORE, 0, 1, cli_revoke,
     "Revoke one time-limited credential (EXPIRY:NAME), or all that a user was given before now; "
     "static users of that name are disabled. Their calls end within a second"},
    {"unrevoke", "USERNAME | --user NAME", FLAG_USER | CHANGES_STORE, 0, 1, cli_unrevoke,
     "Undo a revocation"},
    {"revocations", "[--json]", FLAG_JSON, 0, 0, cli_revocations,
     "List what is revoked, since when and until when it matters"},
    {"usage", "[--user NAME] [--from DAY] [--to DAY] [--json]",
     FLAG_USER | FLAG_FROM | FLAG_TO | FLAG_JSON, 0, 0, cli_usage,
     "Show who relayed how much on which day (UTC, YYYY-MM-DD); idle allocations are those that "
     "relayed nothing"},
    {"audit", "[--last N] [--json]", FLAG_LAST | FLAG_JSON, 0, 0, cli_audit,
     "List who changed what, the latest last"},
    {"backup", "FILE", 0, 1, 1, cli_backup,
     "Copy the database into a new file, while a server runs or not; the copy is checked"},
    {"restore", "FILE", 0, 1, 1, cli_restore,
     "Put a backup in the place of the database, which is kept beside it; no server may run"},
    {"credentials", "NAME [--ttl SECONDS]", FLAG_TTL | FLAG_JSON, 1, 1, cli_credentials,
     "Print a time-limited credential and the iceServers for a client, as JSON"},
    {"link", "[--json]", FLAG_JSON, 0, 0, cli_link,
     "Make a link to the call page of the running server. It lets the first browser (or profile) "
     "that opens it in as a guest, without an API token, for a week or until the server stops; it "
     "is good for an hour"},
    {"metrics", "", 0, 0, 0, cli_metrics, "Print what the running server says at /metrics"},
    {"status", "[--json]", FLAG_JSON, 0, 0, cli_status, "Say what the running server carries"},
    {"sessions", "[--user NAME] [--secret ID] [--json]", FLAG_USER | FLAG_SECRET | FLAG_JSON, 0, 0,
     cli_sessions,
     "List the allocations that live on the running server, the newest first; of a user, or opened "
     "with a shared secret"},
    {"close", "ID [--json]", FLAG_JSON, 1, 1, cli_close, "End an allocation of the running server"},
    {"calls", "[--json]", FLAG_JSON, 0, 0, cli_calls,
     "List the last calls that were signaled through the running server, the newest first"},
    {"explain", "SESSION | --user NAME | --call ID [--json]", FLAG_USER | FLAG_CALL | FLAG_JSON, 0,
     1, cli_explain,
     "Tell what happened to a session, to a user's last ones, or in a call: signaling and TURN in "
     "one "
     "timeline, and a verdict in plain words"},
    {"drain cancel", "[--json]", FLAG_JSON, 0, 0, cli_drain_cancel,
     "Have a draining server take new allocations again"},
    {"drain", "[--json]", FLAG_JSON, 0, 0, cli_drain,
     "Have the running server take no new allocations; those that there are go on, and it does not "
     "stop"},
    {"log-level", "error|warn|info|debug [--json]", FLAG_JSON, 1, 1, cli_log_level,
     "Change what the running server logs, until its next reload or start"},
    {"check-config", "[--json]", FLAG_JSON, 0, 0, cli_check,
     "Say every problem of the configuration, of the files that it names and of the database, for "
     "which a start would be refused, or ok; and warn of a certificate that no client takes"},
    {"config", "[--json]", FLAG_JSON, 0, 0, cli_config,
     "Show the settings in effect and where each came from; secrets are masked"},
    {"reload", "[--json]", FLAG_JSON, 0, 0, cli_reload,
     "Have the server on the data directory read its configuration and its certificate again; says "
     "what has changed, what needs a restart, or why it was refused"},
    {"health", "[--json]", FLAG_JSON, 0, 0, cli_health,
     "Ask the server that runs with these settings whether it is well; for health checks"},
    {"import-coturn", "FILE [--userdb FILE] [--write DIR | --install [--force] [--root DIR]]",
     FLAG_USERDB | FLAG_WRITE | FLAG_INSTALL | FLAG_FORCE | FLAG_ROOT, 1, 1, cli_import,
     "Print the configuration that a turnserver.conf (and its turndb) stands for, and say line by "
     "line what was taken and what was not, and why. With --write: DIR/turnpike.conf, and users "
     "and secrets in DIR/data. With --install, as root: where the installed systemd unit looks, "
     "readable for the unit's user, the certificate copied for it, and the service started; what "
     "is "
     "there and differs is kept unless --force is given. --root installs below DIR, and starts "
     "nothing"},
    {"doctor", "[--stun HOST:PORT] [--json]", FLAG_STUN | FLAG_JSON, 0, 0, cli_doctor,
     "Check configuration, ports, addresses, certificate, limits, clock, kernel and data, and call "
     "through the relay over each transport; says what is wrong and what to change. --stun names a "
     "STUN server outside, to compare the public address with; nobody is asked without it. Exit "
     "status 1 when something fails"},
    {"help", "[VERB | config | man | man5 | markdown | admin | metrics | coturn]", 0, 0, 2,
     run_help,
     "Explain a verb, print a configuration file with every default, or the manual pages"},
};
#define VERB_N (sizeof(verbs) / sizeof(*verbs))

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
	fputs("usage: turnpike [OPTION ...] VERB [ARGUMENT ...]\n\nVerbs:\n", out);
	for (size_t i = 0; i < VERB_N; i++)
		fprintf(out, "  %s%s%s\n      %s\n", verbs[i].name, *verbs[i].args ? " " : "",
		        verbs[i].args, verbs[i].help);
	fputs("\nOptions, before or after the verb:\n", out);
	conf_print_help(out);
}

static void print_verb(FILE *out, const struct verb *v)
{
	fprintf(out, "usage: turnpike [OPTION ...] %s %s\n\n%s.\nOptions: see turnpike --help.\n",
	        v->name, v->args, v->help);
}

/* The verb that words begin with; *used is how many of them it takes. A group without its second
 * word ("user") matches nothing. */
static const struct verb *find_verb(const char *const *words, int n, int *used)
{
	size_t len;

	if (!n)
		return NULL;
	len = strlen(words[0]);
	for (size_t i = 0; i < VERB_N; i++) {
		const char *name = verbs[i].name;

		if (!strcmp(name, words[0])) {
			*used = 1;
			return &verbs[i];
		}
		if (n > 1 && !strncmp(name, words[0], len) && name[len] == ' ' &&
		    !strcmp(name + len + 1, words[1])) {
			*used = 2;
			return &verbs[i];
		}
	}
	return NULL;
}

static int unknown_verb(const char *const *words, int n, struct why *why)
{
	size_t len, at = 0;
	char list[128] = "";

	if (!n)
		return why_set(why, CLI_EXIT_USE, "no verb: write turnpike VERB, see --help");
	len = strlen(words[0]);
	for (size_t i = 0; i < VERB_N; i++)
		if (!strncmp(verbs[i].name, words[0], len) && verbs[i].name[len] == ' ')
			at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", at ? ", " : "",
			                       verbs[i].name);
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
	cli_print_man(out);
	for (size_t i = 0; i < VERB_N; i++)
		cli_print_man_verb(out, verbs[i].name, verbs[i].args, verbs[i].help);
	conf_print_man(out);
	cli_print_man_end(out);
}

static int run_help(struct cli *cli, struct why *why)
{
	static const struct {
		const char *name;
		void (*print)(FILE *out);
	} texts[] = {{"config", conf_print_example},     {"man", print_man},
	             {"man5", conf_print_man5},          {"markdown", conf_print_markdown},
	             {"admin", admin_print_markdown},    {"metrics", metrics_print_markdown},
	             {"coturn", import_print_directives}};
	const struct verb *v;
	int used;

	if (!cli->word_n) {
		print_usage(stdout);
		return 0;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (cli->word_n == 1 && !strcmp(cli->words[0], texts[i].name)) {
			texts[i].print(stdout);
			return 0;
		}
	}
	v = find_verb(cli->words, cli->word_n, &used);
	if (!v || used != cli->word_n)
		return unknown_verb(cli->words, cli->word_n, why);
	print_verb(stdout, v);
	return 0;
}

int cli_print_json(json_t *value, struct why *why)
{
	/* Nothing in it commands a terminal. */
	const size_t flags = JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII;
	char *text = value ? json_dumps(value, flags) : NULL;

	json_decref(value);
	if (!text)
		return why_set(why, CLI_EXIT_FAIL, "out of memory");
	puts(text);
	free(text);
	return 0;
}

static const struct flag {
	const char *name;
	unsigned flag;
	size_t value; /* offset of a const char * in struct cli; 0: it takes none */
	const char *metavar;
} flag_names[] = {
    {"--json", FLAG_JSON, 0, ""},
    {"--password-stdin", FLAG_PASSWORD_STDIN, 0, ""},
    {"--value-stdin", FLAG_VALUE_STDIN, 0, ""},
    {"--admin", FLAG_ADMIN, 0, ""},
    {"--now", FLAG_NOW, 0, ""},
    {"--secret", FLAG_SECRET, offsetof(struct cli, secret), "ID"},
    {"--ttl", FLAG_TTL, offsetof(struct cli, ttl), "SECONDS"},
    {"--after", FLAG_AFTER, offsetof(struct cli, after), "SECONDS"},
    {"--user", FLAG_USER, offsetof(struct cli, user), "NAME"},
    {"--from", FLAG_FROM, offsetof(struct cli, from), "DAY"},
    {"--to", FLAG_TO, offsetof(struct cli, to), "DAY"},
    {"--scope", FLAG_SCOPE, offsetof(struct cli, scope), "SCOPES"},
    {"--expires", FLAG_EXPIRES, offsetof(struct cli, expires), "SECONDS"},
    {"--userdb", FLAG_USERDB, offsetof(struct cli, userdb), "FILE"},
    {"--write", FLAG_WRITE, offsetof(struct cli, write), "DIR"},
    {"--install", FLAG_INSTALL, 0, ""},
    {"--force", FLAG_FORCE, 0, ""},
    {"--root", FLAG_ROOT, offsetof(struct cli, root), "DIR"},
    {"--call", FLAG_CALL, offsetof(struct cli, call), "ID"},
    {"--last", FLAG_LAST, offsetof(struct cli, last), "N"},
    {"--stun", FLAG_STUN, offsetof(struct cli, stun), "HOST:PORT"},
};
#define FLAG_N (sizeof(flag_names) / sizeof(*flag_names))

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

/* The flag that arg names; *value gets what stands behind a "=". */
static const struct flag *find_flag(char *arg, const char **value)
{
	size_t len = strcspn(arg, "=");

	*value = arg[len] ? arg + len + 1 : NULL;
	for (size_t k = 0; k < FLAG_N; k++)
		if (strlen(flag_names[k].name) == len && !memcmp(arg, flag_names[k].name, len) &&
		    (!*value || flag_names[k].value))
			return &flag_names[k];
	return NULL;
}

/* Sorts what the configuration left of argv into flags and words, which begin with the verb. */
static int parse_rest(int argc, char **argv, struct cli *cli, const char **words, int *word_n,
                      struct why *why)
{
	bool options = true;

	*word_n = 0;
	for (int i = 1; i < argc; i++) {
		const struct flag *flag;
		const char *value;

		if (!options || argv[i][0] != '-' || !argv[i][1]) {
			if (*word_n == CLI_WORDS_MAX)
				return why_set(why, CLI_EXIT_USE,
				               "\"%.64s\" is one argument too many", argv[i]);
			words[(*word_n)++] = argv[i];
			continue;
		}
		if (!strcmp(argv[i], "--")) {
			options = false;
			continue;
		}
		flag = find_flag(argv[i], &value);
		if (!flag)
			return unknown_flag(argv[i], why);
		if (flag->value && !value) {
			if (i + 1 == argc)
				return why_set(why, CLI_EXIT_USE,
				               "%s: the value is missing: write %s %s", flag->name,
				               flag->name, flag->metavar);
			value = argv[++i];
		}
		if (flag->value)
			*(const char **)((char *)cli + flag->value) = value;
		cli->flags |= flag->flag;
	}
	return 0;
}

static int check_usage(const struct verb *v, const struct cli *cli, struct why *why)
{
	for (size_t k = 0; k < FLAG_N; k++)
		if (cli->flags & ~v->flags & flag_names[k].flag)
			return why_set(why, CLI_EXIT_USE,
			               "%s does not take %s: write turnpike %s %s", v->name,
			               flag_names[k].name, v->name, v->args);
	if (cli->word_n < v->min)
		return why_set(why, CLI_EXIT_USE,
		               "%s: an argument is missing: write turnpike %s %s", v->name, v->name,
		               v->args);
	if (cli->word_n > v->max)
		return why_set(why, CLI_EXIT_USE,
		               "%s: \"%.64s\" is one argument too many: write turnpike %s %s",
		               v->name, cli->words[v->max], v->name, v->args);
	return 0;
}

/* The configuration is wrong: check-config says all of it, any other verb the first. */
static int print_problems(const struct verb *v, const struct cli *cli, const struct problems *p,
                          struct why *why)
{
	json_t *text;
	size_t i;

	if (v->run != cli_check && v->run != cli_doctor) {
		*why = p->first;
		return p->err == -E_INVAL ? CLI_EXIT_USE : CLI_EXIT_FAIL;
	}
	if (cli->flags & FLAG_JSON) {
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
	return v->run != run_serve && v->run != cli_check && v->run != cli_import;
}

void cli_tell_server(const struct cli *cli)
{
	json_t *result = NULL;
	struct why why;

	if (!admin_ask(cli->conf.data, "heed", NULL, &result, &why))
		json_decref(result);
}

static int run(int argc, char **argv, char *const *envp, struct cli *cli, struct problems *p,
               struct why *why)
{
	const char *words[CLI_WORDS_MAX + 1];
	const struct verb *v;
	int n, used = 0, status;

	p->err = conf_read(&argc, argv, envp, &cli->conf, &cli->origins, add_problem, p, &p->first);
	status = parse_rest(argc, argv, cli, words, &n, why);
	if (status)
		return status;
	v = find_verb(words, n, &used);
	if (!v)
		return unknown_verb(words, n, why);
	for (int i = used; i < n; i++)
		cli->words[cli->word_n++] = words[i];
	status = check_usage(v, cli, why);
	if (status)
		return status;
	if (p->err && v->run != run_help)
		return print_problems(v, cli, p, why);
	/* What lies in the data directory is its owner's, who may not be meant well by. */
	if (!p->err && is_about_a_server(v) && rights_become_owner(cli->conf.data, why))
		return CLI_EXIT_FAIL;
	if (!p->err && is_about_a_server(v))
		conf_served_read(&cli->conf, cli->origins);
	status = v->run(cli, why);
	if (!status && v->flags & CHANGES_STORE)
		cli_tell_server(cli);
	return status;
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
