/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A container for one run: own user, PID, mount and network namespaces, with a
 * tmpfs on /run. Killing its first process ends every process, namespace and
 * file inside it; the kernel does so too when the harness itself dies.
 */
#ifndef LAB_CONTAIN_H
#define LAB_CONTAIN_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Scratch space inside: on the tmpfs, gone with the container. */
#define CONTAIN_WORK "/run/work"

#define CONTAIN_FOLDER 256

struct contain {
	pid_t pid;                   /* first process, as seen from outside */
	int lifeline_fd;             /* the inside sees it close when we die */
	bool kept;                   /* no container: a keeper (keeper.h) */
	char folder[CONTAIN_FOLDER]; /* its scratch space, as seen from outside */
};

/* Runs fn(arg) as the first process of a new container; its return value becomes the exit
 * status. Returns when the container stands, without waiting for fn. -E_UNSUPPORTED or
 * -E_DENIED if this machine does not give us the namespaces: why says which and the fix. */
int contain_start(struct contain *c, int (*fn)(void *arg), void *arg, struct why *why);

/* Waits for fn's end. signal_fd (a signalfd, or -1) interrupts the wait. 0 and the wait status,
 * -E_TIMEOUT, or -E_CLOSED when a signal is there to be read. */
int contain_wait(struct contain *c, int64_t limit_ms, int signal_fd, int *status);

/* Ends everything inside; returns when it is all gone. Legal after contain_wait(). */
void contain_kill(struct contain *c);

/* 0 if contain_start() works on this machine. */
int contain_supported(struct why *why);

#endif
