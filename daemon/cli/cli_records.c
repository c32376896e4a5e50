/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verbs on what the store keeps besides users, secrets and tokens:
 * accounts, revocations, usage, the audit, and the file itself.
 */
#include "daemon/admin/admin_socket.h"
#include "daemon/cli/cli_internal.h"
#include "daemon/conf/conf_internal.h"
#include "store/account.h"
#include "store/audit.h"
#include "store/backup.h"
#include "store/name.h"
#include "store/revoke.h"
#include "store/usage.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096

/* ---- account ---- */

/* The password of standard input, or a new one. */
static int get_password(struct cli *cli, char *buf, size_t cap, struct why *why)
{
	if (cli->flags & FLAG_PASSWORD_STDIN)
		return cli_read_stdin(buf, cap, "the password", why);
	if (store_make_password(buf))
		return why_set(why, CLI_EXIT_FAIL, "the system gives no random numbers");
	return 0;
}

static int tell_account(struct cli *cli, const char *done, const char *password, struct why *why)
{
	bool given = cli->flags & FLAG_PASSWORD_STDIN;

	if (cli->flags & FLAG_JSON)
		return cli_print_json(json_pack("{ssss*}", "name", cli->words[0], "password",
		                                given ? NULL : password),
		                      why);
	fprintf(stderr, "account %s %s%s\n", cli->words[0], done,
	        given ? "" : "; the password is shown this once:");
	if (!given)
		printf("%s\n", password);
	return 0;
}

int cli_account_add(struct cli *cli, struct why *why)
{
	enum store_role role = cli->flags & FLAG_ADMIN ? STORE_ROLE_ADMIN : STORE_ROLE_USER;
	char password[PASSWORD_MAX_LEN + 3];
	struct store *s = NULL;
	int status = get_password(cli, password, sizeof(password), why);

	if (!status)
		status = cli_open_store(cli, true, &s, why);
	if (!status && store_account_add(s, cli->words[0], password, role, why))
		status = CLI_EXIT_FAIL;
	if (!status)
		status = tell_account(cli, role == STORE_ROLE_ADMIN ? "added, an admin" : "added",
		                      password, why);
	OPENSSL_cleanse(password, sizeof(password));
	store_close(s);
	return status;
}

int cli_account_password(struct cli *cli, struct why *why)
{
	char password[PASSWORD_MAX_LEN + 3];
	struct store *s = NULL;
	int status = get_password(cli, password, sizeof(password), why);

	if (!status)
		status = cli_open_store(cli, false, &s, why);
	if (!status && store_account_set_password(s, cli->words[0], password, why))
		status = CLI_EXIT_FAIL;
	if (!status)
		status = tell_account(cli, "has a new password", password, why);
	OPENSSL_cleanse(password, sizeof(password));
	store_close(s);
	return status;
}

static int each_account(void *ctx, const struct store_account *a)
{
	struct listing *l = ctx;
	char when[CLI_TIME_STRLEN];

	cli_time(a->created_at_s, when);
	if (l->rows)
		return cli_add_row(l, json_pack("{ssssss}", "name", a->name, "role",
		                                store_role_text(a->role), "created_at", when));
	l->n++;
	printf("%s\t%s\t%s\n", cli_shown(a->name), store_role_text(a->role), when);
	return 0;
}

int cli_account_list(struct cli *cli, struct why *why)
{
	struct store *s = NULL;
	struct listing l;
	int status = cli_start_list(cli, &l, &s, why);

	if (!status && store_account_list(s, each_account, &l, why))
		status = CLI_EXIT_FAIL;
	return cli_end_list(&l, s, status, "no accounts", why);
}

static int count_admin(void *ctx, const struct store_account *a)
{
	*(unsigned *)ctx += a->role == STORE_ROLE_ADMIN;
	return 0;
}

int cli_account_del(struct cli *cli, struct why *why)
{
	unsigned admins = 0;
	struct store *s;
	int status = cli_open_store(cli, false, &s, why);

	if (status)
		return status;
	if (store_account_del(s, cli->words[0], false, why))
		status = CLI_EXIT_FAIL;
	else
		fprintf(stderr, "account %s deleted\n", cli_shown(cli->words[0]));
	if (!status && !store_account_list(s, count_admin, &admins, NULL) && !admins)
		fprintf(stderr, "no account of role admin is left: turnpike account add NAME "
		                "--admin makes one\n");
	store_close(s);
	return status;
}

/* ---- revoke ---- */

static int check_whom(struct cli *cli, const char *verb, struct why *why)
{
	if (!cli->user == !cli->word_n)
		return why_set(why, CLI_EXIT_USE,
		               "%s: whom? write turnpike %s EXPIRY:NAME for one credential, or "
		               "turnpike %s --user NAME for all of a user",
		               verb, verb, verb);
	return 0;
}

/* How long what was given out may last: the server knows best, whose configuration this may not be.
 * Without one, as long as any may. */
static int64_t horizon(const struct cli *cli)
{
	struct why why;
	json_t *all = NULL;
	const char *value;
	int64_t s = 0;

	if (!admin_ask(cli->conf.data, "config", NULL, &all, &why)) {
		value = json_string_value(
		    json_object_get(json_object_get(all, "max_credential_ttl"), "value"));
		s = value ? strtoll(value, NULL, 10) : 0;
	}
	json_decref(all);
	return s > 0 ? s : conf_options[OPTION_max_credential_ttl].max;
}

int cli_revoke(struct cli *cli, struct why *why)
{
	unsigned disabled = 0;
	struct store *s = NULL;
	int status = check_whom(cli, "revoke", why);

	if (!status)
		status = cli_open_store(cli, false, &s, why);
	if (status)
		return status;
	if (cli->user ? store_revoke_user(s, cli->user, horizon(cli), &disabled, why)
	              : store_revoke_credential(s, cli->words[0], why))
		status = CLI_EXIT_FAIL;
	else if (!cli->user)
		fprintf(stderr, "credential %s revoked\n", cli_shown(cli->words[0]));
	else
		fprintf(stderr, "all credentials of %s revoked%s\n", cli_shown(cli->user),
		        disabled ? "; the static user of that name is disabled" : "");
	store_close(s);
	return status;
}

int cli_unrevoke(struct cli *cli, struct why *why)
{
	struct store *s = NULL;
	int status = check_whom(cli, "unrevoke", why);

	if (!status)
		status = cli_open_store(cli, false, &s, why);
	if (status)
		return status;
	if (cli->user ? store_unrevoke_user(s, cli->user, why)
	              : store_unrevoke_credential(s, cli->words[0], why))
		status = CLI_EXIT_FAIL;
	else
		fprintf(stderr, "%s is no longer revoked\n",
		        cli_shown(cli->user ? cli->user : cli->words[0]));
	store_close(s);
	return status;
}

static int each_revocation(void *ctx, const struct store_revocation *r)
{
	const char *what = r->what == STORE_REVOKED_USER ? "user" : "credential";
	char when[CLI_TIME_STRLEN], until[CLI_TIME_STRLEN];
	struct listing *l = ctx;

	cli_time(r->revoked_at_s, when);
	cli_time(r->until_s, until);
	if (l->rows)
		return cli_add_row(l, json_pack("{ssssssss}", what, r->name, "what", what,
		                                "revoked_at", when, "until", until));
	l->n++;
	printf("%s\t%s\t%s\tuntil %s\n", what, cli_shown(r->name), when, until);
	return 0;
}

int cli_revocations(struct cli *cli, struct why *why)
{
	struct store *s = NULL;
	struct listing l;
	int status = cli_start_list(cli, &l, &s, why);

	if (!status && store_revocation_list(s, each_revocation, &l, why))
		status = CLI_EXIT_FAIL;
	return cli_end_list(&l, s, status, "nothing is revoked", why);
}

/* ---- usage and audit ---- */

static int each_usage(void *ctx, const struct store_usage *u)
{
	struct listing *l = ctx;
	char day[USAGE_DAY_STRLEN];
	json_t *row;

	store_day_text(u->day, day);
	if (l->rows) {
		row = json_pack("{ssss}", "day", day, "user", u->user);
#define X(name)                                                                                    \
	if (row && strcmp(#name, "allocated_ms"))                                                  \
		json_object_set_new(row, #name, json_integer(u->n.name));
		USAGE_TABLE(X)
#undef X
		if (row)
			json_object_set_new(row, "allocated_s",
			                    json_integer((u->n.allocated_ms + 500) / 1000));
		return cli_add_row(l, row);
	}
	if (!l->n++)
		printf("%-10s  %-24s %8s %6s %6s %10s %9s %14s %14s\n", "day", "user", "sessions",
		       "idle", "allocs", "allocated", "relayed", "to peers", "to clients");
	printf("%-10s  %-24s %8" PRId64 " %6" PRId64 " %6" PRId64 " %8" PRId64 " s %7" PRId64
	       " s %12" PRId64 " B %12" PRId64 " B\n",
	       day, cli_shown(u->user), u->n.sessions, u->n.idle_allocations, u->n.allocations,
	       (u->n.allocated_ms + 500) / 1000, u->n.relayed_s, u->n.to_peer_bytes,
	       u->n.to_client_bytes);
	return 0;
}

int cli_usage(struct cli *cli, struct why *why)
{
	int64_t from = 0, to = INT64_C(1) << 32;
	struct store *s = NULL;
	struct listing l;
	int status;

	if ((cli->from && store_day_parse(cli->from, &from, why)) ||
	    (cli->to && store_day_parse(cli->to, &to, why)))
		return CLI_EXIT_USE;
	if (from > to)
		return why_set(why, CLI_EXIT_USE, "--from is later than --to: swap them");
	status = cli_start_list(cli, &l, &s, why);
	if (!status && store_usage_list(s, cli->user, from, to, each_usage, &l, why))
		status = CLI_EXIT_FAIL;
	return cli_end_list(&l, s, status, "no usage", why);
}

static int each_audit(void *ctx, const struct store_audit *a)
{
	struct listing *l = ctx;
	char when[CLI_TIME_STRLEN];

	cli_time(a->at_s, when);
	if (l->rows)
		return cli_add_row(l, json_pack("{sIssssssss}", "id", (json_int_t)a->id, "at", when,
		                                "actor", a->actor, "act", a->act, "object",
		                                a->object));
	l->n++;
	printf("%s\t%s\t%s\t%s\n", when, cli_shown(a->actor), cli_shown(a->act),
	       cli_shown(a->object));
	return 0;
}

int cli_audit(struct cli *cli, struct why *why)
{
	struct store *s = NULL;
	struct listing l;
	int64_t max = 0;
	int status = cli->last ? cli_parse_number("--last", cli->last, &max, why) : 0;

	if (status)
		return status;
	status = cli_start_list(cli, &l, &s, why);
	if (!status && store_audit_list(s, max, each_audit, &l, why))
		status = CLI_EXIT_FAIL;
	return cli_end_list(&l, s, status, "no acts", why);
}

/* ---- the file ---- */

int cli_backup(struct cli *cli, struct why *why)
{
	struct store *s;
	int status = cli_open_store(cli, false, &s, why);

	if (status)
		return status;
	if (store_backup(s, cli->words[0], why))
		status = CLI_EXIT_FAIL;
	else
		fprintf(stderr, "%s backed up to %s\n", store_path(s), cli->words[0]);
	store_close(s);
	return status;
}

int cli_restore(struct cli *cli, struct why *why)
{
	char kept[PATH_SIZE], actor[CLI_ACTOR_STRLEN];

	if (store_restore(cli->conf.data, cli->words[0], cli_actor(actor), kept, sizeof(kept), why))
		return CLI_EXIT_FAIL;
	fprintf(stderr, "%s restored%s%s\n", cli->words[0], *kept ? "; what was there is now " : "",
	        kept);
	return 0;
}
