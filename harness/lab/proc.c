/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Child programs: fork, enter the namespace, exec. A failed exec is reported
 * through a close-on-exec pipe, so that the parent can say exactly why.
 */
#include "harness/lab/proc.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_SAFE 20 /* descriptors are parked above this while 0..4 are laid out */

struct exec_failure {
	int err;
	char step[16];
};

__attribute__((noreturn)) static void child_fail(int report_fd, const char *step)
{
	struct exec_failure f = {.err = errno};

	snprintf(f.step, sizeof(f.step), "%s", step);
	if (write(report_fd, &f, sizeof(f)) != sizeof(f))
		_exit(126);
	_exit(127);
}

__attribute__((noreturn)) static void child_exec(const char *const argv[],
                                                 const struct proc_opt *opt, int report_fd)
{
	int parked[PROC_FDS];
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || setpgid(0, 0) != 0)
		child_fail(report_fd, "prctl");
	if (opt->netns_fd >= 0 && setns(opt->netns_fd, CLONE_NEWNET) != 0)
		child_fail(report_fd, "setns");
	report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, FD_SAFE);
	for (int i = 0; i < PROC_FDS; i++) {
		parked[i] = -1;
		if (opt->fd[i] >= 0)
			parked[i] = fcntl(opt->fd[i], F_DUPFD_CLOEXEC, FD_SAFE);
		else if (i < 3)
			parked[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (parked[i] >= 0 && parked[i] < FD_SAFE)
			parked[i] = fcntl(parked[i], F_DUPFD_CLOEXEC, FD_SAFE);
	}
	for (int i = 0; i < PROC_FDS; i++) {
		if (parked[i] < 0)
			close(i);
		else if (dup2(parked[i], i) < 0)
			child_fail(report_fd, "dup2");
	}
	syscall(SYS_close_range, PROC_FDS, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], (char *const *)argv);
	child_fail(report_fd, "exec");
}

int proc_spawn(const char *const argv[], const struct proc_opt *opt, pid_t *pid, struct why *why)
{
	struct exec_failure f;
	int report[2];
	ssize_t n;
	pid_t p;

	if (pipe2(report, O_CLOEXEC) != 0)
		return why_set(why, error_from_errno(errno), "%s: pipe: %s", argv[0],
		               strerror(errno));
	p = fork();
	if (p == 0)
		child_exec(argv, opt, report[1]);
	close(report[1]);
	if (p < 0) {
		close(report[0]);
		return why_set(why, error_from_errno(errno), "%s: fork: %s", argv[0],
		               strerror(errno));
	}
	do {
		n = read(report[0], &f, sizeof(f));
	} while (n < 0 && errno == EINTR);
	close(report[0]);
	if (n == 0) {
		*pid = p;
		return 0;
	}
	waitpid(p, NULL, 0);
	if (n == sizeof(f) && f.err == ENOENT)
		return why_set(why, -E_NOTFOUND, "the program %s is not installed", argv[0]);
	if (n == sizeof(f))
		return why_set(why, error_from_errno(f.err), "cannot start %s: %s: %s", argv[0],
		               f.step, strerror(f.err));
	return why_set(why, -E_IO, "cannot start %s", argv[0]);
}

int proc_running(pid_t pid, int *status)
{
	return waitpid(pid, status, WNOHANG) == 0;
}

int proc_wait(pid_t pid, int64_t limit_ms, int *status)
{
	int64_t deadline = clock_mono_ms() + limit_ms;
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (proc_running(pid, status)) {
		if (clock_mono_ms() >= deadline) {
			close(fd);
			return -E_TIMEOUT;
		}
		/* Without pidfd_open (kernel before 5.3) this is a 20 ms sleep. */
		poll(&p, fd >= 0, fd >= 0 ? clock_left_ms(deadline) : 20);
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

void proc_stop(pid_t pid, int64_t grace_ms)
{
	int status;

	if (pid <= 0)
		return;
	kill(-pid, SIGTERM);
	if (grace_ms > 0 && proc_wait(pid, grace_ms, &status) == 0) {
		kill(-pid, SIGKILL); /* what it left behind in its group */
		return;
	}
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
}

const char *proc_status_text(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(buf, size, "was killed by signal %d (%s)", WTERMSIG(status),
		         strsignal(WTERMSIG(status)));
	else
		snprintf(buf, size, "exited with status %d", WEXITSTATUS(status));
	return buf;
}

/* Both ends of the talk go through memory files: no pipe that could fill and block. */
static int memory_file(const char *text)
{
	int fd = memfd_create("harness", MFD_CLOEXEC);
	size_t len = text ? strlen(text) : 0;

	if (fd >= 0 && len > 0 && (write(fd, text, len) != (ssize_t)len || lseek(fd, 0, 0) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void read_back(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	for (char *p = buf; *p; p++) {
		if (*p == '\n')
			*p = p[1] ? ';' : '\0';
	}
}

/* Its output on opt->fd[2] explains a bad end. */
static int run(const char *const argv[], const struct proc_opt *opt, int64_t limit_ms,
               struct why *why)
{
	char said[320], how[96];
	int status = 0, err;
	pid_t pid;

	err = proc_spawn(argv, opt, &pid, why);
	if (err != 0)
		return err;
	err = proc_wait(pid, limit_ms, &status);
	if (err != 0) {
		proc_stop(pid, 0);
		return why_set(why, err, "%s %s took longer than %lld ms", argv[0],
		               argv[1] ? argv[1] : "", (long long)limit_ms);
	}
	if (status == 0)
		return 0;
	read_back(opt->fd[2], said, sizeof(said));
	return why_set(why, -E_IO, "%s %s %s: %s", argv[0], argv[1] ? argv[1] : "",
	               proc_status_text(status, how, sizeof(how)), said);
}

int proc_run(const char *const argv[], int netns_fd, const char *input, int64_t limit_ms,
             struct why *why)
{
	struct proc_opt opt = PROC_OPT_DEFAULT;
	int err;

	opt.netns_fd = netns_fd;
	opt.fd[0] = memory_file(input);
	opt.fd[1] = opt.fd[2] = memory_file(NULL);
	if (opt.fd[0] < 0 || opt.fd[1] < 0)
		err = why_set(why, -E_IO, "%s: memfd: %s", argv[0], strerror(errno));
	else
		err = run(argv, &opt, limit_ms, why);
	if (opt.fd[0] >= 0)
		close(opt.fd[0]);
	if (opt.fd[1] >= 0)
		close(opt.fd[1]);
	return err;
}

int proc_ask(const char *const argv[], int netns_fd, int64_t limit_ms, int *answer_fd,
             struct why *why)
{
	struct proc_opt opt = PROC_OPT_DEFAULT;
	int err;

	opt.netns_fd = netns_fd;
	opt.fd[1] = memory_file(NULL);
	opt.fd[2] = memory_file(NULL);
	if (opt.fd[1] < 0 || opt.fd[2] < 0)
		err = why_set(why, -E_IO, "%s: memfd: %s", argv[0], strerror(errno));
	else
		err = run(argv, &opt, limit_ms, why);
	if (opt.fd[2] >= 0)
		close(opt.fd[2]);
	if (err == 0) {
		lseek(opt.fd[1], 0, SEEK_SET);
		*answer_fd = opt.fd[1];
	} else if (opt.fd[1] >= 0) {
		close(opt.fd[1]);
	}
	return err;
}

void proc_last_words(int log_fd, char *buf, size_t size)
{
	off_t end = lseek(log_fd, 0, SEEK_END);
	off_t from = end > (off_t)size - 1 ? end - (off_t)size + 1 : 0;
	ssize_t n = end > 0 ? pread(log_fd, buf, size - 1, from) : 0;
	char *line;

	buf[n > 0 ? n : 0] = '\0';
	while (n > 0 && buf[n - 1] == '\n')
		buf[--n] = '\0';
	line = strrchr(buf, '\n');
	if (line)
		memmove(buf, line + 1, strlen(line + 1) + 1);
}

int proc_check(pid_t *pid, const char *name, int log_fd, struct why *why)
{
	char how[96], said[300];
	int status;

	if (*pid <= 0 || proc_running(*pid, &status))
		return 0;
	*pid = -1;
	proc_last_words(log_fd, said, sizeof(said));
	return why_set(why, -E_CLOSED, "%s %s; its last words: %s", name,
	               proc_status_text(status, how, sizeof(how)), said);
}

#define GROUP_MAX 32

size_t proc_group(pid_t pid, pid_t *out, size_t max)
{
	DIR *dir = pid > 0 ? opendir("/proc") : NULL;
	struct dirent *e;
	size_t n = 0;

	while (dir && n < max && (e = readdir(dir))) {
		pid_t other = (pid_t)strtol(e->d_name, NULL, 10);

		if (other > 0 && getpgid(other) == pid)
			out[n++] = other;
	}
	if (dir)
		closedir(dir);
	return n;
}

static long memory_of(pid_t pid, const char *what)
{
	size_t len = strlen(what);
	char path[48], line[128];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && kb < 0 && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, what, len) && line[len] == ':')
			kb = strtol(line + len + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	return kb;
}

long proc_memory_kb(pid_t pid, const char *what)
{
	pid_t group[GROUP_MAX];
	size_t n = proc_group(pid, group, GROUP_MAX);
	long sum = -1;

	for (size_t i = 0; i < n; i++) {
		long kb = memory_of(group[i], what);

		if (kb >= 0)
			sum = sum < 0 ? kb : sum + kb;
	}
	return sum;
}
