/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Accounts of a running server, made and changed over HTTP and the socket: their rights, what ends
 * with them, and that no request waits while another one's password is hashed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/openapi.h"
#include "daemon/tests/server/rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define OPTIONS                                                                                    \
	"--workers 1 --relay-ports 50000-50999 --listen 127.0.0.1:8080 --trusted-proxy 127.0.0.1"
#define COOKIE    80
#define MADE_LEN  32
#define PATIENCE  1000 /* looks, 20 ms apart */
#define QUEUE_MAX 16   /* as in helper.h */

static struct rig_server server;
static char token[64];

static int setup(void **state)
{
	char *said, *at;

	(void)state;
	rig_server_prepare(&server, "accounts");
	said = rig_verb(&server, "token add test --scope admin", NULL);
	at = strstr(said, "tp_");
	assert_true(at && sscanf(at, "%63s", token) == 1);
	free(said);
	free(rig_verb(&server, "account add root --admin --password-stdin", "horse-battery\n"));
	free(rig_verb(&server, "account add guest --password-stdin", "only-looking\n"));
	rig_server_start(&server, "accounts", OPTIONS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (server.program.pid)
		rig_server_stop(&server);
	return 0;
}

/* With the token, or with a cookie. The status; *body (may be NULL) gets the JSON. */
static int ask(const char *cookie, const char *verb, const char *args, json_t **body)
{
	char target[96];
	struct openapi_answer a;

	snprintf(target, sizeof(target), OPENAPI_ADMIN "%s", verb);
	a = openapi_ask(&(struct openapi_request){.method = args ? "POST" : "GET",
	                                          .target = target,
	                                          .token = cookie ? NULL : token,
	                                          .cookie = cookie,
	                                          .type = "application/json",
	                                          .body = args});
	if (body)
		*body = json_loads(a.body, 0, NULL);
	free(a.head);
	return a.status;
}

static const char *text(const json_t *of, const char *name)
{
	return json_string_value(json_object_get(of, name));
}

/* Fails the test unless it is refused with the status, and the message holds the word. */
static void refused(const char *verb, const char *args, int status, const char *word)
{
	json_t *body;

	assert_int_equal(ask(NULL, verb, args, &body), status);
	if (!strstr(text(json_object_get(body, "error"), "message"), word))
		fail_msg("%s: %s", args, text(json_object_get(body, "error"), "message"));
	json_decref(body);
}

/* The second step of a login: 202 until the first has been done. */
static int claim(const char *args, char cookie[COOKIE])
{
	struct openapi_answer a =
	    openapi_ask(&(struct openapi_request){.method = "POST",
	                                          .target = OPENAPI_ADMIN "login/claim",
	                                          .type = "application/json",
	                                          .body = args});
	char *at = strstr(a.head, "Set-Cookie: turnpike=");

	if (at)
		snprintf(cookie, 65, "%s", at + strlen("Set-Cookie: turnpike="));
	free(a.head);
	return a.status;
}

/* Both steps; the status of the last. */
static int take_steps(const char *by, const char *first, const char *args_of_it,
                      char cookie[COOKIE])
{
	char args[256];
	json_t *body;
	int status;

	assert_int_equal(ask(by, first, args_of_it, &body), 202);
	snprintf(args, sizeof(args), "{\"ticket\":\"%s\"}", text(body, "ticket"));
	json_decref(body);
	SOON((status = claim(args, cookie)) != 202);
	return status;
}

static int sign_in(const char *name, const char *password, char cookie[COOKIE])
{
	char args[256];

	snprintf(args, sizeof(args), "{\"name\":\"%s\",\"password\":\"%s\"}", name, password);
	return take_steps("", "login", args, cookie);
}

static void in_the_audit(const char *line)
{
	char *audit = rig_verb(&server, "audit", NULL);

	if (!strstr(audit, line))
		rig_fail(audit, audit, "no %s", line);
	free(audit);
}

/* ---- what they do ---- */

static void adds_changes_deletes(void **state)
{
	char cookie[COOKIE], again[COOKIE], password[64];
	json_t *body;

	(void)state;
	assert_int_equal(ask(NULL, "account/add", "{\"name\":\"carl\"}", &body), 200);
	assert_string_equal(text(body, "role"), "user");
	snprintf(password, sizeof(password), "%s", text(body, "password"));
	assert_int_equal(strlen(password), MADE_LEN);
	json_decref(body);
	assert_int_equal(sign_in("carl", password, cookie), 200);
	assert_int_equal(ask(cookie, "whoami", NULL, &body), 200);
	assert_string_equal(text(body, "role"), "user");
	json_decref(body);
	/* A new password, and what was opened with the old one ends. */
	assert_int_equal(ask(NULL, "account/password",
	                     "{\"name\":\"carl\",\"password\":\"battery-staple\"}", &body),
	                 200);
	assert_true(json_is_null(json_object_get(body, "password"))); /* it was not made */
	json_decref(body);
	assert_int_equal(ask(cookie, "whoami", NULL, NULL), 401);
	assert_int_equal(sign_in("carl", password, again), 401);
	assert_int_equal(sign_in("carl", "battery-staple", cookie), 200);
	assert_int_equal(ask(NULL, "account/del", "{\"name\":\"carl\"}", NULL), 200);
	assert_int_equal(ask(cookie, "whoami", NULL, NULL), 401);
	in_the_audit("token 1 test\taccount add\tcarl (user)");
	in_the_audit("token 1 test\taccount password\tcarl");
	in_the_audit("token 1 test\taccount del\tcarl");
}

static void bad_input_is_refused(void **state)
{
	json_t *body;

	(void)state;
	refused("account/add", "{}", 400, "needs the argument \"name\"");
	refused("account/add", "{\"name\":\"eve\",\"role\":\"root\"}", 400, "admin or user");
	refused("account/add", "{\"name\":\"eve\",\"password\":\"short\"}", 400,
	        "at least 8 bytes");
	refused("account/add", "{\"name\":\"\"}", 400, "name");
	refused("account/add", "{\"name\":\"root\"}", 409, "exists already");
	refused("account/password", "{\"name\":\"eve\"}", 404, "no account");
	refused("account/del", "{\"name\":\"eve\"}", 404, "no account");
	assert_int_equal(ask(NULL, "accounts", NULL, &body), 200);
	assert_int_equal(json_array_size(json_object_get(body, "accounts")), 2);
	json_decref(body);
}

/* Only an admin changes accounts: role user gets 403, no login 401. */
static void admins_only(void **state)
{
	char cookie[COOKIE];

	(void)state;
	assert_int_equal(sign_in("guest", "only-looking", cookie), 200);
	assert_int_equal(ask(cookie, "account/add", "{\"name\":\"eve\"}", NULL), 403);
	assert_int_equal(ask(cookie, "account/password", "{\"name\":\"guest\"}", NULL), 403);
	assert_int_equal(ask(cookie, "account/del", "{\"name\":\"root\"}", NULL), 403);
	assert_int_equal(ask("", "account/add", "{\"name\":\"eve\"}", NULL), 401);
	assert_int_equal(sign_in("root", "horse-battery", cookie), 200);
	assert_int_equal(ask(cookie, "account/add", "{\"name\":\"dora\",\"role\":\"admin\"}", NULL),
	                 200);
	in_the_audit("account root\taccount add\tdora (admin)");
}

static void keeps_the_last_admin(void **state)
{
	(void)state;
	assert_int_equal(ask(NULL, "account/del", "{\"name\":\"root\"}", NULL), 200);
	refused("account/del", "{\"name\":\"dora\"}", 409, "last account of role admin");
	free(rig_verb(&server, "account add root --admin --password-stdin", "horse-battery\n"));
	assert_int_equal(ask(NULL, "account/del", "{\"name\":\"dora\"}", NULL), 200);
}

#define CHANGE(current, new) "{\"current\":\"" current "\",\"password\":\"" new "\"}"

/* An account of any role may, if it knows the old one; this login goes on, all others end. */
static void changes_ones_own(void **state)
{
	char cookie[COOKIE], other[COOKIE], again[COOKIE] = "";

	(void)state;
	assert_int_equal(sign_in("guest", "only-looking", cookie), 200);
	assert_int_equal(sign_in("guest", "only-looking", other), 200);
	assert_int_equal(take_steps(cookie, "password", CHANGE("a-mistake", "looking-on"), again),
	                 401);
	assert_int_equal(ask(cookie, "password", CHANGE("only-looking", "short"), NULL), 400);
	assert_int_equal(ask(cookie, "password", "{\"password\":\"looking-on\"}", NULL), 400);
	assert_int_equal(ask(NULL, "password", CHANGE("only-looking", "looking-on"), NULL), 400);
	assert_int_equal(ask("", "password", CHANGE("only-looking", "looking-on"), NULL), 401);
	assert_int_equal(ask(cookie, "whoami", NULL, NULL), 200);
	assert_int_equal(
	    take_steps(cookie, "password", CHANGE("only-looking", "looking-on"), again), 200);
	assert_int_equal(ask(again, "whoami", NULL, NULL), 200);
	assert_int_equal(ask(cookie, "whoami", NULL, NULL), 401);
	assert_int_equal(ask(other, "whoami", NULL, NULL), 401);
	in_the_audit("account guest\taccount password\tguest");
}

/* ---- nobody waits ---- */

/* Asks over HTTP and does not wait. */
static int begin(const char *verb, const char *args)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_port = htons(OPENAPI_PORT),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	dprintf(fd,
	        "POST " OPENAPI_ADMIN "%s HTTP/1.1\r\nHost: turn.example.org\r\nAuthorization: "
	        "Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	        verb, token, strlen(args), args);
	return fd;
}

static bool is_answered(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* The status; 0 when the connection closes without an answer. */
static int end(int fd)
{
	char buf[8192];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(buf) - 1 && (n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = 0;
	close(fd);
	return len > 12 ? atoi(buf + 9) : 0;
}

/* How many times the helper's thread has run and gone to sleep again. */
static unsigned long helper_sleeps(void)
{
	char path[300], line[128];
	unsigned long n, sleeps = 0;
	struct dirent *e;
	bool is_helper;
	DIR *tasks;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)server.program.pid);
	tasks = opendir(path);
	assert_non_null(tasks);
	while ((e = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)server.program.pid,
		         e->d_name);
		is_helper = false;
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f)) {
			is_helper |= !strcmp(line, "Name:\thelper\n");
			if (is_helper && sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1)
				sleeps = n;
		}
		if (f)
			fclose(f);
	}
	closedir(tasks);
	return sleeps;
}

static sqlite3 *lock_store(void)
{
	char path[160];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/turnpike.db", server.data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

/* Nobody can write: whoever makes an account is held. Others hear meanwhile; the one that is held
 * hears once it is done. A machine that stands still for the store's whole patience is asked
 * again. */
static int hold_one(void)
{
	unsigned long before = helper_sleeps();
	sqlite3 *db = lock_store();
	int fd = begin("account/add", "{\"name\":\"slow\"}"), looks = 0, status;

	while (helper_sleeps() == before && looks++ < PATIENCE) {
		assert_int_equal(ask(NULL, "status", NULL, NULL), 200);
		rig_sleep_ms(20);
	}
	assert_true(looks < PATIENCE); /* it is under way there, and nowhere else */
	assert_int_equal(ask(NULL, "status", NULL, NULL), 200);
	free(rig_verb(&server, "status", NULL));
	status = is_answered(fd);
	sqlite3_close(db);
	if (status) {
		assert_int_equal(end(fd), 503);
		return 503;
	}
	return end(fd);
}

static void others_are_served_meanwhile(void **state)
{
	int status = 503;

	(void)state;
	for (int i = 0; i < 5 && status == 503; i++)
		status = hold_one();
	assert_int_equal(status, 200);
	in_the_audit("token 1 test\taccount add\tslow (user)");
	assert_int_equal(ask(NULL, "account/del", "{\"name\":\"slow\"}", NULL), 200);
}

static size_t accounts_n(void)
{
	json_t *body;
	size_t n;

	assert_int_equal(ask(NULL, "accounts", NULL, &body), 200);
	n = json_array_size(json_object_get(body, "accounts"));
	json_decref(body);
	return n;
}

/* A client that goes before the answer, or talks on before it, does no harm: what it asked for is
 * done. */
static void who_asks_may_go(void **state)
{
	int fd;

	(void)state;
	close(begin("account/add", "{\"name\":\"gone\"}"));
	fd = begin("account/add", "{\"name\":\"talks\"}");
	dprintf(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	end(fd);
	SOON(accounts_n() >= 3);
}

static void too_many_are_refused(void **state)
{
	int fd[3 * QUEUE_MAX], status[600] = {0};
	char args[64];

	(void)state;
	for (size_t i = 0; i < sizeof(fd) / sizeof(*fd); i++) {
		snprintf(args, sizeof(args), "{\"name\":\"many%zu\"}", i);
		fd[i] = begin("account/add", args);
	}
	for (size_t i = 0; i < sizeof(fd) / sizeof(*fd); i++)
		status[end(fd[i])]++;
	assert_true(status[200] >= QUEUE_MAX / 2); /* others may still be at work */
	assert_true(status[409] >= QUEUE_MAX / 2);
	assert_int_equal(status[200] + status[409], sizeof(fd) / sizeof(*fd));
}

/* Answers come in order, also to a client that has closed its writing side. */
static void the_socket_answers_in_order(void **state)
{
	static const char lines[] = "{\"verb\":\"status\"}\n"
	                            "{\"verb\":\"account add\",\"args\":{\"name\":\"line\"}}\n"
	                            "{\"verb\":\"account password\",\"args\":{\"name\":\"line\"}}\n"
	                            "{\"verb\":\"account del\",\"args\":{\"name\":\"line\"}}\n"
	                            "{\"verb\":\"account del\",\"args\":{\"name\":\"line\"}}\n";
	static const char *const want[] = {"uptime_s", "\"role\":\"user\"", "\"password\":\"",
	                                   "\"name\":\"line\"", "not-found"};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[8192];
	size_t n = 0;
	FILE *f;

	(void)state;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/admin.sock", server.data);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(write(fd, lines, strlen(lines)), strlen(lines));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	f = fdopen(fd, "r");
	while (fgets(line, sizeof(line), f)) {
		assert_true(n < sizeof(want) / sizeof(*want));
		if (!strstr(line, want[n++]))
			fail_msg("no %s in %s", want[n - 1], line);
	}
	fclose(f);
	assert_int_equal(n, sizeof(want) / sizeof(*want));
	in_the_audit("socket uid 0\taccount add\tline (user)");
}

/* It stops while it has work, and who asked for it waits. */
static void stops_in_the_middle(void **state)
{
	int fd[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		fd[i] = begin("account/password", "{\"name\":\"guest\"}");
	assert_int_equal(ask(NULL, "status", NULL, NULL), 200);
	rig_server_stop(&server);
	for (size_t i = 0; i < 4; i++)
		end(fd[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(adds_changes_deletes),
	    cmocka_unit_test(bad_input_is_refused),
	    cmocka_unit_test(admins_only),
	    cmocka_unit_test(keeps_the_last_admin),
	    cmocka_unit_test(changes_ones_own),
	    cmocka_unit_test(others_are_served_meanwhile),
	    cmocka_unit_test(who_asks_may_go),
	    cmocka_unit_test(too_many_are_refused),
	    cmocka_unit_test(the_socket_answers_in_order),
	    cmocka_unit_test(stops_in_the_middle),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
