/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The time of day.
 */
#include "base/wall.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/timex.h>
#include <time.h>

int64_t wall_boot_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec;
}

int64_t wall_now_s(const struct wall *w)
{
	int64_t now_s = time(NULL), ahead_s = w ? atomic_load(&w->ahead_s) : 0;
	int64_t least_s = ahead_s ? ahead_s + wall_boot_s() : now_s;

	return now_s > least_s ? now_s : least_s;
}

void wall_set_floor(struct wall *w, int64_t floor_s)
{
	if (w)
		atomic_store(&w->ahead_s, floor_s ? floor_s - wall_boot_s() : 0);
}

const char *wall_text(int64_t at_ms, bool with_ms, char out[WALL_STRLEN])
{
	time_t t = (time_t)(at_ms / 1000);
	struct tm tm;
	size_t n = gmtime_r(&t, &tm) ? strftime(out, WALL_STRLEN - 5, "%Y-%m-%dT%H:%M:%S", &tm) : 0;

	if (with_ms)
		n += (size_t)snprintf(out + n, WALL_STRLEN - n, ".%03d", (int)(at_ms % 1000));
	snprintf(out + n, WALL_STRLEN - n, "Z");
	return out;
}

bool wall_is_synchronized(void)
{
	struct timex t = {.modes = 0};

	return adjtimex(&t) != TIME_ERROR && !(t.status & STA_UNSYNC);
}
