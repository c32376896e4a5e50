/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Building a stage, setting it for a cell, and clearing it away: lab, proof of
 * its NATs, appliance, a browser on each side.
 */
#include "harness/scenarios/stage.h"

#include "base/clock.h"
#include "harness/lab/keeper.h"
#include "harness/scenarios/against.h"
#include "harness/scenarios/capture.h"
#include "harness/scenarios/evidence.h"
#include "harness/scenarios/inject.h"
#include "harness/scenarios/relay_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FPS           10 /* two peers are then a light load even for two cores */
#define OPEN_MS       20000
#define FRESH_MS      10000
#define JS_LIMIT_MS   10000
#define CAPTURE_BYTES (32 << 20)
#define BLANK         "about:blank"
#define GONE_MS       10000
#define GONE_LOOK_MS  50

const char *const stage_log_name[STAGE_LOGS] = {
    [STAGE_LOG_SERVER] = "server.log",       [STAGE_LOG_TURN] = "turn.log",
    [STAGE_LOG_CONSOLE_A] = "console-a.log", [STAGE_LOG_CONSOLE_B] = "console-b.log",
    [STAGE_LOG_BROWSER_A] = "browser-a.log", [STAGE_LOG_BROWSER_B] = "browser-b.log",
};

static const struct end_mark marks[LAB_SIDES] = {
    {.name = "alice", .id = 0x5a, .hz = 600},
    {.name = "bob", .id = 0xa3, .hz = 1000},
};

void stage_init(struct stage *st, const struct scenario_options *opt, const int log_fd[STAGE_LOGS])
{
	*st = (struct stage){.opt = opt, .artifact_fd = -1, .steps_fd = -1};
	memcpy(st->log_fd, log_fd, sizeof(st->log_fd));
	memcpy(st->mark, marks, sizeof(marks));
}

/* Gives guests unique names: on a shared server they must not be taken for another run's guests, or
 * for those of the cell before, which may not have left yet. */
static void name_guests(struct stage *st)
{
	st->cells++;
	for (int i = 0; i < LAB_SIDES; i++) {
		snprintf(st->guest[i], sizeof(st->guest[i]), "%s-%d-%u", marks[i].name,
		         (int)getpid(), st->cells);
		st->mark[i].name = st->guest[i];
	}
}

int stage_artifact(const struct stage *st, const char *name)
{
	return openat(st->artifact_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
	              0644);
}

static void write_step(const struct stage *st, const char *text)
{
	int64_t t = clock_mono_ms() - st->started_ms;

	if (st->steps_fd >= 0)
		dprintf(st->steps_fd, "+%lld.%03lld %s\n", (long long)(t / 1000),
		        (long long)(t % 1000), text);
}

void stage_step(struct stage *st, const char *fmt, ...)
{
	char text[sizeof(st->result->step)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	result_step(st->result, "%s", text);
	write_step(st, text);
}

/* Without it a cell is played all the same: artifacts are for people. That they are missing is told
 * by the lane, which fails to put the logs there. */
static void open_artifact_folder(struct stage *st)
{
	int root = st->opt->artifacts_fd;

	if (root < 0)
		return;
	mkdirat(root, st->cell->name, 0755);
	st->artifact_fd = openat(root, st->cell->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (st->artifact_fd >= 0)
		st->steps_fd = stage_artifact(st, "steps.log");
}

static int place_clients(struct stage *st, struct why *why)
{
	enum scenario_place place = st->cell->scenario->place;
	int err = 0;

	if (place != PLACE_APART) {
		stage_step(st, "putting both sides behind NAT kind %s", st->cell->kind[0]->name);
		return lab_share_nat(st->lab, st->cell->kind[0], place == PLACE_ISOLATED, why);
	}
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		stage_step(st, "putting side %s behind NAT kind %s", lab_side_name(i),
		           st->cell->kind[i]->name);
		err = lab_set_nat(st->lab, i, st->cell->kind[i], why);
	}
	return err;
}

static int set_lab(struct stage *st, struct why *why)
{
	int64_t start = clock_mono_ms(), built;
	int err = 0;

	if (!st->lab) {
		stage_step(st, "building the lab");
		err = lab_new(&st->lab, why);
	}
	if (err == 0)
		err = place_clients(st, why);
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
	int err;

	if (st->appliance)
		return 0;
	stage_step(st, "starting the appliance");
	err = appliance_start(&st->appliance, st->opt->turnpike, st->cell->scenario->server_options,
	                      st->lab, st->log_fd[STAGE_LOG_SERVER], why);
	result_measure(st->result, "appliance_ready", (double)(clock_mono_ms() - start), "ms");
	return err;
}

/* The cells of a target come one after the other: servers change rarely. */
static int start_target(struct stage *st, struct why *why)
{
	const struct target *t = st->cell->target;
	int64_t start = clock_mono_ms();
	int err;

	if (t == st->target)
		return 0;
	target_stop(st->target_server);
	st->target_server = NULL;
	st->target = t;
	st->gauge_of = NULL;
	if (t->own)
		return 0;
	stage_step(st, "starting %s", t->name);
	err = target_start(&st->target_server, t, st->lab, st->log_fd[STAGE_LOG_TURN], why);
	result_measure(st->result, "target_ready", (double)(clock_mono_ms() - start), "ms");
	return err;
}

/* The script for every page of this side; for free(). NULL when out of memory. */
static char *page_script(const struct stage *st, enum lab_side side)
{
	const struct against *a = st->opt->against;
	json_t *config = json_pack("{s:i, s:f, s:i}", "peer", st->mark[side].id, "hz",
	                           st->mark[side].hz, "fps", FPS);
	char *text, *script = NULL;

	if (config && a && a->api_token)
		json_object_set_new(config, "token",
		                    json_pack("{s:s, s:s}", "url", a->url, "text", a->api_token));
	text = json_dumps(config, JSON_COMPACT);
	json_decref(config);
	if (text && asprintf(&script, "%s(%s)", inject_js, text) < 0)
		script = NULL;
	free(text);
	return script;
}

static int start_browser(struct stage *st, enum lab_side side, struct why *why)
{
	enum browser_product product = st->cell->product[side];
	struct browser_options bo = {.name = st->mark[side].name,
	                             .product = product,
	                             .program = st->opt->browser[product],
	                             .netns_fd = st->lab ? lab_client_ns(st->lab, side) : -1,
	                             .console_fd = st->log_fd[STAGE_LOG_CONSOLE_A + side],
	                             .stderr_fd = st->log_fd[STAGE_LOG_BROWSER_A + side]};
	char *script;
	char folder[CONTAIN_FOLDER + 32];
	int err;

	stage_step(st, "starting %s's browser", bo.name);
	snprintf(folder, sizeof(folder), "%s/%s-%s", keeper_work(), browser_product_word(product),
	         lab_side_name(side));
	bo.folder = folder;
	if (!*bo.program)
		return why_set(why, -E_NOTFOUND, "no %s is installed",
		               browser_product_name(product));
	if (mkdir(folder, 0700) != 0)
		return why_set(why, -E_IO, "%s: %s", folder, strerror(errno));
	script = page_script(st, side);
	if (!script)
		return why_set(why, -E_NOMEM, "out of memory");
	bo.script = script;
	err = browser_start(&st->browsers[side][product], &bo, why);
	free(script);
	return err;
}

/* How this side's client knows the server. */
static const char *server_host(const struct stage *st, enum lab_side side)
{
	return st->cell->scenario->only ? LAB_SERVER_NAME : lab_server_host(st->lab, side);
}

/* Makes the page use the target's ICE servers, whatever its own server says. */
static int give_servers(struct stage *st, enum lab_side side, struct why *why)
{
	const struct offer_entry *only = st->cell->only;
	json_t *servers = NULL, *wanted;
	char *text = NULL, *js = NULL;
	int err;

	if (st->lab)
		servers = target_servers(st->cell->target, server_host(st, side));
	if (!servers && !only)
		return 0;
	wanted = json_object();
	if (servers)
		json_object_set(wanted, "servers", servers);
	if (only) {
		json_object_set_new(wanted, "only", json_string(only->uri));
		json_object_set_new(wanted, "policy", json_string("relay"));
	}
	text = json_dumps(wanted, JSON_COMPACT);
	if (!text || asprintf(&js, "harness.setIce(%s)", text) < 0)
		err = why_set(why, -E_NOMEM, "out of memory");
	else
		err = browser_eval(st->browser[side], js, JS_LIMIT_MS, NULL, why);
	free(js);
	free(text);
	json_decref(wanted);
	json_decref(servers);
	return err;
}

/* The appliance as this side calls it, or the deployed server. */
static const char *page_url(const struct stage *st, enum lab_side side, char *buf, size_t size)
{
	const char *query = st->cell->scenario->page_query;

	if (!query)
		query = "";
	if (st->opt->against)
		return against_page(st->opt->against, query, buf, size);
	snprintf(buf, size, "https://%s/%s", server_host(st, side), query);
	return buf;
}

/* Opens a fresh page. */
static int open_page(struct stage *st, enum lab_side side, struct why *why)
{
	struct browser **b = &st->browsers[side][st->cell->product[side]];
	const char *proxy = st->lab ? lab_client_proxy(st->lab, side) : NULL;
	char url[1024];
	int err = 0;

	if (!*b)
		err = start_browser(st, side, why);
	if (err != 0)
		return err;
	st->browser[side] = *b;
	stage_step(st, "opening the page in %s's browser", st->mark[side].name);
	err = browser_fresh(*b, proxy, FRESH_MS, why);
	if (err == 0)
		err = browser_open(*b, page_url(st, side, url, sizeof(url)), OPEN_MS, why);
	return err ? err : give_servers(st, side, why);
}

void stage_screenshots(struct stage *st, const char *name)
{
	for (int i = 0; i < LAB_SIDES && st->artifact_fd >= 0; i++) {
		char file[64];
		struct why why;
		int fd;

		snprintf(file, sizeof(file), "%s-%s.png", name, lab_side_name(i));
		fd = st->browser[i] ? stage_artifact(st, file) : -1;
		if (fd < 0)
			continue;
		if (browser_screenshot(st->browser[i], fd, &why) != 0)
			unlinkat(st->artifact_fd, file, 0);
		close(fd);
	}
}

/* The packets at each NAT, if they are wanted. A cell does not fail for want of them. */
static void start_captures(struct stage *st)
{
	for (int i = 0; i < LAB_SIDES && st->opt->capture && st->artifact_fd >= 0; i++) {
		char file[32];
		struct why why;
		int fd;

		snprintf(file, sizeof(file), "capture-%s.pcap", lab_side_name(i));
		fd = stage_artifact(st, file);
		if (fd < 0)
			continue;
		if (capture_start(&st->capture[i], lab_router_ns(st->lab, i), fd, CAPTURE_BYTES,
		                  &why) != 0) {
			write_step(st, why.text);
			unlinkat(st->artifact_fd, file, 0);
		}
		close(fd);
	}
}

static void stop_captures(struct stage *st)
{
	for (int i = 0; i < LAB_SIDES; i++) {
		struct why why;

		if (capture_stop(st->capture[i], &why) != 0)
			write_step(st, why.text);
		st->capture[i] = NULL;
	}
}

/* Saves the pages' memory of the cell. Never fails: it is for people. */
static void save_evidence(struct stage *st)
{
	int64_t started_ms = clock_unix_ms() - (clock_mono_ms() - st->started_ms);

	for (int i = 0; i < LAB_SIDES && st->artifact_fd >= 0; i++) {
		char file[32];
		struct why why;
		int fd;

		snprintf(file, sizeof(file), "evidence-%s.json", lab_side_name(i));
		fd = st->browser[i] ? stage_artifact(st, file) : -1;
		if (fd < 0)
			continue;
		if (evidence_save(st->browser[i], started_ms, fd, &why) != 0) {
			write_step(st, why.text);
			unlinkat(st->artifact_fd, file, 0);
		}
		close(fd);
	}
}

bool stage_enter(struct stage *st, const struct cell *cell, struct result *r)
{
	struct why why;
	int err;

	st->cell = cell;
	st->result = r;
	st->started_ms = clock_mono_ms();
	st->browser[LAB_A] = st->browser[LAB_B] = NULL;
	if (st->opt->against)
		name_guests(st);
	open_artifact_folder(st);
	err = st->opt->against ? 0 : set_lab(st, &why);
	if (err != 0) {
		result_no_lab(r, "%s", why.text);
		return false;
	}
	if (!st->opt->against) {
		start_captures(st);
		err = start_appliance(st, &why);
		if (err == 0)
			err = start_target(st, &why);
		if (err == 0)
			relay_watch_before(st);
	}
	for (int i = 0; i < LAB_SIDES && err == 0 && !cell->scenario->no_pages; i++)
		err = open_page(st, i, &why);
	if (err != 0) {
		result_fail(r, "While %s: %s.", r->step, why.text);
		stage_screenshots(st, "failed");
		st->broken = true;
	}
	return err == 0;
}

/* A page has left before its WebSocket has. While the server still knows a visitor, the way out
 * stays: what does not get through now would be a stranger of the same name in the next cell. */
static void await_departure(struct stage *st)
{
	int64_t deadline = clock_mono_ms() + GONE_MS;
	struct why why;
	int n;

	if (!st->appliance || st->cell->scenario->no_pages)
		return;
	while ((n = appliance_visitors(st->appliance, &why)) > 0 && clock_mono_ms() < deadline)
		clock_sleep_ms(GONE_LOOK_MS);
	if (n == 0)
		return;
	if (n > 0)
		why_set(&why, -E_TIMEOUT,
		        "the server still has %d WebSockets %d s after both pages have left", n,
		        GONE_MS / 1000);
	write_step(st, why.text);
	st->broken = true;
}

static void leave_pages(struct stage *st)
{
	struct why why;

	for (int i = 0; i < LAB_SIDES && !st->broken; i++) {
		if (st->browser[i]) /* other pages than ours have none */
			browser_eval(st->browser[i], "window.harness?.leave?.()", OPEN_MS, NULL,
			             &why);
		if (st->browser[i] && browser_open(st->browser[i], BLANK, OPEN_MS, &why) != 0)
			st->broken = true;
	}
	/* The next cell starts from scratch. */
	if (!st->broken && !st->cell->scenario->alone)
		await_departure(st);
	if (!st->broken)
		relay_watch_after(st);
}

void stage_leave(struct stage *st)
{
	struct why why;

	save_evidence(st);
	leave_pages(st);
	stop_captures(st);
	if (st->appliance && appliance_check(st->appliance, &why) != 0) {
		result_fail(st->result, "The appliance should still run, but %s.", why.text);
		st->broken = true;
	}
	if (st->target_server && target_check(st->target_server, &why) != 0) {
		result_fail(st->result, "%s should still run, but %s.", st->target->name, why.text);
		st->broken = true;
	}
	if (st->steps_fd >= 0)
		close(st->steps_fd);
	if (st->artifact_fd >= 0)
		close(st->artifact_fd);
	st->steps_fd = st->artifact_fd = -1;
}

void stage_close(struct stage *st, struct result *r)
{
	struct why why;

	st->result = r;
	stage_step(st, "stopping the browsers");
	for (int i = 0; i < LAB_SIDES; i++) {
		for (int k = 0; k < BROWSER_PRODUCTS; k++)
			browser_stop(st->browsers[i][k]);
	}
	target_stop(st->target_server);
	stage_step(st, "stopping the appliance");
	if (st->appliance && appliance_stop(st->appliance, &why) != 0)
		result_fail(r, "The appliance should end well when asked to, but %s.", why.text);
	lab_free(st->lab);
	*st = (struct stage){.opt = st->opt, .artifact_fd = -1, .steps_fd = -1};
}
