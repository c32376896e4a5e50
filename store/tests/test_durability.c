/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The store's file under force: migrations, damage, missing rights, other
 * processes and sudden death.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/internal.h"
#include "store/snapshot.h"
#include "store/tests/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static size_t count_users(const char *dir)
{
	struct store_snapshot *snap;
	struct store *s;
	size_t n;

	assert_int_equal(store_open(dir, NULL, &s, NULL), 0);
	assert_int_equal(store_snapshot_load(s, &snap, NULL), 0);
	n = store_snapshot_user_n(snap);
	store_snapshot_unref(snap);
	store_close(s);
	return n;
}

/* A later release: the real steps, a good one and one that fails half-way. */
static int migrate_with(struct store *s, const char *next, const char *last, struct why *why)
{
	struct schema_step steps[16];
	int n = schema_step_n;

	assert_in_range(n, 1, 14);
	memcpy(steps, schema_steps, (size_t)n * sizeof(*steps));
	steps[n++].sql = next;
	if (last)
		steps[n++].sql = last;
	return schema_migrate(s, steps, n, why);
}

static void test_migrates_with_backup(void **state)
{
	struct fixture *f = *state;
	char backup[128];
	struct store *s;
	struct stat st;
	int64_t n;

	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
	assert_int_equal(store_user_add(s, "r", "alice", "pw", &f->why), 0);
	assert_int_equal(
	    migrate_with(s, "ALTER TABLE turn_user ADD COLUMN note TEXT", NULL, &f->why), 0);
	assert_int_equal(store_get_int(s, "PRAGMA user_version", &n, NULL), 0);
	assert_int_equal(n, schema_step_n + 1);
	assert_int_equal(store_get_int(s, "SELECT count(note IS NULL) FROM turn_user", &n, NULL),
	                 0);
	assert_int_equal(n, 1);
	/* Again: nothing left to do. */
	assert_int_equal(migrate_with(s, "nonsense", NULL, &f->why), 0);
	store_close(s);

	snprintf(backup, sizeof(backup), "%s.v%d.bak", f->db, schema_step_n);
	assert_int_equal(stat(backup, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* The backup is a whole store of the old version. */
	assert_int_equal(unlink(f->db), 0);
	assert_int_equal(rename(backup, f->db), 0);
	assert_int_equal(count_users(f->dir), 1);
}

static void test_failed_migration_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct store *s;
	int64_t n;

	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
	assert_int_equal(store_user_add(s, "r", "alice", "pw", &f->why), 0);
	assert_int_equal(migrate_with(s, "CREATE TABLE second (a INTEGER) STRICT",
	                              "CREATE TABLE third (a INTEGER) STRICT; DELETE FROM "
	                              "turn_user; CREATE TABLE third (a INTEGER)",
	                              &f->why),
	                 -E_IO);
	assert_int_equal(store_get_int(s, "PRAGMA user_version", &n, NULL), 0);
	assert_int_equal(n, schema_step_n + 1); /* each step is a transaction of its own */
	assert_int_equal(
	    store_get_int(s, "SELECT count(*) FROM sqlite_schema WHERE name = 'third'", &n, NULL),
	    0);
	assert_int_equal(n, 0);
	assert_int_equal(store_get_int(s, "SELECT count(*) FROM turn_user", &n, NULL), 0);
	assert_int_equal(n, 1);
	store_close(s);
}

static void test_migration_without_room_for_backup(void **state)
{
	struct fixture *f = *state;
	char backup[128];
	struct store *s;
	int64_t n;

	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
	snprintf(backup, sizeof(backup), "%s.v%d.bak", f->db, schema_step_n);
	assert_int_equal(mkdir(backup, 0700), 0); /* the backup's name is taken for good */
	assert_int_equal(migrate_with(s, "CREATE TABLE second (a INTEGER) STRICT", NULL, &f->why),
	                 -E_IO);
	assert_non_null(strstr(f->why.text, "back up"));
	assert_int_equal(store_get_int(s, "PRAGMA user_version", &n, NULL), 0);
	assert_int_equal(n, schema_step_n);
	store_close(s);
}

static void test_newer_schema_is_refused(void **state)
{
	struct fixture *f = *state;
	char before[1 << 16], after[1 << 16];
	struct store *s = NULL;
	ssize_t n, m;
	int fd;

	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
	store_close(s);
	run_sql(f->db, "PRAGMA user_version = 99");
	fd = open(f->db, O_RDONLY);
	n = read(fd, before, sizeof(before));
	close(fd);
	s = NULL;
	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), -E_SCHEMA);
	assert_null(s);
	assert_non_null(strstr(f->why.text, "99"));
	fd = open(f->db, O_RDONLY);
	m = read(fd, after, sizeof(after));
	close(fd);
	assert_int_equal(n, m);
	assert_memory_equal(before, after, (size_t)n);
}

static void test_foreign_database_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *s;

	run_sql(f->db, "CREATE TABLE recipes (name TEXT)");
	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), -E_INVAL);
	assert_non_null(strstr(f->why.text, "another program"));
}

static void overwrite(const char *path, off_t off, size_t len)
{
	char junk[4096];
	int fd = open(path, O_WRONLY);

	memset(junk, 0x5a, sizeof(junk));
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, len, off), (ssize_t)len);
	close(fd);
}

static void test_corrupt_file(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	char name[32];

	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		assert_int_equal(store_user_add(s, "r", name, "pw", &f->why), 0);
	}
	store_close(s);
	s = NULL;
	overwrite(f->db, 4096 * 5, 4096);
	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), -E_CORRUPT);
	assert_null(s);
	assert_non_null(strstr(f->why.text, "damaged"));
	assert_non_null(strstr(f->why.text, f->db));
	overwrite(f->db, 0, 4096);
	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), -E_CORRUPT);
	assert_null(s);
}

/* Runs fn as a user without rights (root has all of them); returns its verdict. */
static int as_nobody(int (*fn)(const char *dir), const char *dir)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (!geteuid() && (setgid(65534) || setuid(65534)))
			_exit(99);
		_exit(fn(dir));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int open_denied(const char *dir)
{
	struct store *s;
	struct why why = {{0}};

	if (store_open(dir, NULL, &s, &why) != -E_DENIED)
		return 1;
	return strstr(why.text, "turnpike.db") ? 0 : 2;
}

static void test_missing_rights(void **state)
{
	struct fixture *f = *state;
	struct store *s;

	/* A directory that may be read but not written, empty at first. */
	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_int_equal(as_nobody(open_denied, f->dir), 0);
	/* Then with a store that is somebody else's. */
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
	store_close(s);
	assert_int_equal(chmod(f->db, 0400), 0);
	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_int_equal(as_nobody(open_denied, f->dir), 0);
	assert_int_equal(chmod(f->dir, 0700), 0);
}

static int open_and_add(const char *dir)
{
	struct store *s;
	int err = store_open(dir, NULL, &s, NULL);

	if (err)
		return 1;
	err = store_user_add(s, "r", "bob", "pw", NULL);
	store_close(s);
	return err ? 2 : 0;
}

/* Root's command line on the store of a server that is somebody else locks nobody out. */
static void test_root_beside_the_owner(void **state)
{
	struct fixture *f = *state;
	mode_t before = umask(077);
	struct store *s;

	if (geteuid())
		skip();
	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
	store_close(s);
	assert_int_equal(chown(f->dir, 65534, 65534), 0);
	assert_int_equal(chown(f->db, 65534, 65534), 0);
	assert_int_equal(as_nobody(open_and_add, f->dir), 0);
	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
	assert_int_equal(store_user_add(s, "r", "alice", "pw", &f->why), 0);
	store_close(s);
	umask(before);
}

static void test_loose_mode_is_tightened(void **state)
{
	struct fixture *f = *state;
	struct store *s;
	struct stat st;

	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
	store_close(s);
	assert_int_equal(chmod(f->db, 0644), 0);
	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
	assert_int_equal(stat(f->db, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	store_close(s);
}

static void test_missing_store(void **state)
{
	static const struct store_options options = {.must_exist = true};
	struct fixture *f = *state;
	char path[128];
	struct store *s;

	assert_int_equal(store_open(f->dir, &options, &s, &f->why), -E_NOTFOUND);
	assert_int_equal(access(f->db, F_OK), -1);
	snprintf(path, sizeof(path), "%s/a/b", f->dir);
	assert_int_equal(store_open(path, NULL, &s, &f->why), -E_NOTFOUND);
	assert_non_null(strstr(f->why.text, path));
	assert_int_equal(mkdir(f->db, 0700), 0);
	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), -E_INVAL);
}

static void test_locked(void **state)
{
	static const struct store_options options = {.busy_timeout_ms = 50};
	struct fixture *f = *state;
	struct store *s, *other;
	sqlite3 *holder;

	assert_int_equal(store_open(f->dir, NULL, &other, &f->why), 0);
	assert_int_equal(store_open(f->dir, &options, &s, &f->why), 0);
	assert_int_equal(store_exec(other, "BEGIN IMMEDIATE", &f->why), 0);
	assert_int_equal(store_user_add(s, "r", "alice", "pw", &f->why), -E_TIMEOUT);
	assert_non_null(strstr(f->why.text, "locked"));
	assert_int_equal(store_exec(other, "COMMIT", &f->why), 0);
	assert_int_equal(store_user_add(s, "r", "alice", "pw", &f->why), 0);
	store_close(other);
	store_close(s);

	/* Held by a program that lets nobody else in. */
	assert_int_equal(sqlite3_open(f->db, &holder), SQLITE_OK);
	assert_int_equal(sqlite3_exec(holder,
	                              "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
	                              "DELETE FROM api_token; COMMIT",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(store_open(f->dir, &options, &s, &f->why), -E_TIMEOUT);
	sqlite3_close(holder);
	assert_int_equal(count_users(f->dir), 1);
}

/*
 * A handle must keep its locks when the same process opens and closes another: POSIX drops a
 * file's locks with the first close(2). The witness forks before SQLite knows of any lock.
 */
static void test_open_keeps_locks(void **state)
{
	static const struct store_options options = {.busy_timeout_ms = 50};
	struct fixture *f = *state;
	struct store *s, *other;
	int go[2], status;
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (!pid) {
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		_exit(store_open(f->dir, &options, &other, NULL) == -E_TIMEOUT ? 0 : 2);
	}
	assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
	assert_int_equal(store_exec(s,
	                            "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
	                            "DELETE FROM api_token; COMMIT",
	                            &f->why),
	                 0);
	assert_int_equal(store_open(f->dir, &options, &other, &f->why), -E_TIMEOUT);
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(go[0]);
	close(go[1]);
	store_close(s);
}

static void add_users(const char *dir, const char *prefix, int n)
{
	struct store *s;
	char name[32];

	if (store_open(dir, NULL, &s, NULL))
		_exit(1);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s%d", prefix, i);
		if (store_user_add(s, "r", name, "pw", NULL))
			_exit(2);
	}
	store_close(s);
	_exit(0);
}

/* They also create the store at the same time. */
static void test_processes_at_once(void **state)
{
	static const char *const prefixes[] = {"a", "b", "c", "d"};
	struct fixture *f = *state;
	pid_t pids[4];
	int status;

	for (size_t i = 0; i < 4; i++) {
		pids[i] = fork();
		if (!pids[i])
			add_users(f->dir, prefixes[i], 25);
	}
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count_users(f->dir), 100);
}

/* Writes users and says each number once it is acknowledged, until it is killed. */
static void write_until_killed(const char *dir, int round, int fd)
{
	struct store *s;
	char name[32];

	if (store_open(dir, NULL, &s, NULL))
		_exit(1);
	for (int i = 0;; i++) {
		snprintf(name, sizeof(name), "r%d-%d", round, i);
		if (store_user_add(s, "r", name, "pw", NULL))
			_exit(2);
		if (write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(3);
	}
}

static void test_kill_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;
	struct store *s;
	char name[32];
	int acknowledged = 0;

	for (int round = 0; round < 8; round++) {
		const struct timespec delay = {.tv_nsec = (15 + 7 * round) * 1000000L};
		int pipe_fds[2], status, last = -1, i;
		pid_t pid;

		assert_int_equal(pipe(pipe_fds), 0);
		pid = fork();
		if (!pid) {
			close(pipe_fds[0]);
			write_until_killed(f->dir, round, pipe_fds[1]);
		}
		close(pipe_fds[1]);
		/* Once it writes, it dies at another point in every round. */
		assert_int_equal(read(pipe_fds[0], &last, sizeof(last)), sizeof(last));
		nanosleep(&delay, NULL);
		kill(pid, SIGKILL);
		while (read(pipe_fds[0], &i, sizeof(i)) == sizeof(i))
			last = i;
		close(pipe_fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));

		assert_int_equal(store_open(f->dir, NULL, &s, &f->why), 0);
		assert_int_equal(store_snapshot_load(s, &snap, &f->why), 0);
		for (i = 0; i <= last; i++) {
			int len = snprintf(name, sizeof(name), "r%d-%d", round, i);

			assert_non_null(store_snapshot_user(snap, "r", name, (size_t)len));
		}
		acknowledged += last + 1;
		assert_true(store_snapshot_user_n(snap) >= (size_t)acknowledged);
		store_snapshot_unref(snap);
		store_close(s);
	}
	assert_true(acknowledged > 8);
}

/* A process that died between making the file and filling it. */
static void test_empty_file_is_filled(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->db, O_CREAT | O_WRONLY, 0600);

	close(fd);
	assert_int_equal(count_users(f->dir), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_migrates_with_backup),
	    T(test_failed_migration_changes_nothing),
	    T(test_migration_without_room_for_backup),
	    T(test_newer_schema_is_refused),
	    T(test_foreign_database_is_refused),
	    T(test_corrupt_file),
	    T(test_missing_rights),
	    T(test_loose_mode_is_tightened),
	    T(test_root_beside_the_owner),
	    T(test_missing_store),
	    T(test_locked),
	    T(test_open_keeps_locks),
	    T(test_processes_at_once),
	    T(test_kill_loses_nothing),
	    T(test_empty_file_is_filled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
