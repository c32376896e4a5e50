/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the verbs share.
 */
#ifndef DAEMON_CLI_INTERNAL_H
#define DAEMON_CLI_INTERNAL_H

#include "daemon/conf/conf_reload.h"

#include <jansson.h>
#include <stdbool.h>

#define CLI_WORDS_MAX 4
#define CLI_EXIT_FAIL 1
#define CLI_EXIT_USE  2

enum {
	FLAG_JSON = 1 << 0,
	FLAG_STUN = 1 << 30,
	FLAG_PASSWORD_STDIN = 1 << 1,
	FLAG_VALUE_STDIN = 1 << 2,
	FLAG_TTL = 1 << 3,
	FLAG_AFTER = 1 << 4,
	FLAG_USER = 1 << 5,
	FLAG_FROM = 1 << 6,
	FLAG_TO = 1 << 7,
	FLAG_SCOPE = 1 << 8,
	FLAG_EXPIRES = 1 << 9,
	FLAG_ADMIN = 1 << 10,
	FLAG_LAST = 1 << 11,
	FLAG_USERDB = 1 << 12,
	FLAG_WRITE = 1 << 13,
	FLAG_CALL = 1 << 20,
	FLAG_NOW = 1 << 22,
	FLAG_SECRET = 1 << 23,
	FLAG_INSTALL = 1 << 24,
	FLAG_ROOT = 1 << 25,
	FLAG_FORCE = 1 << 26,
	CHANGES_STORE = 1 << 21, /* no flag: such a verb has a running server heed it */
};

struct store;
struct store_options;

/* A parsed command. */
struct cli {
	struct conf conf;
	struct conf_origin *origins;      /* of conf's values */
	struct conf_input input;          /* of both */
	const char *words[CLI_WORDS_MAX]; /* what follows the verb */
	int word_n;
	unsigned flags; /* that were given */
	/* their values, where they have one */
	const char *stun;
	const char *ttl, *after, *user, *from, *to, *scope, *expires, *last, *userdb, *write, *call,
	    *secret, *root;
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
int cli_user_disable(struct cli *cli, struct why *why);
int cli_user_enable(struct cli *cli, struct why *why);
int cli_account_add(struct cli *cli, struct why *why);
int cli_account_list(struct cli *cli, struct why *why);
int cli_account_del(struct cli *cli, struct why *why);
int cli_account_password(struct cli *cli, struct why *why);
int cli_revoke(struct cli *cli, struct why *why);
int cli_unrevoke(struct cli *cli, struct why *why);
int cli_revocations(struct cli *cli, struct why *why);
int cli_usage(struct cli *cli, struct why *why);
int cli_audit(struct cli *cli, struct why *why);
int cli_backup(struct cli *cli, struct why *why);
int cli_restore(struct cli *cli, struct why *why);
int cli_check(struct cli *cli, struct why *why);
int cli_config(struct cli *cli, struct why *why);
int cli_import(struct cli *cli, struct why *why);
int cli_doctor(struct cli *cli, struct why *why);
int cli_reload(struct cli *cli, struct why *why);
int cli_health(struct cli *cli, struct why *why);
int cli_link(struct cli *cli, struct why *why);
int cli_metrics(struct cli *cli, struct why *why);
int cli_status(struct cli *cli, struct why *why);
int cli_sessions(struct cli *cli, struct why *why);
int cli_close(struct cli *cli, struct why *why);
int cli_drain(struct cli *cli, struct why *why);
int cli_drain_cancel(struct cli *cli, struct why *why);
int cli_log_level(struct cli *cli, struct why *why);
int cli_explain(struct cli *cli, struct why *why);
int cli_calls(struct cli *cli, struct why *why);
int cli_credentials(struct cli *cli, struct why *why);

/* The parts of the manual page around the options, in roff. */
void cli_print_man(FILE *out);
void cli_print_man_verb(FILE *out, const char *name, const char *args, const char *help);
void cli_print_man_end(FILE *out);

/* ---- what the verbs on the store share (cli_store.c) ---- */

#define CLI_TIME_STRLEN  32
#define CLI_ACTOR_STRLEN 32

/* "2026-11-22T13:14:15Z" */
const char *cli_time(int64_t when_s, char buf[CLI_TIME_STRLEN]);

/* Whoever runs this, for the audit. */
const char *cli_actor(char buf[CLI_ACTOR_STRLEN]);

/* Exit status. make: makes the store where there is none. */
int cli_open_store(struct cli *cli, bool make, struct store **s, struct why *why);

/* A number as "secret list" shows it. */
int cli_parse_id(const char *text, const char *list, int64_t *id, struct why *why);

/* Asks the running server for all sessions of a user (NULL: anybody's) and of a secret (0: any).
 * Exit status; *out is a new array then. Says on standard error when some are missing. */
int cli_get_sessions(struct cli *cli, const char *user, int64_t secret, json_t **out,
                     struct why *why);
void cli_print_sessions(const json_t *sessions);

/* Has a running server look at the store now: it does so ten times a second. */
void cli_tell_server(const struct cli *cli);

/* Text from the store or the server, so that it commands no terminal (base/text.h). Of the last
 * CLI_SHOWN_N calls: no line prints more. */
#define CLI_SHOWN_N 4
const char *cli_shown(const char *text);

/* One line: all of standard input, without its newline. */
int cli_read_stdin(char *buf, size_t cap, const char *what, struct why *why);

/* "30", "45s", "10m", "24h" or "7d"; name is the flag's. */
int cli_parse_seconds(const char *name, const char *text, int64_t *out, struct why *why);
int cli_parse_number(const char *name, const char *text, int64_t *out, struct why *why);

/* One row of any list: as a line, or into rows. */
struct listing {
	json_t *rows; /* NULL: print lines */
	size_t n;
};

int cli_start_list(struct cli *cli, struct listing *l, struct store **s, struct why *why);
int cli_add_row(struct listing *l, json_t *row);
int cli_end_list(struct listing *l, struct store *s, int status, const char *none, struct why *why);

/* Prints and releases value, which may be NULL (out of memory). Exit status. */
int cli_print_json(json_t *value, struct why *why);

#endif
