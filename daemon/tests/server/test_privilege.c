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

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER4 RIG_SERVER4 ":443"
#define OPTIONS "--workers 2 --relay-ports 50000-50099 --listen " SERVER4 " --run-as nobody"
#define LONG_MS 20000

static int setup(void **state)
{
	(void)state;
	return chmod(rig_dir(), 0711);
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
	    rig_dir(), version, rig_dir(), version, version);
	free(rig_run(command, NULL));
	snprintf(command, sizeof(command), "chown nobody %s/certs/%s/key.pem", rig_dir(), version);
	free(rig_run(command, NULL));
}

static void swap_link(const char *version)
{
	char command[256];

	snprintf(command, sizeof(command), "ln -sfnT %s %s/certs/now", version, rig_dir());
	free(rig_run(command, NULL));
}

static void drops_root(void **state)
{
	struct rig_server s = {.data = ""};
	char options[512], path[64], *status, *log;
	struct talker t;
	struct stat st;

	(void)state;
	snprintf(options, sizeof(options), "mkdir -p %s/certs/v1 %s/certs/v2", rig_dir(),
	         rig_dir());
	free(rig_run(options, NULL));
	make_cert("v1");
	make_cert("v2");
	swap_link("v1");
	snprintf(options, sizeof(options),
	         OPTIONS " --tls-cert %s/certs/now/cert.pem --tls-key %s/certs/now/key.pem",
	         rig_dir(), rig_dir());
	rig_server_start(&s, "dropped", options); /* made by root, empty: given away */

	snprintf(path, sizeof(path), "cat /proc/%d/status", (int)s.program.pid);
	status = rig_run(path, NULL);
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

	/* it relays, and applies the changes of root's command line, which leaves no file of root's
	 * behind */
	free(rig_verb(&s, "user add dora --password-stdin", "explorer\n"));
	talker_open(&t, SERVER4, false, NULL, "dora", "explorer");
	assert_int_equal(talker_login(&t), 401);
	SOON(talker_allocate(&t, IPPROTO_UDP) == 0);
	assert_int_equal(talker_refresh(&t, 600), 0);
	talker_close(&t);
	free(rig_verb(&s, "secret add", NULL));

	/* a certificate renewed by a swap of folders */
	swap_link("v2");
	assert_true(rig_wait_output(&s.program, "event=certificate-reloaded", LONG_MS));
	log = rig_run("openssl s_client -connect " SERVER4, "");
	assert_line(log, "v2.example");
	free(log);
	rig_server_stop(&s);
}

/* A wildcard on a low port: the one right that an address wants which comes later. */
static void keeps_the_right_to_low_ports(void **state)
{
	struct rig_server s = {.data = ""};
	char path[64], *status;

	(void)state;
	rig_server_start(&s, "low",
	                 "--workers 1 --relay-ports 50000-50009 --run-as nobody --listen "
	                 "0.0.0.0:443");
	snprintf(path, sizeof(path), "cat /proc/%d/status", (int)s.program.pid);
	status = rig_run(path, NULL);
	assert_line(status, "Uid:\t65534\t65534\t65534\t65534\n");
	assert_line(status, "CapInh:\t0000000000000000\nCapPrm:\t0000000000000400\n"
	                    "CapEff:\t0000000000000400\n");
	assert_line(status, "CapAmb:\t0000000000000000\n");
	free(status);
	free(rig_run("ip addr add 77.7.0.60/32 dev lo", NULL));
	assert_true(rig_wait_output(&s.program, "event=listening address=77.7.0.60:443", LONG_MS));
	rig_server_stop(&s);
}

/* Only root may read it: that is enough for the start, and not for a reload. */
static void tells_what_a_reload_cannot_read(void **state)
{
	struct rig_server s = {.data = ""};
	char options[320], *said;

	(void)state;
	snprintf(options, sizeof(options), OPTIONS " --config %s",
	         rig_file("roots.conf", "log_level = info\n"));
	rig_server_start(&s, "roots", options);
	said = rig_output(&s.program);
	assert_line(said, "event=reload-will-fail");
	free(said);
	assert_int_equal(rig_try_verb(&s, "reload", NULL, &said), 1);
	assert_line(said, "Permission denied: correct --config, or let the server's user read it");
	free(said);
	rig_server_stop(&s);
}

static void refused(const char *prepare, const char *options, const char *want)
{
	struct rig_program p;
	char command[1024], *said;

	if (prepare) {
		snprintf(command, sizeof(command), "sh %s",
		         rig_file("prepare", "cd %s && %s", rig_dir(), prepare));
		free(rig_run(command, NULL));
	}
	snprintf(command, sizeof(command), "%s serve " OPTIONS " --data %s/%s", TURNPIKE_PROGRAM,
	         rig_dir(), options);
	rig_start(&p, command, NULL);
	assert_int_equal(rig_wait(&p, LONG_MS), 1);
	said = rig_output(&p);
	if (!strstr(said, want))
		rig_fail(said, said, "not \"%s\"", want);
	free(said);
}

static void owned_by_nobody(const struct rig_server *s, const char *name)
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
	struct rig_server s = {.data = ""};
	char path[160], verb[192];

	(void)state;
	rig_server_prepare(&s, "handed");
	snprintf(path, sizeof(path), "chown nobody:nogroup %s", s.data);
	free(rig_run(path, NULL));
	/* root makes the store */
	free(rig_verb(&s, "user add dora --password-stdin", "explorer\n"));
	owned_by_nobody(&s, "turnpike.db");
	owned_by_nobody(&s, "turnpike.db.lock");
	rig_server_start(&s, "handed", OPTIONS);
	/* keeps a backup there */
	snprintf(verb, sizeof(verb), "backup %s/root.copy", s.data);
	free(rig_verb(&s, verb, NULL));
	rig_server_stop(&s);
	rig_server_start(&s, "handed", OPTIONS);
	rig_server_stop(&s);
	/* and goes back to it */
	snprintf(verb, sizeof(verb), "restore %s/root.copy", s.data);
	free(rig_verb(&s, verb, NULL));
	owned_by_nobody(&s, "turnpike.db");
	rig_server_start(&s, "handed", OPTIONS);
	free(rig_verb(&s, "user list", NULL));
	rig_server_stop(&s);
}

static void says_whose_files_are_wrong(void **state)
{
	char options[512];

	(void)state;
	refused("mkdir old && touch old/turnpike.db", "old",
	        "/old/turnpike.db does not belong to nobody, so that user cannot write it: run "
	        "chown -R "
	        "65534:65534 ");
	refused("mkdir -m 700 closed", "closed/data", "nobody cannot reach");
	refused(
	    "mkdir -p c && openssl req -x509 -newkey ec -pkeyopt "
	    "ec_paramgen_curve:prime256v1 -nodes -keyout c/key.pem -out c/cert.pem -subj /CN=x "
	    "2>/dev/null; chmod 600 c/key.pem",
	    (snprintf(options, sizeof(options),
	              "cert --tls-cert %s/c/cert.pem --tls-key %s/c/key.pem", rig_dir(), rig_dir()),
	     options),
	    "/c/key.pem: nobody may not read it: run setfacl -m u:65534:r");
}

/* A data directory that belongs to nobody, with a store that nobody has made. */
static void prepare_nobodys(struct rig_server *s, const char *name)
{
	char command[256];

	rig_server_prepare(s, name);
	free(rig_verb(s, "user add alice --password-stdin", "secret\n"));
	snprintf(command, sizeof(command), "chown -R nobody:nogroup %s", s->data);
	free(rig_run(command, NULL));
}

static void in_data(const struct rig_server *s, const char *script)
{
	char command[900];

	snprintf(command, sizeof(command), "cd %s\n%s\n", s->data, script);
	free(rig_run("sh -e", command));
}

static bool is_as_it_was(const char *path, const char *text, mode_t mode)
{
	char command[256], *said;
	struct stat st;
	bool is;

	snprintf(command, sizeof(command), "cat %s", path);
	said = rig_run(command, NULL);
	is = !strcmp(said, text) && !stat(path, &st) && (st.st_mode & 07777) == mode && !st.st_uid;
	free(said);
	return is;
}

/* The owner replaces files with links to root's: root's command line changes none of them, makes
 * none, and reads none. */
static void owner_turns_no_file(void **state)
{
	static const char *const links[] = {"turnpike.db",     "turnpike.db-wal",
	                                    "turnpike.db-shm", "turnpike.db.lock",
	                                    "turnpike.lock",   "served.json"};
	static const char *const verbs[] = {"user add bob --password-stdin",
	                                    "user list",
	                                    "secret add",
	                                    "reload",
	                                    "status",
	                                    "sessions",
	                                    "check-config",
	                                    "secret retire 1 --now"};
	char script[512], filled[128], empty[128], backup[224], path[192], *said;
	struct rig_server s;
	struct stat st;

	(void)state;
	snprintf(filled, sizeof(filled), "%s", rig_file("filled", "of root's\n"));
	snprintf(empty, sizeof(empty), "%s", rig_file("empty", "%s", ""));
	assert_int_equal(chmod(filled, 0644) | chmod(empty, 0644), 0);
	prepare_nobodys(&s, "turned");
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		for (int k = 0; k < 3; k++) {
			const char *target = k == 0 ? filled : k == 1 ? empty : "/made-by-root";

			snprintf(script, sizeof(script),
			         "mv %s kept 2>/dev/null || true; ln -s %s %s; chown -h nobody %s",
			         links[i], target, links[i], links[i]);
			in_data(&s, script);
			snprintf(backup, sizeof(backup), "backup %s/copy-%zu-%d", rig_dir(), i, k);
			rig_try_verb(&s, backup, NULL, &said);
			free(said);
			for (size_t v = 0; v < sizeof(verbs) / sizeof(*verbs); v++) {
				rig_try_verb(&s, verbs[v], "pw\n", &said);
				assert_null(strstr(said, "of root's"));
				free(said);
			}
			if (!is_as_it_was(filled, "of root's\n", 0644) ||
			    !is_as_it_was(empty, "", 0644) || !lstat("/made-by-root", &st))
				fail_msg("%s led to a file of root's", links[i]);
			snprintf(script, sizeof(script), "rm %s; mv kept %s 2>/dev/null || true",
			         links[i], links[i]);
			in_data(&s, script);
		}
	}
	/* and root's own work is done: out to a folder of root's, and in from a file of root's */
	snprintf(path, sizeof(path), "%s/whole.db", rig_dir());
	snprintf(backup, sizeof(backup), "backup %s", path);
	free(rig_verb(&s, backup, NULL));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(backup, sizeof(backup), "restore %s", path);
	free(rig_verb(&s, backup, NULL));
	said = rig_verb(&s, "user list", NULL);
	assert_line(said, "alice\t");
	free(said);
	snprintf(path, sizeof(path), "%s/turnpike.db", s.data);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	/* a user other than the owner cannot lock it */
	snprintf(path, sizeof(path), "%s/turnpike.db.lock", s.data);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, 65534);
}

/* A check by root reads the data directory with its owner's rights, also without run_as: a file
 * that only root may read is not usable there. */
static void checks_as_the_owner(void **state)
{
	struct rig_server s;
	char *said;

	(void)state;
	prepare_nobodys(&s, "checked");
	in_data(&s, "chown root turnpike.db && chmod 600 turnpike.db");
	assert_int_equal(rig_try_verb(&s, "check-config", NULL, &said), 1);
	assert_line(said, "turnpike.db");
	free(said);
	in_data(&s, "chown nobody turnpike.db");
	said = rig_verb(&s, "check-config", NULL);
	assert_line(said, "ok");
	free(said);
}

/* A socket that answers anything with escape codes; it ends with the test. */
static pid_t false_server(const char *path, uid_t uid)
{
	static const char answer[] =
	    "{\"ok\":true,\"result\":{\"version\":\"\\u001b[2Jx\\u009b0m\\u202e\",\"sessions\":[{"
	    "\"id\":\"\\u001b[1m\","
	    "\"user\":\"\\u0000\\u001b]0;\"}],\"calls\":[{\"id\":\"\\u001b\"}],\"complete\":true,"
	    "\"events\":[{\"text\":\"\\u001b\"}],\"verdict\":\"\\u001b\"}}\n";
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid = fork();

	if (pid)
		return close(fd), pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (setgid(65534) || setuid(uid) || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, 8))
		_exit(1);
	for (;;) {
		int c = accept(fd, NULL, NULL);
		char line[4096];

		if (c >= 0 && read(c, line, sizeof(line)) > 0)
			(void)!write(c, answer, sizeof(answer) - 1);
		close(c);
	}
}

static void owner_writes_to_no_terminal(void **state)
{
	static const char *const verbs[] = {
	    "status",          "sessions",           "calls", "explain t0-1", "status --json",
	    "sessions --json", "explain t0-1 --json"};
	struct rig_server s;
	char path[160], *said;
	struct stat st;
	pid_t pid;

	(void)state;
	prepare_nobodys(&s, "false");
	snprintf(path, sizeof(path), "%s/admin.sock", s.data);
	pid = false_server(path, 65534);
	SOON(!stat(path, &st));
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		SOON(rig_try_verb(&s, verbs[i], NULL, &said) == 0 || (free(said), 0));
		for (const unsigned char *c = (const unsigned char *)said; *c; c++)
			if ((*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f ||
			    (*c == 0xc2 && c[1] < 0xa0) ||
			    (*c == 0xe2 && c[1] == 0x80 && c[2] == 0xae))
				fail_msg("%s writes 0x%02x to the terminal", verbs[i], *c);
		free(said);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* a link to a socket elsewhere is no server of ours */
	in_data(&s, "rm admin.sock; ln -s /run/some.sock admin.sock");
	assert_int_equal(rig_try_verb(&s, "status", NULL, &said), 1);
	assert_line(said, "no server runs on");
	free(said);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(drops_root),
	    cmocka_unit_test(keeps_the_right_to_low_ports),
	    cmocka_unit_test(root_leaves_nothing_in_the_way),
	    cmocka_unit_test(tells_what_a_reload_cannot_read),
	    cmocka_unit_test(says_whose_files_are_wrong),
	    cmocka_unit_test(owner_turns_no_file),
	    cmocka_unit_test(checks_as_the_owner),
	    cmocka_unit_test(owner_writes_to_no_terminal),
	};

	(void)argc;
	rig_enter_as_root(argv);
	return cmocka_run_group_tests(tests, setup, NULL);
}
