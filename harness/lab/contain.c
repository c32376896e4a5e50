/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The container: clone(2) with the namespace flags, then the work that
 * unshare(1) -Urnmpf --mount-proc --kill-child would do.
 */
#include "harness/lab/contain.h"

#include "base/clock.h"
#include "harness/lab/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)

struct ready {
	int code;
	struct why why;
};

static int write_proc(pid_t pid, const char *file, const char *text)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* Our own user becomes root of the new user namespace; it has no other user. */
static int map_ids(pid_t pid, struct why *why)
{
	char map[64];

	snprintf(map, sizeof(map), "0 %u 1\n", (unsigned)geteuid());
	if (write_proc(pid, "uid_map", map) != 0)
		return why_set(why, -E_DENIED, "cannot write the user namespace's uid_map: %s",
		               strerror(errno));
	snprintf(map, sizeof(map), "0 %u 1\n", (unsigned)getegid());
	if (write_proc(pid, "setgroups", "deny") != 0 || write_proc(pid, "gid_map", map) != 0)
		return why_set(why, -E_DENIED, "cannot write the user namespace's gid_map: %s",
		               strerror(errno));
	return 0;
}

static int mount_inside(struct why *why)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return why_set(why, -E_DENIED,
		               "cannot make mounts private: %s (on Ubuntu 24.04: sysctl "
		               "kernel.apparmor_restrict_unprivileged_userns=0)",
		               strerror(errno));
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
		return why_set(why, -E_DENIED,
		               "cannot mount /proc: %s (in Docker: --security-opt "
		               "systempaths=unconfined)",
		               strerror(errno));
	if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0)
		return why_set(why, -E_DENIED, "cannot mount a tmpfs on /run: %s", strerror(errno));
	if (mkdir("/run/netns", 0755) != 0 || mkdir(CONTAIN_WORK, 0700) != 0 ||
	    mkdir(CONTAIN_WORK "/tmp", 0700) != 0)
		return why_set(why, -E_IO, "cannot make folders on the tmpfs: %s", strerror(errno));
	return 0;
}

/* ip and nft live where an ordinary user's PATH does not look. */
static int set_environment(void)
{
	const char *path = getenv("PATH");
	char longer[4096];

	snprintf(longer, sizeof(longer), "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	return setenv("PATH", longer, 1) || setenv("HOME", CONTAIN_WORK, 1) ||
	       setenv("TMPDIR", CONTAIN_WORK "/tmp", 1) || unsetenv("XDG_CONFIG_HOME") ||
	       unsetenv("XDG_CACHE_HOME") || unsetenv("XDG_RUNTIME_DIR");
}

static int wait_for_byte(int fd)
{
	char byte;
	ssize_t n;

	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -1;
}

static int setup_inside(int lifeline_fd, struct why *why)
{
	struct pollfd p = {.fd = lifeline_fd, .events = POLLIN};
	sigset_t none;

	if (wait_for_byte(lifeline_fd) != 0)
		_exit(1); /* the harness died while we were born */
	/* After the ids are mapped: a change of credentials clears the setting. Then look again,
	 * for a parent that died in between sends nothing. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return why_set(why, error_from_errno(errno), "prctl: %s", strerror(errno));
	if (poll(&p, 1, 0) != 0)
		_exit(1);
	setsid(); /* the terminal's Ctrl-C is for the harness alone */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN); /* a browser may die while it is spoken to */
	if (set_environment() != 0)
		return why_set(why, -E_NOMEM, "cannot set the environment");
	return mount_inside(why);
}

__attribute__((noreturn)) static void first_process(int lifeline_fd, int ready_fd,
                                                    int (*fn)(void *arg), void *arg)
{
	struct ready r;

	memset(&r, 0, sizeof(r));
	r.code = setup_inside(lifeline_fd, &r.why);
	if (write(ready_fd, &r, sizeof(r)) != sizeof(r) || r.code != 0)
		_exit(1);
	close(ready_fd);
	exit(fn(arg));
}

/* Rootless first, even for root: fewer ways to hurt the host. A kernel that gives root no user
 * namespaces still gives it the others. */
static pid_t clone_namespaces(bool *mapped)
{
	pid_t pid = (pid_t)syscall(SYS_clone, NAMESPACES | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	*mapped = true;
	if (pid >= 0 || geteuid() != 0)
		return pid;
	*mapped = false;
	return (pid_t)syscall(SYS_clone, NAMESPACES | SIGCHLD, 0, 0, 0, 0);
}

static int clone_why(int err, struct why *why)
{
	int code = err == EINVAL || err == ENOSYS ? -E_UNSUPPORTED : -E_DENIED;

	return why_set(why, code,
	               "this machine gives no user, network and PID namespaces: clone: %s (see "
	               "sysctl user.max_user_namespaces and kernel.unprivileged_userns_clone; in "
	               "Docker: --cap-add NET_ADMIN --cap-add SYS_ADMIN --security-opt "
	               "systempaths=unconfined)",
	               strerror(err));
}

int contain_start(struct contain *c, int (*fn)(void *arg), void *arg, struct why *why)
{
	int life[2], ready[2], err;
	struct ready r;
	bool mapped;
	ssize_t n;
	pid_t pid;

	if (pipe2(life, O_CLOEXEC) != 0)
		return why_set(why, error_from_errno(errno), "pipe: %s", strerror(errno));
	if (pipe2(ready, O_CLOEXEC) != 0) {
		close(life[0]);
		close(life[1]);
		return why_set(why, error_from_errno(errno), "pipe: %s", strerror(errno));
	}
	fflush(NULL); /* or the inside would print our pending output again */
	pid = clone_namespaces(&mapped);
	err = errno;
	if (pid == 0) {
		close(life[1]);
		close(ready[0]);
		first_process(life[0], ready[1], fn, arg);
	}
	close(life[0]);
	close(ready[1]);
	*c = (struct contain){.pid = pid, .lifeline_fd = life[1]};
	if (pid < 0) {
		err = clone_why(err, why);
		goto out;
	}
	err = mapped ? map_ids(pid, why) : 0;
	if (err != 0)
		goto out;
	if (write(life[1], "", 1) != 1) {
		err = why_set(why, -E_IO, "the container died at its start");
		goto out;
	}
	do {
		n = read(ready[0], &r, sizeof(r));
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(r))
		err = why_set(why, -E_IO, "the container died at its start");
	else if (r.code != 0)
		err = why_set(why, r.code, "%s", r.why.text);
out:
	close(ready[0]);
	if (err != 0)
		contain_kill(c);
	return err;
}

int contain_wait(struct contain *c, int64_t limit_ms, int signal_fd, int *status)
{
	int64_t deadline = clock_mono_ms() + limit_ms;
	int pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	struct pollfd p[2] = {{.fd = pid_fd, .events = POLLIN},
	                      {.fd = signal_fd, .events = POLLIN}};
	int err = 0;

	while (waitpid(c->pid, status, WNOHANG) == 0) {
		if (clock_mono_ms() >= deadline) {
			err = -E_TIMEOUT;
			goto out;
		}
		poll(p, 2, pid_fd >= 0 ? clock_left_ms(deadline) : 20);
		if (signal_fd >= 0 && (p[1].revents & POLLIN)) {
			err = -E_CLOSED;
			goto out;
		}
	}
	c->pid = -1;
out:
	if (pid_fd >= 0)
		close(pid_fd);
	return err;
}

void contain_kill(struct contain *c)
{
	if (c->kept) {
		keeper_end(c);
		*c = (struct contain){.pid = -1, .lifeline_fd = -1};
		return;
	}
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		/* Returns only when the kernel has reaped every process inside. */
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (c->lifeline_fd >= 0)
		close(c->lifeline_fd);
	*c = (struct contain){.pid = -1, .lifeline_fd = -1};
}

static int do_nothing(void *arg)
{
	(void)arg;
	return 0;
}

int contain_supported(struct why *why)
{
	struct contain c;
	int status = 0;
	int err = contain_start(&c, do_nothing, NULL, why);

	if (err != 0)
		return err;
	err = contain_wait(&c, 10000, -1, &status);
	contain_kill(&c);
	if (err == 0 && status != 0)
		err = -E_UNSUPPORTED;
	return err == 0 ? 0 : why_set(why, err, "a trial container did not end well");
}
