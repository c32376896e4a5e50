/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Copies of the store, out and in, and files of former schemas: data/ holds
 * what the programs of those schemas wrote.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/audit.h"
#include "store/backup.h"
#include "store/internal.h"
#include "store/snapshot.h"
#include "store/tests/fixture.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Files that the programs of those schemas wrote, with the token that each told. */
static const struct old {
	const char *file, *backup, *token;
	int64_t revocations;
} olds[] = {
    {"schema1.db", "turnpike.db.v1.bak", "tp_JM_thWW0lSPIzzjy_NOjxFevhXUJem3bgGZhFctmXgA", 0},
    {"schema2.db", "turnpike.db.v2.bak", "tp_cfxVemkgv8JqPO2jIbBqddn4I07cSKGdaUSV-QwwOnk", 2},
};

static int setup(void **state)
{
	struct fixture *f = fixture_new();

	assert_int_equal(store_open(f->dir, NULL, &f->store, &f->why), 0);
	assert_int_equal(store_user_add(f->store, "r", "alice", "pw", &f->why), 0);
	*state = f;
	return 0;
}

static void close_store(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static bool has_user(const char *dir, const char *realm, const char *name)
{
	struct store_snapshot *snap;
	struct store *s;
	bool has;

	assert_int_equal(store_open(dir, NULL, &s, NULL), 0);
	assert_int_equal(store_snapshot_load(s, &snap, NULL), 0);
	has = store_snapshot_user(snap, realm, name, strlen(name));
	store_snapshot_unref(snap);
	store_close(s);
	return has;
}

static size_t count_files(const char *dir, const char *pattern)
{
	char path[256];
	glob_t found;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, pattern);
	n = glob(path, 0, NULL, &found) ? 0 : found.gl_pathc;
	globfree(&found);
	return n;
}

static void copy_file(const char *from, const char *to)
{
	char command[2048];

	snprintf(command, sizeof(command), "cp '%s' '%s' && chmod 600 '%s'", from, to, to);
	assert_int_equal(system(command), 0);
}

static void overwrite(const char *path, off_t off)
{
	char junk[4096];
	int fd = open(path, O_WRONLY);

	memset(junk, 0x5a, sizeof(junk));
	assert_int_equal(pwrite(fd, junk, sizeof(junk), off), sizeof(junk));
	close(fd);
}

static void test_backup(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(store_backup(f->store, f->copy, &f->why), 0);
	assert_int_equal(stat(f->copy, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(store_backup(f->store, f->copy, &f->why), -E_EXISTS);
	assert_non_null(strstr(f->why.text, f->copy));
	assert_int_equal(count_files(f->dir, "copy*"), 1); /* no journal, no leftover */
	assert_int_equal(store_backup(f->store, "/nowhere/at/all", &f->why), -E_IO);
}

static void test_backup_while_others_write(void **state)
{
	struct fixture *f = *state;
	char name[32], file[128], kept[256], dir[80];
	struct store *other;
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (store_open(f->dir, NULL, &other, NULL))
			_exit(1);
		for (int i = 0;; i++) {
			snprintf(name, sizeof(name), "w%d", i);
			if (store_user_add(other, "r", name, "pw", NULL))
				_exit(2);
		}
	}
	for (int i = 0; i < 5; i++) {
		snprintf(file, sizeof(file), "%s/copy%d", f->dir, i);
		assert_int_equal(store_backup(f->store, file, &f->why), 0);
		usleep(20000); /* the other one writes on */
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	/* each is whole */
	for (int i = 0; i < 5; i++) {
		snprintf(dir, sizeof(dir), "%s/dir%d", f->dir, i);
		snprintf(file, sizeof(file), "%s/copy%d", f->dir, i);
		assert_int_equal(store_restore(dir, file, "tester", kept, sizeof(kept), &f->why),
		                 0);
		assert_true(has_user(dir, "r", "alice"));
	}
}

static int find_restore(void *ctx, const struct store_audit *a)
{
	if (!strcmp(a->act, "restore") && !strcmp(a->actor, "tester"))
		++*(int *)ctx;
	return 0;
}

static void test_restore(void **state)
{
	struct fixture *f = *state;
	int restores = 0;

	assert_int_equal(store_backup(f->store, f->copy, &f->why), 0);
	assert_int_equal(store_user_del(f->store, "r", "alice", &f->why), 0);
	/* Not under the feet of somebody. */
	assert_int_equal(
	    store_restore(f->dir, f->copy, "tester", f->text, sizeof(f->text), &f->why), -E_IN_USE);
	assert_non_null(strstr(f->why.text, "stop it first"));
	close_store(f);
	assert_false(has_user(f->dir, "r", "alice"));
	assert_int_equal(
	    store_restore(f->dir, f->copy, "tester", f->text, sizeof(f->text), &f->why), 0);
	assert_true(has_user(f->dir, "r", "alice"));
	/* The old file is kept, whole. */
	assert_int_equal(access(f->text, F_OK), 0);
	assert_int_equal(store_open(f->dir, NULL, &f->store, &f->why), 0);
	assert_int_equal(store_audit_list(f->store, 0, find_restore, &restores, &f->why), 0);
	assert_int_equal(restores, 1);
	close_store(f);
	assert_int_equal(rename(f->text, f->copy), 0);
	assert_int_equal(
	    store_restore(f->dir, f->copy, "tester", f->text, sizeof(f->text), &f->why), 0);
	assert_false(has_user(f->dir, "r", "alice"));
}

static void test_restore_refuses(void **state)
{
	struct fixture *f = *state;
	char foreign[96];
	sqlite3 *db;

	assert_int_equal(store_backup(f->store, f->copy, &f->why), 0);
	close_store(f);
	assert_int_equal(store_restore(f->dir, "/nowhere", "t", f->text, sizeof(f->text), &f->why),
	                 -E_NOTFOUND);
	snprintf(foreign, sizeof(foreign), "%s/foreign", f->dir);
	assert_int_equal(sqlite3_open(foreign, &db), SQLITE_OK);
	sqlite3_exec(db, "CREATE TABLE recipes (a)", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(store_restore(f->dir, foreign, "t", f->text, sizeof(f->text), &f->why),
	                 -E_INVAL);
	copy_file(f->copy, foreign);
	assert_int_equal(sqlite3_open(foreign, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(store_restore(f->dir, foreign, "t", f->text, sizeof(f->text), &f->why),
	                 -E_SCHEMA);
	copy_file(f->copy, foreign);
	overwrite(foreign, 4096L * 3);
	assert_int_equal(store_restore(f->dir, foreign, "t", f->text, sizeof(f->text), &f->why),
	                 -E_CORRUPT);
	overwrite(foreign, 0);
	assert_int_equal(store_restore(f->dir, foreign, "t", f->text, sizeof(f->text), &f->why),
	                 -E_CORRUPT);
	/* and what is there was not touched */
	assert_true(has_user(f->dir, "r", "alice"));
	assert_int_equal(count_files(f->dir, "*.replaced-*"), 0);
	assert_int_equal(count_files(f->dir, "*.restore-*"), 0);
}

/* The very case that it is for. */
static void test_restore_over_a_damaged_store(void **state)
{
	struct fixture *f = *state;
	struct store *s;

	assert_int_equal(store_backup(f->store, f->copy, &f->why), 0);
	close_store(f);
	overwrite(f->db, 0);
	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), -E_CORRUPT);
	assert_int_equal(store_restore(f->dir, f->copy, "t", f->text, sizeof(f->text), &f->why), 0);
	assert_true(has_user(f->dir, "r", "alice"));
	assert_int_equal(access(f->text, F_OK), 0);
}

/* Killed anywhere, one of the two is in place, and whole. */
static void test_restore_killed(void **state)
{
	struct fixture *f = *state;
	int status;

	assert_int_equal(store_backup(f->store, f->copy, &f->why), 0);
	assert_int_equal(store_user_add(f->store, "r", "bob", "pw", &f->why), 0);
	close_store(f);
	for (int round = 0; round < 20; round++) {
		pid_t pid = fork();

		if (!pid) {
			for (;;)
				store_restore(f->dir, f->copy, "t", f->text, sizeof(f->text), NULL);
		}
		usleep(
		    (useconds_t)(1000 + 1700 * round)); /* killed at another point in every round */
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(has_user(f->dir, "r", "alice"));
	}
}

/* No room on the disk: a limit on the size of files stands in for it. */
static int add_without_room(const char *dir)
{
	const struct rlimit limit = {256 * 1024, 256 * 1024};
	struct why why = {{0}};
	struct store *s;
	char name[240];
	int r = 0;

	signal(SIGXFSZ, SIG_IGN);
	if (store_open(dir, NULL, &s, &why) || setrlimit(RLIMIT_FSIZE, &limit))
		return 1;
	for (int i = 0; i < 10000 && !r; i++) {
		memset(name, 'n', sizeof(name));
		snprintf(name + 200, sizeof(name) - 200, "%d", i);
		r = store_user_add(s, "r", name, "pw", &why);
	}
	return r != -E_IO ? 2 : !strstr(why.text, "make room") && !strstr(why.text, dir) ? 3 : 0;
}

static void test_no_room(void **state)
{
	struct fixture *f = *state;
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(add_without_room(f->dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(has_user(f->dir, "r", "alice"));
	assert_int_equal(store_backup(f->store, f->copy, &f->why), 0); /* it is whole */
}

static int list_secret(void *ctx, const struct store_secret *s)
{
	char *text = ctx;

	sprintf(text + strlen(text), "%lld %s;", (long long)s->id, s->live ? "live" : "dead");
	return 0;
}

static void check_former_schema(struct fixture *f, const struct old *old)
{
	struct store_snapshot_token token;
	struct store_snapshot *snap;
	char list[64] = "", dir[80], path[128], from[512];
	size_t len;
	int64_t n;

	snprintf(dir, sizeof(dir), "%s/%.7s", f->dir, old->file);
	snprintf(path, sizeof(path), "%s/turnpike.db", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(from, sizeof(from), "%s/%s", STORE_TEST_DATA, old->file);
	copy_file(from, path);
	close_store(f);
	assert_int_equal(store_open(dir, NULL, &f->store, &f->why), 0);
	assert_int_equal(store_get_int(f->store, "PRAGMA user_version", &n, NULL), 0);
	assert_int_equal(n, schema_step_n);
	assert_int_equal(store_snapshot_load(f->store, &snap, &f->why), 0);
	assert_int_equal(store_snapshot_user_n(snap), 2);
	assert_non_null(store_snapshot_user(snap, "turnpike", "alice", 5));
	assert_non_null(store_snapshot_user(snap, "turnpike", "bj\xc3\xb6rn", 6));
	assert_int_equal(store_snapshot_secret_n(snap), 1);
	assert_string_equal(store_snapshot_secret(snap, 0, &len),
	                    "second-secret-of-the-old-schema");
	/* Tokens open what they opened. */
	assert_true(store_snapshot_token(snap, old->token, strlen(old->token), 1795353700, &token));
	assert_int_equal(token.scopes, STORE_SCOPES_DEFAULT);
	assert_int_equal(token.expires_at_s, 0);
	assert_string_equal(token.label, "app");
	store_snapshot_unref(snap);
	assert_int_equal(store_secret_list(f->store, list_secret, list, &f->why), 0);
	assert_string_equal(list, "1 dead;2 live;");
	assert_int_equal(store_get_int(f->store, "SELECT count(*) FROM revocation", &n, NULL), 0);
	assert_int_equal(n, old->revocations);
	assert_int_equal(store_user_enable(f->store, "turnpike", "alice", false, &f->why), 0);
	close_store(f);

	/* The backup beside it is the old file, and can be restored, too. */
	snprintf(path, sizeof(path), "%s/%s", dir, old->backup);
	assert_int_equal(store_restore(dir, path, "t", f->text, sizeof(f->text), &f->why), 0);
	assert_true(has_user(dir, "turnpike", "alice"));
}

static void test_former_schemas(void **state)
{
	for (size_t i = 0; i < sizeof(olds) / sizeof(*olds); i++)
		check_former_schema(*state, &olds[i]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_backup),         T(test_backup_while_others_write),
	    T(test_restore),        T(test_restore_refuses),
	    T(test_restore_killed), T(test_restore_over_a_damaged_store),
	    T(test_no_room),        T(test_former_schemas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
