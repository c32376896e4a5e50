/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Administration of a running server with two workers: the same verbs over the
 * socket (by the command line) and over HTTP, with a token and with a login.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "store/credential.h"
#include "store/name.h"

#include <jansson.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SERVER4 RIG_SERVER4 ":3478"
#define OPTIONS "--workers 2 --relay-ports 50000-54999 --usage-interval 1 --listen " SERVER4
#define URL     "https://" SERVER4 "/api/v1/admin/"
#define N       6

static struct rig_server server;
static char admin_token[RIG_TOKEN_MAX], issue_token[RIG_TOKEN_MAX];

static json_t *parse(char *said)
{
	char *start = strpbrk(said, "{[");
	json_t *value = start ? json_loads(start, JSON_DISABLE_EOF_CHECK, NULL) : NULL;

	if (!value)
		rig_fail(said, said, "not JSON");
	free(said);
	return value;
}

static int setup(void **state)
{
	*state = &server;
	rig_server_prepare(&server, "admin");
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	free(rig_verb(&server, "user add bob --password-stdin", "builder\n"));
	free(rig_verb(&server, "secret add --value-stdin", "north\n"));
	rig_token_add(&server, admin_token, "test --scope admin");
	rig_token_add(&server, issue_token, "test --scope issue,metrics");
	free(rig_verb(&server, "account add root --admin --password-stdin", "correct horse\n"));
	free(rig_verb(&server, "account add guest --password-stdin", "only looking\n"));
	rig_server_start(&server, "admin", OPTIONS);
	return 0;
}

/* The status; *body (may be NULL) gets the JSON. */
static int http(const char *args, const char *path, json_t **body)
{
	char command[1024], *said, *code;
	int status;

	snprintf(command, sizeof(command),
	         "curl -sk --noproxy * --max-time 10 -w \\n%%{http_code} %s " URL "%s", args, path);
	said = rig_run(command, NULL);
	code = strrchr(said, '\n');
	if (!code)
		code = said + strlen(said) - 3;
	status = atoi(code + (*code == '\n'));
	if (body)
		*body = parse(said);
	else
		free(said);
	return status;
}

/* The lab splits commands at blanks: curl reads the header from a file. */
static const char *bearer(const char *token)
{
	static char args[160];

	snprintf(args, sizeof(args), "-H @%s",
	         rig_file("header", "Authorization: Bearer %s\n", token));
	return args;
}

static json_t *verb_json(const char *verb)
{
	return parse(rig_verb(&server, verb, NULL));
}

static json_int_t number(const json_t *of, const char *name)
{
	return json_integer_value(json_object_get(of, name));
}

static json_int_t on_all_workers(const char *member)
{
	json_t *answer = verb_json("workers --json"), *w;
	json_int_t sum = 0;
	size_t i;

	json_array_foreach (json_object_get(answer, "workers"), i, w) {
		assert_int_equal(number(w, "worker"), i);
		sum += number(w, member);
	}
	assert_int_equal(i, 2);
	json_decref(answer);
	return sum;
}

static void sessions_over_both(void **state)
{
	struct talker t[N];
	char args[160], path[160], after[64], verb[64], id[32] = "", *out;
	json_t *by_cli, *page, *s;
	size_t i, seen = 0, tcp = 0;

	(void)state;
	for (i = 0; i < N; i++)
		talker_enter(&t[i], SERVER4, i == 3, i % 2 ? "bob" : "alice",
		             i % 2 ? "builder" : "wonderland");
	assert_int_equal(talker_permit_to(&t[0], RIG_PEER4 ":9"), 0);
	by_cli = verb_json("sessions --json");
	assert_int_equal(json_array_size(json_object_get(by_cli, "sessions")), N);
	json_array_foreach (json_object_get(by_cli, "sessions"), i, s) {
		tcp += !strcmp(json_string_value(json_object_get(s, "transport")), "tcp");
		seen += (size_t)number(s, "peers");
		assert_non_null(
		    strstr(json_string_value(json_array_get(json_object_get(s, "relayed"), 0)),
		           RIG_SERVER4));
		if (!strcmp(json_string_value(json_object_get(s, "user")), "bob"))
			snprintf(id, sizeof(id), "%s", json_string_value(json_object_get(s, "id")));
	}
	assert_int_equal(tcp, 1);
	assert_int_equal(seen, 1);
	json_decref(by_cli);
	SOON(on_all_workers("allocations") == N); /* workers report a few times a second */

	/* in pages of two, each session once */
	snprintf(args, sizeof(args), "%s", bearer(admin_token));
	*after = 0;
	seen = 0;
	do {
		snprintf(path, sizeof(path), "sessions?limit=2%s%s", *after ? "&after=" : "",
		         after);
		assert_int_equal(http(args, path, &page), 200);
		assert_true(json_is_true(json_object_get(page, "complete")));
		seen += json_array_size(json_object_get(page, "sessions"));
		snprintf(after, sizeof(after), "%s",
		         json_is_string(json_object_get(page, "next"))
		             ? json_string_value(json_object_get(page, "next"))
		             : "");
		json_decref(page);
		assert_true(seen <= N);
	} while (*after);
	assert_int_equal(seen, N);
	assert_int_equal(http(args, "sessions?user=bob", &page), 200);
	assert_int_equal(json_array_size(json_object_get(page, "sessions")), N / 2);
	json_decref(page);

	/* one is closed, and only that one */
	snprintf(verb, sizeof(verb), "session close %s", id);
	free(rig_verb(&server, verb, NULL));
	seen = 0;
	for (i = 0; i < N; i++)
		seen += !talker_refresh(&t[i], 600);
	assert_int_equal(seen, N - 1);
	assert_int_equal(rig_try_verb(&server, verb, NULL, &out), 1);
	assert_non_null(strstr(out, "no session"));
	free(out);
	for (i = 0; i < N; i++) {
		talker_refresh(&t[i], 0);
		talker_close(&t[i]);
	}
}

/* All rows of a list, one a page. */
static json_t *one_by_one(const char *path, const char *list)
{
	char target[512], after[256] = "", args[160];
	json_t *all = json_array(), *page;
	const char *next;

	snprintf(args, sizeof(args), "%s", bearer(admin_token));
	do {
		snprintf(target, sizeof(target), "%s?limit=1%s%s", path, *after ? "&after=" : "",
		         after);
		assert_int_equal(http(args, target, &page), 200);
		assert_int_equal(json_array_size(json_object_get(page, list)), 1);
		json_array_extend(all, json_object_get(page, list));
		next = json_string_value(json_object_get(page, "next"));
		after[0] = 0;
		for (const char *c = next; c && *c; c++)
			snprintf(after + strlen(after), sizeof(after) - strlen(after), "%%%02x",
			         (unsigned char)*c);
		json_decref(page);
	} while (*after && json_array_size(all) < 100);
	return all;
}

/* Of two realms the name of one begins the other's. */
static void pages_hold_each_row_once(void **state)
{
	static const char *const lists[] = {"users", "audit"};
	json_t *whole, *rows;

	(void)state;
	free(rig_verb(&server, "user add zoe --realm turn", NULL));
	free(rig_verb(&server, "user add amy --realm turn.example", NULL));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(http(bearer(admin_token), lists[i], &whole), 200);
		assert_true(json_is_null(json_object_get(whole, "next")));
		rows = one_by_one(lists[i], lists[i]);
		assert_true(json_array_size(rows) >= 4); /* with alice and bob */
		assert_true(json_equal(rows, json_object_get(whole, lists[i])));
		json_decref(rows);
		json_decref(whole);
	}
	free(rig_verb(&server, "user del zoe --realm turn", NULL));
	free(rig_verb(&server, "user del amy --realm turn.example", NULL));
}

static size_t usage_rows(void)
{
	json_t *usage = verb_json("usage --json");
	size_t n = json_array_size(json_object_get(usage, "usage"));

	json_decref(usage);
	return n;
}

/* Traffic in between only adds to the counts. */
static void pages_of_usage(void **state)
{
	json_t *whole, *rows;

	(void)state;
	SOON(usage_rows() >= 2);
	assert_int_equal(http(bearer(admin_token), "usage", &whole), 200);
	rows = one_by_one("usage", "usage");
	assert_true(json_array_size(rows) >= 2);
	assert_true(json_array_size(rows) >= json_array_size(json_object_get(whole, "usage")));
	for (size_t i = 0; i < json_array_size(rows); i++)
		for (size_t k = 0; k < i; k++)
			assert_false(json_equal(json_object_get(json_array_get(rows, i), "user"),
			                        json_object_get(json_array_get(rows, k), "user")) &&
			             json_equal(json_object_get(json_array_get(rows, i), "day"),
			                        json_object_get(json_array_get(rows, k), "day")));
	json_decref(rows);
	json_decref(whole);
}

/* A name of another issuer's, who shares the secret. */
static void a_name_commands_no_terminal(void **state)
{
	char user[64], password[64], *said;
	struct talker t;

	(void)state;
	snprintf(user, sizeof(user),
	         "%lld:\x1b[2J\xc2\x9b"
	         "0mrick",
	         (long long)time(NULL) + 60);
	credential_password("north", 5, user, strlen(user), password);
	talker_enter(&t, SERVER4, false, user, password);
	said = rig_verb(&server, "sessions", NULL);
	if (!strstr(said, ":⟨U+001B⟩[2J⟨U+009B⟩0mrick"))
		rig_fail(said, said, "no session of rick");
	free(said);
	said = rig_verb(&server, "sessions --json", NULL);
	for (const char *c = said; *c; c++)
		assert_true((unsigned char)*c < 0x7f);
	free(said);
	talker_refresh(&t, 0);
	talker_close(&t);
}

/* Bytes are bytes: a NUL, a half of a character and marks of direction keep nobody from the list,
 * and the log names the one who it was. */
static void any_bytes_are_a_name(void **state)
{
	static const struct {
		const char *name;
		size_t len;
		const char *listed, *logged;
	} cases[] = {
	    {"eve\0alice", 9, ":eve⟨U+0000⟩alice", ":eve\\x00alice\""},
	    {"\xd8\x9c"
	     "bob\xc2\xad",
	     7, ":⟨U+061C⟩bob⟨U+00AD⟩", ":\\u{61c}bob\\u{ad}\""},
	    {"\xe2\x80\xae"
	     "flo\xff\xc2",
	     8, ":⟨U+202E⟩flo⟨0xFF⟩⟨0xC2⟩", ":\\u{202e}flo\\xff\\xc2\""},
	};
	char user[3][64], password[3][64], *said, *log;
	struct talker t[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		int n = snprintf(user[i], sizeof(user[i]), "%lld:", (long long)time(NULL) + 60);

		memcpy(user[i] + n, cases[i].name, cases[i].len);
		credential_password("north", 5, user[i], (size_t)n + cases[i].len, password[i]);
		talker_open(&t[i], SERVER4, false, NULL, user[i], password[i]);
		t[i].user_len = (size_t)n + cases[i].len;
		assert_int_equal(talker_login(&t[i]), 401);
		assert_int_equal(talker_allocate(&t[i], IPPROTO_UDP), 0);
	}
	said = rig_verb(&server, "sessions", NULL);
	log = rig_output(&server.program);
	for (size_t i = 0; i < 3; i++) {
		if (!strstr(said, cases[i].listed))
			rig_fail(said, said, "no session %zu", i);
		if (!strstr(log, cases[i].logged))
			rig_fail(log, log, "no line of %zu", i);
	}
	free(said);
	free(log);
	said = rig_verb(&server, "explain --user alice", NULL);
	assert_null(strstr(said, "eve"));
	free(said);
	for (size_t i = 0; i < 3; i++) {
		talker_refresh(&t[i], 0);
		talker_close(&t[i]);
	}
}

static void who_may(void **state)
{
	char args[512];
	json_t *body;

	(void)state;
	assert_int_equal(http("", "status", NULL), 401);
	assert_int_equal(http(bearer("tp_wrong"), "status", NULL), 401);
	assert_int_equal(http(bearer(issue_token), "status", NULL), 403);
	assert_int_equal(http(bearer(admin_token), "status", &body), 200);
	assert_int_equal(number(body, "workers"), 2);
	json_decref(body);
	assert_int_equal(http(bearer(admin_token), "no-such-verb", &body), 404);
	assert_non_null(
	    strstr(json_string_value(json_object_get(json_object_get(body, "error"), "message")),
	           "no verb \"no-such-verb\""));
	json_decref(body);
	snprintf(args, sizeof(args), "%s -X DELETE", bearer(admin_token));
	assert_int_equal(http(args, "no-such-verb", NULL), 404);
	assert_int_equal(http("", "no-such-verb", NULL), 401);
	assert_int_equal(http(bearer(admin_token), "drain", NULL), 405); /* GET */
	snprintf(args, sizeof(args), "%s -d {\"nme\":\"x\"}", bearer(admin_token));
	assert_int_equal(http(args, "user/add", &body), 400);
	assert_string_equal(
	    json_string_value(json_object_get(json_object_get(body, "error"), "code")),
	    "unknown-member");
	json_decref(body);
}

/* Signs in with curl's cookie jar; the status of the last step. */
static int sign_in(const char *name, const char *password, const char *jar)
{
	char args[512], ticket[80];
	json_t *body;
	int status;

	snprintf(args, sizeof(args), "--json {\"name\":\"%s\",\"password\":\"%s\"}", name,
	         password);
	status = http(args, "login", &body);
	if (status != 202) {
		json_decref(body);
		return status;
	}
	snprintf(ticket, sizeof(ticket), "%s", json_string_value(json_object_get(body, "ticket")));
	json_decref(body);
	do {
		rig_sleep_ms(100);
		snprintf(args, sizeof(args), "-c %s/%s --json {\"ticket\":\"%s\"}", rig_dir(), jar,
		         ticket);
		status = http(args, "login/claim", NULL);
	} while (status == 202);
	return status;
}

/* A password that others could read on its way is not taken. */
static void password_in_the_open(void **state)
{
	static const struct {
		const char *args;
		int status;
	} ways[] = {{"", 403},
	            /* who says so is no proxy of ours */
	            {"-H X-Forwarded-For:203.0.113.7", 403},
	            {"-H X-Forwarded-Proto:https", 403},
	            {"-k", 202}};
	char command[512], *said;

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		snprintf(command, sizeof(command),
		         "curl -s --noproxy * --max-time 10 -w \\n%%{http_code} %s --json "
		         "{\"name\":\"nobody\",\"password\":\"x\"} http%s://" SERVER4
		         "/api/v1/admin/login",
		         ways[i].args, i == 3 ? "s" : "");
		said = rig_run(command, NULL);
		assert_int_equal(atoi(strrchr(said, '\n') + 1), ways[i].status);
		if (ways[i].status == 403)
			assert_non_null(strstr(said, "https-needed"));
		free(said);
	}
}

static void login(void **state)
{
	char args[512], *audit;
	json_t *body;

	(void)state;
	free(rig_verb(&server, "account password root --password-stdin", "horse-battery\n"));
	free(rig_verb(&server, "account password guest --password-stdin", "onlylooking\n"));
	assert_int_equal(sign_in("root", "wrong-password", "jar"), 401);
	assert_int_equal(sign_in("nobody", "horse-battery", "jar"), 401);
	assert_int_equal(sign_in("root", "horse-battery", "jar"), 200);
	snprintf(args, sizeof(args), "-b %s/jar", rig_dir());
	assert_int_equal(http(args, "whoami", &body), 200);
	assert_string_equal(json_string_value(json_object_get(body, "actor")), "account root");
	json_decref(body);
	/* a page from elsewhere; and a form, which sends no JSON */
	snprintf(args, sizeof(args), "-b %s/jar -H Origin:https://evil.example", rig_dir());
	assert_int_equal(http(args, "whoami", NULL), 403);
	snprintf(args, sizeof(args), "-b %s/jar -d {\"name\":\"x\"}", rig_dir());
	assert_int_equal(http(args, "user/add", NULL), 403);
	snprintf(args, sizeof(args), "-b %s/jar --json {\"name\":\"carol\"}", rig_dir());
	assert_int_equal(http(args, "user/add", &body), 200);
	assert_int_equal(json_string_length(json_object_get(body, "password")), 32);
	json_decref(body);
	snprintf(args, sizeof(args), "-b %s/jar -H Origin:https://evil.example -d x", rig_dir());
	assert_int_equal(http(args, "logout", NULL), 403);
	/* an account that may only look */
	assert_int_equal(sign_in("guest", "onlylooking", "jar2"), 200);
	snprintf(args, sizeof(args), "-b %s/jar2", rig_dir());
	assert_int_equal(http(args, "sessions", NULL), 200);
	assert_int_equal(http(args, "audit", NULL), 403);
	snprintf(args, sizeof(args), "-b %s/jar2 --json {\"name\":\"carol\"}", rig_dir());
	assert_int_equal(http(args, "user/del", NULL), 403);
	/* the act is in the audit, by its actor */
	audit = rig_verb(&server, "audit", NULL);
	if (!strstr(audit, "account root\tuser add\tcarol"))
		rig_fail(audit, audit, "no user add by account root");
	free(audit);
	/* a new password ends what was opened with the old one */
	free(rig_verb(&server, "account password root --password-stdin", "another-one\n"));
	snprintf(args, sizeof(args), "-b %s/jar", rig_dir());
	assert_int_equal(http(args, "whoami", NULL), 401);
	/* guessing is slow */
	for (int i = 0; i < 10; i++)
		if (sign_in("root", "guess", "jar3") == 429)
			return;
	fail_msg("nobody stops who guesses");
}

/* Longer than an actor may be: cut, but not through a character. */
static void a_long_name_is_cut_whole(void **state)
{
	char name[NAME_MAX_LEN + 1] = "", verb[NAME_MAX_LEN + 64], args[160];
	json_t *body;

	(void)state;
	while (strlen(name) + 3 <= NAME_MAX_LEN)
		strcat(name, "€");
	snprintf(verb, sizeof(verb), "account add %s --password-stdin", name);
	free(rig_verb(&server, verb, "horse-battery\n"));
	assert_int_equal(sign_in(name, "horse-battery", "jar4"), 200);
	snprintf(args, sizeof(args), "-b %s/jar4", rig_dir());
	assert_int_equal(http(args, "whoami", &body), 200);
	assert_string_equal(json_string_value(json_object_get(body, "name")), name);
	name[50 * strlen("€")] = 0;
	snprintf(verb, sizeof(verb), "account %s", name);
	assert_string_equal(json_string_value(json_object_get(body, "actor")), verb);
	json_decref(body);
}

static void drains(void **state)
{
	struct talker in, out;
	char *audit;

	(void)state;
	talker_enter(&in, SERVER4, false, "alice", "wonderland");
	free(rig_verb(&server, "drain", NULL));
	rig_server_settle(&server);
	talker_open(&out, SERVER4, false, NULL, "alice", "wonderland");
	assert_int_equal(talker_login(&out), 401);
	assert_int_equal(talker_allocate(&out, IPPROTO_UDP), 508);
	assert_int_equal(talker_refresh(&in, 600), 0); /* the running session goes on */
	free(rig_verb(&server, "drain cancel", NULL));
	rig_server_settle(&server);
	assert_int_equal(talker_allocate(&out, IPPROTO_UDP), 0);
	audit = rig_verb(&server, "audit", NULL);
	assert_non_null(strstr(audit, "socket uid 0\tdrain\t"));
	assert_non_null(strstr(audit, "socket uid 0\tdrain cancel\t"));
	free(audit);
	talker_refresh(&in, 0);
	talker_refresh(&out, 0);
	talker_close(&in);
	talker_close(&out);
}

/* A client that asks without reading must wait; one that has closed its writing side still gets
 * every answer. */
static void answers_wait_for_their_reader(void **state)
{
	static const char line[] = "{\"verb\":\"config\"}\n";
	enum { LEN = sizeof(line) - 1, ASKED = 2000 };
	static char buf[ASKED * LEN];
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), unread = 0, answers = 0;
	ssize_t n;

	(void)state;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/admin.sock", server.data);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	for (size_t i = 0; i < ASKED; i++)
		memcpy(buf + i * LEN, line, LEN);
	assert_int_equal(write(fd, buf, sizeof(buf)), sizeof(buf));
	rig_sleep_ms(1000);
	free(rig_verb(&server, "status", NULL)); /* others are served meanwhile */
	rig_sleep_ms(1000);
	assert_int_equal(ioctl(fd, SIOCOUTQ, &unread), 0);
	assert_true(unread > 0);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			answers += buf[i] == '\n';
	assert_int_equal(answers, ASKED);
	close(fd);
}

/* The command line and HTTPS: the same answer of the same verb, and the same again where no server
 * runs. What is only known of a running one is null then. */
static const struct way {
	const char *verb, *path;
} ways[] = {
    {"user list", "users"},       {"secret list", "secrets"},
    {"account list", "accounts"}, {"revocations", "revocations"},
    {"usage", "usage"},           {"audit --last 5", "audit?last=5"},
    {"verbs", "verbs"},
};
#define WAYS_N (sizeof(ways) / sizeof(*ways))

static json_t *answers[WAYS_N];

static json_t *by_cli(size_t i)
{
	char verb[64];

	snprintf(verb, sizeof(verb), "%s --json", ways[i].verb);
	return verb_json(verb);
}

static void answers_the_same(void **state)
{
	json_t *cli;

	(void)state;
	free(rig_verb(&server, "revoke --user mallory", NULL));
	for (size_t i = 0; i < WAYS_N; i++) {
		assert_int_equal(http(bearer(admin_token), ways[i].path, &answers[i]), 200);
		cli = by_cli(i);
		if (!json_equal(cli, answers[i]))
			fail_msg("%s: another answer than that of %s", ways[i].verb, ways[i].path);
		json_decref(cli);
	}
}

static void blank_numbers(json_t *answer)
{
	const char *name;
	json_t *row, *value;
	size_t i;

	json_array_foreach (json_object_get(answer, "usage"), i, row)
		json_object_foreach (row, name, value)
			if (json_is_integer(value))
				json_integer_set(value, 0);
	assert_true(i > 0);
}

static void answers_the_same_without_a_server(void **state)
{
	json_t *here, *secret;
	size_t n;

	(void)state;
	json_array_foreach (json_object_get(answers[1], "secrets"), n, secret) {
		assert_true(json_is_integer(json_object_get(secret, "allocations")));
		json_object_set_new(secret, "allocations", json_null());
	}
	for (size_t i = 0; i < WAYS_N; i++) {
		here = by_cli(i);
		/* the server has written the rest of it when it stopped */
		if (!strcmp(ways[i].path, "usage"))
			blank_numbers(here), blank_numbers(answers[i]);
		if (!json_equal(here, answers[i]))
			fail_msg("%s: another answer without a server", ways[i].verb);
		json_decref(here);
		json_decref(answers[i]);
	}
}

/* More command lines at once than the server takes: they wait, and nobody is turned away. */
static void many_wait_for_their_turn(void **state)
{
	enum { MANY = 40 };
	static const char line[] = "{\"verb\":\"status\"}\n";
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char said[4096];
	int fd[MANY];

	(void)state;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/admin.sock", server.data);
	for (size_t i = 0; i < MANY; i++) {
		fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fd[i], (struct sockaddr *)&addr, sizeof(addr)), 0);
		assert_int_equal(write(fd[i], line, sizeof(line) - 1), sizeof(line) - 1);
	}
	for (size_t i = 0; i < MANY; i++) {
		assert_true(read(fd[i], said, sizeof(said)) > 0);
		close(fd[i]);
	}
}

static void the_rest_answers(void **state)
{
	static const char *const reads[] = {"status", "samples",  "users",       "secrets",
	                                    "tokens", "accounts", "revocations", "usage",
	                                    "audit",  "config"};
	char args[160], *out;
	json_t *body;

	(void)state;
	snprintf(args, sizeof(args), "%s", bearer(admin_token));
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
		assert_int_equal(http(args, reads[i], &body), 200);
		assert_true(json_object_size(body) > 0);
		json_decref(body);
	}
	assert_int_equal(http(args, "samples?step=7", NULL), 400);
	assert_int_equal(http(args, "samples?since=1795326215", NULL), 400);
	assert_int_equal(http(args, "usage?from=monday", NULL), 400);
	assert_int_equal(http(args, "usage?limit=1001", NULL), 400);
	assert_int_equal(http(args, "sessions?secret=x", NULL), 400);
	assert_int_equal(http(args, "usage?user=%ff", NULL), 400); /* and not that of everybody */
	out = rig_verb(&server, "log-level debug", NULL);
	free(out);
	out = rig_verb(&server, "status", NULL);
	assert_non_null(strstr(out, "2 workers"));
	free(out);
}

static void the_socket_goes_with_the_server(void **state)
{
	char path[160], *out;
	struct stat st;

	(void)state;
	snprintf(path, sizeof(path), "%s/admin.sock", server.data);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	rig_server_stop(&server);
	assert_int_not_equal(stat(path, &st), 0);
	assert_int_equal(rig_try_verb(&server, "status", NULL, &out), 1);
	assert_non_null(strstr(out, "no server runs on"));
	free(out);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sessions_over_both),
	    cmocka_unit_test(pages_hold_each_row_once),
	    cmocka_unit_test(a_name_commands_no_terminal),
	    cmocka_unit_test(any_bytes_are_a_name),
	    cmocka_unit_test(who_may),
	    cmocka_unit_test(password_in_the_open),
	    cmocka_unit_test(a_long_name_is_cut_whole),
	    cmocka_unit_test(login),
	    cmocka_unit_test(drains),
	    cmocka_unit_test(answers_wait_for_their_reader),
	    cmocka_unit_test(pages_of_usage),
	    cmocka_unit_test(many_wait_for_their_turn),
	    cmocka_unit_test(the_rest_answers),
	    cmocka_unit_test(answers_the_same),
	    cmocka_unit_test(the_socket_goes_with_the_server),
	    cmocka_unit_test(answers_the_same_without_a_server),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}
