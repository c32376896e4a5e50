/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The outside of a run. The inside may crash, hang or be killed: its result
 * lies in shared memory and is completed here.
 */
#include "harness/run.h"

#include "harness/clock.h"
#include "harness/lab/contain.h"
#include "harness/lab/proc.h"

#include <sys/mman.h>

struct inside {
	const struct scenario *scenario;
	const struct scenario_options *opt;
	struct result *result;
};

int run_new(struct run *run, size_t n)
{
	void *mem = mmap(NULL, n * sizeof(struct result), PROT_READ | PROT_WRITE,
	                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return -E_NOMEM;
	*run = (struct run){.started_s = time(NULL), .room = n, .result = mem};
	return 0;
}

void run_free(struct run *run)
{
	if (run->result)
		munmap(run->result, run->room * sizeof(struct result));
	*run = (struct run){.result = NULL};
}

static int play_inside(void *arg)
{
	struct inside *in = arg;

	scenario_run(in->scenario, in->opt, in->result);
	return 0;
}

int run_scenario(struct run *run, const struct scenario *s, const struct scenario_options *opt,
                 int signal_fd)
{
	struct result *r = &run->result[run->result_n++];
	struct inside in = {.scenario = s, .opt = opt, .result = r};
	int64_t start = clock_mono_ms();
	int status = 0, err;
	struct contain c;
	struct why why;
	char how[96];

	result_init(r, s->name, s->purpose);
	result_step(r, "starting the container");
	err = contain_start(&c, play_inside, &in, &why);
	if (err != 0) {
		result_no_lab(r, "%s", why.text);
		r->duration_ms = clock_mono_ms() - start;
		return 0;
	}
	err = contain_wait(&c, s->limit_ms, signal_fd, &status);
	contain_kill(&c);
	r->duration_ms = clock_mono_ms() - start;
	if (err == -E_CLOSED) {
		r->state = RESULT_INTERRUPTED;
		return err;
	}
	if (err == -E_TIMEOUT)
		result_fail(r, "It should end within %lld s, but was still at: %s.",
		            (long long)s->limit_ms / 1000, r->step);
	else if (status != 0)
		result_fail(r, "The harness itself %s at: %s.",
		            proc_status_text(status, how, sizeof(how)), r->step);
	return 0;
}

int run_exit_status(const struct run *run)
{
	if (run_count(run, RESULT_FAILED) > 0)
		return 1;
	return run_count(run, RESULT_NO_LAB) > 0 ? 3
	                                         : run_count(run, RESULT_PASSED) < run->result_n;
}
