/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hostile clients, each at the limit of what one connection may do, among idle ones that have done
 * nothing; and probes of what others notice (probe.h). The clients are one process and the probes
 * two more, so that the attack's own work delays no probe.
 */
#include "base/clock.h"
#include "harness/lab/proc.h"
#include "harness/load/crowd.h"
#include "harness/load/hostile.h"
#include "harness/load/probe.h"
#include "harness/load/signal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define QUIET_MS   1000
#define CALM_S     2.0 /* measured before the attack, for comparison */
#define PAUSE_MS   15  /* between two probes */
#define SPARE_MS   10000
#define TOGETHER   50
#define LINGER_MS  (PROBE_LIMIT + 5000)
#define LEAST_WORK 19 /* nice(2) */

enum phase { GATHERING, CALM, ATTACK, OVER, FAILED };

struct shared {
	_Atomic int phase;
	struct hostile_counts hostile;
	_Atomic uint64_t innocents_closed;
	struct probe health[2], call[2]; /* calm; under attack */
	struct why why;
};

static pid_t fork_child(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

/* ---- the process of the clients ---- */

static void crowds(struct shared *sh, const struct hostile_kind *kind, size_t hostile,
                   size_t innocent, const struct server *s)
{
	struct crowd idle;
	int r = crowd_init(&idle, innocent, WS_PLAIN, s->port, &sh->why);

	idle.patience_ms = s->patience_ms;
	if (nice(LEAST_WORK) < 0)
		sh->why.text[0] = 0;
	if (!r)
		r = crowd_gather(&idle, TOGETHER, QUIET_MS, &sh->why);
	sh->phase = r ? FAILED : CALM;
	while (sh->phase == CALM)
		crowd_run(&idle, 10);
	if (sh->phase == ATTACK) {
		struct hostile *h = hostile_new(kind, hostile, s->port, &sh->hostile);

		while (h && sh->phase == ATTACK) {
			hostile_run(h);
			crowd_run(&idle, 1);
		}
	}
	sh->innocents_closed = idle.closed;
	_exit(0); /* the kernel closes all */
}

/* ---- the process that asks /healthz ---- */

static void ask_health(struct shared *sh, uint16_t port)
{
	while (sh->phase == CALM || sh->phase == ATTACK) {
		probe_health(&sh->health[sh->phase == ATTACK], port);
		clock_sleep_ms(PAUSE_MS);
	}
	_exit(0);
}

/* ---- ours ---- */

static int wait_ready(struct shared *sh, pid_t clients, int64_t patience_ms, struct why *why)
{
	int64_t deadline = clock_mono_ms() + patience_ms + SPARE_MS;
	int status;

	while (sh->phase == GATHERING && clock_mono_ms() < deadline) {
		if (!proc_running(clients, &status))
			return why_set(why, -E_CLOSED, "the process of the clients has ended");
		clock_sleep_ms(10);
	}
	if (sh->phase == FAILED)
		return why_set(why, -E_CLOSED, "%s", sh->why.text);
	return sh->phase == CALM ? 0 : why_set(why, -E_TIMEOUT, "the clients do not sign in");
}

static void call_for(struct shared *sh, double seconds, uint32_t *number)
{
	int64_t end = clock_mono_ms() + (int64_t)(seconds * 1000);

	do {
		probe_call(&sh->call[sh->phase == ATTACK], LOAD_SIGNAL, (*number)++);
		clock_sleep_ms(PAUSE_MS);
	} while (clock_mono_ms() < end);
}

static void reap(pid_t pid)
{
	int status;

	if (pid > 0 && proc_wait(pid, LINGER_MS, &status)) {
		kill(pid, SIGKILL);
		proc_wait(pid, LINGER_MS, &status);
	}
}

static json_t *describe(struct shared *sh, size_t hostile, size_t innocent, double share)
{
	json_t *out =
	    json_pack("{sI sI sI sI sI sI sI sf}", "hostile", (json_int_t)hostile, "acts",
	              (json_int_t)sh->hostile.acts, "refused", (json_int_t)sh->hostile.refused,
	              "hostile_closed", (json_int_t)sh->hostile.closed, "connected",
	              (json_int_t)sh->hostile.connected, "innocent", (json_int_t)innocent, "closed",
	              (json_int_t)sh->innocents_closed, "share", share);

	json_object_set_new(out, "healthz", probe_describe(&sh->health[1]));
	json_object_set_new(out, "call", probe_describe(&sh->call[1]));
	json_object_set_new(out, "calm_healthz", probe_describe(&sh->health[0]));
	json_object_set_new(out, "calm_call", probe_describe(&sh->call[0]));
	return out;
}

int load_attack(const char *name, size_t hostile, size_t innocent, double seconds, struct server *s,
                json_t **out, struct why *why)
{
	struct shared *sh =
	    mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct hostile_kind *kind = hostile_kind(name);
	uint64_t start_ns = 0, run_ns = 0;
	pid_t clients, health = 0;
	uint32_t number = 0;
	int r;

	if (sh == MAP_FAILED)
		return why_set(why, -E_NOMEM, "out of memory");
	clients = fork_child();
	if (!clients)
		crowds(sh, kind, hostile, innocent, s);
	r = wait_ready(sh, clients, s->patience_ms, why);
	if (!r) {
		health = fork_child();
		if (!health)
			ask_health(sh, s->port);
		call_for(sh, CALM_S, &number);
		sh->phase = ATTACK;
		start_ns = load_now_ns();
		run_ns = server_run_ns(s);
		call_for(sh, seconds, &number);
		run_ns = server_run_ns(s) - run_ns;
		start_ns = load_now_ns() - start_ns;
	}
	sh->phase = OVER;
	reap(clients);
	reap(health);
	if (!r)
		r = server_check(s, why);
	if (!r)
		*out = describe(sh, hostile, innocent, (double)run_ns / (double)start_ns);
	munmap(sh, sizeof(*sh));
	return r;
}
