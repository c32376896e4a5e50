/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For tests: which processes descend from one, and whether they are gone.
 */
#ifndef HARNESS_TESTS_PROCESSES_H
#define HARNESS_TESTS_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROCESSES_MAX 256

struct process {
	pid_t pid;
	unsigned long long started; /* clock ticks since boot: tells reused ids apart */
	unsigned long net_ns;       /* inode; 0 if it could not be read */
	char command[512];          /* the command line, blanks between arguments */
};

struct processes {
	size_t n;
	struct process at[PROCESSES_MAX];
};

/* All descendants of root, without root, zombies left out. */
void processes_below(pid_t root, struct processes *out);

/* The first whose command line holds part and not no (which may be NULL), or NULL. */
const struct process *processes_find(const struct processes *ps, const char *part, const char *no);

/* How many of them still live, zombies not counted. */
size_t processes_alive(const struct processes *ps);

/* How many processes of the machine are in one of the network namespaces that only these used
 * (that is: in one that is not our own). */
size_t processes_in_their_namespaces(const struct processes *ps);

#endif
