/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a busy machine is to be excused for: pressure stall information of the
 * kernel, which is absent on some.
 */
#ifndef HARNESS_LAB_PRESSURE_H
#define HARNESS_LAB_PRESSURE_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PRESSURE_BUSY                                                                              \
	0.8 /* the part of the time with a task waiting for a core; a run by itself makes half */
#define PRESSURE_PATIENCE 3 /* times as long may take there what takes long */

/* Microseconds with a task waiting for a core, since boot; negative if the kernel does not count.
 */
static inline double pressure_cpu_us(void)
{
	FILE *f = fopen("/proc/pressure/cpu", "re");
	double total = -1;

	if (f && fscanf(f, "some avg10=%*f avg60=%*f avg300=%*f total=%lf", &total) != 1)
		total = -1;
	if (f)
		fclose(f);
	return total;
}

/* True when the machine was busy during spent_ms, of which tasks waited for stalled_us. */
static inline bool pressure_is_busy(double stalled_us, int64_t spent_ms)
{
	return spent_ms > 0 && stalled_us > PRESSURE_BUSY * 1000 * (double)spent_ms;
}

/* How long may be waited for what should be there within limit_ms. */
static inline int64_t pressure_limit_ms(int64_t limit_ms, double stalled_us, int64_t spent_ms)
{
	return pressure_is_busy(stalled_us, spent_ms) ? PRESSURE_PATIENCE * limit_ms : limit_ms;
}

/* A limit for one thing that is waited for. */
struct patience {
	int64_t started_ms, limit_ms;
	double stalled_us; /* then */
};

static inline struct patience patience_begin(int64_t limit_ms)
{
	return (struct patience){
	    .started_ms = clock_mono_ms(), .limit_ms = limit_ms, .stalled_us = pressure_cpu_us()};
}

/* The deadline as it stands (clock_mono_ms()): it moves once it has come, if the machine was busy
 * meanwhile. */
static inline int64_t patience_deadline(const struct patience *p)
{
	int64_t spent_ms = clock_mono_ms() - p->started_ms;

	if (spent_ms < p->limit_ms)
		return p->started_ms + p->limit_ms;
	return p->started_ms +
	       pressure_limit_ms(p->limit_ms, pressure_cpu_us() - p->stalled_us, spent_ms);
}

#endif
