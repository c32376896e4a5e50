/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the verbs.
 */
#ifndef DAEMON_CLI_INTERNAL_H
#define DAEMON_CLI_INTERNAL_H

#include "daemon/admin/verb.h"
#include "daemon/conf/conf_reload.h"

#include <jansson.h>
#include <stdbool.h>

#define CLI_GIVEN_MAX    12
#define CLI_ACTOR_STRLEN 32
#define CLI_EXIT_FAIL    1
#define CLI_EXIT_USE     2

struct store;

/* A parsed command. */
struct cli {
	struct conf conf;
	struct conf_source *sources; /* of conf's values */
	struct conf_input input;     /* of both */
	const struct verb *verb;
	bool json;
	struct {
		const struct verb_arg *arg;
		const char *text;
	} given[CLI_GIVEN_MAX];
	int given_n;
	char actor[CLI_ACTOR_STRLEN];
};

/* "serve", the verbs of administration, and the other local ones. NULL past the last. */
const struct verb *cli_verb_at(size_t i);

/* The verb at the start of words; *used is its number of words. A group without its second word
 * ("user") matches nothing. */
const struct verb *cli_find_verb(const char *const *words, int n, int *used);

/* ---- words and flags (cli_args.c) ---- */

#define CLI_USAGE_MAX 320
#define CLI_WORDS_MAX 5 /* a verb of two, and three more */

/* "NAME [--password-stdin] [--json]" */
const char *cli_usage(const struct verb *v, char out[CLI_USAGE_MAX]);
void cli_print_verb(FILE *out, const struct verb *v);

/* Prints the arguments' meanings: format prints the flag or the word, and the sentence without a
 * full stop. */
void cli_print_args(FILE *out, const struct verb *v, const char *format);

/* Sorts the rest of argv, after the configuration's flags, into flags and words, which begin with
 * the verb. Then the second checks the flags and takes the words after the verb. Each returns an
 * exit status. */
int cli_parse(int argc, char **argv, struct cli *cli, const char **words, int *word_n,
              struct why *why);
int cli_check_flags(const struct cli *cli, struct why *why);
int cli_take_words(struct cli *cli, const char *const *words, int n, struct why *why);

/* An argument's text, NULL if it was not given. */
const char *cli_text(const struct cli *cli, const char *name);

/* A verb returns an exit status; other than 0 it sets why. */

int cli_run_verb(struct cli *cli, struct why *why); /* any of daemon/admin/verb.h */
int cli_backup(struct cli *cli, struct why *why);
int cli_restore(struct cli *cli, struct why *why);
int cli_check(struct cli *cli, struct why *why);
int cli_config(struct cli *cli, struct why *why);
int cli_import(struct cli *cli, struct why *why);
int cli_doctor(struct cli *cli, struct why *why);
int cli_health(struct cli *cli, struct why *why);
int cli_credentials(struct cli *cli, struct why *why);

/* The parts of the manual page around the options, in roff. */
void cli_print_man(FILE *out);
void cli_print_man_verb(FILE *out, const struct verb *v);
void cli_print_man_end(FILE *out);

/* The user that runs this, for the audit. */
const char *cli_actor(char buf[CLI_ACTOR_STRLEN]);

/* Returns an exit status. make: makes a missing store. */
int cli_open_store(struct cli *cli, bool make, struct store **s, struct why *why);

/* A printable form of text from the store or the server, so that it cannot control the terminal
 * (base/text.h). The last CLI_SHOWN_N results stay valid: no line prints more. */
#define CLI_SHOWN_N 4
const char *cli_shown(const char *text);

/* Prints a verb's answer for people. */
void cli_print_answer(const struct verb *v, const json_t *answer);

/* Prints and releases value, which may be NULL (out of memory). Exit status. */
int cli_print_json(json_t *value, struct why *why);

#endif
