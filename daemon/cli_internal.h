/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the verbs share.
 */
#ifndef DAEMON_CLI_INTERNAL_H
#define DAEMON_CLI_INTERNAL_H

#include "daemon/conf_reload.h"

#include <jansson.h>
#include <stdbool.h>

#define CLI_WORDS_MAX 4
#define CLI_EXIT_FAIL 1
#define CLI_EXIT_USE  2

enum {
	FLAG_JSON = 1 << 0,
	FLAG_PASSWORD_STDIN = 1 << 1,
	FLAG_VALUE_STDIN = 1 << 2,
	FLAG_TTL = 1 << 3,
};

/* A parsed command. */
struct cli {
	struct conf conf;
	struct conf_origin *origins;      /* of conf's values */
	struct conf_input input;          /* of both */
	const char *words[CLI_WORDS_MAX]; /* what follows the verb */
	int word_n;
	unsigned flags; /* that were given */
	const char *ttl;
};

/* A verb returns an exit status; other than 0 it sets why. */

int cli_user_add(struct cli *cli, struct why *why);
int cli_user_list(struct cli *cli, struct why *why);
int cli_user_del(struct cli *cli, struct why *why);
int cli_secret_add(struct cli *cli, struct why *why);
int cli_secret_list(struct cli *cli, struct why *why);
int cli_secret_retire(struct cli *cli, struct why *why);
int cli_token_add(struct cli *cli, struct why *why);
int cli_token_list(struct cli *cli, struct why *why);
int cli_token_del(struct cli *cli, struct why *why);
int cli_check(struct cli *cli, struct why *why);
int cli_config(struct cli *cli, struct why *why);
int cli_reload(struct cli *cli, struct why *why);
int cli_credentials(struct cli *cli, struct why *why);

/* The parts of the manual page around the options, in roff. */
void cli_print_man(FILE *out);
void cli_print_man_verb(FILE *out, const char *name, const char *args, const char *help);
void cli_print_man_end(FILE *out);

/* Prints and releases value, which may be NULL (out of memory). Exit status. */
int cli_print_json(json_t *value, struct why *why);

#endif
