/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The store under a running server is locked, damaged, without room, or its
 * writers are killed: what runs goes on, who writes is told what to mend, and
 * nothing that was acknowledged is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVER4 RIG_SERVER4 ":3478"
#define OPTIONS "--workers 2 --relay-ports 50000-54999 --usage-interval 1 --listen " SERVER4
#define ROUNDS  30

struct scene {
	struct rig_server server;
	struct talker call; /* that must go on */
	char token[RIG_TOKEN_MAX];
};

/* A server in the folder of that name, and a call over it. */
static void begin(struct scene *s, const char *name)
{
	memset(s, 0, sizeof(*s));
	rig_server_prepare(&s->server, name);
	free(rig_verb(&s->server, "user add alice --password-stdin", "wonderland\n"));
	rig_token_add(&s->server, s->token, "--scope admin");
	rig_server_start(&s->server, name, OPTIONS);
	talker_enter(&s->call, SERVER4, false, "alice", "wonderland");
}

static int http(const struct scene *s, const char *method, const char *path, const char *data,
                char **out)
{
	char config[512];

	snprintf(config, sizeof(config),
	         "url = \"http://" SERVER4 "%s\"\nrequest = \"%s\"\n"
	         "header = \"Authorization: Bearer %s\"\n%s%s%s",
	         path, method, s->token, data ? "data = \"" : "", data ? data : "",
	         data ? "\"\n" : "");
	*out = rig_run("curl -s -i --max-time 10 -K -", config);
	return strchr(*out, ' ') ? atoi(strchr(*out, ' ')) : 0;
}

/* The value of one series of /metrics. */
static int metric(const struct scene *s, const char *name)
{
	char line[128], *said, *at;
	int value;

	assert_int_equal(http(s, "GET", "/metrics", NULL, &said), 200);
	snprintf(line, sizeof(line), "\n%s ", name);
	at = strstr(said, line);
	assert_non_null(at);
	value = atoi(at + strlen(line));
	free(said);
	return value;
}

/* Calls run, new ones come, and credentials are issued, from what was read last. */
static void goes_on(struct scene *s)
{
	struct talker t;
	char *said;

	assert_int_equal(talker_refresh(&s->call, 600), 0);
	talker_enter(&t, SERVER4, true, "alice", "wonderland");
	assert_int_equal(talker_refresh(&t, 0), 0);
	talker_close(&t);
	assert_int_equal(http(s, "GET", "/turn?username=x", NULL, &said), 200);
	free(said);
}

/* Requests that must write are refused, with the way out. */
static void cannot_write(struct scene *s, const char *http_says, const char *cli_says)
{
	unsigned long long since = rig_now_ms();
	char *said;

	assert_int_equal(http(s, "POST", "/api/v1/revoke", "{\\\"user\\\":\\\"mallory\\\"}", &said),
	                 503);
	assert_non_null(strstr(said, "{\"error\":{\"code\":\"unavailable\""));
	assert_non_null(strstr(said, "Retry-After: "));
	assert_non_null(strstr(said, http_says));
	free(said);
	/* nor does the rest wait for it: SQLite would, for five seconds */
	assert_in_range(rig_now_ms() - since, 0, 4000);
	assert_int_equal(rig_try_verb(&s->server, "user add bob", NULL, &said), 1);
	if (!strstr(said, cli_says))
		rig_fail(said, said, "does not say \"%s\"", cli_says);
	free(said);
}

/* Acts outside of the store are done all the same, and logged. */
static void can_be_drained(struct scene *s)
{
	free(rig_verb(&s->server, "drain", NULL));
	free(rig_verb(&s->server, "drain cancel", NULL));
	assert_true(
	    rig_wait_output(&s->server.program, "event=not-in-the-audit act=drain", SOON_MS));
	rig_server_settle(&s->server);
}

static void end(struct scene *s)
{
	talker_close(&s->call);
	rig_server_stop(&s->server);
}

static void locked(void **state)
{
	char db[128], *said;
	struct scene s;
	sqlite3 *holder;

	(void)state;
	begin(&s, "locked");
	snprintf(db, sizeof(db), "%s/turnpike.db", s.server.data);
	assert_int_equal(sqlite3_open(db, &holder), SQLITE_OK);
	assert_int_equal(sqlite3_exec(holder, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	goes_on(&s);
	cannot_write(&s, "locked by another process", "locked by another process");
	can_be_drained(&s);
	goes_on(&s);
	assert_true(rig_wait_output(&s.server.program, "event=revocation-failed", SOON_MS));
	/* and all is well once it is free */
	assert_int_equal(sqlite3_exec(holder, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(holder);
	assert_int_equal(
	    http(&s, "POST", "/api/v1/revoke", "{\\\"user\\\":\\\"mallory\\\"}", &said), 204);
	free(said);
	free(rig_verb(&s.server, "user add bob", NULL));
	goes_on(&s);
	end(&s);
}

static void unmount(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/full", rig_dir());
	umount2(path, MNT_DETACH);
}

static bool has_usage(const struct scene *s)
{
	char *said = rig_verb(&s->server, "usage --user alice --json", NULL);
	bool has = strstr(said, "\"allocations\": ");

	free(said);
	return has;
}

/* The call's usage of before is not lost either: it is written when there is room again. */
static void without_room(void **state)
{
	char path[128], command[300];
	struct scene s;

	(void)state;
	snprintf(path, sizeof(path), "%s/full", rig_dir());
	assert_int_equal(mkdir(path, 0700), 0);
	/* a mount of our own, that nobody else sees and that ends with us */
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount("tmpfs", path, "tmpfs", 0, "size=2m,mode=0700"), 0);
	begin(&s, "full");
	snprintf(command, sizeof(command), "dd if=/dev/zero of=%s/ballast bs=4096 status=none",
	         path);
	if (system(command)) /* it fails for want of room, as it must */
		(void)0;
	goes_on(&s);
	cannot_write(&s, "make room", "make room");
	can_be_drained(&s);
	goes_on(&s);
	assert_true(rig_wait_output(&s.server.program, "is full: make room", SOON_MS));
	SOON(metric(&s, "turnpike_store_failures_total"));
	snprintf(path, sizeof(path), "%s/full/ballast", rig_dir());
	assert_int_equal(unlink(path), 0);
	free(rig_verb(&s.server, "user add bob", NULL));
	SOON(has_usage(&s));
	goes_on(&s);
	end(&s);
	unmount();
}

/* Every page of a file, as far as it reaches. */
static void overwrite(const struct scene *s, const char *suffix)
{
	char path[128], junk[4096];
	struct stat st;
	int fd;

	memset(junk, 0x5a, sizeof(junk));
	snprintf(path, sizeof(path), "%s/turnpike.db%s", s->server.data, suffix);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at += (off_t)sizeof(junk))
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
	close(fd);
}

static void damaged(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, "damaged");
	assert_int_equal(metric(&s, "turnpike_store_up"), 1);
	overwrite(&s, "");
	overwrite(&s, "-wal");
	goes_on(&s);
	cannot_write(&s, "restore a backup", "restore a backup");
	can_be_drained(&s);
	goes_on(&s);
	assert_true(rig_wait_output(&s.server.program, "is damaged", SOON_MS));
	assert_int_equal(metric(&s, "turnpike_store_up"), 0);
	end(&s);
}

/* ---- killing ---- */

/* Adds users and tokens by the command line, one after the other, and notes each that was
 * acknowledged; a group of processes that dies as one. */
static pid_t start_adding(const struct scene *s, int round, const char *what)
{
	char command[1200];
	pid_t pid = fork();

	if (pid)
		return pid;
	setpgid(0, 0);
	snprintf(command, sizeof(command),
	         "i=0; while :; do i=$((i+1)); "
	         "%s --data %s %s add n%d-$i >/dev/null 2>&1 && echo n%d-$i >> %s/%s.acked; done",
	         getenv("TURNPIKE_BIN") ? getenv("TURNPIKE_BIN") : TURNPIKE_PROGRAM, s->server.data,
	         what, round, round, s->server.data, what);
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

static void kill_group(pid_t pid)
{
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* How many names of the list were acknowledged; each must be in the text, if there is one. */
static int all_there(const struct scene *s, const char *what, const char *text)
{
	char path[160], name[64], line[80];
	FILE *file;
	int n = 0;

	snprintf(path, sizeof(path), "%s/%s.acked", s->server.data, what);
	file = fopen(path, "r");
	while (file && fgets(name, sizeof(name), file)) {
		name[strcspn(name, "\n")] = 0;
		snprintf(line, sizeof(line), "\"%s\"", name);
		if (text && !strstr(text, line))
			fail_msg("%s %s was acknowledged and is gone", what, name);
		n++;
	}
	if (file)
		fclose(file);
	return n;
}

static void killed(void **state)
{
	struct scene s;
	char *users, *tokens, verb[160];
	unsigned int longer = 150;
	int n;

	(void)state;
	memset(&s, 0, sizeof(s));
	rig_server_start(&s.server, "killed", OPTIONS);
	for (int round = 0; round < ROUNDS; round++) {
		pid_t adds[2] = {start_adding(&s, round, "user"), start_adding(&s, round, "token")};

		rig_sleep_ms(longer +
		             23 * (unsigned int)(round % 13)); /* at another point in every round */
		if (all_there(&s, "user", NULL) + all_there(&s, "token", NULL) <= round)
			longer += 50; /* the machine is a slow one */
		/* every fifth time the server dies with them */
		if (round % 5 == 4)
			rig_signal_and_wait(&s.server.program, SIGKILL, SOON_MS);
		kill_group(adds[0]);
		kill_group(adds[1]);
		if (round % 5 == 4)
			rig_server_start(&s.server, "killed", OPTIONS);
	}
	users = rig_verb(&s.server, "user list --json", NULL);
	tokens = rig_verb(&s.server, "token list --json", NULL);
	n = all_there(&s, "user", users) + all_there(&s, "token", tokens);
	assert_true(n >= ROUNDS);
	free(users);
	free(tokens);
	/* and the file passes SQLite's own check */
	snprintf(verb, sizeof(verb), "backup %s/killed.copy", rig_dir());
	free(rig_verb(&s.server, verb, NULL));
	rig_server_stop(&s.server);
}

static void backup_and_restore(void **state)
{
	char verb[160], *said;
	struct scene s;

	(void)state;
	begin(&s, "kept");
	snprintf(verb, sizeof(verb), "backup %s/kept.copy", rig_dir());
	free(rig_verb(&s.server, verb, NULL));
	assert_int_equal(rig_try_verb(&s.server, verb, NULL, &said), 1);
	assert_non_null(strstr(said, "exists already"));
	free(said);
	goes_on(&s);
	snprintf(verb, sizeof(verb), "restore %s/kept.copy", rig_dir());
	assert_int_equal(rig_try_verb(&s.server, verb, NULL, &said), 1);
	assert_non_null(strstr(said, "stop it first"));
	free(said);
	free(rig_verb(&s.server, "user del alice", NULL));
	talker_close(&s.call);
	rig_server_stop(&s.server);
	free(rig_verb(&s.server, verb, NULL));
	said = rig_verb(&s.server, "user list", NULL);
	assert_non_null(strstr(said, "alice"));
	free(said);
	rig_server_start(&s.server, "kept", OPTIONS);
	talker_enter(&s.call, SERVER4, false, "alice", "wonderland");
	goes_on(&s);
	end(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(locked),
	    cmocka_unit_test(damaged),
	    cmocka_unit_test(backup_and_restore),
	    cmocka_unit_test(killed),
	    cmocka_unit_test(without_room), /* last: it moves into a mount namespace */
	};

	(void)argc;
	rig_enter(argv);
	atexit(unmount);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
