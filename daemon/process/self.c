/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From its clocks and limits, and /proc/self, which the sandbox leaves open.
 */
#include "daemon/process/self.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double cpu_s(clockid_t clock)
{
	struct timespec ts;

	return clock_gettime(clock, &ts) ? 0 : (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Linux 6.2 and later give the number as the folder's size; before, each is looked at. */
static uint64_t count_fds(void)
{
	uint64_t n = 0;
	struct stat st;
	DIR *dir;

	if (!stat("/proc/self/fd", &st) && st.st_size > 0)
		return (uint64_t)st.st_size;
	dir = opendir("/proc/self/fd");
	if (!dir)
		return 0;
	for (struct dirent *e; (e = readdir(dir));)
		n += *e->d_name != '.';
	closedir(dir);
	return n ? n - 1 : 0; /* its own */
}

static void look_at_memory(struct self *out)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), size, resident;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return;
	if (fscanf(f, "%" SCNu64 " %" SCNu64, &size, &resident) == 2) {
		out->virtual_bytes = size * page;
		out->resident_bytes = resident * page;
	}
	fclose(f);
}

void self_look(struct self *out)
{
	struct rlimit files;

	memset(out, 0, sizeof(*out));
	out->cpu_s = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
	out->main_cpu_s = cpu_s(CLOCK_THREAD_CPUTIME_ID);
	out->fds = count_fds();
	if (!getrlimit(RLIMIT_NOFILE, &files))
		out->fds_max = files.rlim_cur;
	look_at_memory(out);
}
