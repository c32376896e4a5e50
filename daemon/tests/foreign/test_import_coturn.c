/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The import beside coturn itself: the packaged turnserver is started with hard
 * files, and so are we with what the import makes of them, and both have to
 * behave alike. Then files as people have them: what the import makes starts
 * and relays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/foreign/turnserver_files.h"
#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "store/credential.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIES 3 /* allocations of one user */

/* The values by which the two servers are compared, as text. */
struct seen {
	char text[8192];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void note(struct seen *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	s->len += (size_t)vsnprintf(s->text + s->len, sizeof(s->text) - s->len, format, ap);
	va_end(ap);
	assert_true(s->len < sizeof(s->text));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Where it listens. tcp_too: coturn has no TCP on its auxiliary servers, nor on others with
 * tcp-proxy-port; we have both everywhere. */
static void note_sockets(struct seen *s, bool tcp_too)
{
	char *said = rig_run(tcp_too ? "ss -Hlnut" : "ss -Hlnu", NULL), *save, *lines[256];
	size_t n = 0;

	for (char *l = strtok_r(said, "\n", &save); l && n < 256; l = strtok_r(NULL, "\n", &save))
		lines[n++] = l;
	for (size_t i = 0; i < n; i++) {
		char kind[8], local[128];

		assert_int_equal(sscanf(lines[i], "%7s %*s %*s %*s %127s", kind, local), 2);
		snprintf(lines[i], strlen(lines[i]) + 1, "%s %s", kind, local);
	}
	qsort(lines, n, sizeof(*lines), by_name);
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(lines[i], lines[i - 1]) != 0)
			note(s, "%s\n", lines[i]);
	free(said);
}

/* "NAME:PASSWORD", or "*SECRET" for a time-limited credential. */
static void credential(const char *text, char user[128], char password[128])
{
	if (*text == '*') {
		snprintf(user, 128, "%lld:carol", (long long)time(NULL) + 3600);
		credential_password(text + 1, strlen(text + 1), user, strlen(user), password);
	} else {
		snprintf(user, 128, "%.*s", (int)strcspn(text, ":"), text);
		snprintf(password, 128, "%s", text + strcspn(text, ":") + 1);
	}
}

/* The realm, and how many allocations the user gets. */
static void note_user(struct seen *s, const char *server, const char *text)
{
	char user[128], password[128], realm[128] = "";
	struct talker t[TRIES];
	int code[TRIES];

	credential(text, user, password);
	for (int i = 0; i < TRIES; i++) {
		talker_open(&t[i], server, false, NULL, user, password);
		code[i] = talker_login(&t[i]);
		if (code[i] == 401) {
			snprintf(realm, sizeof(realm), "%s", t[i].realm);
			code[i] = talker_allocate(&t[i], IPPROTO_UDP);
		}
	}
	note(s, "%s in \"%s\":", text, realm);
	for (int i = 0; i < TRIES; i++) {
		note(s, " %d", code[i]);
		if (!code[i])
			talker_refresh(&t[i], 0);
		talker_close(&t[i]);
	}
	note(s, "\n");
}

static void import(const char *file, const char *to)
{
	char command[512];

	snprintf(command, sizeof(command), "%s import-coturn %s --write %s/%s", TURNPIKE_PROGRAM,
	         file, rig_dir(), to);
	free(rig_run(command, NULL));
}

static void serve(struct rig_program *p, const char *from)
{
	char command[512], *said;

	snprintf(command, sizeof(command),
	         "%s serve --drain-timeout 0 --config %s/%s/turnpike.conf", TURNPIKE_PROGRAM,
	         rig_dir(), from);
	rig_start(p, command, NULL);
	if (!rig_wait_output(p, "event=ready", 20000)) {
		said = rig_output(p);
		rig_fail(said, said, "%s: the server does not start", from);
	}
}

/* ---- beside coturn ---- */

#define USERS_MAX 5

static const struct {
	const char *name, *text; /* behind it comes the certificate */
	const char *users[USERS_MAX];
	unsigned port;
	bool udp_only;
} hard[] = {
    {"remarks",
     "listening-ip=45.45.0.1\nlistening-port = \t3600 # the main one\nuser-quota=2 # two\n"
     "realm=a.org\nlt-cred-mech=yes # or no\nuser=bob:builder\n  user\t=  dora: a b\r\n",
     {"bob:builder", "dora:a b", "dora: a b"},
     3600,
     false},
    {"two-addresses",
     "listening-ip=45.45.0.1\nlistening-ip=45.45.0.2\nlistening-ip=45.45.0.1\nrealm=b.org\n"
     "user=bob:first\nuser=bob:second\nrealm=a.org\nuser-quota=9\nuser-quota=-1\n"
     /* MD5(eve:a.org:pw), and what coturn does not look at behind it */
     "user=eve:0x@eve:a.org:pw@ff\n",
     {"bob:first", "bob:second", "eve:pw"},
     3478,
     false},
    {"secrets",
     "listening-ip=45.45.0.1\nrealm=\"a#b\"\nuse-auth-secret=no\nstatic-auth-secret=\"one\"\n"
     "static-auth-secret=two # the new one\nuser=bob:builder\nno-tls\nno-dtls\n"
     "user-quota=0x10\n",
     {"*one", "*two # the new one", "*two", "bob:builder"},
     3478,
     false},
    {"behind-nat",
     "listening-ip=45.45.0.1\nlistening-ip=45.45.0.2\nexternal-ip=1.2.3.4\nrealm=a.org\n"
     "alt-listening-port=3500\nlt-cred-mech=0\nuser=bob:builder\ntotal-quota=2;\n",
     {"bob:builder"},
     3478,
     false},
    {"alternatives",
     "listening-ip=45.45.0.1\nlistening-ip=45.45.0.2\nalt-listening-port=3500 # x\n"
     "alt-tls-listening-port=0\ntls-listening-port=3555\naux-server=45.45.0.1:99\nrealm=a.org\n"
     "user=bob:builder\nlistening-ip=eth9\n",
     {"bob:builder"},
     3478,
     true},
    {"long-line", /* what is beyond the buffer is a line of its own */
     "# %1020$s\nrealm=a.org\nlistening-ip=45.45.0.1\nno-rfc5780=0\nuser=bob:builder",
     {"bob:builder"},
     3478,
     false},
};

/* Puts the key of "NAME:REALM:PASSWORD" between @s, and a blank for each of "%1020$s". */
static void spell(char *out, size_t size, const char *text)
{
	const char *at = strchr(text, '@'), *fill = strstr(text, "%1020$s"), *end;
	char command[128], *key;

	if (fill) {
		snprintf(out, size, "%.*s%1020s%s", (int)(fill - text), text, "", fill + 7);
		return;
	}
	if (!at) {
		snprintf(out, size, "%s", text);
		return;
	}
	end = strchr(at + 1, '@');
	snprintf(command, sizeof(command), "openssl md5 -r");
	snprintf(out, size, "%.*s", (int)(end - at - 1), at + 1);
	key = rig_run(command, out);
	snprintf(out, size, "%.*s%.32s%s", (int)(at - text), text, key, end + 1);
	free(key);
}

static void observe(struct seen *s, size_t i)
{
	char server[64];

	s->len = 0;
	snprintf(server, sizeof(server), RIG_SERVER4 ":%u", hard[i].port);
	note_sockets(s, !hard[i].udp_only);
	for (size_t u = 0; u < USERS_MAX && hard[i].users[u]; u++)
		note_user(s, server, hard[i].users[u]);
}

static void behaves_like_coturn(void **state)
{
	const char *dir = rig_dir();
	static struct seen coturn, ours;
	struct rig_program p;
	char text[4096], command[512], path[256];

	(void)state;
	for (size_t i = 0; i < sizeof(hard) / sizeof(*hard); i++) {
		spell(text, sizeof(text), hard[i].text);
		snprintf(path, sizeof(path), "%s",
		         rig_file("hard.conf",
		                  "%s\ncert=%s/fullchain.pem\npkey=%s/privkey.pem\n"
		                  "no-cli\n",
		                  text, dir, dir));
		snprintf(command, sizeof(command),
		         "turnserver -c %s --log-file stdout --pidfile %s/pid --userdb %s/turndb",
		         path, dir, dir);
		rig_start(&p, command, NULL);
		rig_wait_port(RIG_SERVER4, (uint16_t)hard[i].port);
		rig_sleep_ms(300); /* it tells nobody when it is ready */
		observe(&coturn, i);
		rig_signal_and_wait(&p, SIGKILL, 5000);

		import(path, hard[i].name);
		serve(&p, hard[i].name);
		observe(&ours, i);
		assert_int_equal(rig_signal_and_wait(&p, SIGTERM, 20000), 0);
		if (strcmp(coturn.text, ours.text) != 0)
			fail_msg("%s: coturn:\n%s\nhere:\n%s", hard[i].name, coturn.text,
			         ours.text);
	}
}

/* ---- as people have them ---- */

static void relays_with_what_people_have(void **state)
{
	const char *dir = rig_dir();
	struct rig_program p;
	char path[256], command[512], user[128], password[128], server[64], text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(turnserver_files) / sizeof(*turnserver_files); i++) {
		const char *name = turnserver_files[i].name;

		snprintf(path, sizeof(path), "%s/%s.conf", dir, name);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
		rig_file(strrchr(path, '/') + 1, turnserver_files[i].text, dir);
#pragma GCC diagnostic pop
		import(path, name);
		snprintf(text, sizeof(text), "%s:%s", turnserver_files[i].user ?: "guest",
		         turnserver_files[i].password ?: "made-later");
		if (turnserver_files[i].secret)
			snprintf(text, sizeof(text), "*%s", turnserver_files[i].secret);
		else if (!turnserver_files[i].user) {
			snprintf(command, sizeof(command),
			         "%s --data %s/%s/data user add guest --password-stdin",
			         TURNPIKE_PROGRAM, dir, name);
			free(rig_run(command, "made-later\n"));
		}
		serve(&p, name);
		credential(text, user, password);
		snprintf(server, sizeof(server), RIG_SERVER4 ":%u", turnserver_files[i].port);
		if (talker_try(server, user, password))
			fail_msg("%s: no allocation", name);
		assert_int_equal(rig_signal_and_wait(&p, SIGTERM, 20000), 0);
	}
}

/* Files of ours that are there are kept; what is no file makes none. */
static void writes_nothing_of_nothing(void **state)
{
	static const char *const from[] = {"/nonexistent/turnserver.conf", "/etc", "/dev/null"};
	char command[512], *said;
	struct rig_program p;

	(void)state;
	for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++) {
		snprintf(command, sizeof(command), "%s import-coturn %s --write %s/nothing",
		         TURNPIKE_PROGRAM, from[i], rig_dir());
		rig_start(&p, command, NULL);
		assert_int_equal(rig_wait(&p, 10000), 1);
		said = rig_output(&p);
		assert_non_null(strstr(said, from[i]));
		free(said);
	}
	snprintf(command, sizeof(command), "test ! -e %s/nothing", rig_dir());
	free(rig_run(command, NULL));
}

static int setup(void **state)
{
	char command[512];

	(void)state;
	snprintf(command, sizeof(command),
	         "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
	         "-subj /CN=turn.example.org -keyout %s/privkey.pem -out %s/fullchain.pem",
	         rig_dir(), rig_dir());
	free(rig_run(command, NULL));
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(behaves_like_coturn),
	    cmocka_unit_test(relays_with_what_people_have),
	    cmocka_unit_test(writes_nothing_of_nothing),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, NULL);
}
