/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Building a scenario's stage and clearing it away: lab, proof of its NATs,
 * appliance, a browser on each side.
 */
#include "harness/clock.h"
#include "harness/lab/contain.h"
#include "harness/scenarios/appliance.h"
#include "harness/scenarios/inject.h"
#include "harness/scenarios/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FPS     10 /* two peers are then a light load even for two cores */
#define OPEN_MS 20000

static const struct peer_mark marks[LAB_SIDES] = {
    {.name = "alice", .id = 0x5a, .hz = 600},
    {.name = "bob", .id = 0xa3, .hz = 1000},
};

/* A new file among the artifacts, or -1. */
static int open_artifact(const struct stage *st, const char *name)
{
	return openat(st->artifact_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
	              0644);
}

void stage_step(struct stage *st, const char *fmt, ...)
{
	int64_t t = clock_mono_ms() - st->started_ms;
	char text[sizeof(st->result->step)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	result_step(st->result, "%s", text);
	if (st->steps_fd >= 0)
		dprintf(st->steps_fd, "+%lld.%03lld %s\n", (long long)(t / 1000),
		        (long long)(t % 1000), text);
}

static int open_artifact_folder(struct stage *st, struct why *why)
{
	const char *name = st->scenario->name;
	int base = st->opt->keep_fd;

	if (base < 0)
		base = open(CONTAIN_WORK, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (base < 0 || (mkdirat(base, name, 0755) != 0 && errno != EEXIST))
		return why_set(why, -E_IO, "cannot make a folder for artifacts: %s",
		               strerror(errno));
	st->artifact_fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (base != st->opt->keep_fd)
		close(base);
	if (st->artifact_fd < 0)
		return why_set(why, -E_IO, "cannot open the folder for artifacts: %s",
		               strerror(errno));
	st->steps_fd = open_artifact(st, "steps.log");
	return 0;
}

static int build_lab(struct stage *st, struct why *why)
{
	int64_t start = clock_mono_ms(), built;
	int err;

	stage_step(st, "building the lab");
	err = lab_new(&st->lab, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		const struct nat_kind *kind = nat_find(st->scenario->nat[i]);

		if (!kind)
			return why_set(why, -E_INVAL, "there is no NAT kind %s",
			               st->scenario->nat[i]);
		err = lab_set_nat(st->lab, i, kind, why);
	}
	built = clock_mono_ms();
	result_measure(st->result, "lab", (double)(built - start), "ms");
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		stage_step(st, "probing the NAT of side %s", lab_side_name(i));
		err = lab_verify_nat(st->lab, i, why);
	}
	result_measure(st->result, "probe", (double)(clock_mono_ms() - built), "ms");
	return err;
}

static int start_appliance(struct stage *st, struct why *why)
{
	int64_t start = clock_mono_ms();
	int fd, err;

	stage_step(st, "starting the appliance");
	fd = open_artifact(st, "server.log");
	if (fd < 0)
		return why_set(why, -E_IO, "cannot open server.log: %s", strerror(errno));
	/* The descriptor lives as long as this process, which plays one scenario. */
	err = appliance_start(&st->appliance, st->opt->turnpike, st->lab, fd, why);
	result_measure(st->result, "appliance_ready", (double)(clock_mono_ms() - start), "ms");
	return err;
}

static int start_browser(struct stage *st, enum lab_side side, struct why *why)
{
	char folder[64], name[32], url[128];
	struct browser_options bo = {.name = st->mark[side].name,
	                             .program = st->opt->browser,
	                             .netns_fd = lab_client_ns(st->lab, side),
	                             .folder = folder};
	char *script = NULL;
	int err = 0;

	stage_step(st, "starting %s's browser", bo.name);
	snprintf(folder, sizeof(folder), CONTAIN_WORK "/browser-%s", lab_side_name(side));
	snprintf(name, sizeof(name), "console-%s.log", lab_side_name(side));
	st->console_fd[side] = bo.console_fd = open_artifact(st, name);
	snprintf(name, sizeof(name), "browser-%s.log", lab_side_name(side));
	bo.stderr_fd = open_artifact(st, name);
	if (mkdir(folder, 0700) != 0)
		return why_set(why, -E_IO, "%s: %s", folder, strerror(errno));
	if (asprintf(&script, "%s({peer: %d, hz: %.0f, fps: %d})", inject_js, st->mark[side].id,
	             st->mark[side].hz, FPS) < 0)
		return why_set(why, -E_NOMEM, "out of memory");
	bo.script = script;
	err = browser_start(&st->browser[side], &bo, why);
	free(script);
	if (bo.stderr_fd >= 0)
		close(bo.stderr_fd);
	if (err == 0) {
		stage_step(st, "opening the page in %s's browser", bo.name);
		snprintf(url, sizeof(url), "%s%s", APPLIANCE_URL,
		         st->scenario->page_query ? st->scenario->page_query : "");
		err = browser_open(st->browser[side], url, OPEN_MS, why);
	}
	return err;
}

void stage_screenshots(struct stage *st, const char *name)
{
	for (int i = 0; i < LAB_SIDES && st->opt->keep_fd >= 0; i++) {
		char file[64];
		struct why why;
		int fd;

		snprintf(file, sizeof(file), "%s-%s.png", name, lab_side_name(i));
		fd = st->browser[i] ? open_artifact(st, file) : -1;
		if (fd < 0)
			continue;
		if (browser_screenshot(st->browser[i], fd, &why) != 0)
			unlinkat(st->artifact_fd, file, 0);
		close(fd);
	}
}

/* Pressure stall information: the share of time in which somebody waited for a core. A verdict
 * about timing on a machine under pressure needs to be read with this beside it. */
static void note_cpu_pressure(struct result *r)
{
	FILE *f = fopen("/proc/pressure/cpu", "r");
	double some;

	if (!f)
		return;
	if (fscanf(f, "some avg10=%lf", &some) == 1)
		result_measure(r, "cpu_pressure", some, "%");
	fclose(f);
}

static void clear_stage(struct stage *st)
{
	struct why why;

	stage_step(st, "stopping the browsers");
	for (int i = 0; i < LAB_SIDES; i++) {
		browser_stop(st->browser[i]);
		if (st->console_fd[i] >= 0)
			close(st->console_fd[i]);
	}
	stage_step(st, "stopping the appliance");
	if (st->appliance && appliance_stop(st->appliance, &why) != 0)
		result_fail(st->result, "The appliance should end well when asked to, but %s.",
		            why.text);
	lab_free(st->lab);
	if (st->steps_fd >= 0)
		close(st->steps_fd);
	if (st->artifact_fd >= 0)
		close(st->artifact_fd);
}

void scenario_run(const struct scenario *s, const struct scenario_options *opt, struct result *r)
{
	struct stage st = {.scenario = s,
	                   .opt = opt,
	                   .result = r,
	                   .started_ms = clock_mono_ms(),
	                   .steps_fd = -1,
	                   .artifact_fd = -1,
	                   .console_fd = {-1, -1}};
	struct why why;
	int err;

	memcpy(st.mark, marks, sizeof(marks));
	err = open_artifact_folder(&st, &why);
	if (err == 0)
		err = build_lab(&st, &why);
	if (err != 0) {
		result_no_lab(r, "%s", why.text);
		goto out;
	}
	err = start_appliance(&st, &why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = start_browser(&st, i, &why);
	if (err != 0) {
		result_fail(r, "While %s: %s.", r->step, why.text);
		stage_screenshots(&st, "failed");
	} else {
		s->play(&st);
		note_cpu_pressure(r);
	}
	if (st.appliance && appliance_check(st.appliance, &why) != 0)
		result_fail(r, "The appliance should still run, but %s.", why.text);
out:
	clear_stage(&st);
}
