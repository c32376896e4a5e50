/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The scheduler: one loop over the lanes' pipes.
 */
#include "harness/run.h"

#include "base/clock.h"
#include "harness/lane.h"
#include "harness/scenarios/theory.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TICK_MS 200
/* A busy machine may be less so later; a race is lost by chance, and each loss is soon over. */
#define TRIES_BUSY 3
#define TRIES_RACE 5

struct schedule {
	struct lane_run shared;
	struct run *run;
	const struct run_view *view;
	size_t *queue; /* indexes of cells */
	size_t next, n;
	size_t done;
	int64_t started_ms;
	bool no_lab; /* this machine gives no container: nothing can be played */
};

static void describe(struct result *r, const struct cell *c)
{
	result_init(r, c->name, c->scenario->purpose);
	snprintf(r->group, sizeof(r->group), "%s", scenario_group_name(c->scenario->group));
	snprintf(r->target, sizeof(r->target), "%s", c->target->name);
	r->state = RESULT_WAITING;
	if (c->left_out[0])
		result_skip(r, "%s", c->left_out);
	theory_text(&c->expect, r->expected, sizeof(r->expected));
	for (int i = 0; i < LAB_SIDES; i++) {
		if (c->kind[i])
			snprintf(r->kind[i], sizeof(r->kind[i]), "%s", c->kind[i]->name);
		snprintf(r->browser[i], sizeof(r->browser[i]), "%s",
		         browser_product_word(c->product[i]));
	}
}

int run_new(struct run *run, const struct plan *plan)
{
	struct result *mem = mmap(NULL, (plan->n + 1) * sizeof(*mem), PROT_READ | PROT_WRITE,
	                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return -E_NOMEM;
	*run = (struct run){.started_s = time(NULL), .result_n = plan->n, .result = mem};
	for (size_t i = 0; i < plan->n; i++)
		describe(&mem[i], &plan->cell[i]);
	return 0;
}

void run_free(struct run *run)
{
	if (run->result)
		munmap(run->result, (run->result_n + 1) * sizeof(struct result));
	*run = (struct run){.result = NULL};
}

size_t run_lanes_default(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	/* A call of the matrix keeps two thirds of a core busy. */
	return cores < 1 ? 1 : cores > RUN_LANES_MAX ? RUN_LANES_MAX : (size_t)cores;
}

/* A result is final once its lane has gone on to something else. */
static void finished(struct schedule *s, const struct result *r)
{
	s->done++;
	s->view->finished(s->view->arg, r);
}

static void feed(struct schedule *s, struct lane *l)
{
	struct why why;
	size_t cell;

	if (l->busy || l->leaving)
		return;
	if (s->next == s->n || s->no_lab) {
		if (l->up)
			lane_leave(l);
		return;
	}
	cell = s->queue[s->next];
	if (l->up && l->played > 0 && s->shared.plan->cell[cell].scenario->alone) {
		lane_leave(l);
		return;
	}
	if (!l->up && lane_start(&s->shared, l, &why) != 0) {
		result_no_lab(&s->shared.result[cell], "%s", why.text);
		s->next++;
		s->no_lab = true;
		finished(s, &s->shared.result[cell]);
		return;
	}
	s->next++;
	lane_play(&s->shared, l, cell);
}

static int64_t time_left(const struct schedule *s)
{
	int64_t spent = clock_mono_ms() - s->started_ms;
	double part = s->n ? (double)s->done / (double)s->n : 1;

	return s->done < 2 ? -1 : (int64_t)((double)spent / part * (1 - part));
}

static bool any_up(const struct schedule *s)
{
	for (size_t i = 0; i < s->shared.lanes_n; i++) {
		if (s->shared.lanes[i].up)
			return true;
	}
	return false;
}

static void attend(struct schedule *s, struct lane *l, bool readable)
{
	struct result *r = &s->shared.result[l->cell];
	bool was_busy = l->busy;

	if (readable)
		lane_read(&s->shared, l);
	else
		lane_check_time(&s->shared, l);
	if (was_busy && !l->busy)
		finished(s, r);
}

/* Plays the queue. 0 or -E_CLOSED. */
static int play_queue(struct schedule *s, int signal_fd)
{
	struct pollfd p[RUN_LANES_MAX + 1];
	size_t n = s->shared.lanes_n;

	s->next = s->done = 0;
	s->started_ms = clock_mono_ms();
	for (;;) {
		for (size_t i = 0; i < n; i++)
			feed(s, &s->shared.lanes[i]);
		if (!any_up(s) && (s->next == s->n || s->no_lab))
			return 0;
		for (size_t i = 0; i < n; i++)
			p[i] = (struct pollfd){.fd = s->shared.lanes[i].done_fd, .events = POLLIN};
		p[n] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
		poll(p, n + 1, TICK_MS);
		if (p[n].revents)
			return -E_CLOSED;
		for (size_t i = 0; i < n; i++) {
			if (s->shared.lanes[i].up)
				attend(s, &s->shared.lanes[i], p[i].revents != 0);
		}
		s->view->progress(s->view->arg, s->run, s->done, time_left(s));
	}
}

/* Queues again what the machine was too busy to judge, and what has lost a race of milliseconds. */
static size_t queue_again(struct schedule *s)
{
	s->n = 0;
	for (size_t i = 0; i < s->run->result_n; i++) {
		const struct result *r = &s->run->result[i];

		if ((r->state == RESULT_INCONCLUSIVE && r->tries < TRIES_BUSY) ||
		    (r->state == RESULT_FAILED && r->raced && r->tries < TRIES_RACE))
			s->queue[s->n++] = i;
	}
	return s->n;
}

int run_play(struct run *run, const struct plan *plan, const struct scenario_options *opt,
             size_t lanes, int signal_fd, const struct run_view *view)
{
	struct lane lane[RUN_LANES_MAX];
	struct schedule s = {
	    .shared = {.plan = plan, .opt = opt, .result = run->result, .lanes = lane},
	    .run = run,
	    .view = view,
	    .queue = calloc(plan->n + 1, sizeof(*s.queue)),
	};
	int64_t start = clock_mono_ms();
	int err;

	if (!s.queue)
		return -E_NOMEM;
	for (size_t i = 0; i < plan->n; i++) {
		if (run->result[i].state == RESULT_WAITING)
			s.queue[s.n++] = i;
	}
	s.shared.lanes_n = lanes < RUN_LANES_MAX ? lanes : RUN_LANES_MAX;
	if (s.shared.lanes_n > s.n)
		s.shared.lanes_n = s.n;
	for (size_t i = 0; i < s.shared.lanes_n; i++)
		lane_init(&lane[i]);
	err = play_queue(&s, signal_fd);
	while (err == 0 && !s.no_lab && queue_again(&s) > 0) {
		s.shared.lanes_n = 1;
		err = play_queue(&s, signal_fd);
	}
	for (size_t i = 0; i < s.shared.lanes_n && err != 0; i++) {
		if (lane[i].up)
			lane_interrupt(&s.shared, &lane[i]);
	}
	run->duration_ms = clock_mono_ms() - start;
	run->artifacts = s.shared.artifacts;
	free(s.queue);
	return err;
}

int run_exit_status(const struct run *run)
{
	if (run_count(run, RESULT_FAILED) > 0)
		return 1;
	if (run_count(run, RESULT_NO_LAB) > 0)
		return 3;
	if (run_count(run, RESULT_INCONCLUSIVE) > 0)
		return 4;
	return run_count(run, RESULT_PASSED) + run_count(run, RESULT_SKIPPED) < run->result_n;
}
