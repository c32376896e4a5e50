/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verbs on the store. They open it themselves, so they work whether or
 * not a server runs. What is to be kept secret is printed alone on standard
 * output; the words about it go to standard error.
 */
#include "base/text.h"
#include "daemon/cli/cli_internal.h"
#include "daemon/setup.h"
#include "store/name.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHOWN_SIZE 4096

const char *cli_time(int64_t when_s, char buf[CLI_TIME_STRLEN])
{
	time_t t = (time_t)when_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, CLI_TIME_STRLEN, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(buf, CLI_TIME_STRLEN, "?");
	return buf;
}

const char *cli_shown(const char *text)
{
	static char shown[CLI_SHOWN_N][SHOWN_SIZE];
	static unsigned next;
	char *out = shown[next++ % CLI_SHOWN_N];

	text_show(out, SHOWN_SIZE, text, strlen(text), TEXT_AGAIN);
	return out;
}

const char *cli_actor(char buf[CLI_ACTOR_STRLEN])
{
	snprintf(buf, CLI_ACTOR_STRLEN, "cli uid %u", (unsigned)getuid());
	return buf;
}

int cli_parse_number(const char *name, const char *text, int64_t *out, struct why *why)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || text[digits] || digits > 12)
		return why_set(why, CLI_EXIT_USE, "%s: \"%.64s\" is not a number", name, text);
	*out = strtoll(text, NULL, 10);
	return 0;
}

int cli_parse_seconds(const char *name, const char *text, int64_t *out, struct why *why)
{
	static const struct {
		const char *unit;
		int64_t s;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	size_t digits = strspn(text, "0123456789");

	for (size_t i = 0; digits && digits < 10 && i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(text + digits, units[i].unit) != 0)
			continue;
		*out = strtoll(text, NULL, 10) * units[i].s;
		return 0;
	}
	return why_set(why, CLI_EXIT_USE,
	               "%s: \"%.64s\" is not a time: write seconds, or 10m, 24h, 7d", name, text);
}

/* Who only looks does not make a store in a mistyped directory. */
int cli_open_store(struct cli *cli, bool make, struct store **s, struct why *why)
{
	const struct store_options options = {.must_exist = !make};
	char actor[CLI_ACTOR_STRLEN], path[PATH_MAX];
	bool is_new;

	snprintf(path, sizeof(path), "%s/turnpike.db", cli->conf.data);
	is_new = access(path, F_OK) && errno == ENOENT;
	if (store_open(cli->conf.data, &options, s, why))
		return CLI_EXIT_FAIL;
	store_set_actor(*s, cli_actor(actor));
	/* Before the first start that is right; else it went to where nobody looks. */
	if (is_new)
		fprintf(stderr,
		        "turnpike: %s is new: name the directory of the server's with --data (or "
		        "its file with --config) if that is another\n",
		        path);
	return 0;
}

/* One line: all of standard input, without its newline. */
int cli_read_stdin(char *buf, size_t cap, const char *what, struct why *why)
{
	size_t len = 0;
	ssize_t n;

	while (len < cap) {
		n = read(STDIN_FILENO, buf + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why_set(why, CLI_EXIT_FAIL, "cannot read %s from standard input: %s",
			               what, strerror(errno));
		if (!n)
			break;
		len += (size_t)n;
	}
	if (len == cap)
		return why_set(why, CLI_EXIT_FAIL, "%s on standard input is too long", what);
	buf[len] = 0;
	if (strlen(buf) != len)
		return why_set(why, CLI_EXIT_FAIL, "%s on standard input holds a NUL byte", what);
	if (len && buf[len - 1] == '\n')
		buf[--len] = 0;
	if (len && buf[len - 1] == '\r')
		buf[--len] = 0;
	return 0;
}

int cli_parse_id(const char *text, const char *list, int64_t *id, struct why *why)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || text[digits] || digits > 18)
		return why_set(why, CLI_EXIT_USE,
		               "\"%.64s\" is not an ID: write the number that %s shows", text,
		               list);
	*id = strtoll(text, NULL, 10);
	return 0;
}

/* ---- user ---- */

int cli_user_add(struct cli *cli, struct why *why)
{
	char password[PASSWORD_MAX_LEN + 3];
	const char *name = cli->words[0];
	bool given = cli->flags & FLAG_PASSWORD_STDIN;
	struct store *s = NULL;
	int status;

	if (given) {
		status = cli_read_stdin(password, sizeof(password), "the password", why);
		if (status)
			goto out;
	} else if (store_make_password(password)) {
		status = why_set(why, CLI_EXIT_FAIL, "the system gives no random numbers");
		goto out;
	}
	status = cli_open_store(cli, true, &s, why);
	if (status)
		goto out;
	if (store_user_add(s, cli->conf.realm.v[0], name, password, why)) {
		status = CLI_EXIT_FAIL;
		goto out;
	}
	if (cli->flags & FLAG_JSON) {
		status = cli_print_json(json_pack("{ssssss*}", "name", name, "realm",
		                                  cli->conf.realm.v[0], "password",
		                                  given ? NULL : password),
		                        why);
	} else {
		fprintf(stderr, "user %s added to realm %s%s\n", name,
		        cli_shown(cli->conf.realm.v[0]),
		        given ? "" : "; the password is shown this once:");
		if (!given)
			printf("%s\n", password);
	}
out:
	OPENSSL_cleanse(password, sizeof(password));
	store_close(s);
	return status;
}

int cli_add_row(struct listing *l, json_t *row)
{
	l->n++;
	return json_array_append_new(l->rows, row) ? -E_NOMEM : 0;
}

static int each_user(void *ctx, const struct store_user *user)
{
	struct listing *l = ctx;
	char when[CLI_TIME_STRLEN];

	cli_time(user->created_at_s, when);
	if (l->rows)
		return cli_add_row(l,
		                   json_pack("{sssssssb}", "name", user->name, "realm", user->realm,
		                             "created_at", when, "enabled", !user->disabled_at_s));
	l->n++;
	printf("%s\t%s\t%s%s\n", cli_shown(user->name), cli_shown(user->realm), when,
	       user->disabled_at_s ? "\tdisabled" : "");
	return 0;
}

static int each_secret(void *ctx, const struct store_secret *secret)
{
	struct listing *l = ctx;
	char made[CLI_TIME_STRLEN], retired[CLI_TIME_STRLEN];

	cli_time(secret->created_at_s, made);
	cli_time(secret->retired_at_s, retired);
	if (l->rows)
		return cli_add_row(l, json_pack("{sIsbsbssss?}", "id", (json_int_t)secret->id,
		                                "live", secret->live, "ended", secret->ended,
		                                "created_at", made, "retired_at",
		                                secret->retired_at_s ? retired : NULL));
	l->n++;
	printf("%" PRId64 "\t%s\t%s%s%s\n", secret->id,
	       secret->ended          ? "ended"
	       : !secret->live        ? "retired"
	       : secret->retired_at_s ? "retiring"
	                              : "live",
	       made, secret->retired_at_s ? "\t" : "", secret->retired_at_s ? retired : "");
	return 0;
}

static int each_token(void *ctx, const struct store_token *token)
{
	struct listing *l = ctx;
	char made[CLI_TIME_STRLEN], end[CLI_TIME_STRLEN] = "never", used[CLI_TIME_STRLEN] = "never";
	char scopes[STORE_SCOPES_STRLEN];

	cli_time(token->created_at_s, made);
	if (token->expires_at_s)
		cli_time(token->expires_at_s, end);
	if (token->last_used_at_s)
		cli_time(token->last_used_at_s, used);
	store_scopes_text(token->scopes, scopes);
	if (l->rows)
		return cli_add_row(l,
		                   json_pack("{sIssssssss?ss?}", "id", (json_int_t)token->id,
		                             "label", token->label, "scopes", scopes, "created_at",
		                             made, "expires_at", token->expires_at_s ? end : NULL,
		                             "last_used_at", token->last_used_at_s ? used : NULL));
	l->n++;
	printf("%" PRId64 "\t%s\t%s\tends %s\tused %s\t%s\n", token->id, scopes, made, end, used,
	       cli_shown(token->label));
	return 0;
}

int cli_start_list(struct cli *cli, struct listing *l, struct store **s, struct why *why)
{
	memset(l, 0, sizeof(*l));
	if (cli->flags & FLAG_JSON) {
		l->rows = json_array();
		if (!l->rows)
			return why_set(why, CLI_EXIT_FAIL, "out of memory");
	}
	return cli_open_store(cli, false, s, why);
}

int cli_end_list(struct listing *l, struct store *s, int status, const char *none, struct why *why)
{
	store_close(s);
	if (!status && l->rows)
		return cli_print_json(l->rows, why);
	json_decref(l->rows);
	if (!status && !l->n)
		fprintf(stderr, "%s\n", none);
	return status;
}

int cli_user_list(struct cli *cli, struct why *why)
{
	struct store *s = NULL;
	struct listing l;
	int status = cli_start_list(cli, &l, &s, why);

	if (!status && store_user_list(s, each_user, &l, why))
		status = CLI_EXIT_FAIL;
	return cli_end_list(&l, s, status, "no users", why);
}

int cli_user_del(struct cli *cli, struct why *why)
{
	struct store *s;
	int status = cli_open_store(cli, false, &s, why);

	if (status)
		return status;
	if (store_user_del(s, cli->conf.realm.v[0], cli->words[0], why))
		status = CLI_EXIT_FAIL;
	else
		fprintf(stderr, "user %s deleted from realm %s\n", cli_shown(cli->words[0]),
		        cli_shown(cli->conf.realm.v[0]));
	store_close(s);
	return status;
}

static int set_enabled(struct cli *cli, bool enabled, struct why *why)
{
	struct store *s;
	int status = cli_open_store(cli, false, &s, why);

	if (status)
		return status;
	if (store_user_enable(s, cli->conf.realm.v[0], cli->words[0], enabled, why))
		status = CLI_EXIT_FAIL;
	else
		fprintf(stderr, "user %s %s in realm %s\n", cli_shown(cli->words[0]),
		        enabled ? "enabled" : "disabled", cli_shown(cli->conf.realm.v[0]));
	store_close(s);
	return status;
}

int cli_user_disable(struct cli *cli, struct why *why)
{
	return set_enabled(cli, false, why);
}

int cli_user_enable(struct cli *cli, struct why *why)
{
	return set_enabled(cli, true, why);
}

/* ---- secret ---- */

int cli_secret_add(struct cli *cli, struct why *why)
{
	char value[SECRET_MAX_LEN + 3], made[SECRET_MAX_LEN + 1];
	bool given = cli->flags & FLAG_VALUE_STDIN;
	struct store *s = NULL;
	int64_t id = 0;
	int status;

	if (given) {
		status = cli_read_stdin(value, sizeof(value), "the secret", why);
		if (status)
			goto out;
	}
	status = cli_open_store(cli, true, &s, why);
	if (status)
		goto out;
	if (store_secret_add(s, given ? value : NULL, made, &id, why)) {
		status = CLI_EXIT_FAIL;
		goto out;
	}
	if (given && strlen(value) < 16)
		fprintf(stderr, "turnpike: warning: a secret this short can be guessed from one "
		                "credential: use 16 bytes or more\n");
	if (cli->flags & FLAG_JSON) {
		status = cli_print_json(
		    json_pack("{sIss*}", "id", (json_int_t)id, "value", given ? NULL : made), why);
	} else {
		fprintf(stderr, "secret %" PRId64 " added%s\n", id,
		        given ? "" : "; its value is shown this once:");
		if (!given)
			printf("%s\n", made);
	}
out:
	OPENSSL_cleanse(value, sizeof(value));
	OPENSSL_cleanse(made, sizeof(made));
	store_close(s);
	return status;
}

int cli_secret_list(struct cli *cli, struct why *why)
{
	struct store *s = NULL;
	struct listing l;
	int status = cli_start_list(cli, &l, &s, why);

	if (!status && store_secret_list(s, each_secret, &l, why))
		status = CLI_EXIT_FAIL;
	return cli_end_list(&l, s, status, "no secrets", why);
}

/* What lived on the secret when it was asked; NULL: no server runs, or none that answers. */
static json_t *living_on(struct cli *cli, int64_t id)
{
	json_t *sessions = NULL;
	struct why why;

	return cli_get_sessions(cli, NULL, id, &sessions, &why) ? NULL : sessions;
}

static int tell_retired(struct cli *cli, int64_t id, int64_t after_s, json_t *living,
                        struct why *why)
{
	bool now = cli->flags & FLAG_NOW;
	size_t n = json_array_size(living);

	if (cli->flags & FLAG_JSON)
		return cli_print_json(json_pack("{sI sb sO?}", "id", (json_int_t)id, "ended", now,
		                                "sessions", living),
		                      why);
	if (after_s)
		fprintf(stderr, "secret %" PRId64 " retires in %" PRId64 " s\n", id, after_s);
	else
		fprintf(stderr, "secret %" PRId64 " retired\n", id);
	if (!living)
		fputs(
		    now ? "no server has answered: one that runs on this data directory ends what "
		          "lives on the secret when it sees the change\n"
		        : "no server has answered: what lives on the secret is not known\n",
		    stderr);
	else if (!n)
		fputs("no allocation lives on it\n", stderr);
	else if (now)
		fprintf(stderr, "%zu allocation%s that lived on it ha%s ended:\n", n,
		        n == 1 ? "" : "s", n == 1 ? "s" : "ve");
	else
		fprintf(stderr,
		        "%zu allocation%s still live%s on it; turnpike secret retire %" PRId64
		        " --now ends that:\n",
		        n, n == 1 ? "" : "s", n == 1 ? "s" : "", id);
	if (n)
		cli_print_sessions(living);
	return 0;
}

int cli_secret_retire(struct cli *cli, struct why *why)
{
	bool now = cli->flags & FLAG_NOW;
	int64_t id = 0, after_s = 0;
	struct store *s = NULL;
	struct why warning;
	json_t *living;
	int status = cli_parse_id(cli->words[0], "secret list", &id, why);

	if (!status && cli->after && now)
		status = why_set(why, CLI_EXIT_USE,
		                 "secret retire: --now or --after: one excludes the other");
	if (!status && cli->after)
		status = cli_parse_seconds("--after", cli->after, &after_s, why);
	if (!status)
		status = cli_open_store(cli, false, &s, why);
	if (status)
		return status;
	living = living_on(cli, id);
	if (now ? store_secret_end(s, id, why) : store_secret_retire(s, id, after_s, why))
		status = CLI_EXIT_FAIL;
	if (!status && *cli->conf.shared_secret && setup_secret_check(&cli->conf, s, &warning))
		fprintf(stderr, "turnpike: warning: the next start is refused: %s\n", warning.text);
	store_close(s);
	if (!status && living)
		cli_tell_server(cli);
	if (!status)
		status = tell_retired(cli, id, after_s, living, why);
	json_decref(living);
	return status;
}

/* ---- token ---- */

int cli_token_add(struct cli *cli, struct why *why)
{
	const char *label = cli->word_n ? cli->words[0] : "";
	char token[STORE_TOKEN_STRLEN];
	unsigned scopes = STORE_SCOPES_DEFAULT;
	struct store *s;
	int64_t id = 0, expires_s = 0;
	int status = 0;

	if (cli->scope && store_scopes_parse(cli->scope, &scopes, why))
		return CLI_EXIT_USE;
	if (cli->expires)
		status = cli_parse_seconds("--expires", cli->expires, &expires_s, why);
	if (!status)
		status = cli_open_store(cli, true, &s, why);
	if (status)
		return status;
	if (store_token_add(s, label, scopes, cli->expires ? store_now_s(s) + expires_s : 0, token,
	                    &id, why)) {
		status = CLI_EXIT_FAIL;
	} else if (cli->flags & FLAG_JSON) {
		status = cli_print_json(
		    json_pack("{sIssss}", "id", (json_int_t)id, "label", label, "token", token),
		    why);
	} else {
		fprintf(stderr, "token %" PRId64 " added; it is shown this once:\n", id);
		printf("%s\n", token);
	}
	OPENSSL_cleanse(token, sizeof(token));
	store_close(s);
	return status;
}

int cli_token_list(struct cli *cli, struct why *why)
{
	struct store *s = NULL;
	struct listing l;
	int status = cli_start_list(cli, &l, &s, why);

	if (!status && store_token_list(s, each_token, &l, why))
		status = CLI_EXIT_FAIL;
	return cli_end_list(&l, s, status, "no tokens", why);
}

int cli_token_del(struct cli *cli, struct why *why)
{
	struct store *s = NULL;
	int64_t id;
	int status = cli_parse_id(cli->words[0], "token list", &id, why);

	if (!status)
		status = cli_open_store(cli, false, &s, why);
	if (status)
		return status;
	if (store_token_del(s, id, why))
		status = CLI_EXIT_FAIL;
	else
		fprintf(stderr, "token %" PRId64 " deleted\n", id);
	store_close(s);
	return status;
}
