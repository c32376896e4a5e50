/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From root to nobody: what is left of root, what still works as nobody, and
 * what the start refuses. Needs real root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/foreign/lab.h"
#include "daemon/tests/foreign/talker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVER4 LAB_SERVER4 ":443"
#define OPTIONS "--workers 2 --relay-ports 50000-50099 --listen " SERVER4 " --run-as nobody"
#define LONG_MS 20000

static int start(void **state)
{
	(void)state;
	return chmod(lab_dir(), 0711);
}

static void assert_line(const char *status, const char *line)
{
	if (!strstr(status, line)) {
		fprintf(stderr, "no \"%s\" in:\n%s", line, status);
		fail();
	}
}

static void make_cert(const char *version)
{
	char command[640];

	snprintf(
	    command, sizeof(command),
	    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "
	    "%s/certs/%s/key.pem -out %s/certs/%s/cert.pem -days 60 -subj /CN=%s.example",
	    lab_dir(), version, lab_dir(), version, version);
	free(lab_run(command, NULL));
	snprintf(command, sizeof(command), "chown nobody %s/certs/%s/key.pem", lab_dir(), version);
	free(lab_run(command, NULL));
}

static void swap_link(const char *version)
{
	char command[256];

	snprintf(command, sizeof(command), "ln -sfnT %s %s/certs/now", version, lab_dir());
	free(lab_run(command, NULL));
}

static void drops_root(void **state)
{
	struct lab_server s = {.data = ""};
	char options[512], path[64], *status, *log;
	struct talker t;
	struct stat st;

	(void)state;
	snprintf(options, sizeof(options), "mkdir -p %s/certs/v1 %s/certs/v2", lab_dir(),
	         lab_dir());
	free(lab_run(options, NULL));
	make_cert("v1");
	make_cert("v2");
	swap_link("v1");
	snprintf(options, sizeof(options),
	         OPTIONS " --tls-cert %s/certs/now/cert.pem --tls-key %s/certs/now/key.pem",
	         lab_dir(), lab_dir());
	lab_server_start(&s, "dropped", options); /* made by root, empty: given away */

	snprintf(path, sizeof(path), "cat /proc/%d/status", (int)s.program.pid);
	status = lab_run(path, NULL);
	assert_line(status, "Uid:\t65534\t65534\t65534\t65534\n");
	assert_line(status, "Gid:\t65534\t65534\t65534\t65534\n");
	assert_line(status, "Groups:\t \n");
	assert_line(status, "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
	                    "CapEff:\t0000000000000000\n");
	assert_line(status, "CapAmb:\t0000000000000000\n");
	assert_line(status, "NoNewPrivs:\t1\n");
	free(status);
	assert_int_equal(stat(s.data, &st), 0);
	assert_int_equal(st.st_uid, 65534);

	/* it relays, and heeds root's command line, which leaves nothing of root's behind */
	free(lab_verb(&s, "user add dora --password-stdin", "explorer\n"));
	talker_open(&t, SERVER4, false, NULL, "dora", "explorer");
	assert_int_equal(talker_login(&t), 401);
	SOON(talker_allocate(&t, NULL) == 0);
	assert_int_equal(talker_refresh(&t, 600), 0);
	talker_close(&t);
	free(lab_verb(&s, "secret add", NULL));

	/* a certificate renewed by a swap of folders */
	swap_link("v2");
	assert_true(lab_wait_output(&s.program, "event=certificate-reloaded", LONG_MS));
	log = lab_run("openssl s_client -connect " SERVER4, "");
	assert_line(log, "v2.example");
	free(log);
	lab_server_stop(&s);
}

/* A wildcard on a low port: the one right that an address wants which comes later. */
static void keeps_the_right_to_low_ports(void **state)
{
	struct lab_server s = {.data = ""};
	char path[64], *status;

	(void)state;
	lab_server_start(&s, "low",
	                 "--workers 1 --relay-ports 50000-50009 --run-as nobody --listen "
	                 "0.0.0.0:443");
	snprintf(path, sizeof(path), "cat /proc/%d/status", (int)s.program.pid);
	status = lab_run(path, NULL);
	assert_line(status, "Uid:\t65534\t65534\t65534\t65534\n");
	assert_line(status, "CapInh:\t0000000000000000\nCapPrm:\t0000000000000400\n"
	                    "CapEff:\t0000000000000400\n");
	assert_line(status, "CapAmb:\t0000000000000000\n");
	free(status);
	free(lab_run("ip addr add 77.7.0.60/32 dev lo", NULL));
	assert_true(lab_wait_output(&s.program, "event=listening address=77.7.0.60:443", LONG_MS));
	lab_server_stop(&s);
}

/* Only root may read it: that is enough for the start, and not for a reload. */
static void tells_what_a_reload_cannot_read(void **state)
{
	struct lab_server s = {.data = ""};
	char options[320], *said;

	(void)state;
	snprintf(options, sizeof(options), OPTIONS " --config %s",
	         lab_file("roots.conf", "log_level = info\n"));
	lab_server_start(&s, "roots", options);
	said = lab_output(&s.program);
	assert_line(said, "event=reload-will-fail");
	free(said);
	assert_int_equal(lab_try_verb(&s, "reload", NULL, &said), 1);
	assert_line(said, "Permission denied: correct --config, or let the server's user read it");
	free(said);
	lab_server_stop(&s);
}

static void refused(const char *prepare, const char *options, const char *want)
{
	struct lab_program p;
	char command[1024], *said;

	if (prepare) {
		snprintf(command, sizeof(command), "sh %s",
		         lab_file("prepare", "cd %s && %s", lab_dir(), prepare));
		free(lab_run(command, NULL));
	}
	snprintf(command, sizeof(command), "%s serve " OPTIONS " --data %s/%s", TURNPIKE_PROGRAM,
	         lab_dir(), options);
	lab_start(&p, command, NULL);
	assert_int_equal(lab_wait(&p, LONG_MS), 1);
	said = lab_output(&p);
	if (!strstr(said, want))
		lab_fail(said, said, "not \"%s\"", want);
	free(said);
}

static void owned_by_nobody(const struct lab_server *s, const char *name)
{
	char path[160];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", s->data, name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 65534);
}

/* Whatever root's command line does in the data folder, the server starts again. */
static void root_leaves_nothing_in_the_way(void **state)
{
	struct lab_server s = {.data = ""};
	char path[160], verb[192];

	(void)state;
	lab_server_prepare(&s, "handed");
	snprintf(path, sizeof(path), "chown nobody:nogroup %s", s.data);
	free(lab_run(path, NULL));
	/* root makes the store */
	free(lab_verb(&s, "user add dora --password-stdin", "explorer\n"));
	owned_by_nobody(&s, "turnpike.db");
	owned_by_nobody(&s, "turnpike.db.lock");
	lab_server_start(&s, "handed", OPTIONS);
	/* keeps a backup there */
	snprintf(verb, sizeof(verb), "backup %s/root.copy", s.data);
	free(lab_verb(&s, verb, NULL));
	lab_server_stop(&s);
	lab_server_start(&s, "handed", OPTIONS);
	lab_server_stop(&s);
	/* and goes back to it */
	snprintf(verb, sizeof(verb), "restore %s/root.copy", s.data);
	free(lab_verb(&s, verb, NULL));
	owned_by_nobody(&s, "turnpike.db");
	lab_server_start(&s, "handed", OPTIONS);
	free(lab_verb(&s, "user list", NULL));
	lab_server_stop(&s);
}

static void says_whose_files_are_wrong(void **state)
{
	char options[512];

	(void)state;
	refused("mkdir old && touch old/turnpike.db", "old",
	        "/old/turnpike.db does not belong to nobody, who could not write it: run chown -R "
	        "65534:65534 ");
	refused("mkdir -m 700 closed", "closed/data", "nobody may not reach");
	refused(
	    "mkdir -p c && openssl req -x509 -newkey ec -pkeyopt "
	    "ec_paramgen_curve:prime256v1 -nodes -keyout c/key.pem -out c/cert.pem -subj /CN=x "
	    "2>/dev/null; chmod 600 c/key.pem",
	    (snprintf(options, sizeof(options),
	              "cert --tls-cert %s/c/cert.pem --tls-key %s/c/key.pem", lab_dir(), lab_dir()),
	     options),
	    "/c/key.pem: nobody may not read it: run setfacl -m u:65534:r");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(drops_root),
	    cmocka_unit_test(keeps_the_right_to_low_ports),
	    cmocka_unit_test(root_leaves_nothing_in_the_way),
	    cmocka_unit_test(tells_what_a_reload_cannot_read),
	    cmocka_unit_test(says_whose_files_are_wrong),
	};

	(void)argc;
	lab_enter_as_root(argv);
	return cmocka_run_group_tests(tests, start, NULL);
}
