/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The keeper is the subreaper (prctl(2)) of the work: a process that loses its parent becomes its
 * child, and none can hide from it. It holds nothing open but its end of the lifeline.
 */
#include "harness/lab/keeper.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char work[CONTAIN_FOLDER] = CONTAIN_WORK;

const char *keeper_work(void)
{
	return work;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* The parent of a process; -1 if it is gone. */
static long parent_of(const char *pid)
{
	char path[300], stat[512];
	long parent = -1;
	const char *end;
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "re");
	if (f) {
		n = fread(stat, 1, sizeof(stat) - 1, f);
		fclose(f);
	}
	stat[n] = '\0';
	end = strrchr(stat, ')'); /* its name may hold anything */
	if (end)
		sscanf(end, ") %*c %ld", &parent);
	return parent;
}

static void kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while (proc && (d = readdir(proc))) {
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && parent_of(d->d_name) == getpid())
			kill((pid_t)atol(d->d_name), SIGKILL);
	}
	if (proc)
		closedir(proc);
}

/* The children of a dead process become ours: repeat until there are none. */
static void kill_all(void)
{
	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0)
			return;
		if (pid > 0)
			continue;
		kill_children();
		clock_sleep_ms(5);
	}
}

__attribute__((noreturn)) static void do_work(int lifeline_fd, pid_t keeper, int (*fn)(void *arg),
                                              void *arg)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != keeper)
		_exit(1);
	close(lifeline_fd);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_DFL);
	signal(SIGPIPE, SIG_IGN); /* a browser may die while it is spoken to */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setenv("HOME", work, 1) != 0 || setenv("TMPDIR", work, 1) != 0)
		_exit(1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_CACHE_HOME");
	unsetenv("XDG_RUNTIME_DIR");
	exit(fn(arg));
}

/* Ends as the work did. */
__attribute__((noreturn)) static void end_as(int status)
{
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

__attribute__((noreturn)) static void keep(int lifeline_fd, int (*fn)(void *arg), void *arg)
{
	struct pollfd p[2] = {{.fd = lifeline_fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
	pid_t self = getpid(), worker;
	int status = 0;

	setsid(); /* the terminal's Ctrl-C is for the harness alone */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	worker = fork();
	if (worker == 0)
		do_work(lifeline_fd, self, fn, arg);
	/* A copy of the work's pipes here would hide their ends. */
	syscall(SYS_close_range, 3, lifeline_fd - 1, 0);
	syscall(SYS_close_range, lifeline_fd + 1, ~0U, 0);
	if (worker > 0) {
		p[1].fd = (int)syscall(SYS_pidfd_open, worker, 0);
		while (waitpid(worker, &status, WNOHANG) == 0) {
			poll(p, 2, p[1].fd >= 0 ? -1 : 20);
			if (p[0].revents)
				kill(worker, SIGKILL);
			p[0].fd = p[0].revents ? -1 : lifeline_fd;
		}
	}
	kill_all();
	nftw(work, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	end_as(worker > 0 ? status : 1 << 8);
}

int keeper_start(struct contain *c, int (*fn)(void *arg), void *arg, struct why *why)
{
	const char *tmp = getenv("TMPDIR");
	int life[2];

	*c = (struct contain){.pid = -1, .lifeline_fd = -1, .kept = true};
	snprintf(c->folder, sizeof(c->folder), "%.200s/turnpike-run-XXXXXX",
	         tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(c->folder)) {
		c->folder[0] = '\0';
		return why_set(why, error_from_errno(errno), "cannot make a folder in %s: %s",
		               tmp && *tmp ? tmp : "/tmp", strerror(errno));
	}
	if (pipe2(life, O_CLOEXEC) != 0) {
		rmdir(c->folder);
		return why_set(why, error_from_errno(errno), "pipe: %s", strerror(errno));
	}
	fflush(NULL); /* or the work would print our pending output again */
	c->pid = fork();
	if (c->pid == 0) {
		close(life[1]);
		snprintf(work, sizeof(work), "%s", c->folder);
		keep(life[0], fn, arg);
	}
	close(life[0]);
	c->lifeline_fd = life[1];
	if (c->pid > 0)
		return 0;
	close(life[1]);
	rmdir(c->folder);
	return why_set(why, error_from_errno(errno), "fork: %s", strerror(errno));
}

void keeper_end(struct contain *c)
{
	int status;

	/* It sees the lifeline close, and returns when all is gone. */
	if (c->lifeline_fd >= 0)
		close(c->lifeline_fd);
	while (c->pid > 0 && waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	/* The keeper was killed and left this to us. */
	nftw(c->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
