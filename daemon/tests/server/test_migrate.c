/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From coturn to here: a database made by coturn's own turnadmin, imported, and
 * its users and secrets at work in the server that comes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "store/credential.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SERVER4 RIG_SERVER4 ":3478"

__attribute__((format(printf, 1, 2))) static char *run(const char *format, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	return rig_run(command, NULL);
}

static void by_secret(const char *secret)
{
	char user[64], password[64];

	snprintf(user, sizeof(user), "%lld:carol", (long long)time(NULL) + 3600);
	credential_password(secret, strlen(secret), user, strlen(user), password);
	assert_int_equal(talker_try(SERVER4, user, password), 0);
}

#define COMMON                                                                                     \
	"listening-ip=" RIG_SERVER4 "\nmin-port=50000\nmax-port=54999\n"                           \
	"realm=example.org\nlt-cred-mech\nfingerprint\nno-cli\n"                                   \
	"total-quota=100\nno-tlsv1\nno-tlsv1_1\n"

/* What was said of the import of that file and of the database into the folder "to". */
static char *import(const char *file, const char *to)
{
	const char *dir = rig_dir();
	char *said = run("%s import-coturn %s/%s --userdb %s/turndb --write %s/%s",
	                 TURNPIKE_PROGRAM, dir, file, dir, dir, to);

	assert_null(strstr(said, "builder"));
	assert_null(strstr(said, "from-the"));
	return said;
}

static void serve(struct rig_program *server, const char *from)
{
	char command[512], *said;

	snprintf(command, sizeof(command),
	         "%s serve --drain-timeout 0 --config %s/%s/turnpike.conf", TURNPIKE_PROGRAM,
	         rig_dir(), from);
	rig_start(server, command, NULL);
	if (!rig_wait_output(server, "event=ready", 10000)) {
		said = rig_output(server);
		rig_fail(said, said, "the server does not start");
	}
}

static void moves_in(void **state)
{
	const char *dir = rig_dir();
	struct rig_program server;
	char command[512], *said;
	struct stat st;

	(void)state;
	free(run("turnadmin -a -b %s/turndb -u alice -r example.org -p wonderland", dir));
	free(run("turnadmin -s from-the-database -b %s/turndb -r example.org", dir));
	free(run("turnadmin -A -b %s/turndb -u boss -p secret", dir));
	rig_file("turnserver.conf", COMMON "user=bob:builder\n"
	                                   "user=dora:0xbc807ee29df3c9ffa736523fb2c4e8ee\n");
	said = import("turnserver.conf", "new");
	assert_non_null(strstr(said, "user alice of realm example.org: taken: a user with an MD5"));
	assert_non_null(strstr(said, "secret ******** of realm example.org: NOT TAKEN"));
	assert_non_null(strstr(said, "admin user boss: NOT TAKEN"));
	assert_non_null(strstr(said, "turnserver.conf:11: user=********: taken"));
	free(said);
	snprintf(command, sizeof(command), "%s/new/turnpike.conf", dir);
	assert_int_equal(stat(command, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	serve(&server, "new");
	assert_int_equal(talker_try(SERVER4, "alice", "wonderland"), 0);
	assert_int_equal(talker_try(SERVER4, "bob", "builder"), 0);
	assert_int_equal(talker_try(SERVER4, "alice", "wrong"), 401);
	/* coturn's own client, too */
	free(run("turnutils_uclient -s -n 5 -c -u alice -w wonderland -y " RIG_SERVER4));
	assert_int_equal(rig_signal_and_wait(&server, SIGTERM, 5000), 0);

	/* nothing that is there is overwritten */
	snprintf(command, sizeof(command), "%s import-coturn %s/turnserver.conf --write %s/new",
	         TURNPIKE_PROGRAM, dir, dir);
	rig_start(&server, command, NULL);
	assert_int_equal(rig_wait(&server, 5000), 1);
	said = rig_output(&server);
	assert_non_null(strstr(said, "File exists"));
	free(said);
}

/* With secrets, coturn lets in no user with a password: nor do we then. */
static void moves_in_with_secrets(void **state)
{
	struct rig_program server;
	char *said;

	(void)state;
	rig_file("secrets.conf", COMMON "user=bob:builder\nuse-auth-secret\n"
	                                "static-auth-secret=from-the-file\n");
	said = import("secrets.conf", "secrets");
	assert_non_null(strstr(said, "secret ******** of realm example.org: taken"));
	assert_non_null(strstr(said, "user alice of realm example.org: NOT TAKEN"));
	assert_non_null(strstr(said, "secrets.conf:11: user=********: NOT TAKEN"));
	free(said);
	serve(&server, "secrets");
	by_secret("from-the-database");
	by_secret("from-the-file");
	assert_int_equal(talker_try(SERVER4, "bob", "builder"), 401);
	assert_int_equal(rig_signal_and_wait(&server, SIGTERM, 5000), 0);
}

static void says_what_is_wrong(void **state)
{
	struct rig_program verb;
	char command[512], *said;

	(void)state;
	rig_file("bad.conf", "cert=/x.pem\nuserdb=/nonexistent/turndb\n");
	snprintf(command, sizeof(command), "%s import-coturn %s/bad.conf", TURNPIKE_PROGRAM,
	         rig_dir());
	rig_start(&verb, command, NULL);
	assert_int_equal(rig_wait(&verb, 5000), 0);
	said = rig_output(&verb);
	assert_non_null(strstr(said, "cert, pkey: NOT TAKEN: there is no pkey"));
	assert_null(strstr(said, "tls_cert ="));
	assert_non_null(strstr(said, "userdb: NOT TAKEN: cannot read /nonexistent/turndb"));
	free(said);
	/* a database of somebody else */
	rig_file("other.db", "not a database, but long enough to be looked at by SQLite ....");
	snprintf(command, sizeof(command), "%s import-coturn %s/bad.conf --userdb %s/other.db",
	         TURNPIKE_PROGRAM, rig_dir(), rig_dir());
	rig_start(&verb, command, NULL);
	assert_int_equal(rig_wait(&verb, 5000), 1);
	said = rig_output(&verb);
	assert_non_null(strstr(said, "not a SQLite database"));
	free(said);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(moves_in),
	    cmocka_unit_test(moves_in_with_secrets),
	    cmocka_unit_test(says_what_is_wrong),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
