/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Both sides of a lane. Outside: orders over a pipe, answers over another, the
 * logs of everything inside in memory files that survive it. Inside: the loop.
 */
#include "harness/lane.h"

#include "base/clock.h"
#include "harness/lab/keeper.h"
#include "harness/lab/pressure.h"
#include "harness/lab/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEAVE_MS 20000

enum done { DONE_KEEP = 'k', DONE_LEAVE = 'x' };

struct inside {
	struct lane_run *run;
	struct lane *lane;
	int order_fd, done_fd;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void lane_init(struct lane *l)
{
	*l = (struct lane){.c = {.pid = -1, .lifeline_fd = -1}, .order_fd = -1, .done_fd = -1};
	for (int i = 0; i < STAGE_LOGS; i++)
		l->log_fd[i] = -1;
}

/* ---- inside ---- */

/* The other lanes' pipes came along with the fork; a copy of them here would hide their ends. */
static void close_inherited(struct lane_run *run)
{
	for (size_t i = 0; i < run->lanes_n; i++) {
		struct lane *l = &run->lanes[i];

		close_fd(&l->order_fd);
		close_fd(&l->done_fd);
		close_fd(&l->c.lifeline_fd);
	}
}

static void say_done(const struct inside *in, char what)
{
	if (write(in->done_fd, &what, 1) != 1)
		_exit(1); /* the parent is gone */
}

static int play_cells(void *arg)
{
	struct inside *in = arg;
	struct result *r = NULL;
	struct stage st;
	size_t cell;

	close_inherited(in->run);
	stage_init(&st, in->run->opt, in->lane->log_fd);
	while (read(in->order_fd, &cell, sizeof(cell)) == sizeof(cell)) {
		const struct cell *c = &in->run->plan->cell[cell];

		r = &in->run->result[cell];
		if (!scenario_play(&st, c, r) || c->scenario->alone) {
			stage_close(&st, r);
			result_end(r);
			say_done(in, DONE_LEAVE);
			return 0;
		}
		result_end(r);
		say_done(in, DONE_KEEP);
	}
	/* A server that ends badly is a fault of the last cell: nothing else has touched it. */
	if (r)
		stage_close(&st, r);
	return 0;
}

/* ---- outside ---- */

static int open_logs(struct lane *l, struct why *why)
{
	for (int i = 0; i < STAGE_LOGS; i++) {
		l->log_fd[i] = memfd_create(stage_log_name[i], MFD_CLOEXEC);
		if (l->log_fd[i] < 0 || fcntl(l->log_fd[i], F_SETFL, O_APPEND) != 0)
			return why_set(why, error_from_errno(errno), "memfd: %s", strerror(errno));
	}
	return 0;
}

static void forget(struct lane *l)
{
	for (int i = 0; i < STAGE_LOGS; i++)
		close_fd(&l->log_fd[i]);
	close_fd(&l->order_fd);
	close_fd(&l->done_fd);
	lane_init(l);
}

int lane_start(struct lane_run *run, struct lane *l, struct why *why)
{
	struct inside in = {.run = run, .lane = l};
	int order[2] = {-1, -1}, done[2] = {-1, -1};
	int err = open_logs(l, why);

	if (err == 0 && (pipe2(order, O_CLOEXEC) != 0 || pipe2(done, O_CLOEXEC) != 0))
		err = why_set(why, error_from_errno(errno), "pipe: %s", strerror(errno));
	in.order_fd = order[0];
	in.done_fd = done[1];
	l->order_fd = order[1];
	l->done_fd = done[0];
	if (err == 0)
		err =
		    (run->opt->against ? keeper_start : contain_start)(&l->c, play_cells, &in, why);
	close_fd(&order[0]);
	close_fd(&done[1]);
	if (err != 0)
		forget(l);
	else
		l->up = true;
	return err;
}

void lane_play(struct lane_run *run, struct lane *l, size_t cell)
{
	const struct scenario *s = run->plan->cell[cell].scenario;
	struct result *r = &run->result[cell];

	for (int i = 0; i < STAGE_LOGS; i++)
		l->log_mark[i] = lseek(l->log_fd[i], 0, SEEK_END);
	l->busy = true;
	l->cell = cell;
	l->played++;
	l->started_ms = clock_mono_ms();
	l->stalled_us = pressure_cpu_us();
	l->deadline_ms =
	    l->started_ms + s->limit_ms + (int64_t)scenario_soak_minutes(s, run->opt) * 60000;
	result_begin(r);
	result_step(r, "starting");
	/* If the lane is gone already, its end shows on done_fd. */
	(void)!write(l->order_fd, &cell, sizeof(cell));
}

void lane_leave(struct lane *l)
{
	close_fd(&l->order_fd);
	l->leaving = true;
	l->started_ms = clock_mono_ms();
	l->stalled_us = pressure_cpu_us();
	l->deadline_ms = l->started_ms + LEAVE_MS;
}

static int copy_part(int from_fd, off_t from, int to_fd)
{
	char buf[16384];
	ssize_t n;

	while ((n = pread(from_fd, buf, sizeof(buf), from)) > 0) {
		if (write(to_fd, buf, (size_t)n) != n)
			return -1;
		from += n;
	}
	return (int)n;
}

/* The cell's part of each log becomes a file among its artifacts. */
static void collect_logs(struct lane_run *run, struct lane *l)
{
	const char *folder = run->result[l->cell].name;
	int root = run->opt->artifacts_fd, dir;

	if (root < 0)
		return;
	mkdirat(root, folder, 0755);
	dir = openat(root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < STAGE_LOGS && dir >= 0; i++) {
		int fd;

		if (lseek(l->log_fd[i], 0, SEEK_END) <= l->log_mark[i])
			continue;
		fd = openat(dir, stage_log_name[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0 || copy_part(l->log_fd[i], l->log_mark[i], fd) != 0)
			why_set(&run->artifacts, -E_IO, "%s/%s: %s", folder, stage_log_name[i],
			        strerror(errno));
		close_fd(&fd);
	}
	if (dir < 0)
		why_set(&run->artifacts, -E_IO, "%s: %s", folder, strerror(errno));
	close_fd(&dir);
}

static void end_cell(struct lane_run *run, struct lane *l)
{
	run->result[l->cell].duration_ms = clock_mono_ms() - l->started_ms;
	collect_logs(run, l);
	l->busy = false;
}

static void end_lane(struct lane_run *run, struct lane *l)
{
	contain_kill(&l->c);
	if (l->busy)
		end_cell(run, l);
	forget(l);
}

void lane_read(struct lane_run *run, struct lane *l)
{
	struct result *r = &run->result[l->cell];
	int status = 0, err;
	char how[96], what;
	ssize_t n;

	do {
		n = read(l->done_fd, &what, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1) {
		end_cell(run, l);
		if (what == DONE_LEAVE)
			lane_leave(l);
		return;
	}
	err = contain_wait(&l->c, LEAVE_MS, -1, &status);
	if (err != 0 || status != 0 || l->busy)
		result_fail(r, "The harness itself %s at: %s.",
		            err != 0 ? "hung" : proc_status_text(status, how, sizeof(how)),
		            r->step);
	end_lane(run, l);
}

void lane_check_time(struct lane_run *run, struct lane *l)
{
	struct result *r = &run->result[l->cell];
	int64_t spent_ms = clock_mono_ms() - l->started_ms,
	        limit_ms = l->deadline_ms - l->started_ms;
	double stalled_us;

	if ((!l->busy && !l->leaving) || spent_ms < limit_ms)
		return;
	stalled_us = pressure_cpu_us() - l->stalled_us;
	if (spent_ms < pressure_limit_ms(limit_ms, stalled_us, spent_ms))
		return;
	if (l->busy && pressure_is_busy(stalled_us, spent_ms))
		result_inconclusive(r,
		                    "The machine was too busy to judge: after %lld s the cell was "
		                    "still at: %s.",
		                    (long long)spent_ms / 1000, r->step);
	else if (l->busy)
		result_fail(r, "It should end within %lld s, but was still at: %s.",
		            (long long)(l->deadline_ms - l->started_ms) / 1000, r->step);
	else
		result_fail(r,
		            "Its stage should be cleared away within %d s, but was still at: "
		            "%s.",
		            LEAVE_MS / 1000, r->step);
	end_lane(run, l);
}

void lane_interrupt(struct lane_run *run, struct lane *l)
{
	if (l->busy)
		run->result[l->cell].state = RESULT_INTERRUPTED;
	end_lane(run, l);
}
