/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The built program's verbs, run as a user runs them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/credential.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "store/tests/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUT_MAX 65536

struct fixture {
	char dir[64], data[80];
	int status;
	char out[OUT_MAX], err[OUT_MAX];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	tmpdir_make(f->dir);
	snprintf(f->data, sizeof(f->data), "%s/data", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tmpdir_remove(f->dir);
	free(f);
	return 0;
}

static void read_all(const char *path, char *text)
{
	FILE *file = fopen(path, "r");

	text[fread(text, 1, OUT_MAX - 1, file)] = 0;
	fclose(file);
}

static void child(struct fixture *f, const char *in, char **argv)
{
	char *envp[] = {"PATH=/usr/bin:/bin", NULL};
	int in_fds[2], out, err;
	char path[96];

	snprintf(path, sizeof(path), "%s/out", f->dir);
	out = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	snprintf(path, sizeof(path), "%s/err", f->dir);
	err = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	if (out < 0 || err < 0 || pipe(in_fds) ||
	    write(in_fds[1], in, strlen(in)) != (ssize_t)strlen(in) || chdir(f->dir))
		_exit(90);
	close(in_fds[1]);
	dup2(in_fds[0], 0);
	dup2(out, 1);
	dup2(err, 2);
	execve(TURNPIKE_PROGRAM, argv, envp);
	_exit(91);
}

/* Words are separated by spaces, '~' in one stands for a space. in is standard input. */
static int run_in(struct fixture *f, const char *in, const char *args)
{
	char text[1024], *argv[32] = {"turnpike"}, *save, path[96];
	int n = 1, status;
	pid_t pid;

	snprintf(text, sizeof(text), "%s", args);
	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		for (char *p = w; *p; p++)
			if (*p == '~')
				*p = ' ';
		argv[n++] = w;
	}
	pid = fork();
	if (!pid)
		child(f, in, argv);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	f->status = WEXITSTATUS(status);
	snprintf(path, sizeof(path), "%s/out", f->dir);
	read_all(path, f->out);
	snprintf(path, sizeof(path), "%s/err", f->dir);
	read_all(path, f->err);
	return f->status;
}

/* Runs with --data DIR before the verb. */
static int run(struct fixture *f, const char *args)
{
	char text[1024];

	snprintf(text, sizeof(text), "--data %s %s", f->data, args);
	return run_in(f, "", text);
}

#define OK(f, args)                                                                                \
	do {                                                                                       \
		if (run(f, args))                                                                  \
			fail_msg("%s: %d: %s", args, (f)->status, (f)->err);                       \
	} while (0)

static json_t *parse(struct fixture *f)
{
	json_error_t error;
	json_t *value = json_loads(f->out, 0, &error);

	if (!value)
		fail_msg("%s: %s", error.text, f->out);
	return value;
}

static struct store_snapshot *load(struct fixture *f)
{
	struct store_snapshot *snap;
	struct store *s;
	struct why why;

	if (store_open(f->data, NULL, &s, &why) || store_snapshot_load(s, &snap, &why))
		fail_msg("%s", why.text);
	store_close(s);
	return snap;
}

static void user_add_says_the_password_alone(void **state)
{
	struct fixture *f = *state;
	json_t *value;

	OK(f, "user add alice");
	/* so that a script can take it */
	assert_int_equal(strlen(f->out), STORE_PASSWORD_STRLEN);
	assert_non_null(strstr(f->err, "alice"));
	assert_null(strstr(f->err, strtok(f->out, "\n")));
	/* A user who has forgotten --data is told that no server knows of this. */
	assert_non_null(strstr(f->err, "turnpike: made the new database "));
	assert_non_null(strstr(f->err, "turnpike.db: if your server"));
	OK(f, "user add bob --realm other --json");
	assert_null(strstr(f->err, "new database"));
	value = parse(f);
	assert_string_equal(json_string_value(json_object_get(value, "realm")), "other");
	assert_int_equal(json_string_length(json_object_get(value, "password")),
	                 STORE_PASSWORD_STRLEN - 1);
	json_decref(value);
}

static void a_password_comes_by_standard_input(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;
	char text[256];

	snprintf(text, sizeof(text), "user add --data=%s user --password-stdin --realm=realm",
	         f->data);
	assert_int_equal(run_in(f, "pass\n", text), 0);
	assert_string_equal(f->out, "");
	snap = load(f);
	assert_memory_equal(store_snapshot_user(snap, "realm", "user", 4)->md5,
	                    "\x84\x93\xfb\xc5\x3b\xa5\x82\xfb\x4c\x04\x4c\x45\x6b\xdc\x40\xeb", 16);
	store_snapshot_unref(snap);
}

static void a_user_is_of_a_realm(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;
	json_t *value;

	OK(f, "user add alice");
	OK(f, "user add bob --realm other");
	snap = load(f);
	assert_non_null(store_snapshot_user(snap, "turnpike", "alice", 5));
	store_snapshot_unref(snap);
	OK(f, "user list");
	assert_non_null(strstr(f->out, "bob\tother\t20"));
	OK(f, "user list --json");
	value = parse(f);
	assert_int_equal(json_array_size(json_object_get(value, "users")), 2);
	assert_true(json_is_null(json_object_get(value, "next")));
	json_decref(value);
	assert_int_equal(run(f, "user add alice"), 1);
	assert_non_null(strstr(f->err, "exists"));
	assert_int_equal(run(f, "user del bob"), 1); /* of another realm */
	OK(f, "user del bob --realm other");
	OK(f, "user del alice");
	OK(f, "user list");
	assert_string_equal(f->out, "");
}

static void test_odd_names(void **state)
{
	struct fixture *f = *state;
	char text[600];

	OK(f, "user add Robert');~DROP~TABLE~turn_user;--");
	OK(f, "user add %n%s");
	OK(f, "user add -- --json");
	OK(f, "user list");
	assert_non_null(strstr(f->out, "Robert'); DROP TABLE turn_user;--\t"));
	assert_non_null(strstr(f->out, "%n%s\t"));
	assert_non_null(strstr(f->out, "--json\t"));
	assert_int_equal(run(f, "user add \xff\xfe"), 1);
	assert_non_null(strstr(f->err, "UTF-8"));
	assert_int_equal(run(f, "user add 1795326215:alice"), 1);
	assert_non_null(strstr(f->err, "letter"));
	strcpy(text, "user add ");
	memset(text + 9, 'n', 256);
	text[9 + 256] = 0;
	assert_int_equal(run(f, text), 1);
	assert_non_null(strstr(f->err, "255"));
	text[9 + 255] = 0;
	OK(f, text);
}

static void test_stdin(void **state)
{
	struct fixture *f = *state;
	char text[256], *big = calloc(1, 40000);

	snprintf(text, sizeof(text), "user add alice --password-stdin --data %s", f->data);
	assert_int_equal(run_in(f, "", text), 1);
	assert_non_null(strstr(f->err, "empty"));
	assert_int_equal(run_in(f, "\n", text), 1);
	assert_int_equal(run_in(f, "a\nb\n", text), 1);
	memset(big, 'x', 39999);
	assert_int_equal(run_in(f, big, text), 1);
	assert_non_null(strstr(f->err, "too long"));
	assert_int_equal(run_in(f, "a b\r\n", text), 0);
	free(big);
}

static void credentials_need_a_secret(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "credentials alice"), 1); /* no store yet */
	assert_non_null(strstr(f->err, "data"));
	OK(f, "user add x");
	assert_int_equal(run(f, "credentials alice"), 1);
	assert_non_null(strstr(f->err, "secret add"));
}

/* Adds the secret "north"; what it says is not told. */
static int add_north(struct fixture *f)
{
	char text[256];

	snprintf(text, sizeof(text), "--data %s secret add --value-stdin", f->data);
	return run_in(f, "north\n", text);
}

static void a_given_secret_is_never_shown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add_north(f), 0);
	assert_non_null(strstr(f->err, "warning"));
	assert_string_equal(f->out, "");
	assert_int_equal(add_north(f), 1);
	assert_null(strstr(f->err, "north"));
	OK(f, "secret list");
	assert_null(strstr(f->out, "north"));
	assert_non_null(strstr(f->out, "1\tlive\t"));
}

static void credentials_say_all_that_a_client_needs(void **state)
{
	struct fixture *f = *state;
	char username[300];
	struct credential want;
	int64_t now_s = (int64_t)time(NULL), expires;
	json_t *value, *server;

	assert_int_equal(add_north(f), 0);
	OK(f, "credentials alice --ttl 60 --public-host turn.example.org");
	value = parse(f);
	expires = json_integer_value(json_object_get(value, "expires"));
	assert_in_range(expires, now_s + 60, now_s + 90);
	assert_int_equal(json_integer_value(json_object_get(value, "ttl")), 60);
	snprintf(username, sizeof(username), "%lld:alice", (long long)expires);
	assert_string_equal(json_string_value(json_object_get(value, "username")), username);
	assert_int_equal(credential_make("north", 5, "alice", expires, &want), 0);
	assert_string_equal(json_string_value(json_object_get(value, "password")), want.password);
	assert_string_equal(json_string_value(json_object_get(value, "credential")), want.password);
	server = json_array_get(json_object_get(value, "iceServers"), 1);
	assert_string_equal(json_string_value(json_object_get(server, "credential")),
	                    want.password);
	assert_string_equal(json_string_value(json_array_get(json_object_get(server, "urls"), 0)),
	                    "turn:turn.example.org:3478?transport=udp");
	json_decref(value);
	assert_int_equal(run(f, "credentials \xff"), 1);
}

/* "localhost" would lead each client to itself. */
static void credentials_need_an_address_of_the_server(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add_north(f), 0);
	assert_int_equal(run(f, "credentials alice"), 1);
	assert_non_null(strstr(f->err, "public_host"));
	assert_string_equal(f->out, "");
	OK(f, "credentials alice --external-ip 198.51.100.7");
	assert_non_null(strstr(f->out, "\"turn:198.51.100.7:3478?transport=udp\""));
}

/* Once it is retired, the older one does again, and then none. */
static void the_newest_secret_issues(void **state)
{
	struct fixture *f = *state;
	char secret[256];
	struct credential want;
	int64_t now_s = (int64_t)time(NULL), expires;
	json_t *value;

	assert_int_equal(add_north(f), 0);
	OK(f, "secret add");
	assert_int_equal(strlen(f->out), STORE_SECRET_STRLEN);
	f->out[strlen(f->out) - 1] = 0;
	strcpy(secret, f->out);
	for (int north = 0; north < 2; north++) {
		const char *s = north ? "north" : secret;

		OK(f, "credentials alice --public-host turn.example.org");
		value = parse(f);
		expires = json_integer_value(json_object_get(value, "expires"));
		assert_in_range(expires, now_s + 86400, now_s + 86430);
		credential_make(s, strlen(s), "alice", expires, &want);
		assert_string_equal(json_string_value(json_object_get(value, "password")),
		                    want.password);
		json_decref(value);
		OK(f, "secret list");
		assert_null(strstr(f->out, secret));
		OK(f, north ? "secret retire 1" : "secret retire 2");
	}
	assert_int_equal(run(f, "credentials alice"), 1);
}

static void a_secret_is_listed_with_what_it_is(void **state)
{
	struct fixture *f = *state;
	json_t *value, *rows;

	OK(f, "secret add");
	OK(f, "secret add");
	OK(f, "secret retire 2");
	OK(f, "secret list --json");
	value = parse(f);
	rows = json_object_get(value, "secrets");
	assert_true(json_is_false(json_object_get(json_array_get(rows, 1), "live")));
	assert_true(json_is_string(json_object_get(json_array_get(rows, 1), "retired_at")));
	assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "retired_at")));
	assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "allocations")));
	json_decref(value);
	assert_int_equal(run(f, "secret retire 2"), 1);
	OK(f, "secret add --json");
	value = parse(f);
	assert_int_equal(json_integer_value(json_object_get(value, "id")), 3);
	assert_int_equal(json_string_length(json_object_get(value, "value")),
	                 STORE_SECRET_STRLEN - 1);
	json_decref(value);
}

static void a_user_is_disabled_and_enabled(void **state)
{
	struct fixture *f = *state;

	OK(f, "user add alice");
	OK(f, "user disable alice");
	OK(f, "user list");
	assert_non_null(strstr(f->out, "\tdisabled\n"));
	OK(f, "user enable alice");
	OK(f, "user list");
	assert_null(strstr(f->out, "disabled"));
	assert_int_equal(run(f, "user disable bob"), 1);
}

static void a_secret_may_retire_later(void **state)
{
	struct fixture *f = *state;

	OK(f, "secret add");
	OK(f, "secret add");
	OK(f, "secret retire 1 --after 24h");
	OK(f, "secret list");
	assert_non_null(strstr(f->out, "1\tretiring\t"));
	assert_non_null(strstr(f->out, "2\tlive\t"));
	assert_int_equal(run(f, "secret retire 1 --after soon"), 2);
}

static void a_token_has_a_scope(void **state)
{
	struct fixture *f = *state;

	OK(f, "token add --scope issue,admin --expires=7d --json");
	OK(f, "token list");
	assert_non_null(strstr(f->out, "1\tissue,admin\t"));
	assert_int_equal(run(f, "token add --scope root"), 2);
	assert_int_equal(run(f, "user list --scope admin"), 2);
}

static void an_account_has_a_role(void **state)
{
	struct fixture *f = *state;
	json_t *value;

	OK(f, "account add ann --admin");
	OK(f, "account add ben --role user");
	assert_int_equal(run(f, "account add eve --role root"), 2);
	OK(f, "account list --json");
	value = parse(f);
	assert_string_equal(json_string_value(json_object_get(
	                        json_array_get(json_object_get(value, "accounts"), 0), "role")),
	                    "admin");
	json_decref(value);
	OK(f, "account password ann --json");
	OK(f, "account del ann");
	assert_non_null(strstr(f->err, "no account of role admin is left"));
	assert_int_equal(run(f, "account del ann"), 1);
}

static void a_user_or_a_credential_is_revoked(void **state)
{
	struct fixture *f = *state;

	OK(f, "user add alice");
	OK(f, "revoke --user alice");
	OK(f, "revoke 99999999999:mallory");
	assert_int_equal(run(f, "revoke"), 2);
	assert_int_equal(run(f, "revoke alice --user alice"), 2);
	assert_int_equal(run(f, "revoke alice"), 1);
	OK(f, "revocations");
	assert_non_null(strstr(f->out, "user\talice\t"));
	assert_non_null(strstr(f->out, "credential\t99999999999:mallory\t"));
	OK(f, "unrevoke --user=alice");
	assert_int_equal(run(f, "unrevoke --user alice"), 1);
}

static void what_was_done_is_in_the_audit(void **state)
{
	struct fixture *f = *state;
	json_t *value;

	OK(f, "user add alice");
	for (int i = 0; i < 5; i++) {
		OK(f, "revoke --user alice");
		OK(f, "unrevoke --user=alice");
	}
	OK(f, "audit --last 1");
	assert_non_null(strstr(f->out, "\tunrevoke user\talice\n"));
	OK(f, "audit --json");
	value = parse(f);
	assert_true(json_array_size(json_object_get(value, "audit")) > 10);
	json_decref(value);
}

static void usage_is_between_two_days(void **state)
{
	struct fixture *f = *state;

	OK(f, "user add alice");
	OK(f, "usage");
	OK(f, "usage --from 2026-01-01 --to 2026-12-31 --json");
	assert_int_equal(run(f, "usage --from monday"), 2);
	assert_int_equal(run(f, "usage --from 2026-12-31 --to 2026-01-01"), 2);
	assert_int_equal(run(f, "usage --user alice --user bob"), 2);
	assert_non_null(strstr(f->err, "--user is given twice"));
	assert_int_equal(run(f, "account add hatter --admin --role user"), 2);
}

static void a_backup_is_restored(void **state)
{
	struct fixture *f = *state;
	char command[160];

	OK(f, "user add alice");
	snprintf(command, sizeof(command), "backup %s/copy", f->dir);
	OK(f, command);
	assert_int_equal(run(f, command), 1);
	OK(f, "user del alice");
	snprintf(command, sizeof(command), "restore %s/copy", f->dir);
	OK(f, command);
	OK(f, "user list");
	assert_non_null(strstr(f->out, "alice"));
	assert_int_equal(run(f, "restore /nowhere"), 1);
}

static void test_token(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot_token token;
	struct store_snapshot *snap;
	json_t *value;

	OK(f, "token add the~app");
	assert_int_equal(strlen(f->out), STORE_TOKEN_STRLEN);
	snap = load(f);
	assert_true(store_snapshot_token(snap, f->out, STORE_TOKEN_STRLEN - 1, time(NULL), &token));
	assert_int_equal(token.scopes, STORE_SCOPES_DEFAULT);
	store_snapshot_unref(snap);
	OK(f, "token add --json");
	value = parse(f);
	assert_int_equal(json_integer_value(json_object_get(value, "id")), 2);
	assert_string_equal(json_string_value(json_object_get(value, "label")), "");
	json_decref(value);
	OK(f, "token list");
	assert_non_null(strstr(f->out, "\tthe app\n"));
	assert_null(strstr(f->out, "tp_"));
	OK(f, "token list --json");
	value = parse(f);
	assert_int_equal(json_array_size(json_object_get(value, "tokens")), 2);
	json_decref(value);
	OK(f, "token del 1");
	assert_int_equal(run(f, "token del 1"), 1);
	snap = load(f);
	assert_int_equal(store_snapshot_token_n(snap), 1);
	store_snapshot_unref(snap);
}

/* Verbs that look do not make a store where there is none. */
static void test_no_store(void **state)
{
	static const char *const verbs[] = {
	    "user list",  "user del a",  "secret list",   "secret retire 1",
	    "token list", "token del 1", "credentials a",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		assert_int_equal(run(f, verbs[i]), 1);
		assert_non_null(strstr(f->err, f->data));
		assert_int_equal(access(f->data, F_OK), -1);
	}
}

static void test_usage(void **state)
{
	static const struct {
		const char *args, *says;
	} cases[] = {
	    {"", "--help"},
	    {"nonsense", "nonsense"},
	    {"user", "user add"},
	    {"user nonsense", "user add"},
	    {"user add", "NAME"},
	    {"user add a b", "\"b\""},
	    {"user add a b c d e", "too many"},
	    {"user list a", "\"a\""},
	    {"user list --ttl 5", "--ttl"},
	    {"user list --ttl", "missing"},
	    {"user list --password-stdin", "--password-stdin"},
	    {"secret retire", "ID"},
	    {"secret retire x", "\"x\""},
	    {"secret retire -1", "-1"},
	    {"token del 99999999999999999999", "ID"},
	    {"credentials a --ttl 0", "--ttl"},
	    {"credentials a --ttl=1h", "1h"},
	    {"credentials a --ttl 99999999", "max_credential_ttl"},
	    {"credentials", "NAME"},
	    {"serve a", "\"a\""},
	    {"serve --json", "--json"},
	    {"serve --worker 3", "--workers"},
	    {"serve --workers 300", "--workers"},
	    {"serve --workers", "--workers"},
	    {"check-config a", "\"a\""},
	    {"help nonsense", "nonsense"},
	    {"user list --foo", "--foo"},
	    {"user list -x", "-x"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (run(f, cases[i].args) != 2 || !strstr(f->err, cases[i].says) ||
		    strchr(f->err, '\n') != f->err + strlen(f->err) - 1 || *f->out)
			fail_msg("%s: %d, \"%s\" \"%s\"", cases[i].args, f->status, f->err, f->out);
	}
	assert_int_equal(access(f->data, F_OK), -1);
}

static void help_names_every_verb_and_option(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run_in(f, "", "--help"), 0);
	assert_non_null(strstr(f->out, "secret retire ID"));
	assert_non_null(strstr(f->out, "--relay-ports MIN-MAX"));
	assert_int_equal(run_in(f, "", "--help --workers nonsense"), 0);
	assert_int_equal(run_in(f, "", "help"), 0);
	assert_int_equal(run_in(f, "", "help config"), 0);
	assert_non_null(strstr(f->out, "#relay_ports = 49152-65535"));
	assert_int_equal(run_in(f, "", "--version"), 0);
	assert_string_equal(f->out, "turnpike " TURNPIKE_VERSION "\n");
}

static void a_verb_has_a_help_of_its_own(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run_in(f, "", "user add -h"), 0);
	assert_non_null(strstr(f->out, "--password-stdin"));
	assert_int_equal(run_in(f, "", "revoke --help"), 0);
	assert_non_null(strstr(f->out, "revoke EXPIRY:NAME | --user NAME [--json]\n"));
	assert_int_equal(run_in(f, "", "help users"), 0); /* a list by its noun's plural, too */
	assert_non_null(strstr(f->out, "user list [--json]\n"));
	assert_int_equal(run_in(f, "", "help secret add"), 0);
	assert_non_null(strstr(f->out, "--value-stdin"));
}

static void test_check_config(void **state)
{
	struct fixture *f = *state;
	char path[96], args[128];
	json_t *value;

	OK(f, "check-config");
	assert_string_equal(f->out, "ok\n");
	snprintf(path, sizeof(path), "%s/turnpike.conf", f->dir);
	tmpdir_write(path, "relay_port = 1-2\nworkers = many\n\xff = 1\n");
	snprintf(args, sizeof(args), "check-config --config %s", path);
	assert_int_equal(run(f, args), 1);
	assert_non_null(strstr(f->err, "turnpike.conf:1: "));
	assert_non_null(strstr(f->err, "turnpike.conf:2: workers: \"many\""));
	assert_non_null(strstr(f->err, "turnpike.conf:3: "));
	strcat(args, " --json");
	assert_int_equal(run(f, args), 1);
	value = parse(f);
	assert_int_equal(json_array_size(json_object_get(value, "problems")), 3);
	json_decref(value);
	/* Another verb stops at the first. */
	snprintf(args, sizeof(args), "user list --config %s", path);
	assert_int_equal(run(f, args), 1);
	assert_non_null(strstr(f->err, "relay_ports?"));
	OK(f, "check-config --json");
	assert_int_equal(run(f, "check-config --tls-cert /nonexistent --tls-key /nonexistent"), 1);
	assert_non_null(strstr(f->err, "/nonexistent"));
}

/* Another process holds the database open, as a running server does. */
static void test_while_open(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;
	int ready[2], done[2];
	char byte = 0;
	pid_t pid;
	int status;

	OK(f, "user add first");
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(done), 0);
	pid = fork();
	if (!pid) {
		struct store *s;
		bool changed = false;

		if (store_open(f->data, NULL, &s, NULL) || store_snapshot_load(s, &snap, NULL))
			_exit(1);
		if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1)
			_exit(2);
		store_snapshot_unref(snap);
		/* It notices what the verbs did. */
		if (store_changed(s, &changed, NULL) || !changed)
			_exit(3);
		if (store_snapshot_load(s, &snap, NULL) ||
		    !store_snapshot_user(snap, "turnpike", "second", 6) ||
		    store_snapshot_user(snap, "turnpike", "first", 5))
			_exit(4);
		store_snapshot_unref(snap);
		store_close(s);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	OK(f, "user add second");
	OK(f, "user del first");
	OK(f, "secret add");
	OK(f, "credentials second --public-host turn.example.org");
	OK(f, "token add");
	assert_int_equal(write(done[1], &byte, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(ready[0]);
	close(ready[1]);
	close(done[0]);
	close(done[1]);
}

/* A password that cannot be shown must not be a success. */
static void test_full_output(void **state)
{
	struct fixture *f = *state;
	int status, fd;
	pid_t pid;

	pid = fork();
	if (!pid) {
		char *argv[] = {"turnpike", "--data", f->data, "user", "add", "alice", NULL};

		fd = open("/dev/full", O_WRONLY);
		dup2(fd, 1);
		dup2(open("/dev/null", O_WRONLY), 2);
		execv(TURNPIKE_PROGRAM, argv);
		_exit(91);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void test_damaged_store(void **state)
{
	struct fixture *f = *state;
	char path[96];
	FILE *file;

	assert_int_equal(mkdir(f->data, 0700), 0);
	snprintf(path, sizeof(path), "%s/turnpike.db", f->data);
	file = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is not a database", file);
	fclose(file);
	assert_int_equal(run(f, "user list"), 1);
	assert_non_null(strstr(f->err, "damaged"));
	assert_non_null(strstr(f->err, path));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void test_config(void **state)
{
	struct fixture *f = *state;
	json_t *value, *one;
	char path[96], args[128];

	snprintf(path, sizeof(path), "%s/turnpike.conf", f->dir);
	tmpdir_write(path, "\nshared_secret = hush-hush\nrelay_ports = 50000-50009\n");
	snprintf(args, sizeof(args), "config --workers 3 --config %s", path);
	OK(f, args);
	assert_null(strstr(f->out, "hush"));
	assert_non_null(strstr(f->out, "\nshared_secret = ********  # "));
	assert_non_null(strstr(f->out, "turnpike.conf:2: shared_secret\n"));
	assert_non_null(strstr(f->out, "\nrelay_ports = 50000-50009  # "));
	assert_non_null(strstr(f->out, "\nworkers = 3  # --workers\n"));
	assert_non_null(strstr(f->out, "\nmobility = no  # default\n"));
	strcat(args, " --json");
	OK(f, args);
	assert_null(strstr(f->out, "hush"));
	value = parse(f);
	one = json_object_get(value, "relay_ports");
	assert_string_equal(json_string_value(json_object_get(one, "value")), "50000-50009");
	assert_string_equal(json_string_value(json_object_get(one, "source")), "file");
	assert_false(json_is_true(json_object_get(one, "reloadable")));
	one = json_object_get(value, "shared_secret");
	assert_string_equal(json_string_value(json_object_get(one, "value")), "********");
	assert_true(json_is_true(json_object_get(one, "secret")));
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(user_add_says_the_password_alone),
	    T(a_password_comes_by_standard_input),
	    T(a_user_is_of_a_realm),
	    T(test_odd_names),
	    T(test_stdin),
	    T(credentials_need_a_secret),
	    T(a_given_secret_is_never_shown),
	    T(credentials_say_all_that_a_client_needs),
	    T(credentials_need_an_address_of_the_server),
	    T(the_newest_secret_issues),
	    T(a_secret_is_listed_with_what_it_is),
	    T(a_user_is_disabled_and_enabled),
	    T(a_secret_may_retire_later),
	    T(a_token_has_a_scope),
	    T(an_account_has_a_role),
	    T(a_user_or_a_credential_is_revoked),
	    T(what_was_done_is_in_the_audit),
	    T(usage_is_between_two_days),
	    T(a_backup_is_restored),
	    T(test_token),
	    T(test_no_store),
	    T(test_usage),
	    T(help_names_every_verb_and_option),
	    T(a_verb_has_a_help_of_its_own),
	    T(test_check_config),
	    T(test_config),
	    T(test_while_open),
	    T(test_full_output),
	    T(test_damaged_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
