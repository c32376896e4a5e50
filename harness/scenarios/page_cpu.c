/* SPDX-License-Identifier: BSD-3-Clause
 *
 * schedstat of first threads: the time that each ran, in nanoseconds.
 */
#include "harness/scenarios/page_cpu.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int ran_ms(pid_t pid, double *ms)
{
	char path[64];
	unsigned long long ns;
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, (int)pid);
	f = fopen(path, "re");
	n = f ? fscanf(f, "%llu", &ns) : 0;
	if (f)
		fclose(f);
	*ms = n == 1 ? (double)ns / 1e6 : 0;
	return n == 1 ? 0 : -1;
}

void page_cpu_look(int netns_fd, struct page_cpu *out)
{
	struct stat wanted, st;
	struct dirent *e;
	DIR *dir;

	*out = (struct page_cpu){.at_ms = now_ms()};
	dir = fstat(netns_fd, &wanted) == 0 ? opendir("/proc") : NULL;
	while (dir && out->n < PAGE_CPU_MAX && (e = readdir(dir))) {
		pid_t pid = (pid_t)atoi(e->d_name);
		char path[64];
		double ms;

		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
		if (pid <= 0 || stat(path, &st) != 0 || st.st_ino != wanted.st_ino ||
		    st.st_dev != wanted.st_dev || ran_ms(pid, &ms) != 0)
			continue;
		out->process[out->n].pid = pid;
		out->process[out->n++].ran_ms = ms;
	}
	if (dir)
		closedir(dir);
}

double page_cpu_between(const struct page_cpu *before, const struct page_cpu *after)
{
	double spent = after->at_ms - before->at_ms, most = 0;

	for (size_t i = 0; i < after->n && spent > 0; i++) {
		for (size_t k = 0; k < before->n; k++) {
			double part =
			    (after->process[i].ran_ms - before->process[k].ran_ms) / spent;

			if (before->process[k].pid == after->process[i].pid && part > most)
				most = part;
		}
	}
	return most;
}
