/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How much of a core a side's pages take themselves: what tells a page that
 * hogs its thread from one that gets no core. Seen in /proc, whatever the
 * browser: a page's scripts run on the first thread of its process.
 */
#ifndef SCENARIOS_PAGE_CPU_H
#define SCENARIOS_PAGE_CPU_H

#include <stddef.h>
#include <sys/types.h>

#define PAGE_CPU_MAX 64

struct page_cpu {
	double at_ms;
	size_t n;
	struct {
		pid_t pid;
		double ran_ms;
	} process[PAGE_CPU_MAX];
};

/* Looks at the processes of a network namespace. */
void page_cpu_look(int netns_fd, struct page_cpu *out);

/* The part of a core that the busiest first thread used in between; 0 if no thread is known. */
double page_cpu_between(const struct page_cpu *before, const struct page_cpu *after);

#endif
