/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Starting, waiting for and ending other programs, in a network namespace if
 * wanted. Every child dies with the harness (PR_SET_PDEATHSIG).
 */
#ifndef LAB_PROC_H
#define LAB_PROC_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_FDS 5

struct proc_opt {
	int netns_fd;     /* the network namespace to run in, or -1: the caller's */
	int fd[PROC_FDS]; /* become fds 0..4; -1 means /dev/null for 0..2, closed for 3 and 4 */
};

#define PROC_OPT_DEFAULT                                                                           \
	{                                                                                          \
		.netns_fd = -1, .fd = { -1, -1, -1, -1, -1 }                                       \
	}

/* Starts argv[0] (searched in PATH) in a process group of its own. Borrows the descriptors.
 * 0, -E_NOTFOUND if there is no such program, or another code; why names program and reason. */
int proc_spawn(const char *const argv[], const struct proc_opt *opt, pid_t *pid, struct why *why);

/* Waits for the end of a child and reaps it. 0 and the wait status, or -E_TIMEOUT. */
int proc_wait(pid_t pid, int64_t limit_ms, int *status);

/* True while the child runs; reaps it and stores the status when it has ended. */
int proc_running(pid_t pid, int *status);

/* SIGTERM, then SIGKILL after grace_ms, to the process group; reaps. pid <= 0 does nothing. */
void proc_stop(pid_t pid, int64_t grace_ms);

/* Runs a program to its end with input (may be NULL) on standard input. 0 only if it exited with
 * status 0; else why holds the command and what it wrote. */
int proc_run(const char *const argv[], int netns_fd, const char *input, int64_t limit_ms,
             struct why *why);

/* The same without input. What it wrote to standard output is a file, read from its beginning, to
 * be closed by the caller. */
int proc_ask(const char *const argv[], int netns_fd, int64_t limit_ms, int *answer_fd,
             struct why *why);

/* "exited with status 1" or "was killed by signal 11 (Segmentation fault)"; returns buf. */
const char *proc_status_text(int status, char *buf, size_t size);

/* 0 while the child runs, or where there is none (*pid <= 0). -E_CLOSED, once, when it has ended:
 * it is reaped, *pid is -1, and why tells how it ended and its last words in log_fd. */
int proc_check(pid_t *pid, const char *name, int log_fd, struct why *why);

/* The processes of a child's group: itself, and what it has started. Their number. */
size_t proc_group(pid_t pid, pid_t *out, size_t max);

/* Of all of them, by its name in /proc/PID/status: "VmRSS", "VmSize"; -1: unknown. */
long proc_memory_kb(pid_t pid, const char *what);

/* The last line of what a program wrote to a file, for people. */
void proc_last_words(int log_fd, char *buf, size_t size);

#endif
