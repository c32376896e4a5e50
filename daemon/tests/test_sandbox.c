/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The sandbox, act by act: each in a child that has entered it. What is not
 * refused by the kernel makes a test fail; what the server needs must go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char top[] = "/tmp/turnpike-sandbox-XXXXXX";

static const char *in(const char *name)
{
	static char path[4][256];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", top, name);
	return path[i];
}

static void put(const char *name)
{
	int fd = open(in(name), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

/* top/data to write; top/certs/live/cert.pem -> ../archive/cert1.pem, and top/link -> certs/v1;
 * top/other is nobody's business. */
static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	for (const char *const *d =
	         (const char *const[]){"data", "certs", "certs/live", "certs/archive", "certs/v1",
	                               "certs/v2", "certs/next", "other", NULL};
	     *d; d++)
		assert_int_equal(mkdir(in(*d), 0700), 0);
	put("certs/archive/cert1.pem");
	put("certs/archive/cert2.pem");
	put("certs/next/cert.pem");
	put("certs/v1/key.pem");
	put("certs/v2/key.pem");
	put("other/file");
	assert_int_equal(symlink("../archive/cert1.pem", in("certs/live/cert.pem")), 0);
	assert_int_equal(symlink("certs/v1", in("link")), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf -- '%s'", top);
	return system(command);
}

/* 0: held; else the line of the check that did not. 77: no Landlock here. */
static int in_sandbox(int (*checks)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		const char *const read[] = {in("certs/live/cert.pem"), in("link/key.pem"), "",
		                            NULL};
		struct sandbox_state state;
		struct why why;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    sandbox_enter(in("data"), read, 4, &state, &why))
			_exit(250);
		if (!state.seccomp)
			_exit(251);
		_exit(state.landlock ? checks() : 77);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* An exit status has 8 bits: the number of the check. */
#define REFUSED(n, act, code)                                                                      \
	do {                                                                                       \
		errno = 0;                                                                         \
		if ((act) >= 0 || errno != (code))                                                 \
			return (n);                                                                \
	} while (0)
#define HOLDS(n, act)                                                                              \
	do {                                                                                       \
		if ((act) < 0)                                                                     \
			return (n);                                                                \
	} while (0)

static int calls(void)
{
	char *argv[] = {"true", NULL};

	REFUSED(1, execv("/bin/true", argv), EPERM);
	REFUSED(2, unshare(CLONE_NEWUSER), EPERM);
	REFUSED(3, mount("none", "/mnt", "tmpfs", 0, NULL), EPERM);
	REFUSED(4, socket(AF_PACKET, SOCK_RAW, 0), EPERM);
	REFUSED(5, socket(AF_ALG, SOCK_SEQPACKET, 0), EPERM);
	HOLDS(6, socket(AF_INET, SOCK_DGRAM, 0));
	HOLDS(7, socket(AF_INET6, SOCK_STREAM, 0));
	HOLDS(8, socket(AF_UNIX, SOCK_DGRAM, 0));
	HOLDS(9, socket(AF_NETLINK, SOCK_RAW, 0));
	return 0;
}

#define HIGH (1L << 32) /* bits that the kernel does not look at where it wants an int */

static long clone_raw(unsigned long flags)
{
	long n = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);

	if (!n)
		_exit(0);
	return n;
}

/* The kernel takes the low half of an int argument: so does the filter. */
static int wide_arguments(void)
{
	REFUSED(1, syscall(SYS_socket, AF_PACKET | HIGH, SOCK_RAW, 0), EPERM);
	REFUSED(2, syscall(SYS_socket, AF_ALG | HIGH, SOCK_SEQPACKET, 0), EPERM);
	REFUSED(3, syscall(SYS_socket, AF_VSOCK | HIGH << 7, SOCK_STREAM, 0), EPERM);
	REFUSED(4, syscall(SYS_socketpair, AF_TIPC | HIGH, SOCK_STREAM, 0, NULL), EPERM);
	REFUSED(5, syscall(SYS_socket, AF_NETLINK | HIGH, SOCK_RAW, NETLINK_NETFILTER), EPERM);
	REFUSED(6, syscall(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER | HIGH), EPERM);
	REFUSED(7, syscall(SYS_ioctl, 0, TIOCSTI | HIGH, "x"), EPERM);
	REFUSED(8, syscall(SYS_ioctl, 0, TIOCSTI, "x"), EPERM);
	REFUSED(9, clone_raw(CLONE_NEWUSER | HIGH), EPERM);
	REFUSED(10, clone_raw(CLONE_NEWNET), EPERM);
	REFUSED(11, syscall(SYS_clone3, NULL, 0), ENOSYS);
	HOLDS(12, syscall(SYS_socket, AF_INET | HIGH, SOCK_DGRAM, 0));
	HOLDS(13, socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	return 0;
}

static void *thread(void *arg)
{
	return arg;
}

/* clone(2) still makes threads. */
static int threads(void)
{
	pthread_t t;
	int status;
	pid_t pid;

	if (pthread_create(&t, NULL, thread, NULL) || pthread_join(t, NULL))
		return 1;
	pid = fork();
	if (!pid)
		_exit(7);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7)
		return 2;
	return 0;
}

static int files(void)
{
	REFUSED(1, open(in("other/file"), O_RDONLY), EACCES);
	REFUSED(2, open(in("other/file"), O_WRONLY), EACCES);
	REFUSED(3, open(in("other/new"), O_WRONLY | O_CREAT, 0600), EACCES);
	REFUSED(4, unlink(in("other/file")), EACCES);
	REFUSED(5, open(in("certs/archive/cert1.pem"), O_WRONLY), EACCES);
	REFUSED(6, open("/root", O_RDONLY | O_DIRECTORY), EACCES);
	REFUSED(7, rename(in("data"), in("other/data")), EACCES);
	HOLDS(10, open(in("data/new"), O_RDWR | O_CREAT | O_TRUNC, 0600));
	HOLDS(11, rename(in("data/new"), in("data/newer")));
	HOLDS(12, unlink(in("data/newer")));
	HOLDS(13, mkdir(in("data/folder"), 0700));
	HOLDS(14, rmdir(in("data/folder")));
	HOLDS(15, open("/etc/passwd", O_RDONLY));
	HOLDS(16, open("/dev/null", O_RDWR));
	HOLDS(17, open("/proc/self/status", O_RDONLY));
	return 0;
}

/* The swaps are somebody else's, outside: a child made before looks at what they lead to. */
static int certificates(void)
{
	HOLDS(1, open(in("certs/live/cert.pem"), O_RDONLY));
	HOLDS(2, open(in("link/key.pem"), O_RDONLY));
	HOLDS(3, open(in("certs/archive/cert2.pem"), O_RDONLY)); /* the next target */
	HOLDS(4, open(in("certs/v2/key.pem"), O_RDONLY));        /* the next folder */
	HOLDS(5, open(in("certs/next/cert.pem"), O_RDONLY));     /* the next target, elsewhere */
	return 0;
}

static void check(int (*checks)(void))
{
	int failed = in_sandbox(checks);

	if (failed == 77)
		skip();
	assert_int_equal(failed, 0);
}

static void refuses_calls(void **state)
{
	(void)state;
	check(calls);
}

static void compares_as_the_kernel_does(void **state)
{
	(void)state;
	check(wide_arguments);
}

static void starts_threads(void **state)
{
	(void)state;
	check(threads);
}

static void confines_files(void **state)
{
	(void)state;
	check(files);
}

static void finds_renewed_certificates(void **state)
{
	(void)state;
	check(certificates);
}

static void finds_input_files(void **state)
{
	char *argv[] = {"turnpike", "serve", "--config", "/srv/a.conf", "--", "--config=/no"};
	char *env[] = {"TURNPIKE_SHARED_SECRET_FILE=/srv/s", "OTHER_FILE=/no",
	               "TURNPIKE_CONFIG=/srv/b.conf", "TURNPIKE_USER_QUOTA=3", NULL};
	const char *out[8];

	(void)state;
	assert_int_equal(sandbox_input_files(6, argv, env, out, 8), 3);
	assert_string_equal(out[0], "/srv/a.conf");
	assert_string_equal(out[1], "/srv/s");
	assert_string_equal(out[2], "/srv/b.conf");
	assert_int_equal(sandbox_input_files(6, argv, env, out, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refuses_calls),
	    cmocka_unit_test(compares_as_the_kernel_does),
	    cmocka_unit_test(starts_threads),
	    cmocka_unit_test(confines_files),
	    cmocka_unit_test(finds_renewed_certificates),
	    cmocka_unit_test(finds_input_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
