/* SPDX-License-Identifier: BSD-3-Clause
 *
 * turnpike-harness: proves the appliance with real browsers behind real NATs.
 */
#include "base/clock.h"
#include "harness/lab/proc.h"
#include "harness/options.h"
#include "harness/report/output.h"
#include "harness/report/report.h"
#include "harness/run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int list(void)
{
	printf("Scenarios:\n");
	for (size_t i = 0; i < scenarios_n; i++)
		printf("  %-24s %-7s %s\n", scenarios[i].name,
		       scenario_group_name(scenarios[i].group), scenarios[i].purpose);
	printf("\nWith --against, a deployed server:\n"
	       "  against-server           health, readiness and certificate\n"
	       "  against-transports       the relay is offered over every transport that is "
	       "expected\n"
	       "  against-direct           a call from here to here, signaled by the server\n"
	       "  against-check            what its self-test page finds from here\n"
	       "  against-relay-WAY-PORT   both ends bound to the relay, reached over udp, tcp or "
	       "tls\n");
	printf("\nNAT kinds; a pair of them, as port-restricted+symmetric, is a cell of the "
	       "matrix:\n");
	for (size_t i = 0; i < nat_kinds_n; i++)
		printf("  %-24s %s\n", nat_kinds[i].name, nat_kinds[i].purpose);
	return EXIT_PASSED;
}

/* ---- what is shown while it runs ---- */

#define BAR        24
#define VERSION_MS 3000

struct screen {
	bool live; /* standard error is a terminal: the bar is drawn anew in place */
	bool drawn;
};

static void wipe(struct screen *s)
{
	if (s->drawn)
		fputs("\r\033[K", stderr);
	s->drawn = false;
}

static void show_finished(void *arg, const struct result *r)
{
	wipe(arg);
	report_text_line(stdout, r);
}

static void show_progress(void *arg, const struct run *run, size_t done, int64_t left_ms)
{
	size_t failed = run_count(run, RESULT_FAILED), n = run->result_n;
	char left[48] = "";
	struct screen *s = arg;
	char bar[BAR + 1];

	if (!s->live)
		return;
	for (size_t i = 0; i < BAR; i++)
		bar[i] = i < done * BAR / n ? '#' : '.';
	bar[BAR] = '\0';
	if (left_ms >= 0)
		snprintf(left, sizeof(left), ", %lld:%02lld left", (long long)left_ms / 60000,
		         (long long)left_ms / 1000 % 60);
	fprintf(stderr, "\r\033[K[%s] %zu of %zu%s", bar, done, n, left);
	if (failed > 0)
		fprintf(stderr, ", %zu failed", failed);
	s->drawn = true;
}

/* ---- the run ---- */

enum report { REPORT_JUNIT, REPORT_JSON, REPORT_HTML };

static int put_report(enum report kind, FILE *f, const struct run *run, int artifacts_fd)
{
	switch (kind) {
	case REPORT_JUNIT:
		return report_junit(f, run);
	case REPORT_JSON:
		return report_json(f, run);
	case REPORT_HTML:
		break;
	}
	return report_html(f, run, artifacts_fd);
}

static int write_report(enum report kind, const char *path, const struct run *run, int artifacts_fd)
{
	struct output out;
	struct why why;
	int err;

	if (!path)
		return EXIT_PASSED;
	err = output_begin(&out, path, &why);
	if (err == 0) {
		err = put_report(kind, out.f, run, artifacts_fd);
		err = output_end(&out, err == 0, &why);
	}
	if (err == 0)
		return EXIT_PASSED;
	fprintf(stderr, "turnpike-harness: writing %s failed: is the disk full? (%s)\n", path,
	        why.text);
	return EXIT_FAILED;
}

static int write_reports(const struct options *o, const struct run *run)
{
	int status = EXIT_PASSED;

	status |= write_report(REPORT_JUNIT, o->junit, run, -1);
	status |= write_report(REPORT_JSON, o->json, run, -1);
	status |= write_report(REPORT_HTML, o->html, run, o->artifacts_fd);
	if (run->artifacts.text[0])
		fprintf(stderr, "turnpike-harness: artifacts are incomplete: %s\n",
		        run->artifacts.text);
	return status;
}

/* Dies of the signal that it was sent, as a shell wants to know; everything is cleared away. */
static void die_of_signal(int signal_fd, const sigset_t *set)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	signal((int)info.ssi_signo, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, set, NULL);
	raise((int)info.ssi_signo);
}

static int watch_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigprocmask(SIG_BLOCK, set, NULL);
	return signalfd(-1, set, SFD_CLOEXEC);
}

/* "Mozilla Firefox 153.0": the first line that a program says of its version. */
static void note_version(struct run *run, const char *name, const char *program)
{
	const char *const argv[] = {program, "--version", NULL};
	struct proc_opt po = PROC_OPT_DEFAULT;
	char line[128] = "";
	struct why why;
	pid_t pid;

	po.fd[1] = memfd_create("version", MFD_CLOEXEC);
	if (po.fd[1] >= 0 && proc_spawn(argv, &po, &pid, &why) == 0) {
		if (proc_wait(pid, VERSION_MS, NULL) != 0)
			proc_stop(pid, 0);
		if (pread(po.fd[1], line, sizeof(line) - 1, 0) > 0) {
			line[strcspn(line, "\n")] = '\0';
			run_fact(run, name, "%s", line);
		}
	}
	if (po.fd[1] >= 0)
		close(po.fd[1]);
}

static void note_facts(const struct options *o, struct run *run)
{
	if (o->against)
		run_fact(run, "against", "%s", o->against->url);
	else
		note_version(run, "turnpike", o->turnpike);
	if (o->coturn[0])
		note_version(run, "coturn", o->coturn);
	for (int i = 0; i < BROWSER_PRODUCTS; i++) {
		if (o->browser[i][0])
			note_version(run, browser_product_name((enum browser_product)i),
			             o->browser[i]);
	}
	run_fact_machine(run);
}

static bool has_matrix(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (plan->cell[i].scenario->group == GROUP_MATRIX)
			return true;
	}
	return false;
}

static int run_plan(struct options *o, const struct plan *plan)
{
	struct scenario_options so = {
	    .turnpike = o->turnpike,
	    .against = o->against,
	    .artifacts_fd = o->artifacts_fd,
	    .capture = o->capture,
	    .clients = o->clients,
	    .soak_minutes = o->soak_minutes,
	};
	struct screen screen = {.live = isatty(STDERR_FILENO)};
	struct run_view view = {
	    .finished = show_finished, .progress = show_progress, .arg = &screen};
	int signal_fd, status, err;
	struct run run;
	sigset_t set;

	for (int i = 0; i < BROWSER_PRODUCTS; i++)
		so.browser[i] = o->browser[i];
	signal_fd = watch_signals(&set);
	if (signal_fd < 0 || run_new(&run, plan) != 0) {
		perror("turnpike-harness");
		return EXIT_FAILED;
	}
	report_text_head(stdout);
	err = run_play(&run, plan, &so,
	               o->against ? 1
	               : o->jobs  ? o->jobs
	                          : run_lanes_default(),
	               signal_fd, &view);
	wipe(&screen);
	if (has_matrix(plan))
		report_text_groups(stdout, &run);
	report_text_end(stdout, &run);
	if (err == 0)
		note_facts(o, &run);
	status = run_exit_status(&run);
	if (write_reports(o, &run) != EXIT_PASSED)
		status = EXIT_FAILED;
	run_free(&run);
	if (err != 0) {
		options_close(o);
		die_of_signal(signal_fd, &set);
	}
	close(signal_fd);
	return status;
}

/* The browser that a cell wants and the machine has not: why says which. */
static bool misses_browser(const struct options *o, const struct cell *c, struct why *why)
{
	char path[PATH_MAX];

	for (int side = 0; side < LAB_SIDES && !c->scenario->no_pages; side++) {
		if (!o->browser[c->product[side]][0])
			return browser_find(c->product[side], NULL, path, why) != 0;
	}
	return false;
}

static size_t count_paged(const struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n; i++)
		n += !plan->cell[i].scenario->no_pages;
	return n;
}

/* Leaves out cells that lack a browser, as long as some can be played. An error if the user has
 * named the cell or the browser. */
static int check_browsers(const struct options *o, struct plan *plan)
{
	size_t left_out = 0;
	struct why why = {""};

	for (size_t i = 0; i < plan->n; i++) {
		struct cell *c = &plan->cell[i];

		if (!misses_browser(o, c, &why))
			continue;
		snprintf(c->left_out, sizeof(c->left_out), "%.190s.", why.text);
		if (c->named || ++left_out == count_paged(plan)) {
			fprintf(stderr, "turnpike-harness: %s wants a browser: %s\n", c->name,
			        why.text);
			return EXIT_NO_LAB;
		}
	}
	return EXIT_PASSED;
}

static int make_plan(struct options *o, struct plan *plan)
{
	struct why why;
	int err;

	if (o->against) {
		against_ask(o->against);
		err = against_plan(plan, o->against, &o->plan, &why);
	} else {
		err = plan_make(plan, &o->plan, &why);
	}
	return err == 0 ? EXIT_PASSED : options_error("%s", why.text);
}

int main(int argc, char **argv)
{
	struct options o;
	struct plan plan = {.n = 0};
	int status = options_parse(&o, argc, argv);

	if (status == EXIT_PASSED && o.list)
		return list();
	if (status == EXIT_PASSED)
		status = make_plan(&o, &plan);
	if (status == EXIT_PASSED)
		status = check_browsers(&o, &plan);
	if (status == EXIT_PASSED)
		status = run_plan(&o, &plan);
	plan_free(&plan);
	options_close(&o);
	return status;
}
